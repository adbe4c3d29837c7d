//! Blobs by hash: the index of all, and the bytes of the small ones.
//!
//! Small blobs live in the database, many to a commit. Their commits do not wait for the disk,
//! since whoever loses one can fetch or compute it again; the next journal commit, or
//! [`UNFLUSHED_BYTES_MAX`], takes them along. Every read is checked against the hash.
use super::{Store, StoreError, journal::RECORDS};
use coordinator_free_scheduler::Hash;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition};
use std::sync::atomic::Ordering;

/// Largest blob that is kept in the database, bytes; also one chunk group of the hash trees.
pub const SMALL_BLOB_BYTES_MAX: usize = 16 << 10;
/// Bytes of small blobs after which a commit waits for the disk.
pub const UNFLUSHED_BYTES_MAX: u64 = 8 << 20;

const SMALL: TableDefinition<[u8; 32], &[u8]> = TableDefinition::new("small blobs");
/// Large blobs that are there, with their length.
const LARGE: TableDefinition<[u8; 32], u64> = TableDefinition::new("large blobs");
/// Blobs and bytes of each kind, so that usage is known without counting.
const TALLY: TableDefinition<&str, (u64, u64)> = TableDefinition::new("tally");

/// What the blobs of a store take up.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    pub small_blobs: u64,
    pub small_bytes: u64,
    pub large_blobs: u64,
    pub large_bytes: u64,
    /// In blobs that are being fetched.
    pub partial_bytes: u64,
}

impl Usage {
    /// All bytes together; what the cap is held against.
    pub fn bytes(&self) -> u64 {
        self.small_bytes.saturating_add(self.large_bytes).saturating_add(self.partial_bytes)
    }
}

/// The tables of blobs within one write transaction; the tally follows every change.
pub(super) struct Shelves<'t> {
    small: Table<'t, [u8; 32], &'static [u8]>,
    large: Table<'t, [u8; 32], u64>,
    usage: Usage,
    bytes_max: u64,
}

impl Shelves<'_> {
    fn put_small(&mut self, hash: Hash, bytes: &[u8]) -> Result<(), StoreError> {
        if self.small.get(hash.0)?.is_some() {
            return Ok(());
        }
        self.check_room(bytes.len() as u64)?;
        self.small.insert(hash.0, bytes)?;
        self.usage.small_blobs += 1;
        self.usage.small_bytes += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn put_large(&mut self, hash: Hash, size: u64) -> Result<(), StoreError> {
        if self.large.get(hash.0)?.is_some() {
            return Ok(());
        }
        self.check_room(size)?;
        self.large.insert(hash.0, size)?;
        self.usage.large_blobs += 1;
        self.usage.large_bytes += size;
        Ok(())
    }

    pub(super) fn remove(&mut self, hash: Hash) -> Result<(), StoreError> {
        if let Some(bytes) = self.small.remove(hash.0)? {
            self.usage.small_blobs = self.usage.small_blobs.saturating_sub(1);
            let size = bytes.value().len() as u64;
            self.usage.small_bytes = self.usage.small_bytes.saturating_sub(size);
        }
        if let Some(size) = self.large.remove(hash.0)? {
            self.usage.large_blobs = self.usage.large_blobs.saturating_sub(1);
            self.usage.large_bytes = self.usage.large_bytes.saturating_sub(size.value());
        }
        Ok(())
    }

    fn check_room(&self, wanted: u64) -> Result<(), StoreError> {
        let (used, bytes_max) = (self.usage.bytes(), self.bytes_max);
        match used.saturating_add(wanted) <= bytes_max {
            true => Ok(()),
            false => Err(StoreError::Full { used, bytes_max, wanted }),
        }
    }
}

impl Store {
    /// Keeps a blob and returns its name. One that is there already is kept once.
    ///
    /// # Errors
    /// The store is full, or the disk failed.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Hash, StoreError> {
        Ok(self.put_blobs(&[bytes])?[0])
    }

    /// Keeps many blobs, the small ones in one commit, and returns their names in order.
    ///
    /// # Errors
    /// As [`Store::put_blob`]; some may have been kept.
    pub fn put_blobs(&self, blobs: &[impl AsRef<[u8]>]) -> Result<Vec<Hash>, StoreError> {
        let mut names = Vec::with_capacity(blobs.len());
        let mut small = Vec::new();
        for bytes in blobs.iter().map(AsRef::as_ref) {
            names.push(match bytes.len() <= SMALL_BLOB_BYTES_MAX {
                true => {
                    let hash = Hash::of(bytes);
                    small.push((hash, bytes));
                    hash
                }
                false => self.put_blob_reader(bytes)?,
            });
        }
        self.put_small(&small)?;
        Ok(names)
    }

    /// Keeps small blobs under names that were computed from them.
    pub(super) fn put_small(&self, blobs: &[(Hash, &[u8])]) -> Result<(), StoreError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let bytes: u64 = blobs.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let in_flight = self.inner.bytes_in_flight.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let durability = match in_flight > UNFLUSHED_BYTES_MAX {
            true => Durability::Immediate,
            false => Durability::None,
        };
        self.change_shelves(durability, |shelves| {
            blobs.iter().try_for_each(|(hash, bytes)| shelves.put_small(*hash, bytes))
        })
    }

    /// Whether a blob is there, whole.
    ///
    /// # Errors
    /// The disk failed.
    pub fn has_blob(&self, hash: Hash) -> Result<bool, StoreError> {
        Ok(self.blob_size(hash)?.is_some())
    }

    /// The length of a blob that is there, whole.
    ///
    /// # Errors
    /// The disk failed.
    pub fn blob_size(&self, hash: Hash) -> Result<Option<u64>, StoreError> {
        let transaction = self.inner.database.begin_read()?;
        if let Some(bytes) = transaction.open_table(SMALL)?.get(hash.0)? {
            return Ok(Some(bytes.value().len() as u64));
        }
        Ok(transaction.open_table(LARGE)?.get(hash.0)?.map(|size| size.value()))
    }

    /// The bytes of a blob, checked against its hash. A large one comes whole into memory.
    ///
    /// # Errors
    /// It is damaged (then it was set aside, and the next call answers `None`), or the disk failed.
    pub fn read_blob(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(bytes) = self.read_small(hash)? {
            return Ok(Some(bytes));
        }
        match self.blob_size(hash)? {
            Some(size) => self.read_large(hash, size).map(Some),
            None => Ok(None),
        }
    }

    /// At most `bytes_max` bytes of a blob from `offset` on; fewer only where the blob ends.
    ///
    /// Ranges of a large blob are *not* checked: the hash tree of [`Store::outboard`] does that,
    /// on this side when a slice is encoded and on the other when it arrives.
    ///
    /// # Errors
    /// As [`Store::read_blob`].
    pub fn read_blob_range(
        &self,
        hash: Hash,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(bytes) = self.read_small(hash)? {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let to = from.saturating_add(bytes_max).min(bytes.len());
            return Ok(Some(bytes[from..to].to_vec()));
        }
        match self.blob_size(hash)? {
            Some(size) => self.read_large_range(hash, size, offset, bytes_max).map(Some),
            None => Ok(None),
        }
    }

    /// Drops a blob and what was fetched of it. That it is not there is no error.
    ///
    /// # Errors
    /// The disk failed.
    pub fn delete_blob(&self, hash: Hash) -> Result<(), StoreError> {
        let _stripe = self.stripe(hash);
        self.change_shelves(Durability::None, |shelves| shelves.remove(hash))?;
        self.remove_files(hash)
    }

    /// What the blobs take up.
    ///
    /// # Errors
    /// The disk failed.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let transaction = self.inner.database.begin_read()?;
        self.tally(&transaction.open_table(TALLY)?)
    }

    fn read_small(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.inner.database.begin_read()?;
        let Some(bytes) = transaction.open_table(SMALL)?.get(hash.0)?.map(|b| b.value().to_vec())
        else {
            return Ok(None);
        };
        match Hash::of(&bytes) == hash {
            true => Ok(Some(bytes)),
            false => Err(self.set_aside(hash, "its bytes are not those of its hash".into())),
        }
    }

    /// Changes the index in one transaction; an error changes nothing.
    pub(super) fn change_shelves<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Shelves) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut transaction = self.inner.database.begin_write()?;
        transaction.set_durability(durability)?;
        let changed = {
            let mut tally = transaction.open_table(TALLY)?;
            let mut shelves = Shelves {
                small: transaction.open_table(SMALL)?,
                large: transaction.open_table(LARGE)?,
                usage: self.tally(&tally)?,
                bytes_max: self.inner.bytes_max,
            };
            let changed = change(&mut shelves)?;
            let Usage { small_blobs, small_bytes, large_blobs, large_bytes, .. } = shelves.usage;
            tally.insert("small", (small_blobs, small_bytes))?;
            tally.insert("large", (large_blobs, large_bytes))?;
            changed
        };
        transaction.commit()?;
        if let Durability::Immediate = durability {
            self.inner.bytes_in_flight.store(0, Ordering::Relaxed);
        }
        Ok(changed)
    }

    fn tally(
        &self,
        table: &impl ReadableTable<&'static str, (u64, u64)>,
    ) -> Result<Usage, StoreError> {
        let row = |kind| table.get(kind).map(|row| row.map_or((0, 0), |row| row.value()));
        let ((small_blobs, small_bytes), (large_blobs, large_bytes)) =
            (row("small")?, row("large")?);
        let partial_bytes = self.inner.partial_bytes.load(Ordering::Relaxed);
        Ok(Usage { small_blobs, small_bytes, large_blobs, large_bytes, partial_bytes })
    }

    /// The large blobs of the index.
    pub(super) fn large_blobs(&self) -> Result<Vec<(Hash, u64)>, StoreError> {
        let transaction = self.inner.database.begin_read()?;
        let mut blobs = Vec::new();
        for entry in transaction.open_table(LARGE)?.iter()? {
            let (hash, size) = entry?;
            blobs.push((Hash(hash.value()), size.value()));
        }
        Ok(blobs)
    }
}

/// Makes the tables, so that readers find them.
pub(super) fn create_tables(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(SMALL)?;
    transaction.open_table(LARGE)?;
    transaction.open_table(TALLY)?;
    transaction.commit()?;
    Ok(())
}
