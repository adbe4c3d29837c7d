//! The scientist's side of the deep zoom: tiles become a picture while they come.
//!
//! * [`tiles`] looks into the folder that `dugnad fetch` writes to, again and again;
//! * [`picture`] gives what it found colours, and shows what is still missing as such.
//!
//! It follows no pixel; that is the unit's.
#![forbid(unsafe_code)]

pub mod picture;
pub mod tiles;
