//! What a guest's calls work on.
use super::{
    Stop,
    descriptors::Descriptors,
    tree::{InputName, Tree},
};
use crate::{Run, STDERR_BYTES_MAX};
use blake3::OutputReader;

/// A guest's world outside its memory.
pub struct System {
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    input: Vec<u8>,
    input_taken: usize,
    output: Vec<u8>,
    output_bytes_max: u64,
    errors: Vec<u8>,
    random: Random,
    /// Time that the guest slept through; nobody waits for it.
    pub slept_ns: u64,
    /// Whether the guest said that this step is its last.
    pub done: bool,
    pub tree: Tree,
    pub descriptors: Descriptors,
}

enum Random {
    Key([u8; 32]),
    Stream(Box<OutputReader>),
}

/// A guest's fuel during a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fuel {
    pub max: u64,
    pub left: u64,
}

impl Fuel {
    /// Takes some, or all that is left if it is not enough.
    pub fn charge(&mut self, fuel: u64) -> Result<(), Stop> {
        match self.left.checked_sub(fuel) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Stop::OutOfFuel)
            }
        }
    }

    /// What was taken since the guest started.
    pub fn used(&self) -> u64 {
        self.max.saturating_sub(self.left)
    }
}

impl System {
    /// The world of a guest that has not begun, or of one step of it.
    pub fn new(run: Run, step: Option<u32>) -> Result<System, InputName> {
        Ok(System {
            args: run.args,
            env: run.env,
            input: run.input,
            input_taken: 0,
            output: Vec::new(),
            output_bytes_max: run.limits.output_bytes,
            errors: Vec::new(),
            random: Random::Key(run.random.key(step)),
            slept_ns: 0,
            done: false,
            tree: Tree::new(run.files)?,
            descriptors: Descriptors::new(),
        })
    }

    /// Standard input that was not read yet.
    pub fn input_left(&self) -> &[u8] {
        self.input.get(self.input_taken..).unwrap_or_default()
    }

    /// Marks `bytes` of standard input as read.
    pub fn take_input(&mut self, bytes: usize) {
        self.input_taken += bytes;
    }

    /// Whether `bytes` more may be written to standard output.
    pub fn check_output(&self, bytes: usize) -> Result<(), Stop> {
        match (self.output.len() + bytes) as u64 <= self.output_bytes_max {
            true => Ok(()),
            false => Err(Stop::OutputTooLarge),
        }
    }

    /// Writes to standard output.
    pub fn write_output(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.check_output(bytes.len())?;
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes to standard error; what is over the cap is dropped.
    pub fn write_errors(&mut self, bytes: &[u8]) {
        let room = STDERR_BYTES_MAX - self.errors.len();
        self.errors.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The next bytes of the guest's random stream: the keyed BLAKE3 output of nothing.
    pub fn fill_random(&mut self, bytes: &mut [u8]) {
        if let Random::Key(key) = &self.random {
            self.random = Random::Stream(Box::new(blake3::Hasher::new_keyed(key).finalize_xof()));
        }
        if let Random::Stream(stream) = &mut self.random {
            stream.fill(bytes);
        }
    }

    /// All of standard output.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What was kept of standard error.
    pub fn take_errors(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.errors)
    }
}
