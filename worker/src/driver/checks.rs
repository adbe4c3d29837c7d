//! Answers to this node's own checked jobs, looked at by the module's own `verify`.
//!
//! What has no output to look at, since it trapped or failed, is computed again. What it is not: a part
//! of the slots that the mind fills; checks are short, by the design of the job.
use super::{
    assets::AssetError,
    event::Event,
    runs::{Prepared, Runs, Shared},
};
use crate::exec::{Run, RunTag};
use coordinator_free_scheduler::{
    Answer, Hash, JobId, Manifest, Outcome, PeerKey, UnitIndex, Void,
};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc::UnboundedSender, oneshot};

/// Outputs that are held at a time to be checked, for each core.
const CHECKS_A_CORE: usize = 4;
/// Checks are not interrupted.
const CHECK_TAG: RunTag = RunTag(u64::MAX);

/// Room for checks on a machine with so many cores.
pub fn places(cores: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CHECKS_A_CORE * cores.max(1)))
}

impl Runs {
    /// Checks answers; each ends as an [`Event::Checked`].
    pub fn check(
        &self,
        job: JobId,
        manifest: &Manifest,
        answers: Vec<(UnitIndex, PeerKey, Answer)>,
        events: &UnboundedSender<Event>,
    ) {
        let (shared, manifest) = (self.shared.clone(), Arc::new(manifest.clone()));
        let events = events.clone();
        tokio::spawn(async move {
            // All at once; who has not sent its output by then is asked again, each by itself.
            let outputs: Vec<Hash> = answers.iter().filter_map(|(.., one)| one.output()).collect();
            let authors: Vec<PeerKey> = answers.iter().map(|(_, peer, _)| *peer).collect();
            if let Ok(absent) = shared.assets.missing(outputs).await {
                shared.assets.fetch(absent, &authors).await;
            }
            for (unit, peer, answer) in answers {
                let Ok(place) = shared.checks.clone().acquire_owned().await else { return };
                let (shared, manifest, events) = (shared.clone(), manifest.clone(), events.clone());
                tokio::spawn(async move {
                    let right = shared.is_right(job, &manifest, unit, peer, answer).await;
                    drop(events.send(Event::Checked { job, unit, peer, right }));
                    drop(place);
                });
            }
        });
    }
}

impl Shared {
    async fn is_right(
        &self,
        job: JobId,
        manifest: &Manifest,
        unit: UnitIndex,
        peer: PeerKey,
        answer: Answer,
    ) -> Result<bool, Void> {
        // Fuel is taken on trust, but not more of it than the job allows.
        if answer.fuel > manifest.work.limits.fuel {
            return Ok(false);
        }
        let output = match answer.outcome {
            Outcome::Exit { code: 0, digest, bytes } => {
                let output = self.assets.read(digest, &[peer]).await.map_err(void)?;
                if output.len() as u64 != bytes {
                    return Ok(false);
                }
                Some(output)
            }
            _ => None,
        };
        let prepared = self.prepare(job, manifest, &[unit]).await.map_err(void)?.pop();
        let Some(Prepared { run, .. }) = prepared else { return Err(Void::Unavailable) };
        let checks = output.is_some();
        let run = Run { check: output, begin: None, ..run };
        let (done, ended) = oneshot::channel();
        self.executor.spawn(CHECK_TAG, run, move |ran| drop(done.send(ran)));
        let end = ended.await.map_err(|_| Void::Interrupted)?.end?;
        match end.outcome {
            _ if !checks => Ok(end == answer),
            Outcome::Exit { code, .. } => Ok(code == 0),
            // The check itself failed: that says nothing of whose answer it was.
            _ => Err(Void::Unavailable),
        }
    }
}

/// What nobody has may be computed again; all else is this host's own trouble.
fn void(error: AssetError) -> Void {
    match error {
        AssetError::Absent(_) | AssetError::Table(_) => Void::Unavailable,
        AssetError::Store(_) | AssetError::Stopping => Void::Interrupted,
    }
}
