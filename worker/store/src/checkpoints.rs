//! Work in progress: a file for each piece of work that has not ended, named by its group and number.
//!
//! A file is replaced as a whole, so that a crash leaves the one before. There are few: whoever keeps
//! more than [`CHECKPOINTS_MAX`] loses the oldest, which costs time and nothing else.
use super::{Group, Store, StoreError, disk, error::io_error, partial::entries};
use coordinator_free_scheduler::Hash;
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Most pieces of work of which something is kept.
pub const CHECKPOINTS_MAX: usize = 256;
/// Largest checkpoint, bytes.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 << 20;

const FOLDER: &str = "checkpoints";

impl Store {
    /// Keeps what a piece of work has come to, instead of what was kept of it before.
    ///
    /// # Errors
    /// The disk failed; what was kept before is still there.
    pub fn put_checkpoint(
        &self,
        group: Group,
        number: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let path = self.checkpoint_path(group, number);
        let folder = self.inner.dir.join(FOLDER);
        disk::make_dir(&folder).map_err(io_error("create", &folder))?;
        if !path.exists() {
            self.make_room(&folder)?;
        }
        disk::write_atomic(&path, bytes, disk::Access::Private).map_err(io_error("write", path))
    }

    /// What is kept of a piece of work, if anything.
    ///
    /// # Errors
    /// The disk failed.
    pub fn checkpoint(&self, group: Group, number: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.checkpoint_path(group, number);
        disk::read_bounded(&path, CHECKPOINT_BYTES_MAX).map_err(io_error("read", path))
    }

    /// Lets go of what is kept of a piece of work.
    ///
    /// # Errors
    /// The disk failed.
    pub fn drop_checkpoint(&self, group: Group, number: u32) -> Result<(), StoreError> {
        let path = self.checkpoint_path(group, number);
        disk::remove_if_there(&path).map_err(io_error("remove", path))
    }

    /// Of which pieces of work something is kept.
    ///
    /// # Errors
    /// The disk failed.
    pub fn checkpoints(&self) -> Result<Vec<(Group, u32)>, StoreError> {
        let folder = self.inner.dir.join(FOLDER);
        Ok(entries(&folder)?.iter().filter_map(|path| owner_of(path)).collect())
    }

    fn checkpoint_path(&self, group: Group, number: u32) -> PathBuf {
        self.inner.dir.join(FOLDER).join(format!("{}.{number}", Hash(group)))
    }

    /// Lets go of the oldest, as long as there are too many for one more.
    fn make_room(&self, folder: &Path) -> Result<(), StoreError> {
        let age = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified());
        let dated = |path: PathBuf| (age(&path).unwrap_or(SystemTime::UNIX_EPOCH), path);
        let mut all: Vec<_> = entries(folder)?.into_iter().map(dated).collect();
        all.sort();
        let over = (all.len() + 1).saturating_sub(CHECKPOINTS_MAX);
        for (_, path) in all.into_iter().take(over) {
            disk::remove_if_there(&path).map_err(io_error("remove", path))?;
        }
        Ok(())
    }
}

/// Whose file this is.
fn owner_of(path: &Path) -> Option<(Group, u32)> {
    let group: Hash = path.file_stem()?.to_str()?.parse().ok()?;
    Some((group.0, path.extension()?.to_str()?.parse().ok()?))
}
