//! From power to integers: gain and noise level go, the tone stays.
//!
//! The band is cut into blocks of [`BLOCK_CHANNELS`] absolute channels, so a channel's numbers do
//! not depend on the chunk it came in. In each block
//! * every spectrum loses its own median (gain drifts, broadband bursts);
//! * the rest is divided by the median of its absolute values over the block, times [`UNIT`], and
//!   cut to an integer of at most [`value_max`], so that no sum over all rows can overflow;
//! * the sums over time of its channels give the level and spread of noise sums: their median and
//!   the median of their absolute deviations (MAD).
//!
//! S/N of a sum = (sum − median) / (1.4826 · MAD) by the block of its start channel, where
//! 1.4826 · MAD is the standard deviation of Gaussian noise. A median of n values is the one at
//! place (n − 1) / 2 of their order: never a mean of two, so it is exact.
use crate::chunk::{ChunkHeader, Span};
use alloc::{vec, vec::Vec};

/// Channels in a block of statistics; the last block takes the remainder of the band too.
pub const BLOCK_CHANNELS: u32 = 2_048;
/// What the scale of a block's samples becomes.
pub const UNIT: f32 = 256.0;
/// 1.4826 in ten-thousandths.
const SIGMA_OF_MAD_E4: i64 = 14_826;
/// Ten-thousandths in a thousandth, times thousandths in one.
const MILLI_E4: i64 = 1_000 * 10_000;

/// Where the blocks of a band lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocks {
    channels: u32,
}

impl Blocks {
    /// The blocks of a band.
    pub fn of(channels: u32) -> Blocks {
        Blocks { channels }
    }

    fn count(self) -> u32 {
        (self.channels / BLOCK_CHANNELS).max(1)
    }

    /// The block of a channel.
    pub fn of_channel(self, channel: u32) -> u32 {
        (channel / BLOCK_CHANNELS).min(self.count() - 1)
    }

    /// The channels of a block.
    pub fn span(self, block: u32) -> Span {
        let end = match block + 1 == self.count() {
            true => self.channels,
            false => (block + 1) * BLOCK_CHANNELS,
        };
        Span { first: block * BLOCK_CHANNELS, end }
    }
}

/// Largest absolute value of a normalised sample, so that `rows` of them fit in an `i32` with room.
pub fn value_max(rows: u32) -> i32 {
    (1 << 30) / rows as i32
}

/// Level and spread of the noise sums of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Noise {
    /// Median of the sums.
    pub median: i32,
    /// Median of their absolute deviations from it; 0 where the block holds nothing.
    pub mad: i32,
}

impl Noise {
    /// The S/N of a sum, thousandths. Nothing stands out of a block that holds nothing.
    pub fn snr_milli(self, sum: i32) -> u32 {
        if self.mad == 0 || sum <= self.median {
            return 0;
        }
        let above = (i64::from(sum) - i64::from(self.median)) * MILLI_E4;
        u32::try_from(above / (SIGMA_OF_MAD_E4 * i64::from(self.mad))).unwrap_or(u32::MAX)
    }
}

/// Normalised samples of a chunk: all rows, zeros beyond the samples it came with.
pub struct Grid {
    values: Vec<i32>,
    stride: usize,
    origin: i64,
    noise: Vec<Noise>,
    blocks: Blocks,
    block_first: u32,
}

impl Grid {
    /// Normalises the samples of a chunk into `rows` rows that reach `margin` beyond the samples.
    pub fn new(header: &ChunkHeader, samples: &[u8], rows: u32, margin: u32) -> Grid {
        let stride = (header.samples.channels() + 2 * margin) as usize;
        let blocks = Blocks::of(header.observation.channels);
        let mut grid = Grid {
            values: vec![0; stride * rows as usize],
            stride,
            origin: i64::from(header.samples.first) - i64::from(margin),
            noise: Vec::new(),
            blocks,
            block_first: blocks.of_channel(header.samples.first),
        };
        let block_last = blocks.of_channel(header.samples.end - 1);
        for block in grid.block_first..=block_last {
            let noise = grid.fill(header, samples, blocks.span(block), value_max(rows));
            grid.noise.push(noise);
        }
        grid
    }

    /// A row from `channel` on; the channel has to lie within the margin.
    pub fn row_from(&self, row: usize, channel: i64) -> &[i32] {
        let column = (channel - self.origin) as usize;
        &self.values[row * self.stride..][column..self.stride]
    }

    /// The noise sums around a channel.
    pub fn noise_at(&self, channel: u32) -> Noise {
        self.noise[(self.blocks.of_channel(channel) - self.block_first) as usize]
    }

    fn fill(&mut self, header: &ChunkHeader, samples: &[u8], block: Span, limit: i32) -> Noise {
        let spectra = header.observation.spectra as usize;
        let residuals = block_residuals(header, samples, block);
        let gain = UNIT / deviation_scale(&residuals);
        let width = block.channels() as usize;
        let column = (i64::from(block.first) - self.origin) as usize;
        let mut sums = vec![0; width];
        for row in 0..spectra {
            let values = &mut self.values[row * self.stride + column..][..width];
            let residuals = &residuals[row * width..][..width];
            for ((value, sum), residual) in values.iter_mut().zip(&mut sums).zip(residuals) {
                *value = ((residual * gain) as i32).clamp(-limit, limit);
                *sum += *value;
            }
        }
        noise_of(&mut sums)
    }
}

/// The samples of a block, each less the median of its spectrum there.
fn block_residuals(header: &ChunkHeader, samples: &[u8], block: Span) -> Vec<f32> {
    let size = header.encoding.bytes();
    let first = (block.first - header.samples.first) as usize * size;
    let bytes = block.channels() as usize * size;
    let row_bytes = header.samples.channels() as usize * size;
    let mut residuals = Vec::with_capacity(samples.len() / row_bytes * block.channels() as usize);
    let mut order = Vec::with_capacity(block.channels() as usize);
    for row in samples.chunks_exact(row_bytes) {
        let start = residuals.len();
        header.encoding.decode(&row[first..first + bytes], &mut residuals);
        order.clear();
        order.extend(residuals[start..].iter().map(|sample| order_key(*sample)));
        let middle = (order.len() - 1) / 2;
        let median = of_order_key(*order.select_nth_unstable(middle).1);
        for residual in &mut residuals[start..] {
            *residual -= median;
        }
    }
    residuals
}

/// An integer that orders as the float does; sorting integers is faster in a guest.
fn order_key(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

fn of_order_key(key: i32) -> f32 {
    f32::from_bits((key ^ ((key >> 31) as u32 >> 1) as i32) as u32)
}

/// Median of the absolute residuals; where that is 0 (coarsely quantised data) the least one above
/// 0, and 1 where all are 0.
fn deviation_scale(residuals: &[f32]) -> f32 {
    let mut deviations: Vec<u32> = residuals.iter().map(|value| value.abs().to_bits()).collect();
    let middle = (deviations.len() - 1) / 2;
    let (_, median, above) = deviations.select_nth_unstable(middle);
    match *median {
        0 => above.iter().filter(|bits| **bits > 0).min().map_or(1.0, |bits| f32::from_bits(*bits)),
        median => f32::from_bits(median),
    }
}

fn noise_of(sums: &mut [i32]) -> Noise {
    let middle = (sums.len() - 1) / 2;
    let median = *sums.select_nth_unstable(middle).1;
    for sum in sums.iter_mut() {
        *sum = (*sum - median).abs();
    }
    Noise { median, mad: *sums.select_nth_unstable(middle).1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_keys_order_as_floats_do_and_come_back() {
        let ordered = [f32::MIN, -1.5, -1e-40, -0.0, 0.0, 1e-40, 0.5, 3.0, f32::MAX];
        assert!(ordered.windows(2).all(|two| order_key(two[0]) < order_key(two[1])));
        assert!(ordered.iter().all(|v| of_order_key(order_key(*v)).to_bits() == v.to_bits()));
    }

    #[test]
    fn blocks_cover_every_band_without_gaps() {
        for channels in [1, 2_047, 2_048, 2_049, 4_095, 4_096, 10_000] {
            let blocks = Blocks::of(channels);
            let mut next = 0;
            for block in 0..blocks.count() {
                let span = blocks.span(block);
                assert_eq!(span.first, next, "of {channels}");
                assert!((span.first..span.end).all(|c| blocks.of_channel(c) == block));
                next = span.end;
            }
            assert_eq!(next, channels);
        }
    }
}
