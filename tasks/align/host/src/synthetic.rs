//! Queries and a database made up from a seed, with relatives of the queries hidden in it.
//!
//! Residues are as frequent as in nature (Robinson and Robinson, 1991). A relative is a query with a
//! share of its residues replaced, each by what BLOSUM62 says evolution replaces it by, with a few
//! residues lost and gained, somewhere in an unrelated sequence. Nobody's data: it shows whether a
//! search finds what it should.
use align::{score::pair, sequence::LETTERS};
use std::{fmt::Write, fs, io, path::Path};

/// Per mille, in the order of [`LETTERS`].
const FREQUENCIES: [f64; 20] = [
    78., 51., 45., 54., 19., 43., 63., 74., 22., 51., 90., 57., 22., 39., 52., 71., 58., 13., 32.,
    64.,
];
/// Shares of residues replaced in the relatives of a query.
pub const REPLACED: [f64; 6] = [0.15, 0.3, 0.45, 0.55, 0.65, 0.75];
/// Queries.
pub const QUERIES: usize = 8;
/// One residue in so many is lost, and one gained.
const INDEL_EVERY: f64 = 60.0;
const LINE: usize = 60;

/// Where a relative was hidden.
#[derive(Clone, PartialEq, Debug)]
pub struct Relative {
    /// Whose.
    pub query: String,
    /// In which sequence.
    pub target: String,
    /// The share of its residues that were replaced.
    pub replaced: f64,
}

/// Numbers as good as random: SplitMix64 (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }

    fn pick(&mut self, weights: &[f64; 20]) -> u8 {
        let mut left = self.share() * weights.iter().sum::<f64>();
        let place = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        place.unwrap_or(0) as u8
    }

    fn unrelated(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.pick(&FREQUENCIES)).collect()
    }

    /// Many short, few long ones.
    fn length(&mut self) -> usize {
        60 + self.below(240) + self.below(240) * self.below(3)
    }

    fn relative(&mut self, query: &[u8], replaced: f64) -> Vec<u8> {
        let mut all = Vec::new();
        for residue in query {
            let turn = self.share() * INDEL_EVERY;
            if turn < 1.0 {
                continue;
            }
            if turn < 2.0 {
                all.push(self.pick(&FREQUENCIES));
            }
            let other = self.share() < replaced;
            all.push(if other { self.replacement(*residue) } else { *residue });
        }
        all
    }

    fn replacement(&mut self, residue: u8) -> u8 {
        let mut weights = FREQUENCIES;
        for (other, weight) in weights.iter_mut().enumerate() {
            *weight *= 2_f64.powf(f64::from(pair(residue, other as u8)) / 2.0);
        }
        weights[usize::from(residue)] = 0.0;
        self.pick(&weights)
    }
}

/// Writes `queries.fasta` and `database.fasta` with `sequences` sequences, and says what is hidden.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, seed: u64, sequences: usize) -> io::Result<Vec<Relative>> {
    let mut dice = Dice(seed);
    let queries: Vec<Vec<u8>> = (0..QUERIES)
        .map(|_| {
            let length = 120 + dice.below(300);
            dice.unrelated(length)
        })
        .collect();
    let mut database: Vec<Vec<u8>> = (0..sequences)
        .map(|_| {
            let length = dice.length();
            dice.unrelated(length)
        })
        .collect();
    let mut relatives = Vec::new();
    let mut free: Vec<usize> = (0..sequences).collect();
    for (number, query) in queries.iter().enumerate() {
        for replaced in REPLACED {
            if free.is_empty() {
                break;
            }
            let target = free.swap_remove(dice.below(free.len()));
            let relative = dice.relative(query, replaced);
            let at = dice.below(database[target].len().min(80));
            database[target].splice(at..at, relative);
            relatives.push(Relative {
                query: name("Q", number),
                target: name("S", target),
                replaced,
            });
        }
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("queries.fasta"), fasta("Q", &queries))?;
    fs::write(folder.join("database.fasta"), fasta("S", &database))?;
    Ok(relatives)
}

fn name(letter: &str, number: usize) -> String {
    format!("{letter}{:05}", number + 1)
}

fn fasta(letter: &str, all: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for (number, residues) in all.iter().enumerate() {
        let _ = writeln!(text, ">{} synthetic", name(letter, number));
        for line in residues.chunks(LINE) {
            let line: String =
                line.iter().map(|code| char::from(LETTERS[usize::from(*code)])).collect();
            let _ = writeln!(text, "{line}");
        }
    }
    text
}
