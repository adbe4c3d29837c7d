//! `dugnad fetch`: the outputs of a job, as files; on wish merged into one.
use super::Failure;
use super::node::{self, NodeArguments};
use super::print::{self, Format};
use crate::certificate::{self, Broken, Certificate};
use crate::exec::run_once;
use clap::builder::FalseyValueParser;
use coordinator_free_scheduler::{
    Answer, Flaw, Hash, Outcome, RunLimits, TableDirectory, TablePage, Units, Verdict, wire,
};
use dugnad_client::{
    BlobHash, CERTIFICATE_FILE, Fetched, Grid, JOB_FILE, JobId, JobState, JobStatus, Level,
    UNITS_DIR, UnitLevel, Written, merge_stdin,
};
use futures::StreamExt;
use serde::Serialize;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the merging module wrote, in the directory of the outputs.
pub const MERGED_FILE: &str = "merged.out";

/// Where the blobs lie that units are computed from, by their names.
const BLOBS_DIR: &str = "blobs";
/// How often a certificate is asked for that does not prove all yet, …
const CERTIFICATE_TRIES: u32 = 50;
/// … and the pause between.
const CERTIFICATE_PAUSE: Duration = Duration::from_millis(100);

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
    #[arg(long, env = "DUGNAD_OUT", value_name = "DIR", required_unless_present = "print")]
    out: Option<PathBuf>,
    /// Print the outputs instead, in unit order, as they become verified, until the job ends.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["out", "level", "merge", "inputs"])]
    print: Option<Format>,
    /// What may be fetched: `reported`, `checked` or `released`. Below `released` the command stays until the
    /// job ends, and answers come as they are known, in DIR/reported and DIR/checked: they may prove wrong.
    #[arg(long, env = "DUGNAD_LEVEL", value_name = "LEVEL", default_value = "released")]
    level: Level,
    /// Run the job's merging module on all outputs; what it writes goes to DIR/merged.out.
    #[arg(long, env = "DUGNAD_MERGE", value_parser = FalseyValueParser::new())]
    merge: bool,
    /// Fetch all that units are computed from, too: `dugnad verify --recheck` needs it where the job
    /// has inputs.
    #[arg(long, env = "DUGNAD_INPUTS", value_parser = FalseyValueParser::new())]
    inputs: bool,
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

impl Arguments {
    /// Where the outputs go.
    fn out(&self) -> &Path {
        // Not there only where they are printed.
        self.out.as_deref().unwrap_or(Path::new("."))
    }
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    if let Some(format) = arguments.print {
        return node::block_on(print::print(&arguments.node, &arguments.job, format));
    }
    let (fetched, module) = node::block_on(fetch(&arguments))?;
    let merged = match module {
        Some(module) => Some(merge(&module, arguments.out(), fetched.status.units)?),
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
            arguments.out().join(JOB_FILE).display()
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
    if arguments.level != Level::Released {
        stream_early(&grid, arguments, job).await?;
    }
    let (fetched, certificate) = fetch_proved(&grid, job, arguments.out()).await?;
    fetch_blobs(&grid, arguments, &certificate).await?;
    match (merging, fetched.status.state) {
        (Some(module), JobState::Done) => Ok((fetched, Some(blob(&grid, module).await?))),
        (None, _) | (_, JobState::Running | JobState::Failed | JobState::Cancelled) => {
            Ok((fetched, None))
        }
    }
}

/// What is told of a unit before the end.
#[derive(Serialize)]
struct ToldEarly<'a> {
    #[serde(flatten)]
    told: &'a UnitLevel,
    file: Option<&'a Path>,
}

/// Writes answers as they become known, each under its level, until the job has ended.
async fn stream_early(grid: &Grid, arguments: &Arguments, job: JobId) -> Result<(), Failure> {
    let mut all = grid.fetch_early(job, arguments.out(), arguments.level).await?;
    while let Some(written) = all.next().await {
        let Written { told, file } = written?;
        match arguments.node.json {
            true => node::say_json(&ToldEarly { told: &told, file: file.as_deref() })?,
            false => node::say(&early_line(&told, file.as_deref()))?,
        }
    }
    Ok(())
}

/// A unit's level in a line.
fn early_line(told: &UnitLevel, file: Option<&Path>) -> String {
    let UnitLevel { unit, level, revised, outcome, .. } = told;
    let level = level.map_or("taken back".into(), |level| level.to_string());
    let revised = if *revised { ", REVISED" } else { "" };
    let what = match (file, outcome) {
        (Some(file), _) => format!(": {}", file.display()),
        (None, Some(outcome)) => format!(": {outcome}, no output here"),
        (None, None) => String::new(),
    };
    format!("unit {unit} {level}{revised}{what}")
}

/// Fetches a job until its certificate proves what its node says of it. The last of this node's own
/// statements may be on their way to the disk yet, before which nobody is shown them.
async fn fetch_proved(
    grid: &Grid,
    job: JobId,
    out: &Path,
) -> Result<(Fetched, Certificate), Failure> {
    for tries in 1..=CERTIFICATE_TRIES {
        let fetched = grid.fetch(job, out).await?;
        let decided = fetched.status.verified + fetched.status.failed;
        let certificate = open_certificate(out)?;
        let proved = certificate.replay.verdicts();
        let proves = proved.iter().filter(|verdict| **verdict != Verdict::Open).count() as u64;
        // Peers show the answers that were checked a moment after the release, or the submitter does.
        let whole = !fetched.status.state.has_ended()
            || !matches!(certificate.replay.audit(), Some(Err(Flaw::Missing(_))));
        if proves >= decided && (whole || tries == CERTIFICATE_TRIES) {
            return Ok((fetched, certificate));
        }
        tokio::time::sleep(CERTIFICATE_PAUSE).await;
    }
    let path = out.join(CERTIFICATE_FILE);
    Err(Failure::Verification(format!("{}: proves less than the node says", path.display())))
}

/// The certificate of a fetched job.
pub fn open_certificate(out: &Path) -> Result<Certificate, Failure> {
    let path = out.join(CERTIFICATE_FILE);
    certificate::open(&path).map_err(|broken| {
        let told = format!("{}: {broken}", path.display());
        match broken {
            Broken::Read(_) => Failure::Usage(format!("{told}; `dugnad fetch` brings it")),
            _ => Failure::Verification(told),
        }
    })
}

/// Where a blob lies in the directory of a fetched job.
pub fn blob_path(out: &Path, blob: Hash) -> PathBuf {
    out.join(BLOBS_DIR).join(blob.to_string())
}

/// Fetches the module; on wish the unit table and all inputs.
async fn fetch_blobs(
    grid: &Grid,
    arguments: &Arguments,
    certificate: &Certificate,
) -> Result<(), Failure> {
    let work = &certificate.replay.manifest().work;
    let keep = |hash: Hash| kept_blob(grid, arguments.out(), hash);
    keep(work.module).await?;
    let Units::Table { directory, .. } = work.units else { return Ok(()) };
    if !arguments.inputs {
        return Ok(());
    }
    let bad = |error: wire::WireError| Failure::Failed(format!("the unit table: {error}"));
    for page in TableDirectory::decode(&keep(directory).await?).map_err(bad)?.pages {
        for unit in TablePage::decode(&keep(page).await?).map_err(bad)?.units {
            if let Some(input) = unit.input {
                keep(input).await?;
            }
        }
    }
    Ok(())
}

/// The bytes of a blob, which are in the directory then.
async fn kept_blob(grid: &Grid, out: &Path, hash: Hash) -> Result<Vec<u8>, Failure> {
    let path = blob_path(out, hash);
    if let Ok(bytes) = std::fs::read(&path)
        && Hash::of(&bytes) == hash
    {
        return Ok(bytes);
    }
    let bytes = blob(grid, BlobHash(hash.0)).await?;
    write_whole(&path, &bytes)?;
    Ok(bytes)
}

/// A file is there with all its bytes, or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let beside = path.with_extension("part");
    std::fs::create_dir_all(path.parent().unwrap_or(path))
        .and_then(|()| std::fs::write(&beside, bytes))
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

async fn blob(grid: &Grid, blob: BlobHash) -> Result<Vec<u8>, Failure> {
    Ok(grid.blob(blob).await?.into())
}

/// Runs the merging module on the outputs in `out` and returns where its own output lies.
fn merge(module: &[u8], out: &Path, units: u64) -> Result<PathBuf, Failure> {
    let merged = run_merge(module, merge_stdin(out, units))?;
    let path = out.join(MERGED_FILE);
    write_whole(&path, &merged)?;
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
            out: arguments.out(),
            written: *written,
            present: *present,
            failed: status.failed,
            merged,
        });
    }
    let dir = arguments.out().join(UNITS_DIR);
    node::say(&format!("{written} outputs written to {}, {present} were there", dir.display()))?;
    if let Some(path) = merged {
        node::say(&format!("merged into {}", path.display()))?;
    }
    // A few are enough to see what is wrong; job.json has them all.
    failed_units.iter().take(10).try_for_each(|failed| {
        node::say(&format!("unit {}: {}", failed.unit, node::printable(&failed.reason)))
    })
}
