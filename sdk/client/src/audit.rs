//! What a node tells of how the answers to a job are proved: by its audit, or by units computed again.
use crate::BlobHash;
use serde::{Deserialize, Serialize};

/// What the audit of a job is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditStage {
    /// The submitter's node finds out whom to trust, by computing some units itself.
    Proving,
    /// Units wait for their first answers.
    Executing,
    /// Units wait for their checks, or disputes for the submitter's node.
    Checking,
    /// The answers are known.
    Released,
    /// The module is at fault, and the job at its end.
    Quarantined,
}

/// Why a job's module is at fault: a unit that comes to different things on machines of one donor's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Quarantine {
    /// The unit.
    pub unit: u32,
    /// What it came to: on the node that found out, then on another machine.
    pub answers: Vec<MachineAnswer>,
}

/// What a unit came to on one machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MachineAnswer {
    /// The machine's node.
    pub peer: String,
    /// The class of its processor, such as `x86-64-v3`.
    pub arch: String,
    /// How it ended, and the fuel that it took.
    pub answer: String,
    /// The BLAKE3 of its output, if it has one.
    pub digest: Option<BlobHash>,
}

/// Where the audit of a job is, by the node that submitted it, or a delegate that stepped in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuditStatus {
    /// What it is at.
    pub stage: AuditStage,
    /// What it waits for, in words.
    pub waits_for: String,
    /// Whether another node decides in the stead of this one just now.
    #[serde(default)]
    pub stands_by: bool,
    /// Peers that may decide when the submitter's node is silent, in this order.
    #[serde(default)]
    pub delegates: Vec<String>,
    /// Peers that are trusted with the job.
    pub members: u64,
    /// Peers whose word counts no more.
    pub lost: u64,
    /// Units that the submitter's node computed itself.
    pub own_units: u64,
    /// The pass, from 0: another one follows where too many lies were found.
    pub pass: u64,
    /// Checkers that each unit has on average.
    pub level: f64,
    /// Checks that are to come.
    pub checks_waiting: u64,
    /// Units about which answers differ, and that the submitter's node computes itself.
    pub disputed: u64,
    /// Units whose outputs the submitter knew beforehand.
    #[serde(default)]
    pub ringers: u64,
    /// Those of them where the module itself has another output: nobody is blamed for these.
    #[serde(default)]
    pub ringers_off: u64,
    /// Executions that count so far.
    pub executions: u64,
    /// Whether it was released with as few wrong units as was asked for, and every check made.
    pub achieved: bool,
    /// Wrong units expected among the released; absent until then.
    pub estimated_wrong: Option<f64>,
}

/// How far the node that submitted a job is with computing some of its units again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecheckStatus {
    /// The share of the units, percent; it doubles with each peer that is found wrong.
    pub share: u64,
    /// Units that wait for it.
    pub waiting: u64,
    /// Peers whose word counts no more.
    pub lost: u64,
}
