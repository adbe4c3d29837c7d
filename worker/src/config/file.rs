//! The configuration file: TOML whose keys are the options of `run` with underscores.
use super::{ConfigError, RunOptions};
use crate::{invite::Invite, store::disk};
use serde::{Deserialize, Deserializer, de::Error};
use std::{io, path::Path};

/// Largest configuration file, bytes.
pub const CONFIG_BYTES_MAX: u64 = 64 << 10;

/// Reads a configuration file. Paths in it are relative to its own place.
///
/// # Errors
/// It cannot be read, or the first thing wrong in it, with its line; for a list, where it starts.
pub fn read(path: &Path) -> Result<RunOptions, ConfigError> {
    let bytes = disk::read_bounded(path, CONFIG_BYTES_MAX)
        .and_then(|bytes| bytes.ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
    let wrong = |place: usize, problem: &str| ConfigError::InFile {
        path: path.into(),
        line: 1 + bytes.iter().take(place).filter(|byte| **byte == b'\n').count(),
        problem: problem.lines().collect::<Vec<_>>().join(", "),
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| wrong(error.valid_up_to(), "this is no UTF-8 text"))?;
    let mut options: RunOptions = toml::from_str(text)
        .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
    let dir = path.parent().unwrap_or(Path::new(""));
    for named in [&mut options.data_dir, &mut options.network_key].into_iter().flatten() {
        *named = dir.join(&*named);
    }
    Ok(options)
}

/// An invite in a file is its line; its own form in `serde` is the inside of that line.
pub fn invite<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Invite>, D::Error> {
    String::deserialize(text)?.parse().map(Some).map_err(D::Error::custom)
}
