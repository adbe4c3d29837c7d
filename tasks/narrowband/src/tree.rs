//! The Taylor tree: sums along all drifts of a block of drifts at once, sharing partial sums.
//!
//! Over `n` rows a drift of `d` steps (0 ≤ d < n) takes half of its rows at `d / 2`, the other half
//! at `d / 2` begun `(d + 1) / 2` channels later, down to single rows. Steeper and backward drifts
//! are the same tree over rows that were first shifted by whole channels each.
//!
//! Only the strongest sum of a start channel is kept, since that is all the inner loop can afford;
//! which drift it was is asked again, path by path, for the few channels where it matters.
use crate::{drift::Drifts, normalise::Grid};
use alloc::{vec, vec::Vec};

/// Start channels taken at once: the rows of a tile with their partial sums stay in the cache.
const TILE_CHANNELS: usize = 256;

/// Sums made in one turn of the inner loops: a few vectors, so that counting turns (and the fuel
/// for them) costs little beside the work. Divides [`TILE_CHANNELS`].
const LANES: usize = 32;

/// Sums along drifts, over a normalised chunk.
pub struct Tree<'a> {
    grid: &'a Grid,
    drifts: Drifts,
    sums: Vec<i32>,
    halves: Vec<i32>,
    stride: usize,
}

/// How far beyond the start channels a tree may look.
pub fn margin(drifts: &Drifts) -> u32 {
    // A block reaches past the last searched drift by less than a block, a row's length.
    drifts.steps_max() + 2 * drifts.rows()
}

impl<'a> Tree<'a> {
    /// A tree over `grid`, whose margin is [`margin`] at least.
    pub fn new(grid: &'a Grid, drifts: Drifts) -> Tree<'a> {
        let stride = TILE_CHANNELS + drifts.rows() as usize + LANES;
        let room = vec![0; stride * drifts.rows() as usize];
        Tree { grid, drifts, sums: room.clone(), halves: room, stride }
    }

    /// Writes the strongest sum over all drifts from `first` on into `best`.
    ///
    /// Sums are always made for a whole tile; where `best` ends within one, what is beyond is
    /// made of whatever lies there and dropped.
    pub fn strongest(&mut self, first: i64, best: &mut [i32]) {
        for (tile, wanted) in best.chunks_mut(TILE_CHANNELS).enumerate() {
            let mut best = [i32::MIN; TILE_CHANNELS];
            for block in self.drifts.blocks() {
                self.load(block, first + (tile * TILE_CHANNELS) as i64);
                self.climb();
                self.finish(block, &mut best);
            }
            wanted.copy_from_slice(&best[..wanted.len()]);
        }
    }

    /// Takes the rows of a tile, each shifted by `block` channels more than the one before.
    fn load(&mut self, block: i32, first: i64) {
        for (row, sums) in self.sums.chunks_exact_mut(self.stride).enumerate() {
            let from = self.grid.row_from(row, first + i64::from(block) * row as i64);
            let width = from.len().min(self.stride);
            sums[..width].copy_from_slice(&from[..width]);
        }
    }

    /// Joins pairs of halves until two are left.
    fn climb(&mut self) {
        let rows = self.drifts.rows() as usize;
        let mut half = 1;
        while half < rows / 2 {
            core::mem::swap(&mut self.sums, &mut self.halves);
            // What the levels above will still look ahead.
            let width = (TILE_CHANNELS + rows - 2 * half).next_multiple_of(LANES);
            let pairs = self.halves.chunks_exact(2 * half * self.stride);
            for (joined, pair) in self.sums.chunks_exact_mut(2 * half * self.stride).zip(pairs) {
                join(joined, pair, half, self.stride, width);
            }
            half *= 2;
        }
    }

    /// Joins the last two halves, keeping only what is stronger than `best`.
    fn finish(&mut self, block: i32, best: &mut [i32; TILE_CHANNELS]) {
        let rows = self.drifts.rows() as usize;
        let (early, late) = self.sums.split_at(rows / 2 * self.stride);
        let steps_max = i64::from(self.drifts.steps_max());
        // The last drift of a block is the first of the next one.
        for drift in 0..rows - 1 {
            let steps = i64::from(block) * (rows as i64 - 1) + drift as i64;
            if steps.abs() > steps_max {
                continue;
            }
            let early = &early[drift / 2 * self.stride..];
            let late = &late[drift / 2 * self.stride + drift.div_ceil(2)..];
            pass(best, early, late, |best, sum| best.max(sum));
        }
    }

    /// The lowest drift from `channel` whose sum is `sum`.
    pub fn drift_of(&self, channel: u32, sum: i32) -> Option<i32> {
        let steps_max = self.drifts.steps_max() as i32;
        (-steps_max..=steps_max).find(|steps| self.sum_along(channel, *steps) == sum)
    }

    /// The sum along one path.
    fn sum_along(&self, channel: u32, steps: i32) -> i32 {
        let rows = self.drifts.rows();
        let size = rows as i32 - 1;
        let (block, drift) = (steps.div_euclid(size), steps.rem_euclid(size) as u32);
        let at = |row: u32| {
            let shift = i64::from(block) * i64::from(row) + i64::from(shift(rows, drift, row));
            self.grid.row_from(row as usize, i64::from(channel) + shift)[0]
        };
        (0..rows).map(at).sum()
    }
}

/// Sums over `2 * half` rows for all drifts, from those over its two halves.
fn join(joined: &mut [i32], pair: &[i32], half: usize, stride: usize, width: usize) {
    let (early, late) = pair.split_at(half * stride);
    for (drift, joined) in joined.chunks_exact_mut(stride).enumerate() {
        let early = &early[drift / 2 * stride..];
        let late = &late[drift / 2 * stride + drift.div_ceil(2)..];
        pass(&mut joined[..width], early, late, |_, sum| sum);
    }
}

/// The inner loop: what `keep` makes of each place of `into` and the sum of `early` and `late`.
#[inline(always)]
fn pass(into: &mut [i32], early: &[i32], late: &[i32], keep: impl Fn(i32, i32) -> i32) {
    let parts = early.chunks_exact(LANES).zip(late.chunks_exact(LANES));
    for (into, (early, late)) in into.chunks_exact_mut(LANES).zip(parts) {
        for lane in 0..LANES {
            into[lane] = keep(into[lane], early[lane].wrapping_add(late[lane]));
        }
    }
}

/// How many channels a path of `drift` over `rows` rows has moved at `row`.
fn shift(rows: u32, drift: u32, row: u32) -> u32 {
    let half = rows / 2;
    match (half, row < half) {
        (0, _) => 0,
        (_, true) => shift(half, drift / 2, row),
        (_, false) => drift.div_ceil(2) + shift(half, drift / 2, row - half),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_0_end_at_their_drift_and_stay_near_the_line() {
        for rows in [2, 4, 16, 64, 256] {
            for drift in 0..rows {
                assert_eq!(shift(rows, drift, 0), 0);
                assert_eq!(shift(rows, drift, rows - 1), drift);
                for row in 0..rows {
                    let line = f64::from(drift * row) / f64::from(rows - 1);
                    let off = f64::from(shift(rows, drift, row)) - line;
                    let allowed = f64::from(rows.ilog2()) / 4.0 + 0.5;
                    assert!(off.abs() <= allowed, "{off} at {row} of {drift} over {rows}");
                }
            }
        }
    }
}
