//! The chain: its sequence, and the energy and forces of beads in their places.
use dugnad_guest::math::sqrt;
use libm::acos;

/// Beads of the chain.
pub const BEADS: usize = 46;
/// What each bead is: hydrophobic, hydrophilic or neutral.
pub const SEQUENCE: &[u8; BEADS] = b"BBBBBBBBBNNNLBLBLBLBNNNBBBBBBBBBNNNLBLBLBLBLBL";

/// A place, or an arrow.
pub type Vector = [f64; 3];
/// One of each bead.
pub type Vectors = [Vector; BEADS];

/// Stiffness of a bond of length 1.
const BOND: f64 = 231.2;
/// Stiffness of an angle between bonds …
const ANGLE: f64 = 20.0;
/// … and where it rests: 105 degrees.
const ANGLE_REST: f64 = 105.0 * core::f64::consts::PI / 180.0;
/// Angles are not told from a straight line beyond this cosine, where the force has no direction.
const STRAIGHT: f64 = 1.0 - 1e-9;

/// One arrow after another.
pub fn plus(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// The arrow from `b` to `a`.
pub fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// An arrow so many times as long.
pub fn times(a: Vector, by: f64) -> Vector {
    [a[0] * by, a[1] * by, a[2] * by]
}

/// The product that is a number.
pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn push(forces: &mut Vectors, bead: usize, force: Vector) {
    forces[bead] = plus(forces[bead], force);
}

/// The energy of beads in these places, and the forces on them.
pub fn forces(places: &Vectors) -> (f64, Vectors) {
    let mut forces = [[0.0; 3]; BEADS];
    let mut energy = 0.0;
    for bead in 1..BEADS {
        energy += bond(places, bead, &mut forces);
    }
    for bead in 2..BEADS {
        energy += angle(places, bead, &mut forces);
    }
    for bead in 3..BEADS {
        energy += twist(places, bead, &mut forces);
    }
    for bead in 3..BEADS {
        energy += contacts(places, bead, &mut forces);
    }
    (energy, forces)
}

/// Between a bead and the one before: a spring.
fn bond(places: &Vectors, bead: usize, forces: &mut Vectors) -> f64 {
    let along = minus(places[bead], places[bead - 1]);
    let length = sqrt(dot(along, along));
    let force = times(along, -BOND * (length - 1.0) / length);
    push(forces, bead, force);
    push(forces, bead - 1, times(force, -1.0));
    0.5 * BOND * (length - 1.0) * (length - 1.0)
}

/// The angle at the middle of three beads, of which this is the last.
fn angle(places: &Vectors, bead: usize, forces: &mut Vectors) -> f64 {
    let back = minus(places[bead - 2], places[bead - 1]);
    let on = minus(places[bead], places[bead - 1]);
    let (back_length, on_length) = (sqrt(dot(back, back)), sqrt(dot(on, on)));
    let (back, on) = (times(back, 1.0 / back_length), times(on, 1.0 / on_length));
    let cosine = dot(back, on).clamp(-STRAIGHT, STRAIGHT);
    let off = acos(cosine) - ANGLE_REST;
    // d energy / d cosine, and the cosine's slope along each of the two bonds.
    let pull = ANGLE * off / sqrt(1.0 - cosine * cosine);
    let first = times(minus(on, times(back, cosine)), pull / back_length);
    let last = times(minus(back, times(on, cosine)), pull / on_length);
    push(forces, bead - 2, first);
    push(forces, bead, last);
    push(forces, bead - 1, times(plus(first, last), -1.0));
    0.5 * ANGLE * off * off
}

/// The twist of three bonds, which end at this bead. Turns of the chain are where it is soft: where
/// two or more of the four beads are neutral.
fn twist(places: &Vectors, bead: usize, forces: &mut Vectors) -> f64 {
    let neutral = SEQUENCE[bead - 3..=bead].iter().filter(|kind| **kind == b'N').count();
    let (once, thrice) = if neutral >= 2 { (0.0, 0.2) } else { (1.2, 1.2) };
    let first = minus(places[bead - 2], places[bead - 3]);
    let middle = minus(places[bead - 1], places[bead - 2]);
    let last = minus(places[bead], places[bead - 1]);
    let (before, after) = (cross(first, middle), cross(middle, last));
    let (before_length, after_length) = (sqrt(dot(before, before)), sqrt(dot(after, after)));
    let (before, after) = (times(before, 1.0 / before_length), times(after, 1.0 / after_length));
    let cosine = dot(before, after).clamp(-1.0, 1.0);
    // cos 3φ is a polynomial in cos φ, so that no angle has to be found.
    let slope = once + thrice * (12.0 * cosine * cosine - 3.0);
    let by_before = times(minus(after, times(before, cosine)), -slope / before_length);
    let by_after = times(minus(before, times(after, cosine)), -slope / after_length);
    let on_first = cross(middle, by_before);
    let on_middle = plus(cross(by_before, first), cross(last, by_after));
    let on_last = cross(by_after, middle);
    push(forces, bead - 3, times(on_first, -1.0));
    push(forces, bead - 2, minus(on_first, on_middle));
    push(forces, bead - 1, minus(on_middle, on_last));
    push(forces, bead, on_last);
    once * (1.0 + cosine) + thrice * (1.0 + cosine * (4.0 * cosine * cosine - 3.0))
}

/// Between a bead and those before it that are no close neighbours: hydrophobic ones attract each
/// other, all others keep apart.
fn contacts(places: &Vectors, bead: usize, forces: &mut Vectors) -> f64 {
    let (place, kind) = (places[bead], SEQUENCE[bead]);
    let (mut energy, mut sum) = (0.0, [0.0; 3]);
    let others = places.iter().zip(SEQUENCE).zip(forces.iter_mut()).take(bead - 2);
    for ((other, other_kind), on_other) in others {
        let (strength, attraction) = match (kind, *other_kind) {
            (b'B', b'B') => (1.0, 1.0),
            (b'N', _) | (_, b'N') => (1.0, 0.0),
            _ => (2.0 / 3.0, -1.0),
        };
        let apart = minus(place, *other);
        let near = 1.0 / dot(apart, apart);
        let sixth = near * near * near;
        let force = times(apart, 24.0 * strength * near * sixth * (2.0 * sixth - attraction));
        sum = plus(sum, force);
        *on_other = minus(*on_other, force);
        energy += 4.0 * strength * sixth * (sixth - attraction);
    }
    push(forces, bead, sum);
    energy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::motion::start;

    #[test]
    fn forces_are_the_slope_of_the_energy() {
        let (mut places, _) = start(&mut crate::motion::Draws(5), 1.0);
        // Off the straight line, where all forces have a direction.
        for (at, place) in places.iter_mut().enumerate() {
            place[at % 3] += 0.1 * (at as f64 * 0.7).sin();
        }
        let (energy, found) = forces(&places);
        assert!(energy.is_finite());
        for (bead, found) in found.iter().enumerate() {
            for axis in 0..3 {
                let at = |off: f64| {
                    let mut moved = places;
                    moved[bead][axis] += off;
                    forces(&moved).0
                };
                let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                let error = (found[axis] + slope).abs();
                assert!(error < 1e-5 * (1.0 + slope.abs()), "{bead} {axis}: {error} of {slope}");
            }
        }
    }
}
