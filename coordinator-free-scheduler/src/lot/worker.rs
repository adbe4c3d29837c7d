//! What this node thinks of how fast an author works in a lot, and how much it may hold there.
//!
//! An announced speed is the author's own word. It counts up to twice what the author has been seen
//! to deliver; so whoever announces much and delivers little holds little, and not for long. All of
//! this is by this node's own clock, for its own choice of work, and never enters a verdict.
use super::Lot;
use crate::{
    BACK_OFF_DOUBLINGS, Mark, Millis, Pace, RELEASED_KNOWN, SPEED_TRUST, Speed, UNRELEASED_MIN,
    UNRELEASED_SHARE, UNRELEASED_TIMES, UNRELEASED_WORK_MS, board::unit::AuthorIndex,
    reputation::Record,
};
use alloc::vec::Vec;

/// How long a peer is taken to be there after it was last heard, milliseconds.
const LATELY_MS: u64 = 600_000;
/// Marks after which the median is taken again.
const USUAL_EVERY: u32 = 64;

/// An author's work as this node saw it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worker {
    /// What it announced last.
    pub speed: Speed,
    /// When it was last heard.
    pub last_sign: Millis,
    /// What the units of the lot say of it.
    pub record: Record,
    /// How long it was on something, as far as it gave signs of life.
    busy_ms: u64,
    /// Leases of its that ended before it delivered, less those it made good.
    expired: u32,
    /// Until when its claims bind nobody.
    back_off: Millis,
}

impl Worker {
    /// Fuel a millisecond over all slots that it may be believed; `usual` for who has shown nothing.
    fn believed(&self, usual: Option<u64>) -> Option<u64> {
        let announced = self.speed.total();
        let shown = match self.record.agreed >= RELEASED_KNOWN && self.busy_ms > 0 {
            true => Some((SPEED_TRUST * self.record.credit_fuel / self.busy_ms).max(1)),
            false => usual.map(|usual| usual.saturating_mul(self.speed.slots())),
        };
        match (announced, shown) {
            (Some(announced), Some(shown)) => Some(announced.min(shown)),
            (announced, shown) => announced.or(shown),
        }
    }

    /// The same for one of its slots.
    fn slot(&self, usual: Option<u64>) -> Option<u64> {
        Some((self.believed(usual)? / self.speed.slots()).max(1))
    }
}

impl Lot {
    /// About how long an author takes for a unit, milliseconds; `None` where nothing is known.
    pub(super) fn unit_ms(&self, author: AuthorIndex) -> Option<u64> {
        let worker = self.workers.get(&author)?;
        Some((self.unit_fuel? / worker.slot(self.usual_speed)?).max(1))
    }

    /// The speeds of all that are on some unit, fuel a millisecond over all slots, and how many
    /// they are; an unknown one is taken for `usual`.
    pub fn total_speed(&self, usual: u64) -> (u64, u32) {
        let mut total = (0u64, 0);
        for (author, worker) in self.workers.iter().filter(|(author, _)| **author != self.me) {
            if self.claims.is_on_any(*author) && self.board.honest(*author) {
                let one = worker.believed(self.usual_speed).unwrap_or(usual);
                total = (total.0.saturating_add(one), total.1 + 1);
            }
        }
        total
    }

    /// The speeds of all who were heard here lately, as if they worked for nobody else, and their
    /// slots; `mine` are this node's.
    pub fn possible_speed(&self, mine: (u64, u64), now: Millis) -> (u64, u64) {
        let lately = |worker: &&Worker| now.since(worker.last_sign) < LATELY_MS;
        let others = self.workers.iter().filter(|(author, _)| **author != self.me);
        let known = others.map(|(_, worker)| worker).filter(lately);
        known.fold(mine, |(all, slots), one| match one.believed(self.usual_speed) {
            Some(speed) => (all.saturating_add(speed), slots + one.speed.slots()),
            None => (all, slots),
        })
    }

    /// Units that an author may hold claimed here: some to begin with, then by what it delivered,
    /// and never much of the lot.
    pub(super) fn claimable(&self, author: AuthorIndex) -> usize {
        let worker = self.workers.get(&author).copied().unwrap_or_default();
        let by_work = || {
            let slot = worker.speed.slots().saturating_mul(UNRELEASED_WORK_MS);
            Some(slot / (self.unit_fuel? / self.usual_speed?).max(1))
        };
        let earned = UNRELEASED_TIMES * worker.record.agreed as usize;
        let most = self.board.range().len() / UNRELEASED_SHARE;
        earned.max(by_work().unwrap_or(0) as usize).min(most).max(UNRELEASED_MIN)
    }

    /// An author was heard: what it did since the last time counts as work if it was on something.
    pub(super) fn note_sign(&mut self, author: AuthorIndex, now: Millis, pace: &Pace) {
        let was_on = self.claims.is_on_any(author);
        let most = 4 * self.unit_ms(author).unwrap_or(0) + pace.lease_ms;
        let worker = self.workers.entry(author).or_default();
        if was_on {
            worker.busy_ms += now.since(worker.last_sign).min(most);
        }
        worker.last_sign = now;
    }

    /// A mark was put on an author, or taken back.
    pub(super) fn note_mark(&mut self, author: AuthorIndex, mark: Mark, holds: bool) {
        let worker = self.workers.entry(author).or_default();
        match holds {
            true => worker.record.add(mark),
            false => worker.record.withdraw(mark),
        }
        if mark == Mark::Wrong {
            return;
        }
        worker.expired = worker.expired.saturating_sub(u32::from(holds));
        self.marks += 1;
        if self.marks.is_power_of_two() || self.marks.is_multiple_of(USUAL_EVERY) {
            self.usual_speed = self.median_speed();
        }
    }

    /// Leases of an author have ended.
    pub(super) fn note_expired(&mut self, author: AuthorIndex, now: Millis, pace: &Pace) {
        let worker = self.workers.entry(author).or_default();
        worker.expired += 1;
        let times = 1 << worker.expired.min(BACK_OFF_DOUBLINGS);
        worker.back_off = now.plus(pace.lease_ms.saturating_mul(times));
    }

    /// Whether an author's claims bind nobody for now.
    pub(super) fn backs_off(&self, author: AuthorIndex, now: Millis) -> bool {
        self.workers.get(&author).is_some_and(|worker| now < worker.back_off)
    }

    /// What a slot of the middle one of those who have delivered burns in a millisecond.
    fn median_speed(&self) -> Option<u64> {
        let shown = self.workers.values().filter(|worker| worker.record.agreed >= RELEASED_KNOWN);
        let mut shown: Vec<u64> = shown.filter_map(|worker| worker.slot(None)).collect();
        let middle = shown.len() / 2;
        (!shown.is_empty()).then(|| *shown.select_nth_unstable(middle).1)
    }
}
