//! This node's own part in a lot: which units are open to it, what it claims, runs and hands in.
//!
//! Invariant: `open[u]` holds iff the unit wants another execution and this node may give it, by
//! what it knows; [`Lot::refresh`] keeps it so after every change to a unit.
use super::Lot;
use crate::{
    BLOCK_UNITS, CLAIMS_MAX, ClaimedUnits, Decision, FIRST_TIMES, Hash, LIMITS, Millis, Pace,
    PeerKey, Speed, UnitIndex, Void, YIELD_MS,
    claims::{Claim, spans_of},
    outbox::Done,
};
use alloc::vec::Vec;

/// How a unit that this node ran came out.
pub struct Ran {
    /// The unit.
    pub unit: UnitIndex,
    /// The answer, or why there is none.
    pub end: Result<Done, Void>,
}

impl Lot {
    /// Looks at a unit again, after something about it has changed.
    pub(super) fn refresh(&mut self, unit: UnitIndex) {
        let wanted = self.is_open(unit);
        let at = self.at(unit);
        if core::mem::replace(&mut self.open[at], wanted) == wanted {
            return;
        }
        if let Some(hints) = &mut self.hints {
            hints.set_open(at, wanted);
        }
        let block = &mut self.blocks[at / BLOCK_UNITS as usize];
        match wanted {
            true => (*block, self.open_units) = (*block + 1, self.open_units + 1),
            false => (*block, self.open_units) = (*block - 1, self.open_units - 1),
        }
    }

    /// Looks at every unit again, after what this node thinks of a peer has changed.
    pub(super) fn refresh_all(&mut self) {
        for unit in self.board.range() {
            self.refresh(unit);
        }
    }

    /// Whether this node may claim a unit; what `open` is to hold.
    pub(crate) fn is_open(&self, unit: UnitIndex) -> bool {
        let room = self.claims.on(unit).len() < CLAIMS_MAX;
        room && self.wanted(unit, None) && !self.in_hands(unit) && self.own_claim(unit).is_none()
    }

    pub(super) fn own_claim(&self, unit: UnitIndex) -> Option<&Claim> {
        self.claims.on(unit).iter().find(|claim| claim.author == self.me)
    }

    /// Whether this node runs a unit, or has run it and not said so yet.
    pub(super) fn in_hands(&self, unit: UnitIndex) -> bool {
        self.running.contains_key(&unit) || self.done.contains(&unit)
    }

    /// Whether a unit wants another execution that this node may give, beyond what others claimed
    /// (before `mine`, if this node holds a claim itself).
    pub(super) fn wanted(&self, unit: UnitIndex, mine: Option<&Claim>) -> bool {
        let Some(known) = self.board.unit(unit) else { return false };
        if known.standing.decision != Decision::Open
            || self.board.cancelled()
            || known.tried_by(self.me)
        {
            return false;
        }
        let needed = self.lacks(unit, known);
        if needed > 0 && (self.is_checker(unit, known) || self.is_bonus(unit, known)) {
            return true;
        }
        let ahead = |claim: &&Claim| {
            claim.author != self.me
                && self.counts(claim.author, unit)
                && mine.is_none_or(|mine| !mine.copy && (claim.copy || claim.precedes(mine)))
        };
        let before = || self.claims.on(unit).iter().filter(ahead);
        let votes = self.board.votes();
        needed > before().count() && !(votes && before().any(|claim| self.is_kin(claim.author)))
    }

    /// How many units are open to this node, by what it knows.
    pub fn open_units(&self) -> u32 {
        self.open_units
    }

    /// Claims up to `most` open units, block by block in this node's own order, each from its own
    /// place in a block on: where few units are left, peers begin at different ones.
    /// Where costs are hinted at, only units of some costs; `share` is this node's part of all
    /// speeds, in millionths, if it is known. Answers whether it could.
    pub fn claim(
        &mut self,
        most: u32,
        share: Option<u64>,
        speed: Speed,
        now: Millis,
        pace: &Pace,
    ) -> bool {
        let mut held = self.held();
        let most = (most as usize).min(self.claimable(self.me).saturating_sub(held.len()));
        let classes = self.classes(share, most);
        let audited = self.board.is_audited();
        let mut left = if audited { self.share_left(&held) } else { usize::MAX };
        let mut units: Vec<UnitIndex> = Vec::new();
        for block in self.order.iter().filter(|block| self.blocks[**block as usize] > 0) {
            let mine = |unit: &UnitIndex| self.is_in(classes.as_ref(), *unit);
            let open = self.block_from_offset(*block).filter(|unit| self.open[self.at(*unit)]);
            let mut open = open.filter(mine).filter(|unit| {
                let check = audited && self.checks(*unit);
                let fits = check || left > 0;
                left -= usize::from(fits && !check);
                fits
            });
            units.extend(open.by_ref().take(most - units.len()));
            if units.len() >= most {
                break;
            }
        }
        if units.is_empty() {
            return false;
        }
        self.workers.entry(self.me).or_default().speed = speed;
        held.extend(&units);
        held.sort_unstable();
        self.hear_claim(self.me, self.claimed(held), now, pace);
        units.retain(|unit| self.own_claim(*unit).is_some());
        self.queue.extend(&units);
        self.outbox.claim(now);
        !units.is_empty()
    }

    /// Some of this node's leases have ended: it claims what is left, so that it can claim the
    /// others anew like anybody.
    pub(super) fn claim_again(&mut self, now: Millis, pace: &Pace) {
        let held = self.held();
        self.queue.retain(|unit| held.binary_search(unit).is_ok());
        self.hear_claim(self.me, self.claimed(held), now, pace);
        self.outbox.claim(now);
    }

    /// This node's claim on some units, sorted; it is cut where a claim may not name more.
    pub(super) fn claimed(&self, mut units: Vec<UnitIndex>) -> ClaimedUnits {
        units.truncate(LIMITS.claim_units as usize);
        let copy = |unit: &UnitIndex| self.own_claim(*unit).is_some_and(|claim| claim.copy);
        let (copies, plain): (Vec<UnitIndex>, Vec<UnitIndex>) = units.into_iter().partition(copy);
        let speed = self.workers.get(&self.me).copied().unwrap_or_default().speed;
        ClaimedUnits { spans: spans_of(&plain), rescues: spans_of(&copies), speed }
    }

    /// Units that this node holds a lease on and has not committed to yet, sorted: what it claims.
    /// Those it has run are among them: others wait for its commit before they open.
    pub(super) fn held(&self) -> Vec<UnitIndex> {
        let hands = self.queue.iter().chain(self.running.keys()).chain(&self.done).copied();
        let mut held: Vec<UnitIndex> =
            hands.filter(|unit| self.own_claim(*unit).is_some()).collect();
        held.sort_unstable();
        held.dedup();
        held
    }

    pub(super) fn at(&self, unit: UnitIndex) -> usize {
        (unit - self.board.range().start) as usize
    }

    /// Where this node's own order of the lot begins.
    pub(super) fn own_begin(&self) -> usize {
        let block = self.order.first().copied().unwrap_or_default();
        (block * BLOCK_UNITS + self.offset) as usize % self.board.range().len().max(1)
    }

    fn block_from_offset(&self, block: u32) -> impl Iterator<Item = UnitIndex> + use<> {
        let range = self.board.range();
        let first = range.start + block * BLOCK_UNITS;
        let end = (first + BLOCK_UNITS).min(range.end);
        let begin = first + self.offset % (end - first);
        (begin..end).chain(first..begin)
    }

    /// The next claimed unit that still wants running; those that do not are dropped, as are those
    /// whose lease has ended: they are open again, to this node as to others.
    pub fn next_unit(&mut self, now: Millis, pace: &Pace) -> Option<UnitIndex> {
        while let Some(unit) = self.queue.pop_front() {
            if self.in_hands(unit) {
                continue;
            }
            let Some(mine) = self.own_claim(unit).copied() else { continue };
            if self.wanted(unit, Some(&mine)) {
                self.running.insert(unit, now);
                return Some(unit);
            }
            self.yield_unit(unit, now, pace);
        }
        None
    }

    /// Has a run stopped whose answer nobody needs any more: others have committed, or the job is
    /// at its end.
    pub(super) fn stop_if_needless(&mut self, unit: UnitIndex) {
        if !self.running.contains_key(&unit) || self.stopped.contains(&unit) {
            return;
        }
        let Some(known) = self.board.unit(unit) else { return };
        let needed = || self.lacks(unit, known);
        if self.owes_recheck(unit) && !self.board.cancelled() {
            return;
        }
        let open = known.standing.decision == Decision::Open && !self.board.cancelled();
        if !open || needed() == 0 && !self.was_asked(unit, known) {
            self.needless.insert(unit);
        }
    }

    /// Has a run stopped that has hardly begun when somebody's earlier claim is heard.
    pub(super) fn yield_run(&mut self, unit: UnitIndex, now: Millis) {
        let fresh = |since: &Millis| now.since(*since) <= YIELD_MS;
        if self.running.get(&unit).is_some_and(fresh)
            && !self.stopped.contains(&unit)
            && self.own_claim(unit).copied().is_some_and(|mine| !self.wanted(unit, Some(&mine)))
        {
            self.needless.insert(unit);
        }
    }

    /// Runs that are to be stopped, each once.
    pub fn take_needless(&mut self) -> Vec<UnitIndex> {
        let needless = core::mem::take(&mut self.needless);
        self.stopped.extend(&needless);
        needless.into_iter().collect()
    }

    /// Lets go of a unit, and lets others know soon.
    fn yield_unit(&mut self, unit: UnitIndex, now: Millis, pace: &Pace) {
        self.claims.remove(self.me, unit);
        self.outbox.claim(now.plus(pace.commit_ms));
        self.refresh(unit);
    }

    /// How long to wait for company before saying something. As long as nobody knows what a unit
    /// costs, nobody dares to claim many: the first answers do not wait.
    pub(super) fn hurried(&self, pause_ms: u64) -> u64 {
        if self.unit_fuel.is_some() { pause_ms } else { pause_ms / FIRST_TIMES }
    }

    /// A unit of this node's ended.
    pub fn ran(&mut self, ran: Ran, now: Millis, pace: &Pace) {
        let Ran { unit, end } = ran;
        self.stopped.remove(&unit);
        self.needless.remove(&unit);
        if self.running.remove(&unit).is_none() || self.board.cancelled() {
            return;
        }
        let at = now.plus(self.hurried(pace.commit_ms));
        match end {
            Ok(done) => {
                self.done.insert(unit);
                self.outbox.commit(done, now, at);
            }
            Err(Void::Interrupted) => self.yield_unit(unit, now, pace),
            Err(void) => {
                self.done.insert(unit);
                self.outbox.void(unit, void, at);
            }
        }
        if self.in_hand() == 0 {
            self.outbox.hurry(now);
        }
    }
}

/// Blocks of a lot in a peer's own order: as good as random, and the peer does not choose it.
pub(super) fn block_order(draw: Hash, me: PeerKey, blocks: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..blocks).collect();
    order.sort_by_cached_key(|block| {
        Hash::derive("dugnad 1 block order", &[&draw.0, &block.to_le_bytes(), &me.0]).prefix()
    });
    order
}
