//! What comes of a pass: how many wrong units are left to be expected, and whether that is few enough.
use super::{Audit, PASSES_MAX, Phase, Refused, Settled, ladder::power, lot::UnitState};
use alloc::collections::BTreeMap;

/// Vouchers that a unit needs for which a convicted member had vouched.
const REOPENED: u8 = 2;

impl<A: Clone + PartialEq> Audit<A> {
    /// Ends a pass: estimates what is still wrong, takes back what the convicted vouched for, and goes
    /// on or releases.
    ///
    /// # Errors
    /// Checks or rulings are still to come.
    pub fn settle(&mut self) -> Result<Settled, Refused> {
        if self.phase != Phase::Checking || self.waiting > 0 || !self.disputed.is_empty() {
            return Err(Refused::Unfinished);
        }
        self.units.iter_mut().for_each(UnitState::put_in_order);
        if self.units.iter().any(|state| state.split) {
            self.quarantine();
            return Ok(Settled::Quarantined);
        }
        self.estimate();
        if core::mem::take(&mut self.tainted) && self.terms.backtracking {
            self.backtrack();
        }
        let unfinished = self.units.iter().filter(|state| state.is_unfinished()).count();
        let enough = self.estimate <= self.terms.max_error * self.units.len() as f64 / 3.0;
        let spent = self.executions as f64 >= self.terms.cost_max * self.units.len() as f64;
        let harder = match enough || !self.terms.escalation || spent {
            true => None,
            false => self.level.next(),
        };
        if (unfinished == 0 && harder.is_none()) || self.pass + 1 >= PASSES_MAX {
            self.phase = Phase::Released(self.estimate);
            let achieved = enough && unfinished == 0 && self.short == 0;
            self.achieved = achieved;
            return Ok(Settled::Released(self.estimate, achieved));
        }
        self.short = 0;
        self.level = harder.unwrap_or(self.level);
        self.pass += 1;
        self.open = self.units.iter().filter(|state| state.is_unexecuted()).count();
        self.phase = Phase::Executing;
        Ok(Settled::Again(self.level, self.open))
    }

    /// Ends the lot: its module comes to different things on the owner's own machines, wherever that was
    /// seen.
    pub fn quarantine(&mut self) {
        self.phase = Phase::Quarantined;
    }

    /// Wrong units that are left: what is to be expected by the lies found in this pass, but no fewer
    /// than what was left before and survives this pass.
    ///
    /// Everything of whoever was caught is open again, so what is left is the lies of those who were not
    /// caught at all. If each of somebody's L lies survives with probability π, the expectation of that
    /// is L·π^L, and the probability to be caught with exactly one is L·π^(L−1)·(1−π). So however lies
    /// are spread, those who were caught with exactly one, times π/(1−π), are the right number on average
    /// (the reasoning of Good, *The Population Frequencies of Species*, 1953). In the same way, of what an
    /// earlier pass let through and this one did not find, the share that belongs to the uncaught is the
    /// share of such single lies among all those found. Where somebody was caught one single lie is
    /// counted at least, so that no lot is released on the pass that found its first liar.
    fn estimate(&mut self) {
        let survives = self.survives();
        let caught = core::mem::take(&mut self.caught);
        let single = |which: usize| {
            let once = caught.values().filter(|lies| lies[which] == 1).count();
            once.max(1) as f64
        };
        let by_caught = match caught.len() {
            0 => 0.0,
            _ if survives < 1.0 => single(0) * survives / (1.0 - survives),
            _ => self.units.len() as f64,
        };
        let old: u32 = caught.values().map(|lies| lies[1]).sum();
        let uncaught = if old > 0 { single(1) / f64::from(old) } else { 1.0 };
        let carried = self.estimate * survives * uncaught;
        self.estimate = if by_caught > carried { by_caught } else { carried };
    }

    /// The probability that a lie which was there before this pass is still there, if it may be anywhere
    /// with the same likelihood.
    fn survives(&self) -> f64 {
        // Counted first, so that the sum does not hang on the order of many small terms.
        let mut pairs: BTreeMap<(u8, u8), u32> = BTreeMap::new();
        for state in self.units.iter().filter(|state| state.ruled.is_none()) {
            let after = state.vouches.len().saturating_sub(1).max(state.before.into());
            *pairs.entry((state.before, after as u8)).or_default() += 1;
        }
        let friends = self.terms.friends;
        let sum = |checks: fn(&(u8, u8)) -> u8| -> f64 {
            let terms = pairs
                .iter()
                .map(|(pair, units)| f64::from(*units) * power(friends, checks(pair).into()));
            terms.sum()
        };
        let before = sum(|pair| pair.0);
        if before > 0.0 { sum(|pair| pair.1) / before } else { 1.0 }
    }

    /// Takes back every word of the lost.
    fn backtrack(&mut self) {
        for state in self.units.iter_mut().filter(|state| state.ruled.is_none()) {
            let words = state.vouches.len();
            state.vouches.retain(|vouch| !self.lost.contains(&vouch.member));
            if state.vouches.len() < words {
                state.least = state.least.max(REOPENED);
            }
        }
    }
}
