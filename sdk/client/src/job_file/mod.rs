//! `job.toml`: a job as its scientist writes it down.
//!
//! Every key that is not known and every value that cannot be is an error that names file and line.
//! Paths are relative to the file.
//!
//! ```toml
//! name = "primes"
//! module = "primes.wasm"
//! seed = 0                      # the default
//! args = []                     # of every unit
//! profile = "quorum=2"          # the default; on an open grid "quorum=2+10%", where the node computes so
//!                               # many of the units again, and from 1,000 units on "audited"
//! delegates = []                # peers that may decide about an audited job when this node is silent;
//!                               # absent: two whom the node knows well, if it does
//! delegate_after_s = 600        # for so long; the default
//! ringers = "known/*.out"       # outputs that you know beforehand, named by their units as `fetch` names
//!                               # them: who answers one of them otherwise is found out (audited jobs)
//! description = "counts primes" # what it is for; donors choose by this and the next three
//! tags = ["mathematics"]        # small letters, digits, hyphens
//! licence = "CC-BY-4.0"         # of the results
//! contact = "ada@example.com"   # whom to ask
//! priority = 1                  # the default; weighs so much beside other jobs, up to 100
//! deadline_s = 7200             # should be done so long after it is submitted; absent: whenever
//!
//! [env]                         # of every unit
//! DEPTH = "3"
//!
//! [limits]                      # of one run; absent: the node's defaults
//! fuel = 1_000_000_000
//! memory_mib = 64
//! output_bytes = 1_048_576
//!
//! [units]                       # one of
//! count = 1000                  # standard input: the unit's index in decimal and a newline
//! # range = "500-1499"          # the same with the numbers from 500 to 1499
//! # files = "in/*.dat"          # one unit a file, sorted by name; standard input: the file
//! # lines = "in.txt"            # one unit a line; standard input: the line, without its end
//! # grid = { depth = [1, 2], rule = ["a", "b"] }   # one unit for each combination; standard input: a line
//! #                             # of JSON, {"depth":1,"rule":"a"}; the last parameter by name changes fastest
//! # command = ["python3", "in.py"]   # one unit for each line that it writes; run beside this file
//!
//! [[checkers]]                  # units that matter have so many checkers in any case (audited jobs)
//! units = "0-99"                # or one unit: "7"
//! least = 2
//!
//! [merge]                       # if the outputs make one file
//! module = "merge.wasm"
//! ```
mod units;

use crate::about::{
    CONTACT_BYTES_MAX, DESCRIPTION_BYTES_MAX, LICENCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX,
};
use crate::{
    About, BlobHash, Error, Input, JobSpec, LeastCheckers, LimitsRequest, Profile, Ringer,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use units::{Units, Written};

pub use units::COMMAND_BYTES_MAX;

/// Largest job file, bytes.
pub const JOB_FILE_BYTES_MAX: u64 = 1 << 20;

/// The folder of outputs that are known beforehand, beside a job file, …
const KNOWN_DIR: &str = "known";
/// … and these.
const KNOWN: &str = "known/*.out";

/// The highest priority of a job.
pub const PRIORITY_MAX: u8 = 100;

/// What is wrong with a job file, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}:{line}:{column}: {problem}", path.display())]
pub struct JobFileError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
}

/// A job file that was read and understood. The files that it names are opened when it is
/// submitted.
#[derive(Clone, Debug)]
pub struct JobFile {
    path: PathBuf,
    text: String,
    job: Job,
    written: Written,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    name: String,
    module: Spanned<PathBuf>,
    description: Option<Spanned<String>>,
    #[serde(default)]
    tags: Vec<Spanned<String>>,
    #[serde(alias = "license")]
    licence: Option<Spanned<String>>,
    contact: Option<Spanned<String>>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    limits: Limits,
    profile: Option<Profile>,
    delegates: Option<Vec<String>>,
    delegate_after_s: Option<NonZeroU16>,
    ringers: Option<Spanned<String>>,
    #[serde(default)]
    checkers: Vec<Checkers>,
    #[serde(default)]
    priority: Option<Spanned<u8>>,
    deadline_s: Option<NonZeroU32>,
    units: Spanned<Units>,
    merge: Option<Merge>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    fuel: Option<NonZeroU64>,
    memory_mib: Option<NonZeroU32>,
    output_bytes: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkers {
    units: Spanned<String>,
    least: u8,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    module: Spanned<PathBuf>,
}

impl JobFile {
    /// Reads the job file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is wrong; the first thing that is.
    pub fn read(path: impl AsRef<Path>) -> Result<JobFile, Error> {
        let path = path.as_ref();
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(JOB_FILE_BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| Error::file(path, error))?;
        if text.len() as u64 > JOB_FILE_BYTES_MAX {
            let problem = format!("a job file has at most {JOB_FILE_BYTES_MAX} bytes");
            return Err(error_at(path, &text, None, problem).into());
        }
        let job: Job = toml::from_str(&text)
            .map_err(|error| error_at(path, &text, error.span(), error.message().to_owned()))?;
        let file = JobFile { path: path.to_path_buf(), text, job, written: Written::default() };
        file.check_priority()?;
        file.check_about()?;
        file.check_units()?;
        Ok(file)
    }

    /// What people call the job.
    pub fn name(&self) -> &str {
        &self.job.name
    }

    /// The folder that its paths are relative to.
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Where its module lies, or will when it is built.
    pub fn module_place(&self) -> PathBuf {
        self.dir().join(self.job.module.get_ref())
    }

    /// Where its module lies.
    ///
    /// # Errors
    /// There is none.
    pub fn module(&self) -> Result<PathBuf, Error> {
        Ok(self.resolve(&self.job.module)?)
    }

    /// The outputs that are known beforehand: the ringers, or, without any, the files `known/*.out` beside
    /// the job file, named as ringers are.
    ///
    /// # Errors
    /// A file cannot be read, or bears no number.
    pub fn known(&self) -> Result<Vec<Ringer>, Error> {
        let beside = Spanned::new(0..0, KNOWN.to_owned());
        match &self.job.ringers {
            Some(_) => self.ringers(),
            None if self.dir().join(KNOWN_DIR).is_dir() => self.named_outputs(&beside),
            None => Ok(Vec::new()),
        }
    }

    /// The job, with the files that it names looked up now.
    ///
    /// # Errors
    /// A file is missing, or a pattern fits none.
    pub fn spec(&self) -> Result<JobSpec, Error> {
        let job = &self.job;
        let merge = match &job.merge {
            Some(merge) => Some(Input::File(self.resolve(&merge.module)?)),
            None => None,
        };
        Ok(JobSpec {
            about: self.about(),
            seed: job.seed,
            args: job.args.clone(),
            env: job.env.clone(),
            limits: LimitsRequest {
                fuel: job.limits.fuel.map(NonZeroU64::get),
                memory_mib: job.limits.memory_mib.map(NonZeroU32::get),
                output_bytes: job.limits.output_bytes,
            },
            profile: job.profile,
            delegates: job.delegates.clone(),
            delegate_after_s: job.delegate_after_s,
            checkers: self.checkers()?,
            ringers: self.ringers()?,
            priority: job.priority.as_ref().map_or(1, |priority| *priority.get_ref()),
            deadline_s: job.deadline_s.map_or(0, NonZeroU32::get),
            merge,
            ..JobSpec::new(&job.name, Input::File(self.resolve(&job.module)?), self.units()?)
        })
    }

    fn about(&self) -> About {
        let said = |text: &Option<Spanned<String>>| {
            text.as_ref().map(|text| text.get_ref().clone()).unwrap_or_default()
        };
        About {
            description: said(&self.job.description),
            tags: self.job.tags.iter().map(|tag| tag.get_ref().clone()).collect(),
            licence: said(&self.job.licence),
            contact: said(&self.job.contact),
        }
    }

    fn check_about(&self) -> Result<(), JobFileError> {
        let Job { description, tags, licence, contact, .. } = &self.job;
        let texts = [
            (description, DESCRIPTION_BYTES_MAX),
            (licence, LICENCE_BYTES_MAX),
            (contact, CONTACT_BYTES_MAX),
        ];
        for (text, most) in texts {
            let Some(text) = text else { continue };
            if text.get_ref().len() > most || text.get_ref().contains(char::is_control) {
                let problem = format!("at most {most} bytes, and no control characters");
                return Err(self.error(text.span(), problem));
            }
        }
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let is_tag = |tag: &str| (1..=TAG_BYTES_MAX).contains(&tag.len()) && tag.bytes().all(fits);
        match tags.iter().enumerate().find(|(at, tag)| *at >= TAGS_MAX || !is_tag(tag.get_ref())) {
            None => Ok(()),
            Some((_, tag)) => Err(self.error(
                tag.span(),
                format!(
                    "at most {TAGS_MAX} tags of 1 to {TAG_BYTES_MAX} small letters, digits and hyphens"
                ),
            )),
        }
    }

    fn check_priority(&self) -> Result<(), JobFileError> {
        match &self.job.priority {
            Some(priority) if !(1..=PRIORITY_MAX).contains(priority.get_ref()) => {
                let problem = format!("a priority is 1 to {PRIORITY_MAX}; 1 is usual");
                Err(self.error(priority.span(), problem))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn checkers(&self) -> Result<Vec<LeastCheckers>, JobFileError> {
        let of = |one: &Checkers| {
            let text = one.units.get_ref();
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let number = |text: &str| text.trim().parse::<u32>().ok();
            let span = number(first).zip(number(last)).filter(|(first, last)| first <= last);
            let count = span.map(|(first, last)| (first, (last - first).saturating_add(1)));
            count.map(|(first, count)| LeastCheckers { first, count, least: one.least }).ok_or_else(
                || {
                    self.error(
                        one.units.span(),
                        "expected a unit or a span, \"7\" or \"0-99\"".into(),
                    )
                },
            )
        };
        self.job.checkers.iter().map(of).collect()
    }

    fn ringers(&self) -> Result<Vec<Ringer>, Error> {
        self.job.ringers.as_ref().map_or(Ok(Vec::new()), |pattern| self.named_outputs(pattern))
    }

    /// Outputs in files that bear the numbers of their units.
    fn named_outputs(&self, pattern: &Spanned<String>) -> Result<Vec<Ringer>, Error> {
        let of = |path: PathBuf| {
            let name = path.file_stem().and_then(|name| name.to_str());
            let Some(unit) = name.and_then(|name| name.parse::<u32>().ok()) else {
                let problem = format!(
                    "{} does not bear the number of a unit, such as 00000017.out",
                    path.display()
                );
                return Err(self.error(pattern.span(), problem).into());
            };
            let mut hasher = blake3::Hasher::new();
            let hashed = File::open(&path).and_then(|file| hasher.update_reader(file).map(drop));
            hashed.map_err(|error| Error::file(&path, error))?;
            Ok(Ringer { unit, output: BlobHash(*hasher.finalize().as_bytes()) })
        };
        self.matches(pattern)?.into_iter().map(of).collect()
    }

    /// The files that a pattern fits, sorted by name.
    fn matches(&self, files: &Spanned<String>) -> Result<Vec<PathBuf>, Error> {
        let base = glob::Pattern::escape(&self.dir().to_string_lossy());
        let pattern = match Path::new(files.get_ref()).is_absolute() || base.is_empty() {
            true => files.get_ref().clone(),
            false => format!("{base}/{}", files.get_ref()),
        };
        let found = glob::glob(&pattern)
            .map_err(|error| self.error(files.span(), format!("no pattern: {error}")))?;
        let mut paths = Vec::new();
        for path in found {
            let path = path.map_err(|error| {
                let at = error.path().to_owned();
                Error::file(at, error.into())
            })?;
            if path.is_file() {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            return Err(self.error(files.span(), "no file fits this pattern".into()).into());
        }
        paths.sort_unstable();
        Ok(paths)
    }

    fn resolve(&self, path: &Spanned<PathBuf>) -> Result<PathBuf, JobFileError> {
        let resolved = self.dir().join(path.get_ref());
        match resolved.is_file() {
            true => Ok(resolved),
            false => {
                Err(self.error(path.span(), format!("there is no file {}", resolved.display())))
            }
        }
    }

    fn error(&self, span: Range<usize>, problem: String) -> JobFileError {
        error_at(&self.path, &self.text, Some(span), problem)
    }
}

fn error_at(path: &Path, text: &str, span: Option<Range<usize>>, problem: String) -> JobFileError {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    JobFileError {
        path: path.to_path_buf(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        problem,
    }
}
