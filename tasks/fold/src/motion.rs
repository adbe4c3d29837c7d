//! How the beads move: Langevin dynamics at a temperature, and relaxation to the nearest minimum.
use crate::chain::{BEADS, Vector, Vectors, dot, forces, minus, plus, times};
use dugnad_guest::math::sqrt;
use libm::{exp, log};
use serde::{Deserialize, Serialize};

/// Most moves of a relaxation.
const RELAX_MOVES_MAX: u32 = 20_000;
/// It has ended where no force on a bead is larger.
const RELAXED: f64 = 1e-9;

/// Random numbers: splitmix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
pub struct Draws(pub u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Between −1 and 1.
    fn even(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// Two of the normal distribution, by the polar method (Marsaglia and Bray 1964).
    fn normal(&mut self) -> [f64; 2] {
        loop {
            let (x, y) = (self.even(), self.even());
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let stretch = sqrt(-2.0 * log(square) / square);
                return [x * stretch, y * stretch];
            }
        }
    }

    /// Three for each bead.
    fn kicks(&mut self) -> Vectors {
        let mut kicks = [[0.0; 3]; BEADS];
        for pair in kicks.chunks_exact_mut(2) {
            let drawn = [self.normal(), self.normal(), self.normal()];
            for axis in 0..3 {
                (pair[0][axis], pair[1][axis]) = (drawn[axis][0], drawn[axis][1]);
            }
        }
        kicks
    }
}

/// A chain that is stretched in a zigzag, and how its beads move at a temperature.
pub fn start(draws: &mut Draws, temperature: f64) -> (Vectors, Vectors) {
    let mut places = [[0.0; 3]; BEADS];
    for (bead, place) in places.iter_mut().enumerate() {
        // Bonds of length 1 at about the angle of rest, a little out of the plane at random.
        let side = if bead % 2 == 0 { 0.0 } else { 0.609 };
        *place = [bead as f64 * 0.793, side, 0.01 * draws.even()];
    }
    let speeds = draws.kicks().map(|kick| times(kick, sqrt(temperature)));
    (places, speeds)
}

/// Beads on their way.
#[derive(Clone, Debug)]
pub struct Motion {
    pub places: Vectors,
    pub speeds: Vectors,
    pub draws: Draws,
    energy: f64,
    forces: Vectors,
}

impl Motion {
    /// Beads in these places with these speeds.
    pub fn new(places: Vectors, speeds: Vectors, draws: Draws) -> Motion {
        let (energy, forces) = forces(&places);
        Motion { places, speeds, draws, energy, forces }
    }

    /// Moves all beads by a time at a temperature: the scheme BAOAB (Leimkuhler and Matthews 2013).
    pub fn go(&mut self, time: f64, temperature: f64, friction: f64) {
        let keeps = exp(-friction * time);
        let kicked = sqrt((1.0 - keeps * keeps) * temperature);
        let kicks = self.draws.kicks();
        for (bead, kick) in kicks.iter().enumerate() {
            let pushed = plus(self.speeds[bead], times(self.forces[bead], 0.5 * time));
            self.places[bead] = plus(self.places[bead], times(pushed, 0.5 * time));
            let thermal = plus(times(pushed, keeps), times(*kick, kicked));
            self.places[bead] = plus(self.places[bead], times(thermal, 0.5 * time));
            self.speeds[bead] = thermal;
        }
        (self.energy, self.forces) = forces(&self.places);
        for (speed, force) in self.speeds.iter_mut().zip(&self.forces) {
            *speed = plus(*speed, times(*force, 0.5 * time));
        }
    }

    /// The energy of the places.
    pub fn potential(&self) -> f64 {
        self.energy
    }

    /// The temperature by the speeds: two thirds of the mean kinetic energy.
    pub fn temperature(&self) -> f64 {
        let sum: f64 = self.speeds.iter().map(|speed| dot(*speed, *speed)).sum();
        sum / (3 * BEADS) as f64
    }
}

/// Rolls down to the nearest minimum; answers its energy and places. FIRE: Bitzek, Koskinen, Gähler,
/// Moseler and Gumbsch (2006).
pub fn relax(places: &Vectors) -> (f64, Vectors) {
    let mut places = *places;
    let mut speeds = [[0.0; 3]; BEADS];
    let (mut energy, mut pull) = forces(&places);
    let (mut time, mut steer, mut downhill) = (0.002, 0.1, 0_u32);
    for _ in 0..RELAX_MOVES_MAX {
        if pull.iter().all(|force| dot(*force, *force) < RELAXED * RELAXED) {
            break;
        }
        let along = sum(&speeds, &pull);
        if along > 0.0 {
            let turn = steer * sqrt(sum(&speeds, &speeds) / sum(&pull, &pull));
            for (speed, force) in speeds.iter_mut().zip(&pull) {
                *speed = plus(times(*speed, 1.0 - steer), times(*force, turn));
            }
            downhill += 1;
            if downhill > 5 {
                time = (time * 1.1_f64).min(0.02);
                steer *= 0.99;
            }
        } else {
            speeds = [[0.0; 3]; BEADS];
            (time, steer, downhill) = (time * 0.5, 0.1, 0);
        }
        for bead in 0..BEADS {
            speeds[bead] = plus(speeds[bead], times(pull[bead], time));
            places[bead] = plus(places[bead], times(speeds[bead], time));
        }
        (energy, pull) = forces(&places);
    }
    (energy, places)
}

fn sum(one: &Vectors, other: &Vectors) -> f64 {
    one.iter().zip(other).map(|(one, other)| dot(*one, *other)).sum()
}

/// The mean of all places.
pub fn centre(places: &[Vector]) -> Vector {
    let sum = places.iter().fold([0.0; 3], |sum, place| plus(sum, *place));
    times(sum, 1.0 / places.len() as f64)
}

/// The root of the mean square distance from the centre: how compact a chain is.
pub fn radius(places: &[Vector]) -> f64 {
    let centre = centre(places);
    let square = |place: &Vector| dot(minus(*place, centre), minus(*place, centre));
    sqrt(places.iter().map(square).sum::<f64>() / places.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_takes_the_temperature_of_its_bath() {
        let mut draws = Draws(1);
        let (places, speeds) = start(&mut draws, 0.6);
        let mut motion = Motion::new(places, speeds, draws);
        let mut mean = 0.0;
        for turn in 0..90_000 {
            motion.go(0.005, 0.6, 2.0);
            if turn >= 10_000 {
                mean += motion.temperature() / 80_000.0;
            }
        }
        assert!((mean - 0.6).abs() < 0.02, "{mean}");
    }

    #[test]
    fn without_friction_energy_is_kept() {
        let mut draws = Draws(2);
        let (places, speeds) = start(&mut draws, 0.3);
        let mut motion = Motion::new(places, speeds, draws);
        let total =
            |motion: &Motion| motion.potential() + 0.5 * motion.temperature() * (3 * BEADS) as f64;
        let before = total(&motion);
        (0..20_000).for_each(|_| motion.go(0.002, 0.3, 0.0));
        assert!((total(&motion) - before).abs() < 0.05, "{before} {}", total(&motion));
    }

    #[test]
    fn relaxation_ends_where_nothing_pulls() {
        let mut draws = Draws(3);
        let (places, _) = start(&mut draws, 0.3);
        let (energy, relaxed) = relax(&places);
        let (again, pull) = forces(&relaxed);
        assert_eq!(energy, again);
        assert!(energy < forces(&places).0);
        assert!(pull.iter().all(|force| dot(*force, *force) < 1e-12));
    }
}
