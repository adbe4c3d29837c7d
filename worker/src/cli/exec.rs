//! `dugnad exec`: one unit, here and now, in the very sandbox of the grid. No node, no network.
use super::{Failure, node};
use crate::exec::{Backend, Ran, Run, Sandbox, input_name, random_seed};
use coordinator_free_scheduler::{Hash, Outcome, RunLimits, TrapClass, UnitIndex, Void};
use serde::Serialize;
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What `dugnad exec` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The module: a WASI command, or a plain unit.
    module: PathBuf,
    /// Standard input; empty where it is not given.
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
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
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.json;
    let sandbox = Sandbox::new(arguments.engine.into())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let ran = sandbox.run(run_of(arguments)?);
    match json {
        true => print_report(&ran)?,
        false => print_streams(&ran)?,
    }
    match sentence(&ran) {
        None => Ok(()),
        Some(sentence) => Err(Failure::Failed(sentence)),
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
        module: module.into(),
        input,
        args: arguments.args,
        env,
        random: random_seed(arguments.seed, arguments.unit),
        files: files.collect::<Result<_, Failure>>()?,
        limits: RunLimits {
            fuel: arguments.fuel,
            memory_mib: arguments.memory_mib,
            output_bytes: arguments.output_bytes,
        },
    })
}

fn print_streams(ran: &Ran) -> Result<(), Failure> {
    let printed = std::io::stdout().write_all(&ran.output);
    let printed = printed.and_then(|()| std::io::stderr().write_all(&ran.stderr));
    printed.map_err(|error| Failure::Failed(format!("cannot print what the unit wrote: {error}")))
}

fn print_report(ran: &Ran) -> Result<(), Failure> {
    let line = serde_json::to_string(&Report::of(ran)).map_err(|error| error.to_string());
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
