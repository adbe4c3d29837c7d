//! `dugnad new`: a task project that builds, with a test, a job file and a README.
use super::{Failure, node};
use crate::project::{self, Language, ProjectError};
use std::path::PathBuf;

/// What `dugnad new` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The folder of the project; its last part is its name.
    name: PathBuf,
    /// The language it is written in.
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let files = project::begin(&arguments.name, arguments.lang)?;
    let place = arguments.name.display();
    node::say(&format!("{place}: {} files; README.md tells the rest", files.len()))?;
    node::say(&format!("next: dugnad build {place} && dugnad test {place}"))
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Failure {
        match error {
            ProjectError::Job(error) => error.into(),
            ProjectError::Name { .. }
            | ProjectError::Exists { .. }
            | ProjectError::Nothing { .. }
            | ProjectError::Manifest { .. } => Failure::Usage(error.to_string()),
            ProjectError::File { .. }
            | ProjectError::NoCompiler { .. }
            | ProjectError::Compiler { .. }
            | ProjectError::NoModule { .. } => Failure::Failed(error.to_string()),
        }
    }
}
