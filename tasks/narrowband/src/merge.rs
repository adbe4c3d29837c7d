//! From the peaks of all chunks to hits: one for each signal.
//!
//! A strong signal makes peaks wherever a searched path crosses it. So peaks are taken from the
//! strongest down, and one whose path meets that of a hit already taken is part of it. Two real
//! signals whose paths cross count as one, the stronger.
//!
//! The order of the outputs does not matter; that they are of one search does, and is checked.
use crate::{
    chunk::{ChunkError, Observation, Settings},
    drift::Drifts,
    search::{Findings, Peak},
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::{self, Write};

/// Paths that come this near meet, channels; steep ones, which smear, so much sooner as they move
/// between two spectra.
pub const MEET_CHANNELS: u32 = 4;

/// The header of `hits.csv`.
pub const CSV_HEADER: &str =
    "hit,drift_rate_hz_s,snr,frequency_mhz,channel,freq_start_mhz,freq_end_mhz,chunk";

/// A signal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hit {
    /// From 1, the strongest first.
    pub number: u32,
    /// The chunk that its start channel belongs to.
    pub chunk: u32,
    /// Where and how strong.
    pub peak: Peak,
    /// Its drift rate, Hz/s.
    pub drift_rate_hz_s: f64,
    /// Its frequency in the first spectrum, MHz.
    pub freq_start_mhz: f64,
    /// Its frequency in the last spectrum, MHz.
    pub freq_end_mhz: f64,
}

impl Hit {
    /// Its S/N.
    pub fn snr(&self) -> f64 {
        f64::from(self.peak.snr_milli) / 1e3
    }
}

/// The outputs of a search, taken together.
#[derive(Clone, PartialEq, Debug)]
pub struct Hits {
    /// What was observed.
    pub observation: Observation,
    /// What was looked for.
    pub settings: Settings,
    /// What was found, the strongest first.
    pub hits: Vec<Hit>,
}

/// Merges all outputs, each framed by its length (u64, little-endian).
///
/// # Errors
/// What is wrong with the frames or an output, or that they are of different searches.
pub fn merge(mut framed: &[u8]) -> Result<Hits, MergeError> {
    let mut outputs = Vec::new();
    while let Some((length, rest)) = framed.split_first_chunk::<8>() {
        let place = outputs.len();
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (output, rest) = rest.split_at_checked(length).ok_or(MergeError::Frame { place })?;
        outputs.push(postcard::from_bytes(output).map_err(|_| MergeError::Output { place })?);
        framed = rest;
    }
    match framed.is_empty() {
        true => merge_findings(&outputs),
        false => Err(MergeError::Frame { place: outputs.len() }),
    }
}

/// Merges outputs already read.
///
/// # Errors
/// There is none, or they are of different searches.
pub fn merge_findings(outputs: &[Findings]) -> Result<Hits, MergeError> {
    let Findings { observation, settings, .. } = *outputs.first().ok_or(MergeError::Nothing)?;
    let drifts = checked_drifts(&observation, &settings)?;
    for (place, output) in outputs.iter().enumerate() {
        if (output.observation, output.settings) != (observation, settings) {
            return Err(MergeError::AnotherSearch { place });
        }
        if !output.peaks.iter().all(|peak| lies_within(peak, &observation, &drifts)) {
            return Err(MergeError::Output { place });
        }
    }
    let hits = strongest(outputs, &drifts);
    let hits = hits.into_iter().zip(1..);
    let hits = hits.map(|(found, number)| hit(number, found, &observation, &drifts)).collect();
    Ok(Hits { observation, settings, hits })
}

fn checked_drifts(observation: &Observation, settings: &Settings) -> Result<Drifts, MergeError> {
    observation.check().map_err(MergeError::Search)?;
    Drifts::new(observation, settings).map_err(MergeError::Search)
}

fn lies_within(peak: &Peak, observation: &Observation, drifts: &Drifts) -> bool {
    peak.channel < observation.channels && peak.drift_steps.unsigned_abs() <= drifts.steps_max()
}

/// The peaks that meet no stronger one taken before, each with its chunk.
fn strongest(outputs: &[Findings], drifts: &Drifts) -> Vec<(u32, Peak)> {
    let with_chunk = |output: &Findings| {
        let chunk = output.chunk;
        output.peaks.iter().map(move |peak| (chunk, *peak)).collect::<Vec<_>>()
    };
    let mut peaks: Vec<(u32, Peak)> = outputs.iter().flat_map(with_chunk).collect();
    peaks.sort_unstable_by_key(|(_, peak)| (core::cmp::Reverse(peak.snr_milli), peak.channel));

    let near_max = near(drifts.steps_max(), drifts);
    let mut taken: BTreeMap<u32, Peak> = BTreeMap::new();
    peaks.retain(|(_, peak)| {
        let reach = peak.drift_steps.unsigned_abs() + drifts.steps_max() + near_max;
        let around = peak.channel.saturating_sub(reach)..=peak.channel.saturating_add(reach);
        let is_new = !taken.range(around).any(|(_, other)| meet(peak, other, drifts));
        if is_new {
            taken.insert(peak.channel, *peak);
        }
        is_new
    });
    peaks
}

/// How near a path has to come to one of `steps` to meet it, channels.
fn near(steps: u32, drifts: &Drifts) -> u32 {
    MEET_CHANNELS + steps / (drifts.rows() - 1)
}

/// Whether two paths, taken as straight lines, cross or come near at either end.
fn meet(a: &Peak, b: &Peak, drifts: &Drifts) -> bool {
    let start = i64::from(a.channel) - i64::from(b.channel);
    let end = start + i64::from(a.drift_steps) - i64::from(b.drift_steps);
    let steepest = a.drift_steps.unsigned_abs().max(b.drift_steps.unsigned_abs());
    start.signum() != end.signum()
        || start.abs().min(end.abs()) <= i64::from(near(steepest, drifts))
}

fn hit(number: u32, found: (u32, Peak), observation: &Observation, drifts: &Drifts) -> Hit {
    let (chunk, peak) = found;
    let drift_rate_hz_s = drifts.rate_hz_s(peak.drift_steps);
    let freq_start_mhz = observation.frequency_mhz(i64::from(peak.channel));
    let duration_s = f64::from(observation.spectra - 1) * observation.tsamp_s;
    let freq_end_mhz = freq_start_mhz + drift_rate_hz_s * duration_s / 1e6;
    Hit { number, chunk, peak, drift_rate_hz_s, freq_start_mhz, freq_end_mhz }
}

/// `hits.csv`: a header and one line a hit, the strongest first.
pub fn csv(hits: &[Hit]) -> String {
    let mut text = CSV_HEADER.to_string();
    text.push('\n');
    for hit in hits {
        let Hit { number, chunk, peak, drift_rate_hz_s, freq_start_mhz, freq_end_mhz } = hit;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{number},{drift_rate_hz_s:.6},{:.3},{freq_start_mhz:.9},{},{freq_start_mhz:.9},{freq_end_mhz:.9},{chunk}",
            hit.snr(),
            peak.channel,
        );
    }
    text
}

/// Why outputs could not be merged.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum MergeError {
    /// No output at all.
    Nothing,
    /// A frame is cut short.
    Frame {
        /// Which, from 0.
        place: usize,
    },
    /// Not an output of this search, or with peaks where there can be none.
    Output {
        /// Which, from 0.
        place: usize,
    },
    /// Not of the same search as the first.
    AnotherSearch {
        /// Which, from 0.
        place: usize,
    },
    /// A search that cannot be.
    Search(ChunkError),
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MergeError::Nothing => f.write_str("no outputs to merge"),
            MergeError::Frame { place } => write!(f, "the frame of output {place} is cut short"),
            MergeError::Output { place } => {
                write!(f, "output {place} is not one of a narrowband search")
            }
            MergeError::AnotherSearch { place } => {
                write!(
                    f,
                    "output {place} is of another observation or other settings than output 0"
                )
            }
            MergeError::Search(error) => {
                write!(f, "the outputs are of no possible search: {error}")
            }
        }
    }
}

impl core::error::Error for MergeError {}
