//! What the room needs from the rest of the node, in values only.
use super::{Refusal, Submission};
use bytes::Bytes;
use coordinator_free_scheduler::{Hash, JobId, UnitIndex};
use dugnad_client::explain::{JobStory, UnitStory};
use dugnad_client::{
    BlockingReader, JobStatus, Level, NodeStatus, PeerStatus, Submitted, UnitLevel, UnitLog,
};
use futures::stream::BoxStream;
use std::io;
use tokio::sync::watch;

/// The body of an upload, to be read on a thread that may block (`spawn_blocking`).
pub type BodyReader = BlockingReader<BoxStream<'static, io::Result<Bytes>>>;

/// Outputs in unit order.
pub type Outputs = BoxStream<'static, Result<(UnitIndex, Bytes), Refusal>>;

/// What becomes known of units.
pub type Levels = BoxStream<'static, Result<UnitLevel, Refusal>>;

/// The same with outputs, where there are any.
pub type Results = BoxStream<'static, Result<(UnitLevel, Option<Bytes>), Refusal>>;

/// A file in pieces.
pub type Pieces = BoxStream<'static, Result<Bytes, Refusal>>;

/// A blob that was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its name.
    pub blob: Hash,
    /// Its length.
    pub bytes: u64,
}

/// What there is of a unit's output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UnitOutput {
    /// It may be relied on.
    Verified(Bytes),
    /// There may be one later.
    Open,
    /// There will be none; why, in a few words.
    Failed(String),
}

/// Whether the node takes part in the grid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// It does.
    Ready,
    /// What it waits for, in a sentence.
    Waiting(String),
}

/// The node, as the API sees it.
///
/// Calls come from many tasks at a time and may be dropped half-way when a client goes away, so
/// what must be finished is not to depend on its future being polled to the end.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Stores a blob as it is read. If reading fails nothing is stored.
    fn put_blob(&self, body: BodyReader) -> impl Future<Output = Result<Stored, Refusal>> + Send;
    /// Stores small blobs and returns their names in the same order.
    fn put_blobs(
        &self,
        blobs: Vec<Bytes>,
    ) -> impl Future<Output = Result<Vec<Hash>, Refusal>> + Send;
    /// The bytes of a blob in this node's store.
    fn blob(&self, blob: Hash) -> impl Future<Output = Result<Bytes, Refusal>> + Send;
    /// Makes it a job and announces it. The same work again is the same job, unless asked `again`.
    fn submit(
        &self,
        submission: Submission,
    ) -> impl Future<Output = Result<Submitted, Refusal>> + Send;
    /// Every job this node knows.
    fn jobs(&self) -> impl Future<Output = Result<Vec<JobStatus>, Refusal>> + Send;
    /// One job.
    fn job(&self, job: JobId) -> impl Future<Output = Result<JobStatus, Refusal>> + Send;
    /// Why a job stands where it stands.
    fn explain(&self, job: JobId) -> impl Future<Output = Result<JobStory, Refusal>> + Send;
    /// Why a unit does; one that the job does not have is `NotFound`.
    fn explain_unit(
        &self,
        job: JobId,
        unit: UnitIndex,
    ) -> impl Future<Output = Result<UnitStory, Refusal>> + Send;
    /// A run of a unit for what it says; one that the job does not have is `NotFound`.
    fn log(
        &self,
        job: JobId,
        unit: UnitIndex,
    ) -> impl Future<Output = Result<UnitLog, Refusal>> + Send;
    /// A job's status as it changes. The sender may be dropped once the job has ended.
    fn subscribe(
        &self,
        job: JobId,
    ) -> impl Future<Output = Result<watch::Receiver<JobStatus>, Refusal>> + Send;
    /// The output of one unit; a unit that the job does not have is `NotFound`.
    fn output(
        &self,
        job: JobId,
        unit: UnitIndex,
    ) -> impl Future<Output = Result<UnitOutput, Refusal>> + Send;
    /// The outputs of verified units from `from` on, in unit order, up to the first unit that is
    /// still open. Failed units are left out.
    fn outputs(
        &self,
        job: JobId,
        from: UnitIndex,
    ) -> impl Future<Output = Result<Outputs, Refusal>> + Send;
    /// Units of a job of this node's own that have reached `level`, and each again whenever more is known of
    /// it, until the job has ended.
    fn levels(
        &self,
        job: JobId,
        level: Level,
    ) -> impl Future<Output = Result<Levels, Refusal>> + Send;
    /// The same with their outputs.
    fn results(
        &self,
        job: JobId,
        level: Level,
    ) -> impl Future<Output = Result<Results, Refusal>> + Send;
    /// What proves a job's verdicts, as the pieces of a file.
    fn certificate(&self, job: JobId) -> impl Future<Output = Result<Pieces, Refusal>> + Send;
    /// Stops a job of this node.
    fn cancel(&self, job: JobId) -> impl Future<Output = Result<JobStatus, Refusal>> + Send;
    /// Every peer this node knows.
    fn peers(&self) -> impl Future<Output = Result<Vec<PeerStatus>, Refusal>> + Send;
    /// How the node is.
    fn status(&self) -> impl Future<Output = Result<NodeStatus, Refusal>> + Send;
    /// A line that lets another machine join.
    fn invite(&self) -> impl Future<Output = Result<String, Refusal>> + Send;
    /// The metrics in Prometheus' text format.
    fn metrics(&self) -> impl Future<Output = Result<String, Refusal>> + Send;
    /// Whether the node takes part in the grid.
    fn readiness(&self) -> impl Future<Output = Readiness> + Send;
}
