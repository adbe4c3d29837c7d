//! What a job is for, in its submitter's words: donors choose by it, and all who look on read it.
//!
//! Invariant: short, and without control characters, so that it can be shown as it is where markup means
//! nothing.
//!
//! What it is not: checked. Nobody has proved a licence or a name.
use alloc::{string::String, vec::Vec};
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

/// What a job is for. What is not said is empty.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct About {
    /// Its purpose, in a sentence or two.
    pub description: String,
    /// Words to choose by: small letters, digits and hyphens.
    pub tags: Vec<String>,
    /// What may be done with its results.
    pub licence: String,
    /// Whom to ask.
    pub contact: String,
}

impl About {
    /// Whether it keeps to the named limits.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), AboutError> {
        let texts = [
            (&self.description, AboutError::Description, DESCRIPTION_BYTES_MAX),
            (&self.licence, AboutError::Licence, LICENCE_BYTES_MAX),
            (&self.contact, AboutError::Contact, CONTACT_BYTES_MAX),
        ];
        for (text, error, most) in texts {
            if text.len() > most || text.contains(char::is_control) {
                return Err(error);
            }
        }
        match self.tags.len() <= TAGS_MAX && self.tags.iter().all(|tag| is_tag(tag)) {
            true => Ok(()),
            false => Err(AboutError::Tags),
        }
    }
}

fn is_tag(tag: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=TAG_BYTES_MAX).contains(&tag.len()) && tag.bytes().all(fits)
}

/// What is too long, or holds what it must not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AboutError {
    /// [`About::description`].
    Description,
    /// [`About::tags`].
    Tags,
    /// [`About::licence`].
    Licence,
    /// [`About::contact`].
    Contact,
}

impl core::fmt::Display for AboutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (what, most) = match self {
            AboutError::Description => ("description", DESCRIPTION_BYTES_MAX),
            AboutError::Licence => ("licence", LICENCE_BYTES_MAX),
            AboutError::Contact => ("contact", CONTACT_BYTES_MAX),
            AboutError::Tags => {
                return write!(
                    f,
                    "tags are at most {TAGS_MAX} words of 1 to {TAG_BYTES_MAX} small letters, digits and hyphens"
                );
            }
        };
        write!(f, "the {what} has at most {most} bytes, and no control characters")
    }
}
