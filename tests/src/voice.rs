//! A peer that is nothing but its signed batches: what it says, a node hears.
use crate::truth;
use coordinator_free_scheduler::{
    Hash, Input, JobId, Millis, Node, PeerKey, Place, SignedBatch, Statement, statement::Batch,
    wire,
};
use std::sync::Arc;

/// Its batches, one after the other.
pub struct Voice {
    /// Who.
    pub key: PeerKey,
    job: JobId,
    place: Place,
    previous: Hash,
}

impl Voice {
    /// The n-th peer, which has said nothing of a job's first lot yet.
    pub fn new(peer: usize, job: JobId) -> Voice {
        let place = Place { incarnation: 7, sequence: 0 };
        Voice { key: truth::key(peer), job, place, previous: Hash::default() }
    }

    /// Begins another log.
    pub fn restart(&mut self) {
        let incarnation = self.place.incarnation + 1;
        (self.place, self.previous) = (Place { incarnation, sequence: 0 }, Hash::default());
    }

    /// Has a node hear the next batch.
    pub fn says(&mut self, node: &mut Node, now: Millis, statements: Vec<Statement>) {
        let (job, author, place, previous) = (self.job, self.key, self.place, self.previous);
        let batch = Batch { job, lot: 0, author, place, previous, statements };
        let signed = SignedBatch::new(wire::encode(&batch).into(), truth::SIGNATURE);
        self.place.sequence += 1;
        self.previous = signed.hash();
        node.handle(now, Input::Batch { from: author, signed, batch: Arc::new(batch) });
    }
}
