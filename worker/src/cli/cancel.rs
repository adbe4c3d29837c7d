//! `dugnad cancel`: stop a job of this node.
use super::Failure;
use super::node::{self, NodeArguments};

/// What `dugnad cancel` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job, by its id or the first digits of it.
    #[arg(value_name = "JOB")]
    job: String,
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    node::block_on(async {
        let grid = arguments.node.connect().await?;
        let status = grid.cancel(grid.find_job(&arguments.job).await?).await?;
        if arguments.node.json {
            return node::say_json(&status);
        }
        let (job, state) = (status.job.short(), status.state);
        node::say(&format!(
            "job {job} is {state}: {} of {} verified",
            status.verified, status.units
        ))
    })
}
