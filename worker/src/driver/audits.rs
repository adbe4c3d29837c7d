//! What the mind wants of this node's secrets, as an executor or a signer of audited jobs.
use super::{Driver, event::Event};
use crate::audit::{self, Seal};
use coordinator_free_scheduler::{Answer, Input, JobId, Nonce, PeerKey, SealedAnswer, UnitIndex};

impl Driver {
    /// Reads what was sealed to this node, which takes a while.
    pub(super) fn unseal(&self, job: JobId, sealed: Vec<(PeerKey, UnitIndex, Vec<u8>)>) {
        let (keys, events) = (self.keys.clone(), self.event_sender.clone());
        tokio::task::spawn_blocking(move || {
            drop(events.send(Event::Unsealed(job, audit::unseal_all(&keys, job, sealed))));
        });
    }

    /// Seals this node's answers to a delegate that stepped in.
    pub(super) fn seal(&self, job: JobId, to: PeerKey, answers: Vec<(UnitIndex, Answer, Nonce)>) {
        self.shelf.admit(answers.iter().filter_map(|(_, answer, _)| answer.output()), to);
        let (keys, events) = (self.keys.clone(), self.event_sender.clone());
        tokio::task::spawn_blocking(move || {
            // Whose key is no key gets nothing.
            let Some(seal) = Seal::to_signer(&keys, to, job) else { return };
            let answers = answers.into_iter();
            let answers = answers.map(|(unit, answer, nonce)| SealedAnswer {
                unit,
                bytes: seal.seal(unit, &answer, &nonce),
            });
            drop(events.send(Event::Sealed(job, to, answers.collect())));
        });
    }

    pub(super) fn draw_pass(&mut self, job: JobId, pass: u8) {
        let Some(known) = self.node.job(job) else { return };
        let seed = audit::seed(&self.keys, &known.manifest, pass);
        self.node.handle(self.now(), Input::Seed { job, pass, seed });
    }
}
