//! How far a unit's answer is proved, as node and client tell each other.
use crate::BlobHash;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How far an answer is proved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One peer says so.
    Reported,
    /// Several who could not have copied agree, or the submitter's node computed it itself.
    Checked,
    /// It may be relied on: nothing more is waited for.
    #[default]
    Released,
}

impl Level {
    /// All of them, the least proved first.
    pub const ALL: [Level; 3] = [Level::Reported, Level::Checked, Level::Released];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Reported => "reported",
            Level::Checked => "checked",
            Level::Released => "released",
        })
    }
}

/// A word that names no level.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no level is called {0:?}; there are reported, checked and released")]
pub struct NotALevel(String);

impl FromStr for Level {
    type Err = NotALevel;

    fn from_str(text: &str) -> Result<Level, NotALevel> {
        let named = Level::ALL.into_iter().find(|level| level.to_string() == text);
        named.ok_or_else(|| NotALevel(text.to_owned()))
    }
}

/// The best answer to a unit that is known so far.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnitLevel {
    /// The unit.
    pub unit: u32,
    /// Its level; none if the answer that was told of before is taken back, and no other is there.
    pub level: Option<Level>,
    /// Whether what was told of this unit before holds no longer.
    pub revised: bool,
    /// How its run ended, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The blob of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<BlobHash>,
    /// The length of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Instructions that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
}

impl UnitLevel {
    /// A released unit of which nothing else is told.
    pub(crate) fn released(unit: u32) -> UnitLevel {
        let (outcome, digest, bytes, fuel) = (None, None, None, None);
        let level = Some(Level::Released);
        UnitLevel { unit, level, revised: false, outcome, digest, bytes, fuel }
    }
}

/// Units by the level of their best answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LevelCounts {
    /// At [`Level::Reported`].
    pub reported: u64,
    /// At [`Level::Checked`].
    pub checked: u64,
    /// At [`Level::Released`].
    pub released: u64,
}
