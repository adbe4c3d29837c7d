//! Who says it is on what: hints with a hard lease, in the order in which this node heard them.
//!
//! Each claim of an author takes the place of the one before: what it does not name any more is
//! free at once. What it names again keeps its lease, which ends with the author's commit or with
//! time, so a squatter holds nothing for long. Claims never enter a verdict.
use crate::{
    CLAIMS_MAX, Hash, Millis, NEAR_TIE_MS, PeerKey, Span, UnitIndex, board::unit::AuthorIndex,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// One author's live claim on one unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Who.
    pub author: AuthorIndex,
    /// When this node heard of it.
    pub heard: Millis,
    /// Decides near ties.
    pub ticket: u64,
    /// When the lease ends.
    pub ends: Millis,
    /// Whether it is a copy of what somebody slower is on.
    pub copy: bool,
}

/// Live claims on one unit, in the order in which they were heard.
#[derive(Clone, Debug, Default)]
struct Taken(Vec<Claim>);

/// All live claims of a lot. Few of its units are claimed at any time; the others take a pointer.
#[derive(Clone, Debug)]
pub struct Claims {
    first: UnitIndex,
    units: Vec<Option<Box<Taken>>>,
    claimed: usize,
    latest: BTreeMap<AuthorIndex, Vec<Span>>,
    leases: BTreeMap<Millis, Vec<Span>>,
}

impl Claims {
    /// No claims on the units of a lot.
    pub fn new(range: core::ops::Range<UnitIndex>) -> Claims {
        let first = range.start;
        let units = range.map(|_| None).collect();
        Claims { first, units, claimed: 0, latest: BTreeMap::new(), leases: BTreeMap::new() }
    }

    fn at(&mut self, unit: UnitIndex) -> Option<&mut Option<Box<Taken>>> {
        self.units.get_mut(unit.checked_sub(self.first)? as usize)
    }

    /// Takes note of an author's claim; answers the units that it named before and does not name
    /// any more. Spans must be sorted; [`spans_of`] makes such. What was named before and is free
    /// again by now is bound anew only if `anew`: this node knows that it let go in between, of
    /// others it must have heard so.
    pub fn replace(
        &mut self,
        spans: Vec<Span>,
        copies: &[Span],
        claim: Claim,
        anew: bool,
    ) -> Vec<UnitIndex> {
        let before = self.latest.insert(claim.author, spans).unwrap_or_default();
        let now = self.latest.get(&claim.author).map(Vec::as_slice).unwrap_or_default();
        let units = |spans: &[Span]| spans.iter().flat_map(|span| span.units()).collect::<Vec<_>>();
        let (mut gone, mut new) = (units(&before), units(now));
        gone.retain(|unit| !named(now, *unit));
        new.retain(|unit| anew || !named(&before, *unit));
        gone.retain(|unit| self.retain(*unit, |known| known.author != claim.author));
        new.retain(|unit| self.add(*unit, Claim { copy: named(copies, *unit), ..claim }));
        if !new.is_empty() {
            self.leases.entry(claim.ends).or_default().extend(spans_of(&new));
        }
        gone
    }

    /// Adds a claim on one unit; answers whether there was room.
    fn add(&mut self, unit: UnitIndex, claim: Claim) -> bool {
        let Some(taken) = self.at(unit) else { return false };
        let Taken(claims) = &mut **taken.get_or_insert_default();
        let known = claims.iter().any(|known| known.author == claim.author);
        if known || claims.len() >= CLAIMS_MAX {
            return false;
        }
        claims.push(claim);
        let first = claims.len() == 1;
        self.claimed += usize::from(first);
        true
    }

    /// An author is done with a unit.
    pub fn remove(&mut self, author: AuthorIndex, unit: UnitIndex) {
        self.retain(unit, |claim| claim.author != author);
    }

    /// Keeps some claims on a unit; answers whether any went.
    fn retain(&mut self, unit: UnitIndex, keep: impl Fn(&Claim) -> bool) -> bool {
        let Some(taken) = self.at(unit) else { return false };
        let Some(Taken(claims)) = taken.as_deref_mut() else { return false };
        let before = claims.len();
        claims.retain(keep);
        let gone = claims.len() < before;
        if claims.is_empty() {
            *taken = None;
            self.claimed -= 1;
        }
        gone
    }

    /// Whether an author is on anything.
    pub fn is_on_any(&self, author: AuthorIndex) -> bool {
        let spans = self.latest.get(&author).map(Vec::as_slice).unwrap_or_default();
        let live = |unit: UnitIndex| self.on(unit).iter().any(|claim| claim.author == author);
        spans.iter().flat_map(|span| span.units()).any(live)
    }

    /// Units that an author holds claimed, by its latest claim.
    pub fn count_of(&self, author: AuthorIndex) -> usize {
        let spans = self.latest.get(&author).map(Vec::as_slice).unwrap_or_default();
        spans.iter().map(|span| span.count as usize).sum()
    }

    /// How many units an author still has before it comes to one, by its latest claim.
    pub fn before(&self, author: AuthorIndex, unit: UnitIndex) -> u64 {
        let spans = self.latest.get(&author).map(Vec::as_slice).unwrap_or_default();
        let earlier = spans.iter().flat_map(|span| span.units()).take_while(|other| *other != unit);
        let live = |unit: &UnitIndex| self.on(*unit).iter().any(|claim| claim.author == author);
        earlier.filter(live).count() as u64
    }

    /// Live claims on a unit.
    pub fn on(&self, unit: UnitIndex) -> &[Claim] {
        let at = unit.checked_sub(self.first).map(|at| at as usize);
        let taken = at.and_then(|at| self.units.get(at)?.as_deref());
        taken.map(|Taken(claims)| claims.as_slice()).unwrap_or_default()
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let of = |taken: &Taken| size_of::<Taken>() + size_of_val(&taken.0[..]);
        size_of_val(&self.units[..])
            + self.units.iter().flatten().map(|taken| of(taken)).sum::<usize>()
    }

    /// How many units are claimed by anybody.
    pub fn claimed_units(&self) -> usize {
        self.claimed
    }

    /// When the next lease ends.
    pub fn next_end(&self) -> Option<Millis> {
        self.leases.first_key_value().map(|(ends, _)| *ends)
    }

    /// Ends the leases that are due; answers the units that were bound by them, and the authors.
    pub fn expire(&mut self, now: Millis) -> (Vec<UnitIndex>, BTreeSet<AuthorIndex>) {
        let (mut freed, mut authors) = (Vec::new(), BTreeSet::new());
        while let Some(due) = self.leases.first_entry().filter(|due| *due.key() <= now) {
            for unit in due.remove().iter().flat_map(|span| span.units()) {
                let ended = self.on(unit).iter().filter(|claim| claim.ends <= now);
                authors.extend(ended.map(|claim| claim.author));
                if self.retain(unit, |claim| claim.ends > now) {
                    freed.push(unit);
                }
            }
        }
        (freed, authors)
    }
}

impl Claim {
    /// Whether this claim goes before another on the same unit: heard first, or, where both came
    /// within the time that gossip takes, by a draw that all nodes share.
    pub fn precedes(&self, other: &Claim) -> bool {
        let apart = self.heard.0.abs_diff(other.heard.0);
        match apart < NEAR_TIE_MS {
            true => self.ticket < other.ticket,
            false => self.heard < other.heard,
        }
    }
}

/// Whether sorted spans name a unit.
fn named(spans: &[Span], unit: UnitIndex) -> bool {
    let at = spans.partition_point(|span| span.units().end <= unit);
    spans.get(at).is_some_and(|span| span.first <= unit)
}

/// The draw of a peer for a lot, the same on every node.
pub fn ticket(lot: Hash, peer: PeerKey) -> u64 {
    Hash::derive("dugnad 1 claim ticket", &[&lot.0, &peer.0]).prefix()
}

/// Sorted units as runs.
pub fn spans_of(units: &[UnitIndex]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for unit in units {
        match spans.last_mut() {
            Some(span) if span.units().end == *unit => span.count += 1,
            _ => spans.push(Span { first: *unit, count: 1 }),
        }
    }
    spans
}

/// Cuts sorted spans after so many units.
pub fn cut_spans(spans: &mut Vec<Span>, most: usize) {
    let mut left = most as u32;
    for span in spans.iter_mut() {
        span.count = span.count.min(left);
        left -= span.count;
    }
    spans.retain(|span| span.count > 0);
}

/// Spans as others sent them: sorted, and each unit named once.
pub fn in_order(spans: Vec<Span>) -> Vec<Span> {
    if spans.is_sorted_by(|one, next| one.units().end <= next.first) {
        return spans;
    }
    let mut units: Vec<UnitIndex> = spans.into_iter().flat_map(Span::units).collect();
    units.sort_unstable();
    units.dedup();
    spans_of(&units)
}
