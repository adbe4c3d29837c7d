//! Pictures of what tasks have found: what `embedded-graphics` draws on, and the colours of intensity.
#![forbid(unsafe_code)]

use embedded_graphics::{
    mono_font::{MonoFont, MonoTextStyle},
    pixelcolor::Rgb888,
    prelude::*,
    primitives::{Line, PrimitiveStyle, Rectangle},
    text::{Baseline, Text},
};
use std::{convert::Infallible, fs::File, io::BufWriter, path::Path};

/// From nothing to the strongest: dark violet over red to pale yellow, rising in lightness.
const SCALE: [[u8; 3]; 8] = [
    [10, 7, 34],
    [44, 15, 92],
    [104, 22, 110],
    [160, 43, 98],
    [212, 72, 66],
    [245, 125, 21],
    [250, 193, 39],
    [252, 255, 190],
];

/// The colour of an intensity from 0 to 1; beyond both ends the end's.
pub fn intensity(share: f32) -> Rgb888 {
    let place = share.clamp(0.0, 1.0) * (SCALE.len() - 1) as f32;
    let below = (place as usize).min(SCALE.len() - 2);
    let part = place - below as f32;
    let mixed = |channel: usize| {
        let [from, to] = [SCALE[below][channel], SCALE[below + 1][channel]].map(f32::from);
        (from + (to - from) * part) as u8
    };
    Rgb888::new(mixed(0), mixed(1), mixed(2))
}

/// A picture.
pub struct Canvas {
    size: Size,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A picture of one colour.
    pub fn new(size: Size, colour: Rgb888) -> Canvas {
        let count = size.width as usize * size.height as usize;
        Canvas { size, pixels: [colour.r(), colour.g(), colour.b()].repeat(count) }
    }

    /// Colours one pixel; beyond the picture, none.
    pub fn set(&mut self, at: Point, colour: Rgb888) {
        let inside = Rectangle::new(Point::zero(), self.size).contains(at);
        if inside {
            let place = (at.y as usize * self.size.width as usize + at.x as usize) * 3;
            self.pixels[place..place + 3].copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
        }
    }

    /// A picture of the same, so many times smaller, each pixel the mean of those that it stands for.
    pub fn shrunk(&self, by: u32) -> Canvas {
        let size = Size::new(self.size.width / by, self.size.height / by);
        let mut small = Canvas::new(size, Rgb888::BLACK);
        let (wide, by) = (self.size.width as usize, by as usize);
        for (at, pixel) in small.pixels.chunks_exact_mut(3).enumerate() {
            let (x, y) = (at % size.width as usize * by, at / size.width as usize * by);
            for (channel, value) in pixel.iter_mut().enumerate() {
                let place = |dx: usize, dy: usize| ((y + dy) * wide + x + dx) * 3 + channel;
                let all = (0..by).flat_map(|dy| (0..by).map(move |dx| (dx, dy)));
                let sum: usize = all.map(|(dx, dy)| usize::from(self.pixels[place(dx, dy)])).sum();
                *value = (sum / (by * by)) as u8;
            }
        }
        small
    }

    /// Writes text with its upper left corner at a point.
    pub fn text(&mut self, at: Point, font: &MonoFont<'_>, colour: Rgb888, text: &str) {
        let style = MonoTextStyle::new(font, colour);
        let Ok(_) = Text::with_baseline(text, at, style, Baseline::Top).draw(self);
    }

    /// Draws a line.
    pub fn line(&mut self, from: Point, to: Point, colour: Rgb888) {
        let Ok(()) =
            Line::new(from, to).into_styled(PrimitiveStyle::with_stroke(colour, 1)).draw(self);
    }

    /// Draws a frame around an area.
    pub fn frame(&mut self, area: Rectangle, colour: Rgb888) {
        let around = area.offset(1);
        let Ok(()) = around.into_styled(PrimitiveStyle::with_stroke(colour, 1)).draw(self);
    }

    /// Writes the picture as PNG.
    pub fn save(&self, path: &Path) -> Result<(), png::EncodingError> {
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        pixels.into_iter().for_each(|Pixel(at, colour)| self.set(at, colour));
        Ok(())
    }
}
