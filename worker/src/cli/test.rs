//! `dugnad test`: some units of a job, twice each, on this machine. No node, no network.
use super::{Failure, node};
use crate::trial::{self, Report, TrialError};
use dugnad_client::JobFile;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;

/// What `dugnad test` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The folder of the task, or its job file.
    #[arg(default_value = ".", value_name = "DIR")]
    task: PathBuf,
    /// Units to try, spread over the job; beside those whose outputs are known, as known/00000007.out.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    units: u32,
    /// Units at once [default: all processors].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    cores: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let file = JobFile::read(job_file(arguments.task))?;
    let cores = arguments.cores.map_or_else(trial::cores_default, usize::from);
    let bar = progress_bar(arguments.json);
    let report = trial::run(&file, arguments.units, cores, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    match arguments.json {
        true => node::say_json(&report)?,
        false => lines(&report).iter().try_for_each(|line| node::say(line))?,
    }
    verdict(&report)
}

/// What is meant by a folder: the job file in it.
pub fn job_file(task: PathBuf) -> PathBuf {
    match task.is_dir() {
        true => task.join("job.toml"),
        false => task,
    }
}

impl From<TrialError> for Failure {
    fn from(error: TrialError) -> Failure {
        match error {
            TrialError::Job(error) => error.into(),
            TrialError::Module { .. }
            | TrialError::Setup(_)
            | TrialError::Folder(_)
            | TrialError::Program(_)
            | TrialError::Lost => Failure::Failed(error.to_string()),
        }
    }
}

fn verdict(report: &Report) -> Result<(), Failure> {
    match (report.deterministic, report.failures.first()) {
        (false, _) => Err(Failure::Verification("two runs of one unit differ".into())),
        (true, Some(first)) => {
            let (unit, outcome) = (first.unit, &first.outcome);
            Err(Failure::FailedUnits(format!("unit {unit}: {outcome}")))
        }
        (true, None) => Ok(()),
    }
}

fn progress_bar(json: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24.green/dim} {pos} of {len} runs, {elapsed}");
    let target = match json {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    ProgressBar::with_draw_target(None, target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn lines(report: &Report) -> Vec<String> {
    let Report { name, units, job_units, kind, nan_sites, .. } = report;
    let features: String = report.features.iter().map(|feature| format!(", {feature}")).collect();
    let outcomes: Vec<String> =
        report.outcomes.iter().map(|(ended, count)| format!("{count} × {ended}")).collect();
    let twice = match report.deterministic {
        true => "the same answer and fuel both times",
        false => "NOT the same answer both times",
    };
    let known = match report.known {
        0 => String::new(),
        known => format!(", {known} of them with known outputs"),
    };
    let mut lines = vec![
        format!("{}: {units} of {job_units} units, each run twice{known}", node::printable(name)),
        format!("  answers   {twice}; {}", outcomes.join(", ")),
        format!("  fuel      {} a unit, {} at most", report.fuel_mean, report.fuel_max),
        format!("  time      {} a unit", in_words(report.wall_ms_mean / 1e3)),
        format!("  memory    {} KiB at most", report.memory_peak / 1_024),
        format!("  output    {} bytes at most", report.output_bytes_max),
        format!("  module    {kind}{features}; {nan_sites} places where NaNs are made exact"),
        format!(
            "  the job   {} on the {} processors of this machine, every unit once",
            in_words(report.estimate_s),
            report.cores
        ),
    ];
    lines.extend(report.warnings.iter().map(|warning| format!("! {}", warning.text)));
    for failure in &report.failures {
        let said = [failure.detail.as_str(), failure.stderr.trim_end()];
        let said = said.into_iter().filter(|said| !said.is_empty()).flat_map(str::lines);
        lines.push(format!("✗ unit {}: {}", failure.unit, failure.outcome));
        lines.extend(said.map(|line| format!("    {}", node::printable(line))));
    }
    lines
}

/// A time as people say it.
pub fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
