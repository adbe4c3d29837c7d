//! Where two sequences lie on each other: the whole matrix of a pair, and the way back through it.
//!
//! Of equally good alignments it is always the same one: the end that is first in the query, then in
//! the target; going back, a pair before a gap of the query, that before one of the target.
use crate::score::{GAP_EXTEND, GAP_OPEN, pair};
use alloc::{format, string::String, vec, vec::Vec};
use core::ops::Range;

/// Most pairs of residues of a matrix; a byte each.
pub const CELLS_MAX: usize = 1 << 27;

const FROM_PAIR: u8 = 1;
const FROM_QUERY_GAP: u8 = 2;
const FROM_TARGET_GAP: u8 = 3;
const FROM: u8 = 3;
/// The gap that ends here was there before.
const QUERY_GAP_GOES_ON: u8 = 4;
const TARGET_GAP_GOES_ON: u8 = 8;

/// The best local alignment of a pair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alignment {
    /// What it counts.
    pub score: i32,
    /// The query's part, from 0.
    pub query: Range<usize>,
    /// The target's.
    pub target: Range<usize>,
    /// Its columns, as counts before letters: M a pair, D a gap in the query, I a gap in the target.
    pub cigar: String,
    /// Columns with the same residue twice.
    pub identities: usize,
    /// All columns.
    pub columns: usize,
}

/// Aligns a pair; nothing where nothing fits.
///
/// # Errors
/// The matrix would be too large.
pub fn align(query: &[u8], target: &[u8]) -> Result<Option<Alignment>, String> {
    let cells = query.len().saturating_mul(target.len());
    if cells > CELLS_MAX {
        let (query, target) = (query.len(), target.len());
        return Err(format!("{query} by {target} residues are too many to align; cut them"));
    }
    let matrix = Matrix::fill(query, target);
    Ok((matrix.score > 0).then(|| matrix.way_back(query, target)))
}

struct Matrix {
    /// A row for each residue of the query.
    from: Vec<u8>,
    score: i32,
    /// The last pair of the best alignment.
    end: (usize, usize),
}

impl Matrix {
    fn fill(query: &[u8], target: &[u8]) -> Matrix {
        let (open, extend) = (i32::from(GAP_OPEN + GAP_EXTEND), i32::from(GAP_EXTEND));
        let mut from = vec![0; query.len() * target.len()];
        let (mut score, mut end) = (0, (0, 0));
        // Of the row above: the best that ends there, and the best in a gap of the target.
        let mut above = vec![(0_i32, i32::MIN / 2); target.len()];
        for (row, residue) in query.iter().enumerate() {
            let (mut diagonal, mut left, mut query_gap) = (0, 0, i32::MIN / 2);
            for (column, other) in target.iter().enumerate() {
                let (above_best, above_gap) = above[column];
                let mut marks = 0;
                if query_gap - extend > left - open {
                    marks |= QUERY_GAP_GOES_ON;
                }
                query_gap = (query_gap - extend).max(left - open);
                if above_gap - extend > above_best - open {
                    marks |= TARGET_GAP_GOES_ON;
                }
                let target_gap = (above_gap - extend).max(above_best - open);
                let matched = diagonal + i32::from(pair(*residue, *other));
                let best = matched.max(query_gap).max(target_gap).max(0);
                marks |= match best {
                    0 => 0,
                    _ if best == matched => FROM_PAIR,
                    _ if best == query_gap => FROM_QUERY_GAP,
                    _ => FROM_TARGET_GAP,
                };
                from[row * target.len() + column] = marks;
                if best > score {
                    (score, end) = (best, (row, column));
                }
                diagonal = above_best;
                left = best;
                above[column] = (best, target_gap);
            }
        }
        Matrix { from, score, end }
    }

    fn way_back(&self, query: &[u8], target: &[u8]) -> Alignment {
        let (mut row, mut column) = (self.end.0 + 1, self.end.1 + 1);
        let mut letters: Vec<u8> = Vec::new();
        let mut identities = 0;
        let at = |row: usize, column: usize| self.from[(row - 1) * target.len() + column - 1];
        while row > 0 && column > 0 {
            match at(row, column) & FROM {
                FROM_PAIR => {
                    (row, column) = (row - 1, column - 1);
                    letters.push(b'M');
                    identities += usize::from(query[row] == target[column]);
                }
                FROM_QUERY_GAP => loop {
                    let goes_on = at(row, column) & QUERY_GAP_GOES_ON != 0;
                    column -= 1;
                    letters.push(b'D');
                    if !goes_on {
                        break;
                    }
                },
                FROM_TARGET_GAP => loop {
                    let goes_on = at(row, column) & TARGET_GAP_GOES_ON != 0;
                    row -= 1;
                    letters.push(b'I');
                    if !goes_on {
                        break;
                    }
                },
                _ => break,
            }
        }
        letters.reverse();
        Alignment {
            score: self.score,
            query: row..self.end.0 + 1,
            target: column..self.end.1 + 1,
            cigar: cigar(&letters),
            identities,
            columns: letters.len(),
        }
    }
}

fn cigar(letters: &[u8]) -> String {
    let runs = letters.chunk_by(|one, next| one == next);
    runs.map(|run| format!("{}{}", run.len(), char::from(run[0]))).collect()
}
