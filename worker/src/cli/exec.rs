//! `dugnad exec`: one unit, here and now, in the very sandbox of the grid. No node, no network.
use super::{Failure, node};
use crate::{
    exec::{Backend, Checkpoint, Ran, Run, Sandbox, Seed, input_name},
    store::{
        CHECKPOINT_BYTES_MAX,
        disk::{Access, read_bounded, write_atomic},
    },
};
use coordinator_free_scheduler::{
    Hash, Outcome, PeerKey, RunLimits, Trace, TrapClass, UnitIndex, Void,
};
use serde::Serialize;
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

/// What `dugnad exec` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The module: a WASI command, a stepped unit, or a plain one.
    module: PathBuf,
    /// Standard input; empty where it is not given.
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Check this output by the module's own `verify`: exit code 0 if it is right.
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    verify: Option<PathBuf>,
    /// An argument; may be given often.
    #[arg(long = "arg", value_name = "A", allow_hyphen_values = true)]
    args: Vec<String>,
    /// A variable of the environment; may be given often.
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    env: Vec<(String, String)>,
    /// A file that the unit finds as /input/NAME; may be given often.
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_pair)]
    input: Vec<(String, String)>,
    /// The job's seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The unit whose random stream it gets.
    #[arg(long, default_value_t = 0)]
    unit: UnitIndex,
    /// Instructions it may use.
    #[arg(long, default_value_t = RunLimits::default().fuel)]
    fuel: u64,
    /// Linear memory it may have, MiB.
    #[arg(long, default_value_t = RunLimits::default().memory_mib)]
    memory_mib: u32,
    /// Standard output it may write, bytes.
    #[arg(long, default_value_t = RunLimits::default().output_bytes)]
    output_bytes: u64,
    /// What runs it: machine code, or a portable interpreter; the answer is the same.
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// The file of a stepped unit's checkpoint: it goes on from there, if there is one, and is written
    /// about once a second. It may be carried to any other machine, with what else is given here.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Leave a stepped unit after so many steps; the checkpoint says where it has come to.
    #[arg(long, value_name = "N", requires = "checkpoint",
        value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Print a report instead of the unit's output.
    #[arg(long)]
    json: bool,
}

/// The ways to run a module.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Engine {
    #[default]
    Cranelift,
    Pulley,
}

impl From<Engine> for Backend {
    fn from(engine: Engine) -> Backend {
        match engine {
            Engine::Cranelift => Backend::Cranelift,
            Engine::Pulley => Backend::Pulley,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize, Debug)]
struct Report {
    outcome: &'static str,
    exit_code: Option<u32>,
    trap: Option<&'static str>,
    void: Option<&'static str>,
    fuel: Option<u64>,
    output_blake3: Option<String>,
    output_bytes: u64,
    memory_peak: u64,
    wall_s: f64,
    stderr: String,
    detail: String,
    /// Of a stepped unit: the states that it went through, …
    steps: Option<u32>,
    /// … the hash of their list, …
    trace_blake3: Option<String>,
    /// … and that of the last.
    state_blake3: Option<String>,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.json;
    let sandbox = Sandbox::new(arguments.engine.into())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let keeping = arguments.checkpoint.clone();
    let mut run = run_of(arguments)?;
    if let Some(file) = &keeping {
        run.begin = read_checkpoint(file, &run)?;
    }
    let left_early = |ran: &Ran| run.steps_max.is_some() && ran.end == Err(Void::Interrupted);
    let ran = match &keeping {
        None => sandbox.run(run.clone()),
        Some(file) => run_keeping(&sandbox, run.clone(), file)?,
    };
    match (json, left_early(&ran)) {
        (true, left_early) => print_report(&ran, left_early)?,
        (false, true) => eprintln!("{}", ran.detail),
        (false, false) => print_streams(&ran)?,
    }
    match sentence(&ran).filter(|_| !left_early(&ran)) {
        None => Ok(()),
        Some(sentence) => Err(Failure::Failed(sentence)),
    }
}

/// Runs a unit, and writes down where it has come to.
fn run_keeping(sandbox: &Sandbox, run: Run, file: &Path) -> Result<Ran, Failure> {
    let name = name_of(&run);
    let mut at = run.begin.clone().unwrap_or_default();
    let (mut due, mut kept) = (Instant::now(), Ok(()));
    let ran = sandbox.run_telling(run, &mut |step, state| {
        at.steps.push(step);
        // The first is kept at once: what cannot be written is better known before long work.
        if Instant::now() >= due {
            at.state = state.to_vec();
            kept = keep(file, &at, &name);
            due = Instant::now() + at.rest();
        }
    });
    if ran.end == Err(Void::Interrupted) {
        at.state = ran.output.clone();
        kept = keep(file, &at, &name);
    } else if ran.end.as_ref().is_ok_and(|answer| answer.trace.is_none()) {
        eprintln!("dugnad: the module has no steps, so there is no checkpoint");
    }
    match (kept, ran.end.is_ok()) {
        (Ok(()), _) => Ok(ran),
        // The unit has ended all the same.
        (Err(why), true) => {
            eprintln!("dugnad: {why}");
            Ok(ran)
        }
        (Err(why), false) => Err(Failure::Failed(why)),
    }
}

fn keep(file: &Path, checkpoint: &Checkpoint, name: &[u8]) -> Result<(), String> {
    let failed = |why: String| format!("cannot write {}: {why}", file.display());
    let bytes = checkpoint.sealed(name).map_err(|error| failed(error.to_string()))?;
    write_atomic(file, &bytes, Access::Ordinary).map_err(|error| failed(error.to_string()))
}

/// What a checkpoint belongs to: the module, and all that it is given.
fn name_of(run: &Run) -> Vec<u8> {
    let files: Vec<(&str, Hash)> =
        run.files.iter().map(|(name, file)| (name.as_str(), Hash::of(file))).collect();
    let given = (run.module_hash, &run.input, &run.args, &run.env, run.random, files);
    postcard::to_allocvec(&given).unwrap_or_default()
}

/// Where the unit goes on: nowhere, if there is no such file yet.
fn read_checkpoint(file: &Path, run: &Run) -> Result<Option<Checkpoint>, Failure> {
    let failed = |why: String| {
        let why = format!("{} is no checkpoint of this unit: {why}", file.display());
        Failure::Failed(format!("{why}; name another file, or give what was given before"))
    };
    let bytes = read_bounded(file, CHECKPOINT_BYTES_MAX);
    match bytes.map_err(|error| failed(error.to_string()))? {
        None => Ok(None),
        Some(bytes) => Checkpoint::unsealed(&bytes, &name_of(run))
            .map(Some)
            .map_err(|why| failed(why.to_owned())),
    }
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected NAME=VALUE".into()),
    }
}

fn run_of(arguments: Arguments) -> Result<Run, Failure> {
    let module = node::read_file(&arguments.module)?;
    let input = arguments.stdin.as_deref().map(node::read_file).transpose()?.unwrap_or_default();
    let files = arguments.input.into_iter().map(|(name, file)| {
        input_name(&name).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok((name, Arc::from(node::read_file(Path::new(&file))?)))
    });
    let mut env = arguments.env;
    env.sort();
    Ok(Run {
        module_hash: Hash::of(&module),
        owner: PeerKey::default(),
        module: module.into(),
        input,
        args: arguments.args,
        env,
        random: Seed { job: arguments.seed, unit: arguments.unit },
        files: files.collect::<Result<_, Failure>>()?,
        limits: RunLimits {
            fuel: arguments.fuel,
            memory_mib: arguments.memory_mib,
            output_bytes: arguments.output_bytes,
        },
        begin: None,
        steps_max: arguments.steps,
        check: arguments.verify.as_deref().map(node::read_file).transpose()?,
    })
}

fn print_streams(ran: &Ran) -> Result<(), Failure> {
    let printed = std::io::stdout().write_all(&ran.output);
    let printed = printed.and_then(|()| std::io::stderr().write_all(&ran.stderr));
    printed.map_err(|error| Failure::Failed(format!("cannot print what the unit wrote: {error}")))
}

fn print_report(ran: &Ran, left_early: bool) -> Result<(), Failure> {
    let mut report = Report::of(ran);
    if left_early {
        (report.outcome, report.void) = ("unfinished", None);
        report.fuel = ran.steps.last().map(|step| step.fuel);
    }
    let line = serde_json::to_string(&report).map_err(|error| error.to_string());
    let printed = line
        .and_then(|line| writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string()));
    printed.map_err(|error| Failure::Failed(format!("cannot print the report: {error}")))
}

/// What went wrong, as a sentence; nothing if the unit exited with 0.
fn sentence(ran: &Ran) -> Option<String> {
    let outcome = match &ran.end {
        Ok(answer) => &answer.outcome,
        Err(_) => return Some(format!("the unit could not be run here: {}", ran.detail)),
    };
    match outcome {
        Outcome::Exit { code: 0, .. } => None,
        Outcome::Exit { code, .. } => Some(format!("the unit exited with code {code}")),
        Outcome::Trap(_) => Some(format!("the unit trapped: {}", ran.detail)),
        Outcome::OutOfFuel | Outcome::OutputTooLarge => Some(ran.detail.clone()),
        Outcome::Invalid(_) => Some(format!("the module cannot be run: {}", ran.detail)),
    }
}

impl Report {
    fn of(ran: &Ran) -> Report {
        let outcome = ran.end.as_ref().ok().map(|answer| &answer.outcome);
        let exit = match outcome {
            Some(Outcome::Exit { code, digest, .. }) => Some((*code, digest.to_string())),
            Some(
                Outcome::Trap(_)
                | Outcome::OutOfFuel
                | Outcome::OutputTooLarge
                | Outcome::Invalid(_),
            )
            | None => None,
        };
        let answered = ran.end.as_ref().is_ok_and(|answer| answer.trace.is_some());
        let stepped = answered || !ran.steps.is_empty();
        Report {
            outcome: outcome.map_or("void", outcome_name),
            exit_code: exit.as_ref().map(|(code, _)| *code),
            trap: outcome.and_then(trap_name),
            void: ran.end.as_ref().err().map(void_name),
            fuel: ran.end.as_ref().ok().map(|answer| answer.fuel),
            output_blake3: exit.map(|(_, digest)| digest),
            output_bytes: ran.output.len() as u64,
            memory_peak: ran.memory_peak_bytes,
            wall_s: ran.wall.as_secs_f64(),
            stderr: String::from_utf8_lossy(&ran.stderr).into_owned(),
            detail: ran.detail.clone(),
            steps: stepped.then_some(ran.steps.len() as u32),
            trace_blake3: stepped.then(|| Trace::of(&ran.steps).root.to_string()),
            state_blake3: ran.steps.last().map(|step| step.state.to_string()),
        }
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Exit { .. } => "exit",
        Outcome::Trap(_) => "trap",
        Outcome::OutOfFuel => "out_of_fuel",
        Outcome::OutputTooLarge => "output_too_large",
        Outcome::Invalid(_) => "invalid",
    }
}

fn void_name(void: &Void) -> &'static str {
    match void {
        Void::HostMemory => "host_memory",
        Void::Interrupted => "interrupted",
        Void::Unavailable => "unavailable",
        Void::Engine => "engine",
    }
}

fn trap_name(outcome: &Outcome) -> Option<&'static str> {
    let class = match outcome {
        Outcome::Trap(class) => class,
        Outcome::Exit { .. }
        | Outcome::OutOfFuel
        | Outcome::OutputTooLarge
        | Outcome::Invalid(_) => return None,
    };
    Some(match class {
        TrapClass::Unreachable => "unreachable",
        TrapClass::MemoryOutOfBounds => "memory_out_of_bounds",
        TrapClass::TableOutOfBounds => "table_out_of_bounds",
        TrapClass::IndirectCallToNull => "indirect_call_to_null",
        TrapClass::BadSignature => "bad_signature",
        TrapClass::IntegerOverflow => "integer_overflow",
        TrapClass::IntegerDivisionByZero => "integer_division_by_zero",
        TrapClass::BadConversionToInteger => "bad_conversion_to_integer",
        TrapClass::StackOverflow => "stack_overflow",
        TrapClass::Other => "other",
    })
}
