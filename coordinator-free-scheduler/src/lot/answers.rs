//! This node's own answers: sealed behind their commits until the rule allows to open them, and
//! taken up again after a restart.
use super::Lot;
use crate::{
    Answer, Call, Decision, Millis, Nonce, Opening, Pace, UnitIndex,
    verify::{
        company::Company,
        step::{Step, step},
    },
};
use alloc::vec::Vec;

impl Lot {
    /// Has the step taken that is due for this node's answer. Whoever is on the unit as well is
    /// waited for a little: only who commits before can be a partner.
    pub(super) fn open_own(&mut self, unit: UnitIndex, now: Millis, pace: &Pace) {
        let others = self.claims.on(unit).iter().filter(|claim| claim.author != self.me);
        let awaited = others.filter(|claim| self.counts(claim.author, unit)).count() > 0;
        let at = now.plus(if awaited { pace.gather_ms } else { pace.opening_ms });
        match self.answers.get(&unit).and_then(|(answer, _)| self.step(unit, answer)) {
            Some(Step::Call { .. }) => self.outbox.call(unit, at),
            Some(Step::Open(_)) => {
                if let Some((answer, nonce)) = self.answers.remove(&unit) {
                    self.outbox.open(unit, answer, nonce, at);
                }
            }
            None => self.outbox.hasten(unit, at),
        }
    }

    fn step(&self, unit: UnitIndex, answer: &Answer) -> Option<Step> {
        if self.board.is_audited() {
            let known = self.board.unit(unit)?;
            return (known.standing.decision != Decision::Open).then(|| Step::Open(Vec::new()));
        }
        if self.shows_recheck(unit) {
            return Some(Step::Open(Vec::new()));
        }
        let counts = |author| author == self.me || self.counts(author, unit);
        let company = Company::of(self.board.unit(unit)?, self.quorum, counts);
        step(&company, self.me, self.quorum, Some(answer))
    }

    /// Whether this node has committed to an answer, and nobody has seen it.
    fn is_sealed(&self, unit: UnitIndex) -> bool {
        let own = self.board.unit(unit).and_then(|known| known.voucher(self.me));
        own.is_some_and(|own| own.unopened().is_some())
    }

    /// The calls that are due, and not needless by now.
    pub(super) fn due_calls(&mut self, now: Millis) -> Vec<Call> {
        let due = self.outbox.take_calls(now);
        let call = |unit: UnitIndex| match self.step(unit, &self.answers.get(&unit)?.0)? {
            Step::Call { cites, declines } => Some(Call { unit, cites, declines }),
            Step::Open(_) => None,
        };
        due.into_iter().filter_map(call).collect()
    }

    /// The openings that are due. An answer whose partners are not counted on any more waits again,
    /// or calls others.
    pub(super) fn due_openings(&mut self, now: Millis) -> Vec<Opening> {
        let mut openings = Vec::new();
        for (unit, answer, nonce) in self.outbox.take_ready(now) {
            match self.step(unit, &answer) {
                Some(Step::Open(cites)) => openings.push(Opening { unit, answer, nonce, cites }),
                other => {
                    self.answers.insert(unit, (answer, nonce));
                    if let Some(Step::Call { .. }) = other {
                        self.outbox.call(unit, now);
                    }
                }
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
            if self.is_sealed(unit) {
                self.answers.insert(unit, (answer, nonce));
                self.open_own(unit, now, pace);
            }
        }
    }
}
