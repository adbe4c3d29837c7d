//! Serving blobs to others: a few requests at a time, on blocking threads.
//!
//! What cannot be proven here (a damaged disk, say) is answered as not held: this node never sends
//! bytes that do not belong to the name they were asked for by. So is what the shelf does not show to
//! whoever asks: nobody can tell it from what is not there.
use super::super::{BLOB_SMALL_BYTES_MAX, BlobShelf};
use super::proof::{self, GROUP_BYTES};
use super::wire::{self, BadFrame, RANGE_BYTES_MAX, Request, Small};
use bytes::Bytes;
use coordinator_free_scheduler::{Hash, PeerKey};
use libp2p::request_response::ResponseChannel;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, mpsc};

/// Requests served at once.
pub const SERVING_MAX: usize = 4;
/// Answers that wait for the swarm task.
pub const ANSWERS_WAITING_MAX: usize = 16;
/// Outboards kept in memory, the last read first.
pub const OUTBOARDS_CACHED_MAX: usize = 4;
/// Larger outboards are read anew for each request.
pub const OUTBOARD_CACHED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An answer and where it goes.
pub type Answer = (ResponseChannel<Bytes>, Bytes);

/// Serves requests.
pub struct Shop {
    clerk: Arc<Clerk>,
    places: Arc<Semaphore>,
    answers: mpsc::Sender<Answer>,
}

/// What the blocking threads share.
struct Clerk {
    shelf: Arc<dyn BlobShelf>,
    outboards: Mutex<VecDeque<(Hash, Arc<Vec<u8>>)>>,
}

impl Shop {
    /// An open shop, and the answers that leave it.
    pub fn open(shelf: Arc<dyn BlobShelf>) -> (Shop, mpsc::Receiver<Answer>) {
        let (answers, leaving) = mpsc::channel(ANSWERS_WAITING_MAX);
        let clerk = Arc::new(Clerk { shelf, outboards: Mutex::default() });
        (Shop { clerk, places: Arc::new(Semaphore::new(SERVING_MAX)), answers }, leaving)
    }

    /// Serves a peer's request when there is a place; how many wait is limited by the streams of a
    /// connection.
    pub fn serve(&self, from: PeerKey, request: Bytes, channel: ResponseChannel<Bytes>) {
        let (clerk, places, answers) =
            (self.clerk.clone(), self.places.clone(), self.answers.clone());
        tokio::spawn(async move {
            let Ok(_place) = places.acquire_owned().await else { return };
            let served = tokio::task::spawn_blocking(move || clerk.answer(from, request)).await;
            match served {
                // The swarm task may have ended; then nobody waits for the answer.
                Ok(Ok(answer)) => drop(answers.send((channel, answer)).await),
                // Dropping the channel tells the other side that there is no answer.
                Ok(Err(reason)) => tracing::debug!(%reason, "not served"),
                Err(reason) => tracing::error!(%reason, "the shelf failed"),
            }
        });
    }
}

impl Clerk {
    fn answer(&self, from: PeerKey, request: Bytes) -> Result<Bytes, BadFrame> {
        match Request::decode(request)? {
            Request::Small(hashes) => Ok(self.small(from, &hashes)),
            Request::Tail(hash) => Ok(self.slice(from, hash, proof::tail)),
            Request::Range { hash, offset, bytes } => {
                if offset % GROUP_BYTES != 0 || bytes == 0 || bytes > RANGE_BYTES_MAX {
                    return Err(BadFrame(
                        "a range that does not start at a chunk group, or is too long",
                    ));
                }
                let end = offset.saturating_add(u64::from(bytes)).next_multiple_of(GROUP_BYTES);
                Ok(self.slice(from, hash, |size| offset..end.min(size)))
            }
        }
    }

    /// The size of a blob, as far as a peer may know.
    fn size(&self, from: PeerKey, hash: Hash) -> Option<u64> {
        self.shelf.size(hash).filter(|_| self.shelf.shows(hash, from))
    }

    fn small(&self, from: PeerKey, hashes: &[Hash]) -> Bytes {
        let mut frame = Vec::new();
        for hash in hashes {
            if !wire::put_small(&mut frame, &self.look_up(from, *hash)) {
                break;
            }
        }
        Bytes::from(frame)
    }

    fn look_up(&self, from: PeerKey, hash: Hash) -> Small {
        let Some(size) = self.size(from, hash) else { return Small::Missing };
        if size > BLOB_SMALL_BYTES_MAX {
            return Small::Large;
        }
        match self.shelf.read(hash, 0, size as usize) {
            Ok(bytes) if Hash::of(&bytes) == hash => Small::Blob(Bytes::from(bytes)),
            Ok(_) => self.damaged(hash, "other bytes than its name says"),
            Err(reason) => self.damaged(hash, &reason.to_string()),
        }
    }

    fn damaged(&self, hash: Hash, reason: &str) -> Small {
        tracing::warn!(blob = %hash, reason, "a blob on the shelf cannot be served");
        Small::Missing
    }

    /// The slice for the range of a blob, or nothing.
    fn slice(&self, from: PeerKey, hash: Hash, range: impl FnOnce(u64) -> Range<u64>) -> Bytes {
        let Some(size) = self.size(from, hash) else { return Bytes::new() };
        let range = range(size);
        if range.is_empty() && size > 0 {
            return Bytes::new();
        }
        match self.cut(hash, size, &range) {
            Ok(slice) => wire::put_slice(size, &slice),
            Err(reason) => {
                self.damaged(hash, &reason.to_string());
                Bytes::new()
            }
        }
    }

    fn cut(&self, hash: Hash, size: u64, range: &Range<u64>) -> io::Result<Vec<u8>> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let outboard = if size > GROUP_BYTES { self.outboard(hash)? } else { Arc::default() };
        let bytes = self.shelf.read(hash, range.start, (range.end - range.start) as usize)?;
        proof::cut(hash, size, &outboard, range, bytes)
    }

    fn outboard(&self, hash: Hash) -> io::Result<Arc<Vec<u8>>> {
        let cached = || self.outboards.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, outboard)) = cached().iter().find(|(held, _)| *held == hash) {
            return Ok(outboard.clone());
        }
        let outboard = Arc::new(self.shelf.outboard(hash)?);
        if outboard.len() <= OUTBOARD_CACHED_BYTES_MAX {
            let mut cached = cached();
            cached.push_front((hash, outboard.clone()));
            cached.truncate(OUTBOARDS_CACHED_MAX);
        }
        Ok(outboard)
    }
}
