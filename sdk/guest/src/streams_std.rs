//! Standard streams where std is: natively and on `wasm32-wasip1`.
use alloc::vec::Vec;
use core::fmt;
use std::io::{Read, Write};

/// A standard stream failed.
#[derive(Debug)]
pub struct StreamError(std::io::Error);

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a standard stream failed: {}", self.0)
    }
}

impl core::error::Error for StreamError {}

/// All of standard input: the unit's input.
///
/// # Errors
/// The stream failed.
pub fn stdin_bytes() -> Result<Vec<u8>, StreamError> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(StreamError)?;
    Ok(bytes)
}

/// Writes to standard output: the unit's output.
///
/// # Errors
/// The stream failed, or the output grew over the job's limit.
pub fn write_stdout(bytes: &[u8]) -> Result<(), StreamError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(StreamError)
}

/// Writes to standard error: for people, never part of the outcome.
///
/// # Errors
/// The stream failed.
pub fn write_stderr(bytes: &[u8]) -> Result<(), StreamError> {
    std::io::stderr().lock().write_all(bytes).map_err(StreamError)
}

/// Says how far the unit is: `done` of `total`, in any measure. Does nothing natively.
pub fn progress(done: u64, total: u64) {
    #[cfg(target_arch = "wasm32")]
    {
        #[link(wasm_import_module = "dugnad")]
        unsafe extern "C" {
            #[link_name = "progress"]
            safe fn host_progress(done: i64, total: i64);
        }
        host_progress(done as i64, total as i64);
    }
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (done, total);
}

/// A program of its own takes all steps at once, and says nothing of them.
pub(crate) fn done() {}

pub(crate) fn exit(code: i32) {
    std::process::exit(code)
}
