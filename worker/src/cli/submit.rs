//! `dugnad submit`: a job file becomes a job of the grid.
use super::node::{self, NodeArguments};
use super::{Failure, watch};
use clap::builder::FalseyValueParser;
use coordinator_free_scheduler::{AuditPlan, AuditTerms, Hash};
use dugnad_client::{JobFile, JobId, Profile, Submitted};
use std::path::PathBuf;

/// What `dugnad submit` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job file.
    #[arg(value_name = "JOB.TOML")]
    job_file: PathBuf,
    /// Compute it again even if this node has submitted the same work before.
    #[arg(long, env = "DUGNAD_AGAIN", value_parser = FalseyValueParser::new())]
    again: bool,
    /// For tests: submit a module that can be run nowhere, so that its units fail one by one.
    #[arg(long, env = "DUGNAD_UNCHECKED", value_parser = FalseyValueParser::new())]
    unchecked: bool,
    /// Watch the job until it ends.
    #[arg(long, env = "DUGNAD_WATCH", value_parser = FalseyValueParser::new())]
    watch: bool,
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let job = node::block_on(submit(&arguments))?;
    match arguments.watch {
        true => watch::until_end(&arguments.node, &job.to_string()),
        false => Ok(()),
    }
}

async fn submit(arguments: &Arguments) -> Result<JobId, Failure> {
    // The file first: its errors need no node.
    let mut spec = JobFile::read(&arguments.job_file)?.spec()?;
    spec.again = arguments.again;
    spec.unchecked = arguments.unchecked;
    let (name, profile) = (node::printable(&spec.name), spec.profile);
    let submitted = arguments.node.connect().await?.submit(spec).await?;
    let Submitted { job, work: _, units } = &submitted;
    if arguments.node.json {
        node::say_json(&submitted)?;
    } else {
        node::say(&format!("{name}: {units} units, job {job}"))?;
        if let Profile::Audited(ppb) = profile {
            tell_plan(AuditTerms::new(ppb, Hash::default()).plan(*units as u32))?;
        }
        if !arguments.watch {
            node::say(&format!("watch it: dugnad watch {}", job.short()))?;
        }
    }
    Ok(submitted.job)
}

/// What an audit will cost, before anybody has begun.
fn tell_plan(plan: AuditPlan) -> Result<(), Failure> {
    let AuditPlan { checkers, expected, worst, wrong } = plan;
    node::say(&format!(
        "audited: {checkers} checks a unit to begin with; about {expected:.2} executions a unit if nobody \
         lies, {worst} at most; {wrong:.2} wrong units on average at most"
    ))
}
