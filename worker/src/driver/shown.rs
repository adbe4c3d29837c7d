//! Verdicts and standings as the API shows them.
use super::status::Standing;
use crate::telemetry::outcome_kind;
use coordinator_free_scheduler::{JobState, Outcome, Verdict};
use dugnad_client::{BlobHash, JobStatus};

/// Why a decided unit has no output, in a few words.
pub fn failure(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Open => "not decided yet".into(),
        Verdict::Failed(reason) => reason.to_string(),
        Verdict::Verified { answer, .. } => match &answer.outcome {
            Outcome::Exit { code, .. } => format!("exit code {code}"),
            Outcome::Trap(class) => format!("trap: {class:?}"),
            Outcome::Invalid(reason) => format!("invalid module: {reason:?}"),
            other => outcome_kind(other).replace('_', " "),
        },
    }
}

pub fn shown(standing: Standing) -> JobStatus {
    let status = standing.status;
    JobStatus {
        job: dugnad_client::JobId(standing.job.0.0),
        state: match status.state {
            JobState::Running => dugnad_client::JobState::Running,
            JobState::Done => dugnad_client::JobState::Done,
            JobState::Failed => dugnad_client::JobState::Failed,
            JobState::Cancelled => dugnad_client::JobState::Cancelled,
        },
        units: status.units.into(),
        verified: status.verified.into(),
        failed: status.failed.into(),
        running: status.running.into(),
        queued: status.queued.into(),
        executions: status.executions.into(),
        output_digest: standing.output_digest.map(|digest| BlobHash(digest.0)),
        name: standing.name,
        work: dugnad_client::WorkId(standing.work.0.0),
        merge: standing.merge.map(|merge| BlobHash(merge.0)),
    }
}
