//! The JSON that node and client exchange. Fields are added, never renamed.
use crate::{
    About, AuditStatus, BlobHash, JobId, LevelCounts, Profile, Quarantine, RecheckStatus, WorkId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

/// Most hashes of inputs that a job request carries itself; beyond, they go into an input list.
pub const INPUTS_INLINE_MAX: usize = 4_096;

/// `POST /v1/jobs`: what is to be computed. Blobs are uploaded before.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "About::is_empty")]
    pub about: About,
    /// The blob of the wasm module.
    pub module: BlobHash,
    /// Seeds what the guest draws at random.
    #[serde(default)]
    pub seed: u64,
    /// Arguments of every unit.
    #[serde(default)]
    pub args: Vec<String>,
    /// The environment of every unit.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What a run may use.
    #[serde(default)]
    pub limits: LimitsRequest,
    /// How much proof makes a unit verified; where it is absent, the node takes [`Profile::unsaid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Who may decide about an audited job when this node is silent, as peer ids, at most four; absent: two
    /// whom the node knows well, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegates: Option<Vec<String>>,
    /// Silence of this node after which the first of them does, seconds; absent: ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate_after_s: Option<NonZeroU16>,
    /// How much it weighs beside other jobs, 1 to 100; nodes share their time by it.
    #[serde(default = "usual_priority")]
    pub priority: u8,
    /// Seconds after its submission by which it should be done; 0 for whenever.
    #[serde(default)]
    pub deadline_s: u32,
    /// The blob of the module that merges the outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<BlobHash>,
    /// The units.
    pub units: UnitsRequest,
    /// Units of an audited job that have some checkers in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkers: Vec<LeastCheckers>,
    /// Units of an audited job whose outputs the submitter knows, and nobody is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ringers: Vec<Ringer>,
    /// Do not look the module over: what no node can run fails unit by unit. For tests.
    #[serde(default)]
    pub unchecked: bool,
    /// Compute it again even if this node has submitted the same work before.
    #[serde(default)]
    pub again: bool,
}

/// Units that matter more than others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastCheckers {
    /// The first of them.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// Checkers that each of them has at least, 1 to 16.
    pub least: u8,
}

/// A unit whose output is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ringer {
    /// Which.
    pub unit: u32,
    /// The BLAKE3 hash of its standard output.
    pub output: BlobHash,
}

fn usual_priority() -> u8 {
    1
}

/// The units of a job request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitsRequest {
    /// That many; standard input is the index in decimal and a newline.
    Count(u32),
    /// One for each blob, which is its standard input; at most [`INPUTS_INLINE_MAX`].
    Inputs(Vec<BlobHash>),
    /// One for each 32 bytes of this blob, which are the hash of its standard input.
    InputList(BlobHash),
}

/// What a run may use; what is absent is the node's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsRequest {
    /// Instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Linear memory, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// Standard output, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// The answer to `POST /v1/jobs`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Submitted {
    /// The job.
    pub job: JobId,
    /// What it computes; the same for everybody who asks for the same.
    pub work: WorkId,
    /// How many units it has.
    pub units: u64,
    /// How much proof makes a unit verified: as asked for, or as the node chose.
    pub profile: Profile,
    /// Whether the node had submitted it before: then it goes on, or is done.
    #[serde(default)]
    pub known: bool,
}

/// How far a job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Units are still open.
    Running,
    /// Every unit is verified.
    Done,
    /// Every unit has ended, some of them failed.
    Failed,
    /// Its owner stopped it.
    Cancelled,
}

impl JobState {
    /// Whether nothing more will change.
    pub fn has_ended(self) -> bool {
        match self {
            JobState::Running => false,
            JobState::Done | JobState::Failed | JobState::Cancelled => true,
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        })
    }
}

/// `GET /v1/jobs/ID`: how far a job is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobStatus {
    /// The job.
    pub job: JobId,
    /// How far it is.
    pub state: JobState,
    /// How many units it has.
    pub units: u64,
    /// Units with an answer that may be relied on.
    pub verified: u64,
    /// Units that will have none.
    pub failed: u64,
    /// Units somebody works on now, as far as this node knows.
    pub running: u64,
    /// Units nobody works on yet.
    pub queued: u64,
    /// Executions that this node has heard of.
    pub executions: u64,
    /// BLAKE3 of all outputs in unit order; absent until the job is done.
    pub output_digest: Option<BlobHash>,
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "About::is_empty")]
    pub about: About,
    /// The peer id of the node that submitted it.
    #[serde(default)]
    pub submitter: String,
    /// Whether that is this node.
    #[serde(default)]
    pub own: bool,
    /// How much proof makes a unit verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What it computes.
    pub work: WorkId,
    /// The blob of the module that merges its outputs, if any.
    #[serde(default)]
    pub merge: Option<BlobHash>,
    /// Its units by how far their answers are proved, if it is this node's own.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub levels: Option<LevelCounts>,
    /// Where its audit is, if it is audited and of this node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditStatus>,
    /// Why its module is at fault, if an audit has found that it is: then the job has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// How far this node is with computing units again, if it submitted the job so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<RecheckStatus>,
}

/// `GET /v1/status`: how the node is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its peer id.
    pub peer: String,
    /// Its version.
    pub version: String,
    /// The contract of execution that it keeps.
    pub engine: String,
    /// Whether it takes part in the grid.
    pub ready: bool,
    /// Whether anybody may join its grid: it has no network key.
    #[serde(default)]
    pub open: bool,
    /// Hashes of proof of work that a job costs for each unit; 0 where it costs none.
    #[serde(default)]
    pub work_factor: u32,
    /// Where peers can reach it.
    pub addresses: Vec<String>,
    /// Connected peers.
    pub peers: u64,
    /// Cores that it lends.
    pub cores: u32,
    /// Units that it has run.
    pub units_executed: u64,
    /// Units that it holds for verified.
    pub units_verified: u64,
    /// Units that it holds for failed.
    pub units_failed: u64,
    /// Instructions that it has run.
    pub fuel: u64,
    /// Units that it runs now.
    pub executions_in_flight: u64,
    /// Jobs that it knows.
    pub jobs: u64,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Bytes in its store.
    pub store_bytes: u64,
    /// The walls around the units that it runs: `process`, `memory`, `landlock`, `seccomp`, as far as
    /// this machine has them; none before it has begun to run units.
    #[serde(default)]
    pub walls: Vec<String>,
    /// What it waits for, in a sentence; absent when all is well.
    pub waiting: Option<String>,
}

/// How a peer stands to this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// In touch now.
    Connected,
    /// Known, not in touch.
    Away,
    /// Shut out for its deeds, from one submitter's jobs or from all.
    Barred,
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PeerState::Connected => "connected",
            PeerState::Away => "away",
            PeerState::Barred => "barred",
        })
    }
}

/// One entry of `GET /v1/peers`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its peer id.
    pub peer: String,
    /// Its addresses.
    pub addrs: Vec<String>,
    /// This node's own opinion, −1 (caught lying) to 1.
    pub reputation: f64,
    /// How it stands to this node.
    pub state: PeerState,
    /// Answers that agreed with a verdict.
    #[serde(default)]
    pub agreed: u64,
    /// Answers that a verdict proved wrong.
    #[serde(default)]
    pub disagreed: u64,
    /// Commits that were never opened.
    #[serde(default)]
    pub silent: u64,
    /// Agreed fuel.
    #[serde(default)]
    pub credit: u64,
}

/// The answer to `POST /v1/blobs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredBlob {
    /// Its name.
    pub blob: BlobHash,
    /// Its length.
    pub bytes: u64,
}

/// The answer to `POST /v1/blobs/batch`, in the order of the frames.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredBatch {
    /// Their names.
    pub blobs: Vec<BlobHash>,
}

/// The answer to `GET /v1/invite`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Invite {
    /// The line that lets another machine join.
    pub invite: String,
}

/// The body of every answer that is not a success.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// What was wrong and what to do.
    pub error: String,
}
