//! A deep zoom into the Mandelbrot set, in tiles: where z² + c, again and again from 0, runs away from
//! 0, how soon, and how far each point is from those for which it never does.
//!
//! Far in, pixels are nearer to each other than floats can tell. So one point, the middle, is followed
//! with all digits, and every pixel by its difference from it, which floats hold well.
//!
//! The steps, each in its own module:
//! 1. [`scene`]: what a unit's input may ask for;
//! 2. [`fixed`]: numbers with many digits;
//! 3. [`orbit`](mod@orbit): the middle's way, exactly, and a pixel's beside it;
//! 4. [`tile`]: a unit made of that.
//!
//! Floats are f64, with the four operations alone; the logarithms for smooth colours come from one library
//! in software, so that every machine finds the same bits. Colours are not chosen here.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod fixed;
pub mod orbit;
pub mod scene;
pub mod tile;
