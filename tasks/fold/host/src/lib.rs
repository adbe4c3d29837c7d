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

use dugnad_guest::stepped::Next;

/// The output of a unit, computed by this very program.
///
/// # Errors
/// The input is not understood.
pub fn natively(input: &[u8]) -> Result<Vec<u8>, String> {
    let mut state = fold::course::init(input.to_vec())?;
    let mut number = 1;
    loop {
        match fold::course::step(state, number)? {
            Next::State(next) => state = next,
            Next::Done(folded) => {
                return postcard::to_allocvec(&folded).map_err(|error| error.to_string());
            }
        }
        number += 1;
    }
}
