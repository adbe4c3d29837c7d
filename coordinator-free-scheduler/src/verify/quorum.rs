//! Profile `quorum = n`: n equal answers, each by a peer that cannot have copied from the others.
//!
//! An answer is opened only by a peer that holds n distinct authors' commits, and its opening cites
//! them. A unit is verified iff n distinct authors have equal openings each of which cites all the
//! others' commits: whoever is cited had committed before. No clock and nobody's word is needed, so
//! any two nodes that hold the same statements decide alike, in whatever order they came.
//!
//! What it is not: a defence against colluders, who may agree on a wrong answer beforehand.
use crate::{
    CITES_MAX, FailReason, Hash, Profile, VOID_PEERS_MAX, Void,
    board::unit::{AuthorIndex, Decision, Unit, Voucher},
};
use alloc::{vec, vec::Vec};

/// Vouchers for one answer that are searched for a quorum; those of the least commits, beyond it.
const GROUP_MAX: usize = 24;

/// What a unit has come to. `counts` leaves out authors who keep two logs; nothing local may.
pub fn decide(unit: &Unit, profile: Profile, counts: impl Fn(AuthorIndex) -> bool) -> Decision {
    let Profile::Quorum { n, max_executions } = profile;
    let live = || unit.vouchers.iter().filter(|v| v.live().is_some() && counts(v.author));
    if live().count() >= n as usize {
        let groups = groups(live());
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
    let opened = unit.vouchers.iter().filter(|v| !v.opening.is_nothing() && counts(v.author));
    match opened.count() >= max_executions as usize {
        true => Decision::Failed(FailReason::NoAgreement),
        false => Decision::Open,
    }
}

/// Live vouchers by equal answer; each group in the order of its commits, the same everywhere.
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
        group.truncate(GROUP_MAX);
    }
    groups
}

/// All members of the group that stand in some clique of n under mutual citation.
fn quorum(group: &[&Voucher], n: usize) -> Option<Vec<AuthorIndex>> {
    let members: Vec<AuthorIndex> = group
        .iter()
        .filter(|voucher| clique(group, &mut vec![**voucher], 0, n, &Voucher::mutual))
        .map(|voucher| voucher.author)
        .collect();
    (!members.is_empty()).then_some(members)
}

/// Whether `chosen` can be completed to n of which each two are joined. n ≤ 8 and the group is
/// bounded.
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
        let joins = |member: &&Voucher| member.author != voucher.author && joined(member, voucher);
        if chosen.iter().all(joins) {
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
    let n = n as usize;
    let counted = || unit.vouchers.iter().filter(|voucher| counts(voucher.author));
    let fresh = counted().filter(|voucher| voucher.unopened().is_some()).count();
    let live = counted().filter(|voucher| voucher.live().is_some()).count();
    if fresh >= n {
        return 0;
    }
    if fresh + live >= n {
        let useful = |voucher: &&Voucher| voucher.unopened().is_some() || voucher.live().is_some();
        let group: Vec<&Voucher> = counted().filter(useful).take(GROUP_MAX).collect();
        if clique(&group, &mut Vec::new(), 0, n, &may_agree) {
            return 0;
        }
    }
    n - fresh
}

/// Whether two vouchers may still come to carry one verdict.
fn may_agree(one: &Voucher, other: &Voucher) -> bool {
    let awaits = |opened: &Voucher, sealed: &Voucher| {
        sealed.unopened().is_some_and(|commit| opened.cites(commit))
    };
    match (one.live(), other.live()) {
        (Some(answer), Some(another)) => answer == another && one.mutual(other),
        (Some(_), None) => awaits(one, other),
        (None, Some(_)) => awaits(other, one),
        (None, None) => one.unopened().is_some() && other.unopened().is_some(),
    }
}

/// The commits that an author's opening shall cite, once it may open: it holds n distinct authors'
/// commits, its own among them, that were made before anybody's answer could be copied.
pub fn may_open(
    unit: &Unit,
    me: AuthorIndex,
    n: u8,
    counts: impl Fn(AuthorIndex) -> bool,
) -> Option<Vec<Hash>> {
    let mine = unit.voucher(me)?.unopened()?;
    let mut cited: Vec<(bool, Hash)> = unit
        .vouchers
        .iter()
        .filter(|voucher| voucher.author != me && counts(voucher.author))
        .filter(|voucher| voucher.opening.is_nothing() || voucher.cites(mine))
        .filter_map(|voucher| Some((!voucher.cites(mine), *voucher.commit.one()?)))
        .collect();
    if cited.len() + 1 < n as usize {
        return None;
    }
    cited.sort_unstable();
    cited.truncate(CITES_MAX);
    Some(cited.into_iter().map(|(_, commit)| commit).collect())
}
