//! The scientist's side of the narrowband search: everything around the units that needs files.
//!
//! * [`filterbank`] reads SIGPROC `.fil` files, [`split`] cuts them into the inputs of units;
//! * [`synthetic`] makes an observation with known tones, [`recovery`] compares hits with them;
//! * [`mod@reference`] finds a chunk's peaks by brute force, to check what guests say;
//! * [`dat`] and [`waterfall`] write the hits for other programs and for people.
//!
//! It runs no guest and knows no grid: who does hands over the outputs' bytes.
#![forbid(unsafe_code)]

pub mod dat;
pub mod filterbank;
mod header;
pub mod recovery;
pub mod reference;
pub mod split;
pub mod synthetic;
pub mod waterfall;

pub use filterbank::{FilError, Filterbank};
pub use narrowband::{
    chunk::{Observation, Settings},
    merge::{Hit, Hits, merge},
};
pub use split::Split;
