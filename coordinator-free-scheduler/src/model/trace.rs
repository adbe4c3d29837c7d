//! The course of a stepped unit: the state after each step, by its hash, and the fuel up to there.
//!
//! A step is a run of its own, of a fresh instance, on the bytes of the state before it. So whoever
//! has that state can say whether a step is right, without the steps before it: two authors who
//! differ agree up to some step, and that one alone has to be run again; and an author who is not
//! contradicted can be looked after by some of its steps, which [`Trace::sample`] draws.
//!
//! The steps, 40 bytes each, make a list. An answer names its hash, which is the root of a tree over
//! parts of 1 KiB (BLAKE3 is a Merkle tree, O'Connor, Aumasson, Neves and Wilcox-O'Hearn 2020), so that
//! any part of a long list can be shown and checked by itself. Nobody keeps it: it can be had again.
use crate::{Hash, rng::Rng};
use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::Range;
use serde::{Deserialize, Serialize};

/// Bytes of a step in a trace's list.
pub const STEP_BYTES: usize = 40;
/// Most steps of a unit.
pub const STEPS_MAX: u32 = 1 << 20;
/// Fuel that each step takes beside what the guest uses: for its fresh instance.
pub const FUEL_PER_STEP: u64 = 100_000;
/// Largest state, bytes.
pub const STATE_BYTES_MAX: u64 = 16 << 20;

/// What a step left behind.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Step {
    /// The BLAKE3 of the state.
    pub state: Hash,
    /// All fuel that was used up to there.
    pub fuel: u64,
}

/// The course of a stepped unit, as its answer names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct Trace {
    /// States that the unit went through; the first is what `init` made of its input.
    pub steps: u32,
    /// The hash of the [list](encode) of them.
    pub root: Hash,
}

/// A list of steps, as it is hashed.
pub fn encode(steps: &[Step]) -> Vec<u8> {
    let bytes = |step: &Step| step.state.0.into_iter().chain(step.fuel.to_le_bytes());
    steps.iter().flat_map(bytes).collect()
}

/// The steps of a list; none if it is no trace.
pub fn decode(bytes: &[u8]) -> Option<Vec<Step>> {
    if bytes.len() > STEPS_MAX as usize * STEP_BYTES || !bytes.len().is_multiple_of(STEP_BYTES) {
        return None;
    }
    let step = |bytes: &[u8]| {
        let (mut state, mut fuel) = ([0; 32], [0; 8]);
        state.copy_from_slice(&bytes[..32]);
        fuel.copy_from_slice(&bytes[32..]);
        Step { state: Hash(state), fuel: u64::from_le_bytes(fuel) }
    };
    Some(bytes.chunks_exact(STEP_BYTES).map(step).collect())
}

/// The first step at which two traces differ, which decides between them: up to there their authors
/// agree. None if they are equal.
pub fn first_difference(one: &[Step], other: &[Step]) -> Option<u32> {
    let differ = one.iter().zip(other).position(|(one, other)| one != other);
    let at = differ.unwrap_or(one.len().min(other.len()));
    (at < one.len().max(other.len())).then_some(at as u32)
}

impl Trace {
    /// The trace of some steps.
    pub fn of(steps: &[Step]) -> Trace {
        Trace { steps: steps.len() as u32, root: Hash::of(&encode(steps)) }
    }

    /// Steps to be looked at by whoever audits the unit, `count` of them or all: each state, and the
    /// step to the end, by a draw that nobody can foresee who does not know the `seed`.
    pub fn sample(self, seed: u64, count: u32) -> BTreeSet<u32> {
        let all: Range<u32> = 0..self.steps.saturating_add(1);
        let mut rng = Rng::new(seed ^ self.root.prefix());
        let mut drawn = BTreeSet::new();
        // Floyd's algorithm: Bentley and Floyd 1987.
        for last in all.end.saturating_sub(count)..all.end {
            let one = rng.below(u64::from(last) + 1) as u32;
            if !drawn.insert(one) {
                drawn.insert(last);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: u8) -> Vec<Step> {
        (0..count).map(|at| Step { state: Hash([at; 32]), fuel: u64::from(at) << 20 }).collect()
    }

    #[test]
    fn traces_are_read_as_they_were_written_and_differ_where_they_differ() {
        let honest = steps(30);
        assert_eq!(decode(&encode(&honest)), Some(honest.clone()));
        assert_eq!(decode(&encode(&honest)[1..]), None);
        assert_eq!(first_difference(&honest, &honest), None);
        assert_eq!(first_difference(&honest, &steps(20)), Some(20));
        for at in 0..30 {
            let mut lie = honest.clone();
            lie[at].fuel += 1;
            assert_eq!(first_difference(&honest, &lie), Some(at as u32));
            assert_ne!(Trace::of(&honest), Trace::of(&lie));
        }
    }

    #[test]
    fn samples_are_as_many_as_wanted_and_reach_every_step() {
        let trace = Trace::of(&steps(30));
        let mut seen = BTreeSet::new();
        for seed in 0..100 {
            let drawn = trace.sample(seed, 3);
            assert_eq!(drawn.len(), 3);
            seen.extend(drawn);
        }
        assert_eq!(seen, (0..31).collect());
        assert_eq!(trace.sample(0, 99), (0..31).collect());
    }
}
