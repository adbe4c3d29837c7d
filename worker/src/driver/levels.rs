//! Those who follow the levels of a job's units: of each job that is followed, which units changed and in
//! which order.
//!
//! Invariant: a unit is in the order once, at its last change, so whoever is slow misses steps in between
//! and no end, and nothing here grows beyond the job. What a unit came to is asked of the mind when it is
//! told. Of a job that nobody follows nothing is kept.
use coordinator_free_scheduler::{Best, Job, JobId, UnitIndex};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Units told of at once.
const PAGE: usize = 256;

/// Jobs that are followed.
#[derive(Default)]
pub struct Followed {
    jobs: BTreeMap<JobId, Log>,
}

/// What changed in one job.
struct Log {
    /// The number of the last change.
    last: watch::Sender<u64>,
    units: BTreeMap<UnitIndex, Changed>,
    order: BTreeMap<u64, UnitIndex>,
}

/// When a unit changed, and when what was told of it before held no longer.
#[derive(Clone, Copy, Default)]
struct Changed {
    at: u64,
    revised: u64,
}

/// What changed after some moment, as far as there is room.
pub struct Page {
    /// Units, their best answers now, and whether an answer from before that moment was revised.
    pub told: Vec<(UnitIndex, Option<Best>, bool)>,
    /// The moment of the last of them.
    pub next: u64,
}

impl Log {
    fn note(&mut self, unit: UnitIndex, revised: bool) {
        let at = *self.last.borrow() + 1;
        let known = self.units.entry(unit).or_default();
        self.order.remove(&known.at);
        *known = Changed { at, revised: if revised { at } else { known.revised } };
        self.order.insert(at, unit);
        self.last.send_replace(at);
    }
}

impl Followed {
    /// The number of the last change, as long as anybody wants to know it.
    pub fn follow(&mut self, job: &Job) -> watch::Receiver<u64> {
        let log = self.jobs.entry(job.id()).or_insert_with(|| {
            let (units, order) = (BTreeMap::new(), BTreeMap::new());
            let mut log = Log { last: watch::Sender::new(0), units, order };
            job.leveled().for_each(|unit| log.note(unit, false));
            log
        });
        log.last.subscribe()
    }

    /// A unit's best answer, or its level, changed.
    pub fn note(&mut self, job: JobId, unit: UnitIndex, revised: bool) {
        if let Some(log) = self.jobs.get_mut(&job) {
            log.note(unit, revised);
        }
    }

    /// What changed after the change with the number `since`.
    pub fn page(&self, job: &Job, since: u64) -> Page {
        let Some(log) = self.jobs.get(&job.id()) else {
            return Page { told: Vec::new(), next: since };
        };
        let changed: Vec<(u64, UnitIndex)> =
            log.order.range(since + 1..).take(PAGE).map(|(at, unit)| (*at, *unit)).collect();
        let next = changed.last().map_or(since, |(at, _)| *at);
        let mut units: Vec<UnitIndex> = changed.into_iter().map(|(_, unit)| unit).collect();
        units.sort_unstable();
        let revised = |unit| log.units.get(unit).is_some_and(|known| known.revised > since);
        let best = units.iter().zip(job.best(&units));
        Page { told: best.map(|(unit, best)| (*unit, best, revised(unit))).collect(), next }
    }

    /// Lets go of jobs that nobody follows any more.
    pub fn refresh(&mut self) {
        self.jobs.retain(|_, log| log.last.receiver_count() > 0);
    }
}
