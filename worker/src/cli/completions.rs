//! `dugnad completions`: what a shell needs to complete the commands.
use super::Failure;
use clap_complete::Shell;
use std::io;

/// What `dugnad completions` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

pub fn main(arguments: &Arguments, mut command: clap::Command) -> Result<(), Failure> {
    clap_complete::generate(arguments.shell, &mut command, "dugnad", &mut io::stdout());
    Ok(())
}
