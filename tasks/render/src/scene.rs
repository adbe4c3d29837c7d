//! What a unit's input may ask for: `INDEX`, the tile's number, and after it what is to differ from the
//! usual scene, in pairs of words: `17 radius 1e-3 limit 1000`.
use crate::fixed::{FRACTION_BITS, Fixed};
use alloc::{format, string::String};
use core::str::{FromStr, SplitAsciiWhitespace, from_utf8};

/// Most pixels of a picture's side, and of a tile's.
pub const SIDE_MAX: u32 = 1 << 15;
/// Most pixels of a tile's side.
pub const TILE_MAX: u32 = 1 << 10;
/// Most steps of the middle.
pub const LIMIT_MAX: u32 = 1 << 22;

/// A picture in tiles.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The middle.
    pub re: Fixed,
    /// Its imaginary part.
    pub im: Fixed,
    /// From the middle to the upper edge.
    pub radius: f64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Pixels of a tile, each way.
    pub tile: u32,
    /// What has not run away after so many steps is said never to.
    pub limit: u32,
}

/// Part of a picture, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Scene {
    /// The scene that `job.toml` is for: around a copy of the set of period 4029, 6 · 10⁻³⁰ across, beside
    /// one of period 998 in the valley of the sea horses.
    pub fn usual() -> Scene {
        let [re, im] = [
            "-0.74364388703715665628860461509436247873169061321501",
            "0.13182590420531438531307903249849634648834883826555",
        ]
        .map(|text| Fixed::parse(text).unwrap_or(Fixed::ZERO));
        Scene { re, im, radius: 3e-22, width: 1_600, height: 1_000, tile: 100, limit: 200_000 }
    }

    /// Reads a unit's input.
    ///
    /// # Errors
    /// What it cannot be.
    pub fn read(input: &[u8]) -> Result<(Scene, u32), String> {
        let text = from_utf8(input).map_err(|_| String::from("the input is no text"))?;
        let mut words = text.split_ascii_whitespace();
        let index = next::<u32>(&mut words, "INDEX")?;
        let mut scene = Scene::usual();
        while let Some(key) = words.next() {
            match key {
                "re" => scene.re = coordinate(&mut words, key)?,
                "im" => scene.im = coordinate(&mut words, key)?,
                "radius" => scene.radius = next(&mut words, key)?,
                "width" => scene.width = next(&mut words, key)?,
                "height" => scene.height = next(&mut words, key)?,
                "tile" => scene.tile = next(&mut words, key)?,
                "limit" => scene.limit = next(&mut words, key)?,
                _ => {
                    return Err(format!(
                        "`{key}` is not known; re, im, radius, width, height, tile, limit are"
                    ));
                }
            }
        }
        scene.check(index)?;
        Ok((scene, index))
    }

    fn check(&self, index: u32) -> Result<(), String> {
        let deepest = scale_of(FRACTION_BITS - 64);
        let within = |what, value: u32, max: u32| match value {
            1.. if value <= max => Ok(()),
            _ => Err(format!("{what} is 1 to {max}, not {value}")),
        };
        within("width", self.width, SIDE_MAX)?;
        within("height", self.height, SIDE_MAX)?;
        within("tile", self.tile, TILE_MAX)?;
        within("limit", self.limit, LIMIT_MAX)?;
        if !(deepest..=4.0).contains(&self.radius) {
            return Err(format!("radius is {deepest:e} to 4, not {:e}", self.radius));
        }
        match index < self.tiles() {
            true => Ok(()),
            false => Err(format!("there are {} tiles, from 0; not {index}", self.tiles())),
        }
    }

    /// How many tiles there are, row by row.
    pub fn tiles(&self) -> u32 {
        self.width.div_ceil(self.tile) * self.height.div_ceil(self.tile)
    }

    /// What a tile covers; those at the edges may be smaller.
    pub fn area(&self, index: u32) -> Area {
        let across = self.width.div_ceil(self.tile);
        let (x, y) = (index % across * self.tile, index / across * self.tile);
        let [width, height] = [self.width - x, self.height - y].map(|rest| rest.min(self.tile));
        Area { x, y, width, height }
    }

    /// How far the middles of neighbouring pixels are from each other.
    pub fn pixel(&self) -> f64 {
        2.0 * self.radius / f64::from(self.height)
    }

    /// Where the middle of a pixel is, from the middle of the picture.
    pub fn offset(&self, x: u32, y: u32) -> (f64, f64) {
        let pixel = self.pixel();
        let from = |at: u32, side: u32| f64::from(at) + 0.5 - f64::from(side) * 0.5;
        (from(x, self.width) * pixel, -from(y, self.height) * pixel)
    }
}

fn next<N: FromStr>(words: &mut SplitAsciiWhitespace<'_>, key: &str) -> Result<N, String> {
    let word = words.next().ok_or_else(|| format!("a number is missing after {key}"))?;
    word.parse().map_err(|_| format!("{key} is a number, not `{word}`"))
}

fn coordinate(words: &mut SplitAsciiWhitespace<'_>, key: &str) -> Result<Fixed, String> {
    let word = words.next().ok_or_else(|| format!("a number is missing after {key}"))?;
    Fixed::parse(word)
        .ok_or_else(|| format!("{key} is a decimal number such as -0.75, not `{word}`"))
}

/// 2 to the minus so many.
fn scale_of(bits: u32) -> f64 {
    (0..bits).fold(1.0, |scale, _| scale * 0.5)
}
