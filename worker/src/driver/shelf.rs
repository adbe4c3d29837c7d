//! The store as the network room sees it: blobs to serve and to keep.
//!
//! An output is not served before its unit is opened: who could fetch it by a guessed hash would
//! have its answer confirmed. The one exception are those to whom the answer itself was sealed. An input
//! that a unit hands back stays public: others wait for it.
use crate::{
    net::BlobShelf,
    store::{Store, StoreError},
};
use coordinator_free_scheduler::{Hash, Manifest, PeerKey, TableDirectory, TablePage, Units};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Outputs that are not public, each with those who know of it anyway: an owner and its delegates.
pub type Sealed = BTreeMap<Hash, BTreeSet<PeerKey>>;

/// The store, less what is sealed.
pub struct Shelf {
    store: Store,
    sealed: Mutex<Sealed>,
}

impl Shelf {
    /// A shelf that does not serve the blobs in `sealed` yet.
    pub fn new(store: Store, sealed: Sealed) -> Shelf {
        Shelf { store, sealed: Mutex::new(sealed) }
    }

    /// These may be served now.
    pub fn unseal(&self, blobs: &[Hash]) {
        let mut sealed = self.sealed();
        for blob in blobs {
            sealed.remove(blob);
        }
    }

    /// The output of a unit may not be served for now but to this reader, if it is not what the unit was
    /// given.
    pub fn seal(&self, output: Hash, input: Option<Hash>, reader: Option<PeerKey>) {
        if input != Some(output) {
            self.sealed().entry(output).or_default().extend(reader);
        }
    }

    /// These outputs of others may not be served for now: this node has them only because it was told of
    /// them in confidence. What it has already is what it was.
    ///
    /// # Errors
    /// The store failed.
    pub fn seal_foreign(&self, outputs: &[Hash]) -> Result<(), StoreError> {
        let mut sealed = self.sealed();
        for output in outputs {
            if !self.store.has_blob(*output)? {
                sealed.entry(*output).or_default();
            }
        }
        Ok(())
    }

    /// A peer was told of these outputs: those that are sealed may be served to it, too.
    pub fn admit(&self, outputs: impl Iterator<Item = Hash>, reader: PeerKey) {
        let mut sealed = self.sealed();
        for output in outputs {
            if let Some(readers) = sealed.get_mut(&output) {
                readers.insert(reader);
            }
        }
    }

    fn sealed(&self) -> MutexGuard<'_, Sealed> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves out of `sealed` what the units of a job are computed from.
///
/// # Errors
/// The store failed. A table that is not there, or is none, has no inputs.
pub fn keep_inputs_public(
    store: &Store,
    manifest: &Manifest,
    sealed: &mut Sealed,
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
        self.store.blob_size(hash).ok().flatten()
    }

    fn shows(&self, hash: Hash, to: PeerKey) -> bool {
        self.sealed().get(&hash).is_none_or(|readers| readers.contains(&to))
    }

    fn read(&self, hash: Hash, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let read = self.store.read_blob_range(hash, offset, bytes).map_err(io_error)?;
        read.ok_or_else(|| absent(hash))
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
