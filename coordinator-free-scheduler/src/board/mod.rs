//! All that is known of one gossip lot: logs of its authors, joined into its units.
//!
//! Two boards that were given the same batches, in any order and any number of times, are equal in
//! [`digest`](Board::digest) and in every decision. What a node did with its own time (claims, work
//! in hand, marks of silence) is not here.
pub mod log;
pub mod unit;

use crate::{
    CITES_MAX, ClaimedUnits, Decision, Fault, Hash, JobId, LIMITS, LotIndex, Opening, PeerKey,
    Place, Profile, SignedBatch, Span, Statement, UnitIndex, Verdict, statement::Batch,
    verify::quorum,
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use log::{Added, Author, Log};
use unit::{AuthorIndex, Opened, Standing, Unit, UnitName};

/// One lot of one job.
#[derive(Clone, Debug)]
pub struct Board {
    job: JobId,
    owner: PeerKey,
    lot: LotIndex,
    profile: Profile,
    first: UnitIndex,
    units: Vec<Unit>,
    authors: Vec<(PeerKey, Author)>,
    by_key: BTreeMap<PeerKey, AuthorIndex>,
    cancelled: bool,
    digest: Option<Hash>,
}

/// What a merge changed.
#[derive(Debug, Default)]
pub struct Merged {
    /// Units about which something new was said, sorted, each once.
    pub touched: Vec<UnitIndex>,
    /// Those among them that stand otherwise now, with how they stood before.
    pub changed: Vec<(UnitIndex, Standing)>,
    /// The author's latest claim.
    pub claim: Option<(AuthorIndex, ClaimedUnits)>,
    /// Bad deeds of the author; what they were part of was left out.
    pub faults: Vec<Fault>,
    /// What of it belongs into a journal, in order: batches that are in their log's line now.
    pub logged: Vec<SignedBatch>,
}

impl Board {
    /// An empty board for the units `range` of a job.
    pub fn new(
        job: JobId,
        owner: PeerKey,
        lot: LotIndex,
        profile: Profile,
        range: core::ops::Range<UnitIndex>,
    ) -> Board {
        Board {
            job,
            owner,
            lot,
            profile,
            first: range.start,
            units: range.map(|_| Unit::default()).collect(),
            authors: Vec::new(),
            by_key: BTreeMap::new(),
            cancelled: false,
            digest: None,
        }
    }

    /// The units of the lot.
    pub fn range(&self) -> core::ops::Range<UnitIndex> {
        self.first..self.first + self.units.len() as u32
    }

    /// What is known of a unit, if the lot has it.
    pub fn unit(&self, unit: UnitIndex) -> Option<&Unit> {
        self.units.get(unit.checked_sub(self.first)? as usize)
    }

    /// By which rule its units are decided.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether the owner ended the job.
    pub fn cancelled(&self) -> bool {
        self.cancelled
    }

    /// The key of an author.
    pub fn key(&self, author: AuthorIndex) -> PeerKey {
        self.authors[author as usize].0
    }

    /// All authors.
    pub fn authors(&self) -> impl Iterator<Item = (AuthorIndex, PeerKey)> {
        self.authors.iter().enumerate().map(|(at, (key, _))| (at as AuthorIndex, *key))
    }

    /// The place of an author in the list, made if need be.
    ///
    /// # Errors
    /// The lot has as many authors as it may.
    pub fn author(&mut self, key: PeerKey) -> Result<AuthorIndex, Fault> {
        if let Some(known) = self.by_key.get(&key) {
            return Ok(*known);
        }
        if self.authors.len() >= LIMITS.authors {
            return Err(Fault::OverLimit("authors of a gossip lot"));
        }
        let index = self.authors.len() as AuthorIndex;
        self.authors.push((key, Author::Honest(BTreeMap::new())));
        self.by_key.insert(key, index);
        Ok(index)
    }

    /// Whether a peer has said anything here.
    pub fn knows(&self, peer: PeerKey) -> bool {
        self.by_key.contains_key(&peer)
    }

    /// Whether an author keeps one log, as far as is known; others count for nothing.
    pub fn honest(&self, author: AuthorIndex) -> bool {
        matches!(self.authors[author as usize].1, Author::Honest(_))
    }

    /// Merges a batch whose signature was checked, of this job and lot.
    ///
    /// # Errors
    /// The batch as a whole was refused.
    pub fn merge(&mut self, signed: SignedBatch, batch: Arc<Batch>) -> Result<Merged, Fault> {
        let author = self.author(batch.author)?;
        let mut merged = Merged::default();
        match self.authors[author as usize].1.add(signed, batch)? {
            Added::Nothing => return Ok(merged),
            Added::Next(batches) => {
                for (signed, batch) in batches {
                    self.apply(author, &batch.statements, &mut merged);
                    merged.logged.push(signed);
                }
            }
            Added::Fork(proof) => {
                merged.logged.extend(proof);
                merged.faults.push(Fault::ForkedLog(self.key(author)));
                merged.touched = self.units_of(author);
            }
        }
        self.digest = None;
        self.decide(&mut merged);
        Ok(merged)
    }

    /// Merges statements of this node's own, before they are signed.
    pub fn merge_own(&mut self, author: AuthorIndex, statements: &[Statement]) -> Merged {
        let mut merged = Merged::default();
        self.apply(author, statements, &mut merged);
        self.decide(&mut merged);
        merged
    }

    /// Adds a batch of this node's own to its log, now that it is signed.
    pub fn log_own(&mut self, author: AuthorIndex, place: Place, signed: SignedBatch) {
        self.authors[author as usize].1.add_own(signed, place);
        self.digest = None;
    }

    fn units_of(&self, author: AuthorIndex) -> Vec<UnitIndex> {
        let said = self.units.iter().enumerate().filter(|(_, unit)| unit.tried_by(author));
        said.map(|(at, _)| self.first + at as u32).collect()
    }

    fn apply(&mut self, author: AuthorIndex, statements: &[Statement], merged: &mut Merged) {
        for statement in statements {
            match statement {
                Statement::Claim(claimed) => match self.claimable(claimed) {
                    Ok(()) => merged.claim = Some((author, claimed.clone())),
                    Err(fault) => merged.faults.push(fault),
                },
                Statement::Commits(commits) => {
                    for commit in commits {
                        self.say(author, commit.unit, merged, |unit, name| {
                            unit.commit(name, author, commit.hash)
                        });
                    }
                }
                Statement::Openings(openings) => {
                    for opening in openings {
                        self.apply_opening(author, opening, merged);
                    }
                }
                Statement::Voids(voids) => {
                    for (unit, void) in voids {
                        self.say(author, *unit, merged, |unit, _| unit.void(author, *void));
                    }
                }
                Statement::Cancel if self.key(author) == self.owner => self.cancelled = true,
                Statement::Cancel => merged.faults.push(Fault::NotTheOwner),
            }
        }
    }

    fn apply_opening(&mut self, author: AuthorIndex, opening: &Opening, merged: &mut Merged) {
        if opening.cites.len() > CITES_MAX {
            merged.faults.push(Fault::TooManyCites);
            return;
        }
        let unit = opening.unit;
        let opened = Opened { answer: opening.answer.clone(), nonce: opening.nonce };
        self.say(author, unit, merged, |unit, name| {
            unit.open(name, author, opened, &opening.cites)
        });
        let voucher = self.unit(unit).and_then(|unit| unit.voucher(author));
        if voucher.is_some_and(|voucher| voucher.fits == Some(false)) {
            merged.faults.push(Fault::FalseOpening);
        }
    }

    fn say(
        &mut self,
        author: AuthorIndex,
        unit: UnitIndex,
        merged: &mut Merged,
        join: impl FnOnce(&mut Unit, UnitName) -> bool,
    ) {
        let name = UnitName { job: self.job, unit, author: self.key(author) };
        let at = unit.checked_sub(self.first).map(|at| at as usize);
        match at.and_then(|at| self.units.get_mut(at)) {
            None => merged.faults.push(Fault::NoSuchUnit),
            Some(known) => {
                if join(known, name) {
                    merged.touched.push(unit);
                }
            }
        }
    }

    fn claimable(&self, claimed: &ClaimedUnits) -> Result<(), Fault> {
        let range = self.range();
        let inside = |span: &Span| {
            span.count > 0
                && span.first >= range.start
                && span.first.checked_add(span.count).is_some_and(|end| end <= range.end)
        };
        let spans = || claimed.spans.iter().chain(&claimed.rescues);
        if !spans().all(inside) {
            return Err(Fault::NoSuchUnit);
        }
        match spans().map(|span| span.count as u64).sum::<u64>() {
            units if units <= LIMITS.claim_units as u64 => Ok(()),
            _ => Err(Fault::OverLimit("units of a claim")),
        }
    }

    fn decide(&mut self, merged: &mut Merged) {
        merged.touched.sort_unstable();
        merged.touched.dedup();
        for unit in &merged.touched {
            let at = (unit - self.first) as usize;
            let counts = |author| self.honest(author);
            let decision = quorum::decide(&self.units[at], self.profile, counts);
            let standing = self.units[at].stand(decision, counts);
            let before = core::mem::replace(&mut self.units[at].standing, standing);
            if before != self.units[at].standing {
                merged.changed.push((*unit, before));
            }
        }
    }

    /// What a unit has come to, in terms that mean the same on every node.
    pub fn verdict(&self, unit: UnitIndex) -> Verdict {
        let Some(known) = self.unit(unit) else { return Verdict::Open };
        match (&known.standing.decision, known.agreed(&known.standing.decision)) {
            (Decision::Failed(reason), _) => Verdict::Failed(*reason),
            (Decision::Verified(authors), Some(answer)) => {
                let mut vouchers: Vec<PeerKey> = authors.iter().map(|a| self.key(*a)).collect();
                vouchers.sort_unstable();
                Verdict::Verified { answer: answer.clone(), vouchers }
            }
            (Decision::Open | Decision::Verified(_), _) => Verdict::Open,
        }
    }

    /// A hash of all logs; equal iff two boards hold the same batches. Remembered until the next
    /// change.
    pub fn digest(&mut self) -> Hash {
        let digest = self.digest_of_logs();
        self.digest = Some(digest);
        digest
    }

    /// The same, for whoever may only look.
    pub fn digest_of_logs(&self) -> Hash {
        if let Some(known) = self.digest {
            return known;
        }
        let mut hasher = blake3::Hasher::new_derive_key("dugnad 1 lot digest");
        for (key, author) in self.logs() {
            match author {
                Author::Forked(_) => {
                    hasher.update(&key.0).update(b"forked");
                }
                Author::Honest(logs) => {
                    for (incarnation, log) in logs.iter().filter(|(_, log)| log.next() > 0) {
                        hasher.update(&key.0).update(&incarnation.to_le_bytes());
                        hasher.update(&log.next().to_le_bytes()).update(&log.tip().0);
                    }
                }
            }
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// Every log with its author, and the proofs against those who keep two.
    pub fn logs(&self) -> impl Iterator<Item = (PeerKey, &Author)> {
        self.by_key.iter().map(|(key, index)| (*key, &self.authors[*index as usize].1))
    }

    /// One log, if there is such a thing.
    pub fn log(&self, author: PeerKey, incarnation: u64) -> Option<&Log> {
        match &self.authors[*self.by_key.get(&author)? as usize].1 {
            Author::Honest(logs) => logs.get(&incarnation),
            Author::Forked(_) => None,
        }
    }

    /// Whether an author is known to keep two logs.
    pub fn forked(&self, author: PeerKey) -> bool {
        self.by_key.get(&author).is_some_and(|index| !self.honest(*index))
    }

    /// Which lot this is.
    pub fn name(&self) -> (JobId, LotIndex) {
        (self.job, self.lot)
    }
}
