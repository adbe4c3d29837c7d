//! What the API room asks of the node, answered by commands to the loop and by the store.
use super::{
    Command, LONELY_SENTENCE,
    assets::{AssetError, Assets},
    early::Follower,
    event::Evidence,
    explain,
    shown::{failure, shown},
    status::Standing,
};
use crate::{
    api::{
        Backend, BodyReader, Levels, Outputs, Pieces, Readiness, Refusal, Results, Stored,
        Submission, UnitOutput,
    },
    certificate,
    exec::Executor,
    invite::Invite,
    keys::Identity,
    net,
    store::StoreError,
    telemetry::Metrics,
};
use bytes::Bytes;
use coordinator_free_scheduler::{CommandError, ENGINE, Hash, JobId, LotIndex, UnitIndex, Verdict};
use dugnad_client::explain::{JobStory, UnitStory};
use dugnad_client::{JobStatus, Level, NodeStatus, PeerState, PeerStatus, Submitted, UnitLog};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Verdicts asked of the loop at once.
const PAGE: u32 = 512;
/// How long an invite holds, seconds: a week.
const INVITE_S: u64 = 7 * 24 * 3_600;
/// Without a peer for this long, the node says what can be done about it.
const LONELY: Duration = Duration::from_secs(30);

/// The node as the API sees it.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    pub(super) assets: Assets,
    pub(super) keys: Arc<Identity>,
    metrics: Arc<Metrics>,
    pub(super) executor: Arc<Executor>,
    pub(super) cores: usize,
    started: Instant,
    network_key: Option<[u8; 32]>,
    pub(super) work_factor: u32,
}

impl Handle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        assets: Assets,
        keys: Arc<Identity>,
        metrics: Arc<Metrics>,
        executor: Arc<Executor>,
        (cores, work_factor): (usize, u32),
        network_key: Option<[u8; 32]>,
    ) -> Handle {
        let started = Instant::now();
        Handle {
            commands,
            assets,
            keys,
            metrics,
            executor,
            cores,
            started,
            network_key,
            work_factor,
        }
    }

    /// Whether anybody may join the grid.
    pub(super) fn is_open(&self) -> bool {
        self.network_key.is_none()
    }

    /// How many peers are connected.
    pub fn peer_count(&self) -> u64 {
        self.metrics.peers.get() as u64
    }

    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let stopping = || Refusal::Busy("the node is stopping".into());
        self.commands.send(command(answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())
    }

    async fn verdicts(
        &self,
        job: JobId,
        from: UnitIndex,
        most: u32,
    ) -> Result<Vec<Verdict>, Refusal> {
        let ask = |answer| Command::Verdicts { job, from, most, answer };
        self.ask(ask).await?.ok_or_else(|| no_such_job(job))
    }

    async fn evidence(&self, job: JobId, lot: LotIndex) -> Result<Evidence, Refusal> {
        let ask = |answer| Command::Evidence { job, lot, answer };
        self.ask(ask).await?.ok_or_else(|| no_such_job(job))
    }

    async fn standing(&self, job: JobId) -> Result<Standing, Refusal> {
        self.ask(|answer| Command::Job(job, answer)).await?.ok_or_else(|| no_such_job(job))
    }

    /// Reads the outputs of a page of verdicts up to the first open one; says whether to go on.
    async fn page(
        &self,
        job: JobId,
        from: UnitIndex,
    ) -> Result<(Vec<(UnitIndex, Bytes)>, bool), Refusal> {
        let verdicts = self.verdicts(job, from, PAGE).await?;
        let full = verdicts.len() == PAGE as usize;
        let decided = verdicts.iter().take_while(|verdict| **verdict != Verdict::Open).count();
        let wanted: Vec<(UnitIndex, Hash)> = verdicts[..decided]
            .iter()
            .zip(from..)
            .filter_map(|(verdict, unit)| Some((unit, verdict.success()?)))
            .collect();
        let owners =
            verdicts[..decided].iter().flat_map(Verdict::vouchers).copied().collect::<Vec<_>>();
        let blobs = wanted.iter().map(|(_, digest)| *digest).collect();
        self.assets.gather(blobs, &owners).await.map_err(failed)?;
        let read = self.assets.blocking(move |store| {
            let read = |(unit, digest): (UnitIndex, Hash)| {
                Ok((unit, Bytes::from(store.read_blob(digest)?.unwrap_or_default())))
            };
            wanted.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()
        });
        Ok((read.await.map_err(failed)?, full && decided == verdicts.len()))
    }
}

pub(super) fn failed(error: AssetError) -> Refusal {
    match error {
        AssetError::Store(StoreError::Full { .. }) => Refusal::TooLarge(error.to_string()),
        AssetError::Absent(_) | AssetError::Stopping => Refusal::Busy(error.to_string()),
        AssetError::Table(_) | AssetError::Store(_) => Refusal::Failed(error.to_string()),
    }
}

pub(super) fn no_such_job(job: JobId) -> Refusal {
    Refusal::NotFound(format!("this node knows no job {job}"))
}

pub(super) fn refused(error: CommandError) -> Refusal {
    match error {
        CommandError::NoSuchJob(job) => no_such_job(job),
        CommandError::Manifest(_) | CommandError::Ringers | CommandError::OneVote => {
            Refusal::Invalid(error.to_string())
        }
        CommandError::TooManyJobs(_) | CommandError::TooManyUnits(_) => {
            Refusal::Busy(error.to_string())
        }
        CommandError::NotTheOwner(_) => Refusal::Conflict(error.to_string()),
    }
}

impl Backend for Handle {
    async fn put_blob(&self, body: BodyReader) -> Result<Stored, Refusal> {
        let stored = self.assets.blocking(move |store| {
            let blob = store.put_blob_reader(body)?;
            Ok(Stored { blob, bytes: store.blob_size(blob)?.unwrap_or_default() })
        });
        stored.await.map_err(failed)
    }

    async fn put_blobs(&self, blobs: Vec<Bytes>) -> Result<Vec<Hash>, Refusal> {
        self.assets.blocking(move |store| store.put_blobs(&blobs)).await.map_err(failed)
    }

    async fn blob(&self, blob: Hash) -> Result<Bytes, Refusal> {
        let bytes =
            self.assets.blocking(move |store| store.read_blob(blob)).await.map_err(failed)?;
        bytes.map(Bytes::from).ok_or_else(|| Refusal::NotFound(format!("no blob {blob} here")))
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, Refusal> {
        self.accept(submission).await
    }

    async fn jobs(&self) -> Result<Vec<JobStatus>, Refusal> {
        Ok(self.ask(Command::Jobs).await?.into_iter().map(shown).collect())
    }

    async fn job(&self, job: JobId) -> Result<JobStatus, Refusal> {
        self.standing(job).await.map(shown)
    }

    async fn explain(&self, job: JobId) -> Result<JobStory, Refusal> {
        let told = self.ask(|answer| Command::Explain(job, answer)).await?;
        let (standing, story) = told.ok_or_else(|| no_such_job(job))?;
        Ok(explain::job(standing, story))
    }

    async fn explain_unit(&self, job: JobId, unit: UnitIndex) -> Result<UnitStory, Refusal> {
        let units = self.standing(job).await?.status.units;
        let told = self.ask(|answer| Command::ExplainUnit(job, unit, answer)).await?;
        let last = units.saturating_sub(1);
        let absent = format!("job {job} has {units} units, 0 to {last}, and no unit {unit}");
        let story = told.ok_or(Refusal::NotFound(absent))?;
        Ok(explain::unit(self.keys.peer(), job, unit, story))
    }

    async fn log(&self, job: JobId, unit: UnitIndex) -> Result<UnitLog, Refusal> {
        self.log_of(job, unit).await
    }

    async fn subscribe(&self, job: JobId) -> Result<watch::Receiver<JobStatus>, Refusal> {
        let watched = self.ask(|answer| Command::Watch(job, answer)).await?;
        let mut inner = watched.ok_or_else(|| no_such_job(job))?;
        let (sender, receiver) = watch::channel(shown(inner.borrow_and_update().clone()));
        tokio::spawn(async move {
            while inner.changed().await.is_ok() {
                let status = shown(inner.borrow_and_update().clone());
                if sender.send(status).is_err() {
                    break;
                }
            }
        });
        Ok(receiver)
    }

    async fn output(&self, job: JobId, unit: UnitIndex) -> Result<UnitOutput, Refusal> {
        let verdicts = self.verdicts(job, unit, 1).await?;
        let absent = || Refusal::NotFound(format!("job {job} has no unit {unit}"));
        let verdict = verdicts.first().ok_or_else(absent)?;
        match (verdict, verdict.success()) {
            (Verdict::Open, _) => Ok(UnitOutput::Open),
            (_, None) => Ok(UnitOutput::Failed(failure(verdict))),
            (_, Some(digest)) => {
                let bytes = self.assets.read(digest, verdict.vouchers()).await.map_err(failed)?;
                Ok(UnitOutput::Verified(bytes.into()))
            }
        }
    }

    async fn outputs(&self, job: JobId, from: UnitIndex) -> Result<Outputs, Refusal> {
        self.standing(job).await?;
        let handle = self.clone();
        let pages = stream::unfold(Some(from), move |from| {
            let handle = handle.clone();
            async move {
                let from = from?;
                match handle.page(job, from).await {
                    Ok((page, more)) => {
                        let page = page.into_iter().map(Ok).collect();
                        Some((page, more.then_some(from.saturating_add(PAGE))))
                    }
                    Err(refusal) => Some((vec![Err(refusal)], None)),
                }
            }
        });
        Ok(pages.flat_map(stream::iter).boxed())
    }

    async fn levels(&self, job: JobId, level: Level) -> Result<Levels, Refusal> {
        let follower = Follower::new(self.clone(), job, level).await?;
        let pages = stream::try_unfold(follower, async |mut follower| {
            let changes = follower.next().await?;
            Ok(changes.map(|changes| (changes, follower)))
        });
        let units = pages.map_ok(|changes| stream::iter(changes).map(|(told, _)| Ok(told)));
        Ok(units.try_flatten().boxed())
    }

    async fn results(&self, job: JobId, level: Level) -> Result<Results, Refusal> {
        let follower = Follower::new(self.clone(), job, level).await?;
        let pages = stream::try_unfold(follower, async |mut follower| {
            let Some(changes) = follower.next().await? else { return Ok(None) };
            let outputs = follower.outputs(changes).await?;
            Ok(Some((outputs, follower)))
        });
        Ok(pages.map_ok(|outputs| stream::iter(outputs).map(Ok)).try_flatten().boxed())
    }

    async fn certificate(&self, job: JobId) -> Result<Pieces, Refusal> {
        let first = self.evidence(job, 0).await?;
        let (lots, head) = (first.lots, certificate::head(&first.manifest));
        let handle = self.clone();
        let rest = stream::iter(1..lots).then(move |lot| {
            let handle = handle.clone();
            async move { Ok(certificate::batches(&handle.evidence(job, lot).await?.batches)) }
        });
        let first = [Ok(head), Ok(certificate::batches(&first.batches))];
        Ok(stream::iter(first).chain(rest).boxed())
    }

    async fn cancel(&self, job: JobId) -> Result<JobStatus, Refusal> {
        self.ask(|answer| Command::Cancel(job, answer)).await?.map_err(refused)?;
        self.standing(job).await.map(shown)
    }

    async fn peers(&self) -> Result<Vec<PeerStatus>, Refusal> {
        let connected = self.assets.net.peers().await;
        let records = self.ask(Command::Records).await?;
        let known = connected.iter().map(|peer| peer.key);
        let away = records.iter().map(|(peer, ..)| *peer).filter(|peer| *peer != self.keys.peer());
        let mut keys: Vec<_> = known.chain(away).collect();
        keys.sort_unstable();
        keys.dedup();
        let shown = keys.into_iter().map(|key| {
            let info = connected.iter().find(|peer| peer.key == key);
            let told = records.iter().find(|(peer, ..)| *peer == key);
            let (record, struck) =
                told.map(|(_, record, struck)| (*record, *struck)).unwrap_or_default();
            PeerStatus {
                peer: net::peer_id(key),
                addrs: info.map(|info| info.addrs.clone()).unwrap_or_default(),
                reputation: f64::from(record.score()) * 2.0 - 1.0,
                state: match (struck, info) {
                    (true, _) => PeerState::Barred,
                    (false, Some(_)) => PeerState::Connected,
                    (false, None) => PeerState::Away,
                },
                agreed: record.agreed,
                disagreed: record.wrong,
                silent: record.silent,
                credit: record.credit_fuel,
            }
        });
        Ok(shown.collect())
    }

    async fn status(&self) -> Result<NodeStatus, Refusal> {
        let jobs = self.ask(Command::Jobs).await?.len() as u64;
        let usage = self.assets.blocking(|store| store.usage()).await.map_err(failed)?;
        let peers = self.peer_count();
        let uptime = self.started.elapsed();
        let lonely = peers == 0 && uptime > LONELY;
        Ok(NodeStatus {
            peer: net::peer_id(self.keys.peer()),
            version: env!("CARGO_PKG_VERSION").into(),
            engine: ENGINE.into(),
            ready: true,
            open: self.is_open(),
            work_factor: self.work_factor,
            addresses: self.assets.net.addresses().await,
            peers,
            cores: self.cores as u32,
            units_executed: self.metrics.units_executed.get(),
            units_verified: self.metrics.units_verified.get(),
            units_failed: self.metrics.units_failed.get(),
            fuel: self.metrics.fuel.get(),
            executions_in_flight: self.metrics.in_flight.get() as u64,
            jobs,
            uptime_s: uptime.as_secs(),
            store_bytes: usage.bytes(),
            walls: self.executor.walls().into_iter().map(String::from).collect(),
            waiting: lonely.then(|| LONELY_SENTENCE.into()),
        })
    }

    async fn invite(&self) -> Result<String, Refusal> {
        let addresses = self.assets.net.addresses().await;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let invite = Invite {
            addresses,
            peer: self.keys.peer(),
            network_key: self.network_key,
            expires_unix_s: since.as_secs() + INVITE_S,
        };
        invite.encode().map_err(|error| Refusal::Failed(error.to_string()))
    }

    async fn metrics(&self) -> Result<String, Refusal> {
        Ok(self.metrics.text() + &self.assets.net.metrics_text())
    }

    async fn readiness(&self) -> Readiness {
        match self.commands.is_closed() {
            true => Readiness::Waiting("the node is stopping".into()),
            false => Readiness::Ready,
        }
    }
}
