//! What an audit is expected to cost, before it begins.
use super::proofs::quota;
use crate::{AuditTerms, verify::audited::first_level};

/// The price of an audited job, in executions a unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AuditPlan {
    /// Checkers that each unit has on average to begin with.
    pub checkers: f64,
    /// If nobody lies, and the owner knows nobody yet.
    pub expected: f64,
    /// The most: then the job is released with the error that was achieved.
    pub worst: f64,
    /// Wrong units among all, at most, on average.
    pub wrong: f64,
}

impl AuditTerms {
    /// What a job of so many units is expected to cost.
    pub fn plan(self, units: u32) -> AuditPlan {
        let max_error = f64::from(self.max_error_ppb) / 1e9;
        let friends = f64::from(self.friends_percent) / 100.0;
        let checkers = first_level(units, max_error, friends).checkers();
        let own = quota(units) as f64 / f64::from(units.max(1));
        // What the owner computed itself needs no checkers.
        let expected = 1.0 + own + checkers * (1.0 - own);
        let wrong = max_error * f64::from(units);
        AuditPlan { checkers, expected, worst: self.cost_max.into(), wrong }
    }
}
