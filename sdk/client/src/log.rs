//! What a unit says of itself when it is run again.
use crate::{BlobHash, JobId};
use serde::{Deserialize, Serialize};

/// `GET /v1/jobs/ID/units/N/log`: a run of a unit by the node that was asked, for its standard error. Peers
/// do not send theirs; as a unit does the same wherever it runs, this is what they saw.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct UnitLog {
    /// The job.
    pub job: JobId,
    /// The unit.
    pub unit: u32,
    /// How the run ended, in a few words.
    pub outcome: String,
    /// Its exit code, if it has one.
    pub exit_code: Option<u32>,
    /// Instructions that it took.
    pub fuel: u64,
    /// The blob of its output, if it has one. It is not kept.
    pub digest: Option<BlobHash>,
    /// The length of what it wrote to standard output.
    pub output_bytes: u64,
    /// The largest linear memory that it had, bytes.
    pub memory_peak: u64,
    /// How long it ran, seconds.
    pub wall_s: f64,
    /// More about the end, such as where it trapped; empty after a plain exit.
    pub detail: String,
    /// What it wrote to standard error, up to 64 KiB; what is not UTF-8 is replaced.
    pub stderr: String,
}
