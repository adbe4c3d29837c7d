//! What can go wrong between a program and its node: what, where, and what to do about it.
use crate::{JobFileError, JobId, WorkId};
use std::io;
use std::path::{Path, PathBuf};

/// Why a call to a node failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No node runs on a data directory, or none answers at its address.
    #[error("no node is running on {place} (start one with `dugnad run`)")]
    NoNode {
        /// The data directory or the address.
        place: String,
    },
    /// There is no telling where the data directory is.
    #[error("no data directory: set DUGNAD_DATA_DIR or HOME")]
    NoDataDir,
    /// The files that say where the node is make no sense.
    #[error("{} does not say where the node is: {problem} (restart the node)", path.display())]
    Address {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The node understood the request and says no.
    #[error("the node refused {route}: {reason}")]
    Refused {
        /// The request, as `METHOD PATH`.
        route: String,
        /// The HTTP status.
        status: u16,
        /// The node's own words.
        reason: String,
    },
    /// The exchange broke off.
    #[error("{route} broke off: {} (is the node still running?)", causes(source))]
    Transport {
        /// The request, as `METHOD PATH`.
        route: String,
        /// What broke.
        source: reqwest::Error,
    },
    /// The node's answer is not what this version of the client understands.
    #[error("the node's answer to {route} makes no sense: {problem} (same version on both sides?)")]
    Answer {
        /// The request, as `METHOD PATH`.
        route: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file or directory of the user.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// `job.toml` is wrong.
    #[error(transparent)]
    JobFile(#[from] JobFileError),
    /// A bundle is not whole.
    #[error("{} is no bundle that can be used: {why}; get it again, or make it anew", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// The units asked for cannot be a job.
    #[error("these units make no job: {problem}")]
    Units {
        /// What is wrong with them.
        problem: String,
    },
    /// A unit came to no output.
    #[error("unit {unit} of job {} failed: {outcome}{}", job.short(), said(stderr))]
    UnitFailed {
        /// The job.
        job: JobId,
        /// The unit.
        unit: u32,
        /// How it ended, in a few words.
        outcome: String,
        /// What it wrote to standard error when the node ran it again.
        stderr: String,
    },
    /// The output of a unit is not what the program expects.
    #[error("the output of unit {unit} is not what was expected: {problem}")]
    Output {
        /// The unit.
        unit: u32,
        /// What is wrong with it.
        problem: String,
    },
    /// Somebody stopped the job.
    #[error("job {} was cancelled", job.short())]
    Cancelled {
        /// The job.
        job: JobId,
    },
    /// The short form of a job's id fits none, or more than one.
    #[error("{problem}: {prefix:?} (`dugnad status` lists the jobs)")]
    JobPrefix {
        /// What was given.
        prefix: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The fetched outputs are not those that the job's digest stands for.
    #[error(
        "the outputs in {} are not those of job {}: their digest is {found}, the job's {expected}; \
         remove the directory and fetch again", dir.display(), job.short()
    )]
    OutputDigest {
        /// The job.
        job: JobId,
        /// Where the outputs lie.
        dir: PathBuf,
        /// The job's digest.
        expected: String,
        /// The digest of the files.
        found: String,
    },
    /// The directory holds outputs of other work.
    #[error(
        "{} holds outputs of other work ({}); give another directory", dir.display(), found.short()
    )]
    OtherWork {
        /// The directory.
        dir: PathBuf,
        /// The work whose outputs lie there.
        found: WorkId,
    },
}

impl Error {
    pub(crate) fn file(path: impl AsRef<Path>, source: io::Error) -> Error {
        Error::File { path: path.as_ref().to_path_buf(), source }
    }
}

/// The last line of what a unit said, for a sentence.
fn said(stderr: &str) -> String {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
    last.map(|line| format!(": {}", line.trim())).unwrap_or_default()
}

/// reqwest hides what the system said behind itself; a person needs the last link of the chain.
fn causes(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
