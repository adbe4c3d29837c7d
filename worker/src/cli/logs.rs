//! `dugnad logs`: what a unit writes to standard error, by running it again on this machine.
use super::Failure;
use super::node::{self, NodeArguments};
use dugnad_client::UnitLog;

/// What `dugnad logs` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job, by its id or the first digits of it.
    #[arg(value_name = "JOB")]
    job: String,
    /// One of its units, from 0.
    #[arg(value_name = "UNIT")]
    unit: u32,
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let log = node::block_on(async {
        let grid = arguments.node.connect().await?;
        Ok(grid.log(grid.find_job(&arguments.job).await?, arguments.unit).await?)
    })?;
    match arguments.node.json {
        true => node::say_json(&log),
        false => show(&log),
    }
}

/// The unit's own words to standard output, so that they can be piped; how it ended to standard error.
fn show(log: &UnitLog) -> Result<(), Failure> {
    let UnitLog { unit, outcome, fuel, wall_s, .. } = log;
    log.stderr.lines().try_for_each(|line| node::say(&node::printable(line)))?;
    eprintln!("unit {unit}: {outcome}, {fuel} fuel, {wall_s:.2} s here");
    log.detail.lines().for_each(|line| eprintln!("  {}", node::printable(line)));
    Ok(())
}
