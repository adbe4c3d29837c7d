//! All units' results in one table, lowest energy first.
use crate::{course::Folded, motion::radius};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Reads framed outputs: each after its length, 8 bytes, little-endian.
///
/// # Errors
/// Which one is none.
pub fn read(mut framed: &[u8]) -> Result<Vec<Folded>, String> {
    let mut all = Vec::new();
    while !framed.is_empty() {
        let bad = || format!("output {} is no folded chain", all.len());
        let (length, rest) = framed.split_first_chunk::<8>().ok_or_else(bad)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| bad())?;
        let (output, rest) = rest.split_at_checked(length).ok_or_else(bad)?;
        all.push(postcard::from_bytes(output).map_err(|_| bad())?);
        framed = rest;
    }
    Ok(all)
}

/// A line for each unit.
pub fn csv(mut all: Vec<Folded>) -> String {
    all.sort_by(|one, other| one.energy.total_cmp(&other.energy));
    let mut table = "seed,energy,radius\n".to_string();
    for folded in all {
        let radius = radius(&folded.places);
        table += &format!("{},{:.4},{radius:.4}\n", folded.settings.seed, folded.energy);
    }
    table
}
