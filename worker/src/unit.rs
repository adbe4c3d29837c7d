//! A unit as every node runs it: the same bytes wherever they were found.
use crate::exec::{Run, Seed};
use coordinator_free_scheduler::{Manifest, UnitEntry, UnitIndex};
use std::sync::Arc;

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
