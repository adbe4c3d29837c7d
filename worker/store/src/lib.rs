//! The store room: one data directory, its journal and its blobs.
//!
//! Invariants: one process has the directory; what the journal acknowledged is on disk; a blob put
//! before a journal record is on disk no later than that record; what is read back is what was
//! written, or an error that names the damage. Calls block, so they belong on threads that may.
//! What records and blobs mean is not known here, and nothing here talks to a peer.
//!
//! ```text
//! lock  format             who has the directory, and how it is laid out
//! store.redb               journal, small blobs, index of the large ones
//! blobs/ab/HASH            a large blob       blobs/ab/HASH.part   one that is being fetched
//! blobs/ab/HASH.outboard   its hash tree      blobs/tmp  blobs/aside   emptied at each start
//! checkpoints/JOB.UNIT     where a unit that has not ended has come to
//! ```
mod blobs;
mod checkpoints;
pub mod disk;
mod entry;
mod error;
mod journal;
mod large;
mod partial;
#[cfg(test)]
mod tests;

pub use blobs::{SMALL_BLOB_BYTES_MAX, Usage};
pub use checkpoints::{CHECKPOINT_BYTES_MAX, CHECKPOINTS_BYTES_MAX, CHECKPOINTS_MAX};
pub use error::StoreError;
pub use journal::Group;

use entry::DirLock;
use error::io_error;
use redb::Database;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicU64},
};

/// Bytes of blobs that a store takes where nothing else is said.
pub const STORE_BYTES_MAX: u64 = 64 << 30;
/// Locks among which the large blobs are shared out by hash.
const STRIPES: usize = 16;

/// The data directory of this node. A cheap handle; the directory is released with the last one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    bytes_max: u64,
    /// Place of the next journal record; drawn inside write transactions, of which there is one.
    next_record: AtomicU64,
    /// Bytes of small blobs since the last commit that waited for the disk.
    bytes_in_flight: AtomicU64,
    /// Bytes in partial blobs.
    partial_bytes: AtomicU64,
    /// Names temporary files.
    next_temporary: AtomicU64,
    /// Held while the files of a large blob change.
    stripes: [Mutex<()>; STRIPES],
    /// Held while a hash tree is computed, so that nobody computes it twice.
    outboards: Mutex<()>,
    database: Database,
    // After the database: fields are dropped in order, and the directory is released last.
    _lock: DirLock,
}

impl Store {
    /// Opens the store in `dir` and creates what is missing.
    ///
    /// # Errors
    /// Another process has it, it is another program's or a newer one's, it is damaged, or the
    /// disk failed. Nothing in it was changed then.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        Store::open_with_cap(dir, STORE_BYTES_MAX)
    }

    /// The same with another cap on the bytes of blobs.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with_cap(dir: &Path, bytes_max: u64) -> Result<Store, StoreError> {
        disk::make_private_dir(dir).map_err(io_error("create", dir))?;
        let lock = DirLock::take(dir)?;
        let database = entry::open_database(dir)?;
        blobs::create_tables(&database)?;
        let next_record = journal::next_record(&database)?;
        let store = Store {
            inner: Arc::new(Inner {
                dir: dir.into(),
                bytes_max,
                next_record: AtomicU64::new(next_record),
                bytes_in_flight: AtomicU64::new(0),
                partial_bytes: AtomicU64::new(0),
                next_temporary: AtomicU64::new(0),
                stripes: Default::default(),
                outboards: Mutex::new(()),
                database,
                _lock: lock,
            }),
        };
        store.tidy()?;
        Ok(store)
    }
}
