//! The scientist's side of folding: pictures of the way there, and of the chain at its end.
//!
//! It runs no guest and knows no grid: who does hands over what the units came to.
#![forbid(unsafe_code)]

pub mod energy;
pub mod structure;

pub use fold::{
    course::{Folded, Sample},
    table::read,
};

use dugnad_guest::stepped::take_all;
use fold::course::{init, step};

/// The output of a unit, computed by this very program.
///
/// # Errors
/// The input is not understood.
pub fn natively(input: &[u8]) -> Result<Vec<u8>, String> {
    let folded = take_all(init, step, input.to_vec())?;
    postcard::to_allocvec(&folded).map_err(|error| error.to_string())
}

/// The chain of the lowest energy.
pub fn lowest(all: &[Folded]) -> Option<&Folded> {
    all.iter().min_by(|one, other| one.energy.total_cmp(&other.energy))
}
