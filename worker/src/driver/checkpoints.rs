//! Where stepped units of this node's have come to, so that a stop or a crash costs a second of work.
//!
//! Invariant: a checkpoint is the unit's own, or none: what is read back is checked before a unit goes
//! on from it. Losing one costs time and nothing else, so trouble with them is told and not fatal.
use crate::{
    exec::Checkpoint,
    store::{Store, StoreError},
};
use coordinator_free_scheduler::{Hash, JobId, UnitIndex};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All that are kept.
pub struct Checkpoints {
    store: Store,
    // Most units have none, and are not looked for on the disk.
    known: Mutex<BTreeSet<(JobId, UnitIndex)>>,
}

impl Checkpoints {
    /// Those of the store that are still `wanted`; the others are let go of.
    ///
    /// # Errors
    /// The disk failed.
    pub fn open(store: Store, wanted: impl Fn(JobId) -> bool) -> Result<Checkpoints, StoreError> {
        let mut known = BTreeSet::new();
        for (group, unit) in store.checkpoints()? {
            let job = JobId(Hash(group));
            match wanted(job) {
                true => drop(known.insert((job, unit))),
                false => store.drop_checkpoint(group, unit)?,
            }
        }
        Ok(Checkpoints { store, known: Mutex::new(known) })
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<(JobId, UnitIndex)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps where a unit has come to. Blocks.
    pub fn keep(&self, job: JobId, unit: UnitIndex, checkpoint: &Checkpoint) {
        let kept = postcard::to_allocvec(checkpoint).map_err(|error| error.to_string());
        let kept = kept.and_then(|bytes| {
            let put = self.store.put_checkpoint(job.0.0, unit, &bytes);
            put.map_err(|error| error.to_string())
        });
        match kept {
            Ok(()) => drop(self.known().insert((job, unit))),
            Err(why) => tracing::warn!("unit {unit} of {job:?} cannot be kept half-way: {why}"),
        }
    }

    /// Where units go on.
    pub async fn begins(
        self: &Arc<Self>,
        job: JobId,
        units: &[UnitIndex],
    ) -> Vec<Option<Checkpoint>> {
        let none = vec![None; units.len()];
        if !self.known().iter().any(|(of, _)| *of == job) {
            return none;
        }
        let (all, units) = (self.clone(), units.to_vec());
        let read = move || units.into_iter().map(|unit| all.begin(job, unit)).collect();
        tokio::task::spawn_blocking(read).await.unwrap_or(none)
    }

    fn begin(&self, job: JobId, unit: UnitIndex) -> Option<Checkpoint> {
        if !self.known().contains(&(job, unit)) {
            return None;
        }
        let bytes = self.store.checkpoint(job.0.0, unit);
        let bytes = bytes.map_err(|error| error.to_string()).transpose()?;
        let read = bytes.and_then(|bytes| {
            postcard::from_bytes::<Checkpoint>(&bytes).map_err(|error| error.to_string())
        });
        match read {
            Ok(checkpoint) if checkpoint.is_whole() => {
                let steps = checkpoint.steps.len();
                tracing::info!("unit {unit} of {job:?} goes on after step {steps}");
                Some(checkpoint)
            }
            Ok(_) => self.useless(job, unit, "it is not whole"),
            Err(why) => self.useless(job, unit, &why),
        }
    }

    fn useless(&self, job: JobId, unit: UnitIndex, why: &str) -> Option<Checkpoint> {
        tracing::warn!("unit {unit} of {job:?} begins anew; its checkpoint is none: {why}");
        self.forget(|known| *known == (job, unit));
        None
    }

    /// Lets go of some.
    pub fn forget(&self, which: impl Fn(&(JobId, UnitIndex)) -> bool) {
        let mut known = self.known();
        let gone: Vec<(JobId, UnitIndex)> =
            known.iter().filter(|one| which(one)).copied().collect();
        for (job, unit) in gone {
            known.remove(&(job, unit));
            if let Err(error) = self.store.drop_checkpoint(job.0.0, unit) {
                tracing::warn!("a checkpoint stays behind: {error}");
            }
        }
    }
}
