//! Blobs from those who hold them, checked against the hash they were asked for by.
//!
//! Small blobs are asked for many at a time. Large ones come in ranges, each with the hash pairs
//! that tie it to the blob's hash, so a wrong byte is found on arrival, costs only the source that
//! sent it, and a broken fetch resumes after the last good range. Before the first range the size is
//! proven by the blob's last bytes. Nothing unverified reaches the shelf.
mod fetch;
pub(super) mod proof;
mod shop;
pub(super) mod wire;

use coordinator_free_scheduler::PeerKey;

pub use fetch::Fetcher;
pub use shop::{Answer, Shop};
pub use wire::{ANSWER_BYTES_MAX, REQUEST_BYTES_MAX};

/// No blob is larger.
pub const BLOB_BYTES_MAX: u64 = 1 << 42;

/// Why a peer gave no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// There is no connection to it.
    #[error("it is not connected")]
    NotConnected,
    /// The stream broke, or it took too long.
    #[error("{0}")]
    Failed(String),
    /// The network was stopped.
    #[error("the network was stopped")]
    Stopped,
}

/// Why a blob is not on the shelf, though all sources were asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    /// None of them holds it.
    #[error("none of the peers asked holds the blob")]
    NotFound,
    /// None gave it, and this one could not be asked.
    #[error("peer {} could not be asked for the blob: {reason}", peer.short())]
    Unreachable {
        /// The last of them.
        peer: PeerKey,
        /// Why not.
        reason: String,
    },
    /// None gave it, and this one sent something else.
    #[error("peer {} sent bytes that are not the blob it was asked for", .0.short())]
    Lied(PeerKey),
    /// It is larger than the caller allows.
    #[error("the blob has {bytes} bytes where at most {limit} are allowed")]
    TooLarge {
        /// Its proven size, or a small one's.
        bytes: u64,
        /// What was allowed.
        limit: u64,
    },
    /// The shelf failed.
    #[error("the blob could not be stored: {0}")]
    Shelf(String),
}
