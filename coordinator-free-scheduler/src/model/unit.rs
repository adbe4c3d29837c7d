//! The unit table: what each unit is given. Pages of entries under one directory, all blobs.
use crate::{Hash, UnitIndex, wire};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Entries in a page; the last one may be shorter.
pub const PAGE_UNITS: u32 = 1_024;
/// Largest page, bytes.
pub const PAGE_BYTES_MAX: usize = 4 << 20;
/// Largest directory, bytes: the pages of [`UNITS_MAX`](crate::UNITS_MAX) units.
pub const DIRECTORY_BYTES_MAX: usize = 512 << 10;

/// What one unit is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct UnitEntry {
    /// Arguments after the job's own.
    pub args: Vec<String>,
    /// The blob given as standard input; none is empty input.
    pub input: Option<Hash>,
    /// What it may cost relative to other units, 0 for unknown. Orders work, nothing else.
    pub cost_hint: u32,
}

/// Up to [`PAGE_UNITS`] entries in unit order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct TablePage {
    /// The entries.
    pub units: Vec<UnitEntry>,
}

/// The pages of a table in order; the blob that a manifest names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct TableDirectory {
    /// Hashes of the pages' blobs.
    pub pages: Vec<Hash>,
}

/// The page that holds a unit, and its place there.
pub fn page_of(unit: UnitIndex) -> (usize, usize) {
    ((unit / PAGE_UNITS) as usize, (unit % PAGE_UNITS) as usize)
}

impl TablePage {
    /// Reads a page from its blob.
    ///
    /// # Errors
    /// It is no page, or over its limits.
    pub fn decode(bytes: &[u8]) -> Result<TablePage, wire::WireError> {
        let page: TablePage = wire::decode(bytes, PAGE_BYTES_MAX)?;
        match page.units.len() as u32 <= PAGE_UNITS {
            true => Ok(page),
            false => Err(wire::WireError::Malformed),
        }
    }
}

impl TableDirectory {
    /// Reads a directory from its blob.
    ///
    /// # Errors
    /// It is no directory, or over its limits.
    pub fn decode(bytes: &[u8]) -> Result<TableDirectory, wire::WireError> {
        wire::decode(bytes, DIRECTORY_BYTES_MAX)
    }
}
