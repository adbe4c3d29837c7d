//! `sim`: plans a job, or tries the rules, on a grid in virtual time.
//!
//! Runs a scenario file once or with several seeds, prints what came of it, and draws it. The same
//! seed gives the same figures on every machine; only `wall_s` and `events_per_s` are this one's.
mod campaign;
mod plot;
mod trials;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};
use tests::{Report, Scenario, World};

/// Simulates a grid of Dugnad nodes in virtual time.
#[derive(Parser, Debug)]
#[command(name = "sim", version)]
struct Arguments {
    /// The scenario file.
    #[arg(value_name = "SCENARIO.toml", required_unless_present_any = ["campaign", "matrix"])]
    scenario: Option<PathBuf>,
    /// Everything random follows from this [default: the scenario's].
    #[arg(long)]
    seed: Option<u64>,
    /// Give a key of the scenario another value, such as `cost.mean=2.5` (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run with so many seeds, one after the other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Print one JSON object a run.
    #[arg(long)]
    json: bool,
    /// Draw how the (last) run went, or what all cells of a matrix came to, as a PNG.
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    /// Run a list of scenarios instead; what its results file holds already is not run again.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "seed", "set", "runs", "plot"])]
    campaign: Option<PathBuf>,
    /// Try the rules of verification against every kind of attack in a list, and print a table.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "seed", "set", "runs", "campaign"])]
    matrix: Option<PathBuf>,
    /// Runs of a campaign, or cells of a matrix, at a time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

/// A report, and what it took on this machine.
#[derive(Serialize)]
struct Timed {
    #[serde(flatten)]
    report: Report,
    events_per_s: f64,
    wall_s: f64,
}

/// How far a run was at a moment: seconds, and the share of units decided.
type Progress = Vec<(f64, f64)>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (&arguments.campaign, &arguments.matrix) {
        (Some(file), _) => campaign::run(file, arguments.jobs),
        (_, Some(file)) => trials::matrix(file, &arguments),
        (None, None) => runs(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("sim: {why}");
            ExitCode::FAILURE
        }
    }
}

fn runs(arguments: &Arguments) -> Result<(), String> {
    let Some(path) = &arguments.scenario else { return Ok(()) };
    if trials::is_one(path) {
        return trials::runs(path, arguments);
    }
    let mut scenario = Scenario::load(path, &arguments.set)?;
    let first = arguments.seed.unwrap_or(scenario.seed);
    let mut reports = Vec::new();
    for seed in first..first + arguments.runs {
        scenario.seed = seed;
        let bar = if arguments.json { ProgressBar::hidden() } else { bar() };
        let (timed, progress) = simulate(name_of(path), scenario.clone(), &bar)?;
        bar.finish_and_clear();
        match arguments.json {
            true => say(&serde_json::to_string(&timed).map_err(|error| error.to_string())?)?,
            false => say(&table(&timed))?,
        }
        if let Some(file) = arguments.plot.as_ref().filter(|_| seed + 1 == first + arguments.runs) {
            plot::draw(file, &timed.report, &progress)?;
        }
        reports.push(timed.report);
    }
    match reports.len() > 1 && !arguments.json {
        true => say(&over_all(&reports)),
        false => Ok(()),
    }
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Runs a scenario until every unit is decided.
fn simulate(
    name: String,
    scenario: Scenario,
    bar: &ProgressBar,
) -> Result<(Timed, Progress), String> {
    let started = Instant::now();
    let mut world = World::new(scenario);
    world.name = name;
    let mut progress = vec![(0.0, 0.0)];
    let report = world.run_to_verdicts(|world| {
        let (decided, units) = world.progress();
        let now_s = world.now().0 as f64 / 1e3;
        progress.push((now_s, decided as f64 / units as f64));
        bar.set_length(units);
        bar.set_position(decided);
        bar.set_message(format!("{now_s:.0} s, {} events", world.count.events));
    })?;
    if let Some(first) = world.violations.first() {
        return Err(format!("seed {}: {first}", report.seed));
    }
    let wall_s = started.elapsed().as_secs_f64();
    let events_per_s = report.events as f64 / wall_s;
    Ok((Timed { report, events_per_s, wall_s }, progress))
}

/// Does something with each of many, `jobs` at a time, beginning in their order.
fn share_out<T: Send>(
    all: impl IntoIterator<Item = T, IntoIter: Send>,
    jobs: usize,
    each: impl Fn(T) + Sync,
) {
    let left = Mutex::new(all.into_iter());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let one = || std::iter::from_fn(next).for_each(&each);
    thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(one))));
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30.green/dim} {pos}/{len} units  {msg:.dim}");
    ProgressBar::new(1).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A reader that goes early is none of our business.
fn say(text: &str) -> Result<(), String> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn table(timed: &Timed) -> String {
    let Timed { report, events_per_s, wall_s } = timed;
    let Report { scenario, seed, peers, units, accepted, failed, executions, .. } = report;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let rows = [
        ("scenario", format!("{scenario}, seed {seed}: {peers} peers, {units} units")),
        ("accepted", format!("{accepted}, {} wrong; {failed} failed", report.wrong_accepted)),
        ("executions", format!("{executions}, {:.3} for each accepted unit", report.redundancy)),
        ("makespan", format!("{:.1} s", report.makespan_s)),
        (
            "  over ideal",
            format!("{:.3}  (ideal {:.1} s)", report.makespan_ratio, report.ideal_makespan_s),
        ),
        ("  blind central", format!("{:.3}", report.blind_central_ratio)),
        ("wasted", percent(report.wasted_share)),
        ("liars convicted", format!("{} of {}", report.liars_convicted, report.liars)),
        ("honest banned", report.honest_banned.to_string()),
        ("copies accepted", report.copies_accepted.to_string()),
        (
            "received by a peer",
            format!(
                "{:.2} messages, {:.0} bytes a unit",
                report.messages_per_unit, report.bytes_per_unit_per_peer
            ),
        ),
        (
            "state of a peer",
            format!("{:.2} MB at most", report.peak_state_bytes_per_peer as f64 / 1e6),
        ),
        ("run", format!("{} events in {wall_s:.1} s, {events_per_s:.0}/s", report.events)),
    ];
    rows.map(|(name, value)| format!("{name:<20}{value}")).join("\n") + "\n"
}

/// Mean and range of what seeds may change.
fn over_all(reports: &[Report]) -> String {
    let row = |name: &str, of: fn(&Report) -> f64| {
        let values: Vec<f64> = reports.iter().map(of).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let (least, most) = (
            values.iter().copied().fold(f64::MAX, f64::min),
            values.iter().copied().fold(f64::MIN, f64::max),
        );
        format!("{name:<20}{mean:.4}  ({least:.4} to {most:.4})")
    };
    let rows = [
        row("makespan ratio", |report| report.makespan_ratio),
        row("redundancy", |report| report.redundancy),
        row("wasted share", |report| report.wasted_share),
        row("wrong accepted", |report| report.wrong_accepted as f64),
        row("honest banned", |report| report.honest_banned as f64),
    ];
    format!("over {} seeds\n{}", reports.len(), rows.join("\n"))
}
