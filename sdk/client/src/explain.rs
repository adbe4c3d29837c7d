//! The JSON that says why a job, or a unit, stands where it stands. Fields are added, never renamed.
use crate::{AuditStatus, BlobHash, JobId, JobState, Quarantine};
use serde::{Deserialize, Serialize};
use std::fmt;

/// `GET /v1/jobs/ID/explain`: why a job stands where it stands, by what one node knows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobStory {
    /// The job.
    pub job: JobId,
    /// What people call it.
    pub name: String,
    /// How far it is.
    pub state: JobState,
    /// How much proof makes a unit verified, as in a job request.
    pub profile: String,
    /// No unit: that is another request.
    pub unit: Option<u32>,
    /// How many units it has.
    pub units: u64,
    /// Units with an answer that may be relied on.
    pub verified: u64,
    /// Units that will have none.
    pub failed: u64,
    /// Units somebody works on now.
    pub running: u64,
    /// Units nobody works on.
    pub queued: u64,
    /// Why it stands there, in a word for programs; `none` where nothing is waited for.
    pub reason: String,
    /// The same in a sentence: what it waits for.
    pub text: String,
    /// What would end the wait, if anything does.
    pub until: Option<String>,
    /// Its gossip lots.
    pub lots: Vec<LotStory>,
    /// Who took part, in the lots that the node is in; those with the most commits first.
    pub peers: Vec<PartStory>,
    /// Where its audit is, if it is audited and of the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditStatus>,
    /// Why its module is at fault, if an audit has found that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
}

/// A range of a job's units whose statements travel together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LotStory {
    /// Which.
    pub lot: u32,
    /// Its first unit.
    pub first: u32,
    /// How many it has.
    pub units: u64,
    /// Verified.
    pub verified: u64,
    /// Failed.
    pub failed: u64,
    /// In somebody's hands.
    pub claimed: u64,
    /// Wanting a run that nobody is on, and that the node may give.
    pub open: u64,
    /// Other peers that are on some unit.
    pub workers: u64,
    /// Commits.
    pub executions: u64,
    /// Whether the node is in it; of others it tells what it heard.
    pub here: bool,
}

/// What a peer did for a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartStory {
    /// Its peer id.
    pub peer: String,
    /// Units that it answered, or tried to.
    pub commits: u64,
    /// Answers that carry a verdict.
    pub right: u64,
    /// Answers that a verdict proved wrong.
    pub wrong: u64,
    /// Whether the node counts on it.
    pub counts: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// Its weight on the roster of an audited job, if it is on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

/// `GET /v1/jobs/ID/units/N/explain`: why a unit stands where it stands, by what one node knows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct UnitStory {
    /// The job.
    pub job: JobId,
    /// The unit.
    pub unit: u32,
    /// What it has come to.
    pub state: UnitState,
    /// Why it stands there, in a word for programs; `none` where nothing is waited for.
    pub reason: String,
    /// The same in a sentence: what it waits for.
    pub text: String,
    /// What would end the wait, if anything does.
    pub until: Option<String>,
    /// Who committed to it.
    pub vouchers: Vec<VoucherStory>,
    /// Who says to be on it.
    pub claims: Vec<String>,
    /// Who could not run it.
    pub voids: Vec<VoidStory>,
    /// Who was drawn to check it.
    pub drawn: Vec<DrawStory>,
    /// Whose commits the owner of the audited job refused.
    pub refused: Vec<String>,
    /// Whether the owner of the audited job computed it itself.
    pub own: bool,
}

/// What a unit has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// Not decided.
    Open,
    /// It has an output that may be relied on.
    Verified,
    /// It will have none.
    Failed,
}

/// What a peer said of a unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VoucherStory {
    /// Its peer id.
    pub peer: String,
    /// How far its answer is.
    pub state: VoucherState,
    /// The answer, in words; absent until it is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The blob of the output that it names, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<BlobHash>,
    /// How many of the others' commits it cites.
    pub cites: u32,
    /// Whether the node counts it.
    pub counts: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// What the unit says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<MarkState>,
}

/// How far a peer's answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoucherState {
    /// Committed to.
    Sealed,
    /// Shown.
    Opened,
    /// It said two different things.
    Contradictory,
}

/// What a unit says of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkState {
    /// Its answer carries the verdict.
    Right,
    /// Its answer is not the one that the unit came to.
    Wrong,
}

/// Somebody who could not run a unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VoidStory {
    /// Its peer id.
    pub peer: String,
    /// Why, in words.
    pub reason: String,
}

/// Somebody who was drawn to check a unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DrawStory {
    /// Its peer id.
    pub peer: String,
    /// Whether it did not answer, and is waited for no more.
    pub silent: bool,
}

impl fmt::Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            UnitState::Open => "open",
            UnitState::Verified => "verified",
            UnitState::Failed => "failed",
        })
    }
}

impl fmt::Display for VoucherState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            VoucherState::Sealed => "sealed",
            VoucherState::Opened => "opened",
            VoucherState::Contradictory => "contradictory",
        })
    }
}

impl fmt::Display for MarkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            MarkState::Right => "right",
            MarkState::Wrong => "wrong",
        })
    }
}
