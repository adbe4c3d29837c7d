//! What the node of memory says of its jobs and units: little, but of each kind something.
use crate::UnitOutput;
use dugnad_client::explain::{
    DrawStory, JobStory, LotStory, MarkState, PartStory, UnitState, UnitStory, VoidStory,
    VoucherState, VoucherStory,
};
use dugnad_client::{BlobHash, JobId, JobStatus, UnitLog};

const PEER: &str = "neighbour";

/// A job that waits for a neighbour.
pub fn of_job(status: &JobStatus) -> JobStory {
    let JobStatus { units, verified, failed, running, queued, executions, .. } = *status;
    let lot = LotStory {
        lot: 0,
        first: 0,
        units,
        verified,
        failed,
        claimed: running,
        open: queued,
        workers: 1,
        executions,
        here: true,
    };
    let peer = PartStory {
        peer: PEER.into(),
        commits: executions,
        right: verified,
        wrong: 0,
        counts: true,
        why_not: None,
        weight: None,
    };
    JobStory {
        job: status.job,
        name: status.name.clone(),
        state: status.state,
        profile: "quorum=2".into(),
        units,
        verified,
        failed,
        running,
        queued,
        unit: None,
        reason: "units".into(),
        text: "waits for a neighbour".into(),
        until: Some("it answers".into()),
        lots: vec![lot],
        peers: vec![peer],
        audit: None,
        quarantine: None,
    }
}

/// A unit that one neighbour has committed to, or shown if it is verified.
pub fn of_unit(job: JobId, unit: u32, output: &UnitOutput) -> UnitStory {
    let sealed = VoucherStory {
        peer: PEER.into(),
        state: VoucherState::Sealed,
        answer: None,
        digest: None,
        cites: 0,
        counts: false,
        why_not: Some("it is shy".into()),
        mark: None,
    };
    let (state, voucher) = match output {
        UnitOutput::Open => (UnitState::Open, sealed),
        UnitOutput::Failed(_) => (UnitState::Failed, sealed),
        UnitOutput::Verified(bytes) => {
            let opened = VoucherStory {
                state: VoucherState::Opened,
                answer: Some(format!("exit 0, {} bytes, fuel 1", bytes.len())),
                digest: Some(BlobHash::of(bytes)),
                cites: 1,
                counts: true,
                why_not: None,
                mark: Some(MarkState::Right),
                ..sealed
            };
            (UnitState::Verified, opened)
        }
    };
    UnitStory {
        job,
        unit,
        state,
        reason: "in_hand".into(),
        text: "waits for a neighbour".into(),
        until: Some("it answers".into()),
        vouchers: vec![voucher],
        claims: vec![PEER.into()],
        voids: vec![VoidStory { peer: PEER.into(), reason: "not enough memory".into() }],
        drawn: vec![DrawStory { peer: PEER.into(), silent: true }],
        refused: Vec::new(),
        own: false,
    }
}

/// What a unit says that fails.
pub fn log_of(job: JobId, unit: u32) -> UnitLog {
    UnitLog {
        job,
        unit,
        outcome: "exit code 1".into(),
        exit_code: Some(1),
        fuel: 7,
        digest: None,
        output_bytes: 0,
        memory_peak: 65_536,
        wall_s: 0.25,
        detail: String::new(),
        stderr: "no such star\n".into(),
    }
}
