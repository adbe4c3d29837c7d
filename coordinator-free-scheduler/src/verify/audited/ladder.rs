//! How many checkers a unit needs, so that no number of coordinated lies is worth placing.
//!
//! Only the four operations of IEEE 754 are used on floats: they are the same on every machine.
//! The reasoning is that of Golle and Mironov, *Uncheatable Distributed Computations* (2001), with
//! checkers that may collude: a lie survives a checker who is one of its friends.

/// Checkers that a unit has on average, in hundredths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Level(pub u32);

/// What a lot climbs where lies are found; it starts at its own [`first_level`].
pub const LADDER: [Level; 9] = [
    Level(30),
    Level(100),
    Level(150),
    Level(200),
    Level(250),
    Level(300),
    Level(400),
    Level(500),
    Level(600),
];

/// Share of the allowed wrong units that the first level may let pass; the rest is for the estimates.
const FIRST_SHARE: f64 = 0.8;

impl Level {
    /// Checkers that every unit has.
    pub fn whole(self) -> u32 {
        self.0 / 100
    }

    /// How likely a unit has one more, in hundredths.
    pub fn part(self) -> u32 {
        self.0 % 100
    }

    /// The next one up the ladder, if there is one.
    pub fn next(self) -> Option<Level> {
        LADDER.into_iter().find(|level| *level > self)
    }

    /// On average.
    pub fn checkers(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// The probability that a lie survives, if this share of the checkers are its friends.
pub fn survival(level: Level, friends: f64) -> f64 {
    let part = f64::from(level.part()) / 100.0;
    power(friends, level.whole()) * (1.0 - part * (1.0 - friends))
}

/// `base` to a whole power.
pub fn power(base: f64, exponent: u32) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * base)
}

/// Wrong units expected of the best number of lies, all of which have to survive: the greatest
/// W·p^W over W up to `units`.
fn best_attack(p: f64, units: u32) -> f64 {
    let (mut all, mut best) = (1.0, 0.0);
    for lies in 1..=units {
        all *= p;
        let expected = f64::from(lies) * all;
        if expected < best {
            break;
        }
        best = expected;
    }
    best
}

/// The lowest level at which the best attack on a job of so many units stays within `max_error` of them.
/// At most the top of the ladder.
pub fn first_level(units: u32, max_error: f64, friends: f64) -> Level {
    let allowed = FIRST_SHARE * max_error * f64::from(units);
    let enough = |level: &Level| best_attack(survival(*level, friends), units) <= allowed;
    let top = LADDER[LADDER.len() - 1];
    (1..top.0).map(Level).find(enough).unwrap_or(top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_levels_are_those_of_the_published_table() {
        let of = |units, max_error| first_level(units, max_error, 0.3).0;
        let levels = [1_000, 10_000, 30_000, 100_000, 1_000_000].map(|units| of(units, 1e-4));
        assert_eq!(levels, [216, 53, 21, 7, 1]);
        assert_eq!(of(100_000, 1e-6), 216);
        assert_eq!(of(10, 1e-9), 600, "no more than the ladder has");
    }

    #[test]
    fn a_lie_survives_as_its_friends_are_drawn() {
        assert_eq!(survival(Level(0), 0.3), 1.0);
        assert!((survival(Level(100), 0.3) - 0.3).abs() < 1e-12);
        assert!((survival(Level(150), 0.3) - 0.3 * 0.65).abs() < 1e-12);
        assert_eq!(Level(7).next(), Some(Level(30)));
        assert_eq!(Level(216).next(), Some(Level(250)));
        assert_eq!(Level(600).next(), None);
    }
}
