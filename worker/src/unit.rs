//! A unit as every node runs it: the same bytes wherever they were found.
use crate::{
    exec::{Program, Run, Seed},
    telemetry::outcome_kind,
};
use coordinator_free_scheduler::{Manifest, Outcome, UnitEntry, UnitIndex};
use std::{env, io, sync::Arc};

/// The program in whose processes units run: this one, by its hidden command.
pub fn this_program() -> io::Result<Program> {
    Ok(Program { path: env::current_exe()?, arguments: vec!["cell".into()] })
}

/// How a run ended, in a few words.
pub fn ending(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exit { code, .. } => format!("exit code {code}"),
        Outcome::Trap(class) => format!("trap: {class:?}"),
        Outcome::Invalid(reason) => format!("invalid module: {reason:?}"),
        Outcome::OutOfFuel | Outcome::OutputTooLarge => outcome_kind(outcome).replace('_', " "),
    }
}

/// What a unit without a table reads: its own number.
pub fn numbered_input(unit: UnitIndex) -> Vec<u8> {
    format!("{unit}\n").into_bytes()
}

/// The run of a unit, from its first step to its last.
pub fn run_of(
    manifest: &Manifest,
    unit: UnitIndex,
    module: Arc<[u8]>,
    entry: UnitEntry,
    input: Vec<u8>,
) -> Run {
    let work = &manifest.work;
    Run {
        module,
        module_hash: work.module,
        owner: manifest.owner,
        input,
        args: work.args.iter().cloned().chain(entry.args).collect(),
        env: work.env.clone(),
        random: Seed { job: work.seed, unit },
        files: Vec::new(),
        limits: work.limits,
        begin: None,
        steps_max: None,
        check: None,
    }
}
