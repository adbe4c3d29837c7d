//! Stepped units: long work cut into steps, each a run of its own from the state that the last one
//! left. The node keeps the state, so that nothing is lost when it stops; another one may go on, and
//! a dispute is settled by one step run again.
//!
//! ```no_run
//! #![cfg_attr(target_os = "unknown", no_std, no_main)]
//! use dugnad_guest::stepped::{Next, Never};
//!
//! fn init(input: Vec<u8>) -> Result<u64, Never> {
//!     Ok(input.len() as u64)
//! }
//!
//! fn step(state: u64, number: u64) -> Result<Next<u64, u64>, Never> {
//!     Ok(if number < 100 { Next::State(state.wrapping_mul(3) + number) } else { Next::Done(state) })
//! }
//!
//! dugnad_guest::stepped!(init, step);
//! # extern crate alloc;
//! # use alloc::vec::Vec;
//! ```
//!
//! A state holds all that the next step needs; what a step leaves in memory is gone. A step should take
//! a second or so: each costs a fresh instance and the bytes of two states.
use crate::{
    Ended, RunError,
    command::{report, run_through},
    streams,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Display;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The error of what never fails.
pub use core::convert::Infallible as Never;

/// What a step makes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Next<State, Out> {
    /// The state from which the next step goes on.
    State(State),
    /// The unit's output: this was the last step.
    Done(Out),
}

/// Makes the first state, in postcard on standard output, of the bytes on standard input.
/// [`stepped!`](crate::stepped!) calls it.
pub fn run_init<State: Serialize, E: Display>(
    init: impl FnOnce(Vec<u8>) -> Result<State, E>,
) -> Ended {
    report(run_through(|input| {
        let state = init(input).map_err(RunError::Task)?;
        postcard::to_allocvec(&state).map_err(RunError::Output)
    }))
}

/// Takes the step `number` from the state on standard input. [`stepped!`](crate::stepped!) calls it.
pub fn run_step<State, Out, E>(
    step: impl FnOnce(State, u64) -> Result<Next<State, Out>, E>,
    number: u64,
) -> Ended
where
    State: Serialize + DeserializeOwned,
    Out: Serialize,
    E: Display,
{
    report(run_through(|state| {
        let state = postcard::from_bytes(&state).map_err(RunError::Input)?;
        match step(state, number).map_err(RunError::Task)? {
            Next::State(state) => postcard::to_allocvec(&state),
            Next::Done(output) => {
                streams::done();
                postcard::to_allocvec(&output)
            }
        }
        .map_err(RunError::Output)
    }))
}

/// Takes all steps, one after the other; answers the output.
///
/// # Errors
/// What `init` or a step said, in words.
pub fn take_all<State, Out, E: Display, F: Display>(
    init: impl FnOnce(Vec<u8>) -> Result<State, E>,
    step: impl Fn(State, u64) -> Result<Next<State, Out>, F>,
    input: Vec<u8>,
) -> Result<Out, String> {
    let mut state = init(input).map_err(|error| error.to_string())?;
    let mut number = 1;
    loop {
        match step(state, number).map_err(|error| error.to_string())? {
            Next::State(next) => state = next,
            Next::Done(output) => return Ok(output),
        }
        number += 1;
    }
}

/// The same from the bytes on standard input to the output on standard output: what a stepped unit is
/// where there is no grid.
pub fn run_all<State, Out: Serialize, E: Display, F: Display>(
    init: impl FnOnce(Vec<u8>) -> Result<State, E>,
    step: impl Fn(State, u64) -> Result<Next<State, Out>, F>,
) -> Ended {
    report(run_through(|input| {
        let output = take_all(init, step, input).map_err(RunError::Task)?;
        postcard::to_allocvec(&output).map_err(RunError::Output)
    }))
}

/// Makes two functions a stepped unit: `init`, from the input's bytes to a state, and `step`, from a
/// state and the step's number (from 1) to [`Next`]. States and output travel as postcard.
///
/// The file needs `#![cfg_attr(target_os = "unknown", no_std, no_main)]`. Built for
/// `wasm32-unknown-unknown` it is a stepped module; natively, and with std for WASI, a program that
/// takes all steps.
#[macro_export]
macro_rules! stepped {
    ($init:expr, $step:expr) => {
        $crate::bare_program!();

        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        #[unsafe(no_mangle)]
        extern "C" fn init() {
            $crate::exit($crate::stepped::run_init($init))
        }

        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        #[unsafe(no_mangle)]
        extern "C" fn step(number: u64) {
            $crate::exit($crate::stepped::run_step($step, number))
        }

        #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
        fn main() {
            $crate::exit($crate::stepped::run_all($init, $step))
        }
    };
}
