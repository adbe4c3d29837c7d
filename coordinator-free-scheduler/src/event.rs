//! The boundary of the mind: what goes in, what comes out. One screen each.
use crate::{
    Answer, FailReason, Hash, JobId, Level, LotIndex, Manifest, ManifestError, Message, Nonce,
    Outcome, PeerKey, Query, SealedAnswer, Signature, SignedBatch, SignedManifest, UnitIndex, Void,
    statement::Batch,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use serde::{Deserialize, Serialize};

/// What the body tells the mind. All signatures were checked at the door.
#[derive(Clone, Debug)]
pub enum Input {
    /// A manifest from a peer, by gossip or in answer to [`Query::Want`].
    Manifest {
        /// Who passed it on.
        from: PeerKey,
        /// As signed.
        signed: SignedManifest,
        /// What it says.
        manifest: Box<Manifest>,
    },
    /// A batch from a peer, by gossip or anti-entropy.
    Batch {
        /// Who passed it on; its author may be another.
        from: PeerKey,
        /// As signed.
        signed: SignedBatch,
        /// What it says.
        batch: Arc<Batch>,
    },
    /// A question of anti-entropy.
    Query {
        /// Who asks.
        from: PeerKey,
        /// What.
        query: Query,
    },
    /// A connection to a peer is up.
    Connected(PeerKey),
    /// The last connection to a peer is gone.
    Disconnected(PeerKey),
    /// A unit that [`Output::Run`] named has ended.
    Ran {
        /// Its job.
        job: JobId,
        /// The unit.
        unit: UnitIndex,
        /// How long it took, microseconds of one slot.
        took_us: u64,
        /// The answer and the nonce that will hide it, or why there is none.
        end: Result<(Answer, Nonce), Void>,
        /// Both encrypted to the owner, if the job is audited; else empty.
        sealed: Vec<u8>,
    },
    /// What [`Output::Unseal`] asked to be read.
    Unsealed {
        /// The job.
        job: JobId,
        /// What was read.
        answers: Vec<Unsealed>,
    },
    /// What [`Output::Seal`] asked for.
    Sealed {
        /// The job.
        job: JobId,
        /// Who can read it.
        to: PeerKey,
        /// The answers, encrypted.
        answers: Vec<SealedAnswer>,
    },
    /// Whether an answer that [`Output::Check`] named is right, or why that cannot be told.
    Checked {
        /// The job.
        job: JobId,
        /// The unit.
        unit: UnitIndex,
        /// Whose answer.
        peer: PeerKey,
        /// By the module's own `verify`.
        right: Result<bool, Void>,
    },
    /// The seed that [`Output::Draw`] asked for.
    Seed {
        /// The job.
        job: JobId,
        /// The pass.
        pass: u8,
        /// Its seed.
        seed: Hash,
    },
    /// The records of [`Output::Persist`] are on disk.
    Persisted {
        /// Which.
        ticket: u64,
        /// Signatures of the [`Record::Own`] batches among them, in order.
        signatures: Vec<Signature>,
    },
    /// What units may take of this machine. Running ones are left to end.
    Room {
        /// How many may run at once; 0 pauses.
        slots: usize,
        /// Their memory together, MiB, by what their jobs' limits allow them.
        memory_mib: u32,
    },
    /// A peer is connected from a network that others may be in, too: a name of the /24 (IPv4), /48
    /// (IPv6) or relay; none is told of private addresses.
    Network {
        /// Who.
        peer: PeerKey,
        /// Where.
        network: u64,
    },
    /// About how many peers the network has, as far as the body can tell.
    GridPeers(u32),
    /// What the units of a lot may cost, by the unit table.
    Hints {
        /// The job.
        job: JobId,
        /// The lot.
        lot: LotIndex,
        /// In unit order, relative to each other; 0 for unknown.
        costs: Vec<u32>,
    },
    /// The deadline came.
    Tick,
}

/// What an executor sealed to a signer of its job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsealed {
    /// Who.
    pub peer: PeerKey,
    /// Its unit.
    pub unit: UnitIndex,
    /// Its answer; none if it cannot be read.
    pub answer: Option<(Answer, Nonce)>,
}

/// What the mind wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Write these, flush, then answer [`Input::Persisted`].
    Persist {
        /// To be named in the answer.
        ticket: u64,
        /// In this order.
        records: Vec<Record>,
    },
    /// Gossip a manifest.
    Announce(SignedManifest),
    /// Hear what is published about a lot from now on, and find others who are in it.
    Attend {
        /// The job.
        job: JobId,
        /// The lot.
        lot: LotIndex,
    },
    /// No more of that.
    Leave {
        /// The job.
        job: JobId,
        /// The lot.
        lot: LotIndex,
    },
    /// Gossip a batch in its lot's shard.
    Publish {
        /// The job.
        job: JobId,
        /// The lot.
        lot: LotIndex,
        /// The batch.
        batch: SignedBatch,
    },
    /// Send to one peer.
    Send {
        /// To whom.
        to: PeerKey,
        /// What.
        message: Message,
    },
    /// Run these units; each answers [`Input::Ran`].
    Run {
        /// Their job.
        job: JobId,
        /// The units.
        units: Vec<UnitIndex>,
    },
    /// Read what was encrypted to this node, then answer [`Input::Unsealed`].
    Unseal {
        /// Its job.
        job: JobId,
        /// Author, unit and bytes.
        sealed: Vec<(PeerKey, UnitIndex, Vec<u8>)>,
    },
    /// Have the module check these answers, or compute again what has no output; each answers
    /// [`Input::Checked`].
    Check {
        /// Their job.
        job: JobId,
        /// Unit, author, answer.
        answers: Vec<(UnitIndex, PeerKey, Answer)>,
    },
    /// Encrypt answers of this node to a delegate, then answer [`Input::Sealed`].
    Seal {
        /// Their job.
        job: JobId,
        /// The delegate.
        to: PeerKey,
        /// Unit, answer, nonce.
        answers: Vec<(UnitIndex, Answer, Nonce)>,
    },
    /// Tell the seed of a pass of a job that this node is a signer of by [`Input::Seed`].
    Draw {
        /// The job.
        job: JobId,
        /// The pass, from 0.
        pass: u8,
    },
    /// Nobody needs these runs any more; each still answers [`Input::Ran`].
    Stop {
        /// Their job.
        job: JobId,
        /// The units.
        units: Vec<UnitIndex>,
    },
    /// Something a person or a counter may want to know.
    Notice(Notice),
}

/// What a restart is folded from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Record {
    /// A job became known.
    Manifest(SignedManifest),
    /// Another's batch was merged.
    Batch(SignedBatch),
    /// A batch of this node's, to be signed; stored as [`Record::Batch`].
    Own(#[serde(with = "own_bytes")] Arc<[u8]>),
    /// Answers that this node commits to in the batch behind this record; private.
    Answers {
        /// The job.
        job: JobId,
        /// Unit, answer, nonce.
        answers: Vec<(UnitIndex, Answer, Nonce)>,
    },
    /// Answers to a job that were sealed to this node as its signer; private.
    Unsealed {
        /// The job.
        job: JobId,
        /// Author, unit, answer, nonce.
        answers: Vec<(PeerKey, UnitIndex, Answer, Nonce)>,
    },
    /// Outputs that this node knows beforehand, of its own audited job; private.
    Ringers {
        /// The job.
        job: JobId,
        /// Unit, digest of its output.
        known: Vec<(UnitIndex, Hash)>,
    },
    /// A job was let go of. If it had not ended, nothing holds of what the records before this one say
    /// of it.
    Forgotten {
        /// The job.
        job: JobId,
        /// Whether it had ended.
        ended: bool,
    },
}

/// Own batches are signed before they are stored, so they have no stored form.
mod own_bytes {
    use alloc::sync::Arc;
    use serde::{Deserializer, Serializer, de::Error as _, ser::Error as _};
    pub fn serialize<S: Serializer>(_: &Arc<[u8]>, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("an unsigned batch is never stored"))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(_: D) -> Result<Arc<[u8]>, D::Error> {
        Err(D::Error::custom("an unsigned batch is never stored"))
    }
}

/// News.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A unit's verdict changed. A verdict may be withdrawn (`Verdict::Open`) when its voucher
    /// turns out to have said two things.
    Verdict {
        /// The job.
        job: JobId,
        /// The unit.
        unit: UnitIndex,
        /// What it is now.
        verdict: Verdict,
        /// Whether the answer is that of the verdict before, and only its vouchers have changed.
        again: bool,
    },
    /// The best answer to a unit of this node's own job reached a level, or what was told of it holds no
    /// longer. [`Job::best`](crate::Job::best) tells the answer.
    Level {
        /// The job.
        job: JobId,
        /// The unit.
        unit: UnitIndex,
        /// The level now, and the hash of the answer as it is encoded; none if no answer is left.
        best: Option<(Level, Hash)>,
        /// Whether the answer is another than was told of before, or fell back.
        revised: bool,
    },
    /// A peer's opened answer differs from the verified one, from its other opening or from what it
    /// committed to.
    Disagreed {
        /// Who.
        peer: PeerKey,
        /// The job.
        job: JobId,
        /// The unit.
        unit: UnitIndex,
    },
    /// A manifest found no place among those of strangers; it may be heard of again.
    NoPlace(JobId),
    /// A job had to go for another.
    Forgotten(JobId),
    /// This node stopped counting on a peer.
    Barred(PeerKey),
    /// Every unit of a job has its verdict, or its owner cancelled it.
    Ended(JobId),
    /// Answers of this node are public now; their outputs may be served.
    Opened {
        /// The job.
        job: JobId,
        /// Digests of the outputs.
        digests: Vec<Hash>,
    },
    /// A peer did what it must not.
    Fault {
        /// Who passed it on.
        peer: PeerKey,
        /// What.
        fault: Fault,
    },
}

/// What a unit has come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Verdict {
    /// Not decided.
    #[default]
    Open,
    /// Enough peers who could not have copied agree.
    Verified {
        /// On this.
        answer: Answer,
        /// Those whose vouchers carry it, sorted.
        vouchers: Vec<PeerKey>,
    },
    /// It will not be verified.
    Failed(FailReason),
}

impl Verdict {
    /// The digest of the output of a unit that went as its scientist hoped.
    pub fn success(&self) -> Option<Hash> {
        match self {
            Verdict::Verified {
                answer: Answer { outcome: Outcome::Exit { code: 0, digest, .. }, .. },
                ..
            } => Some(*digest),
            Verdict::Open | Verdict::Verified { .. } | Verdict::Failed(_) => None,
        }
    }

    /// Those whose vouchers carry it.
    pub fn vouchers(&self) -> &[PeerKey] {
        match self {
            Verdict::Verified { vouchers, .. } => vouchers,
            Verdict::Open | Verdict::Failed(_) => &[],
        }
    }
}

/// A bad deed of a peer, by mistake or malice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A manifest that cannot be.
    BadManifest(ManifestError),
    /// A statement about a lot or unit that the job has not.
    NoSuchUnit,
    /// Two different batches in one place of an author's log.
    ForkedLog(PeerKey),
    /// A batch whose `previous` is not the one before it.
    BrokenChain,
    /// An opening that does not fit the author's commit.
    FalseOpening,
    /// More citations than [`CITES_MAX`](crate::CITES_MAX).
    TooManyCites,
    /// A job ended by somebody who does not own it.
    NotTheOwner,
    /// What is said of audited jobs alone, about another one.
    NotAudited,
    /// A named limit was reached; what came was dropped.
    OverLimit(&'static str),
    /// A manifest that would believe a single answer, on a grid that anybody may join.
    OneVote,
    /// A manifest whose stamp does not show the work that this grid asks for.
    TooLittleWork {
        /// Hashes that a stamp takes on the average.
        hashes: u64,
        /// Units of the job.
        units: u32,
    },
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Fault::BadManifest(error) => write!(f, "a manifest that cannot be: {error}"),
            Fault::NoSuchUnit => {
                f.write_str("a statement about a lot or unit that the job has not")
            }
            Fault::ForkedLog(author) => {
                write!(f, "two batches in one place of the log of {author}")
            }
            Fault::BrokenChain => f.write_str("a batch that does not follow the one before it"),
            Fault::FalseOpening => f.write_str("an opening that does not fit its commit"),
            Fault::TooManyCites => f.write_str("an opening that cites too many"),
            Fault::NotTheOwner => f.write_str("a job ended by somebody who does not own it"),
            Fault::NotAudited => f.write_str("an audit of a job that is not audited"),
            Fault::OverLimit(limit) => write!(f, "more {limit} than a node keeps"),
            Fault::OneVote => f.write_str("a job by quorum=1, on a grid that anybody may join"),
            Fault::TooLittleWork { hashes, units } => write!(
                f,
                "a manifest without proof of work: for {units} units this grid asks for about {hashes} hashes; are the work factors of both nodes equal?"
            ),
        }
    }
}

/// Why such a job is refused, and what to do about it.
pub const ONE_VOTE: &str = "quorum=1 believes a single answer, and anybody may join this grid: take \
    profile = \"quorum=2\" or more, or \"audited\"; or keep the grid to your own machines by a network key \
    (`dugnad run --network-key FILE` on each)";

/// A local command could not be carried out. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// The manifest is not one.
    Manifest(ManifestError),
    /// As many jobs as this node keeps.
    TooManyJobs(usize),
    /// More units than this node keeps in all.
    TooManyUnits(u64),
    /// There is no such job here.
    NoSuchJob(JobId),
    /// The job is another's.
    NotTheOwner(JobId),
    /// Ringers of a job that is not audited, of units that are not there, or over
    /// [`RINGERS_MAX`](crate::RINGERS_MAX).
    Ringers,
    /// A job that would believe a single answer, on a grid that anybody may join.
    OneVote,
}

impl core::fmt::Display for CommandError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            CommandError::Manifest(error) => error.fmt(f),
            CommandError::TooManyJobs(limit) => {
                write!(f, "this node keeps {limit} jobs already; cancel one or wait for one to end")
            }
            CommandError::TooManyUnits(limit) => write!(
                f,
                "this node keeps {limit} units in all, its jobs' and those it works on; cut the job in smaller ones, or wait for others to end"
            ),
            CommandError::Ringers => write!(
                f,
                "ringers go with profile = \"audited\" alone, name units of the job, and are at most {}",
                crate::RINGERS_MAX
            ),
            CommandError::OneVote => f.write_str(ONE_VOTE),
            CommandError::NoSuchJob(job) => write!(f, "there is no job {job} here"),
            CommandError::NotTheOwner(job) => {
                write!(f, "job {job} is another's; only its submitter's node can end it")
            }
        }
    }
}

impl core::error::Error for CommandError {}
