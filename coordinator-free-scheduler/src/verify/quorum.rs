//! Profile `quorum = n`: n equal answers, each by a peer that cannot have copied from the others.
//!
//! An author cites others' commits while its own answer is sealed, see [`step`](super::step). A unit
//! is verified iff n distinct authors have equal openings and each cites all the others' commits:
//! whoever is cited had committed before. No clock and nobody's word is needed, so any two nodes
//! that hold the same statements decide alike, in whatever order they came.
//!
//! What it is not: a defence against colluders, who may agree on a wrong answer beforehand.
use crate::{
    FailReason, VOID_PEERS_MAX, Void,
    board::unit::{AuthorIndex, Decision, Unit, Voucher},
    verify::company::{Company, may_agree},
};
use alloc::{vec, vec::Vec};

/// What a unit has come to. `counts` leaves out authors who keep two logs, and those whose word the owner
/// takes no more; nothing local may.
pub fn decide(
    unit: &Unit,
    n: u8,
    max_executions: u8,
    counts: impl Fn(AuthorIndex) -> bool,
) -> Decision {
    let live = unit.vouchers.iter().filter(|v| v.live().is_some() && counts(v.author));
    let groups = groups(live);
    let largest = groups.iter().map(Vec::len).max().unwrap_or_default();
    if largest >= n as usize {
        let mut quorums = groups.iter().filter_map(|group| quorum(group, n as usize));
        match (quorums.next(), quorums.next()) {
            (Some(_), Some(_)) => return Decision::Failed(FailReason::TwoQuorums),
            (Some(quorum), None) => return Decision::Verified(quorum),
            (None, _) => {}
        }
    }
    if let Some(void) = voided(unit, &counts) {
        return Decision::Failed(FailReason::Void(void));
    }
    // Equal answers that crossed on the way cost an execution each, and are no disagreement.
    let opened = unit.vouchers.iter().filter(|v| !v.opening.is_nothing() && counts(v.author));
    match opened.count() - largest.saturating_sub(1) >= max_executions as usize {
        true => Decision::Failed(FailReason::NoAgreement),
        false => Decision::Open,
    }
}

/// Live vouchers by equal answer; each group in the order of its commits.
fn groups<'a>(live: impl Iterator<Item = &'a Voucher>) -> Vec<Vec<&'a Voucher>> {
    let mut groups: Vec<Vec<&Voucher>> = Vec::new();
    for voucher in live {
        match groups.iter_mut().find(|group| group[0].live() == voucher.live()) {
            Some(group) => group.push(voucher),
            None => groups.push(vec![voucher]),
        }
    }
    for group in &mut groups {
        group.sort_unstable_by_key(|voucher| voucher.commit.one());
    }
    groups
}

/// All members of the group that stand in some clique of n voters under mutual citation.
fn quorum(group: &[&Voucher], n: usize) -> Option<Vec<AuthorIndex>> {
    let joined = |one: &Voucher, other: &Voucher| one.mutual(other) && one.is_apart(other);
    let stands = |voucher: &&&Voucher| stands_in_clique(voucher, group, n, &joined);
    let members: Vec<AuthorIndex> = group.iter().filter(stands).map(|v| v.author).collect();
    (!members.is_empty()).then_some(members)
}

/// Whether some n of the group, this opened voucher among them, are joined each to each. It is
/// joined to nobody whom it does not cite, so the search is small however many vouchers there are:
/// n ≤ 8 among at most 8 cited. `group` is in the order of its commits.
fn stands_in_clique(
    voucher: &Voucher,
    group: &[&Voucher],
    n: usize,
    joined: &impl Fn(&Voucher, &Voucher) -> bool,
) -> bool {
    let of_commit = |commit| {
        let first = group.partition_point(|other| other.commit.one() < Some(commit));
        let same = |other: &&&Voucher| other.commit.one() == Some(commit);
        group[first..].iter().take_while(same)
    };
    let near: Vec<&Voucher> = voucher
        .cites
        .iter()
        .flat_map(of_commit)
        .filter(|other| other.author != voucher.author && joined(voucher, other))
        .copied()
        .collect();
    clique(&near, &mut Vec::new(), 0, n - 1, joined)
}

/// Whether `chosen` can be completed to n of which each two are joined.
fn clique<'a>(
    group: &[&'a Voucher],
    chosen: &mut Vec<&'a Voucher>,
    from: usize,
    n: usize,
    joined: &impl Fn(&Voucher, &Voucher) -> bool,
) -> bool {
    if chosen.len() >= n {
        return true;
    }
    for (at, voucher) in group.iter().enumerate().skip(from) {
        if chosen.iter().all(|member| joined(member, voucher)) {
            chosen.push(voucher);
            if clique(group, chosen, at + 1, n, joined) {
                return true;
            }
            chosen.pop();
        }
    }
    false
}

/// The most frequent reason (the least among equals), once enough hosts could not run the unit.
fn voided(unit: &Unit, counts: &impl Fn(AuthorIndex) -> bool) -> Option<Void> {
    let voids: Vec<Void> =
        unit.voids.iter().filter(|(author, _)| counts(*author)).map(|(_, void)| *void).collect();
    let frequency = |void: &Void| voids.iter().filter(|other| *other == void).count();
    let most = voids.iter().max_by_key(|void| (frequency(void), core::cmp::Reverse(**void)));
    most.copied().filter(|_| voids.len() >= VOID_PEERS_MAX)
}

/// How many more executions an undecided unit needs: none if a quorum may still come of what is
/// committed; else a quorum of fresh commits, since nobody who commits now is cited by an opening
/// that is public already. `counts` leaves out authors that this node does not count on.
pub fn needed(unit: &Unit, n: u8, counts: impl Fn(AuthorIndex) -> bool) -> usize {
    let company = Company::of(unit, n, counts);
    let (fresh, n) = (company.group.len(), n as usize);
    match fresh >= n || may_complete(&company, n) {
        true => 0,
        false => n - fresh,
    }
}

/// Whether open answers and sealed ones may come to be a quorum.
fn may_complete(company: &Company, n: usize) -> bool {
    if company.live.is_empty() || company.live.len() + company.sealed.len() < n {
        return false;
    }
    let mut group: Vec<&Voucher> = company.live.iter().chain(&company.sealed).copied().collect();
    group.sort_unstable_by_key(|voucher| voucher.commit.one());
    company.live.iter().any(|opened| stands_in_clique(opened, &group, n, &may_agree))
}
