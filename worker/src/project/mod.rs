//! A scientist's task project: how one begins, and how it becomes a module.
//!
//! What it is not: part of a node. It writes and builds in the project's own folder.
mod begin;
mod build;
mod compiler;

pub use begin::{Language, begin};
pub use build::build;

use std::{io, path::PathBuf};

/// Why a project could not be made, or built.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error(
        "{name:?} is no name for a project: letters, digits, - and _, beginning with a letter, at most {NAME_CHARS_MAX}"
    )]
    Name { name: String },
    #[error("{} exists already; give another name, or remove it", path.display())]
    Exists { path: PathBuf },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} holds neither a Cargo.toml nor a .c file: nothing to build", dir.display())]
    Nothing { dir: PathBuf },
    #[error("{} cannot be read as Cargo.toml: {why}", path.display())]
    Manifest { path: PathBuf, why: String },
    #[error("{text}")]
    NoCompiler { text: String },
    #[error("{compiler} failed; what it says stands above")]
    Compiler { compiler: String },
    #[error("the build left no module in {}: the package needs a program (src/main.rs)", dir.display())]
    NoModule { dir: PathBuf },
    #[error(transparent)]
    Job(#[from] dugnad_client::Error),
}

/// Longest name of a project.
const NAME_CHARS_MAX: usize = 64;

/// A file or folder, for an error.
fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ProjectError {
    let path = path.into();
    move |source| ProjectError::File { path, source }
}
