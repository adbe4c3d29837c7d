//! Kernels on integers.
use crate::{Stream, checksum};

/// Steps of all Collatz sequences up to `n`.
pub fn collatz(n: u32) -> u64 {
    let mut steps = 0;
    for start in 1..=u64::from(n) {
        let mut value = start;
        while value != 1 {
            value = if value % 2 == 0 { value / 2 } else { 3 * value + 1 };
            steps += 1;
        }
    }
    steps
}

/// Sorts `n` numbers.
pub fn sort(n: u32) -> u64 {
    let mut stream = Stream(7);
    let mut values: Vec<u64> = (0..n).map(|_| stream.next()).collect();
    values.sort_unstable();
    checksum(values)
}

/// SHA-256 (FIPS 180-4) of `n` bytes.
pub fn sha256(n: u32) -> u64 {
    let constants = constants();
    let mut state: [u32; 8] = [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
        0x5be0cd19,
    ];
    let mut stream = Stream(3);
    for _ in 0..n / 64 {
        let mut block = [0; 16];
        block.fill_with(|| stream.next() as u32);
        compress(&mut state, &block, &constants);
    }
    checksum(state.map(u64::from))
}

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
fn constants() -> [u32; 64] {
    let is_prime = |n: &u64| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    let mut primes = (2u64..).filter(is_prime);
    [(); 64].map(|()| {
        // The cube root times 2³², by bisection.
        let prime = u128::from(primes.next().unwrap_or(2)) << 96;
        let (mut low, mut high) = (0u128, 1u128 << 36);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if middle * middle * middle <= prime { low = middle } else { high = middle }
        }
        low as u32
    })
}

fn compress(state: &mut [u32; 8], block: &[u32; 16], constants: &[u32; 64]) {
    let mut words = [0u32; 64];
    words[..16].copy_from_slice(block);
    for at in 16..64 {
        let (a, b) = (words[at - 15], words[at - 2]);
        let small = a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3;
        let large = b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10;
        words[at] =
            words[at - 16].wrapping_add(small).wrapping_add(words[at - 7]).wrapping_add(large);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (constant, word) in constants.iter().zip(words) {
        let mixed = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let chosen = e & f ^ !e & g;
        let one =
            h.wrapping_add(mixed).wrapping_add(chosen).wrapping_add(*constant).wrapping_add(word);
        let mixed = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = mixed.wrapping_add(a & b ^ a & c ^ b & c);
        (h, g, f, e) = (g, f, e, d.wrapping_add(one));
        (d, c, b, a) = (c, b, a, one.wrapping_add(two));
    }
    for (word, added) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_abc_is_that_of_the_standard() {
        let mut state = [
            0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
            0x5be0cd19,
        ];
        let mut block = [0; 16];
        (block[0], block[15]) = (0x61626380, 24);
        compress(&mut state, &block, &constants());
        assert_eq!((state[0], state[7]), (0xba7816bf, 0xf20015ad));
    }

    #[test]
    fn collatz_of_six_takes_eight_steps() {
        assert_eq!(collatz(6) - collatz(5), 8);
    }
}
