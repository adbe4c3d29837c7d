//! A [`Backend`] that keeps everything in memory and computes nothing: tests say what is verified.
use super::stories;
use crate::{
    Backend, BodyReader, Levels, Outputs, Pieces, Readiness, Refusal, Results, Stored, Submission,
    SubmittedUnits, UnitOutput, profile_of,
};
use bytes::Bytes;
use coordinator_free_scheduler::{Hash, JobId, UnitIndex};
use dugnad_client as client;
use dugnad_client::explain::{JobStory, UnitStory};
use dugnad_client::{
    BlobHash, JobState, JobStatus, Level, NodeStatus, PeerState, PeerStatus, Submitted, UnitLevel,
    UnitLog,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

#[derive(Clone, Default)]
pub struct MemoryNode(Arc<Mutex<Memory>>);

#[derive(Default)]
pub struct Memory {
    pub blobs: BTreeMap<Hash, Bytes>,
    pub submissions: Vec<Submission>,
    /// The stream of outputs stops before this unit, and breaks when it is told to.
    pub breaks: Option<(UnitIndex, Arc<Notify>)>,
    jobs: BTreeMap<JobId, Job>,
}

struct Job {
    status: watch::Sender<JobStatus>,
    outputs: Vec<UnitOutput>,
}

impl MemoryNode {
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap()
    }

    /// A job of that many units, its name made of `id`.
    pub fn add_job(&self, id: u8, units: u64) -> client::JobId {
        let status = JobStatus {
            job: client::JobId([id; 32]),
            state: JobState::Running,
            units,
            verified: 0,
            failed: 0,
            running: 0,
            queued: units,
            executions: 0,
            output_digest: None,
            name: "made of memory".into(),
            about: client::About::default(),
            submitter: "nobody".into(),
            own: true,
            profile: None,
            work: client::WorkId([id; 32]),
            merge: None,
            levels: None,
            audit: None,
            quarantine: None,
            recheck: None,
        };
        let outputs = vec![UnitOutput::Open; units as usize];
        let job = Job { status: watch::Sender::new(status), outputs };
        self.memory().jobs.insert(JobId(Hash([id; 32])), job);
        client::JobId([id; 32])
    }

    /// Decides a unit of a job; the last one ends it.
    pub fn decide(&self, job: client::JobId, unit: usize, output: UnitOutput) {
        let mut memory = self.memory();
        let job = memory.jobs.get_mut(&JobId(Hash(job.0))).unwrap();
        job.outputs[unit] = output;
        let Job { status, outputs } = job;
        status.send_modify(|status| {
            let of = |wanted: fn(&UnitOutput) -> bool| {
                outputs.iter().filter(|output| wanted(output)).count() as u64
            };
            status.verified = of(|output| matches!(output, UnitOutput::Verified(_)));
            status.failed = of(|output| matches!(output, UnitOutput::Failed(_)));
            status.queued = status.units - status.verified - status.failed;
            status.executions = 2 * status.verified;
            status.state = match (status.queued, status.failed) {
                (0, 0) => JobState::Done,
                (0, _) => JobState::Failed,
                (_, _) => JobState::Running,
            };
            status.output_digest = (status.state == JobState::Done).then(|| digest(outputs));
        });
    }

    fn with_job<T>(&self, job: JobId, see: impl FnOnce(&Job) -> T) -> Result<T, Refusal> {
        let memory = self.memory();
        let job = memory.jobs.get(&job).ok_or(Refusal::NotFound(format!("no job {job}")))?;
        Ok(see(job))
    }
}

fn digest(outputs: &[UnitOutput]) -> BlobHash {
    let mut all = Vec::new();
    for output in outputs {
        if let UnitOutput::Verified(bytes) = output {
            all.extend_from_slice(bytes);
        }
    }
    BlobHash::of(&all)
}

impl Backend for MemoryNode {
    async fn put_blob(&self, mut body: BodyReader) -> Result<Stored, Refusal> {
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            body.read_to_end(&mut bytes).map(|_| Bytes::from(bytes))
        });
        let bytes = read.await.unwrap().map_err(|error| Refusal::Failed(error.to_string()))?;
        let stored = Stored { blob: Hash::of(&bytes), bytes: bytes.len() as u64 };
        self.memory().blobs.insert(stored.blob, bytes);
        Ok(stored)
    }

    async fn put_blobs(&self, blobs: Vec<Bytes>) -> Result<Vec<Hash>, Refusal> {
        let named = blobs.into_iter().map(|bytes| (Hash::of(&bytes), bytes));
        let named: Vec<_> = named.collect();
        let hashes = named.iter().map(|(hash, _)| *hash).collect();
        self.memory().blobs.extend(named);
        Ok(hashes)
    }

    async fn blob(&self, blob: Hash) -> Result<Bytes, Refusal> {
        let held = self.memory().blobs.get(&blob).cloned();
        held.ok_or_else(|| Refusal::NotFound(format!("no blob {blob} here")))
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, Refusal> {
        let units = match &submission.units {
            SubmittedUnits::Count(count) => u64::from(*count),
            SubmittedUnits::Inputs(inputs) => inputs.len() as u64,
            SubmittedUnits::InputList(list) => self.blob(*list).await?.len() as u64 / 32,
        };
        let id = self.memory().submissions.len() as u8 + 1;
        let profile = submission.profile.map_or(client::Profile::Quorum(2), profile_of);
        self.memory().submissions.push(submission);
        let job = self.add_job(id, units);
        Ok(Submitted { job, work: client::WorkId([id; 32]), units, profile, known: false })
    }

    async fn jobs(&self) -> Result<Vec<JobStatus>, Refusal> {
        Ok(self.memory().jobs.values().map(|job| job.status.borrow().clone()).collect())
    }

    async fn job(&self, job: JobId) -> Result<JobStatus, Refusal> {
        self.with_job(job, |job| job.status.borrow().clone())
    }

    async fn explain(&self, job: JobId) -> Result<JobStory, Refusal> {
        self.with_job(job, |job| stories::of_job(&job.status.borrow()))
    }

    async fn explain_unit(&self, job: JobId, unit: UnitIndex) -> Result<UnitStory, Refusal> {
        let told = self.with_job(job, |job| {
            let id = job.status.borrow().job;
            job.outputs.get(unit as usize).map(|output| stories::of_unit(id, unit, output))
        })?;
        told.ok_or_else(|| Refusal::NotFound(format!("the job has no unit {unit}")))
    }

    async fn log(&self, job: JobId, unit: UnitIndex) -> Result<UnitLog, Refusal> {
        let told = self.with_job(job, |job| {
            let known = job.outputs.get(unit as usize).is_some();
            known.then(|| stories::log_of(job.status.borrow().job, unit))
        })?;
        told.ok_or_else(|| Refusal::NotFound(format!("the job has no unit {unit}")))
    }

    async fn subscribe(&self, job: JobId) -> Result<watch::Receiver<JobStatus>, Refusal> {
        self.with_job(job, |job| job.status.subscribe())
    }

    async fn output(&self, job: JobId, unit: UnitIndex) -> Result<UnitOutput, Refusal> {
        let output = self.with_job(job, |job| job.outputs.get(unit as usize).cloned())?;
        output.ok_or_else(|| Refusal::NotFound(format!("the job has no unit {unit}")))
    }

    async fn outputs(&self, job: JobId, from: UnitIndex) -> Result<Outputs, Refusal> {
        let outputs = self.with_job(job, |job| job.outputs.clone())?;
        let breaks = self.memory().breaks.clone();
        let mut ready = Vec::new();
        for (unit, output) in (0..).zip(outputs).skip(from as usize) {
            if let Some((_, told)) = breaks.clone().filter(|(before, _)| *before == unit) {
                let broken = stream::once(async move {
                    told.notified().await;
                    Err(Refusal::Failed("the disk is gone".into()))
                });
                return Ok(stream::iter(ready).chain(broken).boxed());
            }
            match output {
                UnitOutput::Verified(bytes) => ready.push(Ok((unit, bytes))),
                UnitOutput::Failed(_) => {}
                UnitOutput::Open => break,
            }
        }
        Ok(stream::iter(ready).boxed())
    }

    async fn levels(&self, job: JobId, level: Level) -> Result<Levels, Refusal> {
        let results = self.results(job, level).await?;
        Ok(results.map_ok(|(told, _)| told).boxed())
    }

    /// Each verified unit was reported before by somebody who was wrong.
    async fn results(&self, job: JobId, level: Level) -> Result<Results, Refusal> {
        let outputs = self.with_job(job, |job| job.outputs.clone())?;
        let mut told = Vec::new();
        for (unit, output) in (0..).zip(outputs) {
            let UnitOutput::Verified(output) = output else { continue };
            let steps = [(Level::Reported, Some("wrong".into())), (Level::Released, Some(output))];
            for (at, output) in steps.into_iter().filter(|(at, _)| *at >= level) {
                let revised = at == Level::Released && level == Level::Reported;
                let (digest, bytes) =
                    output.as_ref().map(|bytes| (BlobHash::of(bytes), bytes.len() as u64)).unzip();
                let (outcome, fuel) = (Some("exit code 0".into()), Some(7));
                let level = Some(at);
                let mark = UnitLevel { unit, level, revised, outcome, digest, bytes, fuel };
                told.push(Ok((mark, output)));
            }
        }
        Ok(stream::iter(told).boxed())
    }

    async fn certificate(&self, job: JobId) -> Result<Pieces, Refusal> {
        self.with_job(job, |_| ())?;
        Ok(stream::iter([Ok(Bytes::from_static(b"a cert")), Ok(Bytes::from_static(b"ificate"))])
            .boxed())
    }

    async fn cancel(&self, job: JobId) -> Result<JobStatus, Refusal> {
        self.with_job(job, |job| {
            job.status.send_modify(|status| status.state = JobState::Cancelled);
            job.status.borrow().clone()
        })
    }

    async fn peers(&self) -> Result<Vec<PeerStatus>, Refusal> {
        Ok(vec![PeerStatus {
            peer: "neighbour".into(),
            addrs: vec!["/ip4/127.0.0.1/tcp/1".into()],
            reputation: -1.0,
            state: PeerState::Barred,
            agreed: 1,
            disagreed: 2,
            silent: 3,
            credit: 4,
        }])
    }

    async fn status(&self) -> Result<NodeStatus, Refusal> {
        Ok(NodeStatus {
            work_factor: 0,
            peer: "me".into(),
            version: "0".into(),
            engine: "dugnad-1".into(),
            ready: false,
            open: false,
            addresses: Vec::new(),
            peers: 0,
            cores: 2,
            units_executed: 0,
            units_verified: 0,
            units_failed: 0,
            fuel: 0,
            executions_in_flight: 0,
            jobs: self.memory().jobs.len() as u64,
            uptime_s: 0,
            store_bytes: 0,
            walls: Vec::new(),
            waiting: Some("no peer yet".into()),
        })
    }

    async fn invite(&self) -> Result<String, Refusal> {
        Ok("dugnad1abc".into())
    }

    async fn metrics(&self) -> Result<String, Refusal> {
        Ok("dugnad_peers 0\n".into())
    }

    async fn readiness(&self) -> Readiness {
        Readiness::Waiting("no peer yet".into())
    }
}
