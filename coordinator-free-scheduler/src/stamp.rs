//! What a manifest costs: a number that takes work to find and next to none to check (Dwork and Naor,
//! *Pricing via Processing*, 1992; Back, *Hashcash*, 2002).
//!
//! Invariant: a stamp fits one job alone, and the hashes that it takes to find one are, on the average, in
//! proportion to the job's units. It lies outside what is signed, so it can be looked for when the job has
//! its name. What it is not: a sign of who did the work, or when; whoever has more machines finds more.
use crate::{Hash, JobId};
use core::ops::Range;
use serde::{Deserialize, Serialize};

/// The number that was found; 0 where none was looked for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, Debug)]
pub struct Stamp(pub u64);

/// A job costs at least what one of so many units does: a place in all tables is taken by small ones, too.
pub const STAMP_UNITS_MIN: u32 = 1_000;

/// Hashes that a stamp for a job of so many units takes on the average, at so many for each unit.
pub fn stamp_hashes(work_factor: u32, units: u32) -> u64 {
    u64::from(work_factor) * u64::from(units.max(STAMP_UNITS_MIN))
}

/// What a job's stamps are drawn with.
struct Draw([u8; 32]);

impl Draw {
    fn of(job: JobId) -> Draw {
        Draw(Hash::derive("dugnad 1 stamp", &[&job.0.0]).0)
    }

    /// Whether a number is one of those that count, of which there is one in `hashes`.
    fn wins(&self, number: u64, hashes: u64) -> bool {
        let drawn = Hash(*blake3::keyed_hash(&self.0, &number.to_le_bytes()).as_bytes());
        drawn.prefix() <= u64::MAX / hashes.max(1)
    }
}

impl Stamp {
    /// Whether it is one of those for the job that take so many hashes to find.
    pub fn pays(self, job: JobId, hashes: u64) -> bool {
        hashes <= 1 || Draw::of(job).wins(self.0, hashes)
    }

    /// The first among these numbers that pays.
    pub fn search(job: JobId, hashes: u64, mut numbers: Range<u64>) -> Option<Stamp> {
        let draw = Draw::of(job);
        numbers.find(|number| hashes <= 1 || draw.wins(*number, hashes)).map(Stamp)
    }
}
