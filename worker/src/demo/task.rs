//! What a demo computes, and how its outputs are checked by code that has no part in the grid.
use super::{Plan, fold, place::Place, screen::Screen};
use crate::{cli::Failure, exec::run_once};
use coordinator_free_scheduler::{Answer, Outcome, Rng, RunLimits};
use dugnad_client::{Input, JobSpec, UNITS_DIR, UnitSource, merge_stdin, unit_file};
use narrowband_host::{
    Filterbank, Hits, Settings, Split, dat, recovery::Recovery, reference, split, synthetic,
    waterfall,
};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// The empty unit.
const NOTHING: &[u8] = include_bytes!("../../../tasks/nothing/nothing.wasm");
/// The narrowband search, and what merges its outputs.
const NARROWBAND: &[u8] = include_bytes!("../../../tasks/narrowband/narrowband.wasm");
const NARROWBAND_MERGE: &[u8] = include_bytes!("../../../tasks/narrowband/merge.wasm");
/// Empty units where nothing else is said.
const NOTHING_UNITS: u32 = 2_000;
/// One unit in so many is recomputed by brute force, at least.
const SAMPLE_SHARE: u32 = 20;
/// Hits that are no tone, tolerated in a synthetic observation.
const FALSE_HITS_MAX: usize = 2;

/// The tasks by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum TaskName {
    /// Search an observation for narrow, drifting signals.
    Narrowband,
    /// Fold a model protein from many seeds, in steps.
    Fold,
    /// Compute nothing, to measure the grid itself.
    Nothing,
}

impl TaskName {
    pub fn name(self) -> &'static str {
        match self {
            TaskName::Narrowband => "narrowband",
            TaskName::Fold => "fold",
            TaskName::Nothing => "nothing",
        }
    }
}

/// A task with its input.
pub enum Task {
    Nothing { units: u32 },
    Fold { units: u32 },
    Narrowband(Observation),
}

/// What is searched.
pub struct Observation {
    path: PathBuf,
    units: u32,
    tones: Vec<synthetic::Tone>,
}

/// What the check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// Outputs that the reference contradicts.
    pub wrong: u64,
    /// What is not right, if anything.
    pub problem: Option<String>,
    /// For the summary.
    pub lines: Vec<(String, String)>,
}

pub fn failed(what: &Path) -> impl Fn(&dyn std::fmt::Display) -> Failure {
    let what = what.display().to_string();
    move |error| Failure::Failed(format!("{what}: {error}"))
}

impl Task {
    /// Makes or opens what is needed.
    ///
    /// # Errors
    /// The observation cannot be made or read.
    pub async fn prepare(plan: &Plan, place: &Place, screen: &Screen) -> Result<Task, Failure> {
        match plan.task {
            TaskName::Nothing => {
                return Ok(Task::Nothing { units: plan.units.unwrap_or(NOTHING_UNITS) });
            }
            TaskName::Fold => return Ok(Task::Fold { units: plan.units.unwrap_or(fold::UNITS) }),
            TaskName::Narrowband => {}
        }
        let (path, tones) = match &plan.input {
            Some(path) => (path.clone(), Vec::new()),
            None => {
                screen.step("making an observation with twelve drifting tones");
                let (path, seed) = (place.observation(), plan.seed);
                let made = {
                    let path = path.clone();
                    tokio::task::spawn_blocking(move || {
                        synthetic::write(&path, seed, synthetic::CHANNELS)
                    })
                };
                let made = made.await.map_err(|error| Failure::Failed(error.to_string()))?;
                (path.clone(), made.map_err(|error| failed(&path)(&error))?)
            }
        };
        let mut fil = Filterbank::open(&path).map_err(|error| failed(&path)(&error))?;
        for note in fil.notes() {
            screen.step(note);
        }
        let units = plan.units.unwrap_or_else(|| split::chunks_default(&fil.observation()));
        // A file that cannot be searched is refused before anything is started.
        Split::new(&mut fil, Settings::default(), units).map_err(|error| failed(&path)(&error))?;
        Ok(Task::Narrowband(Observation { path, units, tones }))
    }

    /// How many units it has.
    pub fn units(&self) -> u32 {
        match self {
            Task::Nothing { units } | Task::Fold { units } => *units,
            Task::Narrowband(observation) => observation.units,
        }
    }

    /// The job.
    pub fn spec(&self, plan: &Plan) -> JobSpec {
        let (module, units) = match self {
            Task::Nothing { units } => (NOTHING, UnitSource::Count(*units)),
            Task::Fold { units } => (fold::FOLD, UnitSource::Count(*units)),
            Task::Narrowband(observation) => (NARROWBAND, observation.chunks()),
        };
        let module = Input::Bytes(module.to_vec());
        let mut spec = JobSpec::new(plan.task.name(), module, units);
        spec.profile = Some(plan.profile);
        spec.seed = plan.seed;
        let merge = match self {
            Task::Nothing { .. } => None,
            Task::Fold { .. } => Some(fold::FOLD_MERGE),
            Task::Narrowband(_) => Some(NARROWBAND_MERGE),
        };
        spec.merge = merge.map(|module| Input::Bytes(module.to_vec()));
        spec
    }

    /// What its outputs are compared with, in words.
    pub fn reference(&self) -> &'static str {
        match self {
            Task::Nothing { .. } => "checking all outputs",
            Task::Fold { .. } => "folding some of the chains again, natively",
            Task::Narrowband(_) => {
                "checking against a native reference that shares no code with the guest"
            }
        }
    }

    /// Checks the fetched outputs; if all are there, merges them and draws the picture.
    ///
    /// # Errors
    /// A file cannot be read or written. What is wrong with an output is in [`Checked`].
    pub fn conclude(&self, plan: &Plan, place: &Place, all: bool) -> Result<Checked, Failure> {
        let sample = sample(self.units(), plan.seed);
        let mut checked = match self {
            Task::Nothing { units } => check_nothing(&place.results(), *units)?,
            Task::Fold { units } => fold::check(&place.results(), *units, &sample)?,
            Task::Narrowband(observation) => observation.check(&place.results(), &sample)?,
        };
        match self {
            Task::Fold { units } if all => fold::conclude(place, *units, &mut checked)?,
            Task::Narrowband(observation) if all => observation.merge(place, &mut checked)?,
            Task::Nothing { .. } | Task::Fold { .. } | Task::Narrowband(_) => {}
        }
        Ok(checked)
    }
}

/// Which units are recomputed, drawn by the seed: 5 % of them, and at least two.
fn sample(units: u32, seed: u64) -> Vec<u32> {
    let wanted = units.div_ceil(SAMPLE_SHARE).max(2).min(units);
    let mut rng = Rng::new(seed ^ 0x5a_4d_50_4c_45);
    let mut drawn = std::collections::BTreeSet::new();
    while (drawn.len() as u32) < wanted {
        drawn.insert(rng.below(units.into()) as u32);
    }
    drawn.into_iter().collect()
}

/// All outputs, as a merge reads them.
pub fn framed(place: &Place, units: u32) -> Result<Vec<u8>, Failure> {
    let mut framed = Vec::new();
    let read = merge_stdin(place.results(), units.into()).read_to_end(&mut framed);
    read.map_err(|error| failed(&place.results())(&error))?;
    Ok(framed)
}

/// What a merge, run in the sandbox, makes of them; nothing if it fails, which is a problem.
pub fn merged(
    module: &[u8],
    framed: &[u8],
    checked: &mut Checked,
) -> Result<Option<Vec<u8>>, Failure> {
    let ran = run_once(module, framed.to_vec(), RunLimits::default())
        .map_err(|error| Failure::Failed(format!("the sandbox: {error}")))?;
    if let Ok(Answer { outcome: Outcome::Exit { code: 0, .. }, .. }) = ran.end {
        return Ok(Some(ran.output));
    }
    checked.problem.get_or_insert(format!("merging failed: {:?} {}", ran.end, ran.detail));
    Ok(None)
}

/// Writes a file beside the results.
pub fn write(place: &Place, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = place.file(name);
    fs::write(&path, bytes).map_err(|error| failed(&path)(&error))
}

pub fn output_of(results: &Path, unit: u32) -> Result<Option<Vec<u8>>, Failure> {
    let path = results.join(UNITS_DIR).join(unit_file(unit));
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&path)(&error)),
    }
}

/// The empty unit hands back its index; every one is checked.
fn check_nothing(results: &Path, units: u32) -> Result<Checked, Failure> {
    let mut checked = Checked::default();
    for unit in 0..units {
        if output_of(results, unit)?.is_some_and(|output| output != format!("{unit}\n").as_bytes())
        {
            checked.wrong += 1;
            checked.problem.get_or_insert(format!("the output of unit {unit} is wrong"));
        }
    }
    checked.lines.push(("checked".into(), format!("{units} outputs, {} wrong", checked.wrong)));
    Ok(checked)
}

impl Observation {
    fn chunks(&self) -> UnitSource {
        let (path, units) = (self.path.clone(), self.units);
        let chunk = move |unit: u32| {
            let mut fil = Filterbank::open(&path)?;
            Split::new(&mut fil, Settings::default(), units)?.chunk(unit)
        };
        let path = self.path.clone();
        let inputs = (0..units).map(move |unit| match chunk(unit) {
            Ok(bytes) => Ok(Input::Bytes(bytes)),
            Err(error) => {
                Err(dugnad_client::Error::Units { problem: format!("{}: {error}", path.display()) })
            }
        });
        UnitSource::Inputs(Box::new(inputs))
    }

    fn check(&self, results: &Path, sample: &[u32]) -> Result<Checked, Failure> {
        let mut checked = Checked::default();
        let mut fil = Filterbank::open(&self.path).map_err(|error| failed(&self.path)(&error))?;
        for unit in sample {
            let Some(output) = output_of(results, *unit)? else { continue };
            let right =
                reference::check(&mut fil, &Settings::default(), *unit, self.units, &output);
            if let Err(wrong) = right {
                checked.wrong += 1;
                checked.problem.get_or_insert(wrong.to_string());
            }
        }
        let text = format!(
            "{} of {} outputs by brute force, {} wrong",
            sample.len(),
            self.units,
            checked.wrong
        );
        checked.lines.push(("checked".into(), text));
        Ok(checked)
    }

    /// Merges the outputs in the sandbox, and writes what people look at.
    fn merge(&self, place: &Place, checked: &mut Checked) -> Result<(), Failure> {
        let framed = framed(place, self.units)?;
        let Some(table) = merged(NARROWBAND_MERGE, &framed, checked)? else { return Ok(()) };
        write(place, "hits.csv", &table)?;
        let hits: Hits = narrowband_host::merge(&framed)
            .map_err(|error| Failure::Failed(format!("the outputs: {error}")))?;
        let mut fil = Filterbank::open(&self.path).map_err(|error| failed(&self.path)(&error))?;
        let path = place.file("hits.dat");
        dat::write(&path, &fil, &hits).map_err(|error| failed(&path)(&error))?;
        let path = place.file("waterfall.png");
        waterfall::draw(&path, &mut fil, &hits).map_err(|error| failed(&path)(&error))?;

        let files = "hits.csv, hits.dat, waterfall.png".to_owned();
        checked.lines.push(("hits".into(), format!("{} in {files}", hits.hits.len())));
        if !self.tones.is_empty() {
            self.compare(&hits, checked);
        }
        Ok(())
    }

    fn compare(&self, hits: &Hits, checked: &mut Checked) {
        let recovery = Recovery::of(&self.tones, &hits.hits);
        let text = format!(
            "{} of {} hidden tones found, {} false hits",
            recovery.found(),
            self.tones.len(),
            recovery.false_hits.len()
        );
        if !recovery.is_good(FALSE_HITS_MAX) {
            checked.problem.get_or_insert(text.clone());
        }
        checked.lines.push(("tones".into(), text));
    }
}
