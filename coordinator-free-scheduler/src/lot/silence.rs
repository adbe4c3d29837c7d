//! Peers that owe a step: a call or an opening, due as soon as its author may, overdue some time later.
//!
//! Marks are this node's own opinion, by its own clock: they say whom it counts on when it looks
//! for work, are lifted when the step comes after all, and never enter a verdict.
use super::{Lot, give_back};
use crate::{
    Decision, Millis, Pace, PeerKey, UnitIndex,
    board::unit::{AuthorIndex, Unit, Voucher},
    verify::{company::Company, step::step},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

/// Steps that are due, and those that are overdue.
#[derive(Clone, Debug, Default)]
pub struct Silence {
    /// In the order of their time, since each waits equally long.
    due: VecDeque<(Millis, UnitIndex, Debt)>,
    /// What is in `due`, so that each is there once.
    waiting: BTreeSet<(UnitIndex, Debt)>,
    overdue: BTreeMap<UnitIndex, Vec<Debt>>,
}

/// Who owes a step, and how many commits it had named by then: if it names more, it has spoken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Debt {
    author: AuthorIndex,
    named: u8,
}

impl Debt {
    fn of(voucher: &Voucher) -> Debt {
        let named = voucher.cites.len() + voucher.declines.len();
        Debt { author: voucher.author, named: named as u8 }
    }

    fn is_settled(self, unit: &Unit) -> bool {
        let sealed = unit.voucher(self.author).filter(|voucher| voucher.unopened().is_some());
        sealed.is_none_or(|voucher| Debt::of(voucher) != self)
    }
}

impl Silence {
    /// Whether an author's step on a unit is overdue.
    pub fn holds(&self, author: AuthorIndex, unit: UnitIndex) -> bool {
        self.overdue
            .get(&unit)
            .is_some_and(|silent| silent.iter().any(|debt| debt.author == author))
    }

    /// Authors whose steps are overdue, by unit.
    pub fn overdue(&self) -> impl Iterator<Item = (UnitIndex, AuthorIndex)> {
        let each = |(unit, debts)| core::iter::repeat(unit).zip(debts);
        self.overdue
            .iter()
            .flat_map(each)
            .map(|(unit, debt): (&UnitIndex, &Debt)| (*unit, debt.author))
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due.front().map(|(at, ..)| *at)
    }

    fn expect(&mut self, at: Millis, unit: UnitIndex, debt: Debt) {
        if self.waiting.insert((unit, debt)) {
            self.due.push_back((at, unit, debt));
        }
    }

    fn pop_due(&mut self, now: Millis) -> Option<(UnitIndex, Debt)> {
        let (_, unit, debt) = self.due.pop_front_if(|(at, ..)| *at <= now)?;
        self.waiting.remove(&(unit, debt));
        Some((unit, debt))
    }
}

impl Lot {
    /// Waits for the steps on a unit that are due from now on.
    pub(super) fn watch_silence(&mut self, unit: UnitIndex, now: Millis, pace: &Pace) {
        let Some(known) = self.board.unit(unit) else { return };
        if known.vouchers.len() < self.quorum as usize {
            return;
        }
        let at = now.plus(pace.silence_ms);
        for debt in self.debts(known, unit) {
            self.silence.expect(at, unit, debt);
        }
    }

    /// Steps for which an undecided unit waits, of authors who have commits enough of peers that this
    /// node counts on: they are likely to count on them too.
    fn debts(&self, known: &Unit, unit: UnitIndex) -> Vec<Debt> {
        if known.standing.decision != Decision::Open || !self.board.votes() {
            return Vec::new();
        }
        let company = Company::of(known, self.quorum, |other| self.counts(other, unit));
        let owes = |voucher: &&&Voucher| {
            voucher.author != self.me && step(&company, voucher.author, self.quorum, None).is_some()
        };
        company.sealed.iter().filter(owes).map(|voucher| Debt::of(voucher)).collect()
    }

    /// Marks the steps that are overdue now; answers their authors, once for each unit.
    pub(super) fn mark_silence(&mut self, now: Millis, pace: &Pace) -> Vec<PeerKey> {
        let mut silent = Vec::new();
        while let Some((unit, debt)) = self.silence.pop_due(now) {
            let author = debt.author;
            let known = self.board.unit(unit);
            let owes = known.is_some_and(|known| self.debts(known, unit).contains(&debt));
            if owes && !self.silence.holds(author, unit) {
                self.silence.overdue.entry(unit).or_default().push(debt);
                silent.push(self.board.key(author));
                self.open_own(unit, now, pace);
                // Without this one, another may owe.
                self.watch_silence(unit, now, pace);
                self.refresh(unit);
            }
        }
        give_back(&mut self.silence.due);
        silent
    }

    /// Lifts the marks of authors who spoke after all.
    pub(super) fn break_silence(&mut self, unit: UnitIndex) -> Vec<PeerKey> {
        let (Some(marks), Some(known)) =
            (self.silence.overdue.get_mut(&unit), self.board.unit(unit))
        else {
            return Vec::new();
        };
        let spoke: Vec<Debt> = marks.extract_if(.., |debt| debt.is_settled(known)).collect();
        if marks.is_empty() {
            self.silence.overdue.remove(&unit);
        }
        spoke.into_iter().map(|debt| self.board.key(debt.author)).collect()
    }
}
