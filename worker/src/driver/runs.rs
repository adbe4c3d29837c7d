//! Running units: their bytes are gathered, the sandbox runs them, the scribe keeps the output.
use super::{
    assets::{AssetError, Assets},
    checkpoints::Checkpoints,
    checks,
    event::Finished,
    scribe::Scribe,
    shelf::Shelf,
    tag_of,
};
use crate::{
    audit::Seal,
    exec::{Checkpoint, Executor, Ran, Run},
    keys::Identity,
    store::StoreError,
    unit::{numbered_input, run_of},
};
use coordinator_free_scheduler::{
    Answer, Hash, JobId, Manifest, Nonce, Outcome, PeerKey, Profile, UnitEntry, UnitIndex, Units,
    Void,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// How often and by what draw a node gives a wrong answer; for demonstrations and tests.
#[derive(Clone, Copy, Debug)]
pub struct Lies {
    /// Share of units, 0 to 1.
    pub share: f64,
    /// Decides which.
    pub seed: u64,
}

/// What runs need.
#[derive(Clone)]
pub struct Runs {
    pub(super) shared: Arc<Shared>,
}

/// What they share.
pub(super) struct Shared {
    pub(super) assets: Assets,
    pub(super) executor: Arc<Executor>,
    /// Room for outputs that are being checked.
    pub(super) checks: Arc<Semaphore>,
    scribe: Scribe,
    keys: Arc<Identity>,
    shelf: Arc<Shelf>,
    checkpoints: Arc<Checkpoints>,
    lies: Option<Lies>,
    // One module is enough: jobs run one after another, and the executor keeps compiled ones.
    module: Mutex<Option<(Hash, Arc<[u8]>)>>,
}

/// A run that is under way.
struct Which {
    job: JobId,
    unit: UnitIndex,
    asked: bool,
    /// For the owner alone, who is another, if the job is audited.
    seal: Option<Arc<Seal>>,
    /// The fuel that it had used where it went on.
    begun: u64,
    /// The blob that it was given.
    input: Option<Hash>,
    /// Who may have its output before others.
    reader: Option<PeerKey>,
}

/// A run that can be started.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// The blob that it reads.
    input: Option<Hash>,
}

impl Runs {
    pub fn new(
        assets: &Assets,
        executor: Arc<Executor>,
        scribe: Scribe,
        keys: Arc<Identity>,
        shelf: Arc<Shelf>,
        checkpoints: Arc<Checkpoints>,
        lies: Option<Lies>,
    ) -> Runs {
        let (assets, module) = (assets.clone(), Mutex::new(None));
        let checks = checks::places(std::thread::available_parallelism().map_or(1, usize::from));
        let shared =
            Shared { assets, executor, checks, scribe, keys, shelf, checkpoints, lies, module };
        Runs { shared: Arc::new(shared) }
    }

    /// Starts units; each ends in the scribe's hands.
    pub fn start(&self, job: JobId, manifest: &Manifest, units: Vec<UnitIndex>) {
        self.begin(job, manifest, units, true);
    }

    /// Runs units for their outputs alone: the mind does not hear of it.
    pub fn recover(&self, job: JobId, manifest: &Manifest, units: Vec<UnitIndex>) {
        self.begin(job, manifest, units, false);
    }

    fn begin(&self, job: JobId, manifest: &Manifest, units: Vec<UnitIndex>, asked: bool) {
        let (shared, manifest) = (self.shared.clone(), manifest.clone());
        let audited = matches!(manifest.profile, Profile::Audited(_));
        tokio::spawn(async move {
            let sealed = audited && manifest.owner != shared.keys.peer();
            let seal = sealed.then(|| Seal::to_signer(&shared.keys, manifest.owner, job)).flatten();
            let seal = seal.map(Arc::new);
            let reader = sealed.then_some(manifest.owner);
            match shared.prepare(job, &manifest, &units).await {
                Ok(prepared) => {
                    for (unit, Prepared { run, input }) in units.into_iter().zip(prepared) {
                        let (done, keeps) = (shared.clone(), shared.checkpoints.clone());
                        let begun = run.begin.as_ref().map_or(0, Checkpoint::fuel);
                        let seal = seal.clone();
                        let which = Which { job, unit, asked, seal, begun, input, reader };
                        let report = move |ran| done.finish(which, ran);
                        let keep = move |at: &Checkpoint| {
                            // What is run for its output alone is decided long since.
                            if asked {
                                keeps.keep(job, unit, at.clone());
                            }
                        };
                        shared.executor.spawn_keeping(tag_of(job, unit), run, keep, report);
                    }
                }
                Err(error) => {
                    tracing::warn!("cannot run units of {job:?}: {error}");
                    // A table that is none is so everywhere; absent bytes may come yet.
                    let void = match error {
                        AssetError::Table(_) => Void::Unavailable,
                        AssetError::Absent(_) | AssetError::Store(_) | AssetError::Stopping => {
                            Void::Interrupted
                        }
                    };
                    for unit in units {
                        let (resumed, took_us) = (false, 0);
                        let (end, output) = (Err(void), None);
                        let sealed = Vec::new();
                        let finished =
                            Finished { job, unit, asked, resumed, took_us, end, sealed, output };
                        shared.scribe.finished(finished);
                    }
                }
            }
        });
    }
}

impl Shared {
    pub(super) async fn prepare(
        &self,
        job: JobId,
        manifest: &Manifest,
        units: &[UnitIndex],
    ) -> Result<Vec<Prepared>, AssetError> {
        let module = self.module(manifest).await?;
        let entries = self.assets.entries(manifest, units).await?;
        let inputs = self.inputs(manifest, units, &entries).await?;
        let begins = self.checkpoints.begins(job, units).await;
        let units = units.iter().zip(entries).zip(inputs).zip(begins);
        let prepared = units.map(|(((unit, entry), input), begin)| Prepared {
            input: entry.input,
            run: Run { begin, ..run_of(manifest, *unit, module.clone(), entry, input) },
        });
        Ok(prepared.collect())
    }

    async fn inputs(
        &self,
        manifest: &Manifest,
        units: &[UnitIndex],
        entries: &[UnitEntry],
    ) -> Result<Vec<Vec<u8>>, AssetError> {
        if let Units::Range { .. } = manifest.work.units {
            return Ok(units.iter().map(|unit| numbered_input(*unit)).collect());
        }
        let blobs: Vec<Option<Hash>> = entries.iter().map(|entry| entry.input).collect();
        let wanted = blobs.iter().flatten().copied().collect();
        self.assets.gather(wanted, &[manifest.owner]).await?;
        let read = self.assets.blocking(move |store| {
            let read = |blob: Option<Hash>| match blob {
                None => Ok((None, Some(Vec::new()))),
                Some(blob) => Ok((Some(blob), store.read_blob(blob)?)),
            };
            blobs.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()
        });
        let read = read.await?.into_iter();
        read.map(|(blob, bytes)| bytes.ok_or(AssetError::Absent(blob.unwrap_or_default())))
            .collect()
    }

    async fn module(&self, manifest: &Manifest) -> Result<Arc<[u8]>, AssetError> {
        let wanted = manifest.work.module;
        let held = || self.module.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = held().as_ref().filter(|(hash, _)| *hash == wanted) {
            return Ok(bytes.clone());
        }
        let bytes: Arc<[u8]> = self.assets.read(wanted, &[manifest.owner]).await?.into();
        *held() = Some((wanted, bytes.clone()));
        Ok(bytes)
    }

    fn finish(&self, which: Which, mut ran: Ran) {
        let Which { job, unit, asked, seal, begun, input, reader } = which;
        if asked && self.lies.is_some_and(|lies| lies.about(job, unit)) {
            lie(&mut ran);
        }
        let named = ran.end.as_ref().ok().and_then(Answer::output);
        if let Some(output) = named.filter(|_| asked) {
            self.shelf.seal(output, input, reader);
        }
        let output = named.map(|_| ran.output);
        let fuel = ran.end.as_ref().map_or(0, |answer| answer.fuel);
        let took_us = whole_time(ran.wall.as_micros() as u64, begun, fuel);
        let end = ran.end.map(|answer| (answer, nonce(&self.keys, job, unit)));
        let resumed = begun > 0;
        let sealed = match (&end, seal) {
            (Ok((answer, nonce)), Some(seal)) => seal.seal(unit, answer, nonce),
            (Ok(_), None) | (Err(_), _) => Vec::new(),
        };
        self.scribe.finished(Finished { job, unit, asked, resumed, took_us, end, sealed, output });
    }
}

/// What a unit would have taken from its start, which is what speeds are reckoned from, if it went on
/// from a checkpoint after it had used `begun` of its `fuel`.
fn whole_time(took_us: u64, begun: u64, fuel: u64) -> u64 {
    let here = fuel.saturating_sub(begun).max(1);
    (u128::from(took_us) * u128::from(fuel.max(1)) / u128::from(here)).min(u64::MAX.into()) as u64
}

impl Lies {
    fn about(&self, job: JobId, unit: UnitIndex) -> bool {
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), &job.0.0, &unit.to_le_bytes()];
        let draw = Hash::derive("dugnad 1 demonstration lie", &parts).prefix();
        (draw as f64) < self.share * u64::MAX as f64
    }
}

/// What hides this node's answer. The same after a restart, so that a unit that is run again is
/// committed to alike; `0` is the attempt, and there is but one.
fn nonce(keys: &Identity, job: JobId, unit: UnitIndex) -> Nonce {
    let mut hasher = blake3::Hasher::new_keyed(keys.commit_secret());
    hasher.update(&job.0.0).update(&unit.to_le_bytes()).update(&[0]);
    let mut nonce = Nonce::default();
    hasher.finalize_xof().fill(&mut nonce);
    nonce
}

/// Makes a wrong answer of a right one, output and all.
fn lie(ran: &mut Ran) {
    if let Ok(Answer { outcome: Outcome::Exit { digest, bytes, .. }, .. }) = &mut ran.end {
        match ran.output.first_mut() {
            Some(byte) => *byte ^= 1,
            None => ran.output.push(1),
        }
        *digest = Hash::of(&ran.output);
        *bytes = ran.output.len() as u64;
    }
}
