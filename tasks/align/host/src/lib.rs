//! The scientist's side of the protein search: everything around the units that needs files.
//!
//! * [`synthetic`] makes queries and a database with known relatives; [`split`] cuts a database into
//!   the inputs of units;
//! * [`table`] puts the hits of all units into one table, with what chance would find in so large a
//!   database; [`picture`] draws where the best hits lie on each query.
//!
//! It runs no guest and knows no grid: who does hands over folders.
#![forbid(unsafe_code)]

pub mod picture;
pub mod split;
pub mod synthetic;
pub mod table;
