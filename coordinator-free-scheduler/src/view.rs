//! What can be asked of a node. Nothing here changes anything.
use crate::{Answer, Hash, Job, JobId, JobStatus, Ledger, Lot, LotIndex, Node, PeerKey};
use alloc::vec::Vec;

impl Node {
    /// The jobs known here, oldest first.
    pub fn jobs(&self) -> Vec<&Job> {
        self.order.iter().filter_map(|id| self.jobs.get(id)).collect()
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// A job in figures.
    pub fn status(&self, id: JobId) -> Option<JobStatus> {
        self.jobs.get(&id).map(Job::status)
    }

    /// What this node thinks of others.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is known of every lot, as a hash; two nodes with equal ones hold the same statements.
    pub fn digests(&self) -> Vec<(JobId, LotIndex, Hash)> {
        let lots = self.jobs.iter().flat_map(|(id, job)| job.lots.iter().map(|lot| (*id, lot)));
        lots.map(|(id, (index, lot))| (id, *index, lot.board.digest_of_logs())).collect()
    }

    /// Units in the body's hands.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Who this node is.
    pub fn me(&self) -> PeerKey {
        self.config.me
    }

    /// Digests of outputs that nobody may know yet, each with the peer that may all the same: the owner
    /// of the audited job that it is for.
    pub fn sealed(&self) -> Vec<(Hash, Option<PeerKey>)> {
        let own = self.jobs.values().flat_map(|job| {
            let owner = job.is_audited().then_some(job.manifest.owner);
            let sealed = job.lots.values().flat_map(Lot::sealed).filter_map(Answer::output);
            sealed.map(move |output| (output, owner))
        });
        let audits = self.jobs.values().filter_map(|job| job.auditor.as_ref());
        let others = audits.flat_map(|auditor| auditor.unreleased_outputs());
        others.chain(self.journal.sealed()).map(|output| (output, None)).chain(own).collect()
    }
}
