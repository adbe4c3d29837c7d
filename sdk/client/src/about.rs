//! What a job is for, in its submitter's words.
use serde::{Deserialize, Serialize};

/// Longest description, bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;
/// Most tags.
pub const TAGS_MAX: usize = 8;
/// Longest tag, bytes.
pub const TAG_BYTES_MAX: usize = 32;
/// Longest licence, bytes; an SPDX expression fits.
pub const LICENCE_BYTES_MAX: usize = 64;
/// Longest contact, bytes.
pub const CONTACT_BYTES_MAX: usize = 256;

/// What a job is for; donors choose by it. What is not said is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct About {
    /// Its purpose, in a sentence or two.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words to choose by: small letters, digits and hyphens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What may be done with its results.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// Whom to ask.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub contact: String,
}

impl About {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == About::default()
    }
}
