//! Scores alone, of one query with eight sequences at a time: one lane of a vector each.
//!
//! The matrix of a pair is filled column by column, a residue of the sequence after the other; of each
//! column two numbers a row are kept. Scores that reach [`SCORE_MAX`] are such or larger.
use crate::{
    score::{GAP_EXTEND, GAP_OPEN, pair},
    sequence::CODES,
};
use alloc::{vec, vec::Vec};
use core::array::from_fn;

/// Sequences at a time: as many as 16-bit numbers fit into a vector.
pub const LANES: usize = 8;
/// Where scores stop to grow.
pub const SCORE_MAX: i16 = i16::MAX;
/// What lies beyond the end of a sequence fits nothing.
const BEYOND: i16 = -1_000;

type Lanes = [i16; LANES];

/// A row of a column: the best alignment that ends there, and the best that ends there in a gap of
/// the query.
#[derive(Clone, Copy, Default)]
struct Row {
    best: Lanes,
    gap: Lanes,
}

fn max(one: Lanes, other: Lanes) -> Lanes {
    from_fn(|lane| one[lane].max(other[lane]))
}

fn plus(one: Lanes, other: Lanes) -> Lanes {
    from_fn(|lane| one[lane].saturating_add(other[lane]))
}

fn less(one: Lanes, by: i16) -> Lanes {
    from_fn(|lane| one[lane].saturating_sub(by))
}

/// The score of the best local alignment of the query with each target.
pub fn scores(query: &[u8], targets: [&[u8]; LANES]) -> Lanes {
    let mut rows: Vec<Row> = vec![Row::default(); query.len()];
    let mut highest = [0; LANES];
    let columns = targets.iter().map(|target| target.len()).max().unwrap_or(0);
    for column in 0..columns {
        let profile = profile(&targets, column);
        let mut diagonal = [0; LANES];
        let mut gap = [0; LANES];
        for (row, residue) in rows.iter_mut().zip(query) {
            let matched = plus(diagonal, profile[usize::from(*residue)]);
            let best = max(max(matched, [0; LANES]), max(row.gap, gap));
            highest = max(highest, best);
            diagonal = row.best;
            let opened = less(best, GAP_OPEN + GAP_EXTEND);
            *row = Row { best, gap: max(less(row.gap, GAP_EXTEND), opened) };
            gap = max(less(gap, GAP_EXTEND), opened);
        }
    }
    highest
}

/// What each residue of a query would count in this column, lane by lane.
fn profile(targets: &[&[u8]; LANES], column: usize) -> [Lanes; CODES] {
    let residues: [Option<u8>; LANES] = from_fn(|lane| targets[lane].get(column).copied());
    from_fn(|code| {
        from_fn(|lane| residues[lane].map_or(BEYOND, |residue| pair(code as u8, residue)))
    })
}
