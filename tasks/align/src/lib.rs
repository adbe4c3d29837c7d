//! Search of a database of proteins for relatives of others, by the best local alignment of each pair.
//!
//! The score is that of Smith and Waterman (1981) with the affine gaps of Gotoh (1982), over the matrix
//! BLOSUM62 of Henikoff and Henikoff (1992): no heuristic, so no relative is missed that the score shows.
//!
//! The steps, each in its own module:
//! 1. [`sequence`]: FASTA, and residues as small numbers;
//! 2. [`score`]: what pairs of residues and gaps count;
//! 3. [`search`]: the scores of one query with eight sequences at a time, as Rognes (2011) does it;
//! 4. [`trace`]: where the best pairs lie on each other;
//! 5. [`unit`](mod@unit): a chunk of the database in, its best hits out.
//!
//! All of it is integers. What is not here: statistics of scores and tables of all units; those are in
//! `host/`, which knows the whole database.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod score;
pub mod search;
pub mod sequence;
pub mod trace;
pub mod unit;
