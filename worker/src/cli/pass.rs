//! `dugnad pass`: what the sandbox makes of a module before it compiles it, as a file.
use super::{Failure, node};
use crate::exec::{Backend, Sandbox};
use std::path::{Path, PathBuf};

/// What `dugnad pass` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The module.
    module: PathBuf,
    /// Where the metered, NaN-exact module goes.
    #[arg(short, long, value_name = "OUT.wasm")]
    out: PathBuf,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let module = node::read_file(&arguments.module)?;
    // What may not be run is not passed either.
    let passed = looked_over(&arguments.module, |sandbox| sandbox.pass(&module))?;
    let out = arguments.out.display();
    std::fs::write(&arguments.out, passed)
        .map_err(|error| Failure::Failed(format!("cannot write {out}: {error}")))
}

/// What the sandbox finds in the module that `file` holds, or why it can be run nowhere.
pub fn looked_over<T>(
    file: &Path,
    look: impl FnOnce(&Sandbox) -> Result<T, String>,
) -> Result<T, Failure> {
    let sandbox = Sandbox::new(Backend::default());
    let sandbox = sandbox.map_err(|error| Failure::Failed(error.to_string()))?;
    let refused = |why| Failure::Failed(format!("{} cannot be run: {why}", file.display()));
    look(&sandbox).map_err(refused)
}
