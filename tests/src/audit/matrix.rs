//! Many trials of a kind, and what they come to together.
//!
//! ```toml
//! out = "matrix.jsonl"          # one JSON object a cell; what is there is not run again
//! [[block]]
//! scenario = "audited-1e4.toml" # about the rules alone, or about nodes
//! name = "at their best"        # in the table
//! kinds = ["sleeper"]           # default: all; [] for the scenario's own attackers
//! fractions = [0.05, 0.2, 0.3]
//! set = ["peers=200"]           # optional
//! runs = 100                    # seeds, from the scenario's on
//! ```
use super::{Bound, Subject, TrialReport};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A list of trials, block by block.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The file of its results, beside it.
    pub out: PathBuf,
    /// Its blocks.
    pub block: Vec<Block>,
}

/// Trials that have all but their attackers in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What the table calls it.
    pub name: String,
    scenario: PathBuf,
    kinds: Option<Vec<String>>,
    #[serde(default = "one")]
    fractions: Vec<f64>,
    /// Keys of the scenario with other values.
    #[serde(default)]
    pub set: Vec<String>,
    /// Lies that attackers place in all; 0 for the number that pays best.
    #[serde(default)]
    budget: u64,
    /// How many seeds of each.
    pub runs: usize,
}

fn one() -> Vec<f64> {
    vec![0.2]
}

/// A line of the results.
#[derive(Clone, Serialize, Deserialize)]
pub struct Line {
    /// The block's name.
    pub block: String,
    /// What came of it.
    #[serde(flatten)]
    pub cell: Cell,
}

impl Matrix {
    /// Reads a matrix.
    ///
    /// # Errors
    /// Where it is none, in a sentence.
    pub fn load(file: &Path) -> Result<Matrix, String> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| named(&error))?;
        toml::from_str(&text).map_err(|error| named(&error))
    }

    /// The results that are there, where a matrix is read from `file`; a line that a crash cut off is none.
    pub fn known(&self, file: &Path) -> Vec<Line> {
        let known = fs::read_to_string(file.with_file_name(&self.out)).unwrap_or_default();
        known.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Block {
    /// A subject for each kind and share; the scenario's own, if no kind is named. Its file is beside `file`.
    ///
    /// # Errors
    /// A kind or a scenario is none, in a sentence.
    pub fn subjects(&self, file: &Path) -> Result<Vec<Subject>, String> {
        let subject = Subject::load(&file.with_file_name(&self.scenario), &self.set)?;
        let kinds = self.kinds.clone().unwrap_or_else(|| subject.kinds());
        if kinds.is_empty() {
            return Ok(vec![subject]);
        }
        let each = kinds.iter().flat_map(|kind| self.fractions.iter().map(move |of| (kind, *of)));
        each.map(|(kind, of)| subject.attacked(kind, of, self.budget)).collect()
    }
}

/// What so many seeds of one trial come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// What harm is done, by which shares of all weight.
    pub harm: Vec<(String, f64)>,
    /// The policy, and the keys that were set.
    pub set: Vec<String>,
    /// Peers of each.
    pub peers: usize,
    /// Units of each.
    pub units: u32,
    /// The first seed.
    pub seed: u64,
    /// How many, in order.
    pub runs: usize,
    /// Share of wrong units among the accepted.
    pub wrong: Bound,
    /// Executions a unit, on average …
    pub redundancy: f64,
    /// … and at most.
    pub redundancy_most: f64,
    /// Honest peers convicted, in all runs.
    pub honest_banned: usize,
    /// Copies that count, in all runs.
    pub copies_accepted: u64,
    /// Runs that released their job.
    pub released: usize,
    /// Of these the ones that say themselves that they are not what was asked for.
    pub short: usize,
    /// Runs that found their module at fault.
    pub quarantined: usize,
    /// Runs whose certificate others come to; none where nodes say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<usize>,
}

impl Cell {
    /// Whether it is what so many runs of a subject came to.
    pub fn is_of(&self, subject: &Subject, set: &[String], runs: usize) -> bool {
        let of = ((self.peers, self.units, self.seed), self.runs, self.set.as_slice());
        self.harm == subject.harm() && of == (subject.size(), runs, set)
    }

    /// Runs a subject with so many seeds from its own on.
    ///
    /// # Errors
    /// A run came upon a bug.
    pub fn of(
        subject: &Subject,
        set: &[String],
        runs: usize,
        each: impl Fn(),
    ) -> Result<Cell, String> {
        let (peers, units, first) = subject.size();
        let seeds = first..first + runs as u64;
        let reports: Result<Vec<TrialReport>, String> =
            seeds.map(|seed| subject.run(seed).inspect(|_| each())).collect();
        let reports = reports?;
        let sum = |of: fn(&TrialReport) -> f64| reports.iter().map(of).sum::<f64>();
        let released = || reports.iter().filter(|report| report.accepted > 0);
        let shares: Vec<f64> = released().map(|report| report.wrong_share).collect();
        let replayed = || reports.iter().filter_map(|report| report.replayed);
        Ok(Cell {
            harm: subject.harm(),
            set: set.to_vec(),
            peers,
            units,
            seed: first,
            runs,
            // A run that is just missed is taken to be as bad as the attack that pays best.
            wrong: Bound::of(&shares, subject.worst()),
            redundancy: sum(|report| report.redundancy) / runs.max(1) as f64,
            redundancy_most: reports.iter().map(|one| one.redundancy).fold(0.0, f64::max),
            honest_banned: reports.iter().map(|report| report.honest_banned).sum(),
            copies_accepted: reports.iter().map(|report| report.copies_accepted).sum(),
            released: released().count(),
            short: released().filter(|report| !report.achieved).count(),
            quarantined: reports.iter().filter(|report| report.quarantined).count(),
            replayed: replayed().next().map(|_| replayed().filter(|replayed| *replayed).count()),
        })
    }
}
