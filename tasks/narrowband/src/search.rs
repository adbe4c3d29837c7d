//! A unit's work: from the bytes of a chunk to the peaks that start in it.
//!
//! A peak is a start channel whose strongest sum reaches the threshold and is the strongest within
//! [`PEAK_REACH`] channels on both sides (of equals the lowest channel). One signal makes several
//! peaks, since slanted paths cross it; [`merge`](crate::merge) keeps one, because only it sees all.
use crate::{
    chunk::{self, ChunkError, ChunkHeader, Observation, Settings, Span},
    drift::Drifts,
    normalise::Grid,
    tree::{self, Tree},
};
use alloc::{vec, vec::Vec};
use serde::{Deserialize, Serialize};

/// Channels on both sides that a peak has to outdo.
pub const PEAK_REACH: u32 = 8;

/// Channels between two reports of progress.
const PROGRESS_CHANNELS: usize = 4_096;

/// A start channel and drift where something stands out.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Peak {
    /// Where it is in the first spectrum.
    pub channel: u32,
    /// How many channels it moves by the last row of the tree.
    pub drift_steps: i32,
    /// Its S/N, thousandths.
    pub snr_milli: u32,
}

/// A unit's output.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Findings {
    /// The whole observation, so that outputs alone can be merged.
    pub observation: Observation,
    /// What was looked for.
    pub settings: Settings,
    /// Which chunk this is.
    pub chunk: u32,
    /// Its peaks by rising channel.
    pub peaks: Vec<Peak>,
}

/// Searches one chunk. `progress` hears of channels done and in all.
///
/// # Errors
/// The bytes are no chunk.
pub fn search(bytes: &[u8], mut progress: impl FnMut(u64, u64)) -> Result<Findings, ChunkError> {
    let (header, samples) = chunk::decode(bytes)?;
    let ChunkHeader { observation, settings, chunk, owned, .. } = header;
    let drifts = Drifts::new(&observation, &settings)?;
    let grid = Grid::new(&header, samples, drifts.rows(), tree::margin(&drifts));
    let mut tree = Tree::new(&grid, drifts);

    let seen = owned.widened(PEAK_REACH, observation.band());
    let mut sums = vec![0; seen.channels() as usize];
    let mut done = 0;
    for sums in sums.chunks_mut(PROGRESS_CHANNELS) {
        tree.strongest(i64::from(seen.first) + done as i64, sums);
        done += sums.len();
        progress(done as u64, u64::from(seen.channels()));
    }
    let peaks = peaks(&grid, &tree, &settings, owned, seen, &sums);
    Ok(Findings { observation, settings, chunk, peaks })
}

fn peaks(
    grid: &Grid,
    tree: &Tree<'_>,
    settings: &Settings,
    owned: Span,
    seen: Span,
    sums: &[i32],
) -> Vec<Peak> {
    let snr =
        |channel: u32| grid.noise_at(channel).snr_milli(sums[(channel - seen.first) as usize]);
    let snrs: Vec<u32> = (seen.first..seen.end).map(snr).collect();
    (owned.first..owned.end)
        .filter(|channel| stands_out(&snrs, (channel - seen.first) as usize, settings.snr_milli))
        .filter_map(|channel| {
            let place = (channel - seen.first) as usize;
            let drift_steps = tree.drift_of(channel, sums[place])?;
            Some(Peak { channel, drift_steps, snr_milli: snrs[place] })
        })
        .collect()
}

fn stands_out(snrs: &[u32], place: usize, snr_milli_min: u32) -> bool {
    let snr = snrs[place];
    let reach = PEAK_REACH as usize;
    snr >= snr_milli_min
        && snrs[place.saturating_sub(reach)..place].iter().all(|before| *before < snr)
        && snrs[place + 1..].iter().take(reach).all(|after| *after <= snr)
}
