//! A kernel that branches on its data.
use crate::Stream;

/// The best local alignment of two sequences of `n` letters (Smith and Waterman 1981), with a
/// constant price for a gap.
pub fn smith_waterman(n: u32) -> u64 {
    let mut stream = Stream(11);
    let mut letters = || -> Vec<u8> { (0..n).map(|_| (stream.next() >> 60) as u8 & 3).collect() };
    let (one, other) = (letters(), letters());
    let mut row = vec![0i32; n as usize + 1];
    let mut best = 0;
    for a in &one {
        let mut diagonal = 0;
        for (at, b) in other.iter().enumerate() {
            let matched = diagonal + if a == b { 3 } else { -2 };
            diagonal = row[at + 1];
            let gapped = diagonal.max(row[at]) - 4;
            let score = matched.max(gapped).max(0);
            row[at + 1] = score;
            if score > best {
                best = score;
            }
        }
    }
    best as u64
}
