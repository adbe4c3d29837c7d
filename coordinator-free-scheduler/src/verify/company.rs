//! Whose answers to a unit may still come to carry one verdict: what both sides of the rule look at,
//! how many more executions are wanted ([`needed`](super::quorum::needed)) and what an author does
//! next ([`step`](super::step)).
//!
//! Invariant: if nobody else is wanted and the unit is open, one of the sealed authors has a step to
//! take, by its structure alone: an author that does not take it can be told.
use crate::{
    Answer,
    board::unit::{AuthorIndex, Once, Unit, Voucher},
};
use alloc::vec::Vec;

/// Sealed answers that are looked at, so that strangers who commit in crowds cost little. Who is
/// silent is not counted on after a while, and makes room.
pub const SEALED_MAX: usize = 32;

/// The authors of a unit that a node counts on.
pub struct Company<'a> {
    /// What is known of the unit.
    pub unit: &'a Unit,
    /// Whose answers are sealed, and who may be partners: in the order in which they are chosen.
    pub sealed: Vec<&'a Voucher>,
    /// Whose answers are open, in the order of their commits.
    pub live: Vec<&'a Voucher>,
}

impl<'a> Company<'a> {
    /// `counts` leaves out authors that this node does not count on.
    pub fn of(unit: &'a Unit, counts: impl Fn(AuthorIndex) -> bool) -> Company<'a> {
        let (mut sealed, mut live) = (Vec::new(), Vec::new());
        for voucher in unit.vouchers.iter().filter(|voucher| counts(voucher.author)) {
            if voucher.unopened().is_some() {
                sealed.push(voucher);
            } else if voucher.live().is_some() {
                live.push(voucher);
            }
        }
        // Declines cost their reader time: who has none comes first.
        sealed.sort_unstable_by_key(|voucher| (!voucher.declines.is_empty(), voucher.commit.one()));
        sealed.truncate(SEALED_MAX);
        sealed.retain(|voucher| is_plain(voucher, unit));
        live.sort_unstable_by_key(|voucher| voucher.commit.one());
        Company { unit, sealed, live }
    }

    /// The sealed author of this number, if it is looked at.
    pub fn author(&self, author: AuthorIndex) -> Option<&'a Voucher> {
        self.sealed.iter().find(|voucher| voucher.author == author).copied()
    }

    /// Those of whom each may agree with each, `n` at most, chosen for one of them: whom it cites
    /// already, then in order.
    pub fn around(&self, one: &'a Voucher, n: usize) -> Vec<&'a Voucher> {
        let called = self.sealed.iter().filter(|other| one.cites_commit_of(other));
        let uncalled = self.sealed.iter().filter(|other| !one.cites_commit_of(other));
        let mut group = Vec::from([one]);
        for other in called.chain(uncalled) {
            if group.len() >= n {
                break;
            }
            let known =
                |member: &&Voucher| member.author != other.author && may_agree(member, other);
            if group.iter().all(known) {
                group.push(other);
            }
        }
        group
    }

    /// The first group of `n` who may all agree: the first of these is the one to call the others.
    pub fn first(&self, n: usize) -> Option<Vec<&'a Voucher>> {
        self.sealed.iter().map(|one| self.around(one, n)).find(|group| group.len() >= n)
    }

    /// Open answers that are equal to this one.
    pub fn equal(&self, answer: Option<&Answer>) -> Vec<&'a Voucher> {
        let equal = |voucher: &&Voucher| answer.is_some() && voucher.live() == answer;
        self.live.iter().copied().filter(equal).take(SEALED_MAX).collect()
    }
}

/// Whether it is known what an author declines: it may be just what others would tell it, so it is
/// nobody's partner until then.
fn is_plain(sealed: &Voucher, unit: &Unit) -> bool {
    sealed.declines.iter().all(|declined| {
        let author = unit.vouchers.iter().find(|other| other.commit.one() == Some(declined));
        match author {
            Some(author) => author.unopened().is_none() || !author.declines.is_empty(),
            // Who commits twice has taken its commit back; it may have been this one.
            None => unit.vouchers.iter().any(|other| other.commit == Once::Many),
        }
    })
}

/// Whether two vouchers may still come to carry one verdict.
pub fn may_agree(one: &Voucher, other: &Voucher) -> bool {
    let awaits = |opened: &Voucher, sealed: &Voucher| {
        let called = sealed.unopened().is_some_and(|commit| opened.cites(commit));
        called && sealed.can_cite(opened) && !sealed.declined(opened)
    };
    match (one.live(), other.live()) {
        (Some(answer), Some(another)) => answer == another && one.mutual(other),
        (Some(_), None) => awaits(one, other),
        (None, Some(_)) => awaits(other, one),
        (None, None) => {
            let sealed = one.unopened().is_some() && other.unopened().is_some();
            let agreed = !one.declined(other) && !other.declined(one);
            sealed && agreed && one.can_cite(other) && other.can_cite(one)
        }
    }
}
