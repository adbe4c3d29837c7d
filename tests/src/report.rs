//! What a run came to, in figures.
use serde::Serialize;

/// The figures of a run. The same scenario and seed give the same report.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Report {
    /// Units verified on the first peer's node.
    pub verified: u32,
    /// Units failed there.
    pub failed: u32,
    /// Runs that really happened.
    pub executions: u64,
    /// Verdicts on a wrong answer, on any honest node at any time.
    pub wrong_accepted: u64,
    /// When 99 % of all units were decided on the first peer's node, milliseconds.
    pub most_ms: u64,
    /// When all were, milliseconds.
    pub makespan_ms: u64,
    /// When all honest nodes agreed, milliseconds.
    pub settled_ms: u64,
    /// The work of all units, done as often as the quorum asks, spread evenly, milliseconds.
    pub ideal_ms: u64,
    /// Batches that honest nodes published.
    pub batches: u64,
    /// Bytes of those.
    pub batch_bytes: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// Unit entries that arrived in batches, repeated ones included.
    pub entries: u64,
    /// Inputs handled by nodes.
    pub events: u64,
    /// Nodes killed.
    pub kills: u64,
}

impl Report {
    /// Executions for each unit verified.
    pub fn redundancy(&self) -> f64 {
        self.executions as f64 / f64::from(self.verified.max(1))
    }
}
