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
mod engine;
mod executor;
mod facts;
mod guest;
mod modules;
pub mod pass;
mod sandbox;
#[cfg(test)]
mod tests;
mod wasi;

use coordinator_free_scheduler::{Answer, Hash, RunLimits, UnitIndex, Void};
use std::{sync::Arc, time::Duration};

pub use anatomy::Anatomy;
pub use engine::{Backend, SetupError};
pub use executor::Executor;
pub use wasi::input_name;

/// One unit to be run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The wasm module.
    pub module: Arc<[u8]>,
    /// The BLAKE3 of `module`.
    pub module_hash: Hash,
    /// Standard input, or the input of a plain unit.
    pub input: Vec<u8>,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// The seed of the guest's random stream, see [`random_seed`].
    pub random: [u8; 32],
    /// Read-only files under `/input`; names as [`input_name`] allows them.
    pub files: Vec<(String, Arc<[u8]>)>,
    /// What the run may use.
    pub limits: RunLimits,
}

/// What a run came to.
#[derive(Clone, Debug)]
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
    let run = Run {
        module_hash: Hash::of(module),
        module: module.into(),
        input,
        args: Vec::new(),
        env: Vec::new(),
        random: random_seed(0, 0),
        files: Vec::new(),
        limits,
    };
    Ok(Executor::new(1, Backend::default())?.run(run))
}

/// The seed of a unit's random stream, the same whoever runs it.
pub fn random_seed(seed: u64, unit: UnitIndex) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"dugnad-random").update(&seed.to_le_bytes()).update(&unit.to_le_bytes());
    *hasher.finalize().as_bytes()
}

impl Ran {
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
        }
    }
}
