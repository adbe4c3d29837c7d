//! What units wrote, as one table.
//!
//! Invariant: exponents rise, and none is there twice.
use fetched::{FileError, outputs};
use std::path::Path;

/// An exponent that was tested.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tested {
    /// The exponent p.
    pub exponent: u32,
    /// Whether 2^p − 1 is prime.
    pub is_prime: bool,
    /// The last 64 bits of what the test left; 0 of a prime.
    pub residue: u64,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A folder or file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is none of this task's.
    #[error("{path}:{line}: expected an exponent, `prime` or `composite`, and 16 digits: {text:?}")]
    Line {
        /// Of which file.
        path: String,
        /// From 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Two units tell of the same exponent.
    #[error("exponent {0} is there twice: these are outputs of more than one job")]
    Twice(u32),
}

/// Reads every unit's output in a folder that `dugnad fetch` wrote to.
///
/// # Errors
/// What could not be read, or is no output of this task.
pub fn read(results: &Path) -> Result<Vec<Tested>, TableError> {
    let mut all = Vec::new();
    for (path, text) in outputs(results)? {
        all.extend(parse(&path.display().to_string(), &text)?);
    }
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0].exponent == pair[1].exponent) {
        Some(pair) => Err(TableError::Twice(pair[0].exponent)),
        None => Ok(all),
    }
}

/// Reads one unit's output; `path` is for errors.
///
/// # Errors
/// A line is none of this task's.
pub fn parse(path: &str, text: &str) -> Result<Vec<Tested>, TableError> {
    let lines = text.lines().enumerate();
    let read = lines.map(|(at, line)| {
        tested(line).ok_or_else(|| TableError::Line {
            path: path.to_owned(),
            line: at + 1,
            text: line.to_owned(),
        })
    });
    read.collect()
}

fn tested(line: &str) -> Option<Tested> {
    let mut fields = line.split('\t');
    let exponent = fields.next()?.parse().ok()?;
    let is_prime = match fields.next()? {
        "prime" => true,
        "composite" => false,
        _ => return None,
    };
    let digits = fields.next()?;
    let residue = u64::from_str_radix(digits, 16).ok()?;
    let whole = digits.len() == 16 && fields.next().is_none();
    whole.then_some(Tested { exponent, is_prime, residue })
}

/// The table as text, a line for each exponent.
pub fn text(all: &[Tested]) -> String {
    let line = |one: &Tested| {
        let word = if one.is_prime { "prime" } else { "composite" };
        format!("{}\t{word}\t{:016X}\n", one.exponent, one.residue)
    };
    ["exponent\tfound\tresidue\n".to_owned()].into_iter().chain(all.iter().map(line)).collect()
}
