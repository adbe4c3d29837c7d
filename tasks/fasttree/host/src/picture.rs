//! The picture of a tree: time to the right, a species a line, and on each branch how many trees have it.
use crate::tree::Tree;
use canvas::Canvas;
use embedded_graphics::{
    mono_font::iso_8859_1::{FONT_6X10, FONT_7X13, FONT_10X20},
    pixelcolor::Rgb888,
    prelude::*,
};
use std::path::Path;

const WIDTH: u32 = 900;
const TOP: i32 = 64;
const LEFT: i32 = 30;
const LINE: i32 = 24;
const NAMES: i32 = 130;
const GROUND: Rgb888 = Rgb888::new(250, 250, 252);
const INK: Rgb888 = Rgb888::new(30, 30, 40);
const FAINT: Rgb888 = Rgb888::new(140, 142, 155);
const SURE: Rgb888 = Rgb888::new(28, 110, 92);
const UNSURE: Rgb888 = Rgb888::new(208, 72, 36);
/// Per cent of trees from which on a branch is drawn as sure.
const SURE_FROM: u32 = 90;

/// Draws a tree under a title.
///
/// # Errors
/// The file cannot be written.
pub fn draw(path: &Path, tree: &Tree, title: &str) -> Result<(), png::EncodingError> {
    let lines = tree.species().len() as i32;
    let size = Size::new(WIDTH, (TOP + lines * LINE + 40) as u32);
    let mut canvas = Canvas::new(size, GROUND);
    canvas.text(Point::new(20, 14), &FONT_10X20, INK, title);
    let room = WIDTH as i32 - LEFT - NAMES;
    let scale = f64::from(room) / deepest(tree).max(1e-9);
    let mut drawing = Drawing { canvas, scale, line: 0 };
    drawing.part(tree, LEFT);
    let bar = (0.1 * scale) as i32;
    let foot = Point::new(LEFT, TOP + lines * LINE + 12);
    drawing.canvas.line(foot, foot + Point::new(bar, 0), INK);
    drawing.canvas.text(foot + Point::new(0, 5), &FONT_6X10, FAINT, "0.1 changes a site");
    drawing.canvas.save(path)
}

fn deepest(tree: &Tree) -> f64 {
    tree.length + tree.children.iter().map(deepest).fold(0.0, f64::max)
}

struct Drawing {
    canvas: Canvas,
    scale: f64,
    /// Species drawn so far.
    line: i32,
}

impl Drawing {
    /// Draws what begins at `left`; answers how far down its branch leaves.
    fn part(&mut self, tree: &Tree, left: i32) -> i32 {
        let right = left + (tree.length.max(0.0) * self.scale) as i32;
        if tree.children.is_empty() {
            let y = TOP + self.line * LINE + LINE / 2;
            self.line += 1;
            self.thick(Point::new(left, y), Point::new(right, y), INK);
            self.canvas.text(Point::new(right + 7, y - 6), &FONT_7X13, INK, &tree.label);
            return y;
        }
        let below: Vec<i32> = tree.children.iter().map(|child| self.part(child, right)).collect();
        let (first, last) = (below[0], below[below.len() - 1]);
        let y = (first + last) / 2;
        let share = tree.label.parse().unwrap_or(100);
        let colour = if share >= SURE_FROM { SURE } else { UNSURE };
        self.thick(Point::new(right, first), Point::new(right, last), INK);
        self.thick(Point::new(left, y), Point::new(right, y), colour);
        let label = Point::new(right - 6 * tree.label.len() as i32 - 3, y - 12);
        self.canvas.text(label, &FONT_6X10, colour, &tree.label);
        y
    }

    fn thick(&mut self, from: Point, to: Point, colour: Rgb888) {
        for step in 0..2 {
            let aside = if from.x == to.x { Point::new(step, 0) } else { Point::new(0, step) };
            self.canvas.line(from + aside, to + aside, colour);
        }
    }
}
