//! The scientist's side of the search for Mersenne primes: units' outputs in one table, and a picture.
//!
//! * [`table`] reads what units wrote, each a line for each exponent, and puts it in order;
//! * [`picture`] draws the primes beside the number of them that is to be expected, and all residues.
//!
//! It tests no exponent; the unit, in C, stands beside it.
#![forbid(unsafe_code)]

pub mod picture;
pub mod table;
