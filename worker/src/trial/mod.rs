//! A job tried out on this machine before anything is sent: some of its units, each run twice, in the
//! very processes that run guests for the grid.
//!
//! Invariant: what is run is what a node would run of the same job file: module, arguments, environment,
//! seed, limits and input.
//!
//! What it is not: proof. Both runs are on one processor; only a grid compares several.
mod advice;
mod units;

pub use advice::Warning;
pub use units::TrialError;

use crate::{
    exec::{Anatomy, Backend, Executor, Ran, Run, RunTag, Sandbox, Setup},
    unit::{ending, this_program},
};
use coordinator_free_scheduler::{Answer, Hash, Outcome, UnitIndex};
use dugnad_client::JobFile;
use serde::Serialize;
use std::{collections::BTreeMap, sync::mpsc, thread, time::Duration};
use units::{Picked, Template};

/// Linear memory that guests may have at most here, MiB: what WebAssembly has.
const MEMORY_MIB_MAX: u64 = 4_096;

/// What the trial came to; `dugnad test --json` prints it.
#[derive(Serialize, Debug)]
pub struct Report {
    pub name: String,
    /// Units that were run, each twice.
    pub units: u32,
    /// Units that the job has.
    pub job_units: u64,
    /// Whether both runs of every unit gave the same answer, fuel included.
    pub deterministic: bool,
    /// How the units ended, and how many so.
    pub outcomes: BTreeMap<String, u32>,
    pub fuel_mean: u64,
    pub fuel_max: u64,
    pub wall_ms_mean: f64,
    /// The largest linear memory of a unit, bytes.
    pub memory_peak: u64,
    pub output_bytes_max: u64,
    pub kind: &'static str,
    pub features: Vec<&'static str>,
    /// Places where a NaN may arise, which the sandbox makes exact.
    pub nan_sites: u64,
    /// Processors that this machine would lend.
    pub cores: usize,
    /// Every unit of the job once, on all of them, seconds.
    pub estimate_s: f64,
    /// Outputs that were compared with known ones.
    pub known: u32,
    pub warnings: Vec<Warning>,
    /// Units that did not end as they should, the first few.
    pub failures: Vec<Failure>,
}

/// A unit that is not as it should be.
#[derive(Serialize, Debug)]
pub struct Failure {
    pub unit: UnitIndex,
    pub outcome: String,
    pub detail: String,
    pub stderr: String,
}

/// Failures that are shown.
const FAILURES_MAX: usize = 5;

/// A unit that was run twice.
struct Tried {
    unit: UnitIndex,
    /// The output that it should have, if that is known.
    known: Option<Hash>,
    first: Ran,
    second: Ran,
}

impl Tried {
    /// Whether both runs may be told apart by what is voted on.
    fn differs(&self) -> bool {
        self.first.end != self.second.end
    }

    fn answer(&self) -> Option<&Answer> {
        self.first.end.as_ref().ok()
    }

    /// How it ended, in a few words.
    fn ended(&self) -> String {
        match &self.first.end {
            Ok(answer) => ending(&answer.outcome),
            Err(void) => format!("not run: {void:?}"),
        }
    }

    fn is_right(&self) -> bool {
        let output = self.answer().and_then(|answer| match answer.outcome {
            Outcome::Exit { code: 0, digest, .. } => Some(digest),
            Outcome::Exit { .. }
            | Outcome::Trap(_)
            | Outcome::OutOfFuel
            | Outcome::OutputTooLarge
            | Outcome::Invalid(_) => None,
        });
        output.is_some_and(|output| self.known.is_none_or(|known| known == output))
    }
}

/// Tries `count` units of a job, and those whose outputs are known; `tell` hears of each run that ends:
/// how many of how many have.
///
/// # Errors
/// A file of the job is missing, its module can be run nowhere, or the sandbox does not start.
pub fn run(
    file: &JobFile,
    count: u32,
    cores: usize,
    tell: impl Fn(usize, usize),
) -> Result<Report, TrialError> {
    let template = Template::of(file)?;
    let sandbox = Sandbox::new(Backend::default())?;
    let anatomy = sandbox
        .anatomy(&template.module)
        .map_err(|why| TrialError::Module { path: template.module_path.clone(), why })?;
    let (job_units, picked) = units::pick(file, count)?;
    let tried = run_twice(&template, picked, cores, tell)?;
    Ok(Report::of(file, anatomy, job_units, cores, &template, &tried))
}

fn run_twice(
    template: &Template,
    picked: Vec<Picked>,
    cores: usize,
    tell: impl Fn(usize, usize),
) -> Result<Vec<Tried>, TrialError> {
    let compiled = tempfile::tempdir().map_err(TrialError::Folder)?;
    let executor = Executor::new(Setup {
        cores,
        memory_mib: MEMORY_MIB_MAX,
        program: this_program().map_err(TrialError::Program)?,
        cache: compiled.path().join("compiled"),
        // The folder lasts as long as the trial: nobody else's seal is looked for in it.
        cache_key: [0; 32],
    })?;
    let runs: Vec<Run> = picked.iter().map(|one| template.run_of(one)).collect();
    let mut ran = run_all(&executor, [runs.clone(), runs].concat(), tell)?;
    let second = ran.split_off(picked.len());
    let pairs = picked.into_iter().zip(ran.into_iter().zip(second));
    let tried =
        |(Picked { unit, known, .. }, (first, second))| Tried { unit, known, first, second };
    Ok(pairs.map(tried).collect())
}

/// Runs units on all cores; answers in their order.
fn run_all(
    executor: &Executor,
    runs: Vec<Run>,
    tell: impl Fn(usize, usize),
) -> Result<Vec<Ran>, TrialError> {
    let (count, (sender, ended)) = (runs.len(), mpsc::channel());
    for (at, run) in runs.into_iter().enumerate() {
        let sender = sender.clone();
        // Nobody hears of it any more if the trial was given up.
        executor.spawn(RunTag(at as u64), run, move |ran| drop(sender.send((at, ran))));
    }
    drop(sender);
    let mut all = BTreeMap::new();
    tell(0, count);
    for (at, ran) in ended {
        all.insert(at, ran);
        tell(all.len(), count);
    }
    match all.len() == count {
        true => Ok(all.into_values().collect()),
        false => Err(TrialError::Lost),
    }
}

impl Report {
    fn of(
        file: &JobFile,
        anatomy: Anatomy,
        job_units: u64,
        cores: usize,
        template: &Template,
        tried: &[Tried],
    ) -> Report {
        let count = tried.len().max(1) as u64;
        let fuel = |one: &Tried| one.answer().map_or(0, |answer| answer.fuel);
        let wall: Duration = tried.iter().map(|one| one.first.wall + one.second.wall).sum();
        let wall_s = wall.as_secs_f64() / (2 * count) as f64;
        let mut outcomes = BTreeMap::new();
        for one in tried {
            *outcomes.entry(one.ended()).or_default() += 1;
        }
        let most = |figure: fn(&Tried) -> u64| tried.iter().map(figure).max().unwrap_or(0);
        let mut report = Report {
            name: file.name().to_owned(),
            units: tried.len() as u32,
            job_units,
            deterministic: !tried.iter().any(Tried::differs),
            outcomes,
            fuel_mean: tried.iter().map(fuel).sum::<u64>() / count,
            fuel_max: tried.iter().map(fuel).max().unwrap_or(0),
            wall_ms_mean: wall_s * 1e3,
            memory_peak: most(|one| one.first.memory_peak_bytes),
            output_bytes_max: most(|one| one.first.output.len() as u64),
            kind: anatomy.kind,
            features: anatomy.features,
            nan_sites: anatomy.sites.nans,
            cores,
            estimate_s: wall_s * job_units as f64 / cores as f64,
            known: tried.iter().filter(|one| one.known.is_some()).count() as u32,
            warnings: Vec::new(),
            failures: tried
                .iter()
                .filter(|one| !one.is_right())
                .take(FAILURES_MAX)
                .map(failure)
                .collect(),
        };
        report.warnings = advice::of(&report, &anatomy.imports, template.limits, tried);
        report
    }

    /// Whether every unit ended as it should.
    pub fn is_right(&self) -> bool {
        self.failures.is_empty()
    }
}

fn failure(one: &Tried) -> Failure {
    let wrong = one.answer().is_some_and(|answer| answer.outcome.is_success());
    Failure {
        unit: one.unit,
        outcome: match wrong {
            true => "its output is not the known one".into(),
            false => one.ended(),
        },
        detail: one.first.detail.clone(),
        stderr: String::from_utf8_lossy(&one.first.stderr).into_owned(),
    }
}

/// How many processors a trial uses if nothing else is said: all.
pub fn cores_default() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
