//! Slices of blobs with the hash pairs that prove them: a thin layer over `bao-tree`.
//!
//! A slice is the part of the pre-order encoding that covers a range of chunk groups. It verifies
//! against the blob's hash and size. The size is proven by the last group: its place in the tree and
//! its length both enter its hash.
use super::BLOB_BYTES_MAX;
use bao_tree::blake3::Hash as Root;
use bao_tree::io::BaoContentItem;
use bao_tree::io::outboard::PreOrderMemOutboard;
use bao_tree::io::sync::{DecodeResponseIter, ReadAt, encode_ranges_validated};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges};
use coordinator_free_scheduler::Hash;
use std::io;
use std::ops::Range;

/// The size of a chunk group, the smallest part that is verified.
pub const GROUP_BYTES: u64 = 16 * 1024;
/// Sixteen chunks of 1 KiB.
const GROUP: BlockSize = BlockSize::from_chunk_log(4);
/// The hash pairs of one slice, at 64 bytes each, and the size before them; with room to spare.
pub const PROOF_BYTES_MAX: usize = 16 * 1024;

/// The last chunk group of a blob of `size` bytes.
pub fn tail(size: u64) -> Range<u64> {
    size.saturating_sub(1) / GROUP_BYTES * GROUP_BYTES..size
}

/// Bytes of a blob that start at an offset, for `bao-tree` to read from.
struct Window {
    offset: u64,
    bytes: Vec<u8>,
}

impl ReadAt for Window {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let held = at
            .checked_sub(self.offset)
            .and_then(|start| self.bytes.get(usize::try_from(start).ok()?..));
        let held = held.unwrap_or_default();
        let length = held.len().min(into.len());
        into[..length].copy_from_slice(&held[..length]);
        Ok(length)
    }
}

/// The slice for `range`, whose bytes are given; an error if they do not belong to the blob.
pub fn cut(
    hash: Hash,
    size: u64,
    outboard: &[u8],
    range: &Range<u64>,
    bytes: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let tree = BaoTree::new(size, GROUP);
    if outboard.len() as u64 != tree.outboard_size() {
        let reason = format!(
            "the hash pairs of blob {hash} have the wrong length; delete them to have them made again"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let outboard = PreOrderMemOutboard { root: Root::from(hash.0), tree, data: outboard };
    let mut slice = Vec::with_capacity(bytes.len() + PROOF_BYTES_MAX);
    let window = Window { offset: range.start, bytes };
    encode_ranges_validated(window, outboard, &chunks(range), &mut slice)
        .map_err(io::Error::from)?;
    Ok(slice)
}

/// The bytes of `range`, if the slice proves that they lie there in the blob `hash` of `size` bytes.
pub fn verify(hash: Hash, size: u64, range: &Range<u64>, slice: &[u8]) -> Option<Vec<u8>> {
    if size == 0 {
        return (hash == Hash::of(&[]) && slice.is_empty()).then(Vec::new);
    }
    if size > BLOB_BYTES_MAX || range.is_empty() || range.end > size {
        return None;
    }
    let (mut rest, ranges) = (slice, chunks(range));
    let mut bytes = Vec::with_capacity(slice.len());
    for item in
        DecodeResponseIter::new(Root::from(hash.0), BaoTree::new(size, GROUP), &mut rest, &ranges)
    {
        match item.ok()? {
            BaoContentItem::Parent(_) => {}
            BaoContentItem::Leaf(leaf) if leaf.offset == range.start + bytes.len() as u64 => {
                bytes.extend_from_slice(&leaf.data);
            }
            BaoContentItem::Leaf(_) => return None,
        }
    }
    let whole = bytes.len() as u64 == range.end - range.start;
    (whole && rest.is_empty()).then_some(bytes)
}

fn chunks(range: &Range<u64>) -> ChunkRanges {
    ChunkRanges::from(ChunkNum::full_chunks(range.start)..ChunkNum::chunks(range.end))
}
