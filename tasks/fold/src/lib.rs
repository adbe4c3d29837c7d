//! Folding of a coarse-grained protein: 46 beads on a string find their way into a barrel of strands.
//!
//! The beads are hydrophobic (B), hydrophilic (L) or neutral (N), in the sequence and with the forces
//! of Honeycutt and Thirumalai (1990) in the form of Berry, Elmaci, Rose and Vekhter (1997). A unit
//! starts hot, from a random seed, is cooled slowly, and ends with its structure relaxed to the
//! nearest minimum of the energy. Which minimum that is differs from seed to seed; of many units the
//! lowest is the fold.
//!
//! The steps, each in its own module:
//! 1. [`settings`]: what a unit's input may ask for;
//! 2. [`chain`]: the sequence, its energy and forces;
//! 3. [`motion`]: Langevin dynamics, and relaxation;
//! 4. [`course`]: a stepped unit made of that;
//! 5. [`table`]: all units' results in one.
//!
//! Lengths are in bond lengths σ, energies in the depth ε of a contact, masses in a bead's, times in
//! σ (m/ε)^½. All floats are f64; functions beyond the four operations and the root come from one
//! library in software, so that every machine finds the same bits.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod chain;
pub mod course;
pub mod motion;
pub mod settings;
pub mod table;
