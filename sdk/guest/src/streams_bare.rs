//! Standard streams without std: the three calls of `wasi_snapshot_preview1` that a filter needs.
//!
//! The only unsafe code of the crate besides plain units: each call gets pointers into live memory.
use alloc::vec::Vec;
use core::fmt;

/// Bytes asked for at first; the buffer doubles from there.
const READ_BYTES_FIRST: usize = 64 << 10;

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// A buffer of the guest, as WASI takes it: `iovec` and `ciovec` are the same two words.
#[repr(C)]
struct Buffer {
    start: *const u8,
    bytes: usize,
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn fd_read(fd: u32, buffers: *const Buffer, count: usize, read: *mut usize) -> u16;
    fn fd_write(fd: u32, buffers: *const Buffer, count: usize, written: *mut usize) -> u16;
    safe fn proc_exit(code: u32) -> !;
}

#[link(wasm_import_module = "dugnad")]
unsafe extern "C" {
    #[link_name = "progress"]
    safe fn host_progress(done: i64, total: i64);
    #[link_name = "done"]
    safe fn host_done();
}

/// A standard stream failed; the WASI error number.
#[derive(Debug)]
pub struct StreamError(u16);

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a standard stream failed: WASI error {}", self.0)
    }
}

impl core::error::Error for StreamError {}

fn checked(errno: u16) -> Result<(), StreamError> {
    match errno {
        0 => Ok(()),
        errno => Err(StreamError(errno)),
    }
}

/// All of standard input: the unit's input.
///
/// # Errors
/// The stream failed.
pub fn stdin_bytes() -> Result<Vec<u8>, StreamError> {
    let mut bytes = Vec::with_capacity(READ_BYTES_FIRST);
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.len());
        }
        let space = bytes.spare_capacity_mut();
        let buffer = Buffer { start: space.as_ptr().cast(), bytes: space.len() };
        let mut read = 0;
        // SAFETY: the buffer is the vector's own spare room.
        checked(unsafe { fd_read(STDIN, &buffer, 1, &mut read) })?;
        if read == 0 {
            return Ok(bytes);
        }
        // SAFETY: the host has written `read` bytes there, never more than it was offered.
        unsafe { bytes.set_len(bytes.len() + read.min(buffer.bytes)) };
    }
}

fn write_all(fd: u32, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let buffer = Buffer { start: bytes.as_ptr(), bytes: bytes.len() };
        let mut written = 0;
        // SAFETY: the buffer is the slice, and the host only reads it.
        checked(unsafe { fd_write(fd, &buffer, 1, &mut written) })?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Writes to standard output: the unit's output.
///
/// # Errors
/// The stream failed, or the output grew over the job's limit.
pub fn write_stdout(bytes: &[u8]) -> Result<(), StreamError> {
    write_all(STDOUT, bytes)
}

/// Writes to standard error: for people, never part of the outcome.
///
/// # Errors
/// The stream failed.
pub fn write_stderr(bytes: &[u8]) -> Result<(), StreamError> {
    write_all(STDERR, bytes)
}

/// Says how far the unit is: `done` of `total`, in any measure.
pub fn progress(done: u64, total: u64) {
    host_progress(done as i64, total as i64);
}

/// Says that this step's output is the unit's.
pub(crate) fn done() {
    host_done();
}

pub(crate) fn exit(code: i32) {
    proc_exit(code as u32)
}
