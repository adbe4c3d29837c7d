//! `dugnad build`: a task project becomes a module, by a compiler that is here already.
use super::{Failure, inspect, node};
use crate::project;
use std::path::PathBuf;

/// What `dugnad build` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The folder of the project: one with a Cargo.toml, or with .c files.
    #[arg(default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// Print what the module is as JSON.
    #[arg(long)]
    json: bool,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let built = project::build(&arguments.project)?;
    if !arguments.json {
        let (module, compiler) = (built.module.display(), built.compiler);
        node::say(&format!("{module}, by {compiler}"))?;
    }
    inspect::show(&built.module, arguments.json)
}
