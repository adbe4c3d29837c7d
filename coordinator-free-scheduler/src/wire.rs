//! Bytes in and out: postcard, with a size limit before a single byte is read, and no bytes left over.
use alloc::vec::Vec;
use core::fmt;
use serde::{Serialize, de::DeserializeOwned};

/// Why bytes were not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// Over the limit of its kind.
    TooLarge {
        /// How many bytes came.
        bytes: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Not the encoding of the value expected here.
    Malformed,
    /// The value ends before its bytes do.
    TrailingBytes,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::TooLarge { bytes, limit } => {
                write!(f, "{bytes} bytes where at most {limit} are allowed")
            }
            WireError::Malformed => f.write_str("not the encoding of the value expected here"),
            WireError::TrailingBytes => f.write_str("bytes left over after the value"),
        }
    }
}

impl core::error::Error for WireError {}

/// Reads a value that must fill `bytes` exactly.
///
/// # Errors
/// Too large, malformed, or followed by other bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, WireError> {
    if bytes.len() > limit {
        return Err(WireError::TooLarge { bytes: bytes.len(), limit });
    }
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(WireError::TrailingBytes),
        Err(_) => Err(WireError::Malformed),
    }
}

/// Writes a value. The values of this crate always have an encoding.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap_or_default()
}
