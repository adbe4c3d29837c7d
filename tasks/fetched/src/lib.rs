//! What `dugnad fetch` left in a folder, for programs that make something of it, and how these end.
//!
//! It reads outputs that are text, and knows nothing of what they say.
#![forbid(unsafe_code)]

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// A file or folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl FileError {
    /// For `map_err`.
    pub fn of(path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_path_buf();
        |error| FileError { path, error }
    }
}

/// Every unit's output with where it lies, in unit order.
///
/// # Errors
/// Which file or folder cannot be read, or is no text.
pub fn outputs(results: &Path) -> Result<Vec<(PathBuf, String)>, FileError> {
    let folder = results.join("units");
    let entries = fs::read_dir(&folder).map_err(FileError::of(&folder))?;
    let paths: Result<Vec<PathBuf>, io::Error> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(FileError::of(&folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "out"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(FileError::of(&path))?;
        Ok((path, text))
    };
    paths.into_iter().map(read).collect()
}

/// What a program did, or why not.
pub type Done = Result<String, Box<dyn Error>>;

/// A program as its arguments ask; where they make no sense `run` answers nothing, and `usage` is told.
/// Its exit code is 0, 1 if it failed, or 2.
pub fn program(usage: &str, run: impl FnOnce(&[&str]) -> Option<Done>) -> ExitCode {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|one| one.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Some(Ok(said)) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{usage}");
            ExitCode::from(2)
        }
    }
}
