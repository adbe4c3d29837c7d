//! What trials come to, and how sure that is.
use serde::{Deserialize, Serialize};

/// What is counted in a trial.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub accepted: u64,
    pub wrong: u64,
    pub executions: u64,
    pub honest_banned: usize,
    pub liars_convicted: usize,
    pub copies_accepted: u64,
    pub quarantined: bool,
    pub passes: u32,
    pub level: f64,
    pub estimate: f64,
    pub achieved: bool,
    pub replayed: Option<bool>,
}

/// The figures of a trial. The same trial and seed give the same, on every machine.
#[derive(Clone, Debug, Serialize)]
pub struct TrialReport {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Peers, attackers included.
    pub peers: usize,
    /// Units of the job.
    pub units: u32,
    /// Units released.
    pub accepted: u64,
    /// Of these with a wrong answer.
    pub wrong_accepted: u64,
    /// The one by the other.
    pub wrong_share: f64,
    /// Executions, the owner's with them.
    pub executions: u64,
    /// Executions for each accepted unit; for each there is, where none is accepted.
    pub redundancy: f64,
    /// Peers that were found out.
    pub liars_convicted: usize,
    /// Honest peers convicted.
    pub honest_banned: usize,
    /// Answers that count though they were copied.
    pub copies_accepted: u64,
    /// Whether the module was found to compute different things on different processors.
    pub quarantined: bool,
    /// Passes.
    pub passes: u32,
    /// Checkers of a unit, on average, at the end.
    pub level: f64,
    /// Wrong units that the rules expect to be left.
    pub estimated_wrong: f64,
    /// Whether that is within what was asked for.
    pub achieved: bool,
    /// Whether others came to the same by what was said; none where nobody says anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<bool>,
}

impl TrialReport {
    pub(super) fn new(
        scenario: &str,
        (seed, peers, units): (u64, usize, u32),
        counted: &Counted,
    ) -> TrialReport {
        let accepted = match counted.accepted {
            0 => f64::from(units),
            accepted => accepted as f64,
        };
        TrialReport {
            scenario: scenario.to_owned(),
            seed,
            peers,
            units,
            accepted: counted.accepted,
            wrong_accepted: counted.wrong,
            wrong_share: counted.wrong as f64 / accepted,
            executions: counted.executions,
            redundancy: counted.executions as f64 / accepted,
            liars_convicted: counted.liars_convicted,
            honest_banned: counted.honest_banned,
            copies_accepted: counted.copies_accepted,
            quarantined: counted.quarantined,
            passes: counted.passes,
            level: counted.level,
            estimated_wrong: counted.estimate,
            achieved: counted.achieved,
            replayed: counted.replayed,
        }
    }
}

/// A mean over runs with its one-sided upper bound of 95 %.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Bound {
    /// Over all runs.
    pub mean: f64,
    /// What the true mean is below, with 95 %.
    pub upper: f64,
}

impl Bound {
    /// Of shares of wrong units. Lies come in clusters: a run lets some through, or none. So runs are what
    /// is counted, and not units: the share of bad runs with its bound of Clopper and Pearson (1934), times
    /// what a bad run lets through; at least the bound of a normal distribution. Where no run was bad, one
    /// is taken to be as bad as `worst`.
    pub fn of(shares: &[f64], worst: f64) -> Bound {
        let runs = shares.len().max(1) as f64;
        let sum: f64 = shares.iter().sum();
        let mean = sum / runs;
        let variance = shares.iter().map(|share| (share - mean) * (share - mean)).sum::<f64>();
        let deviation = libm::sqrt(variance / (runs - 1.0).max(1.0));
        let normal = mean + 1.645 * deviation / libm::sqrt(runs);
        let bad = shares.iter().filter(|share| **share > 0.0).count();
        let each = if bad > 0 { sum / bad as f64 } else { worst };
        Bound { mean, upper: normal.max(share_at_most(bad, shares.len().max(1)) * each) }
    }
}

/// The share of which so many of `runs` are too few with 95 %.
fn share_at_most(bad: usize, runs: usize) -> f64 {
    let (mut low, mut high) = (bad as f64 / runs as f64, 1.0);
    for _ in 0..50 {
        let share = (low + high) / 2.0;
        // P(X ≤ bad), term by term.
        let mut term = libm::pow(1.0 - share, runs as f64);
        let mut sum = term;
        for k in 1..=bad {
            term *= (runs - k + 1) as f64 / k as f64 * share / (1.0 - share);
            sum += term;
        }
        if sum > 0.05 { low = share } else { high = share }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::share_at_most;

    #[test]
    fn bounds_are_those_of_the_tables() {
        assert!((share_at_most(0, 100) - 0.0295).abs() < 1e-3);
        assert!((share_at_most(5, 100) - 0.1023).abs() < 1e-3);
        assert!(share_at_most(100, 100) > 0.999);
    }
}
