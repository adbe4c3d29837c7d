//! The journal: what the node must never forget, in the order in which it was said.
//!
//! Invariant: what [`Store::append`] has returned for is on disk and comes back from
//! [`Store::replay`] until its group is forgotten, in the order of appending. Every record carries
//! a check, so a damaged one is an error and never another record. What the bytes mean is not
//! known here.
use super::{Store, StoreError};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{cmp::Reverse, collections::BinaryHeap, sync::atomic::Ordering};

/// What records are forgotten together: the job that they are about.
pub type Group = [u8; 32];

/// Largest journal record, bytes.
pub const RECORD_BYTES_MAX: usize = 4 << 20;

/// Group and place in the order of all records → check and bytes.
///
/// By group first, so that a group is one range to forget; replay merges the groups again.
pub(super) const RECORDS: TableDefinition<(Group, u64), &[u8]> = TableDefinition::new("journal");

const CHECK_BYTES: usize = 8;

impl Store {
    /// Appends records as one commit and returns when they are on disk: all of them, or on an
    /// error none. Blobs put before are on disk then, too.
    ///
    /// # Errors
    /// A record is over `RECORD_BYTES_MAX`, or the disk failed.
    pub fn append(&self, records: &[(Group, Vec<u8>)]) -> Result<(), StoreError> {
        if let Some((_, record)) = records.iter().find(|(_, r)| r.len() > RECORD_BYTES_MAX) {
            let bytes = record.len();
            return Err(StoreError::RecordTooLarge { bytes, bytes_max: RECORD_BYTES_MAX });
        }
        let transaction = self.inner.database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for (group, bytes) in records {
                let place = self.inner.next_record.fetch_add(1, Ordering::Relaxed);
                table.insert((*group, place), with_check(group, place, bytes).as_slice())?;
            }
        }
        transaction.commit()?;
        self.inner.bytes_in_flight.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Hands out every record that is not forgotten, in the order of appending.
    ///
    /// # Errors
    /// The first damaged record ends it; what was handed out until then must not be used.
    pub fn replay(&self, mut each: impl FnMut(Group, Vec<u8>)) -> Result<(), StoreError> {
        let transaction = self.inner.database.begin_read()?;
        let table = transaction.open_table(RECORDS)?;
        let mut cursors = Vec::new();
        for group in groups(&table)? {
            cursors.push(table.range((group, 0)..=(group, u64::MAX))?);
        }
        let mut heads = BinaryHeap::new();
        let mut due: Vec<usize> = (0..cursors.len()).collect();
        loop {
            for cursor in due.drain(..) {
                if let Some(entry) = cursors[cursor].next() {
                    let (key, value) = entry?;
                    let (group, place) = key.value();
                    let bytes = self.checked(&group, place, value.value())?;
                    heads.push(Reverse((place, cursor, group, bytes)));
                }
            }
            let Some(Reverse((_, cursor, group, bytes))) = heads.pop() else { return Ok(()) };
            each(group, bytes);
            due.push(cursor);
        }
    }

    /// Drops every record of a group, durably.
    ///
    /// # Errors
    /// The disk failed; the group is as it was.
    pub fn forget(&self, group: Group) -> Result<(), StoreError> {
        let transaction = self.inner.database.begin_write()?;
        transaction.open_table(RECORDS)?.retain_in((group, 0)..=(group, u64::MAX), |_, _| false)?;
        transaction.commit()?;
        Ok(())
    }

    fn checked(&self, group: &Group, place: u64, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        if let Some((check, bytes)) = value.split_at_checked(CHECK_BYTES)
            && check == check_of(group, place, bytes)
        {
            return Ok(bytes.to_vec());
        }
        Err(StoreError::Damaged {
            path: self.inner.dir.join("store.redb"),
            why: format!("record {place} of the journal is not what was written"),
        })
    }
}

/// The place after the last record.
pub(super) fn next_record(database: &Database) -> Result<u64, StoreError> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(RECORDS)?;
    let mut next = 0;
    for group in groups(&table)? {
        if let Some(last) = table.range((group, 0)..=(group, u64::MAX))?.next_back() {
            next = next.max(last?.0.value().1.saturating_add(1));
        }
    }
    Ok(next)
}

/// The groups that have records: one step down the tree for each, whatever their length.
fn groups(
    table: &impl ReadableTable<(Group, u64), &'static [u8]>,
) -> Result<Vec<Group>, StoreError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut entry = table.range::<(Group, u64)>(..)?.next();
    while let Some(found) = entry {
        let group = found?.0.value().0;
        groups.push(group);
        entry = table
            .range((std::ops::Bound::Excluded((group, u64::MAX)), std::ops::Bound::Unbounded))?
            .next();
    }
    Ok(groups)
}

fn with_check(group: &Group, place: u64, bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(CHECK_BYTES + bytes.len());
    value.extend_from_slice(&check_of(group, place, bytes));
    value.extend_from_slice(bytes);
    value
}

fn check_of(group: &Group, place: u64, bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("dugnad 1 journal record");
    hasher.update(group).update(&place.to_le_bytes()).update(bytes);
    let mut check = [0; CHECK_BYTES];
    hasher.finalize_xof().fill(&mut check);
    check
}
