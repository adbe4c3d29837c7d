//! What a signer computes itself, and the seeds that it asks its body for.
use super::Auditor;
use crate::{UnitIndex, verify::audited::Phase};

impl Auditor {
    /// A unit that this node is to compute itself, if one is.
    pub fn next_run(&mut self) -> Option<UnitIndex> {
        if !self.turn.is_mine() || self.is_quarantined() {
            return None;
        }
        let unit = self.to_run.pop_first()?;
        self.running.insert(unit);
        Some(unit)
    }

    /// Whether this node computes a unit itself; it has ended now. If nothing came of it, it is tried
    /// again at the next look at the clock.
    pub fn ended(&mut self, unit: UnitIndex) -> bool {
        self.running.remove(&unit)
    }

    /// Units that it computes.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Asks for a unit to be computed here, once.
    pub(super) fn want(&mut self, unit: UnitIndex) {
        if !self.own.contains_key(&unit) && !self.running.contains(&unit) {
            self.to_run.insert(unit);
        }
    }

    /// The pass whose seed is asked for, once.
    pub fn take_draw(&mut self) -> Option<u8> {
        if self.turn.steps_in() && self.asked.is_none() {
            self.asked = Some(0);
            return self.asked;
        }
        let audit = self.audit.as_ref()?;
        let pass = audit.pass();
        let closing = audit.phase() == Phase::Executing && audit.open() == 0;
        let fresh = !self.seeds.contains_key(&pass) && self.asked != Some(pass);
        (closing && fresh && self.turn.is_mine()).then(|| {
            self.asked = Some(pass);
            pass
        })
    }
}
