//! The same peaks by brute force, from the file itself: to check what guests say.
//!
//! Written from the definition and sharing no code with the guest but the types of its output:
//! medians by sorting, every path laid out as a list of channels, every path of every channel
//! summed on its own. Sums are of integers and their order does not matter, so the two have to
//! agree to the last bit; a difference is an error in one of them or a lie.
use crate::{FilError, Filterbank};
use narrowband::{
    chunk::{Observation, Settings, Span},
    search::{Findings, Peak},
};

const BLOCK: u32 = 2_048;
const REACH: i64 = 8;

/// Why an output is not right.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// The file could not be read to say.
    #[error(transparent)]
    File(#[from] FilError),
    /// Another peak than there is, or none, or one too many.
    #[error("unit {unit}: peak {place} is {found:?}, the reference finds {expected:?}")]
    Peak {
        /// Whose output.
        unit: u32,
        /// Which peak, from 0.
        place: usize,
        /// In the output.
        found: Option<Peak>,
        /// By brute force.
        expected: Option<Peak>,
    },
    /// Of another search.
    #[error("unit {unit}: the output names another observation, other settings or another chunk")]
    AnotherSearch {
        /// Whose output.
        unit: u32,
    },
    /// Not bytes of an output.
    #[error("unit {unit}: the output is malformed")]
    Malformed {
        /// Whose output.
        unit: u32,
    },
}

/// Checks the output of the unit of chunk `unit` of `units`.
///
/// # Errors
/// What is wrong with it.
pub fn check(
    fil: &mut Filterbank,
    settings: &Settings,
    unit: u32,
    units: u32,
    output: &[u8],
) -> Result<(), Wrong> {
    let findings: Findings = postcard::from_bytes(output).map_err(|_| Wrong::Malformed { unit })?;
    let said = (findings.observation, findings.settings, findings.chunk);
    if said != (fil.observation(), *settings, unit) {
        return Err(Wrong::AnotherSearch { unit });
    }
    let expected = peaks(fil, settings, unit, units)?;
    for place in 0..expected.len().max(findings.peaks.len()) {
        let (found, expected) = (findings.peaks.get(place), expected.get(place));
        if found != expected {
            let (found, expected) = (found.copied(), expected.copied());
            return Err(Wrong::Peak { unit, place, found, expected });
        }
    }
    Ok(())
}

/// The peaks of chunk `unit` of `units`.
///
/// # Errors
/// The file cannot be read.
pub fn peaks(
    fil: &mut Filterbank,
    settings: &Settings,
    unit: u32,
    units: u32,
) -> Result<Vec<Peak>, FilError> {
    let observation = fil.observation();
    let channels = i64::from(observation.channels);
    let border = |place: u32| i64::from(place) * channels / i64::from(units);
    let (owned_first, owned_end) = (border(unit), border(unit + 1));
    let paths = paths(&observation, settings);
    let farthest = paths.len() as i64 / 2;

    let low = (owned_first - REACH).max(0);
    let high = (owned_end + REACH).min(channels);
    let field = Field::read(fil, low - farthest, high + farthest, rows(&observation))?;
    let strongest = strongest(&field, &paths, low, high);
    let snr: Vec<i64> = (low..high)
        .zip(&strongest)
        .map(|(channel, (sum, _))| field.snr_milli(channel, *sum))
        .collect();

    let is_peak = |channel: &i64| {
        let own = snr[(channel - low) as usize];
        let outdone = |other: i64| {
            let theirs = snr[(other - low) as usize];
            theirs > own || (theirs == own && other < *channel)
        };
        let around = (channel - REACH).max(low)..(channel + REACH + 1).min(high);
        own >= i64::from(settings.snr_milli) && !around.into_iter().any(outdone)
    };
    let peak = |channel: i64| Peak {
        channel: channel as u32,
        drift_steps: strongest[(channel - low) as usize].1 as i32,
        snr_milli: snr[(channel - low) as usize].min(i64::from(u32::MAX)) as u32,
    };
    Ok((owned_first..owned_end).filter(is_peak).map(peak).collect())
}

fn rows(observation: &Observation) -> usize {
    observation.spectra.next_power_of_two() as usize
}

/// The channels that each searched drift moves by at each row, from the most negative drift.
fn paths(observation: &Observation, settings: &Settings) -> Vec<Vec<i64>> {
    let rows = rows(observation);
    let last = rows as i64 - 1;
    let step_hz_s = (observation.foff_mhz * 1e6 / (last as f64 * observation.tsamp_s)).abs();
    let most =
        ((settings.max_drift_hz_s / step_hz_s) as i64).min(i64::from(observation.channels) - 1);
    // Gentle drifts: doubling the rows, a path is an older one followed by itself, begun anew
    // where the drift has come by then, rounded up.
    let mut gentle = vec![vec![0]];
    while gentle.len() < rows {
        let doubled = |drift: usize| {
            let half: &Vec<i64> = &gentle[drift / 2];
            let moved = (drift as i64 + 1) / 2;
            half.iter().copied().chain(half.iter().map(|at| at + moved)).collect()
        };
        gentle = (0..2 * gentle.len()).map(doubled).collect();
    }
    // Steeper and backward ones: a whole number of channels from row to row besides.
    let path = |steps: i64| {
        let whole = steps.div_euclid(last);
        let rest = &gentle[steps.rem_euclid(last) as usize];
        rest.iter().enumerate().map(|(row, at)| at + whole * row as i64).collect()
    };
    (-most..=most).map(path).collect()
}

/// The strongest sum from each channel, and the lowest drift that has it.
fn strongest(field: &Field, paths: &[Vec<i64>], low: i64, high: i64) -> Vec<(i64, i64)> {
    let farthest = paths.len() as i64 / 2;
    let mut best = vec![(i64::MIN, 0); (high - low) as usize];
    let mut sums = vec![0_i32; best.len()];
    for (path, steps) in paths.iter().zip(-farthest..) {
        sums.fill(0);
        for (row, moved) in field.values.iter().zip(path) {
            let from = (low + moved - field.low) as usize;
            sums.iter_mut().zip(&row[from..]).for_each(|(sum, value)| *sum += value);
        }
        for (best, sum) in best.iter_mut().zip(&sums) {
            if i64::from(*sum) > best.0 {
                *best = (i64::from(*sum), steps);
            }
        }
    }
    best
}

/// Normalised samples of some channels, also of such as do not exist: those hold nothing.
struct Field {
    low: i64,
    /// Row by row.
    values: Vec<Vec<i32>>,
    /// Of each block from `block_low`: median and median deviation of its sums over time.
    noise: Vec<(i64, i64)>,
    block_low: i64,
    block_last: i64,
}

impl Field {
    fn read(fil: &mut Filterbank, low: i64, high: i64, rows: usize) -> Result<Field, FilError> {
        let channels = i64::from(fil.observation().channels);
        let block_last = (channels / i64::from(BLOCK)).max(1) - 1;
        let block_of = |channel: i64| (channel / i64::from(BLOCK)).min(block_last);
        let block_low = block_of(low.max(0));
        let values = vec![vec![0; (high - low) as usize]; rows];
        let mut field = Field { low, values, noise: Vec::new(), block_low, block_last };
        for block in block_low..=block_of(high.min(channels) - 1) {
            let first = block * i64::from(BLOCK);
            let end = if block == block_last { channels } else { first + i64::from(BLOCK) };
            let span = Span { first: first as u32, end: end as u32 };
            field.add_block(fil, span)?;
        }
        Ok(field)
    }

    fn add_block(&mut self, fil: &mut Filterbank, span: Span) -> Result<(), FilError> {
        let mut residuals = Vec::new();
        for spectrum in 0..fil.observation().spectra {
            let (mut bytes, mut samples) = (Vec::new(), Vec::new());
            fil.read(spectrum, span, &mut bytes)?;
            fil.encoding().decode(&bytes, &mut samples);
            let median = middle(&mut samples.clone(), f32::total_cmp);
            samples.iter_mut().for_each(|sample| *sample -= median);
            residuals.push(samples);
        }
        let scale = scale(&residuals);
        let limit = (1_i32 << 30) / self.values.len() as i32;
        let mut sums = vec![0_i64; span.channels() as usize];
        for (row, residuals) in self.values.iter_mut().zip(&residuals) {
            for (column, residual) in residuals.iter().enumerate() {
                let value = ((residual * (256.0 / scale)) as i32).clamp(-limit, limit);
                sums[column] += i64::from(value);
                let place = i64::from(span.first) + column as i64 - self.low;
                if let Some(cell) = usize::try_from(place).ok().and_then(|p| row.get_mut(p)) {
                    *cell = value;
                }
            }
        }
        let median = middle(&mut sums.clone(), i64::cmp);
        sums.iter_mut().for_each(|sum| *sum = (*sum - median).abs());
        self.noise.push((median, middle(&mut sums, i64::cmp)));
        Ok(())
    }

    fn snr_milli(&self, channel: i64, sum: i64) -> i64 {
        let block = (channel / i64::from(BLOCK)).min(self.block_last);
        let (median, mad) = self.noise[(block - self.block_low) as usize];
        match mad {
            0 => 0,
            mad => ((sum - median) * 10_000_000 / (14_826 * mad)).max(0),
        }
    }
}

/// The median of all absolute residuals; if 0, the least above 0; if none, 1.
fn scale(residuals: &[Vec<f32>]) -> f32 {
    let mut all: Vec<f32> = residuals.iter().flatten().map(|value| value.abs()).collect();
    match middle(&mut all, f32::total_cmp) {
        0.0 => all.into_iter().find(|value| *value > 0.0).unwrap_or(1.0),
        median => median,
    }
}

/// Sorts, and gives the lower of the two in the middle where there are two.
fn middle<T: Copy>(values: &mut [T], order: impl Fn(&T, &T) -> std::cmp::Ordering) -> T {
    values.sort_unstable_by(order);
    values[(values.len() - 1) / 2]
}
