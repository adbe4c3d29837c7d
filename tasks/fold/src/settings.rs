//! What a unit's input may ask for: lines of a name and a number, or its seed alone.
use alloc::{
    format,
    string::{String, ToString},
};
use serde::{Deserialize, Serialize};

/// Most steps.
pub const STEPS_MAX: u32 = 2_000;
/// Most moves of a step.
pub const MOVES_MAX: u32 = 1_000_000;

/// How a chain is folded.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
pub struct Settings {
    /// Draws the start and all kicks.
    pub seed: u64,
    /// Steps until the end.
    pub steps: u32,
    /// Moves of the beads in each step.
    pub moves: u32,
    /// The temperature at first, in ε …
    pub hot: f64,
    /// … and at last; it falls in equal shares.
    pub cold: f64,
    /// Friction, per time.
    pub friction: f64,
    /// The time of one move.
    pub pace: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seed: 0,
            steps: 40,
            moves: 3_000,
            hot: 0.6,
            cold: 0.15,
            friction: 0.05,
            pace: 0.01,
        }
    }
}

impl Settings {
    /// Reads an input: a line of one number is the seed, others are `NAME NUMBER`.
    ///
    /// # Errors
    /// The first line that is not understood, or out of range.
    pub fn parse(input: &[u8]) -> Result<Settings, String> {
        let text = core::str::from_utf8(input).map_err(|_| "the input is not text".to_string())?;
        let mut settings = Settings::default();
        for (number, line) in text.lines().enumerate() {
            let bad = || format!("line {}: `{line}` is no setting", number + 1);
            let words: alloc::vec::Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                [seed] => settings.seed = seed.parse().map_err(|_| bad())?,
                [name, value] => settings.set(name, value).ok_or_else(bad)?,
                _ => return Err(bad()),
            }
        }
        settings.check()?;
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "seed" => self.seed = value.parse().ok()?,
            "steps" => self.steps = value.parse().ok()?,
            "moves" => self.moves = value.parse().ok()?,
            "hot" => self.hot = value.parse().ok()?,
            "cold" => self.cold = value.parse().ok()?,
            "friction" => self.friction = value.parse().ok()?,
            "pace" => self.pace = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }

    fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: f64, most: f64| match value > 0.0 && value <= most {
            true => Ok(()),
            false => Err(format!("{name} is {value}; it must be above 0 and at most {most}")),
        };
        within("steps", self.steps.into(), STEPS_MAX.into())?;
        within("moves", self.moves.into(), MOVES_MAX.into())?;
        within("hot", self.hot, 10.0)?;
        within("cold", self.cold, self.hot)?;
        within("friction", self.friction, 100.0)?;
        within("pace", self.pace, 0.02)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_understood_or_say_which_line_is_not() {
        let seed = Settings::parse(b"17\n").expect("a seed");
        assert_eq!((seed.seed, seed.steps), (17, Settings::default().steps));
        let more = Settings::parse(b"seed 3\nsteps 7\n\nhot 0.9\n").expect("settings");
        assert_eq!((more.seed, more.steps, more.hot), (3, 7, 0.9));
        for (bad, why) in [
            (&b"seed three"[..], "line 1"),
            (b"1\nspeed 3", "line 2"),
            (b"1 2 3", "line 1"),
            (b"cold 2", "cold is 2"),
            (b"pace nan", "pace is NaN"),
            (b"steps 0", "steps is 0"),
            (b"\xff", "not text"),
        ] {
            let error = Settings::parse(bad).expect_err("a mistake");
            assert!(error.contains(why), "{error}");
        }
    }
}
