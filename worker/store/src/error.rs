//! What can go wrong in the store: one enum that says what, where, and what to do about it.
//!
//! No variant stands for "not there": absence is an `Option` and no error.
use coordinator_free_scheduler::Hash;
use std::{io, path::PathBuf};

/// Why the store could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{} is in use by the process {pid}; stop that one, or give this node another --data-dir",
        dir.display()
    )]
    InUse { dir: PathBuf, pid: String },
    #[error(
        "{} does not belong to a store of this program: {why}; choose another --data-dir, or move it away",
        path.display()
    )]
    Foreign { path: PathBuf, why: String },
    #[error(
        "{} was written by a newer version (store format {found}, this program knows {known}); use that version, or another --data-dir",
        path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error(
        "{} is damaged: {why}; restore the whole data directory from a backup, or move it away and start as a new peer",
        path.display()
    )]
    Damaged { path: PathBuf, why: String },
    #[error("the stored blob {hash} is damaged: {why}; it was set aside and can be fetched again")]
    CorruptBlob { hash: Hash, why: String },
    #[error("the bytes fetched for the blob {wanted} have the hash {found}; they were dropped")]
    NotItsHash { wanted: Hash, found: Hash },
    #[error("the partial blob {hash} holds {held} bytes, so nothing can be put at {offset}")]
    WrongOffset { hash: Hash, held: u64, offset: u64 },
    #[error(
        "the store is full: {used} of {bytes_max} bytes in use, {wanted} more wanted; cancel old jobs or raise the cap"
    )]
    Full { used: u64, bytes_max: u64, wanted: u64 },
    #[error("a journal record of {bytes} bytes is over the limit of {bytes_max}")]
    RecordTooLarge { bytes: usize, bytes_max: usize },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the database store.redb failed: {0}; check the disk, then start the node again")]
    Database(#[source] Box<redb::Error>),
}

/// Names the file and the deed of a failed file operation.
pub(super) fn io_error(
    doing: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.into();
    move |source| StoreError::Io { doing, path, source }
}

macro_rules! from_database_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> StoreError {
                StoreError::Database(Box::new(error.into()))
            }
        }
    )*};
}
from_database_errors!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);
