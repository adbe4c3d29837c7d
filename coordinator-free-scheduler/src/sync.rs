//! Pairwise anti-entropy: two nodes compare digests of their lots and exchange what differs. This
//! is the reliable path; gossip only hurries.
//!
//! Messages go one way and need no answer: a lost one is made good by the next round. What is sent
//! at once is bounded; the rest follows in the next rounds.
use crate::{
    BATCH_BYTES_MAX, Hash, JobId, LotIndex, LotNews, Millis, Node, Output, PeerKey, SignedBatch,
    SignedManifest,
    board::{Board, log::Author},
};
use alloc::{collections::BTreeMap, vec::Vec};
use serde::{Deserialize, Serialize};

/// Largest message, bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Bytes of batches put into one message.
const PAGE_BYTES: usize = 256 << 10;
/// Bytes of batches sent to one peer at once, however often it asks …
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// … and from then on in a second: a question costs next to nothing, the answer may be a whole lot.
const ANSWER_BYTES_PER_S: u64 = 256 << 10;
/// Lots compared in one round.
const DIGESTS_MAX: usize = 4_096;
/// Manifests asked for, and sent, at once.
const MANIFESTS_MAX: usize = 64;
/// One round of so many is with any neighbour, so that jobs and news get about.
const STRANGERS: u64 = 4;
/// Logs told of in one message.
const HEADS_MAX: usize = 8_192;

/// What two nodes say to each other directly.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Message {
    /// A question.
    Query(Query),
    /// In answer to [`Query::Want`]; the body checks each signature.
    Manifests(Vec<SignedManifest>),
    /// In answer to [`Query::Heads`]; the body checks each signature.
    Batches(Vec<SignedBatch>),
}

/// What a node wants to know, told by what it knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Query {
    /// "These are my lots." Answered by `Want` and `Heads` where the receiver's differ.
    Digest(Vec<(JobId, LotIndex, Hash)>),
    /// "I do not know these jobs."
    Want(Vec<JobId>),
    /// "This is how far I know the logs of a lot."
    Heads {
        /// The job.
        job: JobId,
        /// The lot.
        lot: LotIndex,
        /// Every log.
        heads: Vec<Head>,
        /// Authors known to keep two logs.
        forked: Vec<PeerKey>,
        /// Whether this answers the receiver's own `Heads`; then it is not answered by another.
        reply: bool,
    },
    /// "This is where there is work, as I heard." Not answered.
    News(Vec<(JobId, Vec<LotNews>)>),
}

/// How far one log is known.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Head {
    /// Its author.
    pub author: PeerKey,
    /// Its incarnation.
    pub incarnation: u64,
    /// Batches held, from the first without a gap.
    pub next: u32,
    /// Hash of the last of them.
    pub tip: Hash,
}

/// Bytes that a signature and lengths add to a batch.
const ENVELOPE_BYTES: usize = 80;

/// What a peer was sent lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered {
    at: Millis,
    bytes: usize,
}

impl Answered {
    /// Bytes that still count against it.
    fn left(&self, now: Millis) -> usize {
        let forgiven = now.since(self.at) * ANSWER_BYTES_PER_S / 1_000;
        self.bytes.saturating_sub(forgiven as usize)
    }

    /// Whether it is as if nothing had been sent; reconnecting alone forgives nothing.
    pub(crate) fn is_forgiven(&self, now: Millis) -> bool {
        self.left(now) == 0
    }
}

/// What one side of a comparison lacks.
struct Difference {
    they_lack: Vec<SignedBatch>,
    we_lack: bool,
}

impl Node {
    /// Compares all lots with one peer.
    pub(crate) fn send_digest(&mut self, to: PeerKey) {
        let mut lots: Vec<(JobId, LotIndex, Hash)> = Vec::new();
        for (id, job) in &mut self.jobs {
            lots.extend(job.lots.iter_mut().map(|(lot, known)| (*id, *lot, known.board.digest())));
        }
        if lots.len() > DIGESTS_MAX {
            let start = self.rng.below(lots.len() as u64) as usize;
            lots.rotate_left(start);
            lots.truncate(DIGESTS_MAX);
        }
        self.send(to, Query::Digest(lots));
    }

    fn send(&mut self, to: PeerKey, query: Query) {
        self.outputs.push_back(Output::Send { to, message: Message::Query(query) });
    }

    /// One round with a neighbour drawn at random, mostly one who is in a lot of this node's. Where
    /// nobody is, the submitter is asked too.
    pub(crate) fn sync_round(&mut self, now: Millis) {
        let anybody = self.rng.below(STRANGERS) == 0;
        let (mates, owner) = self.drawn_lot().filter(|_| !anybody).unwrap_or_default();
        let strangers = || self.peers.iter().copied().collect();
        let partners: Vec<PeerKey> = if mates.is_empty() { strangers() } else { mates };
        let at = self.rng.below(partners.len().max(1) as u64) as usize;
        let owner = owner.filter(|owner| *owner != self.config.me && !partners.contains(owner));
        let news = self.news(now);
        if let Some(peer) = partners.get(at).copied() {
            self.send_digest(peer);
            if !news.is_empty() {
                self.send(peer, Query::News(news));
            }
        }
        owner.into_iter().for_each(|owner| self.send_digest(owner));
    }

    /// The neighbours in one of this node's undone lots; none, and the job's owner, where nobody is.
    fn drawn_lot(&mut self) -> Option<(Vec<PeerKey>, Option<PeerKey>)> {
        let lots = self.jobs.iter().flat_map(|(id, job)| {
            let undone = job.lots.iter().filter(|(_, lot)| lot.is_undone());
            undone.map(|(lot, _)| (*id, *lot))
        });
        let lots: Vec<(JobId, LotIndex)> = lots.collect();
        let at = self.rng.below(lots.len().max(1) as u64) as usize;
        let (id, lot) = *lots.get(at)?;
        let mates = self.mates_in(id, lot);
        let owner = self.jobs.get(&id).filter(|_| mates.is_empty()).map(|job| job.manifest.owner);
        Some((mates, owner))
    }

    pub(crate) fn on_query(&mut self, now: Millis, from: PeerKey, query: Query) {
        match query {
            Query::Digest(lots) => self.on_digest(now, from, lots),
            Query::News(news) => self.on_news(now, news),
            Query::Want(jobs) => {
                let known = jobs.iter().take(MANIFESTS_MAX).filter_map(|job| self.jobs.get(job));
                let taken = known.filter(|job| self.is_fit_for_all(job));
                let manifests: Vec<SignedManifest> = taken.map(|job| job.signed.clone()).collect();
                if !manifests.is_empty() {
                    let message = Message::Manifests(manifests);
                    self.outputs.push_back(Output::Send { to: from, message });
                }
            }
            Query::Heads { job, lot, heads, forked, reply } => {
                self.on_heads(now, from, (job, lot), &heads, &forked, reply);
            }
        }
    }

    fn on_digest(&mut self, now: Millis, from: PeerKey, lots: Vec<(JobId, LotIndex, Hash)>) {
        let mut unknown: Vec<JobId> = Vec::new();
        let lots: BTreeMap<(JobId, LotIndex), Hash> = lots
            .into_iter()
            .take(DIGESTS_MAX)
            .map(|(job, lot, digest)| ((job, lot), digest))
            .collect();
        self.note_lots(from, lots.keys().copied());
        for ((job, lot), digest) in lots {
            if !self.jobs.contains_key(&job) {
                unknown.push(job);
            } else if let Some(known) = self.lot(job, lot) {
                match known.board.digest() == digest {
                    true => self.note_same(from, job, lot),
                    false => self.tell_heads(now, from, job, lot, false),
                }
            }
        }
        unknown.dedup();
        unknown.retain(|job| self.asks_for(now, *job));
        unknown.truncate(MANIFESTS_MAX);
        if !unknown.is_empty() {
            self.send(from, Query::Want(unknown));
        }
    }

    /// Tells how far this node knows a lot, unless somebody else was told who is to send the rest.
    pub(crate) fn tell_heads(
        &mut self,
        now: Millis,
        to: PeerKey,
        job: JobId,
        lot: LotIndex,
        reply: bool,
    ) {
        if !self.may_ask(now, job, lot) {
            return;
        }
        let Some(known) = self.jobs.get(&job).and_then(|job| job.lots.get(&lot)) else { return };
        let (mut heads, forked) = heads_of(&known.board);
        heads.truncate(HEADS_MAX);
        self.send(to, Query::Heads { job, lot, heads, forked, reply });
    }

    /// Bytes that a peer may be sent now.
    fn answer_room(&mut self, now: Millis, to: PeerKey) -> usize {
        if !self.peers.contains(&to) {
            return PAGE_BYTES; // It is about to go, or has just come.
        }
        let answered = self.answered.entry(to).or_default();
        *answered = Answered { at: now, bytes: answered.left(now) };
        ANSWER_BYTES_MAX.saturating_sub(answered.bytes)
    }

    fn on_heads(
        &mut self,
        now: Millis,
        from: PeerKey,
        (job, lot): (JobId, LotIndex),
        heads: &[Head],
        forked: &[PeerKey],
        reply: bool,
    ) {
        self.note_lot(from, job, lot);
        let room = self.answer_room(now, from);
        let Some(known) = self.lot(job, lot) else { return };
        let difference = compare(&known.board, heads, forked);
        for page in pages(difference.they_lack, room) {
            let bytes: usize = page.iter().map(|batch| batch.bytes().len() + ENVELOPE_BYTES).sum();
            if let Some(answered) = self.answered.get_mut(&from) {
                answered.bytes += bytes;
            }
            let message = Message::Batches(page);
            self.outputs.push_back(Output::Send { to: from, message });
        }
        if difference.we_lack && !reply {
            self.tell_heads(now, from, job, lot, true);
        }
    }
}

fn heads_of(board: &Board) -> (Vec<Head>, Vec<PeerKey>) {
    let (mut heads, mut forked) = (Vec::new(), Vec::new());
    for (author, logs) in board.logs() {
        match logs {
            Author::Forked(_) => forked.push(author),
            Author::Honest(logs) => heads.extend(
                logs.iter().filter(|(_, log)| log.next() > 0).map(|(incarnation, log)| Head {
                    author,
                    incarnation: *incarnation,
                    next: log.next(),
                    tip: log.tip(),
                }),
            ),
        }
    }
    (heads, forked)
}

/// Every batch of a board.
pub(crate) fn all_of(board: &Board) -> Vec<SignedBatch> {
    compare(board, &[], &[]).they_lack
}

fn compare(board: &Board, heads: &[Head], forked: &[PeerKey]) -> Difference {
    let theirs: BTreeMap<(PeerKey, u64), &Head> =
        heads.iter().map(|head| ((head.author, head.incarnation), head)).collect();
    let mut they_lack = Vec::new();
    let mut we_lack = false;
    for (author, logs) in board.logs() {
        match logs {
            Author::Forked(proof) if !forked.contains(&author) => they_lack.extend(proof.to_vec()),
            Author::Forked(_) => {}
            // The two that prove a fork come from their side.
            Author::Honest(_) if forked.contains(&author) => we_lack = true,
            Author::Honest(logs) => {
                for (incarnation, log) in logs {
                    let (next, tip) = theirs
                        .get(&(author, *incarnation))
                        .map_or((0, Hash::default()), |head| (head.next, head.tip));
                    we_lack |= next > log.next();
                    // Where the logs part, the last batch of the common length proves the fork.
                    let parts = log.tip_before(next).is_some_and(|mine| mine != tip);
                    they_lack.extend(log.from(next.saturating_sub(parts as u32)).cloned());
                }
            }
        }
    }
    we_lack |= theirs.keys().any(|(author, incarnation)| {
        board.log(*author, *incarnation).is_none() && !board.forked(*author)
    });
    we_lack |= forked.iter().any(|author| !board.forked(*author));
    Difference { they_lack, we_lack }
}

fn pages(batches: Vec<SignedBatch>, room: usize) -> Vec<Vec<SignedBatch>> {
    let mut pages: Vec<Vec<SignedBatch>> = Vec::new();
    let (mut page_bytes, mut bytes) = (PAGE_BYTES, 0);
    for batch in batches {
        page_bytes += batch.bytes().len() + ENVELOPE_BYTES;
        bytes += batch.bytes().len() + ENVELOPE_BYTES;
        if bytes > room {
            break;
        }
        if page_bytes + BATCH_BYTES_MAX > PAGE_BYTES {
            pages.push(Vec::new());
            page_bytes = batch.bytes().len() + ENVELOPE_BYTES;
        }
        if let Some(page) = pages.last_mut() {
            page.push(batch);
        }
    }
    pages
}
