//! Answers below the release for those who ask: what is told of each unit, and its output.
//!
//! An output whose unit is not released is asked for from those alone who gave it, since its hash would
//! tell others the answer; and this node shows it to nobody until the release.
use super::{
    assets::{AssetError, Assets},
    backend::{Handle, failed},
    event::Command,
    levels::Page,
};
use crate::{
    api::{Backend, Refusal},
    unit::ending,
};
use bytes::Bytes;
use coordinator_free_scheduler as mind;
use coordinator_free_scheduler::{Best, Hash, JobId, Outcome, PeerKey, UnitIndex};
use dugnad_client::{BlobHash, JobStatus, Level, UnitLevel};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;

/// Somebody who follows a job.
pub(super) struct Follower {
    handle: Handle,
    job: JobId,
    level: Level,
    /// Outputs are no longer than this.
    bytes_max: u64,
    changes: watch::Receiver<u64>,
    statuses: watch::Receiver<JobStatus>,
    since: u64,
    /// Units of which it was told an answer.
    told: BTreeSet<UnitIndex>,
}

/// What it is told of a unit.
pub(super) type Change = (UnitLevel, Option<Best>);

impl Follower {
    pub(super) async fn new(handle: Handle, job: JobId, level: Level) -> Result<Follower, Refusal> {
        let statuses = handle.subscribe(job).await?;
        let followed = handle.ask(|answer| Command::Follow(job, answer)).await?;
        let foreign = format!("job {job} is another node's: only that knows more than is released");
        let (changes, bytes_max) = followed.ok_or(Refusal::Conflict(foreign))?;
        let told = BTreeSet::new();
        Ok(Follower { handle, job, level, bytes_max, changes, statuses, since: 0, told })
    }

    /// The next changes; none when the job has ended and all is told.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Change>>, Refusal> {
        loop {
            // What changes after this moment may be missing in the page.
            let ended = self.statuses.borrow_and_update().state.has_ended();
            let (job, since) = (self.job, self.since);
            self.changes.mark_unchanged();
            let page = self.handle.ask(|answer| Command::Levels { job, since, answer }).await?;
            let Page { told, next } = page;
            let is_last = ended && told.is_empty();
            let changes: Vec<Change> = told
                .into_iter()
                .filter_map(|(unit, best, new)| self.tell(unit, best, new))
                .collect();
            self.since = next;
            if !changes.is_empty() {
                return Ok(Some(changes));
            }
            if is_last {
                return Ok(None);
            }
            if self.since < *self.changes.borrow() || ended {
                continue;
            }
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() { return Ok(None) },
                changed = self.statuses.changed() => if changed.is_err() && !self.has_ended() {
                    return Ok(None);
                },
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.statuses.borrow().state.has_ended()
    }

    fn tell(&mut self, unit: UnitIndex, best: Option<Best>, revised: bool) -> Option<Change> {
        let best = best.filter(|best| level_of(best.level) >= self.level);
        let was_told = match &best {
            Some(_) => !self.told.insert(unit),
            None => self.told.remove(&unit),
        };
        let revised = was_told && (revised || best.is_none());
        (was_told || best.is_some()).then(|| (shown(unit, best.as_ref(), revised), best))
    }

    /// The outputs of these, where they can be had.
    pub(super) async fn outputs(
        &self,
        changes: Vec<Change>,
    ) -> Result<Vec<(UnitLevel, Option<Bytes>)>, Refusal> {
        let outputs = changes.iter().filter_map(|(_, best)| Some((success(best)?, best.as_ref()?)));
        let (released, early): (Vec<_>, Vec<_>) =
            outputs.partition(|(_, best)| best.level == mind::Level::Released);
        let assets = &self.handle.assets;
        let vouchers: Vec<PeerKey> =
            released.iter().flat_map(|(_, best)| best.by.iter().copied()).collect();
        let blobs = released.into_iter().map(|(digest, _)| digest).collect();
        assets.gather(blobs, &vouchers).await.map_err(failed)?;
        let mut by_authors: BTreeMap<Vec<PeerKey>, Vec<Hash>> = BTreeMap::new();
        for (digest, best) in early {
            by_authors.entry(best.by.clone()).or_default().push(digest);
        }
        for (authors, outputs) in by_authors {
            assets.fetch_sealed(outputs, &authors, self.bytes_max).await.map_err(failed)?;
        }
        let (job, units) = (self.job, changes.iter().map(|(told, _)| told.unit).collect());
        self.handle.ask(|answer| Command::Brought { job, units, answer }).await?;
        let read = self.handle.assets.blocking(move |store| {
            let read = |(told, best): Change| {
                let output = match success(&best) {
                    Some(digest) => store.read_blob(digest)?.map(Bytes::from),
                    None => None,
                };
                Ok((told, output))
            };
            changes.into_iter().map(read).collect()
        });
        read.await.map_err(failed)
    }
}

impl Assets {
    /// Asks those once who gave answers in confidence for their outputs; they are shown to nobody yet.
    async fn fetch_sealed(
        &self,
        outputs: Vec<Hash>,
        authors: &[PeerKey],
        bytes_max: u64,
    ) -> Result<(), AssetError> {
        let missing = self.missing(outputs).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let (shelf, sealed) = (self.shelf.clone(), missing.clone());
        self.blocking(move |_| shelf.seal_foreign(&sealed)).await?;
        // Who has it not, or is away, is not waited for.
        drop(self.net.fetch(missing, authors.to_vec(), bytes_max).await);
        Ok(())
    }
}

/// The output of an answer that went as its scientist hoped.
fn success(best: &Option<Best>) -> Option<Hash> {
    let best = best.as_ref()?;
    best.answer.outcome.is_success().then(|| best.answer.output()).flatten()
}

fn level_of(level: mind::Level) -> Level {
    match level {
        mind::Level::Reported => Level::Reported,
        mind::Level::Checked => Level::Checked,
        mind::Level::Released => Level::Released,
    }
}

fn shown(unit: UnitIndex, best: Option<&Best>, revised: bool) -> UnitLevel {
    let answer = best.map(|best| &best.answer);
    let bytes = answer.and_then(|answer| match answer.outcome {
        Outcome::Exit { bytes, .. } => Some(bytes),
        Outcome::Trap(_) | Outcome::OutOfFuel | Outcome::OutputTooLarge | Outcome::Invalid(_) => {
            None
        }
    });
    UnitLevel {
        unit,
        level: best.map(|best| level_of(best.level)),
        revised,
        outcome: answer.map(|answer| ending(&answer.outcome)),
        digest: answer.and_then(|answer| answer.output()).map(|digest| BlobHash(digest.0)),
        bytes,
        fuel: answer.map(|answer| answer.fuel),
    }
}
