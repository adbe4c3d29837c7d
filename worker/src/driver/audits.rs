//! What the mind wants of this node's secrets, as the owner of audited jobs.
use super::{Driver, event::Event};
use crate::audit;
use coordinator_free_scheduler::{Input, JobId, PeerKey, UnitIndex};

impl Driver {
    /// Reads what was sealed to this node, which takes a while.
    pub(super) fn unseal(&self, job: JobId, sealed: Vec<(PeerKey, UnitIndex, Vec<u8>)>) {
        let (keys, events) = (self.keys.clone(), self.event_sender.clone());
        tokio::task::spawn_blocking(move || {
            let read = sealed.into_iter().map(|one| audit::unseal(&keys, job, one));
            drop(events.send(Event::Unsealed(job, read.collect())));
        });
    }

    pub(super) fn draw_pass(&mut self, job: JobId, pass: u8) {
        let Some(known) = self.node.job(job) else { return };
        let seed = audit::seed(&self.keys, &known.manifest, pass);
        self.node.handle(self.now(), Input::Seed { job, pass, seed });
    }
}
