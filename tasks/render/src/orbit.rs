//! The way of the middle, followed with all digits, and of a pixel beside it.
//!
//! A pixel's z is Z + d, with Z on the middle's way and d small: d' = 2 Z d + d² + δ, where δ is what the
//! pixel is away from the middle (Martin, 2013). Where z comes nearer to 0 than d is large, d is z itself
//! and the middle's way begins anew (Zhuoran, 2021); so no digits are lost but those that floats lack. They
//! decide about pixels alone that are within a millionth of a pixel of the set, and so dark either way.
use crate::{fixed::Fixed, scene::Scene};
use alloc::vec::Vec;

/// Beyond this square of its distance from 0 a point has run away; far out, so that colours are smooth.
pub const AWAY: f64 = 1e6;

/// What became of a pixel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fate {
    /// It ran away.
    Away {
        /// After so many steps.
        steps: u32,
        /// What is to be added so that steps rise smoothly from pixel to pixel.
        part: f64,
        /// This many pixels from what never runs away, about.
        distance: f64,
    },
    /// It did not, within the limit.
    Stayed,
}

/// The middle's z after 0, 1, 2 … steps, up to the limit or until it has run away.
pub fn orbit(scene: &Scene) -> Vec<(f64, f64)> {
    let (mut re, mut im) = (Fixed::ZERO, Fixed::ZERO);
    let mut all = Vec::new();
    for _ in 0..=scene.limit {
        let z = (re.to_f64(), im.to_f64());
        all.push(z);
        if z.0 * z.0 + z.1 * z.1 > AWAY {
            break;
        }
        (re, im) = (re.square() - im.square() + scene.re, re.times(im).doubled() + scene.im);
    }
    all
}

/// Follows a pixel at `offset` from the middle, where pixels are `pixel` wide.
pub fn follow(orbit: &[(f64, f64)], offset: (f64, f64), pixel: f64, limit: u32) -> Fate {
    let (mut d_re, mut d_im) = (0.0, 0.0);
    // How z changes from pixel to pixel.
    let (mut slope_re, mut slope_im) = (0.0, 0.0);
    let mut at = 0;
    let (mut z_re, mut z_im) = (0.0, 0.0);
    for step in 1..=limit {
        let slope = (
            2.0 * (z_re * slope_re - z_im * slope_im) + pixel,
            2.0 * (z_re * slope_im + z_im * slope_re),
        );
        (slope_re, slope_im) = slope;
        let (big_re, big_im) = orbit[at];
        let (twice_re, twice_im) = (2.0 * big_re + d_re, 2.0 * big_im + d_im);
        let next_re = twice_re * d_re - twice_im * d_im + offset.0;
        let next_im = twice_re * d_im + twice_im * d_re + offset.1;
        (d_re, d_im) = (next_re, next_im);
        at += 1;
        let (big_re, big_im) = orbit[at];
        (z_re, z_im) = (big_re + d_re, big_im + d_im);
        let size = z_re * z_re + z_im * z_im;
        if size > AWAY {
            return away(step, size, slope_re * slope_re + slope_im * slope_im);
        }
        if size < d_re * d_re + d_im * d_im || at + 1 == orbit.len() {
            (d_re, d_im) = (z_re, z_im);
            at = 0;
        }
    }
    Fate::Stayed
}

fn away(steps: u32, size: f64, slope: f64) -> Fate {
    let half_log = libm::log(size) * 0.5;
    let part = 1.0 - libm::log2(half_log / (libm::log(AWAY) * 0.5));
    let distance = 2.0 * half_log * libm::sqrt(size / slope);
    Fate::Away { steps, part, distance }
}
