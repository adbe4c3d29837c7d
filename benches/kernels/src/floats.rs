//! Kernels on floats: scalar, and such as compilers make vectors of.
use crate::{Stream, checksum};

/// `n` steps of 64 bodies under gravity, leapfrog, f64.
pub fn n_body(n: u32) -> u64 {
    const BODIES: usize = 64;
    const STEP: f64 = 0.001;
    let mut stream = Stream(5);
    let mut place = [[0.0f64; 3]; BODIES];
    place.as_flattened_mut().fill_with(|| f64::from(stream.unit()));
    let mut speed = [[0.0f64; 3]; BODIES];
    for _ in 0..n {
        for one in 0..BODIES {
            let mut pull = [0.0f64; 3];
            for other in 0..BODIES {
                let mut away = [0.0; 3];
                let mut square = 0.01;
                for axis in 0..3 {
                    away[axis] = place[other][axis] - place[one][axis];
                    square += away[axis] * away[axis];
                }
                let strength = 1.0 / (square * square.sqrt());
                for axis in 0..3 {
                    pull[axis] += away[axis] * strength;
                }
            }
            for axis in 0..3 {
                speed[one][axis] += pull[axis] * STEP;
            }
        }
        for (place, speed) in place.as_flattened_mut().iter_mut().zip(speed.as_flattened()) {
            *place += *speed * STEP;
        }
    }
    checksum(place.as_flattened().iter().map(|value| value.to_bits()))
}

/// A picture of 512 × 512 blurred `n` times by 3 × 3, f32.
pub fn blur(n: u32) -> u64 {
    const SIDE: usize = 512;
    let mut stream = Stream(9);
    let mut picture: Vec<f32> = (0..SIDE * SIDE).map(|_| stream.unit()).collect();
    let mut blurred = picture.clone();
    for _ in 0..n {
        for y in 1..SIDE - 1 {
            let row = |dy: usize| &picture[(y + dy - 1) * SIDE..(y + dy) * SIDE];
            let (above, here, below) = (row(0), row(1), row(2));
            let out = &mut blurred[y * SIDE..(y + 1) * SIDE];
            for x in 1..SIDE - 1 {
                let sum = |row: &[f32]| row[x - 1] + row[x] + row[x + 1];
                out[x] = (sum(above) + sum(here) + sum(below)) * (1.0 / 9.0);
            }
        }
        core::mem::swap(&mut picture, &mut blurred);
    }
    checksum(picture.iter().map(|value| value.to_bits().into()))
}

/// `n` Fourier transforms of 16,384 complex numbers, f32, radix 2 (Cooley and Tukey 1965), in the
/// order of Stockham, real and imaginary parts apart.
pub fn fft(n: u32) -> u64 {
    const SIZE: usize = 1 << 14;
    let mut stream = Stream(13);
    let mut real: Vec<f32> = (0..SIZE).map(|_| stream.unit()).collect();
    let mut imaginary = vec![0.0f32; SIZE];
    let (mut next_real, mut next_imaginary) = (real.clone(), imaginary.clone());
    let turns: Vec<(f32, f32)> = turns(SIZE / 2);
    for _ in 0..n {
        let (mut length, mut stride) = (SIZE / 2, 1);
        while length >= 1 {
            for at in 0..length {
                let (cos, sin) = turns[at * stride];
                let (low, high) = (stride * at, stride * (at + length));
                let to = 2 * low;
                butterfly(
                    [&real[low..low + stride], &imaginary[low..low + stride]],
                    [&real[high..high + stride], &imaginary[high..high + stride]],
                    (cos, sin),
                    &mut next_real[to..to + 2 * stride],
                    &mut next_imaginary[to..to + 2 * stride],
                );
            }
            core::mem::swap(&mut real, &mut next_real);
            core::mem::swap(&mut imaginary, &mut next_imaginary);
            (length, stride) = (length / 2, stride * 2);
        }
        let scale = 1.0 / (SIZE as f32).sqrt();
        real.iter_mut().chain(&mut imaginary).for_each(|value| *value *= scale);
    }
    checksum(real.iter().map(|value| value.to_bits().into()))
}

fn butterfly(
    low: [&[f32]; 2],
    high: [&[f32]; 2],
    (cos, sin): (f32, f32),
    real: &mut [f32],
    imaginary: &mut [f32],
) {
    let stride = real.len() / 2;
    let (real_sum, real_turned) = real.split_at_mut(stride);
    let (imaginary_sum, imaginary_turned) = imaginary.split_at_mut(stride);
    for at in 0..stride {
        let (a, b) = (low[0][at], low[1][at]);
        let (c, d) = (high[0][at], high[1][at]);
        real_sum[at] = a + c;
        imaginary_sum[at] = b + d;
        let (x, y) = (a - c, b - d);
        real_turned[at] = x * cos - y * sin;
        imaginary_turned[at] = x * sin + y * cos;
    }
}

/// Cosine and sine of the first `half` of 2·half turns of a circle, by repeated rotation in f64.
fn turns(half: usize) -> Vec<(f32, f32)> {
    // cos π/half by halving the angle from π on; sqrt is exact everywhere, `cos` is not.
    let (mut cos, mut sin) = (-1.0f64, 0.0f64);
    let mut angle = 1;
    while angle < half {
        let half_cos = ((1.0 + cos) / 2.0).max(0.0).sqrt();
        sin = if angle == 1 { 1.0 } else { sin / (2.0 * half_cos) };
        cos = half_cos;
        angle *= 2;
    }
    let (mut x, mut y) = (1.0f64, 0.0f64);
    (0..half)
        .map(|_| {
            let turn = (x as f32, -y as f32);
            (x, y) = (x * cos - y * sin, x * sin + y * cos);
            turn
        })
        .collect()
}

/// Sums along all drifts of 64 spectra of 8,192 channels, `n` times, f32: the tree of Taylor 1974.
pub fn dedoppler(n: u32) -> u64 {
    const SPECTRA: usize = 64;
    const CHANNELS: usize = 1 << 13;
    let mut stream = Stream(17);
    let first: Vec<f32> = (0..SPECTRA * CHANNELS).map(|_| stream.unit()).collect();
    let mut sums = first.clone();
    let mut next = first.clone();
    for _ in 0..n {
        let mut group = 1;
        while group < SPECTRA {
            for begin in (0..SPECTRA).step_by(2 * group) {
                for drift in 0..2 * group {
                    let (early, late) = (begin + drift / 2, begin + group + drift / 2);
                    let shift = drift.div_ceil(2);
                    let out = &mut next[(begin + drift) * CHANNELS..][..CHANNELS - shift];
                    let early = &sums[early * CHANNELS..][..CHANNELS - shift];
                    let late = &sums[late * CHANNELS + shift..][..CHANNELS - shift];
                    for ((out, early), late) in out.iter_mut().zip(early).zip(late) {
                        *out = early + late;
                    }
                }
            }
            core::mem::swap(&mut sums, &mut next);
            group *= 2;
        }
        sums.iter_mut().for_each(|sum| *sum *= 1.0 / SPECTRA as f32);
    }
    checksum(sums.iter().map(|value| value.to_bits().into()))
}
