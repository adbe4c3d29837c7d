//! What a run of a unit comes to, and the commitment to it that is published before it.
//!
//! Everything in an [`Outcome`] is bit-for-bit equal on every honest machine, so it may be voted on;
//! what depends on the host is a [`Void`] and is never voted.
use crate::{Hash, JobId, PeerKey, Trace, UnitIndex};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// The deterministic end of a run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub enum Outcome {
    /// The guest ended by itself.
    Exit {
        /// Its exit code, 0 for success.
        code: u32,
        /// BLAKE3 of all it wrote to standard output.
        digest: Hash,
        /// How many bytes that was.
        bytes: u64,
    },
    /// The guest did what wasm forbids.
    Trap(TrapClass),
    /// The guest used up its fuel.
    OutOfFuel,
    /// The guest wrote more than the manifest's `output_bytes`.
    OutputTooLarge,
    /// The module cannot be run under the contract at all, on any machine.
    Invalid(InvalidReason),
}

impl Outcome {
    /// Whether this is what its scientist hoped for.
    pub fn is_success(&self) -> bool {
        matches!(self, Outcome::Exit { code: 0, .. })
    }
}

/// The class of a trap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub enum TrapClass {
    /// `unreachable` was reached (a panic, an abort).
    Unreachable,
    /// A memory access out of bounds.
    MemoryOutOfBounds,
    /// A table access out of bounds.
    TableOutOfBounds,
    /// A call through a null table entry.
    IndirectCallToNull,
    /// A call through a table entry of another type.
    BadSignature,
    /// Integer overflow.
    IntegerOverflow,
    /// Integer division by zero.
    IntegerDivisionByZero,
    /// A float with no integer value was converted to one.
    BadConversionToInteger,
    /// Calls nested too deeply.
    StackOverflow,
    /// Any other trap of the wasm standard.
    Other,
}

/// Why a module can be run nowhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub enum InvalidReason {
    /// Not a WebAssembly module, or one with features outside the contract.
    Malformed,
    /// An import that the contract does not have: `module.name`, at most [`IMPORT_NAME_MAX`] bytes.
    ForbiddenImport(String),
    /// Neither a WASI command (`_start`) nor a plain unit (`memory`, `alloc`, `run`).
    NoEntryPoint,
    /// Larger than a named limit allows (memory at start, tables, functions, module bytes).
    TooLarge,
}

/// Longest forbidden import name that an outcome carries; longer ones are cut there.
pub const IMPORT_NAME_MAX: usize = 128;

/// Why a host could not run a unit. Stated, never voted; nobody is blamed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub enum Void {
    /// The host had not the memory that the manifest allows.
    HostMemory,
    /// The host stopped the run.
    Interrupted,
    /// The module, the input or the unit table could not be had.
    Unavailable,
    /// The host's compiler or engine failed.
    Engine,
}

/// What is voted on: the outcome and the fuel it took.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// Instructions charged up to there.
    pub fuel: u64,
    /// The course of a stepped unit; none of any other.
    pub trace: Option<Trace>,
}

impl Answer {
    /// The answer of a unit without steps.
    pub fn new(outcome: Outcome, fuel: u64) -> Answer {
        Answer { outcome, fuel, trace: None }
    }

    /// The blob of its output, if the unit ended by itself.
    pub fn output(&self) -> Option<Hash> {
        match &self.outcome {
            Outcome::Exit { digest, .. } => Some(*digest),
            Outcome::Trap(_)
            | Outcome::OutOfFuel
            | Outcome::OutputTooLarge
            | Outcome::Invalid(_) => None,
        }
    }
}

/// What hides an answer until it is opened; 128 bits are past guessing.
pub type Nonce = [u8; 16];

/// The hash that a peer publishes before its answer. Author, job and unit are part of it, so one
/// peer's commitment is worth nothing in the hands of another.
pub fn commitment(
    job: JobId,
    unit: UnitIndex,
    author: PeerKey,
    answer: &Answer,
    nonce: &Nonce,
) -> Hash {
    let bytes: Vec<u8> = postcard::to_allocvec(answer).unwrap_or_default();
    Hash::derive("dugnad 1 commit", &[&job.0.0, &unit.to_le_bytes(), &author.0, nonce, &bytes])
}
