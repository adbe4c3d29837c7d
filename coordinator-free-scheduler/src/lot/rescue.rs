//! The end of a lot: nothing is open, and whoever is idle copies what somebody slower is on.
//!
//! Times are estimates from what authors say of their speed and from when they were last heard of;
//! a wrong one costs a wasted run, or a rescue that comes late, never a verdict. (A ladder: fast
//! peers rescue slow ones, so that a copy is worth its run.)
use super::Lot;
use crate::{
    Decision, Millis, Pace, RESCUE_PERCENT, RESCUE_SAMPLE, RESCUES_MAX, Rng, Speed, UnitIndex,
    claims::Claim,
};
use alloc::vec::Vec;

impl Lot {
    /// Units that are neither verified nor failed; none of a cancelled job.
    pub fn undone_units(&self) -> u32 {
        let done = self.tally.verified + self.tally.failed;
        if self.board.cancelled() { 0 } else { self.board.range().len() as u32 - done }
    }

    /// Whether there are such.
    pub fn is_undone(&self) -> bool {
        self.undone_units() > 0
    }

    /// Claims a copy of the undone unit that gains most by it, if one gains enough.
    pub fn rescue(&mut self, speed: Speed, now: Millis, pace: &Pace, rng: &mut Rng) -> bool {
        let (Some(fuel_per_ms), Some(unit_fuel)) = (speed.fuel_per_ms(), self.unit_fuel) else {
            return false;
        };
        let mine_ms = unit_fuel / fuel_per_ms;
        let gain = |unit: &UnitIndex| {
            let mine_ms = mine_ms.saturating_mul(self.cost_percent(*unit)) / 100;
            let left_ms = self.left_ms(*unit, mine_ms, now)?;
            (mine_ms * 100 < left_ms * RESCUE_PERCENT).then(|| left_ms - mine_ms)
        };
        let sample = self.undone(rng);
        let best = sample.into_iter().filter_map(|unit| Some((gain(&unit)?, unit))).max();
        let Some((_, unit)) = best else { return false };
        self.workers.entry(self.me).or_default().speed = speed;
        let mut claimed = self.claimed(self.held());
        claimed.rescues.push(crate::Span { first: unit, count: 1 });
        self.hear_claim(self.me, claimed, now, pace);
        let got = self.own_claim(unit).is_some();
        if got {
            self.queue.push_back(unit);
            self.outbox.claim(now);
        }
        got
    }

    /// Some undone units that others are on and this node could run, from a place drawn at random.
    fn undone(&self, rng: &mut Rng) -> Vec<UnitIndex> {
        let range = self.board.range();
        let begin = range.start + rng.below(range.len().max(1) as u64) as UnitIndex;
        let undone = |unit: &UnitIndex| {
            let known = self.board.unit(*unit);
            !self.claims.on(*unit).is_empty()
                && known.is_some_and(|known| {
                    known.standing.decision == Decision::Open && !known.tried_by(self.me)
                })
                && self.own_claim(*unit).is_none()
                && !self.in_hands(*unit)
        };
        (begin..range.end).chain(range.start..begin).filter(undone).take(RESCUE_SAMPLE).collect()
    }

    /// How long it will be, if nobody helps, until a unit has the commits it needs; `None` if it
    /// needs none or has copies enough. `usual_ms` is taken for who has not said how fast it is.
    fn left_ms(&self, unit: UnitIndex, usual_ms: u64, now: Millis) -> Option<u64> {
        let known = self.board.unit(unit)?;
        let needed = self.lacks(unit, known);
        let counted = self.claims.on(unit).iter().filter(|claim| self.counts(claim.author, unit));
        let left = |claim: &Claim| self.claim_left_ms(claim, unit, usual_ms, now);
        let mut left: Vec<u64> = counted.map(left).collect();
        if needed == 0 || left.len() >= needed + RESCUES_MAX {
            return None;
        }
        left.sort_unstable();
        left.get(needed - 1).copied()
    }

    /// The same for one claim: the author's place in its span, and how long it is on a unit. What
    /// is overdue is taken to need half a unit's time more, however long it is overdue.
    fn claim_left_ms(&self, claim: &Claim, unit: UnitIndex, usual_ms: u64, now: Millis) -> u64 {
        let worker = self.workers.get(&claim.author).copied().unwrap_or_default();
        let unit_ms = self.unit_ms(claim.author).unwrap_or(usual_ms);
        let begun = worker.last_sign.max(claim.heard);
        let this_ms = unit_ms.saturating_mul(self.cost_percent(unit)) / 100;
        let turn_ms = this_ms.saturating_sub(now.since(begun)).max(this_ms / 2);
        let turns = self.claims.before(claim.author, unit) / worker.speed.slots();
        turns.saturating_mul(unit_ms).saturating_add(turn_ms)
    }
}
