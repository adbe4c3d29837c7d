//! Verdicts and standings as the API shows them.
use super::status::Standing;
use crate::{
    api::{about_of, profile_of},
    host::arch_name,
    net,
    unit::ending,
};
use coordinator_free_scheduler::{
    Answer, AuditView, JobState, Outcome, Profile, Reproducer, Verdict, Witness,
};
use dugnad_client::{
    AuditStage, AuditStatus, BlobHash, JobStatus, LevelCounts, MachineAnswer, Quarantine,
    RecheckStatus,
};

/// Why a decided unit has no output, in a few words.
pub fn failure(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Open => "not decided yet".into(),
        Verdict::Failed(reason) => reason.to_string(),
        Verdict::Verified { answer, .. } => ending(&answer.outcome),
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
        about: about_of(standing.about),
        submitter: net::peer_id(standing.submitter),
        own: standing.own,
        profile: Some(profile_of(standing.profile)),
        work: dugnad_client::WorkId(standing.work.0.0),
        merge: standing.merge.map(|merge| BlobHash(merge.0)),
        levels: standing.levels.map(|tally| LevelCounts {
            reported: tally.reported.into(),
            checked: tally.checked.into(),
            released: tally.released.into(),
        }),
        audit: standing.audit.map(|view| shown_audit(view, standing.profile)),
        quarantine: standing.quarantine.as_ref().map(quarantine),
        recheck: standing.recheck.map(|view| RecheckStatus {
            share: view.share.into(),
            waiting: view.waiting.into(),
            lost: view.lost.into(),
        }),
    }
}

/// Why a module is at fault, for people.
pub fn quarantine(found: &Reproducer) -> Quarantine {
    let answer = |one: &Witness| MachineAnswer {
        peer: net::peer_id(one.peer),
        arch: arch_name(one.arch),
        answer: answer_words(&one.answer),
        digest: one.answer.output().map(|digest| BlobHash(digest.0)),
    };
    Quarantine { unit: found.own.unit, answers: [&found.own, &found.other].map(answer).into() }
}

/// An answer, in a few words.
pub fn answer_words(answer: &Answer) -> String {
    let fuel = answer.fuel;
    match &answer.outcome {
        Outcome::Exit { code, bytes, .. } => format!("exit {code}, {bytes} bytes, fuel {fuel}"),
        outcome => format!("{}, fuel {fuel}", ending(outcome)),
    }
}

fn shown_audit(view: AuditView, profile: Profile) -> AuditStatus {
    let delegates = match profile {
        Profile::Audited(terms) => terms.delegates().map(net::peer_id).collect(),
        Profile::Quorum { .. } | Profile::Checked => Vec::new(),
    };
    let stage = match view.stage {
        coordinator_free_scheduler::AuditStage::Proving => AuditStage::Proving,
        coordinator_free_scheduler::AuditStage::Executing => AuditStage::Executing,
        coordinator_free_scheduler::AuditStage::Checking => AuditStage::Checking,
        coordinator_free_scheduler::AuditStage::Released => AuditStage::Released,
        coordinator_free_scheduler::AuditStage::Quarantined => AuditStage::Quarantined,
    };
    AuditStatus {
        stage,
        waits_for: waits_for(&view),
        stands_by: view.stands_by,
        delegates,
        members: view.members.into(),
        lost: view.lost.into(),
        own_units: view.own_units.into(),
        pass: view.pass.into(),
        level: f64::from(view.level) / 100.0,
        checks_waiting: view.waiting.into(),
        disputed: view.disputed.into(),
        ringers: view.ringers.0.into(),
        ringers_off: view.ringers.1.into(),
        executions: view.executions,
        achieved: view.achieved,
        estimated_wrong: view.estimate,
    }
}

pub fn waits_for(view: &AuditView) -> String {
    use coordinator_free_scheduler::AuditStage;
    if view.stands_by {
        return "nothing: another signer decides in the stead of this node, or has decided".into();
    }
    match (view.stage, view.waiting, view.disputed) {
        (AuditStage::Proving, ..) => format!(
            "peers to prove themselves: this node computes units itself ({} so far) and compares",
            view.own_units
        ),
        (AuditStage::Executing, ..) => format!("first answers to {} units", view.unexecuted),
        (AuditStage::Checking, 0, 0) => "nothing".into(),
        (AuditStage::Checking, 0, disputed) => {
            format!("this node, to compute {disputed} units itself about which answers differ")
        }
        (AuditStage::Checking, checks, _) => format!("{checks} checks by peers that were drawn"),
        (AuditStage::Released | AuditStage::Quarantined, ..) => "nothing".into(),
    }
}
