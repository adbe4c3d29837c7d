//! This node's own answers: sealed behind their commits until the rule allows to open them, and
//! taken up again after a restart.
use super::Lot;
use crate::{Answer, Hash, Millis, Nonce, Opening, Pace, UnitIndex, verify::quorum};
use alloc::vec::Vec;

impl Lot {
    /// Has this node's answer opened once the rule allows it. Whoever is on the unit as well is
    /// waited for a little: only who commits before can be a partner. So is news of who that is, however
    /// much there is to hurry: of a small grid, nobody is left to run a unit on which openings cross.
    pub(super) fn open_own(&mut self, unit: UnitIndex, now: Millis, pace: &Pace) {
        let others = self.claims.on(unit).iter().filter(|claim| claim.author != self.me);
        let awaited = others.filter(|claim| self.counts(claim.author, unit)).count() > 0;
        let at = now.plus(if awaited { pace.gather_ms } else { pace.opening_ms });
        let may = |(answer, _): &(Answer, Nonce)| self.cites(unit, answer).is_some();
        if !self.answers.get(&unit).is_some_and(may) {
            self.outbox.hasten(unit, at);
        } else if let Some((answer, nonce)) = self.answers.remove(&unit) {
            self.outbox.open(unit, answer, nonce, at);
        }
    }

    /// What an opening of this node's would cite, if it may be opened.
    fn cites(&self, unit: UnitIndex, answer: &Answer) -> Option<Vec<Hash>> {
        let counts = |author| self.counts(author, unit);
        let known = self.board.unit(unit)?;
        quorum::may_open(known, self.me, self.quorum, Some(answer), counts)
    }

    /// The openings that are due. An answer whose partners are not counted on any more waits again.
    pub(super) fn due_openings(&mut self, now: Millis) -> Vec<Opening> {
        let mut openings = Vec::new();
        for (unit, answer, nonce) in self.outbox.take_ready(now) {
            match self.cites(unit, &answer) {
                Some(cites) => openings.push(Opening { unit, answer, nonce, cites }),
                None => drop(self.answers.insert(unit, (answer, nonce))),
            }
        }
        openings
    }

    /// Answers behind commits that were said; they wait to be opened.
    pub fn keep_answers(&mut self, answers: &[(UnitIndex, Answer, Nonce)]) {
        for (unit, answer, nonce) in answers {
            self.answers.insert(*unit, (answer.clone(), *nonce));
        }
    }

    /// Answers of this node that nobody else may know yet, but for those being written just now.
    pub fn sealed(&self) -> impl Iterator<Item = &Answer> {
        self.answers.values().map(|(answer, _)| answer).chain(self.outbox.answers())
    }

    /// Answers that the journal holds; what the journal says after them may have opened them.
    pub fn restore_answers(&mut self, answers: Vec<(UnitIndex, Answer, Nonce)>) {
        self.restored.extend(answers);
    }

    /// Begins after a restart: what the journal holds was merged; answers that are still sealed
    /// are opened where the rule allows.
    pub fn resume(&mut self, now: Millis, pace: &Pace) {
        for (unit, answer, nonce) in core::mem::take(&mut self.restored) {
            let voucher = self.board.unit(unit).and_then(|known| known.voucher(self.me));
            if voucher.is_some_and(|voucher| voucher.unopened().is_some()) {
                self.answers.insert(unit, (answer, nonce));
                self.open_own(unit, now, pace);
            }
        }
    }
}
