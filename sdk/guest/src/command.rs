//! WASI commands: read standard input, work, write standard output, end with a code.
//!
//! Output is written once, at the end and only on success, so a failed unit has no half output.
use crate::{StreamError, stdin_bytes, write_stderr, write_stdout};
use alloc::{format, vec::Vec};
use core::fmt::{self, Display};
use serde::{Serialize, de::DeserializeOwned};

/// How a command ended; becomes its exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "hand it to `exit`, or the failure is lost"]
pub enum Ended {
    /// Exit code 0.
    Well,
    /// Exit code 1; the reason stands on standard error.
    Failed,
}

/// Why a command failed.
#[derive(Debug)]
pub enum RunError<E> {
    /// A standard stream could not be used.
    Stream(StreamError),
    /// The input is not the postcard form of the type the task takes.
    Input(postcard::Error),
    /// The output has no postcard form.
    Output(postcard::Error),
    /// The input is not the JSON of the type the task takes.
    JsonInput(serde_json::Error),
    /// The output has no JSON form.
    JsonOutput(serde_json::Error),
    /// The task itself said no.
    Task(E),
}

impl<E> From<StreamError> for RunError<E> {
    fn from(error: StreamError) -> Self {
        RunError::Stream(error)
    }
}

impl<E: Display> Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Stream(error) => write!(f, "{error}"),
            RunError::Input(error) => {
                write!(f, "standard input is not what this task takes: {error}")
            }
            RunError::JsonInput(error) => {
                write!(f, "standard input is not the JSON that this task takes: {error}")
            }
            RunError::Output(error) => write!(f, "the output cannot be encoded: {error}"),
            RunError::JsonOutput(error) => write!(f, "the output cannot be encoded: {error}"),
            RunError::Task(error) => write!(f, "{error}"),
        }
    }
}

/// Runs `task` from postcard on standard input to postcard on standard output.
pub fn run<In, Out, E>(task: impl FnOnce(In) -> Result<Out, E>) -> Ended
where
    In: DeserializeOwned,
    Out: Serialize,
    E: Display,
{
    report(run_through(|input| {
        let input = postcard::from_bytes(&input).map_err(RunError::Input)?;
        let output = task(input).map_err(RunError::Task)?;
        postcard::to_allocvec(&output).map_err(RunError::Output)
    }))
}

/// Runs `task` from JSON on standard input to a line of JSON on standard output.
///
/// Numbers that JSON does not know, infinities and NaN, are written as `null`.
pub fn run_json<In, Out, E>(task: impl FnOnce(In) -> Result<Out, E>) -> Ended
where
    In: DeserializeOwned,
    Out: Serialize,
    E: Display,
{
    report(run_through(|input| {
        let input = serde_json::from_slice(&input).map_err(RunError::JsonInput)?;
        let output = task(input).map_err(RunError::Task)?;
        let mut line = serde_json::to_vec(&output).map_err(RunError::JsonOutput)?;
        line.push(b'\n');
        Ok(line)
    }))
}

/// Runs `task` from the bytes of standard input to the bytes of standard output.
pub fn run_bytes<E: Display>(task: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, E>) -> Ended {
    report(run_through(|input| task(input).map_err(RunError::Task)))
}

/// Checks an output by a function from input and output to whether that is right;
/// [`verify!`](crate::verify!) calls it.
pub fn run_verify(check: impl FnOnce(&[u8], &[u8]) -> bool) -> Ended {
    let checked = stdin_bytes().map_err(RunError::Stream).and_then(|framed| {
        let cut = framed.split_first_chunk().and_then(|(length, rest)| {
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            rest.split_at_checked(length)
        });
        match cut {
            Some((input, output)) if check(input, output) => Ok(()),
            Some(_) => Err(RunError::Task("the output is wrong")),
            None => Err(RunError::Task("standard input is no input with its output")),
        }
    });
    report(checked)
}

pub(crate) fn run_through<E>(
    task: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, RunError<E>>,
) -> Result<(), RunError<E>> {
    let output = task(stdin_bytes()?)?;
    Ok(write_stdout(&output)?)
}

pub(crate) fn report<E: Display>(done: Result<(), RunError<E>>) -> Ended {
    match done {
        Ok(()) => Ended::Well,
        Err(error) => {
            // Where even standard error is closed, the exit code still tells.
            let _ = write_stderr(format!("{error}\n").as_bytes());
            Ended::Failed
        }
    }
}

/// Ends the program; [`command!`](crate::command!) calls it.
pub fn exit(ended: Ended) {
    match ended {
        Ended::Well => {}
        Ended::Failed => crate::streams::exit(1),
    }
}

/// What a program without std brings along: an allocator, and a word on standard error at a panic.
#[doc(hidden)]
#[macro_export]
macro_rules! bare_program {
    () => {
        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        mod dugnad_bare {
            #[global_allocator]
            static ALLOCATOR: $crate::bare::Allocator = $crate::bare::Allocator;

            #[panic_handler]
            fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
                $crate::bare::say_panic(info);
                core::arch::wasm32::unreachable()
            }
        }
    };
}

/// Makes an expression of type [`Ended`] the program: `_start` in a module without std, else `main`.
///
/// The file needs `#![cfg_attr(target_os = "unknown", no_std, no_main)]`.
#[macro_export]
macro_rules! command {
    ($run:expr) => {
        $crate::bare_program!();

        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        #[unsafe(no_mangle)]
        extern "C" fn _start() {
            $crate::exit($run)
        }

        #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
        fn main() {
            $crate::exit($run)
        }
    };
}

/// Has a command or stepped unit check outputs, for the profile `checked`, by a function from input and
/// output to whether that is right. It should be much cheaper than the unit, and must take nothing else.
#[macro_export]
macro_rules! verify {
    ($check:expr) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn verify() {
            $crate::exit($crate::run_verify($check))
        }
    };
}
