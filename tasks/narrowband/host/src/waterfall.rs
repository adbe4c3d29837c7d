//! The picture of a search: the whole band over time, and a close look at each hit.
//!
//! Time runs downwards. A hit's left view shows its surroundings with its path between two lines;
//! the right one shows the same with the drift taken out, where a transmitter stands upright.
use crate::{FilError, Filterbank};
use canvas::{Canvas, intensity};
use embedded_graphics::{
    mono_font::iso_8859_1::{FONT_6X10, FONT_7X13, FONT_10X20},
    pixelcolor::Rgb888,
    prelude::*,
    primitives::Rectangle,
};
use narrowband::{
    chunk::Span,
    merge::{Hit, Hits},
};
use std::path::Path;

/// Most hits that get a view of their own; the strongest come first.
pub const VIEWS_MAX: usize = 24;
/// Most spectra drawn in one view; of more, evenly spaced ones.
pub const ROWS_MAX: u32 = 64;

/// Channels read for one pixel of the band, at most: enough to be fair, little enough to be quick.
const RUN_CHANNELS_MAX: u32 = 4_096;
const COLUMNS: usize = 4;
const MARGIN: i32 = 24;
const BAND_TOP: i32 = 104;
const BAND: Size = Size::new(1_192, 96);
const VIEWS_TOP: i32 = BAND_TOP + BAND.height as i32 + 44;
const VIEW: Size = Size::new(304, 190);
const ALONG: Size = Size::new(176, 128);
const UPRIGHT: Size = Size::new(99, 128);
const UPRIGHT_CHANNELS: i64 = 33;
const GROUND: Rgb888 = Rgb888::new(18, 18, 26);
const INK: Rgb888 = Rgb888::new(235, 235, 240);
const FAINT: Rgb888 = Rgb888::new(150, 152, 165);
const EDGE: Rgb888 = Rgb888::new(70, 72, 88);
const MARK: Rgb888 = Rgb888::new(96, 214, 255);

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The observation could not be read.
    #[error(transparent)]
    File(#[from] FilError),
    /// The picture could not be written.
    #[error("the picture: {0}")]
    Png(#[from] png::EncodingError),
}

/// Draws the hits of `fil` into a PNG at `path`.
///
/// # Errors
/// The observation cannot be read or the picture not written.
pub fn draw(path: &Path, fil: &mut Filterbank, hits: &Hits) -> Result<(), DrawError> {
    let views = hits.hits.len().min(VIEWS_MAX);
    let height = VIEWS_TOP + views.div_ceil(COLUMNS) as i32 * VIEW.height as i32 + 8;
    let width = BAND.width + 2 * MARGIN as u32;
    let mut canvas = Canvas::new(Size::new(width, height as u32), GROUND);
    title(&mut canvas, fil, hits);
    band(&mut canvas, fil)?;
    marks(&mut canvas, hits);
    for (place, hit) in hits.hits.iter().take(VIEWS_MAX).enumerate() {
        let (column, row) = ((place % COLUMNS) as i32, (place / COLUMNS) as i32);
        let step = Point::new(column * VIEW.width as i32, row * VIEW.height as i32);
        view(&mut canvas, fil, hit, Point::new(MARGIN, VIEWS_TOP) + step)?;
    }
    Ok(canvas.save(path)?)
}

fn title(canvas: &mut Canvas, fil: &Filterbank, hits: &Hits) {
    let observation = fil.observation();
    let ends = [0, i64::from(observation.channels) - 1].map(|c| observation.frequency_mhz(c));
    let name = match fil.source_name() {
        "" => "Narrowband search",
        name => name,
    };
    let signals = match hits.hits.len() {
        1 => "1 signal".to_string(),
        count => format!("{count} signals"),
    };
    canvas.text(Point::new(MARGIN, 16), &FONT_10X20, INK, &format!("{name}: {signals}"));
    let settings = format!(
        "{:.3} to {:.3} MHz in {} channels of {:.2} Hz, {} spectra of {:.2} s; drift up to \u{b1}{} Hz/s, S/N {} and more",
        ends[0].min(ends[1]),
        ends[0].max(ends[1]),
        observation.channels,
        observation.foff_mhz.abs() * 1e6,
        observation.spectra,
        observation.tsamp_s,
        hits.settings.max_drift_hz_s,
        f64::from(hits.settings.snr_milli) / 1e3,
    );
    canvas.text(Point::new(MARGIN, 42), &FONT_7X13, FAINT, &settings);
}

/// The spectrum that is drawn at a pixel row.
fn spectrum_at(y: u32, height: u32, spectra: u32) -> u32 {
    let rows = spectra.min(ROWS_MAX);
    let row = y * rows / height;
    (u64::from(row) * u64::from(spectra) / u64::from(rows)) as u32
}

/// The whole band: in each pixel what stands out most of the noise there.
fn band(canvas: &mut Canvas, fil: &mut Filterbank) -> Result<(), DrawError> {
    let observation = fil.observation();
    let corner = Point::new(MARGIN, BAND_TOP);
    let mut drawn = None;
    let mut colours = vec![GROUND; BAND.width as usize];
    for y in 0..BAND.height {
        let spectrum = spectrum_at(y, BAND.height, observation.spectra);
        if drawn != Some(spectrum) {
            for (x, colour) in colours.iter_mut().enumerate() {
                let border =
                    |x: u64| (x * u64::from(observation.channels) / u64::from(BAND.width)) as u32;
                let (first, end) = (border(x as u64), border(x as u64 + 1));
                let end = end.clamp(first + 1, first.saturating_add(RUN_CHANNELS_MAX));
                let deviations = deviations(fil, spectrum, i64::from(first), i64::from(end))?;
                let most = deviations.into_iter().fold(0.0, f32::max);
                // Of so many channels even noise has one near 3.
                *colour = intensity((most - 2.5) / 10.0);
            }
            drawn = Some(spectrum);
        }
        for (x, colour) in colours.iter().enumerate() {
            canvas.set(corner + Point::new(x as i32, y as i32), *colour);
        }
    }
    canvas.frame(Rectangle::new(corner, BAND), EDGE);
    band_labels(canvas, fil);
    Ok(())
}

fn band_labels(canvas: &mut Canvas, fil: &Filterbank) {
    let observation = fil.observation();
    let below = BAND_TOP + BAND.height as i32 + 6;
    for tick in 0..=4_i32 {
        let x = MARGIN + tick * (BAND.width as i32 - 1) / 4;
        let channel = i64::from(observation.channels - 1) * i64::from(tick) / 4;
        let label = format!("{:.4} MHz", observation.frequency_mhz(channel));
        let shift = tick * label.len() as i32 * 6 / 4;
        canvas.line(Point::new(x, below - 4), Point::new(x, below), FAINT);
        canvas.text(Point::new(x - shift, below + 3), &FONT_6X10, FAINT, &label);
    }
}

/// A numbered stem above the band for each hit.
fn marks(canvas: &mut Canvas, hits: &Hits) {
    for hit in hits.hits.iter().take(VIEWS_MAX) {
        let share = f64::from(hit.peak.channel) / f64::from(hits.observation.channels);
        let x = MARGIN + (share * f64::from(BAND.width)) as i32;
        canvas.line(Point::new(x, BAND_TOP - 12), Point::new(x, BAND_TOP - 3), MARK);
        let label = hit.number.to_string();
        let left = x - 3 * label.len() as i32;
        canvas.text(Point::new(left, BAND_TOP - 24), &FONT_6X10, MARK, &label);
    }
}

/// A close look at one hit.
fn view(canvas: &mut Canvas, fil: &mut Filterbank, hit: &Hit, at: Point) -> Result<(), DrawError> {
    let line = format!("{}  {:.6} MHz", hit.number, hit.freq_start_mhz);
    canvas.text(at, &FONT_7X13, MARK, &line);
    let line = format!("{:+.3} Hz/s   S/N {:.1}", hit.drift_rate_hz_s, hit.snr());
    canvas.text(at + Point::new(0, 14), &FONT_7X13, INK, &line);
    let top = Point::new(0, 34);
    along(canvas, fil, hit, at + top)?;
    upright(canvas, fil, hit, at + top + Point::new(ALONG.width as i32 + 8, 0))
}

/// How far a hit has moved in a spectrum, channels.
fn moved(fil: &Filterbank, hit: &Hit, spectrum: u32) -> f64 {
    let last = f64::from(fil.observation().spectra.next_power_of_two() - 1);
    f64::from(hit.peak.drift_steps) * f64::from(spectrum) / last
}

/// What a cell of this hit stands out by.
fn brightness(fil: &Filterbank, hit: &Hit) -> f32 {
    (hit.snr() / f64::from(fil.observation().spectra).sqrt()).max(6.0) as f32
}

fn along(canvas: &mut Canvas, fil: &mut Filterbank, hit: &Hit, at: Point) -> Result<(), DrawError> {
    let spectra = fil.observation().spectra;
    let end = moved(fil, hit, spectra - 1);
    let channels = (end.abs() * 1.3) as i64 + 48;
    let first = i64::from(hit.peak.channel) + (end / 2.0) as i64 - channels / 2;
    let full = brightness(fil, hit);
    let per_pixel = channels as f64 / f64::from(ALONG.width);
    for y in 0..ALONG.height {
        let spectrum = spectrum_at(y, ALONG.height, spectra);
        let deviations = deviations(fil, spectrum, first, first + channels)?;
        for x in 0..ALONG.width {
            let from = (f64::from(x) * per_pixel) as usize;
            let to = ((f64::from(x + 1) * per_pixel) as usize).clamp(from + 1, deviations.len());
            let most = deviations[from..to].iter().copied().fold(f32::MIN, f32::max);
            canvas.set(at + Point::new(x as i32, y as i32), intensity((most + 0.5) / (full + 0.5)));
        }
    }
    let place = |moved: f64| {
        ((f64::from(hit.peak.channel) + moved - first as f64 + 0.5) / per_pixel) as i32
    };
    for side in [-7, 7] {
        let from = at + Point::new(place(0.0) + side, 0);
        let to = at + Point::new(place(end) + side, ALONG.height as i32 - 1);
        canvas.line(from, to, MARK);
    }
    canvas.frame(Rectangle::new(at, ALONG), EDGE);
    let hz = channels as f64 * fil.observation().foff_mhz.abs() * 1e6;
    let below = at + Point::new(0, ALONG.height as i32 + 5);
    canvas.text(below, &FONT_6X10, FAINT, &format!("{hz:.0} Hz wide"));
    Ok(())
}

fn upright(
    canvas: &mut Canvas,
    fil: &mut Filterbank,
    hit: &Hit,
    at: Point,
) -> Result<(), DrawError> {
    let spectra = fil.observation().spectra;
    let full = brightness(fil, hit);
    let pixels = i64::from(UPRIGHT.width) / UPRIGHT_CHANNELS;
    for y in 0..UPRIGHT.height {
        let spectrum = spectrum_at(y, UPRIGHT.height, spectra);
        let centre = i64::from(hit.peak.channel) + moved(fil, hit, spectrum).round() as i64;
        let first = centre - UPRIGHT_CHANNELS / 2;
        // More than is shown, so that the tone does not set the level it is measured by.
        let around = deviations(fil, spectrum, first - 64, first + UPRIGHT_CHANNELS + 64)?;
        for x in 0..UPRIGHT.width {
            let deviation = around[(i64::from(x) / pixels) as usize + 64];
            canvas.set(
                at + Point::new(x as i32, y as i32),
                intensity((deviation + 0.5) / (full + 0.5)),
            );
        }
    }
    canvas.frame(Rectangle::new(at, UPRIGHT), EDGE);
    let below = at + Point::new(0, UPRIGHT.height as i32 + 5);
    canvas.text(below, &FONT_6X10, FAINT, "without drift");
    Ok(())
}

/// Samples of `first..end` less their median, in standard deviations; 0 outside the band.
fn deviations(
    fil: &mut Filterbank,
    spectrum: u32,
    first: i64,
    end: i64,
) -> Result<Vec<f32>, DrawError> {
    let channels = i64::from(fil.observation().channels);
    let [low, high] = [first, end].map(|channel| channel.clamp(0, channels));
    let (mut bytes, mut samples) = (Vec::new(), Vec::new());
    fil.read(spectrum, Span { first: low as u32, end: high as u32 }, &mut bytes)?;
    fil.encoding().decode(&bytes, &mut samples);
    let level = median(samples.clone());
    let spread = median(samples.iter().map(|sample| (sample - level).abs()).collect());
    let scale = if spread > 0.0 { 1.0 / (1.4826 * spread) } else { 0.0 };
    let mut deviations = vec![0.0; (low - first) as usize];
    deviations.extend(samples.iter().map(|sample| (sample - level) * scale));
    deviations.resize((end - first) as usize, 0.0);
    Ok(deviations)
}

fn median(mut values: Vec<f32>) -> f32 {
    match values.len() {
        0 => 0.0,
        count => *values.select_nth_unstable_by((count - 1) / 2, f32::total_cmp).1,
    }
}
