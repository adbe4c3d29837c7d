//! `dugnad watch`: a job's progress until it ends.
use super::Failure;
use super::node::{self, NodeArguments};
use dugnad_client::{JobState, JobStatus, LevelCounts};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;

/// What `dugnad watch` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job, by its id or the first digits of it.
    #[arg(value_name = "JOB")]
    job: String,
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    until_end(&arguments.node, &arguments.job)
}

/// Shows a job's progress until it has ended; its end decides the exit code.
pub fn until_end(node: &NodeArguments, job: &str) -> Result<(), Failure> {
    let watched = node::block_on(watch(node, job));
    if let Err(Failure::Interrupted) = watched {
        eprintln!("the job goes on without you; look again with `dugnad watch {job}`");
    }
    verdict(&watched?)
}

async fn watch(node: &NodeArguments, job: &str) -> Result<JobStatus, Failure> {
    let grid = node.connect().await?;
    let job = grid.find_job(job).await?;
    let mut statuses = grid.watch(job).await?;
    let bar = progress_bar(node.json);
    while let Some(status) = statuses.next().await {
        let status = status?;
        match node.json {
            true => node::say_json(&status)?,
            false => show(&bar, &status),
        }
        if status.state.has_ended() {
            bar.finish_and_clear();
            if !node.json {
                node::say(&summary(&status))?;
            }
            return Ok(status);
        }
    }
    let look = format!("`dugnad watch {}`", job.short());
    Err(Failure::Failed(format!(
        "the node ended; its job goes on elsewhere. Start it with `dugnad run`, look with {look}"
    )))
}

/// What an ended job means for the exit code.
fn verdict(status: &JobStatus) -> Result<(), Failure> {
    let job = status.job.short();
    match status.state {
        JobState::Running | JobState::Done => Ok(()),
        JobState::Cancelled => Err(Failure::Failed(format!("job {job} was cancelled"))),
        JobState::Failed if status.quarantine.is_some() => Err(Failure::FailedUnits(format!(
            "the module of job {job} comes to different things on different processors; `dugnad \
             explain {job}` tells of a unit and what it came to"
        ))),
        JobState::Failed => Err(Failure::FailedUnits(format!(
            "{} of the {} units of job {job} failed; `dugnad fetch {job} --out DIR` writes the \
             reasons to DIR/job.json",
            status.failed, status.units
        ))),
    }
}

/// A bar on a terminal; nothing elsewhere.
fn progress_bar(json: bool) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{prefix} {bar:24.green/dim} {pos}/{len} verified, {rate}  {wide_msg:.dim}",
    );
    let rate = |state: &ProgressState, text: &mut dyn Write| {
        // A bar that cannot be written has nowhere to say so.
        let _ = write!(text, "{:.0}/s", state.per_sec());
    };
    let target = match json {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    ProgressBar::with_draw_target(None, target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate))
}

fn show(bar: &ProgressBar, status: &JobStatus) {
    let JobStatus { failed, running, queued, executions, .. } = status;
    bar.set_length(status.units);
    bar.set_prefix(node::printable(&status.name));
    bar.set_position(status.verified);
    let trouble = match failed {
        0 => String::new(),
        failed => format!("{failed} FAILED, "),
    };
    let early = match status.levels {
        Some(LevelCounts { reported, checked, .. }) if reported + checked > 0 => {
            format!("{reported} reported, {checked} checked, ")
        }
        Some(_) | None => String::new(),
    };
    bar.set_message(format!(
        "{trouble}{early}{running} running, {queued} queued, {executions} executions"
    ));
}

/// How an ended job ended, in a line.
fn summary(status: &JobStatus) -> String {
    let JobStatus { job, state, units, verified, executions, .. } = status;
    let name = node::printable(&status.name);
    let next = match state {
        JobState::Done => format!("; get them: dugnad fetch {} --out DIR", job.short()),
        JobState::Running | JobState::Failed | JobState::Cancelled => String::new(),
    };
    format!("{name} {state}: {verified} of {units} units verified in {executions} executions{next}")
}
