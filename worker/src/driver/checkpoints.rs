//! Where stepped units of this node's have come to, so that a stop or a crash costs little work.
//!
//! Invariant: a checkpoint is the unit's own, or none: a seal is checked before a unit goes on from
//! it. Losing one costs time and nothing else, so trouble with them is told and not fatal. A thread of
//! its own writes and removes files; of each unit only the newest waits for it.
use crate::{
    exec::Checkpoint,
    store::{CHECKPOINTS_MAX, Store},
};
use coordinator_free_scheduler::{Hash, JobId, UnitIndex};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// A unit of a job.
type Which = (JobId, UnitIndex);

/// All that are kept. The thread ends with the last handle that is not its own.
pub struct Checkpoints {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    // Most units have none, and are not looked for on the disk.
    known: BTreeSet<Which>,
    /// To be written, or removed; at most one for each of the known.
    waiting: BTreeMap<Which, Option<Checkpoint>>,
    ended: bool,
}

impl Checkpoints {
    /// Those of the store that are still `wanted`; the others are let go of.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn open(store: Store, wanted: impl Fn(JobId) -> bool) -> io::Result<Checkpoints> {
        let mut state = State::default();
        for (group, unit) in store.checkpoints().unwrap_or_else(|error| {
            tracing::warn!("stepped units begin anew: {error}");
            Vec::new()
        }) {
            let which = (JobId(Hash(group)), unit);
            match wanted(which.0) {
                true => drop(state.known.insert(which)),
                false => drop(state.waiting.insert(which, None)),
            }
        }
        let shared = Shared { store, state: Mutex::new(state), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let own = shared.clone();
        std::thread::Builder::new().name("checkpoints".into()).spawn(move || own.work())?;
        Ok(Checkpoints { shared })
    }

    /// Keeps where a unit has come to.
    pub fn keep(&self, job: JobId, unit: UnitIndex, checkpoint: Checkpoint) {
        let mut state = self.shared.state();
        let which = (job, unit);
        if state.known.len() >= CHECKPOINTS_MAX && !state.known.contains(&which) {
            // The store lets go of the oldest; which that was is found out when it is looked for.
            state.known.pop_first();
        }
        state.known.insert(which);
        state.waiting.insert(which, Some(checkpoint));
        self.shared.changed.notify_one();
    }

    /// Where units go on.
    pub async fn begins(&self, job: JobId, units: &[UnitIndex]) -> Vec<Option<Checkpoint>> {
        let none = vec![None; units.len()];
        if !self.shared.state().known.iter().any(|(of, _)| *of == job) {
            return none;
        }
        let (shared, units) = (self.shared.clone(), units.to_vec());
        let read = move || units.into_iter().map(|unit| shared.begin((job, unit))).collect();
        tokio::task::spawn_blocking(read).await.unwrap_or(none)
    }

    /// Whether anything is kept of a unit.
    pub fn have(&self, job: JobId, unit: UnitIndex) -> bool {
        self.shared.state().known.contains(&(job, unit))
    }

    /// Lets go of what is kept of a unit.
    pub fn forget(&self, job: JobId, unit: UnitIndex) {
        self.forget_all(&[(job, unit)]);
    }

    /// Lets go of what is kept of a job.
    pub fn forget_job(&self, job: JobId) {
        let known = self.shared.state().known.clone();
        let gone: Vec<Which> = known.into_iter().filter(|(of, _)| *of == job).collect();
        self.forget_all(&gone);
    }

    fn forget_all(&self, gone: &[Which]) {
        let mut state = self.shared.state();
        for which in gone {
            if state.known.remove(which) {
                state.waiting.insert(*which, None);
                self.shared.changed.notify_one();
            }
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and removes what waits, until nothing does and nobody is left.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some((which, checkpoint)) = state.waiting.pop_first() {
                drop(state);
                self.settle(which, checkpoint.as_ref());
                state = self.state();
            } else if state.ended {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn settle(&self, which: Which, checkpoint: Option<&Checkpoint>) {
        let (group, unit) = (which.0.0.0, which.1);
        let settled = match checkpoint {
            None => self.store.drop_checkpoint(group, unit).map_err(|error| error.to_string()),
            Some(checkpoint) => {
                let sealed = checkpoint.sealed(&name(which)).map_err(|error| error.to_string());
                sealed.and_then(|bytes| {
                    let put = self.store.put_checkpoint(group, unit, &bytes);
                    put.map_err(|error| error.to_string())
                })
            }
        };
        if let Err(why) = settled {
            tracing::warn!("where unit {unit} of {:?} has come to is not kept: {why}", which.0);
        }
    }

    fn begin(&self, which: Which) -> Option<Checkpoint> {
        if !self.state().known.contains(&which) {
            return None;
        }
        let (job, unit) = which;
        let bytes = self.store.checkpoint(job.0.0, unit).map_err(|error| error.to_string());
        let read = bytes
            .transpose()?
            .and_then(|bytes| Checkpoint::unsealed(&bytes, &name(which)).map_err(str::to_owned));
        match &read {
            Ok(checkpoint) => {
                let steps = checkpoint.steps.len();
                tracing::info!("unit {unit} of {job:?} goes on after step {steps}");
            }
            Err(why) => tracing::warn!("unit {unit} of {job:?} begins anew: {why}"),
        }
        read.ok()
    }
}

/// What a checkpoint is sealed with.
fn name((job, unit): Which) -> Vec<u8> {
    [&job.0.0[..], &unit.to_le_bytes()].concat()
}
