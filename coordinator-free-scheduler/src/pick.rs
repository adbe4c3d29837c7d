//! What this node runs next: older jobs first, in spans that shrink as work runs out (guided
//! self-scheduling, Polychronopoulos and Kuck 1987), so that peers rarely meet and never wait.
//!
//! Units are claimed one step before they are handed to the body, so that whoever else claimed
//! them is known by then and the later one yields.
use crate::{Job, JobId, LIMITS, LotIndex, Millis, Node, Output, UnitIndex};
use alloc::vec::Vec;

/// A claim may take one in so many of a lot's open units …
const SPAN_SHARE: u32 = 20;
/// … but always as many as last this long: a claim has a price of its own.
const SPAN_LEAST_US: u64 = 100_000;

impl Node {
    /// Hands units to the body until it has enough.
    pub(crate) fn fill(&mut self, now: Millis) {
        if self.slots == 0 {
            return;
        }
        for at in 0..self.order.len() {
            let id = self.order[at];
            if self.jobs.get(&id).is_none_or(|job| job.ended) {
                continue;
            }
            let units = self.take_units(now, id);
            if !units.is_empty() {
                self.outputs.push_back(Output::Run { job: id, units });
            }
        }
    }

    fn take_units(&mut self, now: Millis, id: JobId) -> Vec<UnitIndex> {
        let mut units = Vec::new();
        let Some(job) = self.jobs.get(&id) else { return units };
        let ahead = self.ahead(job);
        while self.in_flight < ahead {
            match self.queued_unit(now, id) {
                Some(unit) => {
                    self.in_flight += 1;
                    units.push(unit);
                }
                None if self.claim_more(now, id) => {}
                None => return units,
            }
        }
        if self.jobs.get(&id).is_some_and(|job| job.queued_here() < self.slots) {
            self.claim_more(now, id);
        }
        units
    }

    /// How many units the body shall have in hand: one a slot, and one more so that its input is
    /// there in time, or as many as keep it busy until the mind is asked again.
    fn ahead(&self, job: &Job) -> usize {
        let us = self.config.pace.ahead_ms * 1_000;
        let deep = job.unit_us().map_or(1, |unit_us| (us / unit_us).max(1) as usize);
        self.slots * deep.min(LIMITS.ahead_units) + 1
    }

    fn queued_unit(&mut self, now: Millis, id: JobId) -> Option<UnitIndex> {
        let lots = self.jobs.get(&id)?.lots.iter();
        let queued: Vec<LotIndex> =
            lots.filter(|(_, lot)| lot.queued() > 0).map(|(index, _)| *index).collect();
        let pace = self.config.pace;
        queued.into_iter().find_map(|index| {
            let lot = self.lot(id, index).ok()?;
            let due = lot.outbox.due();
            let unit = lot.next_unit(now, &pace);
            if lot.outbox.due() != due {
                self.follow_up(id, index);
            }
            unit
        })
    }

    /// Claims units in the first lot that has open ones; answers whether it could.
    fn claim_more(&mut self, now: Millis, id: JobId) -> bool {
        let Some(lots) = self.jobs.get(&id).map(|job| job.manifest.lots()) else { return false };
        for index in 0..lots {
            match self.lot(id, index) {
                Ok(lot) if lot.open_units() == 0 => {}
                Ok(_) => return self.claim_in(now, id, index),
                Err(_) => return false,
            }
        }
        false
    }

    fn claim_in(&mut self, now: Millis, id: JobId, index: LotIndex) -> bool {
        let (pace, slots) = (self.config.pace, self.slots as u32);
        let neighbours = self.peers.len() as u32;
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        let unit_us = job.unit_us();
        let Some(lot) = job.lots.get_mut(&index) else { return false };
        // Before anybody has spoken, the neighbours are the best guess at who will work here.
        let workers = lot.workers().max(neighbours + 1);
        let open = lot.open_units();
        let units = match unit_us {
            None => slots,
            Some(unit_us) => {
                let fair = open / 2 / workers;
                let least = (SPAN_LEAST_US / unit_us).min(u64::from(fair)) as u32;
                let most = (pace.span_ms * 1_000 / unit_us).min(u64::from(LIMITS.span_units));
                fair.min(open / SPAN_SHARE).max(least).min(most as u32)
            }
        };
        let claimed = lot.claim(units.max(1), now, &pace, unit_us.unwrap_or(0) / 1_000);
        self.follow_up(id, index);
        claimed
    }
}
