//! A database cut into units of about the same number of residues, each with all queries.
use align::sequence::{FastaError, parse};
use fetched::FileError;
use std::{fs, path::Path};

/// Why there are no units.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is no FASTA.
    #[error("{path}: {error}")]
    Fasta {
        /// Which.
        path: String,
        /// Where, and what is wrong.
        error: FastaError,
    },
    /// There is nothing in it.
    #[error("{0} has no sequences")]
    Nothing(String),
}

fn read(path: &Path) -> Result<String, SplitError> {
    let named = || path.display().to_string();
    let text = fs::read_to_string(path).map_err(FileError::of(path))?;
    let all =
        parse(text.as_bytes(), 1).map_err(|error| SplitError::Fasta { path: named(), error })?;
    if all.is_empty() { Err(SplitError::Nothing(named())) } else { Ok(text) }
}

/// Writes `units` inputs or fewer into a folder, and says how many: each sequence goes to exactly one.
///
/// # Errors
/// A file is none of FASTA, or cannot be read or written.
pub fn split(
    queries: &Path,
    database: &Path,
    units: usize,
    out: &Path,
) -> Result<usize, SplitError> {
    let (queries, database) = (read(queries)?, read(database)?);
    let lines: Vec<&str> = database.split_inclusive('\n').collect();
    let records: Vec<String> =
        lines.chunk_by(|_, line| !line.starts_with('>')).map(<[&str]>::concat).collect();
    let share = database.len().div_ceil(units.max(1));
    fs::create_dir_all(out).map_err(FileError::of(out))?;
    let mut count = 0;
    let mut chunk = String::new();
    for (at, record) in records.iter().enumerate() {
        chunk += record;
        if chunk.len() >= share || at + 1 == records.len() {
            let path = out.join(format!("{count:08}.fasta"));
            let text = format!("{}\n//\n{chunk}", queries.trim_end());
            fs::write(&path, text).map_err(FileError::of(&path))?;
            chunk.clear();
            count += 1;
        }
    }
    Ok(count)
}
