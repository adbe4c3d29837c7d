//! The picture of a search: under each query its best hits, each where it lies on the query.
//!
//! A bar is a hit, the brighter the more bits it counts. It is thin where the query has residues that
//! the hit lacks, and has a notch where the hit has some that the query lacks.
use crate::table::{Hit, Hits};
use canvas::{Canvas, intensity};
use embedded_graphics::{
    mono_font::iso_8859_1::{FONT_6X10, FONT_7X13, FONT_10X20},
    pixelcolor::Rgb888,
    prelude::*,
};
use std::{collections::BTreeMap, path::Path};

/// Hits drawn of a query.
pub const BARS_MAX: usize = 10;
/// Queries drawn; more have no room.
pub const PANELS_MAX: usize = 12;
const COLUMNS: usize = 2;
const PANEL: Size = Size::new(640, 190);
const TOP: i32 = 52;
const BAR_LEFT: i32 = 76;
const BAR_WIDE: f64 = 360.0;
const BAR_STEP: i32 = 13;
const BAR_HIGH: i32 = 9;
/// What is as bright as can be.
const BITS_FULL: f64 = 250.0;
const GROUND: Rgb888 = Rgb888::new(18, 18, 26);
const INK: Rgb888 = Rgb888::new(235, 235, 240);
const FAINT: Rgb888 = Rgb888::new(150, 152, 165);
const MARK: Rgb888 = Rgb888::new(96, 214, 255);

/// Draws the best hits; `lengths` are the residues of each query.
///
/// # Errors
/// The file cannot be written.
pub fn draw(
    path: &Path,
    all: &Hits,
    lengths: &BTreeMap<String, u64>,
) -> Result<(), png::EncodingError> {
    let panels = lengths.len().clamp(1, PANELS_MAX);
    let height = TOP + panels.div_ceil(COLUMNS) as i32 * PANEL.height as i32;
    let width = PANEL.width * COLUMNS as u32;
    let mut canvas = Canvas::new(Size::new(width, height as u32), GROUND);
    let title = format!(
        "{} queries against {} sequences of {} residues",
        lengths.len(),
        all.sequences,
        all.residues
    );
    canvas.text(Point::new(20, 14), &FONT_10X20, INK, &title);
    for (place, (query, residues)) in lengths.iter().take(PANELS_MAX).enumerate() {
        let (column, row) = ((place % COLUMNS) as i32, (place / COLUMNS) as i32);
        let corner = Point::new(column * PANEL.width as i32 + 20, TOP + row * PANEL.height as i32);
        let hits = all.of.get(query).map_or(&[][..], Vec::as_slice);
        panel(&mut canvas, corner, (query, *residues), hits, all.residues);
    }
    canvas.save(path)
}

fn panel(
    canvas: &mut Canvas,
    corner: Point,
    (query, residues): (&str, u64),
    hits: &[Hit],
    database: u64,
) {
    canvas.text(corner, &FONT_7X13, MARK, query);
    let scale = BAR_WIDE / residues.max(1) as f64;
    let axis = corner + Point::new(BAR_LEFT, 14);
    canvas.line(axis, axis + Point::new(BAR_WIDE as i32, 0), MARK);
    for (label, at) in [("1".to_owned(), 0.0), (residues.to_string(), BAR_WIDE)] {
        let left = if at > 0.0 { 6 * label.len() as i32 } else { 0 };
        canvas.text(axis + Point::new(at as i32 - left, -12), &FONT_6X10, FAINT, &label);
    }
    let right = axis + Point::new(BAR_WIDE as i32 + 10, -12);
    canvas.text(right, &FONT_6X10, FAINT, " bits  expected  same");
    for (hit, row) in hits.iter().take(BARS_MAX).zip(0..) {
        let at = axis + Point::new(0, 6 + row * BAR_STEP);
        bar(canvas, at, scale, hit);
        canvas.text(at - Point::new(BAR_LEFT, 0), &FONT_6X10, INK, &hit.target);
        let same = 100 * hit.identities / hit.columns.max(1);
        let expected = hit.expected(residues, database);
        let said = format!("{:5.0}  {expected:8.0e}  {same:3} %", hit.bits());
        canvas.text(at + Point::new(BAR_WIDE as i32 + 10, 0), &FONT_6X10, INK, &said);
    }
}

fn bar(canvas: &mut Canvas, at: Point, scale: f64, hit: &Hit) {
    let colour = intensity((0.15 + 0.85 * hit.bits() / BITS_FULL) as f32);
    let x = |residue: u32| at.x + (f64::from(residue) * scale) as i32;
    let mut residue = hit.query_part[0] - 1;
    for (count, letter) in runs(&hit.cigar) {
        let (thin, end) = match letter {
            'D' => {
                let notch = Point::new(x(residue), at.y);
                canvas.line(notch, notch + Point::new(0, 3), GROUND);
                continue;
            }
            'I' => (4, residue + count),
            _ => (0, residue + count),
        };
        for y in at.y + thin..at.y + BAR_HIGH - thin {
            canvas.line(Point::new(x(residue), y), Point::new(x(end) - 1, y), colour);
        }
        residue = end;
    }
}

/// The runs of a CIGAR: how many, of which letter.
fn runs(cigar: &str) -> impl Iterator<Item = (u32, char)> {
    cigar.split_inclusive(|c: char| c.is_ascii_alphabetic()).filter_map(|run| {
        let letter = run.chars().last()?;
        Some((run.trim_end_matches(letter).parse().ok()?, letter))
    })
}
