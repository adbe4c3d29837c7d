//! Narrowband search: finds transmitters in a filterbank observation by their drifting tones.
//!
//! A filterbank holds the power of many narrow frequency channels over some spectra. A transmitter
//! is narrower than a channel and, since the Earth turns, its tone drifts through the channels at a
//! steady rate. So the power along each straight path is summed ("de-Doppler") and compared with
//! what noise does.
//!
//! The steps, each in its own module:
//! 1. [`chunk`]: a unit's input is a range of channels with what surrounds it;
//! 2. [`normalise`]: power becomes integers, 256 to the noise's scale, block by block;
//! 3. [`tree`]: the strongest sum over all drift rates for each start channel (Taylor tree);
//! 4. [`search`]: local maxima above the threshold, owned by the chunk they start in;
//! 5. [`merge`]: of peaks whose paths meet only the strongest is a hit.
//!
//! Invariant: what is found depends on the observation and the settings, never on how it was cut
//! into chunks. Statistics belong to fixed blocks of absolute channels, sums are sums of integers,
//! and what spans chunks is decided in the merge. All floats are in [`normalise`] (differences,
//! products and one cast) and in printing, so every machine finds the same bits.
//!
//! It does not look for signals wider than a few channels, nor flatten the spikes and edges of
//! coarse channels, and a tone that drifts several channels within one spectrum is smeared: the
//! sum sees only part of its power.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod chunk;
pub mod drift;
pub mod merge;
pub mod normalise;
pub mod search;
pub mod tree;
