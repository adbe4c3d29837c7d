//! A unit's input: some channels of an observation, and which of them the unit answers for.
//!
//! Layout: [`MAGIC`], length of the header (u32, little-endian), the header (postcard), then the
//! samples as in the file: spectrum after spectrum, channel after channel, little-endian.
//! Everything read here comes from outside and is checked before use.
use crate::{drift::Drifts, normalise};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// First bytes of every chunk; the digit is the version of the layout.
pub const MAGIC: &[u8; 4] = b"NBC1";
/// Largest header, bytes.
pub const HEADER_BYTES_MAX: usize = 256;
/// Most channels in an observation.
pub const CHANNELS_MAX: u32 = 1 << 30;
/// Most spectra in an observation; more are better averaged first.
pub const SPECTRA_MAX: u32 = 4_096;
/// Most samples in a chunk: it has to fit in a guest's memory several times over.
pub const SAMPLES_MAX: u64 = 24 << 20;

/// What was observed, and how finely.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
pub struct Observation {
    /// Frequency of channel 0, MHz.
    pub fch1_mhz: f64,
    /// From one channel to the next, MHz; negative where channel 0 is the highest.
    pub foff_mhz: f64,
    /// From one spectrum to the next, seconds.
    pub tsamp_s: f64,
    /// Channels in a spectrum.
    pub channels: u32,
    /// Spectra.
    pub spectra: u32,
}

impl Observation {
    /// Centre of a channel, MHz.
    pub fn frequency_mhz(&self, channel: i64) -> f64 {
        self.fch1_mhz + channel as f64 * self.foff_mhz
    }

    /// All channels.
    pub fn band(&self) -> Span {
        Span { first: 0, end: self.channels }
    }

    /// Whether a search makes sense of these figures.
    ///
    /// # Errors
    /// The first figure that does not.
    pub fn check(&self) -> Result<(), ChunkError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if self.channels == 0 || self.channels > CHANNELS_MAX {
            return Err(ChunkError::Channels(self.channels));
        }
        if self.spectra < 2 || self.spectra > SPECTRA_MAX {
            return Err(ChunkError::Spectra(self.spectra));
        }
        if !positive(self.tsamp_s) {
            return Err(ChunkError::SampleTime(self.tsamp_s));
        }
        if !positive(self.foff_mhz.abs()) || !self.fch1_mhz.is_finite() {
            return Err(ChunkError::Frequencies { fch1: self.fch1_mhz, foff: self.foff_mhz });
        }
        Ok(())
    }
}

/// What to look for.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
pub struct Settings {
    /// Fastest drift, Hz/s, in both directions.
    pub max_drift_hz_s: f64,
    /// Least S/N of a hit, thousandths.
    pub snr_milli: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { max_drift_hz_s: 4.0, snr_milli: 10_000 }
    }
}

/// A range of channels.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Span {
    /// The first.
    pub first: u32,
    /// One past the last.
    pub end: u32,
}

impl Span {
    /// How many channels.
    pub fn channels(self) -> u32 {
        self.end.saturating_sub(self.first)
    }

    /// This span and `reach` channels on both sides, as far as the band goes.
    pub fn widened(self, reach: u32, band: Span) -> Span {
        Span {
            first: self.first.saturating_sub(reach).max(band.first),
            end: self.end.saturating_add(reach).min(band.end),
        }
    }
}

/// How a sample is stored, little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Encoding {
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// IEEE 754, 32 bits.
    F32,
}

impl Encoding {
    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Encoding::U8 => 1,
            Encoding::U16 => 2,
            Encoding::F32 => 4,
        }
    }

    /// Appends the samples in `bytes` to `samples`. What is not finite counts as no power at all.
    pub fn decode(self, bytes: &[u8], samples: &mut Vec<f32>) {
        let finite = |sample: f32| if sample.is_finite() { sample } else { 0.0 };
        match self {
            Encoding::U8 => samples.extend(bytes.iter().map(|byte| f32::from(*byte))),
            Encoding::U16 => samples.extend(
                bytes.chunks_exact(2).map(|two| f32::from(u16::from_le_bytes([two[0], two[1]]))),
            ),
            Encoding::F32 => samples.extend(
                bytes
                    .chunks_exact(4)
                    .map(|four| finite(f32::from_le_bytes([four[0], four[1], four[2], four[3]]))),
            ),
        }
    }
}

/// What stands before the samples.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
pub struct ChunkHeader {
    /// The whole observation.
    pub observation: Observation,
    /// What to look for.
    pub settings: Settings,
    /// Which chunk this is, from 0.
    pub chunk: u32,
    /// Start channels that this chunk answers for.
    pub owned: Span,
    /// Channels whose samples follow: [`Self::needed`].
    pub samples: Span,
    /// How they are stored.
    pub encoding: Encoding,
}

impl ChunkHeader {
    /// The header of chunk `chunk` of `chunks`: even shares of the band, and what each needs around.
    ///
    /// # Errors
    /// The observation or the settings make no sense, or there is no such chunk.
    pub fn plan(
        observation: Observation,
        settings: Settings,
        encoding: Encoding,
        chunk: u32,
        chunks: u32,
    ) -> Result<ChunkHeader, ChunkError> {
        observation.check()?;
        if chunks == 0 || chunks > observation.channels || chunk >= chunks {
            return Err(ChunkError::Chunks { chunks, channels: observation.channels });
        }
        let border = |place: u32| {
            (u64::from(place) * u64::from(observation.channels) / u64::from(chunks)) as u32
        };
        let owned = Span { first: border(chunk), end: border(chunk + 1) };
        let samples = Self::needed(&observation, &settings, owned)?;
        let header = ChunkHeader { observation, settings, chunk, owned, samples, encoding };
        header.check()?;
        Ok(header)
    }

    /// The channels that a search of `owned` reads: the farthest drift from the farthest neighbour,
    /// filled up to whole blocks of statistics.
    ///
    /// # Errors
    /// The drift settings make no sense for this observation.
    pub fn needed(
        observation: &Observation,
        settings: &Settings,
        owned: Span,
    ) -> Result<Span, ChunkError> {
        let drifts = Drifts::new(observation, settings)?;
        let read =
            owned.widened(drifts.steps_max() + crate::search::PEAK_REACH, observation.band());
        let blocks = normalise::Blocks::of(observation.channels);
        Ok(Span {
            first: blocks.span(blocks.of_channel(read.first)).first,
            end: blocks.span(blocks.of_channel(read.end - 1)).end,
        })
    }

    /// How many samples follow the header.
    pub fn sample_count(&self) -> u64 {
        u64::from(self.samples.channels()) * u64::from(self.observation.spectra)
    }

    fn check(&self) -> Result<(), ChunkError> {
        self.observation.check()?;
        let Span { first, end } = self.owned;
        if first >= end || end > self.observation.channels {
            return Err(ChunkError::Owned(self.owned));
        }
        if self.samples != Self::needed(&self.observation, &self.settings, self.owned)? {
            return Err(ChunkError::Samples(self.samples));
        }
        if self.sample_count() > SAMPLES_MAX {
            return Err(ChunkError::TooLarge(self.sample_count()));
        }
        Ok(())
    }

    /// What stands before the samples, as bytes.
    ///
    /// # Errors
    /// The header is one that [`decode`] would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, ChunkError> {
        self.check()?;
        let header = postcard::to_allocvec(self).map_err(|_| ChunkError::Header)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header);
        Ok(bytes)
    }
}

/// Reads a chunk: its header, and its samples still as bytes.
///
/// # Errors
/// What is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<(ChunkHeader, &[u8]), ChunkError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ChunkError::Magic)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(ChunkError::Header)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > HEADER_BYTES_MAX {
        return Err(ChunkError::Header);
    }
    let (header, samples) = rest.split_at_checked(length).ok_or(ChunkError::Header)?;
    let header: ChunkHeader = postcard::from_bytes(header).map_err(|_| ChunkError::Header)?;
    header.check()?;
    let expected = header.sample_count() * header.encoding.bytes() as u64;
    match samples.len() as u64 == expected {
        true => Ok((header, samples)),
        false => Err(ChunkError::SampleBytes { expected, found: samples.len() as u64 }),
    }
}

/// What is wrong with a chunk, or with the wish for one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ChunkError {
    /// Does not begin with [`MAGIC`].
    Magic,
    /// No header, or over [`HEADER_BYTES_MAX`].
    Header,
    /// None, or over [`CHANNELS_MAX`].
    Channels(u32),
    /// Under two, or over [`SPECTRA_MAX`].
    Spectra(u32),
    /// Not a positive number of seconds.
    SampleTime(f64),
    /// Not frequencies.
    Frequencies {
        /// Of channel 0, MHz.
        fch1: f64,
        /// Between channels, MHz.
        foff: f64,
    },
    /// A drift that is no positive number, or over so many steps.
    Drift {
        /// Asked for, Hz/s.
        max_drift_hz_s: f64,
        /// Most that this observation can be searched for, Hz/s.
        limit_hz_s: f64,
    },
    /// Not between one chunk and one for each channel.
    Chunks {
        /// Asked for.
        chunks: u32,
        /// There are.
        channels: u32,
    },
    /// Channels that the observation does not have.
    Owned(Span),
    /// Not the channels that a search of the owned ones reads.
    Samples(Span),
    /// Over [`SAMPLES_MAX`].
    TooLarge(u64),
    /// More or fewer bytes of samples than the header says.
    SampleBytes {
        /// By the header.
        expected: u64,
        /// There are.
        found: u64,
    },
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChunkError::Magic => f.write_str("not a narrowband chunk: it does not begin with NBC1"),
            ChunkError::Header => f.write_str("the chunk's header is cut short or malformed"),
            ChunkError::Channels(n) => {
                write!(f, "{n} channels; 1 to {CHANNELS_MAX} can be searched")
            }
            ChunkError::Spectra(n) => {
                write!(
                    f,
                    "{n} spectra; 2 to {SPECTRA_MAX} can be searched (average longer ones first)"
                )
            }
            ChunkError::SampleTime(s) => {
                write!(f, "tsamp is {s} s; it has to be a positive number")
            }
            ChunkError::Frequencies { fch1, foff } => {
                write!(
                    f,
                    "fch1 is {fch1} MHz and foff {foff} MHz; both have to be finite, foff not 0"
                )
            }
            ChunkError::Drift { max_drift_hz_s, limit_hz_s } => {
                write!(
                    f,
                    "a drift of {max_drift_hz_s} Hz/s; choose one from 0 to {limit_hz_s:.3} here"
                )
            }
            ChunkError::Chunks { chunks, channels } => {
                write!(f, "{chunks} chunks of {channels} channels; choose 1 to {channels}")
            }
            ChunkError::Owned(Span { first, end }) => {
                write!(f, "the chunk answers for channels {first}..{end}, which do not exist")
            }
            ChunkError::Samples(Span { first, end }) => {
                write!(f, "the chunk holds channels {first}..{end}, not those its search reads")
            }
            ChunkError::TooLarge(samples) => write!(
                f,
                "{samples} samples in a chunk; at most {SAMPLES_MAX} fit in a guest, so cut into more chunks"
            ),
            ChunkError::SampleBytes { expected, found } => {
                write!(f, "{found} bytes of samples; the header promises {expected}")
            }
        }
    }
}

impl core::error::Error for ChunkError {}
