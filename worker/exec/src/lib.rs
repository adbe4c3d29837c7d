//! The sandbox: one unit in, one outcome out, the same on every machine.
//!
//! What goes in ([`Run`]) and what comes out ([`Ran`]) are plain bytes and numbers, so that a child
//! process can carry them. Inside, a guest has its own memory, an in-memory file table, a clock that
//! advances with fuel and a seeded random stream; it sees nothing of the host.
//!
//! Invariant: whatever the guest does, `Ran::end` is `Ok` only with an answer that every other
//! machine gives too; what this host alone is to blame for is a [`Void`].
//!
//! What it is not: it does not know jobs, peers or files of the host.
mod anatomy;
pub mod cell;
mod check;
mod engine;
mod executor;
mod facts;
mod guest;
mod loaded;
pub mod pass;
mod sandbox;
mod steps;
#[cfg(test)]
mod tests;
mod wasi;
mod wire;

use coordinator_free_scheduler::{
    Answer, Hash, Outcome, PeerKey, RunLimits, Step, UnitIndex, Void,
};
use loaded::Unfit;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

pub use anatomy::Anatomy;
pub use engine::{Backend, SetupError};
pub use executor::{Executor, Program, Setup};
pub use facts::{Facts, Kind, Refusal};
pub use sandbox::Sandbox;
pub use steps::Checkpoint;
pub use wasi::input_name;

/// One unit to be run.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Run {
    /// The wasm module.
    #[serde(skip)]
    pub module: Arc<[u8]>,
    /// The BLAKE3 of `module`.
    #[serde(skip)]
    pub module_hash: Hash,
    /// Whose work it is. What one owner's guest does to its process meets no other owner's guests.
    #[serde(skip)]
    pub owner: PeerKey,
    /// Standard input, or the input of a plain unit.
    pub input: Vec<u8>,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// What the guest's random stream is drawn from.
    pub random: Seed,
    /// Read-only files under `/input`; names as [`input_name`] allows them.
    #[serde(with = "files")]
    pub files: Vec<File>,
    /// What the run may use.
    pub limits: RunLimits,
    /// Where a stepped unit goes on; it begins with its input where there is none.
    pub begin: Option<Checkpoint>,
    /// After how many steps a stepped unit is left as it is, if before its end.
    pub steps_max: Option<u32>,
    /// An output: it is not made, but checked by the module's own `verify`, which says that it is right by
    /// exit code 0.
    pub check: Option<Vec<u8>>,
}

impl Run {
    /// A run of a module on nothing: no input, no arguments, the random stream of unit 0 and seed 0.
    pub fn new(module: impl Into<Arc<[u8]>>, limits: RunLimits) -> Run {
        let module = module.into();
        Run {
            module_hash: Hash::of(&module),
            module,
            owner: PeerKey::default(),
            input: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            random: Seed::default(),
            files: Vec::new(),
            limits,
            begin: None,
            steps_max: None,
            check: None,
        }
    }
}

/// What a run came to.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Ran {
    /// The answer that is voted on, or why there is none.
    pub end: Result<Answer, Void>,
    /// What the guest wrote up to its end. Only an `Exit` vouches for it.
    pub output: Vec<u8>,
    /// The first [`STDERR_BYTES_MAX`] bytes of its standard error; never voted on.
    pub stderr: Vec<u8>,
    /// The largest linear memory it had.
    pub memory_peak_bytes: u64,
    /// How long it ran, without the compiling.
    pub wall: Duration,
    /// More about the end, for people; empty after a plain exit.
    pub detail: String,
    /// The steps of a stepped unit. Another process sends them one by one.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

/// Names runs that are interrupted together; the driver gives each unit one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunTag(pub u64);

/// Bytes of standard error that are kept; the guest may write more, it goes nowhere.
pub const STDERR_BYTES_MAX: usize = 64 << 10;

/// Runs one module on one input, with nothing of a grid: as merging does.
///
/// # Errors
/// The engine does not start.
pub fn run_once(module: &[u8], input: Vec<u8>, limits: RunLimits) -> Result<Ran, SetupError> {
    let run = Run { input, ..Run::new(module, limits) };
    Ok(Sandbox::new(Backend::default())?.run(run))
}

/// What a unit's random stream is drawn from, the same whoever runs it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct Seed {
    /// The job's.
    pub job: u64,
    /// The unit.
    pub unit: UnitIndex,
}

impl Seed {
    /// The key of the stream. Each step of a stepped unit has one of its own.
    pub fn key(self, step: Option<u32>) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"dugnad-random");
        hasher.update(&self.job.to_le_bytes()).update(&self.unit.to_le_bytes());
        if let Some(step) = step {
            hasher.update(&step.to_le_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

/// A name and what is under it.
pub type File = (String, Arc<[u8]>);

/// Files as they are sent: their bytes, whoever shares them.
mod files {
    use super::File;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(files: &[File], to: S) -> Result<S::Ok, S::Error> {
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, file)| (&**name, &**file)).collect();
        files.serialize(to)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<File>, D::Error> {
        let files = Vec::<(String, Vec<u8>)>::deserialize(from)?;
        Ok(files.into_iter().map(|(name, file)| (name, file.into())).collect())
    }
}

impl Ran {
    /// A run of which nothing came because of its module.
    fn unfit(unfit: &Unfit) -> Ran {
        match unfit {
            Unfit::Refused(refusal) => {
                let outcome = Outcome::Invalid(refusal.reason.clone());
                Ran::without_guest(Ok(Answer::new(outcome, 0)), refusal.detail.clone())
            }
            Unfit::Failed(void, why) => Ran::without_guest(Err(*void), why.clone()),
        }
    }

    /// A run that nobody waits for any more.
    fn interrupted() -> Ran {
        Ran::without_guest(Err(Void::Interrupted), "the run was interrupted".into())
    }

    /// A run that ended before there was a guest.
    fn without_guest(end: Result<Answer, Void>, detail: String) -> Ran {
        let nothing = Vec::new();
        Ran {
            end,
            output: nothing.clone(),
            stderr: nothing,
            memory_peak_bytes: 0,
            wall: Duration::ZERO,
            detail,
            steps: Vec::new(),
        }
    }
}
