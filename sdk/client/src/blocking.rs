//! A stream of bytes as [`Read`], for threads that may block (files and hashes are blocking work).
use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt};
use std::io::{self, Read};
use tokio::runtime::Handle;

/// Reads a stream of bytes to its end.
///
/// To be read from `tokio::task::spawn_blocking` or a thread outside the runtime, never from async
/// code.
pub struct BlockingReader<S> {
    stream: S,
    chunk: Bytes,
    runtime: Handle,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> BlockingReader<S> {
    /// A reader of `stream`, which is driven by `runtime`.
    pub fn new(stream: S, runtime: Handle) -> Self {
        BlockingReader { stream, chunk: Bytes::new(), runtime }
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Read for BlockingReader<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let bytes = into.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut into[..bytes]);
        Ok(bytes)
    }
}
