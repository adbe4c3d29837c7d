//! Peers that owe an opening: one is due as soon as its author may open, overdue some time later.
//!
//! Marks are this node's own opinion, by its own clock: they say whom it counts on when it looks
//! for work, are lifted when the opening comes after all, and never enter a verdict.
use super::{Lot, give_back};
use crate::{
    Decision, Millis, Pace, PeerKey, UnitIndex,
    board::unit::{AuthorIndex, Unit},
    verify::quorum,
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

/// Openings that are due, and those that are overdue.
#[derive(Clone, Debug, Default)]
pub struct Silence {
    /// In the order of their time, since each waits equally long.
    due: VecDeque<(Millis, UnitIndex, AuthorIndex)>,
    overdue: BTreeMap<UnitIndex, Vec<AuthorIndex>>,
}

impl Silence {
    /// Whether an author's opening of a unit is overdue.
    pub fn holds(&self, author: AuthorIndex, unit: UnitIndex) -> bool {
        self.overdue.get(&unit).is_some_and(|silent| silent.contains(&author))
    }

    /// Openings overdue, by unit.
    pub fn overdue(&self) -> impl Iterator<Item = (UnitIndex, &[AuthorIndex])> {
        self.overdue.iter().map(|(unit, authors)| (*unit, authors.as_slice()))
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due.front().map(|(at, ..)| *at)
    }

    fn pop_due(&mut self, now: Millis) -> Option<(UnitIndex, AuthorIndex)> {
        let (_, unit, author) = self.due.pop_front_if(|(at, ..)| *at <= now)?;
        Some((unit, author))
    }
}

impl Lot {
    /// Waits for the openings of a unit that are due from now on.
    pub(super) fn watch_silence(&mut self, unit: UnitIndex, now: Millis, pace: &Pace) {
        let Some(known) = self.board.unit(unit) else { return };
        if known.vouchers.len() < self.quorum as usize {
            return;
        }
        let owes =
            |author: &AuthorIndex| *author != self.me && self.owes_opening(unit, known, *author);
        let authors = known.vouchers.iter().map(|voucher| voucher.author).filter(owes);
        let due: Vec<AuthorIndex> = authors.collect();
        let at = now.plus(pace.silence_ms);
        self.silence.due.extend(due.into_iter().map(|author| (at, unit, author)));
    }

    /// Whether an undecided unit waits for this author, who has commits enough of peers that this
    /// node counts on: the author is likely to count on them too.
    fn owes_opening(&self, unit: UnitIndex, known: &Unit, author: AuthorIndex) -> bool {
        let counts = |other| self.counts(other, unit);
        known.standing.decision == Decision::Open
            && quorum::may_open(known, author, self.quorum, None, counts).is_some()
    }

    /// Marks the openings that are overdue now; answers their authors, once for each opening.
    pub(super) fn mark_silence(&mut self, now: Millis, pace: &Pace) -> Vec<PeerKey> {
        let mut silent = Vec::new();
        while let Some((unit, author)) = self.silence.pop_due(now) {
            let known = self.board.unit(unit);
            let owes = known.is_some_and(|known| self.owes_opening(unit, known, author));
            if owes && !self.silence.holds(author, unit) {
                self.silence.overdue.entry(unit).or_default().push(author);
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

    /// Lifts the marks of authors who opened after all.
    pub(super) fn break_silence(&mut self, unit: UnitIndex) -> Vec<PeerKey> {
        let (Some(marks), Some(known)) =
            (self.silence.overdue.get_mut(&unit), self.board.unit(unit))
        else {
            return Vec::new();
        };
        let sealed = |author: &AuthorIndex| {
            known.voucher(*author).is_some_and(|voucher| voucher.unopened().is_some())
        };
        let spoke: Vec<AuthorIndex> = marks.extract_if(.., |author| !sealed(author)).collect();
        if marks.is_empty() {
            self.silence.overdue.remove(&unit);
        }
        spoke.into_iter().map(|author| self.board.key(author)).collect()
    }
}
