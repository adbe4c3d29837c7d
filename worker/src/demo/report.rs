//! What a demo came to, for programs.
use super::task::Checked;
use crate::cli::Failure;
use serde::Serialize;
use std::path::Path;

/// The report; its fields are an interface.
#[derive(Clone, Serialize, Debug)]
pub struct Report {
    pub task: String,
    pub seed: u64,
    pub nodes: u32,
    pub units: u64,
    pub verified: u64,
    pub failed: u64,
    /// Runs that really happened, summed from the nodes.
    pub executions: u64,
    pub redundancy: f64,
    /// From the accepted submission to the last verified unit.
    pub wall_s: f64,
    pub verified_per_s: f64,
    /// Verified outputs that the reference contradicts.
    pub wrong_accepted: u64,
    pub liars: Vec<Liar>,
    pub honest_banned: u64,
    pub output_digest: Option<String>,
    pub version: String,
}

/// A node that was told to lie.
#[derive(Clone, Serialize, Debug)]
pub struct Liar {
    pub peer: String,
    pub caught: bool,
}

impl Report {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Failure::Failed(error.to_string()))?;
        std::fs::write(path, text + "\n")
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    }

    /// What it means for the exit code.
    ///
    /// # Errors
    /// Not every unit is verified, or something is not right.
    pub fn verdict(&self, checked: &Checked) -> Result<(), Failure> {
        if self.verified < self.units {
            let problem =
                format!("{} of {} units were not verified", self.units - self.verified, self.units);
            return Err(Failure::FailedUnits(problem));
        }
        match &checked.problem {
            Some(problem) => Err(Failure::Verification(problem.clone())),
            None => Ok(()),
        }
    }
}
