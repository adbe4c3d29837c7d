//! The frames of the binary routes: many small blobs in one request, many outputs in one answer.
//!
//! A batch is `u32 length, bytes` repeated; a stream of outputs `u32 unit, u64 length, bytes`
//! repeated; one of results at all levels `u32 length of a mark, u64 length, mark, bytes`, where the mark
//! is a [`UnitLevel`](crate::UnitLevel) in JSON; all little-endian. Lengths come from the other side: nothing is reserved for them
//! before they are checked or the bytes have come.
use bytes::{BufMut, Bytes, BytesMut};

/// Largest blob in a batch, bytes; larger ones are uploaded one by one.
pub const BATCH_BLOB_BYTES_MAX: usize = 16 << 10;
/// Largest batch with its frames, bytes.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Most blobs in a batch; bounds the answer.
pub const BATCH_BLOBS_MAX: usize = 16_384;
/// Bytes before the bytes of an output.
pub const OUTPUT_HEADER_BYTES: usize = 12;

/// Why bytes are no batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BatchError {
    /// A frame is longer than what is left.
    #[error(
        "blob {index} of the batch is cut off: send u32 length (little-endian), then the bytes"
    )]
    CutOff {
        /// Which blob.
        index: usize,
    },
    /// A blob is over [`BATCH_BLOB_BYTES_MAX`].
    #[error(
        "blob {index} of the batch has {bytes} bytes, at most {BATCH_BLOB_BYTES_MAX} are allowed; \
         upload it alone"
    )]
    BlobTooLarge {
        /// Which blob.
        index: usize,
        /// How long it is.
        bytes: usize,
    },
    /// Over [`BATCH_BLOBS_MAX`].
    #[error("more than {BATCH_BLOBS_MAX} blobs in a batch; split it")]
    TooMany,
}

/// Small blobs on their way into one request; never over its limits.
#[derive(Debug, Default)]
pub struct Batch {
    frames: BytesMut,
    blobs: usize,
}

impl Batch {
    /// Adds a blob of at most [`BATCH_BLOB_BYTES_MAX`]; false, and nothing added, if the batch has
    /// no room for it.
    pub fn push(&mut self, blob: &[u8]) -> bool {
        let full = self.frames.len() + 4 + blob.len() > BATCH_BYTES_MAX;
        if full || blob.len() > BATCH_BLOB_BYTES_MAX || self.blobs == BATCH_BLOBS_MAX {
            return false;
        }
        self.frames.put_u32_le(blob.len() as u32);
        self.frames.put_slice(blob);
        self.blobs += 1;
        true
    }

    /// How many blobs are in it.
    pub fn blobs(&self) -> usize {
        self.blobs
    }

    /// The body of the request; the batch is empty afterwards.
    pub fn take(&mut self) -> Bytes {
        self.blobs = 0;
        self.frames.split().freeze()
    }
}

/// Takes a batch apart.
///
/// # Errors
/// The first frame that is wrong.
pub fn split_batch(mut batch: Bytes) -> Result<Vec<Bytes>, BatchError> {
    let mut blobs = Vec::new();
    while !batch.is_empty() {
        let index = blobs.len();
        if index == BATCH_BLOBS_MAX {
            return Err(BatchError::TooMany);
        }
        let Some(length) = batch.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize)
        else {
            return Err(BatchError::CutOff { index });
        };
        if length > BATCH_BLOB_BYTES_MAX {
            return Err(BatchError::BlobTooLarge { index, bytes: length });
        }
        if batch.len() - 4 < length {
            return Err(BatchError::CutOff { index });
        }
        let mut frame = batch.split_to(4 + length);
        blobs.push(frame.split_off(4));
    }
    Ok(blobs)
}

/// What stands before an output in a stream of outputs.
pub fn output_header(unit: u32, bytes: u64) -> [u8; OUTPUT_HEADER_BYTES] {
    let mut header = [0; OUTPUT_HEADER_BYTES];
    header[..4].copy_from_slice(&unit.to_le_bytes());
    header[4..].copy_from_slice(&bytes.to_le_bytes());
    header
}

/// The unit and the length that a header speaks of.
pub fn read_output_header(header: [u8; OUTPUT_HEADER_BYTES]) -> (u32, u64) {
    let [u0, u1, u2, u3, l0, l1, l2, l3, l4, l5, l6, l7] = header;
    let bytes = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    (u32::from_le_bytes([u0, u1, u2, u3]), bytes)
}

/// In place of a result's length: no output comes with it.
const NO_OUTPUT: u64 = u64::MAX;

/// What stands before a result at any level.
pub fn result_header(mark_bytes: u32, output_bytes: Option<u64>) -> [u8; OUTPUT_HEADER_BYTES] {
    output_header(mark_bytes, output_bytes.unwrap_or(NO_OUTPUT))
}

/// The lengths that a result's header speaks of.
pub fn read_result_header(header: [u8; OUTPUT_HEADER_BYTES]) -> (u32, Option<u64>) {
    let (mark_bytes, bytes) = read_output_header(header);
    (mark_bytes, Some(bytes).filter(|bytes| *bytes != NO_OUTPUT))
}
