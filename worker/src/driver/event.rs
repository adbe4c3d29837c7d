//! What the driver is told: what comes back from tasks and threads, and what the API asks.
use super::{collect, levels::Page, logs::Rerun, status::Standing};
use crate::store::StoreError;
use coordinator_free_scheduler::{
    Answer, CommandError, Hash, JobId, JobStory, LotIndex, Nonce, PeerKey, PeerRecord,
    SealedAnswer, Signature, SignedBatch, SignedManifest, UnitIndex, UnitStory, Unsealed, Verdict,
    Void,
};
use tokio::sync::{oneshot, watch};

/// What comes back from tasks and threads.
pub enum Event {
    /// Units ended, and their outputs are in the store.
    Ran(Vec<Finished>),
    /// What was sealed to this node.
    Unsealed(JobId, Vec<Unsealed>),
    /// Answers of this node that were sealed to a delegate.
    Sealed(JobId, PeerKey, Vec<SealedAnswer>),
    /// Whether an answer to a checked job of this node's is right.
    Checked { job: JobId, unit: UnitIndex, peer: PeerKey, right: Result<bool, Void> },
    /// The journal is written up to here.
    Persisted { ticket: u64, signatures: Vec<Signature> },
    /// What the units of a lot may cost, by the job's table.
    Hints { job: JobId, lot: LotIndex, costs: Vec<u32> },
    /// Outputs of own jobs were looked for.
    Collected(collect::Collected),
    /// The outputs of an ended job, hashed in unit order.
    Digest(JobId, Hash),
    /// Nothing can be written any more.
    Fatal(StoreError),
}

/// A unit that ended.
pub struct Finished {
    pub job: JobId,
    pub unit: UnitIndex,
    /// Whether the mind asked for it.
    pub asked: bool,
    /// Whether it went on from a checkpoint.
    pub resumed: bool,
    pub took_us: u64,
    pub end: Result<(Answer, Nonce), Void>,
    /// Its answer for the owner of an audited job alone; else empty.
    pub sealed: Vec<u8>,
    /// What its answer names, if anything.
    pub output: Option<Vec<u8>>,
}

/// What proves the verdicts of a lot.
pub struct Evidence {
    pub manifest: SignedManifest,
    pub lots: u32,
    pub batches: Vec<SignedBatch>,
}

/// What the API asks; each carries where the answer goes.
pub enum Command {
    /// With the outputs that this node knows beforehand.
    Submit(SignedManifest, Vec<(UnitIndex, Hash)>, oneshot::Sender<Result<JobId, CommandError>>),
    Cancel(JobId, oneshot::Sender<Result<(), CommandError>>),
    Jobs(oneshot::Sender<Vec<Standing>>),
    /// Peers that did much for this node's audited jobs, the best first.
    KnownWell(oneshot::Sender<Vec<PeerKey>>),
    Job(JobId, oneshot::Sender<Option<Standing>>),
    /// Where a job stands, and why.
    Explain(JobId, oneshot::Sender<Option<(Standing, JobStory)>>),
    ExplainUnit(JobId, UnitIndex, oneshot::Sender<Option<UnitStory>>),
    /// Runs a unit for what it says; the answer comes when it has, or nothing if there is no such job.
    Rerun {
        job: JobId,
        unit: UnitIndex,
        answer: oneshot::Sender<Option<oneshot::Receiver<Rerun>>>,
    },
    Watch(JobId, oneshot::Sender<Option<watch::Receiver<Standing>>>),
    Verdicts {
        job: JobId,
        from: UnitIndex,
        most: u32,
        answer: oneshot::Sender<Option<Vec<Verdict>>>,
    },
    /// The number of the last change to the levels of an own job's units, and how long its outputs may be.
    Follow(JobId, oneshot::Sender<Option<(watch::Receiver<u64>, u64)>>),
    /// What changed since.
    Levels {
        job: JobId,
        since: u64,
        answer: oneshot::Sender<Page>,
    },
    /// Outputs of these units were fetched before the release; those that are released by now are public.
    Brought {
        job: JobId,
        units: Vec<UnitIndex>,
        answer: oneshot::Sender<()>,
    },
    /// What was said of a lot; with its manifest.
    Evidence {
        job: JobId,
        lot: LotIndex,
        answer: oneshot::Sender<Option<Evidence>>,
    },
    /// What this node thinks of peers, and whether somebody's jobs speak against them.
    Records(oneshot::Sender<Vec<(PeerKey, PeerRecord, bool)>>),
}
