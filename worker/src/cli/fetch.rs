//! `dugnad fetch`: the outputs of a job, as files; on wish merged into one.
use super::Failure;
use super::node::{self, NodeArguments};
use crate::exec::run_once;
use clap::builder::FalseyValueParser;
use coordinator_free_scheduler::{Answer, Outcome, RunLimits};
use dugnad_client::{
    BlobHash, Fetched, Grid, JOB_FILE, JobId, JobState, JobStatus, UNITS_DIR, merge_stdin,
};
use serde::Serialize;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What the merging module wrote, in the directory of the outputs.
pub const MERGED_FILE: &str = "merged.out";

/// What merging may use: it sees all outputs at once, and harms nobody but who asked for it.
const MERGE_LIMITS: RunLimits =
    RunLimits { fuel: 1_000_000_000_000, memory_mib: 4_096, output_bytes: 1 << 30 };

/// What `dugnad fetch` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job, by its id or the first digits of it.
    #[arg(value_name = "JOB")]
    job: String,
    /// Where the outputs go: DIR/units/00000000.out and so on, DIR/job.json.
    #[arg(long, env = "DUGNAD_OUT", value_name = "DIR")]
    out: PathBuf,
    /// Run the job's merging module on all outputs; what it writes goes to DIR/merged.out.
    #[arg(long, env = "DUGNAD_MERGE", value_parser = FalseyValueParser::new())]
    merge: bool,
    #[command(flatten)]
    node: NodeArguments,
}

/// The JSON of a fetch.
#[derive(Serialize)]
struct Told<'a> {
    job: JobId,
    state: JobState,
    out: &'a Path,
    written: u64,
    present: u64,
    failed: u64,
    merged: Option<&'a Path>,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let (fetched, module) = node::block_on(fetch(&arguments))?;
    let merged = match module {
        Some(module) => Some(merge(&module, &arguments.out, fetched.status.units)?),
        None => None,
    };
    tell(&arguments, &fetched, merged.as_deref())?;
    let JobStatus { job, units, verified, failed, state, .. } = &fetched.status;
    let job = job.short();
    match state {
        JobState::Done => Ok(()),
        JobState::Running => Err(Failure::Failed(format!(
            "job {job} still runs: {verified} of {units} units verified; the same command gets the \
             rest"
        ))),
        JobState::Failed => Err(Failure::FailedUnits(format!(
            "{failed} of the {units} units of job {job} failed; the reasons are in {}",
            arguments.out.join(JOB_FILE).display()
        ))),
        JobState::Cancelled => Err(Failure::Failed(format!("job {job} was cancelled"))),
    }
}

/// Fetches the outputs and, if they are to be merged and all there, the merging module.
async fn fetch(arguments: &Arguments) -> Result<(Fetched, Option<Vec<u8>>), Failure> {
    let grid = arguments.node.connect().await?;
    let job = grid.find_job(&arguments.job).await?;
    let merging = match arguments.merge {
        true => Some(grid.status(job).await?.merge.ok_or_else(|| {
            Failure::Usage(format!("job {} names no [merge] module", job.short()))
        })?),
        false => None,
    };
    let fetched = grid.fetch(job, &arguments.out).await?;
    match (merging, fetched.status.state) {
        (Some(module), JobState::Done) => Ok((fetched, Some(blob(&grid, module).await?))),
        (None, _) | (_, JobState::Running | JobState::Failed | JobState::Cancelled) => {
            Ok((fetched, None))
        }
    }
}

async fn blob(grid: &Grid, blob: BlobHash) -> Result<Vec<u8>, Failure> {
    Ok(grid.blob(blob).await?.into())
}

/// Runs the merging module on the outputs in `out` and returns where its own output lies.
fn merge(module: &[u8], out: &Path, units: u64) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::Failed(format!("{}: {error}", out.display()));
    let merged = run_merge(module, merge_stdin(out, units))?;
    let (path, beside) = (out.join(MERGED_FILE), out.join(".merged.out.part"));
    std::fs::write(&beside, merged).map_err(failed)?;
    std::fs::rename(&beside, &path).map_err(failed)?;
    Ok(path)
}

/// What the module writes when it reads `stdin`, in the sandbox of the grid.
fn run_merge(module: &[u8], mut stdin: impl Read) -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    stdin.read_to_end(&mut input).map_err(|error| Failure::Failed(format!("outputs: {error}")))?;
    let ran = run_once(module, input, MERGE_LIMITS)
        .map_err(|error| Failure::Failed(format!("the sandbox: {error}")))?;
    match ran.end {
        Ok(Answer { outcome: Outcome::Exit { code: 0, .. }, .. }) => Ok(ran.output),
        end => Err(Failure::Failed(format!(
            "the merging module did not succeed: {end:?} {}{}",
            ran.detail,
            String::from_utf8_lossy(&ran.stderr)
        ))),
    }
}

fn tell(arguments: &Arguments, fetched: &Fetched, merged: Option<&Path>) -> Result<(), Failure> {
    let Fetched { status, written, present, failed_units } = fetched;
    if arguments.node.json {
        return node::say_json(&Told {
            job: status.job,
            state: status.state,
            out: &arguments.out,
            written: *written,
            present: *present,
            failed: status.failed,
            merged,
        });
    }
    let dir = arguments.out.join(UNITS_DIR);
    node::say(&format!("{written} outputs written to {}, {present} were there", dir.display()))?;
    if let Some(path) = merged {
        node::say(&format!("merged into {}", path.display()))?;
    }
    // A few are enough to see what is wrong; job.json has them all.
    failed_units.iter().take(10).try_for_each(|failed| {
        node::say(&format!("unit {}: {}", failed.unit, node::printable(&failed.reason)))
    })
}
