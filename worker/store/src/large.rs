//! Large blobs: files named by hash, their hash trees, and setting aside what a disk has damaged.
//!
//! Invariant: a file at its place is whole and flushed, and the index names it only then. A file
//! that the index does not name is what a crash left, and is removed at the next start.
use super::{
    SMALL_BLOB_BYTES_MAX, Store, StoreError,
    disk::{self, Access},
    error::io_error,
};
use bao_tree::{
    BaoTree, BlockSize,
    io::{outboard::PreOrderOutboard, sync::CreateOutboard},
};
use coordinator_free_scheduler::Hash;
use redb::Durability;
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{MutexGuard, PoisonError, atomic::Ordering},
};

/// Chunk groups of 2⁴ chunks of 1 KiB.
const BLOCK: BlockSize = BlockSize::from_chunk_log(4);
/// Bytes read at a time.
pub(super) const BUFFER_BYTES: usize = 256 << 10;

/// A file that vanishes unless it is moved to its place.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing hangs on it: the folder is emptied at each start.
        let _ = disk::remove_if_there(&self.0);
    }
}

impl Store {
    /// Keeps what a reader gives, whatever its length, and returns its name.
    ///
    /// # Errors
    /// The reader failed, the store is full, or the disk failed; then nothing is kept.
    pub fn put_blob_reader(&self, mut reader: impl Read) -> Result<Hash, StoreError> {
        let mut head = Vec::new();
        let head_max = SMALL_BLOB_BYTES_MAX as u64 + 1;
        let reading = || io_error("read", "the bytes to be stored");
        reader.by_ref().take(head_max).read_to_end(&mut head).map_err(reading())?;
        if head.len() <= SMALL_BLOB_BYTES_MAX {
            let hash = Hash::of(&head);
            self.put_small(&[(hash, &head)])?;
            return Ok(hash);
        }
        let number = self.inner.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = Temporary(self.folder("tmp").join(number.to_string()));
        let writing = || io_error("write", temporary.0.as_path());
        let mut file = disk::create_new(&temporary.0, Access::Ordinary).map_err(writing())?;
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        let mut buffer = head;
        while !buffer.is_empty() {
            size += buffer.len() as u64;
            self.check_room(size)?;
            hasher.update(&buffer);
            file.write_all(&buffer).map_err(writing())?;
            buffer.clear();
            reader.by_ref().take(BUFFER_BYTES as u64).read_to_end(&mut buffer).map_err(reading())?;
        }
        file.sync_all().map_err(writing())?;
        let hash = Hash(*hasher.finalize().as_bytes());
        let _stripe = self.stripe(hash);
        self.shelve(hash, size, &temporary.0)?;
        Ok(hash)
    }

    /// The hash tree of a blob: BLAKE3 pairs in pre-order, chunk groups of 16 KiB, no size prefix;
    /// empty for a blob of one group. Computed once and kept beside the file.
    ///
    /// # Errors
    /// The blob is damaged (then it was set aside), or the disk failed.
    pub fn outboard(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(size) = self.blob_size(hash)? else { return Ok(None) };
        if size <= SMALL_BLOB_BYTES_MAX as u64 {
            return Ok(Some(Vec::new()));
        }
        let _one_at_a_time = self.inner.outboards.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.blob_path(hash).with_extension("outboard");
        let bytes_max = BaoTree::new(size, BLOCK).outboard_size() + 32;
        // One that cannot be read is no loss: it is computed again.
        if let Ok(Some(kept)) = disk::read_bounded(&path, bytes_max)
            && let Some((check, pairs)) = kept.split_at_checked(32)
            && check == outboard_check(hash, pairs).0
        {
            return Ok(Some(pairs.to_vec()));
        }
        let file = self.open_large(hash, size)?;
        let (root, pairs) =
            hash_tree(&file, size).map_err(io_error("read", self.blob_path(hash)))?;
        if root != hash {
            return Err(self.set_aside(hash, "its bytes are not those of its hash".into()));
        }
        self.keep_outboard(hash, &pairs)?;
        Ok(Some(pairs))
    }

    pub(super) fn keep_outboard(&self, hash: Hash, pairs: &[u8]) -> Result<(), StoreError> {
        let path = self.blob_path(hash).with_extension("outboard");
        let mut bytes = outboard_check(hash, pairs).0.to_vec();
        bytes.extend_from_slice(pairs);
        disk::write_atomic(&path, &bytes, Access::Ordinary).map_err(io_error("write", &path))
    }

    pub(super) fn read_large(&self, hash: Hash, size: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.read_large_range(hash, size, 0, usize::MAX)?;
        match Hash::of(&bytes) == hash {
            true => Ok(bytes),
            false => Err(self.set_aside(hash, "its bytes are not those of its hash".into())),
        }
    }

    pub(super) fn read_large_range(
        &self,
        hash: Hash,
        size: u64,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let mut file = self.open_large(hash, size)?;
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(bytes_max)];
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(io_error("read", self.blob_path(hash)))?;
        Ok(bytes)
    }

    /// Opens the file of a large blob; one that is gone or has another length is set aside.
    fn open_large(&self, hash: Hash, size: u64) -> Result<File, StoreError> {
        let path = self.blob_path(hash);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((length, file)) if length == size => Ok(file),
            Ok((length, _)) => {
                Err(self.set_aside(hash, format!("its file has {length} bytes instead of {size}")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.set_aside(hash, "its file is gone".into()))
            }
            Err(error) => Err(io_error("open", path)(error)),
        }
    }

    /// Moves a flushed file with the bytes of `hash` to its place. The caller holds its stripe.
    pub(super) fn shelve(&self, hash: Hash, size: u64, from: &Path) -> Result<(), StoreError> {
        if self.has_blob(hash)? {
            return disk::remove_if_there(from).map_err(io_error("remove", from));
        }
        let path = self.make_blob_path(hash)?;
        disk::settle(from, &path).map_err(io_error("rename", from))?;
        let indexed =
            self.change_shelves(Durability::Immediate, |shelves| shelves.put_large(hash, size));
        if indexed.is_err() {
            disk::remove_if_there(&path).map_err(io_error("remove", path))?;
        }
        indexed
    }

    /// Takes a damaged blob off the shelves, so that it can be fetched again, and says so. Its file
    /// stays in `blobs/aside` until the next start, for whoever wants to look at it.
    pub(super) fn set_aside(&self, hash: Hash, why: String) -> StoreError {
        let _stripe = self.stripe(hash);
        let aside = self.folder("aside").join(hash.to_string());
        // That the file cannot be moved is no second error: it is off the index in any case.
        let _ = std::fs::rename(self.blob_path(hash), aside);
        match self.change_shelves(Durability::Immediate, |shelves| shelves.remove(hash)) {
            Ok(()) => StoreError::CorruptBlob { hash, why },
            Err(error) => error,
        }
    }

    /// Removes the files of a blob. The caller holds its stripe.
    pub(super) fn remove_files(&self, hash: Hash) -> Result<(), StoreError> {
        let path = self.blob_path(hash);
        self.drop_partial(hash)?;
        for path in [path.with_extension("outboard"), path] {
            disk::remove_if_there(&path).map_err(io_error("remove", path))?;
        }
        Ok(())
    }

    /// Whether `more` bytes still fit under the cap.
    pub(super) fn check_room(&self, more: u64) -> Result<(), StoreError> {
        let (used, bytes_max) = (self.usage()?.bytes(), self.inner.bytes_max);
        match used.saturating_add(more) <= bytes_max {
            true => Ok(()),
            false => Err(StoreError::Full { used, bytes_max, wanted: more }),
        }
    }

    /// Held while the files of this blob change.
    pub(super) fn stripe(&self, hash: Hash) -> MutexGuard<'_, ()> {
        let stripe = usize::from(hash.0[0]) % self.inner.stripes.len();
        self.inner.stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.inner.dir.join("blobs").join(name)
    }

    pub(super) fn blob_path(&self, hash: Hash) -> PathBuf {
        let name = hash.to_string();
        self.folder(&name[..2]).join(name)
    }

    pub(super) fn make_blob_path(&self, hash: Hash) -> Result<PathBuf, StoreError> {
        let path = self.blob_path(hash);
        let folder = self.folder(&hash.to_string()[..2]);
        disk::make_dir(&folder).map_err(io_error("create", folder))?;
        Ok(path)
    }
}

/// The root and the pairs of a file's hash tree.
pub(super) fn hash_tree(file: &File, size: u64) -> io::Result<(Hash, Vec<u8>)> {
    let reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let tree = PreOrderOutboard::<Vec<u8>>::create_sized(reader, size, BLOCK)?;
    Ok((Hash(*tree.root.as_bytes()), tree.data))
}

/// Tells a whole outboard file from a damaged one: serving a wrong pair would look like a lie.
fn outboard_check(hash: Hash, pairs: &[u8]) -> Hash {
    Hash::derive("dugnad 1 outboard file", &[&hash.0, pairs])
}
