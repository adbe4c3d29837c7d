//! The scientist's side of many trees: alignments to try it, and what all trees agree on.
//!
//! * [`tree`] reads and writes trees, and says how each parts the species;
//! * [`synthetic`] makes genes of species whose tree is known;
//! * [`consensus`] makes one tree of many; [`picture`] draws it.
//!
//! It infers no tree: that is done by FastTree, which is not ours and stands outside.
#![forbid(unsafe_code)]

pub mod consensus;
pub mod picture;
pub mod synthetic;
pub mod tree;
