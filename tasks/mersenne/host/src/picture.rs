//! The picture of a search: how many primes there are up to each exponent, and what all others left.
//!
//! Above, a step for each Mersenne prime beside the line of Wagstaff (1983), who expects e^γ log₂ x of
//! them up to exponent x. Below, a dot for each composite: its residue over its exponent. A test that
//! goes wrong shows there as a pattern; right residues are as good as random.
use crate::table::Tested;
use canvas::Canvas;
use embedded_graphics::{
    mono_font::{
        MonoFont,
        iso_8859_1::{FONT_6X10, FONT_7X13, FONT_10X20},
    },
    pixelcolor::Rgb888,
    prelude::*,
    primitives::Rectangle,
};
use std::path::Path;

const SIZE: Size = Size::new(1_200, 760);
const STEPS: Rectangle = Rectangle::new(Point::new(60, 70), Size::new(1_110, 380));
const DOTS: Rectangle = Rectangle::new(Point::new(60, 500), Size::new(1_110, 210));
const GROUND: Rgb888 = Rgb888::new(250, 250, 252);
const INK: Rgb888 = Rgb888::new(30, 30, 40);
const FAINT: Rgb888 = Rgb888::new(140, 142, 155);
const EDGE: Rgb888 = Rgb888::new(205, 207, 216);
const PRIME: Rgb888 = Rgb888::new(208, 72, 36);
const EXPECTED: Rgb888 = Rgb888::new(52, 116, 196);
/// e^γ, γ being Euler's constant.
const PRIMES_PER_DOUBLING: f64 = 1.781_072_417_990_198;

/// Draws the table.
///
/// # Errors
/// The file cannot be written.
pub fn draw(path: &Path, all: &[Tested]) -> Result<(), png::EncodingError> {
    let mut canvas = Canvas::new(SIZE, GROUND);
    let primes: Vec<u32> = all.iter().filter(|one| one.is_prime).map(|one| one.exponent).collect();
    let last = all.last().map_or(2, |one| one.exponent).max(4);
    let title = format!(
        "{} Mersenne primes among {} prime exponents up to {last}",
        primes.len(),
        all.len()
    );
    canvas.text(Point::new(20, 14), &FONT_10X20, INK, &title);
    steps(&mut canvas, &primes, last);
    dots(&mut canvas, all, last);
    canvas.save(path)
}

/// Primes counted over the logarithm of the exponent.
fn steps(canvas: &mut Canvas, primes: &[u32], last: u32) {
    let doublings = f64::from(last).log2();
    let most = (primes.len() as f64).max(PRIMES_PER_DOUBLING * doublings) + 1.0;
    let place = |doubling: f64, count: f64| {
        let x = doubling / doublings * f64::from(STEPS.size.width);
        let y = (1.0 - count / most) * f64::from(STEPS.size.height);
        STEPS.top_left + Point::new(x as i32, y as i32)
    };
    for doubling in 0..=doublings as u32 {
        let foot = place(f64::from(doubling), 0.0);
        canvas.line(foot, place(f64::from(doubling), most), EDGE);
        let label = (1_u32 << doubling).to_string();
        centred(canvas, foot + Point::new(0, 5), &FONT_6X10, FAINT, &label);
    }
    let end = place(doublings, PRIMES_PER_DOUBLING * doublings);
    for shift in 0..2 {
        let lower = Point::new(0, shift);
        canvas.line(place(0.0, 0.0) + lower, end + lower, EXPECTED);
    }
    let mut from = place(0.0, 0.0);
    for (count, exponent) in (1..).zip(primes) {
        let foot = Point::new(place(f64::from(*exponent).log2(), 0.0).x, from.y);
        let top = place(f64::from(*exponent).log2(), f64::from(count));
        for side in 0..2 {
            canvas.line(from + Point::new(0, side), foot + Point::new(0, side), PRIME);
            canvas.line(foot + Point::new(side, 0), top + Point::new(side, 0), PRIME);
        }
        let label = exponent.to_string();
        let left = 7 * label.len() as i32 + 5;
        canvas.text(top + Point::new(-left, -9), &FONT_7X13, PRIME, &label);
        from = top;
    }
    canvas.line(from, Point::new(place(doublings, 0.0).x, from.y), PRIME);
    canvas.frame(STEPS, EDGE);
    let say = "primes up to each exponent, and e^gamma log2 of it";
    canvas.text(STEPS.top_left + Point::new(8, 8), &FONT_7X13, INK, say);
}

/// What every composite left.
fn dots(canvas: &mut Canvas, all: &[Tested], last: u32) {
    for one in all.iter().filter(|one| !one.is_prime) {
        let x = f64::from(one.exponent) / f64::from(last) * f64::from(DOTS.size.width - 2);
        let y = one.residue as f64 / u64::MAX as f64 * f64::from(DOTS.size.height - 2);
        let at = DOTS.top_left + Point::new(x as i32, y as i32);
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            canvas.set(at + Point::new(dx, dy), INK);
        }
    }
    canvas.frame(DOTS, EDGE);
    let say = "residues of the composites, from 0 to 2^64, over the exponent";
    canvas.text(DOTS.top_left + Point::new(0, -16), &FONT_7X13, INK, say);
    for part in 0..=8_u32 {
        let x = DOTS.top_left.x + (part * DOTS.size.width / 8) as i32;
        let below = Point::new(x, DOTS.top_left.y + DOTS.size.height as i32 + 5);
        centred(canvas, below, &FONT_6X10, FAINT, &(last * part / 8).to_string());
    }
}

fn centred(canvas: &mut Canvas, at: Point, font: &MonoFont<'_>, colour: Rgb888, text: &str) {
    let half = text.len() as i32 * font.character_size.width as i32 / 2;
    canvas.text(at - Point::new(half, 0), font, colour, text);
}
