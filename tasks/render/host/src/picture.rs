//! The picture of a zoom, as far as it is known.
//!
//! Colours go round with the logarithm of the steps after which a pixel ran away; what lies within a pixel
//! of the set is dark, as the set itself. What is missing is hatched; what is not released yet has a frame.
use crate::tiles::{Level, Tiles};
use canvas::Canvas;
use embedded_graphics::{pixelcolor::Rgb888, prelude::*, primitives::Rectangle};
use render::{
    scene::Area,
    tile::{STAYED, Tile},
};
use std::path::Path;

const MISSING: Rgb888 = Rgb888::new(38, 40, 50);
const HATCH: Rgb888 = Rgb888::new(84, 88, 106);
const REPORTED: Rgb888 = Rgb888::new(240, 120, 60);
const CHECKED: Rgb888 = Rgb888::new(96, 214, 255);
/// From one line of the hatching to the next, and what is line of that, pixels.
const HATCH_STEP: u32 = 16;
const HATCH_LINE: u32 = 4;
/// Pixels of a frame.
const FRAME: u32 = 4;
/// The wheel of colours: deep blue, white, gold, brown.
const WHEEL: [[f64; 3]; 5] = [
    [8.0, 16.0, 74.0],
    [38.0, 108.0, 190.0],
    [238.0, 246.0, 252.0],
    [250.0, 174.0, 26.0],
    [70.0, 22.0, 10.0],
];
/// Turns of the wheel from the least to the most steps.
const TURNS: f64 = 4.0;

/// Draws what is there, so many times smaller than it is.
///
/// # Errors
/// The file cannot be written.
pub fn draw(path: &Path, tiles: &Tiles, smaller: u32) -> Result<(), png::EncodingError> {
    let (width, height) = tiles.picture().unwrap_or((1, 1));
    let mut canvas = Canvas::new(Size::new(width, height), MISSING);
    for y in 0..height {
        for x in (0..width).filter(|x| (x + y) % HATCH_STEP < HATCH_LINE) {
            canvas.set(Point::new(x as i32, y as i32), HATCH);
        }
    }
    let range = range(tiles);
    for (level, tile) in tiles.fitting() {
        paint(&mut canvas, tile, range);
        let frame = match level {
            Level::Reported => Some(REPORTED),
            Level::Checked => Some(CHECKED),
            Level::Released => None,
        };
        if let Some(colour) = frame {
            around(&mut canvas, tile.area, colour);
        }
    }
    if smaller > 1 { canvas.shrunk(smaller).save(path) } else { canvas.save(path) }
}

/// Draws a frame inside an area; a small one may have room for none.
fn around(canvas: &mut Canvas, area: Area, colour: Rgb888) {
    for inset in (1..=FRAME).filter(|inset| 2 * inset < area.width.min(area.height)) {
        let corner = Point::new((area.x + inset) as i32, (area.y + inset) as i32);
        let inside = Size::new(area.width - 2 * inset, area.height - 2 * inset);
        canvas.frame(Rectangle::new(corner, inside), colour);
    }
}

/// The logarithms of the least and the most steps of any pixel that ran away.
fn range(tiles: &Tiles) -> (f64, f64) {
    let pixels = tiles.fitting().flat_map(|(_, tile)| &tile.pixels);
    let steps = pixels.map(|(steps, _)| *steps).filter(|steps| *steps != STAYED);
    let (least, most) =
        steps.fold((u32::MAX, 1), |(least, most), steps| (least.min(steps), most.max(steps)));
    (f64::from(least.max(1)).ln(), f64::from(most.max(2)).ln())
}

fn paint(canvas: &mut Canvas, tile: &Tile, range: (f64, f64)) {
    let across = tile.area.width as usize;
    for (at, (steps, distance)) in tile.pixels.iter().enumerate() {
        let (x, y) = ((at % across) as u32, (at / across) as u32);
        let place = Point::new((tile.area.x + x) as i32, (tile.area.y + y) as i32);
        canvas.set(place, colour(*steps, *distance, range));
    }
}

fn colour(steps: u32, distance: u32, (least, most): (f64, f64)) -> Rgb888 {
    if steps == STAYED {
        return Rgb888::BLACK;
    }
    let share = (f64::from(steps).ln() - least) / (most - least).max(1e-9);
    let turn = (share.max(0.0).sqrt() * TURNS).fract() * WHEEL.len() as f64;
    let (from, part) = (turn as usize % WHEEL.len(), turn.fract());
    let to = (from + 1) % WHEEL.len();
    let light = (f64::from(distance) / 256.0).min(1.0).sqrt();
    let channel =
        |at: usize| ((WHEEL[from][at] * (1.0 - part) + WHEEL[to][at] * part) * light) as u8;
    Rgb888::new(channel(0), channel(1), channel(2))
}
