//! A unit run again here, for what it says on standard error.
//!
//! Peers do not send that: it is no part of an answer. What a unit does is the same wherever it runs, so
//! whoever wants to read it runs it. What it is not: a vote; the mind does not hear of it.
use super::{
    assets::AssetError,
    backend::{Handle, failed, no_such_job},
    event::Command,
    runs::{Prepared, Runs},
};
use crate::{
    api::Refusal,
    exec::{Ran, Run, RunTag},
    unit::ending,
};
use coordinator_free_scheduler::{Answer, JobId, Manifest, Outcome, UnitIndex, Void};
use dugnad_client::{BlobHash, UnitLog};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::sync::oneshot;

/// Tags of these runs: each its own, from here on; the driver's count from 0.
static TAGS: AtomicU64 = AtomicU64::new(1 << 63);

/// What is said of a unit that was run again; nothing if the job has no such unit.
pub type Rerun = Option<Result<Ran, AssetError>>;

impl Runs {
    /// Runs a unit from its first step on, beside whatever else runs here.
    pub fn rerun(
        &self,
        job: JobId,
        manifest: &Manifest,
        unit: UnitIndex,
        mut answer: oneshot::Sender<Rerun>,
    ) {
        if unit >= manifest.work.units.count() {
            return drop(answer.send(None));
        }
        let (shared, manifest) = (self.shared.clone(), manifest.clone());
        tokio::spawn(async move {
            let prepared = shared.prepare(job, &manifest, &[unit]).await.map(|mut one| one.pop());
            let run = match prepared {
                Ok(Some(Prepared { run, .. })) => Run { begin: None, ..run },
                Ok(None) => return,
                Err(error) => return drop(answer.send(Some(Err(error)))),
            };
            let (done, ended) = oneshot::channel();
            let tag = RunTag(TAGS.fetch_add(1, Relaxed));
            shared.executor.spawn(tag, run, move |ran| drop(done.send(ran)));
            tokio::select! {
                ran = ended => {
                    drop(answer.send(Some(ran.map_err(|_| AssetError::Stopping))));
                }
                // Nobody waits any more.
                () = answer.closed() => shared.executor.interrupt([tag]),
            }
        });
    }
}

impl Handle {
    /// The log of a unit of any job that this node knows.
    pub(super) async fn log_of(&self, job: JobId, unit: UnitIndex) -> Result<UnitLog, Refusal> {
        let rerun = self.ask(|answer| Command::Rerun { job, unit, answer }).await?;
        let rerun = rerun.ok_or_else(|| no_such_job(job))?.await;
        let stopping = |_| Refusal::Busy("the node is stopping".into());
        let absent = || Refusal::NotFound(format!("job {job} has no unit {unit}"));
        let ran = rerun.map_err(stopping)?.ok_or_else(absent)?.map_err(failed)?;
        match &ran.end {
            Ok(answer) => Ok(log(job, unit, answer, &ran)),
            Err(void) => Err(Refusal::Busy(not_run(*void, &ran.detail))),
        }
    }
}

fn not_run(void: Void, detail: &str) -> String {
    format!("unit could not be run here ({void:?}): {detail}")
}

fn log(job: JobId, unit: UnitIndex, answer: &Answer, ran: &Ran) -> UnitLog {
    let exit_code = match answer.outcome {
        Outcome::Exit { code, .. } => Some(code),
        Outcome::Trap(_) | Outcome::OutOfFuel | Outcome::OutputTooLarge | Outcome::Invalid(_) => {
            None
        }
    };
    UnitLog {
        job: dugnad_client::JobId(job.0.0),
        unit,
        outcome: ending(&answer.outcome),
        exit_code,
        fuel: answer.fuel,
        digest: answer.output().map(|digest| BlobHash(digest.0)),
        output_bytes: ran.output.len() as u64,
        memory_peak: ran.memory_peak_bytes,
        wall_s: ran.wall.as_secs_f64(),
        detail: ran.detail.clone(),
        stderr: String::from_utf8_lossy(&ran.stderr).into_owned(),
    }
}
