//! `dugnad status`: the node and its jobs, or one job.
use super::Failure;
use super::node::{self, NodeArguments};
use dugnad_client::{
    AuditStage, AuditStatus, JobStatus, LevelCounts, NodeStatus, Quarantine, RecheckStatus,
};
use serde::Serialize;

/// What `dugnad status` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job, by its id or the first digits of it; without one: the node and its jobs.
    #[arg(value_name = "JOB")]
    job: Option<String>,
    #[command(flatten)]
    node: NodeArguments,
}

/// The JSON without a job: the node's status with its jobs.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    node: &'a NodeStatus,
    job_list: &'a [JobStatus],
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    node::block_on(async {
        let grid = arguments.node.connect().await?;
        match &arguments.job {
            Some(job) => {
                let status = grid.status(grid.find_job(job).await?).await?;
                show_job(&status, arguments.node.json)
            }
            None => {
                let (node, jobs) = (grid.node_status().await?, grid.jobs().await?);
                match arguments.node.json {
                    true => node::say_json(&Whole { node: &node, job_list: &jobs }),
                    false => show_node(&node, &jobs),
                }
            }
        }
    })
}

/// Prints one job's status.
pub fn show_job(status: &JobStatus, json: bool) -> Result<(), Failure> {
    if json {
        return node::say_json(status);
    }
    let JobStatus { units, verified, failed, running, queued, executions, .. } = status;
    node::say(&format!("job         {}", status.job))?;
    node::say(&format!("name        {}", node::printable(&status.name)))?;
    node::say(&format!("state       {}", status.state))?;
    node::say(&format!(
        "units       {units}: {verified} verified, {failed} failed, {running} running, {queued} queued"
    ))?;
    node::say(&format!("executions  {executions}"))?;
    if let Some(LevelCounts { reported, checked, released }) = &status.levels {
        let counts = format!("{reported} reported, {checked} checked, {released} released");
        node::say(&format!("levels      {counts}"))?;
    }
    if let Some(audit) = &status.audit {
        show_audit(audit)?;
    }
    if let Some(quarantine) = &status.quarantine {
        show_quarantine(quarantine)?;
    }
    if let Some(recheck) = &status.recheck {
        node::say(&format!("recheck     {}", recheck_line(recheck)))?;
    }
    match &status.output_digest {
        Some(digest) => node::say(&format!("outputs     {digest}")),
        None => Ok(()),
    }
}

/// How far an audit is, in a line.
pub fn audit_line(audit: &AuditStatus) -> String {
    let AuditStatus { members, lost, own_units, pass, level, .. } = audit;
    match audit.stage {
        AuditStage::Proving => format!(
            "finds out whom to trust: {own_units} units computed here, {lost} peers found wrong"
        ),
        AuditStage::Executing
        | AuditStage::Checking
        | AuditStage::Released
        | AuditStage::Quarantined => format!(
            "pass {}, {level} checkers a unit; {members} peers trusted, {lost} not any more; \
             {own_units} units computed here",
            pass + 1
        ),
    }
}

/// Why a module is at fault.
pub fn show_quarantine(found: &Quarantine) -> Result<(), Failure> {
    node::say(&format!(
        "quarantine  the module is not exact: unit {} comes to different things, and nobody is blamed",
        found.unit
    ))?;
    found.answers.iter().try_for_each(|one| {
        let digest = one.digest.map(|digest| format!(", output {digest}")).unwrap_or_default();
        node::say(&format!("  {:10}  {}{digest}, on {}", one.arch, one.answer, one.peer))
    })
}

/// How far the node is with computing units again, in a line.
pub fn recheck_line(recheck: &RecheckStatus) -> String {
    let RecheckStatus { share, waiting, lost } = recheck;
    format!("{share} % of the units by this node itself: {waiting} to do; {lost} peers found wrong")
}

fn show_audit(audit: &AuditStatus) -> Result<(), Failure> {
    node::say(&format!("audit       {}", audit_line(audit)))?;
    if !audit.delegates.is_empty() {
        node::say(&format!("delegates   {}", audit.delegates.join(", ")))?;
    }
    if audit.ringers_off > 0 {
        node::say(&format!(
            "ringers     {} of {} known outputs are not what the module computes; nobody is blamed for them",
            audit.ringers_off, audit.ringers
        ))?;
    }
    match audit.estimated_wrong {
        Some(wrong) if audit.achieved => {
            node::say(&format!("released    {wrong:.3} wrong units expected"))
        }
        Some(wrong) => node::say(&format!(
            "released    {wrong:.3} wrong units expected, or more: not all checks could be made"
        )),
        None => node::say(&format!("waits for   {}", audit.waits_for)),
    }
}

fn show_node(status: &NodeStatus, jobs: &[JobStatus]) -> Result<(), Failure> {
    let state = match &status.waiting {
        Some(sentence) => format!("waiting: {sentence}"),
        None if status.ready => "ready".to_owned(),
        None => "starting".to_owned(),
    };
    let mib = status.store_bytes >> 20;
    node::say(&format!("peer      {}", status.peer))?;
    node::say(&format!("version   {}, engine {}", status.version, status.engine))?;
    node::say(&format!("state     {state}, up {}", duration(status.uptime_s)))?;
    node::say(&format!("peers     {} connected", status.peers))?;
    node::say(&format!("cores     {}, {} busy", status.cores, status.executions_in_flight))?;
    node::say(&format!(
        "units     {} executed, {} verified, {} failed",
        status.units_executed, status.units_verified, status.units_failed
    ))?;
    node::say(&format!("store     {mib} MiB"))?;
    if !status.walls.is_empty() {
        node::say(&format!("walls     {}", status.walls.join(", ")))?;
    }
    for address in &status.addresses {
        node::say(&format!("address   {address}"))?;
    }
    if !jobs.is_empty() {
        node::say(&format!("\n{:8}  {:9}  {:>17}  NAME", "JOB", "STATE", "VERIFIED"))?;
    }
    jobs.iter().try_for_each(|job| {
        let verified = format!("{}/{}", job.verified, job.units);
        let name = node::printable(&job.name);
        node::say(&format!("{:8}  {:9}  {verified:>17}  {name}", job.job.short(), job.state))
    })
}

/// A time span in its two largest units.
fn duration(s: u64) -> String {
    let (days, hours, minutes) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", s % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
