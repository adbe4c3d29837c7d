//! A picture of a folded chain: balls on a string, seen along the axis in which it is thinnest.
use canvas::Canvas;
use embedded_graphics::{
    mono_font::ascii::{FONT_7X13, FONT_10X20},
    pixelcolor::Rgb888,
    prelude::*,
};
use fold::{
    chain::{SEQUENCE, Vector, dot, minus, plus, times},
    course::Folded,
    motion::centre,
};
use std::path::Path;

/// Pixels of the picture, each way, and how many are drawn for each of them.
const SIDE: u32 = 760;
const FINER: u32 = 3;
const GROUND: Rgb888 = Rgb888::new(250, 250, 252);
const INK: Rgb888 = Rgb888::new(30, 30, 40);
const STRING: Rgb888 = Rgb888::new(150, 150, 160);
/// What is left free around the chain, of the side.
const MARGIN: f64 = 0.14;
/// Radii in bond lengths.
const BALL: f64 = 0.42;
const THREAD: f64 = 0.13;
/// Balls that make a bond.
const THREAD_BALLS: u32 = 24;
/// Where the light comes from; x to the right, y down, z to the eye.
const LIGHT: Vector = [-0.45, -0.6, 0.66];
/// Kinds of beads, their names and colours.
const KINDS: [(u8, &str, Rgb888); 3] = [
    (b'B', "hydrophobic", Rgb888::new(216, 96, 40)),
    (b'L', "hydrophilic", Rgb888::new(52, 116, 196)),
    (b'N', "neutral", Rgb888::new(120, 170, 96)),
];

/// Draws the chain.
///
/// # Errors
/// The file cannot be written.
pub fn draw(path: &Path, folded: &Folded) -> Result<(), png::EncodingError> {
    let places = turned(&folded.places);
    let mut scene = Scene::new(&places);
    for (at, place) in places.iter().enumerate() {
        let kind = KINDS.iter().find(|(kind, ..)| SEQUENCE.get(at) == Some(kind));
        scene.ball(*place, BALL, kind.map_or(INK, |(.., colour)| *colour));
    }
    for pair in places.windows(2) {
        for part in 0..THREAD_BALLS {
            let along = times(minus(pair[1], pair[0]), f64::from(part) / f64::from(THREAD_BALLS));
            scene.ball(plus(pair[0], along), THREAD, STRING);
        }
    }
    let mut canvas = scene.canvas.shrunk(FINER);
    let text = format!("seed {}: energy {:.4}", folded.settings.seed, folded.energy);
    canvas.text(Point::new(20, 16), &FONT_10X20, INK, &text);
    for ((_, name, colour), row) in KINDS.iter().zip(0..) {
        canvas.text(Point::new(20, SIDE as i32 - 60 + row * 16), &FONT_7X13, *colour, name);
    }
    canvas.save(path)
}

/// Balls in front of each other.
struct Scene {
    canvas: Canvas,
    /// How near what is drawn in each pixel is to the eye.
    near: Vec<f64>,
    scale: f64,
}

impl Scene {
    fn new(places: &[Vector]) -> Scene {
        let side = SIDE * FINER;
        let reach = places.iter().flat_map(|place| [place[0].abs(), place[1].abs()]);
        let reach = reach.fold(1.0, f64::max) + BALL;
        let canvas = Canvas::new(Size::new(side, side), GROUND);
        let near = vec![f64::NEG_INFINITY; (side * side) as usize];
        Scene { canvas, near, scale: f64::from(side) * (0.5 - MARGIN) / reach }
    }

    fn ball(&mut self, place: Vector, radius: f64, colour: Rgb888) {
        let side = (SIDE * FINER) as i32;
        let middle = f64::from(side) / 2.0;
        let (x, y) = (middle + place[0] * self.scale, middle + place[1] * self.scale);
        let radius = radius * self.scale;
        let reach = radius.ceil() as i32;
        for (dx, dy) in (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy))) {
            let (px, py) = (x as i32 + dx, y as i32 + dy);
            let (off_x, off_y) = (f64::from(px) - x, f64::from(py) - y);
            let height = radius * radius - off_x * off_x - off_y * off_y;
            let inside = (0..side).contains(&px) && (0..side).contains(&py) && height >= 0.0;
            if !inside {
                continue;
            }
            let near = place[2] * self.scale + height.sqrt();
            let at = (py * side + px) as usize;
            if near > self.near[at] {
                self.near[at] = near;
                let up = times([off_x, off_y, height.sqrt()], 1.0 / radius);
                self.canvas.set(Point::new(px, py), lit(colour, dot(up, LIGHT)));
            }
        }
    }
}

/// A colour under so much light, −1 to 1.
fn lit(colour: Rgb888, light: f64) -> Rgb888 {
    let share = 0.45 + 0.55 * light.max(0.0);
    let shine = 90.0 * light.max(0.0).powi(24);
    let channel = |value: u8| (f64::from(value) * share + shine).min(255.0) as u8;
    Rgb888::new(channel(colour.r()), channel(colour.g()), channel(colour.b()))
}

/// The chain around the origin, its longest axis across and its shortest towards the eye.
fn turned(places: &[Vector]) -> Vec<Vector> {
    let centre = centre(places);
    let centred: Vec<Vector> = places.iter().map(|place| minus(*place, centre)).collect();
    let long = axis(&centred, &[]);
    let wide = axis(&centred, &[long]);
    let thin = axis(&centred, &[long, wide]);
    centred.iter().map(|place| [dot(*place, long), dot(*place, wide), dot(*place, thin)]).collect()
}

/// The direction in which places spread most, across those in `done`: the power method.
fn axis(places: &[Vector], done: &[Vector]) -> Vector {
    let mut axis = [1.0, 0.7, 0.4];
    for _ in 0..200 {
        let spread =
            places.iter().fold([0.0; 3], |sum, place| plus(sum, times(*place, dot(*place, axis))));
        let across =
            done.iter().fold(spread, |left, other| minus(left, times(*other, dot(left, *other))));
        let length = dot(across, across).sqrt();
        if length < 1e-9 {
            break;
        }
        axis = times(across, 1.0 / length);
    }
    axis
}
