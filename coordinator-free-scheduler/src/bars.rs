//! Whom this node counts on no more: in the jobs of the submitters whose jobs speak against it, or in all.
//!
//! What it goes by is the [`Ledger`](crate::Ledger); here a change of mind is carried to every lot.
use crate::{JobId, LotIndex, Millis, Node, Notice, Output, PeerKey};
use alloc::vec::Vec;

impl Node {
    /// Counts on a peer or not, by its record, after a submitter's jobs have said something of it.
    pub(crate) fn judge(&mut self, now: Millis, peer: PeerKey, submitter: PeerKey) {
        let me = self.config.me;
        let struck = peer != me && self.ledger.strikes(peer, submitter);
        let news = match struck {
            true => self.struck.insert((peer, submitter)),
            false => self.struck.remove(&(peer, submitter)),
        };
        if !news {
            return;
        }
        if struck {
            self.outputs.push_back(Output::Notice(Notice::Barred(peer)));
        }
        match self.ledger.bars(peer, me) {
            true => self.barred.insert(peer),
            false => self.barred.remove(&peer),
        };
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        jobs.into_iter().for_each(|id| self.bar(now, id, peer));
    }

    /// Has a job's lots count on a peer or not; answers of this node may have waited for it.
    fn bar(&mut self, now: Millis, id: JobId, peer: PeerKey) {
        let pace = self.config.pace;
        let Some(submitter) = self.jobs.get(&id).map(|job| job.manifest.owner) else { return };
        let barred = self.is_barred(peer, submitter);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.bar(peer, barred, now, &pace);
        let lots: Vec<LotIndex> = job.lots.keys().copied().collect();
        lots.into_iter().for_each(|index| self.follow_up(id, index));
    }

    /// Whether this node counts on a peer in a submitter's jobs no more.
    pub(crate) fn is_barred(&self, peer: PeerKey, submitter: PeerKey) -> bool {
        self.barred.contains(&peer) || self.struck.contains(&(peer, submitter))
    }

    /// A peer's opening became overdue, or came after all.
    pub(crate) fn count_silence(&mut self, now: Millis, id: JobId, peer: PeerKey, overdue: bool) {
        self.ledger.silence(peer, overdue);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.count_silence(peer, overdue);
        }
        self.bar(now, id, peer);
    }
}
