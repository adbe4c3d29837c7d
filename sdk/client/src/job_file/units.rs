//! The units of a job file: a number of them, or what each reads from its standard input.
//!
//! Invariant: the same file names the same units in the same order, however often it is asked; a command
//! is run once.
use super::{JobFile, JobFileError};
use crate::{Error, UnitSource};
use serde::Deserialize;
use std::{
    io::Read,
    num::NonZeroU32,
    ops::RangeInclusive,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
};
use toml::{Spanned, Table, Value};

/// The most that a command for units may write, bytes.
pub const COMMAND_BYTES_MAX: u64 = 256 << 20;
/// Most units in a job.
const UNITS_MAX: usize = 10_000_000;

/// How the units are given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Units {
    count: Option<NonZeroU32>,
    range: Option<Spanned<String>>,
    files: Option<Spanned<String>>,
    lines: Option<Spanned<PathBuf>>,
    grid: Option<Spanned<Table>>,
    command: Option<Spanned<Vec<String>>>,
}

/// What a command for units has written, once it was run.
pub(super) type Written = Arc<OnceLock<Arc<[u8]>>>;

impl JobFile {
    /// What can be found out without looking at other files.
    pub(super) fn check_units(&self) -> Result<(), JobFileError> {
        let units = self.job.units.get_ref();
        let Units { count, range, files, lines, grid, command } = units;
        let given = [
            count.is_some(),
            range.is_some(),
            files.is_some(),
            lines.is_some(),
            grid.is_some(),
            command.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            let problem = "units are given by exactly one of `count`, `range`, `files`, `lines`, `grid` \
                and `command`";
            return Err(self.error(self.job.units.span(), problem.into()));
        }
        range.as_ref().map_or(Ok(()), |range| self.range(range).map(drop))?;
        grid.as_ref().map_or(Ok(()), |grid| self.axes(grid).map(drop))?;
        match command {
            Some(command) if command.get_ref().is_empty() => {
                let problem = "expected a program and its arguments, [\"python3\", \"inputs.py\"]";
                Err(self.error(command.span(), problem.into()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The units, with what they are made of looked up now.
    pub(super) fn units(&self) -> Result<UnitSource, Error> {
        let units = self.job.units.get_ref();
        if let Some(files) = &units.files {
            return Ok(UnitSource::files(self.matches(files)?));
        }
        if let Some(lines) = &units.lines {
            return UnitSource::lines(self.resolve(lines)?);
        }
        if let Some(range) = &units.range {
            let numbers = self.range(range)?;
            return Ok(UnitSource::bytes(numbers.map(|number| format!("{number}\n").into_bytes())));
        }
        if let Some(grid) = &units.grid {
            return Ok(UnitSource::bytes(Combinations::of(self.axes(grid)?)));
        }
        if let Some(command) = &units.command {
            return Ok(UnitSource::lines_of(&command.get_ref()[0], self.written(command)?));
        }
        Ok(UnitSource::Count(units.count.map_or(0, NonZeroU32::get)))
    }

    fn range(&self, range: &Spanned<String>) -> Result<RangeInclusive<u64>, JobFileError> {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let ends = range
            .get_ref()
            .split_once('-')
            .and_then(|(first, last)| number(first).zip(number(last)));
        match ends {
            Some((first, last)) if first <= last && last - first < UNITS_MAX as u64 => {
                Ok(first..=last)
            }
            Some((first, last)) if first <= last => {
                Err(self.error(range.span(), format!("these are over {UNITS_MAX} units")))
            }
            Some(_) | None => {
                let problem = "expected a span of numbers, its last included: \"100-199\"";
                Err(self.error(range.span(), problem.into()))
            }
        }
    }

    /// The parameters of a grid, each with its values as JSON.
    fn axes(&self, grid: &Spanned<Table>) -> Result<Vec<Axis>, JobFileError> {
        let wrong = |problem: String| self.error(grid.span(), problem);
        let axis = |(name, values): (&String, &Value)| {
            let values = values.as_array().filter(|values| !values.is_empty());
            let values: Option<Vec<String>> = values.and_then(|all| all.iter().map(json).collect());
            values.map(|values| (quoted(name), values)).ok_or_else(|| {
                wrong(format!("{name} is no list of numbers, texts or booleans, such as [1, 2, 3]"))
            })
        };
        let axes: Vec<Axis> = grid.get_ref().iter().map(axis).collect::<Result<_, _>>()?;
        let combined = |count: usize, axis: &Axis| count.checked_mul(axis.1.len());
        let count = axes.iter().try_fold(1, combined).filter(|count| *count <= UNITS_MAX);
        match (axes.is_empty(), count) {
            (true, _) => Err(wrong("a grid wants parameters: grid = { depth = [1, 2, 3] }".into())),
            (false, None) => Err(wrong(format!("these are over {UNITS_MAX} units"))),
            (false, Some(_)) => Ok(axes),
        }
    }

    /// What the command writes; it is run in the folder of the job file.
    fn written(&self, command: &Spanned<Vec<String>>) -> Result<Arc<[u8]>, Error> {
        if let Some(written) = self.written.get() {
            return Ok(written.clone());
        }
        let written: Arc<[u8]> = self.run(command)?.into();
        Ok(self.written.get_or_init(|| written).clone())
    }

    fn run(&self, command: &Spanned<Vec<String>>) -> Result<Vec<u8>, Error> {
        let [program, arguments @ ..] = command.get_ref().as_slice() else { return Ok(Vec::new()) };
        let failed = |why: String| self.error(command.span(), format!("{program}: {why}"));
        let mut run = Command::new(program);
        run.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        if !self.dir().as_os_str().is_empty() {
            run.current_dir(self.dir());
        }
        let mut child = run.spawn().map_err(|error| failed(error.to_string()))?;
        let mut written = Vec::new();
        let output = child.stdout.take().map(|output| output.take(COMMAND_BYTES_MAX + 1));
        // Dropping the pipe lets a program that writes without end find out that nobody reads.
        let read = output.map_or(Ok(0), |mut output| output.read_to_end(&mut written));
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        read.map_err(|error| failed(error.to_string()))?;
        if written.len() as u64 > COMMAND_BYTES_MAX {
            return Err(failed(format!("it writes more than {COMMAND_BYTES_MAX} bytes")).into());
        }
        match status.success() {
            true => Ok(written),
            false => Err(failed(format!("it ended with {status}")).into()),
        }
    }
}

/// A parameter's name and its values, all as JSON.
type Axis = (String, Vec<String>);

/// A value as JSON; none if it has no such form.
fn json(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(quoted(text)),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => number.is_finite().then(|| serde_json::json!(number).to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Every combination, the last parameter changing fastest.
struct Combinations {
    axes: Vec<Axis>,
    next: usize,
    count: usize,
}

impl Combinations {
    fn of(axes: Vec<Axis>) -> Combinations {
        let count = axes.iter().map(|axis| axis.1.len()).product();
        Combinations { axes, next: 0, count }
    }
}

impl Iterator for Combinations {
    type Item = Vec<u8>;

    /// An object of JSON, and the end of its line.
    fn next(&mut self) -> Option<Vec<u8>> {
        if self.next == self.count {
            return None;
        }
        let mut rest = self.next;
        self.next += 1;
        let mut members: Vec<String> = Vec::with_capacity(self.axes.len());
        for (name, values) in self.axes.iter().rev() {
            members.push(format!("{name}:{}", values[rest % values.len()]));
            rest /= values.len();
        }
        members.reverse();
        Some(format!("{{{}}}\n", members.join(",")).into_bytes())
    }
}
