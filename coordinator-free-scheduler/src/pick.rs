//! What this node runs next: of the job whose turn it is, in spans that shrink as work runs out (guided
//! self-scheduling, Polychronopoulos and Kuck 1987), so that peers rarely meet and never wait.
//!
//! Units are claimed one step before they are handed to the body, so that whoever else claimed
//! them is known by then and the later one yields.
use crate::{
    Auditor, Job, JobId, LIMITS, LotIndex, Millis, Node, Output, RESCUE_PAUSE_MS, Speed, UnitIndex,
    node::Timer,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// A claim may take one in so many of a lot's open units …
const SPAN_SHARE: u64 = 20;
/// … but always as many as last this long: a claim has a price of its own.
const SPAN_LEAST_US: u64 = 100_000;
/// Units that take this long are claimed when they are begun: what waits in a slow peer's hands
/// would hold up the end of the job, and a pause of a message's time costs them little.
const LONG_US: u64 = 5_000_000;
/// Units handed to the body at once, for each slot.
const AHEAD_MAX: u64 = LIMITS.ahead_units as u64;

impl Node {
    /// Hands units to the body until it has enough, of the jobs in turn: what is open, and where
    /// nothing is, copies of what others are slow at. A job's last units are worth its share too.
    pub(crate) fn fill(&mut self, now: Millis) {
        if self.slots == 0 {
            return;
        }
        let jobs = self.jobs_in_turn(now);
        let mut runs: BTreeMap<JobId, Vec<UnitIndex>> = BTreeMap::new();
        let has_room =
            |id: &JobId| self.jobs.get(id).is_some_and(|job| self.in_flight < self.ahead(job));
        // Most inputs come while all is busy: then nobody's turn need be found out.
        let mut turns = if jobs.iter().any(has_room) { jobs.clone() } else { Vec::new() };
        let mut waiting = None;
        while let Some(id) = self.first_in_turn(&turns) {
            match self.take_unit(now, id, &mut waiting) {
                Some(unit) => {
                    self.begin(id, unit, &turns);
                    runs.entry(id).or_default().push(unit);
                }
                None => turns.retain(|other| *other != id),
            }
        }
        let runs = runs.into_iter().map(|(job, units)| Output::Run { job, units });
        self.outputs.extend(runs);
        jobs.into_iter().for_each(|id| self.claim_ahead(now, id));
    }

    /// The next unit of a job, if the body has room for it. A job that has none in hand is
    /// promised its memory before those who come after.
    fn take_unit(
        &mut self,
        now: Millis,
        id: JobId,
        waiting: &mut Option<JobId>,
    ) -> Option<UnitIndex> {
        if self.in_flight >= self.ahead(self.jobs.get(&id)?) || !self.could_fit(id) {
            return None;
        }
        if !self.fits(id, *waiting) {
            if self.jobs.get(&id).is_some_and(|job| job.charged.is_empty()) {
                waiting.get_or_insert(id);
            }
            return None;
        }
        loop {
            match self.queued_unit(now, id) {
                Some(unit) => return Some(unit),
                None if self.claim_more(now, id) || self.rescue(now, id) => {}
                None => return None,
            }
        }
    }

    /// Claims units before they are needed, where units are short.
    fn claim_ahead(&mut self, now: Millis, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let short = self.unit_us(job).is_none_or(|us| us < LONG_US);
        if short && job.queued_here() < self.slots && self.could_fit(id) {
            self.claim_more(now, id);
        }
    }

    /// How many units the body shall have in hand: one a slot; where units are short, one more so
    /// that its input is there in time, or as many as keep it busy until the mind is asked again.
    fn ahead(&self, job: &Job) -> usize {
        let us = self.config.pace.ahead_ms * 1_000;
        match self.unit_us(job) {
            Some(unit_us) if unit_us >= LONG_US => self.slots,
            Some(unit_us) => self.slots * (us / unit_us).clamp(1, AHEAD_MAX) as usize + 1,
            None => self.slots + 1,
        }
    }

    /// How long a unit takes here, microseconds, by experience or by what others burned for one.
    pub(crate) fn unit_us(&self, job: &Job) -> Option<u64> {
        let expected = || Some(job.unit_fuel()?.saturating_mul(1_000) / self.fuel_per_ms?.max(1));
        job.unit_us().or_else(expected).map(|us| us.max(1))
    }

    fn queued_unit(&mut self, now: Millis, id: JobId) -> Option<UnitIndex> {
        if let Some(unit) = self.auditor(id).and_then(Auditor::next_run) {
            return Some(unit);
        }
        if let Some(unit) = self.next_recheck(now, id) {
            return Some(unit);
        }
        let lots = self.jobs.get(&id)?.lots.iter();
        let queued: Vec<LotIndex> =
            lots.filter(|(_, lot)| lot.queued() > 0).map(|(index, _)| *index).collect();
        let pace = self.config.pace;
        queued.into_iter().find_map(|index| {
            let lot = self.lot(id, index)?;
            let due = lot.outbox.due();
            let unit = lot.next_unit(now, &pace);
            if lot.outbox.due() != due {
                self.follow_up(id, index);
            }
            unit
        })
    }

    /// Claims units in the first lot that has open ones, and joins another lot if none has; answers
    /// whether it could.
    fn claim_more(&mut self, now: Millis, id: JobId) -> bool {
        let listens = |lot: LotIndex| self.listens(now, id, lot);
        let Some(job) = self.jobs.get(&id) else { return false };
        let open = job.lots.iter().filter(|(_, lot)| lot.open_units() > 0);
        let open: Vec<LotIndex> =
            open.map(|(index, _)| *index).filter(|index| !listens(*index)).collect();
        let look_again = job.look_again;
        // Of an audited job a node takes its share of each lot, and no more.
        let audited = job.is_audited();
        let most = if audited { open.len() } else { 1 };
        if open.iter().take(most).any(|index| self.claim_in(now, id, *index)) {
            return true;
        }
        (open.is_empty() || audited) && now >= look_again && self.attend_more(now, id)
    }

    fn claim_in(&mut self, now: Millis, id: JobId, index: LotIndex) -> bool {
        let (pace, slots) = (self.config.pace, self.slots as u64);
        let speed = Speed::of(self.fuel_per_ms, self.slots);
        let neighbours = self.peers.len() as u64;
        let Some(job) = self.jobs.get(&id) else { return false };
        let (unit_us, unit_fuel) = (self.unit_us(job), job.unit_fuel());
        let Some(lot) = self.jobs.get_mut(&id).and_then(|job| job.lots.get_mut(&index)) else {
            return false;
        };
        lot.unit_fuel = unit_fuel;
        let open = u64::from(lot.open_units());
        // Before anybody has spoken, the neighbours are the best guess at who works here.
        let mine = self.fuel_per_ms.unwrap_or(1).max(1) * slots;
        let (others, known) = lot.total_speed(mine);
        let silent = neighbours.saturating_sub(known.into());
        let all = others.saturating_add(mine).saturating_add(mine.saturating_mul(silent));
        let share = (u128::from(mine / slots) * 1_000_000 / u128::from(all)) as u64;
        let share = self.fuel_per_ms.map(|_| share);
        let units = match unit_us {
            None => slots,
            Some(unit_us) => {
                let fair = (u128::from(open) * u128::from(mine) / 2 / u128::from(all)) as u64;
                let least = (SPAN_LEAST_US / unit_us).min(fair);
                let most = (pace.span_ms * 1_000 / unit_us).min(u64::from(LIMITS.span_units));
                fair.min(open / SPAN_SHARE).max(least).min(most)
            }
        };
        let claimed = lot.claim(units.max(1) as u32, share, speed, now, &pace);
        if claimed {
            // Else nothing is to be said, and what waits for the disk must not wake the node again.
            self.follow_up(id, index);
        }
        claimed
    }

    /// Where nothing is open, copies what somebody slower is on; answers whether there was one.
    fn rescue(&mut self, now: Millis, id: JobId) -> bool {
        let (pace, speed) = (self.config.pace, Speed::of(self.fuel_per_ms, self.slots));
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        if self.in_flight >= self.slots || now < job.look_again {
            return false;
        }
        let unit_fuel = job.unit_fuel();
        let mut rescued = None;
        for (index, lot) in job.lots.iter_mut().filter(|(_, lot)| lot.is_undone()) {
            lot.unit_fuel = unit_fuel;
            if lot.rescue(speed, now, &pace, &mut self.rng) {
                rescued = Some(*index);
                break;
            }
        }
        match rescued {
            Some(index) => self.follow_up(id, index),
            None => {
                job.look_again = now.plus(RESCUE_PAUSE_MS);
                self.timers.insert((job.look_again, Timer::Flush));
            }
        }
        rescued.is_some()
    }
}
