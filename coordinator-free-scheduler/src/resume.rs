//! How a node takes up its work after a restart: its journal is folded, record by record, and what
//! it meant to do then begins anew.
use crate::{Fault, JobId, Millis, Node, Output, Record, checker::Checker, node::Timer};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

impl Node {
    /// Folds one record of the journal, in the order in which they were written.
    ///
    /// # Errors
    /// The record cannot be this node's own writing; nothing was changed.
    pub fn replay(&mut self, now: Millis, record: Record) -> Result<(), Fault> {
        match record {
            Record::Manifest(signed) => {
                let manifest = signed.open().map_err(Fault::BadManifest)?;
                let id = signed.id();
                self.add_job(now, signed, Box::new(manifest))?;
                if let Some(job) = self.jobs.get_mut(&id) {
                    job.from_journal = true;
                    if let Some(auditor) = &mut job.auditor {
                        auditor.await_journal();
                    }
                }
                Ok(())
            }
            Record::Batch(signed) => {
                let batch = signed.open().map_err(|_| Fault::NoSuchUnit)?;
                self.attend_again(now, batch.job, batch.lot)?;
                self.merge(now, signed, Arc::new(batch)).map(|_| ())
            }
            Record::Answers { job, answers } => {
                let Some((unit, ..)) = answers.first() else { return Ok(()) };
                let lot = self.lot_of(job, *unit).ok_or(Fault::NoSuchUnit)?;
                self.attend_again(now, job, lot)?;
                if let Some(auditor) = self.auditor(job) {
                    for (unit, answer, nonce) in &answers {
                        auditor.computed(*unit, answer.clone(), *nonce);
                    }
                }
                if let Some(lot) = self.lot(job, lot) {
                    lot.restore_answers(answers);
                }
                if let Some(job) = self.jobs.get_mut(&job) {
                    job.worked_at = Some(now);
                }
                Ok(())
            }
            Record::Unsealed { job, answers } => {
                if let Some(auditor) = self.auditor(job) {
                    for (peer, unit, answer, nonce) in answers {
                        auditor.heard(peer, unit, Some((answer, nonce)));
                    }
                }
                Ok(())
            }
            Record::Ringers { job, known } => {
                if let Some(auditor) = self.auditor(job) {
                    auditor.ring(known);
                }
                Ok(())
            }
            Record::Forgotten { job, ended } => {
                self.remove_job(now, job, ended);
                Ok(())
            }
            Record::Own(_) => Err(Fault::NoSuchUnit),
        }
    }

    /// Begins, after all of the journal was replayed.
    pub fn resume(&mut self, now: Millis) {
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        jobs.iter().for_each(|job| self.attend_own(*job));
        self.outputs.clear();
        let pace = self.config.pace;
        for job in self.jobs.values_mut() {
            job.ended = false;
            if let Some(auditor) = &mut job.auditor {
                auditor.restore();
            }
            if let Some(checker) = &mut job.checker {
                // What was asked on the way is not heard by anybody.
                *checker = Checker::default();
            }
            for lot in job.lots.values_mut() {
                lot.resume(now, &pace);
            }
        }
        for (job, lot) in self.lot_names() {
            self.outputs.push_back(Output::Attend { job, lot });
            self.follow_up(job, lot);
        }
        for job in jobs {
            self.tell_end(job);
            self.plan_to_retire(now, job);
        }
        self.timers.insert((now.plus(self.config.pace.sync_ms), Timer::Sync));
    }
}
