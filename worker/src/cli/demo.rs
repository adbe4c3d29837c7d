//! `dugnad demo`: a whole grid on this machine.
use super::Failure;
use crate::demo::{self, Plan, TaskName};
use clap::builder::FalseyValueParser;
use dugnad_client::Profile;
use std::path::PathBuf;

/// Smallest grid: a quorum of two.
const NODES_MIN: u32 = 2;
/// Largest grid that one machine is asked to carry.
const NODES_MAX: u32 = 64;

/// What `dugnad demo` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// What is computed.
    #[arg(long, env = "DUGNAD_TASK", value_enum, default_value = "narrowband")]
    task: TaskName,
    /// Node processes.
    #[arg(long, env = "DUGNAD_NODES", default_value_t = 4, value_name = "N")]
    nodes: u32,
    /// How many of them lie in 30 % of their units.
    #[arg(long, env = "DUGNAD_LIARS", default_value_t = 1, value_name = "N")]
    liars: u32,
    /// The liars lie about the same units, and all say the same.
    #[arg(long, env = "DUGNAD_COLLUDE", value_parser = FalseyValueParser::new())]
    collude: bool,
    /// The submitter's node is killed right after the submission, and a delegate decides: audited jobs.
    #[arg(long, env = "DUGNAD_SUBMITTER_STOPS", value_parser = FalseyValueParser::new())]
    submitter_stops: bool,
    /// Units; for narrowband the chunks that the observation is cut into
    /// [default: 32 for narrowband, 12 for fold, 2000 for nothing].
    #[arg(long, env = "DUGNAD_UNITS", value_name = "N")]
    units: Option<u32>,
    /// A SIGPROC filterbank file (.fil) to search; without it a synthetic one is made.
    #[arg(long, env = "DUGNAD_INPUT", value_name = "FILE")]
    input: Option<PathBuf>,
    /// Decides what is synthetic, which units are lied about and which are checked.
    #[arg(long, env = "DUGNAD_SEED", default_value_t = 1, value_name = "S")]
    seed: u64,
    /// How much proof makes a unit verified.
    #[arg(long, env = "DUGNAD_PROFILE", default_value = "quorum=2", value_name = "PROFILE")]
    profile: Profile,
    /// Where everything goes.
    #[arg(long, env = "DUGNAD_OUT", default_value = "dugnad-demo", value_name = "DIR")]
    out: PathBuf,
    /// Write the report here as well.
    #[arg(long, env = "DUGNAD_REPORT", value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the report in JSON instead of the summary.
    #[arg(long, env = "DUGNAD_JSON")]
    json: bool,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let plan = plan(arguments)?;
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("no runtime: {error}")))?;
    let ended = runtime.block_on(demo::run(plan));
    runtime.shutdown_background();
    ended
}

fn plan(arguments: Arguments) -> Result<Plan, Failure> {
    let Arguments { task, nodes, liars, collude, submitter_stops, units, input, seed, .. } =
        arguments;
    let Arguments { profile, out, report, json, .. } = arguments;
    let usage = |problem: String| Err(Failure::Usage(problem));
    if !(NODES_MIN..=NODES_MAX).contains(&nodes) {
        return usage(format!("--nodes {nodes}: {NODES_MIN} to {NODES_MAX} are possible"));
    }
    let honest_least = match profile {
        // Each liar can spoil one try of a unit, and the next try wants executors that had none.
        Profile::Quorum(n) | Profile::Rechecked(n, _) => u32::from(n) + liars * (u32::from(n) - 1),
        Profile::Checked => 1,
        // The owner, and two whom it can trust.
        Profile::Audited(_) => 3 + u32::from(submitter_stops),
    };
    if nodes < liars + honest_least {
        return usage(format!(
            "with {liars} liars and {profile} a unit may need {honest_least} honest nodes; \
             use --nodes {} or more",
            liars + honest_least
        ));
    }
    if input.is_some() && task != TaskName::Narrowband {
        return usage("--input goes with --task narrowband".into());
    }
    if submitter_stops && !matches!(profile, Profile::Audited(_)) {
        return usage(
            "--submitter-stops goes with --profile audited: others have no delegates".into(),
        );
    }
    if units == Some(0) {
        return usage("--units 0: a job has at least one unit".into());
    }
    Ok(Plan {
        task,
        nodes,
        liars,
        collude,
        submitter_stops,
        units,
        input,
        seed,
        profile,
        out,
        report,
        json,
    })
}
