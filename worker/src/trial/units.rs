//! Which units are tried, and the run that a node would make of each.
//!
//! Invariant: the picked units are spread over the job from its first to its last, the same at each call.
use crate::{
    exec::{Run, Seed, SetupError},
    unit::numbered_input,
};
use coordinator_free_scheduler::{Hash, PeerKey, RunLimits, UnitIndex};
use dugnad_client::{Error, Input, JobFile, UnitSource};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why a job could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    Job(#[from] Error),
    #[error("{} cannot be run: {why}", path.display())]
    Module { path: PathBuf, why: String },
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("no folder for the compiled module: {0}")]
    Folder(io::Error),
    #[error("this program cannot find itself to start another: {0}")]
    Program(io::Error),
    #[error("the processes that run units ended before their work did")]
    Lost,
}

/// A unit to be run.
pub struct Picked {
    pub unit: UnitIndex,
    pub input: Vec<u8>,
    /// The hash of the output that it should have, if somebody knows.
    pub known: Option<Hash>,
}

/// What all units of the job have in common.
pub struct Template {
    pub module_path: PathBuf,
    pub module: Arc<[u8]>,
    pub limits: RunLimits,
    module_hash: Hash,
    args: Vec<String>,
    env: Vec<(String, String)>,
    seed: u64,
}

impl Template {
    pub fn of(file: &JobFile) -> Result<Template, TrialError> {
        let spec = file.spec()?;
        let module_path = file.module()?;
        let module = read(&module_path)?;
        let usual = RunLimits::default();
        Ok(Template {
            module_hash: Hash::of(&module),
            module_path,
            module: module.into(),
            limits: RunLimits {
                fuel: spec.limits.fuel.unwrap_or(usual.fuel),
                memory_mib: spec.limits.memory_mib.unwrap_or(usual.memory_mib),
                output_bytes: spec.limits.output_bytes.unwrap_or(usual.output_bytes),
            },
            args: spec.args,
            env: spec.env.into_iter().collect(),
            seed: spec.seed,
        })
    }

    pub fn run_of(&self, one: &Picked) -> Run {
        Run {
            module: self.module.clone(),
            module_hash: self.module_hash,
            owner: PeerKey::default(),
            input: one.input.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            random: Seed { job: self.seed, unit: one.unit },
            files: Vec::new(),
            limits: self.limits,
            begin: None,
            steps_max: None,
            check: None,
        }
    }
}

/// The number of units of the job, and `count` of them together with those whose outputs are known.
pub fn pick(file: &JobFile, count: u32) -> Result<(u64, Vec<Picked>), TrialError> {
    let units = file.spec()?.units.count()?;
    let known: BTreeMap<u64, Hash> = file
        .known()?
        .into_iter()
        .map(|ringer| (ringer.unit.into(), Hash(ringer.output.0)))
        .collect();
    let mut wanted = known.clone().into_keys().filter(|unit| *unit < units).collect::<Vec<u64>>();
    wanted.extend(spread(units, count.into()));
    wanted.sort_unstable();
    wanted.dedup();
    let inputs: Vec<(u64, Vec<u8>)> = match file.spec()?.units {
        UnitSource::Count(_) => {
            wanted.into_iter().map(|unit| (unit, numbered_input(unit as UnitIndex))).collect()
        }
        UnitSource::Inputs(inputs) => read_some(inputs, &wanted)?,
    };
    let picked = inputs.into_iter().map(|(unit, input)| Picked {
        unit: unit as UnitIndex,
        input,
        known: known.get(&unit).copied(),
    });
    Ok((units, picked.collect()))
}

/// So many of the numbers below `units`, from the first to the last, evenly apart.
fn spread(units: u64, count: u64) -> impl Iterator<Item = u64> {
    let count = count.min(units);
    (0..count).map(move |at| at * (units - 1) / (count - 1).max(1))
}

fn read_some(
    inputs: impl Iterator<Item = Result<Input, Error>>,
    wanted: &[u64],
) -> Result<Vec<(u64, Vec<u8>)>, TrialError> {
    let mut read_ones = Vec::new();
    let last = wanted.last().copied().unwrap_or_default();
    for (unit, input) in (0..=last).zip(inputs) {
        if wanted.binary_search(&unit).is_err() {
            input?;
            continue;
        }
        let bytes = match input? {
            Input::Bytes(bytes) => bytes,
            Input::File(path) => read(&path)?,
            Input::Stored(blob) => {
                let problem = format!("unit {unit} is blob {blob}, which only a node holds");
                return Err(Error::Units { problem }.into());
            }
        };
        read_ones.push((unit, bytes));
    }
    Ok(read_ones)
}

fn read(path: &Path) -> Result<Vec<u8>, TrialError> {
    let file = |source| Error::File { path: path.to_path_buf(), source };
    Ok(fs::read(path).map_err(file)?)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn units_are_spread_from_the_first_to_the_last() {
        let some = |units, count| spread(units, count).collect::<Vec<_>>();
        assert_eq!(some(10_000, 5), [0, 2_499, 4_999, 7_499, 9_999]);
        assert_eq!(some(3, 5), [0, 1, 2]);
        assert_eq!((some(7, 1), some(1, 1), some(0, 3)), (vec![0], vec![0], vec![]));
    }
}
