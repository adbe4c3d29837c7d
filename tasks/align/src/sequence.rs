//! Protein sequences: FASTA text, and residues as places in the alphabet of the matrix.
use alloc::{string::String, vec::Vec};
use core::fmt;

/// The alphabet: twenty amino acids, B (N or D), Z (Q or E), X (any), and the end of a reading frame.
pub const LETTERS: &[u8] = b"ARNDCQEGHILKMFPSTWYVBZX*";
/// How many residues there are.
pub const CODES: usize = 24;
const ANY: u8 = 22;

/// A sequence with its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sequence {
    /// The first word of its title.
    pub name: String,
    /// Each residue's place in [`LETTERS`].
    pub residues: Vec<u8>,
}

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FastaError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// Residues come before the first title.
    NoTitle,
    /// A title has no name.
    NoName,
    /// The sequence above has no residues.
    Empty,
    /// No residue is written so.
    NotAResidue(u8),
}

impl fmt::Display for FastaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.problem {
            Problem::NoTitle => f.write_str("a sequence begins with a title, `>name`"),
            Problem::NoName => f.write_str("a title has a name right after its `>`"),
            Problem::Empty => f.write_str("the sequence before this line has no residues"),
            Problem::NotAResidue(byte) => {
                write!(f, "no amino acid is written `{}`", char::from(byte).escape_default())
            }
        }
    }
}

impl core::error::Error for FastaError {}

/// The code of a letter, large or small; selenocysteine, pyrrolysine and J count as any.
pub fn code(letter: u8) -> Option<u8> {
    let letter = letter.to_ascii_uppercase();
    match letter {
        b'U' | b'O' | b'J' => Some(ANY),
        _ => LETTERS.iter().position(|known| *known == letter).map(|place| place as u8),
    }
}

/// Reads FASTA; `first_line` is the number of the text's first line, for errors.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &[u8], first_line: usize) -> Result<Vec<Sequence>, FastaError> {
    let mut all: Vec<Sequence> = Vec::new();
    let mut line = first_line;
    let fail = |line, problem| Err(FastaError { line, problem });
    let hollow = |all: &[Sequence]| all.last().is_some_and(|last| last.residues.is_empty());
    for bytes in text.split(|byte| *byte == b'\n') {
        let bytes = bytes.trim_ascii();
        if let Some(title) = bytes.strip_prefix(b">") {
            if hollow(&all) {
                return fail(line, Problem::Empty);
            }
            let name = title.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
            if name.is_empty() {
                return fail(line, Problem::NoName);
            }
            let name = String::from_utf8_lossy(name).into_owned();
            all.push(Sequence { name, residues: Vec::new() });
        } else {
            for byte in bytes {
                let Some(sequence) = all.last_mut() else { return fail(line, Problem::NoTitle) };
                match code(*byte) {
                    Some(code) => sequence.residues.push(code),
                    None => return fail(line, Problem::NotAResidue(*byte)),
                }
            }
        }
        line += 1;
    }
    if hollow(&all) { fail(line, Problem::Empty) } else { Ok(all) }
}
