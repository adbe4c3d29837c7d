//! Whose answers to a unit may still come to carry one verdict: what both sides of the rule look at,
//! how many more executions are wanted ([`needed`](super::quorum::needed)) and what an author does
//! next ([`step`](super::step)).
//!
//! Invariant: if nobody else is wanted and the unit is open, one of the sealed authors has a step to
//! take, by its structure alone: an author that does not take it can be told.
use crate::{
    Answer, Hash,
    board::unit::{AuthorIndex, Once, Unit, Voucher},
};
use alloc::{collections::BTreeSet, vec::Vec};

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
    /// The first group of sealed ones that is large enough, whose first is the one to call the others;
    /// else the largest there is.
    pub group: Vec<&'a Voucher>,
}

impl<'a> Company<'a> {
    /// Who may form groups of `n`. `counts` leaves out authors that this node does not count on.
    pub fn of(unit: &'a Unit, n: u8, counts: impl Fn(AuthorIndex) -> bool) -> Company<'a> {
        let (mut sealed, mut live) = (Vec::new(), Vec::new());
        for voucher in unit.vouchers.iter().filter(|voucher| counts(voucher.author)) {
            if voucher.unopened().is_some() {
                sealed.push(voucher);
            } else if voucher.live().is_some() {
                live.push(voucher);
            }
        }
        keep_plain(&mut sealed, unit);
        // Who declines nothing is the better partner.
        sealed.sort_unstable_by_key(|voucher| (!voucher.declines.is_empty(), voucher.commit.one()));
        // One of a donor's machines stands for all, or they would leave no room for others.
        let mut voters = BTreeSet::new();
        sealed.retain(|voucher| voters.insert(voucher.voter));
        sealed.truncate(SEALED_MAX);
        live.sort_unstable_by_key(|voucher| voucher.commit.one());
        let mut company = Company { unit, sealed, live, group: Vec::new() };
        for one in &company.sealed {
            let group = company.around(one, n.into());
            if group.len() > company.group.len() {
                company.group = group;
            }
            if company.group.len() >= n.into() {
                break;
            }
        }
        company
    }

    /// The sealed author of this number, if it is looked at.
    pub fn author(&self, author: AuthorIndex) -> Option<&'a Voucher> {
        self.sealed.iter().find(|voucher| voucher.author == author).copied()
    }

    /// Those of whom each may agree with each, `n` at most, chosen for one of them: whom it cites
    /// already, then in order.
    fn around(&self, one: &'a Voucher, n: usize) -> Vec<&'a Voucher> {
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

    /// Open answers that are equal to this one.
    pub fn equal(&self, answer: Option<&Answer>) -> Vec<&'a Voucher> {
        let equal = |voucher: &&Voucher| answer.is_some() && voucher.live() == answer;
        self.live.iter().copied().filter(equal).take(SEALED_MAX).collect()
    }
}

/// Leaves out authors of whom it is not known what they decline: it may be just what others would tell
/// them, so they are nobody's partners until then.
fn keep_plain(sealed: &mut Vec<&Voucher>, unit: &Unit) {
    if sealed.iter().all(|voucher| voucher.declines.is_empty()) {
        return;
    }
    // Who commits twice has taken its commit back; it may have been any.
    let taken_back = unit.vouchers.iter().any(|other| other.commit == Once::Many);
    let shown = |author: &&Voucher| author.unopened().is_none() || !author.declines.is_empty();
    let (shown, hidden): (Vec<&Voucher>, Vec<&Voucher>) = unit.vouchers.iter().partition(shown);
    let commits = |vouchers: Vec<&'_ Voucher>| -> BTreeSet<Hash> {
        vouchers.into_iter().filter_map(|voucher| voucher.commit.one().copied()).collect()
    };
    let (shown, hidden) = (commits(shown), commits(hidden));
    let plain = |commit: &Hash| shown.contains(commit) || taken_back && !hidden.contains(commit);
    sealed.retain(|voucher| voucher.declines.iter().all(plain));
}

/// Whether two vouchers may still come to carry one verdict.
pub fn may_agree(one: &Voucher, other: &Voucher) -> bool {
    let awaits = |opened: &Voucher, sealed: &Voucher| {
        let called = sealed.unopened().is_some_and(|commit| opened.cites(commit));
        called && sealed.can_cite(opened) && !sealed.declined(opened)
    };
    match (one.live(), other.live()) {
        _ if !one.is_apart(other) => false,
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
