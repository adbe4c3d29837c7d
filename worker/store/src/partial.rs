//! Blobs that are being fetched: a growing file that becomes a blob when its hash is right.
//!
//! Whoever appends has verified the bytes; here they are only counted, and hashed once more at the
//! end, since a crash may have eaten some. Also here: what each start clears up after the last one.
use super::{SMALL_BLOB_BYTES_MAX, Store, StoreError, disk, error::io_error, large};
use coordinator_free_scheduler::Hash;
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

impl Store {
    /// How many bytes of a blob were fetched so far; 0 for one never asked for.
    ///
    /// # Errors
    /// The disk failed.
    pub fn partial_len(&self, hash: Hash) -> Result<u64, StoreError> {
        let path = self.partial_path(hash);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(io_error("read", path)(error)),
        }
    }

    /// Keeps verified bytes of a partial blob at `offset`, where it ends or before; what it held
    /// from there on is replaced.
    ///
    /// # Errors
    /// `offset` is past the end (ask [`Store::partial_len`] again), the store is full, or the disk
    /// failed. What was there before `offset` stays.
    pub fn append_partial(&self, hash: Hash, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let _stripe = self.stripe(hash);
        let held = self.partial_len(hash)?;
        if offset > held {
            return Err(StoreError::WrongOffset { hash, held, offset });
        }
        self.check_room((offset + bytes.len() as u64).saturating_sub(held))?;
        self.make_blob_path(hash)?;
        let path = self.partial_path(hash);
        let written = open_partial(&path, offset).and_then(|mut file| {
            let written = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes));
            // Half a write would be taken for verified bytes.
            written.or_else(|error| file.set_len(offset).and(Err(error)))
        });
        let holds = self.partial_len(hash)?;
        self.inner.partial_bytes.fetch_add(holds, Ordering::Relaxed);
        self.inner.partial_bytes.fetch_sub(held, Ordering::Relaxed);
        written.map_err(io_error("write", path))
    }

    /// Makes a blob of a partial one of which every byte is there.
    ///
    /// # Errors
    /// The bytes have another hash (then they are dropped, and the fetch starts anew), or the
    /// disk failed.
    pub fn finish_partial(&self, hash: Hash) -> Result<(), StoreError> {
        let _stripe = self.stripe(hash);
        let size = self.partial_len(hash)?;
        if size <= SMALL_BLOB_BYTES_MAX as u64 {
            return self.finish_small(hash);
        }
        let path = self.partial_path(hash);
        let reading = || io_error("read", path.as_path());
        let file = File::open(&path).map_err(reading())?;
        let (found, pairs) = large::hash_tree(&file, size).map_err(reading())?;
        if found != hash {
            self.drop_partial(hash)?;
            return Err(StoreError::NotItsHash { wanted: hash, found });
        }
        file.sync_all().map_err(io_error("write", &path))?;
        // Its bytes are counted as a whole blob's from here on.
        self.inner.partial_bytes.fetch_sub(size, Ordering::Relaxed);
        if let Err(error) = self.shelve(hash, size, &path) {
            self.inner.partial_bytes.fetch_add(self.partial_len(hash)?, Ordering::Relaxed);
            return Err(error);
        }
        self.keep_outboard(hash, &pairs)
    }

    fn finish_small(&self, hash: Hash) -> Result<(), StoreError> {
        let path = self.partial_path(hash);
        let bytes = disk::read_bounded(&path, SMALL_BLOB_BYTES_MAX as u64)
            .map_err(io_error("read", path))?
            .unwrap_or_default();
        self.drop_partial(hash)?;
        match Hash::of(&bytes) {
            found if found == hash => self.put_small(&[(hash, &bytes)]),
            found => Err(StoreError::NotItsHash { wanted: hash, found }),
        }
    }

    /// Removes what was fetched of a blob. The caller holds its stripe.
    pub(super) fn drop_partial(&self, hash: Hash) -> Result<(), StoreError> {
        let held = self.partial_len(hash)?;
        let path = self.partial_path(hash);
        disk::remove_if_there(&path).map_err(io_error("remove", path))?;
        self.inner.partial_bytes.fetch_sub(held, Ordering::Relaxed);
        Ok(())
    }

    fn partial_path(&self, hash: Hash) -> PathBuf {
        self.blob_path(hash).with_extension("part")
    }

    /// Brings files and index together after whatever ended the last process: temporary files go,
    /// files that the index does not name go, names without a whole file leave the index.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        for name in ["tmp", "aside"] {
            let folder = self.folder(name);
            remove_dir_if_there(&folder).map_err(io_error("empty", &folder))?;
            disk::make_dir(&folder).map_err(io_error("create", &folder))?;
        }
        let mut missing: HashMap<Hash, u64> = self.large_blobs()?.into_iter().collect();
        let blobs = self.inner.dir.join("blobs");
        for folder in entries(&blobs)? {
            for path in entries(&folder)? {
                self.tidy_file(&path, &mut missing)?;
            }
        }
        for hash in missing.into_keys() {
            self.delete_blob(hash)?;
        }
        Ok(())
    }

    /// Looks at one file under `blobs`; a whole blob is struck off the `missing` ones.
    fn tidy_file(&self, path: &Path, missing: &mut HashMap<Hash, u64>) -> Result<(), StoreError> {
        let Some(hash) = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok())
        else {
            return Ok(());
        };
        let size = fs::metadata(path).map_err(io_error("read", path))?.len();
        let is_leftover = match path.extension().and_then(|extension| extension.to_str()) {
            None => match missing.get(&hash) {
                Some(expected) if *expected == size => missing.remove(&hash).is_none(),
                Some(_) | None => true,
            },
            Some("part") => {
                self.inner.partial_bytes.fetch_add(size, Ordering::Relaxed);
                false
            }
            Some("outboard") => !self.has_blob(hash)?,
            Some(_) => false,
        };
        match is_leftover {
            true => disk::remove_if_there(path).map_err(io_error("remove", path)),
            false => Ok(()),
        }
    }
}

/// Opens a partial blob, cut to its first `held` bytes.
fn open_partial(path: &Path, held: u64) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.set_len(held)?;
    Ok(file)
}

fn remove_dir_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What is in a folder; nothing for what is no folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    read().map_err(io_error("read", folder))
}
