//! The frames of the blob protocol. All numbers are big-endian; a blob's name is its 32 hash bytes.
//!
//! | request | answer |
//! |---|---|
//! | `0`, up to [`SMALL_ASKED_MAX`] names | for each in turn a length and the blob, or [`MISSING`], or [`LARGE`]; may end early |
//! | `1`, name: its last range | nothing, or size and slice |
//! | `2`, name, offset, length: a range | nothing, or size and slice |
use super::super::BLOB_SMALL_BYTES_MAX;
use super::proof::PROOF_BYTES_MAX;
use bytes::{Buf, BufMut, Bytes, TryGetError};
use coordinator_free_scheduler::Hash;

/// Small blobs in one request.
pub const SMALL_ASKED_MAX: usize = 1024;
/// Bytes of blobs in one answer.
pub const RANGE_BYTES_MAX: u32 = 1024 * 1024;
/// The largest request frame.
pub const REQUEST_BYTES_MAX: usize = 1 + 32 * SMALL_ASKED_MAX;
/// The largest answer frame.
pub const ANSWER_BYTES_MAX: usize = RANGE_BYTES_MAX as usize + PROOF_BYTES_MAX;
/// In place of a length: not held here.
pub const MISSING: u32 = u32::MAX;
/// In place of a length: held, but too large to be sent whole.
pub const LARGE: u32 = u32::MAX - 1;

/// What one peer asks of another.
#[derive(PartialEq, Eq, Debug)]
pub enum Request {
    /// Small blobs, whole.
    Small(Vec<Hash>),
    /// The last chunk group of a blob, which proves its size.
    Tail(Hash),
    /// Some chunk groups of a blob.
    Range {
        /// Of which blob.
        hash: Hash,
        /// Where they begin.
        offset: u64,
        /// How long they are; the end of the blob may come first.
        bytes: u32,
    },
}

/// The answer about one small blob.
#[derive(PartialEq, Eq, Debug)]
pub enum Small {
    /// Here it is.
    Blob(Bytes),
    /// Not held.
    Missing,
    /// Held, but large.
    Large,
}

/// A frame that breaks the protocol.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a blob frame that breaks the protocol: {0}")]
pub struct BadFrame(pub &'static str);

impl From<TryGetError> for BadFrame {
    fn from(_: TryGetError) -> BadFrame {
        BadFrame("it ends too early")
    }
}

impl Request {
    /// As a frame.
    pub fn encode(&self) -> Bytes {
        let mut frame = Vec::new();
        match self {
            Request::Small(hashes) => {
                frame.put_u8(0);
                hashes.iter().for_each(|hash| frame.put_slice(&hash.0));
            }
            Request::Tail(hash) => {
                frame.put_u8(1);
                frame.put_slice(&hash.0);
            }
            Request::Range { hash, offset, bytes } => {
                frame.put_u8(2);
                frame.put_slice(&hash.0);
                frame.put_u64(*offset);
                frame.put_u32(*bytes);
            }
        }
        Bytes::from(frame)
    }

    /// From a frame of a stranger.
    pub fn decode(mut frame: Bytes) -> Result<Request, BadFrame> {
        let request = match frame.try_get_u8()? {
            0 if frame.len() > 32 * SMALL_ASKED_MAX => {
                return Err(BadFrame("it asks for too many blobs"));
            }
            0 => {
                let mut hashes = Vec::with_capacity(frame.len() / 32);
                while frame.has_remaining() {
                    hashes.push(take_hash(&mut frame)?);
                }
                Request::Small(hashes)
            }
            1 => Request::Tail(take_hash(&mut frame)?),
            2 => Request::Range {
                hash: take_hash(&mut frame)?,
                offset: frame.try_get_u64()?,
                bytes: frame.try_get_u32()?,
            },
            _ => return Err(BadFrame("no such request")),
        };
        if frame.has_remaining() {
            return Err(BadFrame("bytes after the request"));
        }
        Ok(request)
    }
}

fn take_hash(frame: &mut Bytes) -> Result<Hash, BadFrame> {
    let mut hash = Hash::default();
    frame.try_copy_to_slice(&mut hash.0)?;
    Ok(hash)
}

/// Adds the answer about one small blob; false if the frame is full.
pub fn put_small(frame: &mut Vec<u8>, answer: &Small) -> bool {
    let held: &[u8] = match answer {
        Small::Blob(bytes) => bytes,
        Small::Missing | Small::Large => &[],
    };
    if frame.len() + 4 + held.len() > ANSWER_BYTES_MAX {
        return false;
    }
    frame.put_u32(match answer {
        Small::Blob(bytes) => bytes.len() as u32,
        Small::Missing => MISSING,
        Small::Large => LARGE,
    });
    frame.put_slice(held);
    true
}

/// The answers about the first of `asked` small blobs.
pub fn take_small(mut frame: Bytes, asked: usize) -> Result<Vec<Small>, BadFrame> {
    let mut answers = Vec::new();
    while frame.has_remaining() {
        if answers.len() == asked {
            return Err(BadFrame("more answers than were asked for"));
        }
        answers.push(match frame.try_get_u32()? {
            MISSING => Small::Missing,
            LARGE => Small::Large,
            length if u64::from(length) > BLOB_SMALL_BYTES_MAX => {
                return Err(BadFrame("a small blob that is not small"));
            }
            length if length as usize > frame.len() => {
                return Err(BadFrame("it ends within a blob"));
            }
            length => Small::Blob(frame.split_to(length as usize)),
        });
    }
    if answers.is_empty() {
        return Err(BadFrame("no answer at all"));
    }
    Ok(answers)
}

/// A slice of a blob of `size` bytes as a frame.
pub fn put_slice(size: u64, slice: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(8 + slice.len());
    frame.put_u64(size);
    frame.put_slice(slice);
    Bytes::from(frame)
}

/// The size and slice in a frame; none if the blob is not held.
pub fn take_slice(mut frame: Bytes) -> Result<Option<(u64, Bytes)>, BadFrame> {
    if frame.is_empty() {
        return Ok(None);
    }
    let size = frame.try_get_u64()?;
    Ok(Some((size, frame)))
}
