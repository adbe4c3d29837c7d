//! A picture of energies over time: each chain's way down while it is cooled.
use canvas::Canvas;
use embedded_graphics::{
    mono_font::ascii::{FONT_7X13, FONT_10X20},
    pixelcolor::Rgb888,
    prelude::*,
    primitives::Rectangle,
};
use fold::course::{Folded, Sample};
use std::path::Path;

const SIZE: Size = Size::new(1_100, 620);
const PLOT: Rectangle = Rectangle::new(Point::new(80, 60), Size::new(860, 490));
const GROUND: Rgb888 = Rgb888::new(255, 255, 255);
const INK: Rgb888 = Rgb888::new(30, 30, 40);
const GRID: Rgb888 = Rgb888::new(225, 225, 232);
const OTHERS: Rgb888 = Rgb888::new(170, 178, 200);
const BEST: Rgb888 = Rgb888::new(196, 60, 40);
const REST: Rgb888 = Rgb888::new(30, 130, 90);
/// Energies above are cut off: the first moves of a stretched chain.
const ENERGY_TOP: f64 = 60.0;
const ENERGY_BOTTOM: f64 = -60.0;
const ENERGY_LINES: i32 = 30;

/// Draws the ways of all chains; that of the lowest energy stands out.
///
/// # Errors
/// The file cannot be written.
pub fn draw(path: &Path, all: &[Folded]) -> Result<(), png::EncodingError> {
    let mut canvas = Canvas::new(SIZE, GROUND);
    let end = all.iter().flat_map(|folded| folded.samples.last()).map(|sample| sample.time);
    let end = end.fold(1.0, f64::max);
    grid(&mut canvas, end);
    for folded in all {
        way(&mut canvas, &folded.samples, end, OTHERS);
    }
    if let Some(best) = crate::lowest(all) {
        way(&mut canvas, &best.samples, end, BEST);
        rest(&mut canvas, best.energy, end);
        title(&mut canvas, all.len(), best);
    }
    canvas.save(path)
}

fn place(time: f64, energy: f64, end: f64) -> Point {
    let along = time / end;
    let down =
        (ENERGY_TOP - energy.clamp(ENERGY_BOTTOM, ENERGY_TOP)) / (ENERGY_TOP - ENERGY_BOTTOM);
    let (width, height) = (f64::from(PLOT.size.width), f64::from(PLOT.size.height));
    PLOT.top_left + Point::new((along * width) as i32, (down * height) as i32)
}

fn grid(canvas: &mut Canvas, end: f64) {
    let right = PLOT.top_left.x + PLOT.size.width as i32;
    let mut energy = ENERGY_BOTTOM as i32;
    while energy <= ENERGY_TOP as i32 {
        let at = place(0.0, energy.into(), end);
        canvas.line(at, Point::new(right, at.y), GRID);
        canvas.text(at - Point::new(45, 7), &FONT_7X13, INK, &format!("{energy:>4}"));
        energy += ENERGY_LINES;
    }
    for part in 0..=5 {
        let time = end * f64::from(part) / 5.0;
        let at = place(time, ENERGY_BOTTOM, end) + Point::new(-18, 8);
        canvas.text(at, &FONT_7X13, INK, &format!("{time:.0}"));
    }
    canvas.frame(PLOT, INK);
    canvas.text(Point::new(12, 42), &FONT_7X13, INK, "energy, in contacts");
    let below = PLOT.top_left.y + PLOT.size.height as i32 + 30;
    canvas.text(
        Point::new(PLOT.top_left.x, below),
        &FONT_7X13,
        INK,
        "time; hot at the left, cold at the right",
    );
}

fn way(canvas: &mut Canvas, samples: &[Sample], end: f64, colour: Rgb888) {
    for pair in samples.windows(2) {
        let at = |sample: &Sample| place(sample.time, sample.potential, end);
        canvas.line(at(&pair[0]), at(&pair[1]), colour);
    }
}

/// Where the lowest chain comes to rest, without the motion of heat.
fn rest(canvas: &mut Canvas, energy: f64, end: f64) {
    let (left, right) = (place(0.0, energy, end), place(end, energy, end));
    canvas.line(left, right, REST);
    canvas.text(right + Point::new(8, -7), &FONT_7X13, REST, &format!("{energy:.2} at rest"));
}

fn title(canvas: &mut Canvas, chains: usize, best: &Folded) {
    let text = format!(
        "{chains} chains cooled; the lowest, seed {}, comes to rest at {:.4}",
        best.settings.seed, best.energy
    );
    canvas.text(Point::new(80, 14), &FONT_10X20, INK, &text);
}
