//! Work in progress: a file for each piece of work that has not ended, named by its group and number.
//!
//! A file is replaced as a whole, so that a crash leaves the one before. Whoever keeps more than
//! [`CHECKPOINTS_MAX`] of them, or [`CHECKPOINTS_BYTES_MAX`], loses the oldest, which costs time and
//! nothing else.
use super::{Group, Store, StoreError, disk, error::io_error, partial::entries};
use coordinator_free_scheduler::Hash;
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Most pieces of work of which something is kept.
pub const CHECKPOINTS_MAX: usize = 256;
/// Bytes of all together.
pub const CHECKPOINTS_BYTES_MAX: u64 = 1 << 30;
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
        let wanted = bytes.len() as u64;
        if wanted > CHECKPOINT_BYTES_MAX {
            let (used, bytes_max) = (0, CHECKPOINT_BYTES_MAX);
            return Err(StoreError::Full { used, bytes_max, wanted });
        }
        self.make_room(&folder, &path, wanted)?;
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

    /// Lets go of the oldest, as long as there is no room for a new `path`. What else lies in the
    /// folder is not touched.
    fn make_room(&self, folder: &Path, path: &Path, wanted: u64) -> Result<(), StoreError> {
        let dated = |path: PathBuf| {
            let file = fs::metadata(&path).ok()?;
            Some((file.modified().unwrap_or(SystemTime::UNIX_EPOCH), file.len(), path))
        };
        let others = entries(folder)?.into_iter();
        let others = others.filter(|other| other != path && owner_of(other).is_some());
        let mut others: Vec<_> = others.filter_map(dated).collect();
        others.sort_unstable_by(|one, other| other.cmp(one));
        let mut bytes: u64 = others.iter().map(|(_, bytes, _)| bytes).sum();
        while others.len() >= CHECKPOINTS_MAX || bytes + wanted > CHECKPOINTS_BYTES_MAX {
            let Some((_, gone, path)) = others.pop() else { break };
            disk::remove_if_there(&path).map_err(io_error("remove", path))?;
            bytes -= gone;
        }
        Ok(())
    }
}

/// Whose file this is.
fn owner_of(path: &Path) -> Option<(Group, u32)> {
    let group: Hash = path.file_stem()?.to_str()?.parse().ok()?;
    Some((group.0, path.extension()?.to_str()?.parse().ok()?))
}
