//! The store as the network room sees it: blobs to serve and to keep.
//!
//! An output is not served before its unit is opened: who could fetch it by a guessed hash would
//! have its answer confirmed. An input that a unit hands back stays public: others wait for it.
use crate::{
    net::BlobShelf,
    store::{Store, StoreError},
};
use coordinator_free_scheduler::{Hash, Manifest, TableDirectory, TablePage, Units};
use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, PoisonError},
};

/// The store, less what is sealed.
pub struct Shelf {
    store: Store,
    sealed: Mutex<BTreeSet<Hash>>,
}

impl Shelf {
    /// A shelf that does not serve the blobs in `sealed` yet.
    pub fn new(store: Store, sealed: BTreeSet<Hash>) -> Shelf {
        Shelf { store, sealed: Mutex::new(sealed) }
    }

    /// These may be served now.
    pub fn unseal(&self, blobs: &[Hash]) {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        for blob in blobs {
            sealed.remove(blob);
        }
    }

    /// The output of a unit may not be served for now, if it is not what the unit was given.
    pub fn seal(&self, output: Hash, input: Option<Hash>) {
        if input != Some(output) {
            self.sealed.lock().unwrap_or_else(PoisonError::into_inner).insert(output);
        }
    }

    fn public(&self, hash: Hash) -> bool {
        !self.sealed.lock().unwrap_or_else(PoisonError::into_inner).contains(&hash)
    }
}

/// Leaves out of `sealed` what the units of a job are computed from.
///
/// # Errors
/// The store failed. A table that is not there, or is none, has no inputs.
pub fn keep_inputs_public(
    store: &Store,
    manifest: &Manifest,
    sealed: &mut BTreeSet<Hash>,
) -> Result<(), StoreError> {
    let Units::Table { directory, .. } = manifest.work.units else { return Ok(()) };
    let directory = store.read_blob(directory)?;
    let directory = directory.and_then(|bytes| TableDirectory::decode(&bytes).ok());
    for page in directory.unwrap_or_default().pages {
        let page = store.read_blob(page)?.and_then(|bytes| TablePage::decode(&bytes).ok());
        for input in page.unwrap_or_default().units.into_iter().filter_map(|unit| unit.input) {
            sealed.remove(&input);
        }
    }
    Ok(())
}

fn io_error(error: StoreError) -> io::Error {
    io::Error::other(error)
}

fn absent(hash: Hash) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no blob {hash}"))
}

impl BlobShelf for Shelf {
    fn size(&self, hash: Hash) -> Option<u64> {
        self.store.blob_size(hash).ok().flatten().filter(|_| self.public(hash))
    }

    fn read(&self, hash: Hash, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let read = self.store.read_blob_range(hash, offset, bytes).map_err(io_error)?;
        read.filter(|_| self.public(hash)).ok_or_else(|| absent(hash))
    }

    fn outboard(&self, hash: Hash) -> io::Result<Vec<u8>> {
        self.store.outboard(hash).map_err(io_error)?.ok_or_else(|| absent(hash))
    }

    fn put(&self, blobs: Vec<Vec<u8>>) -> io::Result<()> {
        self.store.put_blobs(&blobs).map(drop).map_err(io_error)
    }

    fn partial(&self, hash: Hash) -> io::Result<u64> {
        self.store.partial_len(hash).map_err(io_error)
    }

    fn append(&self, hash: Hash, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.store.append_partial(hash, offset, bytes).map_err(io_error)
    }

    fn finish(&self, hash: Hash) -> io::Result<()> {
        self.store.finish_partial(hash).map_err(io_error)
    }
}
