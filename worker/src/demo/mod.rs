//! A whole grid on one machine: node processes on loopback, a job, liars, and a check of every
//! claim by code that has no part in the grid.
//!
//! It talks to its nodes as any user's program does, over their API. Whatever it leaves lies in its
//! output directory; its nodes end when it does, however it does, since their standard input closes.
mod fold;
mod grid;
mod place;
mod report;
mod screen;
mod task;

pub use task::TaskName;

use crate::cli::Failure;
use dugnad_client::{JobState, JobStatus, Profile, Submitted};
use futures::StreamExt;
use grid::LocalGrid;
use place::Place;
use report::{Liar, Report};
use screen::Screen;
use std::{
    num::NonZeroU16,
    path::PathBuf,
    time::{Duration, Instant},
};
use task::{Checked, Task};
use tokio::signal::unix::{SignalKind, signal};

/// Silence of the submitter's node after which its delegate decides, seconds.
const DELEGATE_AFTER_S: u16 = 3;
/// How often the screen is brought up to date.
const LOOK: Duration = Duration::from_millis(200);

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct Plan {
    pub task: TaskName,
    pub nodes: u32,
    pub liars: u32,
    pub collude: bool,
    pub submitter_stops: bool,
    pub units: Option<u32>,
    pub input: Option<PathBuf>,
    pub seed: u64,
    pub profile: Profile,
    pub out: PathBuf,
    pub report: Option<PathBuf>,
    pub json: bool,
}

/// Shows it; a signal ends it early, and cleanly.
///
/// # Errors
/// The grid could not be had, a unit was not verified, or an output is wrong.
pub async fn run(plan: Plan) -> Result<(), Failure> {
    let place = Place::prepare(&plan.out)?;
    let terminate = signal(SignalKind::terminate());
    let mut terminate =
        terminate.map_err(|error| Failure::Failed(format!("no signals: {error}")))?;
    let mut grid = LocalGrid::new(&place, &plan)?;
    let shown = tokio::select! {
        shown = show(&plan, &place, &mut grid) => shown,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        _ = terminate.recv() => Err(Failure::Interrupted),
    };
    grid.stop().await;
    place.clear();
    shown
}

async fn show(plan: &Plan, place: &Place, grid: &mut LocalGrid) -> Result<(), Failure> {
    let screen = Screen::new(plan);
    let task = Task::prepare(plan, place, &screen).await?;
    screen.step(&format!("starting {} nodes on loopback", plan.nodes));
    grid.start().await?;
    screen.step(&format!("submitting {} units of {}", task.units(), plan.task.name()));
    let mut spec = task.spec(plan);
    if plan.submitter_stops {
        spec.delegates = Some(vec![grid.delegate().peer.clone()]);
        spec.delegate_after_s = NonZeroU16::new(DELEGATE_AFTER_S);
    }
    let submitted = grid.submitter()?.submit(spec).await?;
    let since = Instant::now();
    if plan.submitter_stops {
        grid.leave_to_delegate(submitted.job).await?;
        screen.step("the submitter's node was killed; a delegate decides in its stead");
        watch(grid, &screen, &submitted, since).await?;
        screen.step("the submitter's node is back");
        grid.return_submitter().await?;
    }
    let (status, wall) = watch(grid, &screen, &submitted, since).await?;
    let results = place.results();
    grid.submitter()?.fetch(submitted.job, &results).await?;
    screen.step(task.reference());
    let checked = task.conclude(plan, place, status.verified == status.units)?;
    let report = report(plan, grid, &status, wall, &checked).await?;
    report.write(&place.report())?;
    if let Some(path) = &plan.report {
        report.write(path)?;
    }
    screen.finish(&report, &checked, grid.names(), place)?;
    report.verdict(&checked)
}

/// Follows the job to its end; answers when its last unit was verified.
async fn watch(
    grid: &LocalGrid,
    screen: &Screen,
    submitted: &Submitted,
    since: Instant,
) -> Result<(JobStatus, Duration), Failure> {
    let mut statuses = grid.watched()?.watch(submitted.job).await?;
    let mut bars = screen.bars(grid, submitted.units);
    let mut look = tokio::time::interval(LOOK);
    let (mut last, mut wall) = (None::<JobStatus>, since.elapsed());
    loop {
        tokio::select! {
            status = statuses.next() => match status {
                Some(status) => {
                    let status = status?;
                    let decided = |status: &JobStatus| status.verified + status.failed;
                    if last.as_ref().is_none_or(|last| decided(last) < decided(&status)) {
                        wall = since.elapsed();
                    }
                    bars.job(&status);
                    last = Some(status);
                }
                None => break,
            },
            _ = look.tick() => bars.nodes(grid).await,
        }
    }
    bars.nodes(grid).await;
    bars.end();
    let lost = || Failure::Failed("the node of the job went away".into());
    Ok((last.filter(|status| status.state != JobState::Running).ok_or_else(lost)?, wall))
}

async fn report(
    plan: &Plan,
    grid: &LocalGrid,
    status: &JobStatus,
    wall: Duration,
    checked: &Checked,
) -> Result<Report, Failure> {
    let mut executions = 0;
    for node in grid.nodes() {
        executions += node.grid()?.node_status().await?.units_executed;
    }
    let (mut caught, mut honest_banned) = (Vec::new(), Vec::new());
    for node in grid.nodes().filter(|node| !node.liar) {
        for peer in node.grid()?.peers().await? {
            let liar = grid.nodes().any(|node| node.liar && node.peer == peer.peer);
            if liar && peer.disagreed > 0 {
                caught.push(peer.peer);
            } else if !liar && peer.state == dugnad_client::PeerState::Barred {
                honest_banned.push(peer.peer);
            }
        }
    }
    honest_banned.sort_unstable();
    honest_banned.dedup();
    let liars = grid
        .nodes()
        .filter(|node| node.liar)
        .map(|node| Liar { peer: node.peer.clone(), caught: caught.contains(&node.peer) });
    let wall_s = wall.as_secs_f64();
    Ok(Report {
        task: plan.task.name().into(),
        seed: plan.seed,
        nodes: plan.nodes,
        units: status.units,
        verified: status.verified,
        failed: status.failed,
        executions,
        redundancy: executions as f64 / (status.verified.max(1)) as f64,
        wall_s,
        verified_per_s: status.verified as f64 / wall_s.max(1e-9),
        wrong_accepted: checked.wrong,
        liars: liars.collect(),
        honest_banned: honest_banned.len() as u64,
        output_digest: status.output_digest.map(|digest| digest.to_string()),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}
