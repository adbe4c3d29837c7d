//! Whose turn it is: the jobs that a node works for share its time by weight (start-time fair
//! queuing, Goyal, Vin and Cheng 1996), as far as its memory goes.
//!
//! A job's weight is its priority times what the donor thinks of it; one whose deadline comes close
//! weighs more. Each node shares its own time, so the grid's is shared alike; nobody is asked.
use crate::{Job, JobId, Millis, Node, Speed, UnitIndex};
use alloc::vec::Vec;

/// What a donor gives a job of which it has said nothing, percent.
pub const DONOR_PERCENT: u16 = 100;
/// A job whose deadline is in danger weighs so many times more: nearly all, and nobody starves.
pub const URGENT_TIMES: u64 = 64;
/// … which is when the time left is under so many percent of what it needs with all peers of its
/// lots …
pub const URGENT_PERCENT: u64 = 150;
/// … and so many units' time: the last units are in slow hands and come late.
pub const URGENT_UNITS: u64 = 16;
/// It is so until the time left is again so many percent of that: estimates waver.
const RELIEF_PERCENT: u64 = 200;
/// A unit is taken to last this long until it is known better, microseconds.
const UNKNOWN_US: u64 = 1_000_000;
/// A job's first unit is due after a share of its time that is drawn from so many.
const PHASES: u64 = 256;
/// Fractions of a microsecond that are counted.
const SCALE: u64 = 1 << 16;

impl Node {
    /// What the donor gives a job, percent of the usual; 0 keeps it out.
    pub fn weigh(&mut self, id: JobId, percent: u16) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.donor_percent = percent;
        }
    }

    /// Jobs that may get a slot.
    pub(crate) fn jobs_in_turn(&self, now: Millis) -> Vec<JobId> {
        let held_back = self.held_back(now);
        let wanted = |id: &&JobId| {
            let job = self.jobs.get(id).filter(|_| !held_back.contains(id));
            job.is_some_and(|job| job.donor_percent > 0 && !job.over)
        };
        self.order.iter().filter(wanted).copied().collect()
    }

    /// The one of some jobs that got least for its weight; the oldest among equals.
    pub(crate) fn first_in_turn(&self, jobs: &[JobId]) -> Option<JobId> {
        let pass = |id: &&JobId| self.jobs.get(*id).map_or(0, |job| self.charge(job).1);
        jobs.iter().min_by_key(pass).copied()
    }

    /// What a unit of a job is charged, and from where on. A job begins at a phase of its own: on
    /// nodes that run a few units in all, each job gets its share of them on the average.
    fn charge(&self, job: &Job) -> (u64, u64) {
        let cost = self.cost_us(job) * SCALE / job.weight();
        let phase = || self.pass + cost / PHASES * u64::from(job.phase);
        (cost, job.pass.map_or_else(phase, |pass| pass.max(self.pass)))
    }

    /// About how long a unit of a job takes; where nothing is known, as long as those of others.
    fn cost_us(&self, job: &Job) -> u64 {
        let known = |job: &Job| job.first_us().or_else(|| self.unit_us(job));
        let others = || self.jobs.values().filter_map(known).max();
        known(job).or_else(others).unwrap_or(UNKNOWN_US)
    }

    /// A job gets a slot for one unit; the body has it in hand. It is charged what a unit takes as
    /// a rule. `others` want a slot too: whoever had nothing to do meanwhile begins level with the
    /// least of them.
    pub(crate) fn begin(&mut self, id: JobId, unit: UnitIndex, others: &[JobId]) {
        let Some((cost, pass)) = self.jobs.get(&id).map(|job| self.charge(job)) else { return };
        let others = others.iter().filter_map(|other| self.jobs.get(other));
        let passes = others.filter_map(|job| job.pass);
        self.pass = passes.min().unwrap_or(0).max(self.pass);
        self.in_flight += 1;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.charged.insert(unit, cost);
            job.pass = Some(pass + cost);
        }
    }

    /// A unit has ended that took so long: the charge is put right.
    pub(crate) fn end(&mut self, now: Millis, id: JobId, unit: UnitIndex, took_us: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let cost = took_us * SCALE / job.weight();
        if let Some(charged) = job.charged.remove(&unit) {
            job.pass = job.pass.map(|pass| (pass + cost).saturating_sub(charged));
        }
        self.look_at_deadlines(now);
    }

    /// Finds out which jobs are urgent.
    pub(crate) fn look_at_deadlines(&mut self, now: Millis) {
        let mine = Speed::of(self.fuel_per_ms, self.slots);
        for job in self.jobs.values_mut().filter(|job| job.manifest.deadline_s > 0) {
            job.urgent = job.is_urgent(mine, now);
        }
    }

    // ---- memory ----------------------------------------------------------------------------

    /// Whether one more unit of a job finds room beside what the body has in hand, whichever of it
    /// runs at the same time. `waiting` has been promised room first.
    pub(crate) fn fits(&self, id: JobId, waiting: Option<JobId>) -> bool {
        let need = |job: &Job| job.manifest.work.limits.memory_mib;
        let in_flight = self.jobs.values().filter(|job| !job.charged.is_empty());
        let mut units: Vec<(u32, usize)> =
            in_flight.map(|job| (need(job), job.charged.len())).collect();
        let more = [Some(id), waiting.filter(|waiting| *waiting != id)].into_iter().flatten();
        units.extend(more.filter_map(|id| Some((need(self.jobs.get(&id)?), 1))));
        units.sort_unstable_by(|one, other| other.cmp(one));
        let (mut slots, mut mib) = (self.slots, 0u64);
        for (need, count) in units {
            let beside = count.min(slots);
            slots -= beside;
            mib += u64::from(need) * beside as u64;
        }
        mib <= u64::from(self.memory_mib)
    }

    /// Whether a unit of a job finds room at all.
    pub(crate) fn could_fit(&self, id: JobId) -> bool {
        let need = self.jobs.get(&id).map(|job| job.manifest.work.limits.memory_mib);
        need.is_some_and(|need| need <= self.memory_mib)
    }
}

impl Job {
    /// When its owner wants it done, by this node's clock, if at all.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        let deadline_s = u64::from(self.manifest.deadline_s);
        (deadline_s > 0).then(|| self.heard_at.plus(deadline_s * 1_000))
    }

    fn weight(&self) -> u64 {
        let times = if self.urgent { URGENT_TIMES } else { 1 };
        (u64::from(self.manifest.priority) * u64::from(self.donor_percent) * times).max(1)
    }

    /// Whether it will miss its deadline unless it gets more than its share.
    fn is_urgent(&self, mine: Speed, now: Millis) -> bool {
        let Some(due) = self.deadline().filter(|due| now < *due) else { return false };
        let relief = if self.urgent { RELIEF_PERCENT } else { 100 };
        let needs_ms = self.needs_ms(mine, now).unwrap_or(0);
        due.since(now) < needs_ms.saturating_mul(relief) / 100
    }

    /// How long it needs if all who work in this node's lots work for it alone, with what estimates
    /// leave out; `None` if nothing is known.
    fn needs_ms(&self, mine: Speed, now: Millis) -> Option<u64> {
        let unit_fuel = self.unit_fuel()? * u64::from(self.manifest.profile.wanted());
        let mine = (mine.total()?, mine.slots());
        let need = |lot: &crate::Lot| {
            let (speed, slots) = lot.possible_speed(mine, now);
            let unit_ms = unit_fuel.saturating_mul(slots) / speed.max(1);
            let all_ms = u64::from(lot.undone_units()).saturating_mul(unit_fuel) / speed.max(1);
            all_ms.saturating_mul(URGENT_PERCENT) / 100 + unit_ms.saturating_mul(URGENT_UNITS)
        };
        self.lots.values().filter(|lot| lot.is_undone()).map(need).max()
    }
}
