//! Peers that do not run a node but play against the rules by hand.
//!
//! A rogue signs its own statements and nobody else's: that much the door ensures.
use crate::{
    scenario::{Kind, Scenario},
    truth,
};
use coordinator_free_scheduler::{
    Answer, ClaimedUnits, Commit, Hash, JobId, LotIndex, LotNews, Manifest, Message, Opening,
    PeerKey, Place, Query, Rng, SignedBatch, SignedManifest, Span, Speed, Statement, UnitIndex,
    commitment,
    statement::{Batch, batch_hash},
    wire,
};
use std::{collections::BTreeMap, rc::Rc};

/// A peer that does harm.
pub struct Rogue {
    key: PeerKey,
    kind: Kind,
    scenario: Rc<Scenario>,
    rng: Rng,
    jobs: BTreeMap<JobId, Manifest>,
    logs: BTreeMap<(JobId, LotIndex), Tip>,
    seen: BTreeMap<(JobId, UnitIndex), Seen>,
    due: Vec<(JobId, Opening)>,
}

#[derive(Clone, Copy, Default)]
struct Tip {
    sequence: u32,
    previous: Hash,
}

/// What it heard of a unit.
#[derive(Default)]
struct Seen {
    commits: Vec<(PeerKey, Hash)>,
    opening: Option<Opening>,
    used: bool,
}

/// What a rogue sends.
pub enum Harm {
    /// To everybody.
    Publish(SignedBatch),
    /// To the peers of one half, 0 or 1.
    Half(usize, SignedBatch),
    /// To one peer.
    Send(PeerKey, Message),
}

/// Units that a rogue deals with at a time.
const UNITS_AT_ONCE: usize = 4;
/// Units that a flooder commits to at a time.
const FLOOD_AT_ONCE: usize = 32;
/// Jobs that a flooder pays for at a time.
const MANIFESTS_AT_ONCE: usize = 20;
/// Units of each of them.
const FLOOD_UNITS: u32 = 200;

impl Rogue {
    /// A rogue of a kind.
    pub fn new(key: PeerKey, kind: Kind, scenario: Rc<Scenario>, seed: u64) -> Rogue {
        Rogue {
            key,
            kind,
            scenario,
            rng: Rng::new(seed),
            jobs: BTreeMap::new(),
            logs: BTreeMap::new(),
            seen: BTreeMap::new(),
            due: Vec::new(),
        }
    }

    /// Learns of a job.
    pub fn hear_manifest(&mut self, signed: &SignedManifest) {
        if let Ok(manifest) = signed.open() {
            self.jobs.insert(signed.id(), manifest);
        }
    }

    /// Whether it makes use of what others say.
    pub fn listens(&self) -> bool {
        match self.kind {
            Kind::Copier | Kind::Forker | Kind::Equivocator | Kind::Garbage => true,
            Kind::Withholder | Kind::Squatter | Kind::CommitFlooder => false,
            Kind::ManifestFlooder => false,
            // The others are nodes.
            _ => false,
        }
    }

    /// Listens.
    pub fn hear_batch(&mut self, batch: &Batch) {
        if batch.author == self.key || !self.listens() {
            return;
        }
        for statement in &batch.statements {
            match statement {
                Statement::Commits(commits) => commits.iter().for_each(|commit| {
                    let seen = self.seen.entry((batch.job, commit.unit)).or_default();
                    seen.commits.push((batch.author, commit.hash));
                }),
                Statement::Openings(openings) => openings.iter().for_each(|opening| {
                    let seen = self.seen.entry((batch.job, opening.unit)).or_default();
                    seen.opening.get_or_insert_with(|| opening.clone());
                }),
                Statement::Claim(_)
                | Statement::Calls(_)
                | Statement::Voids(_)
                | Statement::Sealed(_)
                | Statement::SealedFor { .. }
                | Statement::Audit { .. }
                | Statement::Host(_)
                | Statement::Cancel => {}
            }
        }
    }

    /// Answers anti-entropy by asking for everything, if it listens.
    pub fn hear_query(&mut self, from: PeerKey, query: &Query) -> Vec<Harm> {
        let ask = |query| Harm::Send(from, Message::Query(query));
        match query {
            Query::Digest(lots) => lots
                .iter()
                .filter_map(|(job, lot, _)| match self.jobs.contains_key(job) {
                    false => Some(ask(Query::Want(vec![*job]))),
                    true => self.listens().then(|| ask(heads(*job, *lot))),
                })
                .collect(),
            Query::Want(_) | Query::Heads { .. } | Query::News(_) => Vec::new(),
        }
    }

    /// Does its harm.
    pub fn act(&mut self, peers: &[PeerKey]) -> Vec<Harm> {
        if self.kind == Kind::ManifestFlooder {
            return self.flood(peers);
        }
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        jobs.into_iter()
            .flat_map(|job| match self.kind {
                Kind::Withholder => self.commit_blindly(job, UNITS_AT_ONCE),
                Kind::CommitFlooder => self.commit_blindly(job, FLOOD_AT_ONCE),
                Kind::Copier => self.copy(job),
                Kind::Forker => self.fork(job),
                Kind::Equivocator => self.equivocate(job),
                Kind::Garbage => self.litter(job, peers),
                Kind::Squatter => self.squat(job),
                _ => Vec::new(),
            })
            .collect()
    }

    /// Jobs of submitters of whom nobody has ever heard, one paid for and one not, to everybody.
    fn flood(&mut self, peers: &[PeerKey]) -> Vec<Harm> {
        let mut manifests = Vec::new();
        for _ in 0..MANIFESTS_AT_ONCE {
            let owner = PeerKey(Hash::of(&self.rng.draw().to_le_bytes()).0);
            let unpaid = truth::manifest(owner, FLOOD_UNITS, FLOOD_UNITS, 2, self.rng.draw());
            manifests.push(truth::stamped(unpaid, self.scenario.work_factor));
            manifests.push(truth::manifest(owner, FLOOD_UNITS, FLOOD_UNITS, 2, self.rng.draw()));
        }
        let send = |to: &PeerKey| Harm::Send(*to, Message::Manifests(manifests.clone()));
        peers.iter().map(send).collect()
    }

    fn say(&mut self, job: JobId, lot: LotIndex, statements: Vec<Statement>) -> SignedBatch {
        let tip = self.logs.entry((job, lot)).or_default();
        let place = Place { incarnation: 1, sequence: tip.sequence };
        let author = self.key;
        let batch = Batch { job, lot, author, place, previous: tip.previous, statements };
        let bytes = wire::encode(&batch);
        *tip = Tip { sequence: tip.sequence + 1, previous: batch_hash(&bytes) };
        SignedBatch::new(bytes.into(), truth::SIGNATURE)
    }

    fn units(&self, job: JobId) -> u32 {
        self.jobs[&job].work.units.count()
    }

    fn lot_of(&self, job: JobId, unit: UnitIndex) -> LotIndex {
        self.jobs[&job].lot_of(unit)
    }

    fn any_unit(&mut self, job: JobId) -> UnitIndex {
        self.rng.below(self.units(job).into()) as UnitIndex
    }

    /// A unit of which this rogue has said nothing yet, drawn at random; none after a few draws.
    fn fresh_unit(&mut self, job: JobId) -> Option<UnitIndex> {
        for _ in 0..8 {
            let unit = self.any_unit(job);
            let seen = self.seen.entry((job, unit)).or_default();
            if !core::mem::replace(&mut seen.used, true) {
                return Some(unit);
            }
        }
        None
    }

    fn right(&self, job: JobId, unit: UnitIndex) -> Answer {
        let number = self.jobs.get(&job).map_or(0, |manifest| manifest.salt as usize);
        truth::right(job, unit, self.scenario.fuel(number, unit))
    }

    fn commit(&self, job: JobId, unit: UnitIndex, answer: &Answer) -> Statement {
        let nonce = truth::nonce(self.key, job, unit);
        let hash = commitment(job, unit, self.key, answer, &nonce);
        Statement::Commits(vec![Commit { unit, hash }])
    }

    fn opening(&self, job: JobId, unit: UnitIndex, answer: Answer) -> Opening {
        let commits = self.seen.get(&(job, unit)).map(|seen| seen.commits.as_slice());
        let mut cites: Vec<Hash> =
            commits.unwrap_or_default().iter().map(|(_, hash)| *hash).collect();
        cites.sort_unstable();
        cites.dedup();
        cites.truncate(8);
        Opening { unit, answer, nonce: truth::nonce(self.key, job, unit), cites }
    }

    fn publish(&mut self, job: JobId, unit: UnitIndex, statements: Vec<Statement>) -> Harm {
        let lot = self.lot_of(job, unit);
        Harm::Publish(self.say(job, lot, statements))
    }

    fn commit_blindly(&mut self, job: JobId, units: usize) -> Vec<Harm> {
        let mut harms = Vec::new();
        for _ in 0..units {
            let Some(unit) = self.fresh_unit(job) else { break };
            let claim = claim(Span { first: unit, count: 1 });
            let commit = self.commit(job, unit, &truth::wrong(self.key, job, unit));
            harms.push(self.publish(job, unit, vec![claim, commit]));
        }
        harms
    }

    /// Answers with what others have opened; every other time with their very commit.
    fn copy(&mut self, job: JobId) -> Vec<Harm> {
        let mut harms = Vec::new();
        for (job, opening) in core::mem::take(&mut self.due) {
            harms.push(self.publish(job, opening.unit, vec![Statement::Openings(vec![opening])]));
        }
        let open = |(at, seen): (&(JobId, UnitIndex), &Seen)| {
            (at.0 == job && !seen.used).then_some(())?;
            Some((at.1, seen.opening.clone()?, seen.commits.first()?.1))
        };
        let open: Vec<_> = self.seen.iter().filter_map(open).take(UNITS_AT_ONCE).collect();
        for (unit, theirs, commit) in open {
            self.seen.entry((job, unit)).or_default().used = true;
            let (said, opening) = match unit % 4 {
                0 => (Statement::Commits(vec![Commit { unit, hash: commit }]), theirs),
                _ => {
                    let opening = self.opening(job, unit, theirs.answer.clone());
                    (self.commit(job, unit, &theirs.answer), opening)
                }
            };
            self.due.push((job, opening));
            harms.push(self.publish(job, unit, vec![said]));
        }
        harms
    }

    /// Works like an honest peer for a while, then tells each half of the grid another story.
    fn fork(&mut self, job: JobId) -> Vec<Harm> {
        let Some(unit) = self.fresh_unit(job) else { return Vec::new() };
        let lot = self.lot_of(job, unit);
        let right = self.right(job, unit);
        let opening = self.opening(job, unit, right.clone());
        let story = vec![self.commit(job, unit, &right), Statement::Openings(vec![opening])];
        if self.logs.get(&(job, lot)).is_none_or(|tip| tip.sequence < 5) {
            return vec![Harm::Publish(self.say(job, lot, story))];
        }
        let tip = self.logs[&(job, lot)];
        let other = vec![self.commit(job, unit, &truth::wrong(self.key, job, unit))];
        let first = Harm::Half(0, self.say(job, lot, story));
        self.logs.insert((job, lot), tip);
        vec![first, Harm::Half(1, self.say(job, lot, other))]
    }

    /// Opens a right answer, later a wrong one.
    fn equivocate(&mut self, job: JobId) -> Vec<Harm> {
        let mut harms = Vec::new();
        for (job, opening) in core::mem::take(&mut self.due) {
            let unit = opening.unit;
            let wrong = Opening { answer: truth::wrong(self.key, job, unit), ..opening.clone() };
            harms.push(self.publish(job, unit, vec![Statement::Openings(vec![opening])]));
            harms.push(self.publish(job, unit, vec![Statement::Openings(vec![wrong])]));
        }
        if let Some(unit) = self.fresh_unit(job) {
            let right = self.right(job, unit);
            let opening = self.opening(job, unit, right.clone());
            self.due.push((job, opening));
            let commit = self.commit(job, unit, &right);
            harms.push(self.publish(job, unit, vec![commit]));
        }
        harms
    }

    fn squat(&mut self, job: JobId) -> Vec<Harm> {
        let first = self.any_unit(job);
        let lot = self.lot_of(job, first);
        let end = self.jobs[&job].lot_range(lot).end;
        let count = (end - first).min(256);
        vec![self.publish(job, first, vec![claim(Span { first, count })])]
    }

    /// What cannot be, of every sort.
    fn litter(&mut self, job: JobId, peers: &[PeerKey]) -> Vec<Harm> {
        let unit = self.any_unit(job);
        let count = self.units(job);
        let false_opening = self.opening(job, unit, truth::wrong(self.key, job, unit));
        let many = Opening { cites: vec![Hash::of(b"cited"); 9], ..false_opening.clone() };
        let statements = match self.rng.below(9) {
            0 => vec![Statement::Commits(vec![Commit { unit: count, hash: Hash::default() }])],
            1 => vec![claim(Span { first: 0, count: u32::MAX })],
            2 => vec![claim(Span { first: unit, count: 0 })],
            3 => vec![
                self.commit(job, unit, &self.right(job, unit)),
                Statement::Openings(vec![false_opening]),
            ],
            4 => vec![Statement::Openings(vec![many])],
            5 => vec![Statement::Cancel],
            6 => vec![Statement::Openings(vec![false_opening])],
            7 => vec![Statement::Voids(vec![(
                u32::MAX,
                coordinator_free_scheduler::Void::HostMemory,
            )])],
            _ => return self.ask_nonsense(job, peers),
        };
        vec![self.publish(job, unit, statements)]
    }

    fn ask_nonsense(&mut self, job: JobId, peers: &[PeerKey]) -> Vec<Harm> {
        let to = peers[self.rng.below(peers.len() as u64) as usize];
        let nowhere = self.jobs[&job].lots();
        let mut far = Batch {
            job,
            lot: 0,
            author: self.key,
            place: Place { incarnation: 99, sequence: u32::MAX },
            previous: Hash::of(b"nothing"),
            statements: Vec::new(),
        };
        let sign = |batch: &Batch| SignedBatch::new(wire::encode(batch).into(), truth::SIGNATURE);
        let last = sign(&far);
        far.lot = nowhere;
        let head = coordinator_free_scheduler::Head {
            author: peers[0],
            incarnation: 3,
            next: 0,
            tip: Hash::of(b"tip"),
        };
        let odd =
            Query::Heads { job, lot: 0, heads: vec![head; 3], forked: vec![to], reply: false };
        let digest = Query::Digest(vec![(job, nowhere, Hash::default()); 5]);
        // That nothing is left to do anywhere, and that there is more than all.
        let news = |lot, undone| LotNews { lot, open: undone, undone, workers: 0, age_s: 0 };
        let lies = (0..nowhere).map(|lot| news(lot, 0));
        let lies = lies.chain([news(0, u32::MAX), news(nowhere, 1), news(u32::MAX, 1)]).collect();
        let news = Message::Query(Query::News(vec![(job, lies)]));
        let (odd, digest) = (Message::Query(odd), Message::Query(digest));
        [odd, digest, news, Message::Batches(vec![last, sign(&far)])]
            .map(|message| Harm::Send(to, message))
            .into()
    }
}

fn claim(span: Span) -> Statement {
    let speed = Speed { log2_fuel_per_ms: 12, slots: 4 };
    Statement::Claim(ClaimedUnits { spans: vec![span], rescues: Vec::new(), speed })
}

fn heads(job: JobId, lot: LotIndex) -> Query {
    Query::Heads { job, lot, heads: Vec::new(), forked: Vec::new(), reply: true }
}
