//! Getting blobs: whom to ask for what, and when to give up.
//!
//! The sources are asked in the order given. A source that lacks a blob, breaks off or lies costs
//! only its own turn: what it sent well is kept, and the next source goes on from there.
use super::super::swarm::Command;
use super::super::{BLOB_SMALL_BYTES_MAX, BlobShelf, Counters, NetEvent};
use super::proof::{self, GROUP_BYTES};
use super::wire::{self, RANGE_BYTES_MAX, Request, SMALL_ASKED_MAX, Small};
use super::{AskError, BLOB_BYTES_MAX, FetchError};
use bytes::Bytes;
use coordinator_free_scheduler::{Hash, PeerKey};
use futures::{StreamExt, stream};
use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Mutex as Turn, mpsc, oneshot};

/// Requests for small blobs under way in one fetch.
pub const SMALL_PARALLEL: usize = 4;
/// Large blobs under way in one fetch.
pub const LARGE_PARALLEL: usize = 2;
/// Ranges of one large blob under way.
pub const RANGES_AHEAD: usize = 4;

/// Fetches blobs; clones share it.
#[derive(Clone)]
pub struct Fetcher {
    commands: mpsc::Sender<Command>,
    shelf: Arc<dyn BlobShelf>,
    events: mpsc::Sender<NetEvent>,
    counters: Arc<Counters>,
    /// Large blobs under way: who wants one that another fetch is getting waits for that.
    turns: Arc<Mutex<HashMap<Hash, Arc<Turn<()>>>>>,
}

/// Whom one fetch asks for large blobs. Who could not be reached for one is not asked for the others:
/// finding out takes long, and they may be many.
struct Sources {
    all: Vec<PeerKey>,
    gone: Mutex<HashSet<PeerKey>>,
}

impl Sources {
    fn gone(&self) -> MutexGuard<'_, HashSet<PeerKey>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a source made of one wanted small blob.
enum Outcome {
    Kept,
    Large,
    Not(FetchError),
}

impl Fetcher {
    /// A fetcher that asks through the swarm task.
    pub fn new(
        commands: mpsc::Sender<Command>,
        shelf: Arc<dyn BlobShelf>,
        events: mpsc::Sender<NetEvent>,
        counters: Arc<Counters>,
    ) -> Fetcher {
        Fetcher { commands, shelf, events, counters, turns: Arc::default() }
    }

    /// See [`Net::fetch`](super::super::Net::fetch).
    pub async fn fetch(
        &self,
        wanted: Vec<Hash>,
        from: Vec<PeerKey>,
        bytes_max: u64,
    ) -> Vec<(Hash, Result<(), FetchError>)> {
        let mut reasons: HashMap<Hash, FetchError> = HashMap::new();
        let (mut open, mut large) = (self.not_held(wanted.clone()).await, Vec::new());
        for source in &from {
            let asked = std::mem::take(&mut open);
            for (hash, outcome) in self.fetch_small(*source, &asked, bytes_max).await {
                match outcome {
                    Outcome::Kept => drop(reasons.remove(&hash)),
                    Outcome::Large => large.push(hash),
                    Outcome::Not(reason) => {
                        if !is_final(&reason) {
                            open.push(hash);
                        }
                        keep_worse(&mut reasons, hash, reason);
                    }
                }
            }
        }
        for hash in open {
            reasons.entry(hash).or_insert(FetchError::NotFound);
        }
        let sources = Sources { all: from, gone: Mutex::default() };
        let fetched = stream::iter(large).map(|hash| self.fetch_large(hash, &sources, bytes_max));
        let mut fetched = fetched.buffer_unordered(LARGE_PARALLEL);
        while let Some((hash, outcome)) = fetched.next().await {
            match outcome {
                Ok(()) => drop(reasons.remove(&hash)),
                Err(reason) => keep_worse(&mut reasons, hash, reason),
            }
        }
        let outcome = |hash: &Hash| reasons.get(hash).map_or(Ok(()), |reason| Err(reason.clone()));
        wanted.iter().map(|hash| (*hash, outcome(hash))).collect()
    }

    /// Those of the wanted blobs that are not on the shelf, each once.
    async fn not_held(&self, wanted: Vec<Hash>) -> Vec<Hash> {
        let shelf = self.shelf.clone();
        let look = move || {
            let mut seen = HashSet::new();
            let missing =
                wanted.iter().filter(|hash| seen.insert(**hash) && shelf.size(**hash).is_none());
            Ok(missing.copied().collect())
        };
        blocking(look).await.unwrap_or_default()
    }

    /// Asks one source for small blobs, many at a time.
    async fn fetch_small(
        &self,
        source: PeerKey,
        wanted: &[Hash],
        bytes_max: u64,
    ) -> Vec<(Hash, Outcome)> {
        let batches = wanted.chunks(SMALL_ASKED_MAX).map(<[Hash]>::to_vec);
        let fetched = stream::iter(batches).map(|batch| self.fetch_batch(source, batch, bytes_max));
        fetched.buffer_unordered(SMALL_PARALLEL).concat().await
    }

    /// Asks until there is an answer about every blob of the batch.
    async fn fetch_batch(
        &self,
        source: PeerKey,
        mut batch: Vec<Hash>,
        bytes_max: u64,
    ) -> Vec<(Hash, Outcome)> {
        let mut outcomes = Vec::with_capacity(batch.len());
        while !batch.is_empty() {
            let answers = match self.ask(source, Request::Small(batch.clone())).await {
                Ok(frame) => wire::take_small(frame, batch.len()).map_err(|e| e.to_string()),
                Err(reason) => Err(reason.to_string()),
            };
            let answers = match answers {
                Ok(answers) => answers,
                Err(reason) => {
                    let failed = |hash| {
                        (
                            hash,
                            Outcome::Not(FetchError::Unreachable {
                                peer: source,
                                reason: reason.clone(),
                            }),
                        )
                    };
                    outcomes.extend(batch.drain(..).map(failed));
                    break;
                }
            };
            let answered: Vec<(Hash, Small)> = batch.drain(..answers.len()).zip(answers).collect();
            outcomes.extend(self.keep_small(source, answered, bytes_max).await);
        }
        outcomes
    }

    /// Checks small blobs and puts the good ones on the shelf, all at once.
    async fn keep_small(
        &self,
        source: PeerKey,
        answered: Vec<(Hash, Small)>,
        bytes_max: u64,
    ) -> Vec<(Hash, Outcome)> {
        let hashes: Vec<Hash> = answered.iter().map(|(hash, _)| *hash).collect();
        let shelf = self.shelf.clone();
        let check = move || {
            let mut good = Vec::new();
            let judge = |(hash, answer): (Hash, Small)| {
                (hash, judge_small(source, hash, answer, bytes_max, &mut good))
            };
            let outcomes: Vec<_> = answered.into_iter().map(judge).collect();
            let bytes: usize = good.iter().map(Vec::len).sum();
            if !good.is_empty() {
                shelf.put(good)?;
            }
            Ok((outcomes, bytes))
        };
        match blocking(check).await {
            Ok((outcomes, bytes)) => {
                self.counters.blob_bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
                for (hash, outcome) in &outcomes {
                    if let Outcome::Not(FetchError::Lied(liar)) = outcome {
                        self.tell_lie(*liar, *hash);
                    }
                }
                outcomes
            }
            Err(reason) => {
                hashes.into_iter().map(|hash| (hash, Outcome::Not(reason.clone()))).collect()
            }
        }
    }

    async fn fetch_large(
        &self,
        hash: Hash,
        sources: &Sources,
        bytes_max: u64,
    ) -> (Hash, Result<(), FetchError>) {
        let turn = self.turn(hash);
        let _turn = turn.lock().await;
        if self.not_held(vec![hash]).await.is_empty() {
            return (hash, Ok(()));
        }
        let (mut size, mut worst) = (None, FetchError::NotFound);
        for source in sources.all.iter().filter(|source| !sources.gone().contains(source)) {
            match self.fetch_from(*source, hash, &mut size, bytes_max).await {
                Ok(()) => return (hash, Ok(())),
                Err(reason) if is_final(&reason) => return (hash, Err(reason)),
                Err(reason) => {
                    if let FetchError::Unreachable { peer, .. } = reason {
                        sources.gone().insert(peer);
                    }
                    worst = worse(worst, reason);
                }
            }
        }
        (hash, Err(worst))
    }

    /// Who holds the turn may fetch the large blob.
    fn turn(&self, hash: Hash) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(hash).or_default().clone()
    }

    /// Goes on with a large blob at one source, from where the shelf's verified prefix ends.
    async fn fetch_from(
        &self,
        source: PeerKey,
        hash: Hash,
        size: &mut Option<u64>,
        bytes_max: u64,
    ) -> Result<(), FetchError> {
        let size = match *size {
            Some(size) => size,
            None => {
                let (proven, bytes) = self.fetch_tail(source, hash).await?;
                if proven > bytes_max {
                    return Err(FetchError::TooLarge { bytes: proven, limit: bytes_max });
                }
                if proven <= BLOB_SMALL_BYTES_MAX {
                    return self.on_shelf(move |shelf| shelf.put(vec![bytes])).await;
                }
                *size.insert(proven)
            }
        };
        let held = self.on_shelf(move |shelf| shelf.partial(hash)).await?;
        let start = held.min(size) / GROUP_BYTES * GROUP_BYTES;
        let ranges = (start..size).step_by(RANGE_BYTES_MAX as usize);
        let asked = stream::iter(ranges).map(|offset| {
            let range = offset..(offset + u64::from(RANGE_BYTES_MAX)).min(size);
            async move { (range.clone(), self.fetch_range(source, hash, size, range).await) }
        });
        let mut asked = asked.buffered(RANGES_AHEAD);
        while let Some((range, bytes)) = asked.next().await {
            let bytes = bytes?;
            self.on_shelf(move |shelf| shelf.append(hash, range.start, &bytes)).await?;
        }
        self.on_shelf(move |shelf| shelf.finish(hash)).await
    }

    /// The size of a blob, proven, and its last bytes.
    async fn fetch_tail(&self, source: PeerKey, hash: Hash) -> Result<(u64, Vec<u8>), FetchError> {
        let (size, slice) = self.ask_slice(source, hash, Request::Tail(hash)).await?;
        let bytes = self.verify(source, hash, size, proof::tail(size), slice).await?;
        Ok((size, bytes))
    }

    /// A range of a blob of known size, proven.
    async fn fetch_range(
        &self,
        source: PeerKey,
        hash: Hash,
        size: u64,
        range: Range<u64>,
    ) -> Result<Vec<u8>, FetchError> {
        let request =
            Request::Range { hash, offset: range.start, bytes: (range.end - range.start) as u32 };
        let (_, slice) = self.ask_slice(source, hash, request).await?;
        self.verify(source, hash, size, range, slice).await
    }

    async fn ask_slice(
        &self,
        source: PeerKey,
        hash: Hash,
        request: Request,
    ) -> Result<(u64, Bytes), FetchError> {
        let unreachable = |reason: String| FetchError::Unreachable { peer: source, reason };
        let frame = self.ask(source, request).await.map_err(|e| unreachable(e.to_string()))?;
        match wire::take_slice(frame) {
            Ok(Some((size, slice))) if size <= BLOB_BYTES_MAX => Ok((size, slice)),
            Ok(None) => Err(FetchError::NotFound),
            Ok(Some(_)) | Err(_) => {
                self.tell_lie(source, hash);
                Err(FetchError::Lied(source))
            }
        }
    }

    async fn verify(
        &self,
        source: PeerKey,
        hash: Hash,
        size: u64,
        range: Range<u64>,
        slice: Bytes,
    ) -> Result<Vec<u8>, FetchError> {
        let Some(bytes) = blocking(move || Ok(proof::verify(hash, size, &range, &slice))).await?
        else {
            self.tell_lie(source, hash);
            return Err(FetchError::Lied(source));
        };
        self.counters.blob_bytes_in.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    async fn ask(&self, peer: PeerKey, request: Request) -> Result<Bytes, AskError> {
        let (answer, answered) = oneshot::channel();
        let command = Command::AskForBlobs(peer, request.encode(), answer);
        self.commands.send(command).await.map_err(|_| AskError::Stopped)?;
        answered.await.unwrap_or(Err(AskError::Stopped))
    }

    async fn on_shelf<T: Send + 'static>(
        &self,
        act: impl FnOnce(&dyn BlobShelf) -> io::Result<T> + Send + 'static,
    ) -> Result<T, FetchError> {
        let shelf = self.shelf.clone();
        blocking(move || act(&*shelf)).await
    }

    /// Tells the driver, unless it is too slow to hear it.
    fn tell_lie(&self, from: PeerKey, blob: Hash) {
        if self.events.try_send(NetEvent::Lied { from, blob }).is_err() {
            self.counters.events_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn judge_small(
    source: PeerKey,
    hash: Hash,
    answer: Small,
    bytes_max: u64,
    good: &mut Vec<Vec<u8>>,
) -> Outcome {
    match answer {
        Small::Missing => Outcome::Not(FetchError::NotFound),
        Small::Large => Outcome::Large,
        Small::Blob(bytes) if Hash::of(&bytes) != hash => Outcome::Not(FetchError::Lied(source)),
        Small::Blob(bytes) if bytes.len() as u64 > bytes_max => {
            Outcome::Not(FetchError::TooLarge { bytes: bytes.len() as u64, limit: bytes_max })
        }
        Small::Blob(bytes) => {
            good.push(bytes.into());
            Outcome::Kept
        }
    }
}

/// Whether asking others is of no use.
fn is_final(reason: &FetchError) -> bool {
    match reason {
        FetchError::TooLarge { .. } | FetchError::Shelf(_) => true,
        FetchError::NotFound | FetchError::Unreachable { .. } | FetchError::Lied(_) => false,
    }
}

/// Of two reasons the one that says more.
fn worse(a: FetchError, b: FetchError) -> FetchError {
    let rank = |reason: &FetchError| match reason {
        FetchError::NotFound => 0,
        FetchError::Unreachable { .. } => 1,
        FetchError::Lied(_) => 2,
        FetchError::TooLarge { .. } => 3,
        FetchError::Shelf(_) => 4,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

fn keep_worse(reasons: &mut HashMap<Hash, FetchError>, hash: Hash, reason: FetchError) {
    let reason = match reasons.remove(&hash) {
        Some(held) => worse(held, reason),
        None => reason,
    };
    reasons.insert(hash, reason);
}

/// Runs what may block on a thread for that.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FetchError> {
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => done.map_err(|e| FetchError::Shelf(e.to_string())),
        Err(broken) => Err(FetchError::Shelf(broken.to_string())),
    }
}
