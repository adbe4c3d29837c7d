//! `dugnad cell`: this program as one of the processes behind the second wall. The node starts it and
//! speaks with it over its standard streams; nobody else has a use for it.
use crate::exec::cell::{self, Role};
use std::{path::PathBuf, process::ExitCode};

/// What `dugnad cell` takes.
#[derive(clap::Subcommand, Debug)]
pub enum Arguments {
    /// Run guests.
    Run {
        /// The folder of compiled modules.
        folder: PathBuf,
        /// Linear memory that a guest may have at most, MiB.
        memory_mib: u64,
    },
    /// Compile one module.
    Compile {
        /// Its length.
        bytes: u64,
    },
}

pub fn main(arguments: Arguments) -> ExitCode {
    cell::main(&match arguments {
        Arguments::Run { folder, memory_mib } => Role::Run { folder, memory_mib },
        Arguments::Compile { bytes } => Role::Compile { bytes },
    })
}
