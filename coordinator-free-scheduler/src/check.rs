//! What must hold of a node at any time, recomputed from scratch; for tests and simulators.
//!
//! The state machine keeps sums and marks beside the facts they follow from, so that each input
//! costs little. Here every one of them is derived again, slowly, and compared.
use crate::{JobId, Node};
use alloc::{format, string::String};

impl Node {
    /// Checks every invariant.
    ///
    /// # Errors
    /// The first that does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        for (id, job) in &self.jobs {
            for (index, lot) in &job.lots {
                lot.check().map_err(|what| format!("{id}, lot {index}: {what}"))?;
            }
        }
        self.check_ledger()?;
        self.check_work()
    }

    /// About how many bytes this node's state takes.
    pub fn state_bytes(&self) -> u64 {
        let lots = self.jobs.values().flat_map(|job| job.lots.values());
        lots.map(|lot| lot.state_bytes() as u64).sum()
    }

    /// The ledger is what the boards say, no more and no less.
    fn check_ledger(&self) -> Result<(), String> {
        let mut counted = self.settled.clone();
        for (id, job) in &self.jobs {
            for lot in job.lots.values() {
                let submitter = job.manifest.owner;
                lot.records().for_each(|(peer, record)| counted.add_all(peer, submitter, record));
                for (_, author) in lot.silence().overdue() {
                    counted.silence(lot.board.key(author), true);
                }
            }
            self.check_silent(*id)?;
        }
        for (peer, record) in self.ledger.records() {
            if counted.record(peer) != record {
                let boards = counted.record(peer);
                return Err(format!("ledger of {peer}: {record:?}, boards: {boards:?}"));
            }
            let me = self.config.me;
            let barred = peer != me && counted.bars(peer, me);
            if barred != self.barred.contains(&peer) {
                return Err(format!("{peer} is barred or not against its record {record:?}"));
            }
        }
        match counted.records().find(|(peer, record)| self.ledger.record(*peer) != *record) {
            Some((peer, record)) => Err(format!("boards say {record:?} of {peer}, the ledger not")),
            None => Ok(()),
        }
    }

    fn check_silent(&self, id: JobId) -> Result<(), String> {
        let Some(job) = self.jobs.get(&id) else { return Ok(()) };
        let off = job.silent().find(|peer| !job.lots.values().all(|lot| lot.bars(**peer)));
        match off {
            Some(peer) => Err(format!("{peer} was silent too often in {id} and is counted on")),
            None => Ok(()),
        }
    }

    /// What is in the body's hands is what the lots say, and known units are within the limit.
    fn check_work(&self) -> Result<(), String> {
        let lots = || self.jobs.values().flat_map(|job| job.lots.values());
        let audits = self.jobs.values().filter_map(|job| job.auditor.as_ref());
        let own: usize = audits.map(|auditor| auditor.running()).sum();
        let running = own + lots().map(|lot| lot.in_hand() - lot.queued()).sum::<usize>();
        if running != self.in_flight {
            return Err(format!("{} units in flight, {running} in lots", self.in_flight));
        }
        let known: u64 = lots().map(|lot| lot.board.range().len() as u64).sum();
        match known == self.units_known && known <= crate::LIMITS.units {
            true => Ok(()),
            false => Err(format!("{} units counted, {known} in lots", self.units_known)),
        }
    }
}
