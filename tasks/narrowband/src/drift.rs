//! The drift rates that are searched: whole channels over the length of the observation.
//!
//! Rows are spectra, filled up to a power of two with rows of nothing, as the tree wants it. A drift
//! of `k` steps moves a tone `k` channels from the first row to the last.
use crate::chunk::{ChunkError, Observation, Settings};

/// Most steps in one direction; bounds how far a chunk reaches around itself.
pub const STEPS_MAX: u32 = 1 << 16;

const HZ_IN_MHZ: f64 = 1e6;

/// The grid of drift rates of one search.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Drifts {
    rows: u32,
    steps_max: u32,
    step_hz_s: f64,
}

impl Drifts {
    /// The drift rates from `-max` to `+max` of the settings, one channel apart at the end.
    ///
    /// # Errors
    /// The fastest drift is no number from 0, or needs over [`STEPS_MAX`] steps.
    pub fn new(observation: &Observation, settings: &Settings) -> Result<Drifts, ChunkError> {
        let rows = observation.spectra.next_power_of_two();
        let duration_s = f64::from(rows - 1) * observation.tsamp_s;
        let step_hz_s = observation.foff_mhz * HZ_IN_MHZ / duration_s;
        let max_drift_hz_s = settings.max_drift_hz_s;
        let steps = max_drift_hz_s / step_hz_s.abs();
        // Not `steps > max`: what is not a number has to be refused too.
        if !(steps >= 0.0 && steps <= f64::from(STEPS_MAX)) {
            let limit_hz_s = step_hz_s.abs() * f64::from(STEPS_MAX);
            return Err(ChunkError::Drift { max_drift_hz_s, limit_hz_s });
        }
        // Farther than the band is wide nothing can drift.
        let steps_max = (steps as u32).min(observation.channels - 1);
        Ok(Drifts { rows, steps_max, step_hz_s })
    }

    /// Rows of the tree: the spectra, filled up to a power of two.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Steps in one direction.
    pub fn steps_max(&self) -> u32 {
        self.steps_max
    }

    /// The drift rate of `steps`, Hz/s. Where channels run downwards in frequency, so do steps.
    pub fn rate_hz_s(&self, steps: i32) -> f64 {
        f64::from(steps) * self.step_hz_s
    }

    /// The blocks of drifts that the tree takes at once: block `b` begins at `b * (rows - 1)` steps.
    pub fn blocks(&self) -> core::ops::RangeInclusive<i32> {
        let (steps, size) = (self.steps_max as i32, self.rows as i32 - 1);
        (-steps).div_euclid(size)..=steps.div_euclid(size)
    }
}
