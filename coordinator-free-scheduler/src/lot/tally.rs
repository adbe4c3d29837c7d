//! Units of a lot, counted: what they have come to, and what that took.
use crate::{Decision, Standing};

/// What the units that are verified so far cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MeanFuel {
    /// All of it.
    pub sum: u64,
    /// How many vouchers that is.
    pub vouchers: u64,
}

/// Units of a lot by what they have come to, and what it took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Verified, and a success.
    pub verified: u32,
    /// Failed: no verdict to be had, or verified not to succeed.
    pub failed: u32,
    /// Commits.
    pub executions: u32,
}

impl Tally {
    pub(super) fn count(&mut self, before: &Standing, after: &Standing) {
        let verified = |standing: &Standing| match standing.decision {
            Decision::Verified(_) => standing.success as u32,
            Decision::Open | Decision::Failed(_) => 0,
        };
        let failed = |standing: &Standing| match standing.decision {
            Decision::Verified(_) => !standing.success as u32,
            Decision::Failed(_) => 1,
            Decision::Open => 0,
        };
        self.verified = self.verified + verified(after) - verified(before);
        self.failed = self.failed + failed(after) - failed(before);
        self.executions = self.executions + after.executions - before.executions;
    }
}
