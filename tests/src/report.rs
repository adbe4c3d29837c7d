//! What a run came to, in figures.
use serde::Serialize;

/// What is counted while a run goes.
#[derive(Clone, Default, Debug)]
pub struct Counters {
    /// Runs that ended.
    pub executions: u64,
    /// Verdicts on a wrong answer, on any honest node at any time.
    pub wrong_accepted: u64,
    /// When all units were decided on their submitters' nodes, microseconds.
    pub decided_us: u64,
    /// Of each job.
    pub jobs: Vec<JobCount>,
    /// Slots' time that runs took, microseconds, cut-off ones included.
    pub busy_us: u64,
    /// The part of it that went into one of the first `quorum` answers of a unit.
    pub useful_us: u64,
    /// Units of the lots that nodes took part in, submitters aside, each lot once for each node.
    pub units_heard: u64,
    /// Messages that arrived at nodes, submitters aside.
    pub messages: u64,
    /// Their bytes.
    pub message_bytes: u64,
    /// Inputs handled by nodes.
    pub events: u64,
    /// Nodes killed.
    pub kills: u64,
    /// The most that a node's state was seen to take, bytes.
    pub state_bytes: u64,
}

/// What is counted of one job.
#[derive(Clone, Default, Debug)]
pub struct JobCount {
    /// When it was submitted, microseconds.
    pub submitted_us: u64,
    /// When all of it was decided on its submitter's node, microseconds; 0 for not yet.
    pub decided_us: u64,
    /// Slots' time that its runs took while there was open work in all jobs.
    pub busy_us: u64,
}

/// One job among several.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct JobReport {
    /// How much it weighs.
    pub priority: u8,
    /// Its share of the time that runs took while there was open work in all jobs.
    pub share: f64,
    /// Its share of all weights.
    pub weight_share: f64,
    /// From its submission until all of it was decided.
    pub makespan_s: f64,
    /// When it was to be done, from its submission; 0 for whenever.
    pub deadline_s: u32,
    /// Whether it was; none without a deadline.
    pub deadline_met: Option<bool>,
}

/// The figures of a run. The same scenario and seed give the same report, on every machine.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Peers, attackers included.
    pub peers: usize,
    /// Units of all jobs.
    pub units: u64,
    /// Units verified on their submitter's node.
    pub accepted: u64,
    /// Of those, with a wrong answer, there or on any other honest node.
    pub wrong_accepted: u64,
    /// Units failed there.
    pub failed: u64,
    /// Runs that ended.
    pub executions: u64,
    /// Executions for each accepted unit.
    pub redundancy: f64,
    /// From the first submission until every unit was decided, seconds.
    pub makespan_s: f64,
    /// The same of a scheduler that knows everything beforehand, and sends nothing.
    pub ideal_makespan_s: f64,
    /// The one over the other.
    pub makespan_ratio: f64,
    /// The same of a central scheduler that does not know what units cost.
    pub blind_central_ratio: f64,
    /// Share of all running time that went into runs beyond the quorum, or was cut off.
    pub wasted_share: f64,
    /// Peers that answer wrong.
    pub liars: usize,
    /// Those among them that the first submitter's node has barred.
    pub liars_convicted: usize,
    /// Honest peers barred by any honest node.
    pub honest_banned: usize,
    /// Vouchers of copiers that carry a verdict.
    pub copies_accepted: u64,
    /// Messages that a peer receives for each unit of the lots that it takes part in. The
    /// submitters, who are in all lots, are left out, here and in what follows.
    pub messages_per_unit: f64,
    /// Bytes that a peer receives for each such unit.
    pub bytes_per_unit_per_peer: f64,
    /// The most that a node's state was seen to take, bytes.
    pub peak_state_bytes_per_peer: u64,
    /// Inputs handled by nodes.
    pub events: u64,
    /// Nodes killed.
    pub kills: u64,
    /// Each job, where there are several or one has a deadline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobReport>,
}
