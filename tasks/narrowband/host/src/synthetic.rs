//! An observation with known tones: noise like a telescope's, and transmitters that drift.
//!
//! The same seed gives the same bytes on every machine: only additions, multiplications and square
//! roots of floats, no library functions whose last bit differs between systems.
use narrowband::{
    chunk::{Observation, Settings},
    drift::Drifts,
};
use std::{
    io::{self, Write},
    path::Path,
};

/// Tones in an observation.
pub const TONES: usize = 12;
/// Channels of the full-size observation: with [`SPECTRA`] 32-bit spectra it is 64 MiB.
pub const CHANNELS: u32 = 1 << 20;
/// Spectra of an observation.
pub const SPECTRA: u32 = 16;

/// Power samples averaged in each one, over both polarisations: its χ² has twice as many degrees.
const AVERAGED: f64 = 51.0;
const SNR_LEAST: f64 = 15.0;
const SNR_MOST: f64 = 60.0;
/// Channels from a border at which its two tones start.
const BORDER_CHANNELS: u32 = 40;

/// A tone as it was put in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tone {
    /// Where it is in the first spectrum.
    pub channel: u32,
    /// Channels it moves from the first spectrum to the last.
    pub drift_steps: i32,
    /// The same as a rate, Hz/s.
    pub drift_rate_hz_s: f64,
    /// Its power summed over the spectra, in standard deviations of such sums of noise.
    pub snr: f64,
}

/// What the observation of a seed is like, at any width.
pub fn observation(channels: u32) -> Observation {
    Observation {
        fch1_mhz: 8_421.386_717_353_016,
        foff_mhz: -2.793_967_723_846_435_5e-6,
        tsamp_s: 18.253_611_008,
        channels,
        spectra: SPECTRA,
    }
}

/// Writes the observation of a seed to a new file and tells what is in it.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, seed: u64, channels: u32) -> io::Result<Vec<Tone>> {
    let tones = tones(seed, channels);
    let mut file = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    file.write_all(&header(&observation(channels), seed))?;
    let mut line = Vec::with_capacity(channels as usize * 4);
    for spectrum in 0..SPECTRA {
        line.clear();
        line.extend(spectrum_of(seed, channels, spectrum, &tones).flat_map(f32::to_le_bytes));
        file.write_all(&line)?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
    Ok(tones)
}

/// The tones of a seed: one in each twelfth of the band, two of them moved to where a chunk ends
/// and drifting across that border.
pub fn tones(seed: u64, channels: u32) -> Vec<Tone> {
    let drifts = Drifts::new(&observation(channels), &Settings::default());
    let steps_max = drifts.map_or(0, |drifts| drifts.steps_max());
    let part = channels / TONES as u32;
    let tone = |number: usize| {
        let draw = |what: u64| uniform(seed, 1, (number as u64) << 8 | what);
        let number = number as u32;
        // Away from the edges of its part, so that no two tones meet.
        let mut channel = number * part + part / 4 + (draw(0) * f64::from(part / 2)) as u32;
        let mut steps = ((2.0 * draw(1) - 1.0) * f64::from(steps_max)) as i32;
        let strength = draw(2);
        if number == 3 {
            channel = channels / 4 - BORDER_CHANNELS;
            steps = steps.abs().max(4 * BORDER_CHANNELS as i32);
        }
        if number == 6 {
            channel = channels / 2 + BORDER_CHANNELS;
            steps = -steps.abs().max(4 * BORDER_CHANNELS as i32);
        }
        let drift_rate_hz_s = drifts.map_or(0.0, |drifts| drifts.rate_hz_s(steps));
        let snr = SNR_LEAST + (SNR_MOST - SNR_LEAST) * strength;
        Tone { channel, drift_steps: steps, drift_rate_hz_s, snr }
    };
    (0..TONES).map(tone).collect()
}

fn header(observation: &Observation, seed: u64) -> Vec<u8> {
    let word = |text: &str| [&(text.len() as i32).to_le_bytes()[..], text.as_bytes()].concat();
    let double = |name: &str, value: f64| [word(name), value.to_le_bytes().to_vec()].concat();
    let integer = |name: &str, value: i32| [word(name), value.to_le_bytes().to_vec()].concat();
    [
        word("HEADER_START"),
        word("source_name"),
        word(&format!("Synthetic {seed}")),
        integer("machine_id", 0),
        integer("telescope_id", 0),
        integer("data_type", 1),
        double("fch1", observation.fch1_mhz),
        double("foff", observation.foff_mhz),
        integer("nchans", observation.channels as i32),
        integer("nbits", 32),
        double("tstart", 60_000.0),
        double("tsamp", observation.tsamp_s),
        integer("nifs", 1),
        word("HEADER_END"),
    ]
    .concat()
}

fn spectrum_of(
    seed: u64,
    channels: u32,
    spectrum: u32,
    tones: &[Tone],
) -> impl Iterator<Item = f32> {
    // The receiver's gain wanders a little.
    let gain = 1e9 * (1.0 + 0.02 * (uniform(seed, 2, u64::from(spectrum)) - 0.5));
    let sigma = (1.0 / AVERAGED).sqrt();
    let per_row = sigma / f64::from(SPECTRA).sqrt();
    let row = f64::from(spectrum) / f64::from(SPECTRA - 1);
    let mut here: Vec<(u32, f64)> = tones
        .iter()
        .map(|tone| {
            let moved = (f64::from(tone.drift_steps) * row).round();
            ((f64::from(tone.channel) + moved) as u32, tone.snr * per_row)
        })
        .collect();
    here.sort_unstable_by_key(|(channel, _)| *channel);
    let mut here = here.into_iter().peekable();
    (0..channels).map(move |channel| {
        let cell = u64::from(spectrum) << 32 | u64::from(channel);
        let mut power = noise(seed, cell);
        while let Some((_, tone)) = here.next_if(|(at, _)| *at == channel) {
            power += tone;
        }
        (gain * bandpass(channel, channels) * power) as f32
    })
}

/// A filter's shape: flat, falling to seven tenths at both ends.
fn bandpass(channel: u32, channels: u32) -> f64 {
    let off_centre = 2.0 * f64::from(channel) / f64::from(channels) - 1.0;
    let square = off_centre * off_centre;
    1.0 - 0.3 * square * square * square
}

/// Mean 1, like a χ² of `2 * AVERAGED` degrees divided by that (Wilson and Hilferty's cube).
fn noise(seed: u64, cell: u64) -> f64 {
    const SPREAD: f64 = 1.0 / (9.0 * AVERAGED);
    let root = 1.0 - SPREAD + gaussian(seed, cell) * SPREAD.sqrt();
    root * root * root
}

/// Nearly a standard normal: 64 coins, the steps between their counts filled evenly.
fn gaussian(seed: u64, cell: u64) -> f64 {
    const VARIANCE: f64 = 16.0 + 1.0 / 12.0;
    let heads = f64::from(random(seed, 3, cell).count_ones());
    (heads - 32.0 + uniform(seed, 4, cell) - 0.5) / VARIANCE.sqrt()
}

fn uniform(seed: u64, stream: u64, place: u64) -> f64 {
    (random(seed, stream, place) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The `place`-th number of a stream: SplitMix64's mixing of a counter.
fn random(seed: u64, stream: u64, place: u64) -> u64 {
    let start = mix(seed ^ stream << 56);
    mix(start.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
