//! Pixels against arithmetic with all digits, numbers against whole ones, pictures against their tiles.
use render::{
    fixed::Fixed,
    orbit::{AWAY, Fate, follow, orbit},
    scene::{Area, Scene},
    tile::{STAYED, Tile, read, run},
};
use render_host::{
    picture,
    tiles::{Level, Tiles},
};
use std::{fs, io::BufReader, path::Path};

/// Decimal digits behind the point that the reference computes with.
const DIGITS: usize = 72;
/// Nine of them are a place.
const BASE: i128 = 1_000_000_000;
const PLACES: usize = DIGITS / 9;

/// A number in places of nine decimal digits, the highest first; one place is before the point. Shares nothing
/// with the unit's numbers: another base, another order, signs within.
#[derive(Clone, Copy)]
struct Decimal([i128; PLACES + 1]);

impl Decimal {
    fn parse(text: &str) -> Decimal {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let part = format!("{part:0<DIGITS$}");
        let mut places = [0; PLACES + 1];
        places[0] = sign * whole.parse::<i128>().expect("a number");
        for (at, place) in places[1..].iter_mut().enumerate() {
            *place = sign * part[9 * at..9 * at + 9].parse::<i128>().expect("digits");
        }
        Decimal(places)
    }

    /// From a float, by its shortest decimal form.
    fn of(float: f64) -> Decimal {
        Decimal::parse(&format!("{float:.DIGITS$}"))
    }

    /// Brings each place below the base again.
    fn carried(mut self) -> Decimal {
        for at in (1..=PLACES).rev() {
            self.0[at - 1] += self.0[at] / BASE;
            self.0[at] %= BASE;
        }
        self
    }

    fn plus(self, other: Decimal, times: i128) -> Decimal {
        Decimal(std::array::from_fn(|at| self.0[at] + times * other.0[at])).carried()
    }

    fn times(self, other: Decimal) -> Decimal {
        let mut wide = [0_i128; 2 * PLACES + 1];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                wide[i + j] += a * b;
            }
        }
        for at in (1..wide.len()).rev() {
            wide[at - 1] += wide[at] / BASE;
            wide[at] %= BASE;
        }
        Decimal(std::array::from_fn(|at| wide[at]))
    }

    fn float(self) -> f64 {
        let base = BASE as f64;
        self.0.iter().rev().fold(0.0, |float, place| float / base + *place as f64)
    }
}

/// After how many steps a point runs away, with all digits all the way.
fn steps_by_definition(re: Decimal, im: Decimal, limit: u32) -> Option<u32> {
    let (mut x, mut y) = (Decimal::of(0.0), Decimal::of(0.0));
    for step in 1..=limit {
        let square = x.times(x).plus(y.times(y), -1);
        let twice = x.times(y);
        (x, y) = (square.plus(re, 1), twice.plus(twice, 1).plus(im, 1));
        let (far, up) = (x.float(), y.float());
        if far * far + up * up > AWAY {
            return Some(step);
        }
    }
    None
}

fn steps(fate: Fate) -> Option<u32> {
    match fate {
        Fate::Away { steps, .. } => Some(steps),
        Fate::Stayed => None,
    }
}

/// Nearer to the set, in pixels, floats may take another way than numbers with all digits: there the least
/// bit of the offset decides. Such pixels are dark either way.
const UNDECIDED: f64 = 1e-6;

/// Compares points around a middle, and answers how many of them run away as they should.
fn compare([re, im]: [&str; 2], offsets: &[(f64, f64)], pixel: f64) -> usize {
    const LIMIT: u32 = 40_000;
    let input = format!("0 re {re} im {im} radius 3e-22 limit {LIMIT}");
    let (scene, _) = Scene::read(input.as_bytes()).expect("a scene");
    let (re, im) = (Decimal::parse(re), Decimal::parse(im));
    let middle = orbit(&scene);
    let runs_away_as_it_should = |offset: &&(f64, f64)| {
        let fate = follow(&middle, **offset, pixel, LIMIT);
        if matches!(fate, Fate::Away { distance, .. } if distance < UNDECIDED) {
            return false;
        }
        let (far, up) = (Decimal::of(offset.0), Decimal::of(offset.1));
        let known = steps_by_definition(re.plus(far, 1), im.plus(up, 1), LIMIT);
        assert_eq!(steps(fate), known, "{offset:?}");
        known.is_some()
    };
    offsets.iter().filter(runs_away_as_it_should).count()
}

const USUAL: [&str; 2] = [
    "-0.74364388703715665628860461509436247873169061321501",
    "0.13182590420531438531307903249849634648834883826555",
];
/// 2 · 10⁻²² to the right of it and 10⁻²² above.
const BESIDE: [&str; 2] = [
    "-0.74364388703715665628840461509436247873169061321501",
    "0.13182590420531438531317903249849634648834883826555",
];

#[test]
fn pixels_far_in_are_those_of_arithmetic_with_all_digits() {
    let scene = Scene::usual();
    assert_eq!(orbit(&scene).len(), scene.limit as usize + 1, "its middle never runs away");
    let all: Vec<(f64, f64)> =
        (0..32).map(|at| scene.offset(at * 997 % scene.width, at * 613 % scene.height)).collect();
    assert!(compare(USUAL, &all, scene.pixel()) > 28);
    assert!(compare(BESIDE, &all, scene.pixel()) > 28);
}

/// A guide that runs away early is a bad one for points near a small copy of the set, whose way comes very
/// near to 0 where the guide's does not.
#[test]
fn a_bad_guide_does_not_lead_astray() {
    let around: Vec<(f64, f64)> = [(0, 9), (-8, 2), (5, -6), (20, 30), (-70, 10), (90, -80)]
        .map(|(x, y)| (-2e-22 + f64::from(x) * 1e-29, -1e-22 + f64::from(y) * 1e-29))
        .to_vec();
    assert!(compare(BESIDE, &around, 1e-26) > 2);
}

#[test]
fn pixels_far_out_are_those_of_plain_floats() {
    // One tile of the whole set.
    let input = b"0 re -0.75 im 0 radius 1.25 width 96 height 64 tile 96 limit 500";
    let (scene, _) = Scene::read(input).expect("a scene");
    let middle = orbit(&scene);
    let tile = read(&run(input, |_, _| ()).expect("a tile")).expect("whole");
    let mut stayed = 0;
    for (at, (smooth, _)) in tile.pixels.iter().enumerate() {
        let (dx, dy) = scene.offset(at as u32 % 96, at as u32 / 96);
        let (re, im) = (dx - 0.75, dy);
        let (mut x, mut y, mut known) = (0.0, 0.0, 0);
        while x * x + y * y <= AWAY && known < 500 {
            (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
            known += 1;
        }
        let known = (known < 500).then_some(known);
        assert_eq!(steps(follow(&middle, (dx, dy), scene.pixel(), 500)), known, "pixel {at}");
        match known {
            Some(known) => assert!((f64::from(*smooth) / 256.0 - f64::from(known)).abs() < 1.1),
            None => assert_eq!(*smooth, STAYED),
        }
        stayed += u32::from(known.is_none());
    }
    // The area of the set is 1.5066; the picture's is 9.375.
    let share = f64::from(stayed) / f64::from(96 * 64);
    assert!((share - 1.5066 / 9.375).abs() < 0.01, "{share}");
}

#[test]
fn numbers_with_many_digits_are_those_of_whole_numbers() {
    let number = |text: &str| Fixed::parse(text).expect("a number");
    let cases = [("0.75", "-1.5"), ("-3", "-0.0625"), ("12.5", "0.001953125"), ("-7.25", "7.25")];
    for (one, other) in cases {
        let [a, b] = [one, other].map(|text| text.parse::<f64>().expect("exact"));
        let (one, other) = (number(one), number(other));
        assert_eq!((one + other).to_f64(), a + b);
        assert_eq!((one - other).to_f64(), a - b);
        assert_eq!(one.times(other).to_f64(), a * b);
        assert_eq!(one.doubled().to_f64(), 2.0 * a);
    }
    // What floats cannot tell apart, and the last digit of fifty.
    let tiny = number("1.00000000000000000000000000000000000000000000000001") - number("1");
    assert!((tiny.to_f64() / 1e-50 - 1.0).abs() < 1e-15, "{:e}", tiny.to_f64());
    let below = number("1") - tiny;
    assert_eq!((number("1") - below).to_f64(), tiny.to_f64());
    assert_eq!((below + tiny - number("1")).to_f64(), 0.0);
    assert!(below.to_f64() < 1.0, "cut off, not rounded");
    for wrong in ["", "-", ".5", "1e5", "0.5x", "1234567890", "--1"] {
        assert!(Fixed::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn what_is_no_scene_is_refused_in_words() {
    let cases = [
        ("", "a number is missing after INDEX"),
        ("160", "there are 160 tiles, from 0; not 160"),
        ("0 zoom 3", "`zoom` is not known"),
        ("0 radius 1e-200", "radius is"),
        ("0 re zero", "re is a decimal number"),
        ("0 tile 4096", "tile is 1 to 1024"),
        ("0 limit", "a number is missing after limit"),
    ];
    for (input, said) in cases {
        let error = run(input.as_bytes(), |_, _| ()).expect_err(said);
        assert!(error.contains(said), "{error}");
    }
}

fn pixel(path: &Path, x: usize, y: usize) -> [u8; 3] {
    let mut reader = png::Decoder::new(BufReader::new(fs::File::open(path).expect("drawn")))
        .read_info()
        .expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("known")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    let at = (y * info.width as usize + x) * 3;
    [pixels[at], pixels[at + 1], pixels[at + 2]]
}

#[test]
fn a_picture_grows_with_its_tiles_and_tells_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let picture = place("zoom.png");
    let scene = "re -0.75 im 0 radius 1.25 width 80 height 60 tile 40 limit 300";
    let output =
        |index: u32| run(format!("{index} {scene}").as_bytes(), |_, _| ()).expect("a tile");
    let mut tiles = Tiles::default();
    assert!(!tiles.look(folder.path()).expect("nothing yet"));
    fs::create_dir_all(place("reported")).expect("made");
    fs::create_dir_all(place("units")).expect("made");
    fs::write(place("reported/00000000.out"), output(0)).expect("written");
    fs::write(place("units/00000001.out"), &output(1)[..100]).expect("half of it");
    assert!(tiles.look(folder.path()).expect("one"));
    assert_eq!((tiles.of.len(), tiles.picture()), (1, Some((80, 60))));
    picture::draw(&picture, &tiles, 1).expect("drawn");
    let (missing, frame) = (pixel(&picture, 70, 50), pixel(&picture, 0, 20));
    assert_eq!(missing, [38, 40, 50], "between two lines of the hatching");
    assert_eq!(pixel(&picture, 78, 50), [84, 88, 106], "on one");
    assert_eq!(frame, [240, 120, 60], "reported alone");
    fs::rename(place("reported/00000000.out"), place("units/00000000.out")).expect("moved");
    for index in 1..4 {
        fs::write(place(&format!("units/{index:08}.out")), output(index)).expect("written");
    }
    assert!(tiles.look(folder.path()).expect("four") && tiles.are_whole());
    assert!(tiles.of.values().all(|(level, _)| *level == Level::Released));
    assert!(!tiles.look(folder.path()).expect("the same"));
    picture::draw(&picture, &tiles, 1).expect("drawn");
    assert_eq!(pixel(&picture, 40, 30), [0, 0, 0], "the set");
    assert_ne!(pixel(&picture, 70, 50), missing);
    assert_ne!(pixel(&picture, 0, 20), frame);
    fs::remove_file(place("units/00000002.out")).expect("taken back");
    assert!(tiles.look(folder.path()).expect("three") && !tiles.are_whole());
}

#[test]
fn a_tile_that_is_not_whole_is_none() {
    let output = run(b"3 re -0.75 im 0 radius 1.25 width 70 height 50 tile 40 limit 50", |_, _| ());
    let output = output.expect("a tile");
    let Tile { picture, area, pixels } = read(&output).expect("whole");
    assert_eq!((picture, area), ((70, 50), Area { x: 40, y: 40, width: 30, height: 10 }));
    assert_eq!(pixels.len(), 300);
    assert!(read(&output[..output.len() - 1]).is_none() && read(&output[..20]).is_none());
    let longer = [&output[..], &[0; 8]].concat();
    assert!(read(&longer).is_none() && read(&output[4..]).is_none());
    let mut outside = output;
    outside[4..8].copy_from_slice(&60_u32.to_le_bytes());
    assert!(read(&outside).is_none(), "it would lie beyond the picture");
}
