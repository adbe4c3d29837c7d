//! Ringers: units whose outputs the owner knows beforehand, as nobody else does.
//!
//! Who answers one otherwise rings: the owner computes the unit itself, and its own computation is what
//! convicts. So an answer that the owner has wrong blames nobody, and is told.
use crate::{Answer, Hash, PeerKey, RINGERS_MAX, UnitIndex};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// The ringers of one job.
#[derive(Clone, Debug, Default)]
pub struct Ringers {
    known: BTreeMap<UnitIndex, Hash>,
    rung: BTreeSet<UnitIndex>,
    /// By whom: one ring of each is enough.
    by: BTreeSet<PeerKey>,
    /// Those whose known output is not what the module computes.
    off: BTreeSet<UnitIndex>,
}

impl Ringers {
    /// Digests of outputs; those over [`RINGERS_MAX`] are left out.
    pub fn know(&mut self, known: Vec<(UnitIndex, Hash)>) {
        self.known.extend(known.into_iter().take(RINGERS_MAX));
    }

    /// Whether an answer is not what it is known to be, the first of its kind by this peer. Keys are free,
    /// so of all no more ring than an owner computes anyway.
    pub fn rings(&mut self, unit: UnitIndex, peer: PeerKey, answer: &Answer, most: usize) -> bool {
        let rings = self.is_off(unit, answer) && self.rung.len() < most;
        rings && self.by.insert(peer) && self.rung.insert(unit)
    }

    /// The owner has computed a unit.
    pub fn computed(&mut self, unit: UnitIndex, answer: &Answer) {
        if self.is_off(unit, answer) {
            self.off.insert(unit);
        }
    }

    fn is_off(&self, unit: UnitIndex, answer: &Answer) -> bool {
        self.known.get(&unit).is_some_and(|right| answer.output() != Some(*right))
    }

    /// Those that rang.
    pub fn rung(&self) -> impl Iterator<Item = &UnitIndex> {
        self.rung.iter()
    }

    /// How many there are, and how many of them are wrong themselves.
    pub fn count(&self) -> (u32, u32) {
        (self.known.len() as u32, self.off.len() as u32)
    }
}
