//! Many trials of a kind, and what they come to together.
use super::{Bound, Kind, Trial, TrialReport};
use serde::{Deserialize, Serialize};

/// What so many seeds of one trial come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// What harm is done, by which shares of all weight.
    pub harm: Vec<(Kind, f64)>,
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
}

impl Cell {
    /// Whether it is what so many runs of a trial came to.
    pub fn is_of(&self, trial: &Trial, set: &[String], runs: usize) -> bool {
        let of = (self.peers, self.units, self.seed, self.runs, self.set.as_slice());
        self.harm == harm(trial) && of == (trial.peers, trial.units, trial.seed, runs, set)
    }

    /// Runs a trial with so many seeds from its own on.
    pub fn of(trial: &Trial, set: &[String], runs: usize, each: impl Fn()) -> Cell {
        let first = trial.seed;
        let reports: Vec<TrialReport> = (0..runs as u64)
            .map(|seed| {
                let report = super::run("", &Trial { seed: first + seed, ..trial.clone() });
                each();
                report
            })
            .collect();
        let sum = |of: fn(&TrialReport) -> f64| reports.iter().map(of).sum::<f64>();
        let released = || reports.iter().filter(|report| report.accepted > 0);
        let shares: Vec<f64> = released().map(|report| report.wrong_share).collect();
        // A run that is just missed is taken to be as bad as the attack that pays best.
        let worst = trial.budget().min(trial.best_budget()) as f64 / f64::from(trial.units);
        Cell {
            harm: harm(trial),
            set: set.to_vec(),
            peers: trial.peers,
            units: trial.units,
            seed: first,
            runs,
            wrong: Bound::of(&shares, worst),
            redundancy: sum(|report| report.redundancy) / runs.max(1) as f64,
            redundancy_most: reports.iter().map(|one| one.redundancy).fold(0.0, f64::max),
            honest_banned: reports.iter().map(|report| report.honest_banned).sum(),
            copies_accepted: reports.iter().map(|report| report.copies_accepted).sum(),
            released: released().count(),
            short: released().filter(|report| !report.achieved).count(),
            quarantined: reports.iter().filter(|report| report.quarantined).count(),
        }
    }
}

fn harm(trial: &Trial) -> Vec<(Kind, f64)> {
    trial.attacker.iter().map(|one| (one.kind, one.fraction)).collect()
}
