//! A unit: what became of each pixel of a tile, in bytes.
//!
//! First `DZT1`, then six numbers: the picture's width and height, the tile's x, y, width and height. Then
//! two numbers a pixel, row by row: 256 times the steps after which it ran away, or all ones if it never
//! did; 256 times the pixels between it and the set, as far as that fits. Each number has 32 bits, little
//! endian.
use crate::{
    orbit::{Fate, follow, orbit},
    scene::{Area, SIDE_MAX, Scene, TILE_MAX},
};
use alloc::{string::String, vec::Vec};

/// What a tile begins with.
pub const MAGIC: &[u8; 4] = b"DZT1";
/// The steps of a pixel that never ran away.
pub const STAYED: u32 = u32::MAX;

/// A tile that was read again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tile {
    /// The whole picture's width and height.
    pub picture: (u32, u32),
    /// What the tile covers of it.
    pub area: Area,
    /// Steps and distance, each 256 times, row by row.
    pub pixels: Vec<(u32, u32)>,
}

/// Runs a unit; `progress` hears how many rows of all are done.
///
/// # Errors
/// The input is not what this task takes.
pub fn run(input: &[u8], progress: impl Fn(u64, u64)) -> Result<Vec<u8>, String> {
    let (scene, index) = Scene::read(input)?;
    let area = scene.area(index);
    let middle = orbit(&scene);
    let header = [scene.width, scene.height, area.x, area.y, area.width, area.height];
    let mut output = MAGIC.to_vec();
    output.extend(header.into_iter().flat_map(u32::to_le_bytes));
    for y in area.y..area.y + area.height {
        for x in area.x..area.x + area.width {
            let fate = follow(&middle, scene.offset(x, y), scene.pixel(), scene.limit);
            let (steps, distance) = match fate {
                Fate::Away { steps, part, distance } => {
                    (((f64::from(steps) + part) * 256.0) as u32, (distance * 256.0) as u32)
                }
                Fate::Stayed => (STAYED, 0),
            };
            output.extend(steps.to_le_bytes());
            output.extend(distance.to_le_bytes());
        }
        progress(u64::from(y - area.y + 1), area.height.into());
    }
    Ok(output)
}

/// Reads what [`run`] wrote; nothing if it is not whole.
pub fn read(bytes: &[u8]) -> Option<Tile> {
    let numbers = bytes.strip_prefix(MAGIC)?;
    if numbers.len() % 4 != 0 {
        return None;
    }
    let mut numbers = numbers
        .chunks_exact(4)
        .map(|word| word.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)));
    let mut next = || numbers.next();
    let picture = (next()?, next()?);
    let area = Area { x: next()?, y: next()?, width: next()?, height: next()? };
    let mut pixels = Vec::new();
    while let Some(steps) = next() {
        pixels.push((steps, next()?));
    }
    let count = u64::from(area.width) * u64::from(area.height);
    let inside =
        |at: u32, side: u32, whole: u32| at.checked_add(side).is_some_and(|end| end <= whole);
    let bounded = picture.0.max(picture.1) <= SIDE_MAX && area.width.max(area.height) <= TILE_MAX;
    let fits =
        bounded && inside(area.x, area.width, picture.0) && inside(area.y, area.height, picture.1);
    (fits && pixels.len() as u64 == count).then_some(Tile { picture, area, pixels })
}
