//! How much proof a job asks for, as people write it.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// How much proof makes a unit verified; written `quorum=N`, `quorum=N+P%`, `audited`,
/// `audited=1e-4` or `checked`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// That many equal answers of distinct peers.
    Quorum(u8),
    /// The same, with so many percent of the units computed again by the submitter's node.
    Rechecked(u8, u8),
    /// Answers of peers that the submitter's node trusts, checked by others whom it draws after the fact,
    /// until so few are wrong on average, in billionths.
    Audited(u32),
    /// One answer that the module's own `verify` finds right.
    Checked,
}

/// Wrong units of an audited job on average, where nothing else is said, in billionths: one in ten
/// thousand.
pub const AUDITED_PPB: u32 = 100_000;
/// The most that can be asked for, in billionths: a tenth.
const AUDITED_PPB_MAX: u32 = 100_000_000;

/// The text is no profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "expected \"quorum=N\" with N from 1 to 8, \"quorum=N+P%\" with P from 1 to 100, \"checked\", or \"audited=E\" with E from 1e-9 to 0.1 wrong \
     units in one"
)]
pub struct NotAProfile;

/// Units from which on a job on an open grid is audited, if it names no profile: of fewer an audit
/// computes each several times.
pub const AUDITED_UNITS: u64 = 1_000;

/// Units of a smaller job there that the submitter's node computes again, percent.
pub const RECHECK_PERCENT: u8 = 10;

impl Profile {
    /// What a job gets that names none. On an open grid colluders are to be reckoned with.
    pub fn unsaid(open: bool, units: u64) -> Profile {
        match (open, units >= AUDITED_UNITS) {
            (true, true) => Profile::Audited(AUDITED_PPB),
            (true, false) => Profile::Rechecked(2, RECHECK_PERCENT),
            (false, _) => Profile::Quorum(2),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Profile::Quorum(n) => write!(f, "quorum={n}"),
            Profile::Rechecked(n, percent) => write!(f, "quorum={n}+{percent}%"),
            Profile::Checked => f.write_str("checked"),
            Profile::Audited(ppb) => write!(f, "audited={:e}", f64::from(*ppb) / 1e9),
        }
    }
}

impl FromStr for Profile {
    type Err = NotAProfile;
    fn from_str(text: &str) -> Result<Profile, NotAProfile> {
        match text {
            "audited" => return Ok(Profile::Audited(AUDITED_PPB)),
            "checked" => return Ok(Profile::Checked),
            _ => {}
        }
        if let Some(error) = text.strip_prefix("audited=") {
            let error: f64 = error.parse().map_err(|_| NotAProfile)?;
            let ppb = (error * 1e9).round();
            let asked = (1.0..=f64::from(AUDITED_PPB_MAX)).contains(&ppb);
            return asked.then_some(Profile::Audited(ppb as u32)).ok_or(NotAProfile);
        }
        let quorum = text.strip_prefix("quorum=").ok_or(NotAProfile)?;
        let (n, percent) = quorum.split_once('+').map_or((quorum, None), |(n, p)| (n, Some(p)));
        let Ok(n @ 1..=8) = n.parse() else { return Err(NotAProfile) };
        let Some(percent) = percent else { return Ok(Profile::Quorum(n)) };
        match percent.strip_suffix('%').and_then(|digits| digits.parse().ok()) {
            Some(percent @ 1..=100) => Ok(Profile::Rechecked(n, percent)),
            Some(_) | None => Err(NotAProfile),
        }
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
