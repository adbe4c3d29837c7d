//! The command line: one file a command, exit codes in one place.
mod build;
mod bundle;
mod cancel;
mod cell;
mod completions;
mod demo;
mod exec;
mod explain;
mod fetch;
mod inspect;
mod invite;
mod jobs;
mod key;
mod logs;
mod new;
mod node;
mod pass;
mod peers;
mod print;
mod run;
mod status;
mod submit;
mod test;
mod verify;
mod watch;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Volunteer computing with nobody in the middle.
#[derive(Parser, Debug)]
#[command(name = "dugnad", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lend this machine's idle processors to the grid.
    Run(Box<run::Arguments>),
    /// Start a whole grid on this machine and watch it work.
    Demo(demo::Arguments),
    /// Begin a task project, in Rust or C.
    New(new::Arguments),
    /// Build a task project with the compiler that is here, or say what to install.
    Build(build::Arguments),
    /// Try some units of a job on this machine, and say what makes it unfit for a grid.
    Test(test::Arguments),
    /// Put a job with all that it needs into one file.
    Bundle(bundle::Arguments),
    /// Submit a job.
    Submit(submit::Arguments),
    /// Watch a job until it ends.
    Watch(watch::Arguments),
    /// Get the outputs of a job.
    Fetch(fetch::Arguments),
    /// Check a fetched job offline: its certificate and every output.
    Verify(verify::Arguments),
    /// Show the node, or one job.
    Status(status::Arguments),
    /// List the jobs of the grid: for whom, and what for.
    Jobs(jobs::Arguments),
    /// Tell why a job, or one unit, stands where it stands, and what it waits for.
    Explain(explain::Arguments),
    /// Show what a unit writes to standard error, by running it again here.
    Logs(logs::Arguments),
    /// Show the peers of the node.
    Peers(peers::Arguments),
    /// Stop a job of this node.
    Cancel(cancel::Arguments),
    /// Run one unit here, in the very sandbox of the grid.
    Exec(exec::Arguments),
    /// Show what a module uses, and what metering puts into it.
    Inspect(inspect::Arguments),
    /// Write a module as it is compiled: metered, its NaNs exact.
    Pass(pass::Arguments),
    /// Print a line that lets another machine join this node's grid.
    Invite(invite::Arguments),
    /// Show the key of this node, or link it with other machines of yours.
    Key(key::Arguments),
    /// Print completions for a shell.
    Completions(completions::Arguments),
    /// Run guests for a node, which starts it and speaks with it.
    #[command(subcommand, hide = true)]
    Cell(cell::Arguments),
}

/// Why a command ended without success; its exit code is part of the interface.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NoNode(String),
    #[error("{0}")]
    FailedUnits(String),
    #[error("{0}")]
    Verification(String),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Failed(_) => 1,
            Failure::Usage(_) => 2,
            Failure::NoNode(_) => 3,
            Failure::FailedUnits(_) => 4,
            Failure::Verification(_) => 5,
            Failure::Interrupted => 130,
        }
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run::main(*arguments),
        Command::Demo(arguments) => demo::main(arguments),
        Command::New(arguments) => new::main(arguments),
        Command::Build(arguments) => build::main(arguments),
        Command::Test(arguments) => test::main(arguments),
        Command::Bundle(arguments) => bundle::main(arguments),
        Command::Submit(arguments) => submit::main(arguments),
        Command::Watch(arguments) => watch::main(arguments),
        Command::Fetch(arguments) => fetch::main(arguments),
        Command::Verify(arguments) => verify::main(arguments),
        Command::Status(arguments) => status::main(arguments),
        Command::Jobs(arguments) => jobs::main(arguments),
        Command::Explain(arguments) => explain::main(arguments),
        Command::Logs(arguments) => logs::main(arguments),
        Command::Peers(arguments) => peers::main(arguments),
        Command::Cancel(arguments) => cancel::main(arguments),
        Command::Exec(arguments) => exec::main(arguments),
        Command::Inspect(arguments) => inspect::main(arguments),
        Command::Pass(arguments) => pass::main(arguments),
        Command::Invite(arguments) => invite::main(arguments),
        Command::Key(arguments) => key::main(arguments),
        Command::Completions(arguments) => completions::main(&arguments, Arguments::command()),
        Command::Cell(arguments) => return cell::main(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("dugnad: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
