//! What the API asks of the loop, answered at once.
use super::{
    Driver,
    event::{Command, Evidence},
    levels::Page,
};
use coordinator_free_scheduler::{AuditTerms, Hash, Job, Level};
use tokio::sync::oneshot;

impl Driver {
    pub(super) fn on_command(&mut self, command: Command) {
        let now = self.now();
        // A caller that is gone needs no answer.
        match command {
            Command::Submit(signed, ringers, answer) => {
                drop(answer.send(self.node.submit_with(now, signed, ringers)));
            }
            Command::Cancel(job, answer) => drop(answer.send(self.node.cancel(now, job))),
            Command::Jobs(answer) => {
                let jobs = self.node.jobs().into_iter();
                drop(answer.send(jobs.map(|job| self.collector.standing(job)).collect()));
            }
            Command::KnownWell(answer) => {
                let proofs = AuditTerms::new(0, Hash::default()).proofs;
                drop(answer.send(self.node.known_well(proofs)));
            }
            Command::Job(job, answer) => {
                let standing = self.node.job(job).map(|job| self.collector.standing(job));
                drop(answer.send(standing));
            }
            Command::Explain(job, answer) => {
                let standing = self.node.job(job).map(|job| self.collector.standing(job));
                drop(answer.send(standing.zip(self.node.explain_job(job))));
            }
            Command::ExplainUnit(job, unit, answer) => {
                drop(answer.send(self.node.explain_unit(job, unit)));
            }
            Command::Rerun { job, unit, answer } => {
                let rerun = self.node.job(job).map(|known| {
                    let (done, ran) = oneshot::channel();
                    self.runs.rerun(job, &known.manifest, unit, done);
                    ran
                });
                drop(answer.send(rerun));
            }
            Command::Watch(job, answer) => {
                let standing = self.node.job(job).map(|job| self.collector.standing(job));
                drop(answer.send(standing.map(|standing| self.watchers.watch(job, standing))));
            }
            Command::Verdicts { job, from, most, answer } => {
                let verdicts = self.node.job(job).map(|job| {
                    let units =
                        from..job.manifest.work.units.count().min(from.saturating_add(most));
                    job.verdicts(units)
                });
                drop(answer.send(verdicts));
            }
            Command::Follow(job, answer) => {
                let own = self.node.job(job).filter(|job| job.level_tally().is_some());
                let bytes_max = |job: &Job| job.manifest.work.limits.output_bytes;
                drop(answer.send(own.map(|job| (self.followed.follow(job), bytes_max(job)))));
            }
            Command::Levels { job, since, answer } => {
                let page = self.node.job(job).map(|job| self.followed.page(job, since));
                drop(answer.send(page.unwrap_or(Page { told: Vec::new(), next: since })));
            }
            Command::Brought { job, units, answer } => {
                let best = self.node.job(job).map(|job| job.best(&units)).unwrap_or_default();
                let released = best.iter().flatten().filter(|best| best.level == Level::Released);
                let outputs: Vec<Hash> = released.filter_map(|best| best.answer.output()).collect();
                self.shelf.unseal(&outputs);
                answer.send(()).unwrap_or_default();
            }
            Command::Evidence { job, lot, answer } => {
                let evidence = self.node.job(job).map(|known| Evidence {
                    manifest: known.signed.clone(),
                    lots: known.manifest.lots(),
                    batches: self.node.evidence(job, lot).unwrap_or_default(),
                });
                drop(answer.send(evidence));
            }
            Command::Records(answer) => {
                let ledger = self.node.ledger();
                let records = ledger.records();
                let told = records.map(|(peer, record)| (peer, record, ledger.is_struck(peer)));
                drop(answer.send(told.collect()));
            }
        }
    }
}
