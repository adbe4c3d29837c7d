//! All that is known of one gossip lot: logs of its authors, joined into its units.
//!
//! Two boards that were given the same batches, in any order and any number of times, are equal in
//! [`digest`](Board::digest) and in every decision. What a node did with its own time (claims, work
//! in hand, marks of silence) is not here.
mod archive;
mod donors;
pub mod log;
pub mod orders;
mod signers;
pub mod unit;

use crate::{
    ClaimedUnits, Decision, Fault, Hash, Host, JobId, LIMITS, LotIndex, Manifest, PeerKey, Place,
    Profile, SealedAnswer, SignedBatch, Span, Statement, UnitIndex, Verdict, statement::Batch,
    verify::quorum,
};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};
use archive::Slot;
use donors::Donors;
use log::{Added, Author, Log};
use orders::Orders;
use unit::{AuthorIndex, Heard, Said, Standing, Unit, UnitName};

/// One lot of one job.
#[derive(Clone, Debug)]
pub struct Board {
    job: JobId,
    owner: PeerKey,
    lot: LotIndex,
    profile: Profile,
    first: UnitIndex,
    units: Vec<Slot>,
    authors: Vec<(PeerKey, Author)>,
    by_key: BTreeMap<PeerKey, AuthorIndex>,
    donors: Donors,
    cancelled: bool,
    /// Who says what becomes of the job, in the order in which they step in: the owner first.
    signers: Vec<Orders>,
    /// The signer that this node is, if it is one.
    me: Option<PeerKey>,
    digest: Option<Hash>,
}

/// What a merge changed.
#[derive(Debug, Default)]
pub struct Merged {
    /// Units about which something new was said, sorted, each once.
    pub touched: Vec<UnitIndex>,
    /// Those among them that stand otherwise now, with how they stood before.
    pub changed: Vec<(UnitIndex, Standing)>,
    /// Units that had been put away.
    pub restored: Vec<UnitIndex>,
    /// The author's latest claim.
    pub claim: Option<(AuthorIndex, ClaimedUnits)>,
    /// Answers for this node alone, as a signer, with their authors.
    pub sealed: Vec<(AuthorIndex, SealedAnswer)>,
    /// The machine that the author is on, if it says so.
    pub host: Option<Host>,
    /// Whether a signer said something about all units.
    pub ordered: bool,
    /// Whether the author said for the first time whose machine it is, in a lot where that matters.
    pub joined: bool,
    /// Bad deeds of the author; what they were part of was left out.
    pub faults: Vec<Fault>,
    /// What of it belongs into a journal, in order: batches that are in their log's line now.
    pub logged: Vec<SignedBatch>,
}

impl Board {
    /// An empty board for the units `range` of a job.
    pub fn new(job: JobId, manifest: &Manifest, lot: LotIndex) -> Board {
        let range = manifest.lot_range(lot);
        let signers = manifest.signers().into_iter();
        let signers = signers.map(|signer| Orders::new(signer, signer == manifest.owner));
        Board {
            job,
            owner: manifest.owner,
            lot,
            profile: manifest.profile,
            first: range.start,
            units: range.map(|_| Slot::Blank).collect(),
            authors: Vec::new(),
            by_key: BTreeMap::new(),
            donors: Donors::default(),
            cancelled: false,
            signers: signers.collect(),
            me: None,
            digest: None,
        }
    }

    /// The units of the lot.
    pub fn range(&self) -> core::ops::Range<UnitIndex> {
        self.first..self.first + self.units.len() as u32
    }

    /// What is known of a unit; none of one that is put away, or that the lot does not have.
    pub fn unit(&self, unit: UnitIndex) -> Option<&Unit> {
        self.units.get(unit.checked_sub(self.first)? as usize)?.known()
    }

    /// The same to join something in, for which nothing is put away.
    fn unit_mut(&mut self, unit: UnitIndex) -> Option<&mut Unit> {
        self.units.get_mut(unit.checked_sub(self.first)? as usize)?.known_mut()
    }

    /// Whose job it is.
    pub fn owner(&self) -> PeerKey {
        self.owner
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
        self.authors.push((key, Author::Honest(Vec::new())));
        self.by_key.insert(key, index);
        Ok(index)
    }

    /// The place of an author in the list, if it has said anything.
    pub fn index_of(&self, key: PeerKey) -> Option<AuthorIndex> {
        self.by_key.get(&key).copied()
    }

    /// What a peer committed to, if it is one thing and the unit is not put away.
    pub fn commit_of(&self, peer: PeerKey, unit: UnitIndex) -> Option<Hash> {
        let author = *self.by_key.get(&peer)?;
        self.unit(unit)?.voucher(author)?.commit.one().copied()
    }

    /// Whether a peer's answer to a unit is here for all to see; units that are put away have all that
    /// they need.
    pub fn is_shown(&self, peer: PeerKey, unit: UnitIndex) -> bool {
        if self.forked(peer) {
            return false;
        }
        let Some(known) = self.unit(unit) else { return true };
        let author = self.by_key.get(&peer);
        let voucher = author.and_then(|author| known.voucher(*author));
        voucher.is_some_and(|voucher| voucher.live().is_some())
    }

    /// Whether an author has said anything of a unit, which may be put away.
    pub(crate) fn is_tried(&self, unit: UnitIndex, author: AuthorIndex) -> bool {
        let at = unit.checked_sub(self.first).map(|at| at as usize);
        at.and_then(|at| self.units.get(at)).is_some_and(|slot| slot.tried_by(author))
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
            Added::Next(first) => {
                let mut in_line = Some(first);
                while let Some(next) = in_line {
                    // Not in the log yet: what is put away must come back as it was before.
                    self.apply(author, &next.batch.statements, &mut merged);
                    merged.logged.push(next.signed.clone());
                    in_line = self.authors[author as usize].1.append(next);
                }
            }
            Added::Fork(proof) => {
                merged.touched = self.units_of(author);
                merged.touched.extend(self.given_back_by(author));
                merged.restored = self.restore(merged.touched.iter().copied());
                self.authors[author as usize].1 = Author::Forked(Box::new(proof.clone()));
                merged.logged.extend(proof);
                merged.faults.push(Fault::ForkedLog(self.key(author)));
                let key = self.key(author);
                if let Some(orders) = self.signer_mut(key) {
                    orders.void();
                    merged.ordered = true;
                }
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
        self.authors[author as usize].1.append_own(signed, place);
        self.digest = None;
    }

    fn units_of(&self, author: AuthorIndex) -> Vec<UnitIndex> {
        let said = self.units.iter().enumerate().filter(|(_, slot)| slot.tried_by(author));
        said.map(|(at, _)| self.first + at as u32).collect()
    }

    fn apply(&mut self, author: AuthorIndex, statements: &[Statement], merged: &mut Merged) {
        let said = statements.iter().filter(|one| self.admits(author, one));
        let units = said.flat_map(Said::of).map(|(unit, _)| unit).collect::<Vec<_>>();
        let mut doubted = self.doubted_by(author, statements);
        doubted.extend(self.joined_by(author, statements));
        merged.restored.extend(self.restore(units.into_iter().chain(doubted.iter().copied())));
        merged.touched.extend(doubted);
        for statement in statements {
            match statement {
                Statement::Claim(claimed) => match self.claimable(claimed) {
                    Ok(()) => merged.claim = Some((author, claimed.clone())),
                    Err(fault) => merged.faults.push(fault),
                },
                Statement::Commits(_)
                | Statement::Calls(_)
                | Statement::Openings(_)
                | Statement::Voids(_) => {
                    for (unit, said) in Said::of(statement) {
                        self.say(author, unit, said, merged);
                    }
                }
                Statement::Sealed(_) | Statement::SealedFor { .. } | Statement::Audit { .. }
                    if !self.is_signed() =>
                {
                    merged.faults.push(Fault::NotAudited);
                }
                Statement::Sealed(answers) => {
                    self.hear_sealed(author, self.owner, answers, merged);
                }
                Statement::SealedFor { to, answers } => {
                    self.hear_sealed(author, *to, answers, merged);
                }
                Statement::Audit { .. } if !self.admits(author, statement) => {
                    merged.faults.push(Fault::NotTheOwner);
                }
                Statement::Audit { first, steps } => {
                    self.hear_signer(author, *first, steps, merged);
                }
                Statement::Host(host) => {
                    merged.joined |= self.donors.hear(author, host) && self.votes();
                    merged.host = Some(host.clone());
                }
                Statement::Cancel if self.key(author) == self.owner => self.cancelled = true,
                Statement::Cancel => merged.faults.push(Fault::NotTheOwner),
            }
        }
    }

    /// Whether an author may say such a thing here.
    fn admits(&self, author: AuthorIndex, statement: &Statement) -> bool {
        let orders = matches!(statement, Statement::Audit { .. });
        !orders || self.orders_of(self.key(author)).is_some()
    }

    fn say(&mut self, author: AuthorIndex, unit: UnitIndex, said: Said, merged: &mut Merged) {
        let name = UnitName { job: self.job, unit, author: self.key(author) };
        let Some(known) = self.unit_mut(unit) else {
            merged.faults.push(Fault::NoSuchUnit);
            return;
        };
        let Heard { news, fault } = known.hear(name, author, said);
        merged.faults.extend(fault);
        if news {
            merged.touched.push(unit);
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
        if merged.ordered {
            // Who is trusted, or was just convicted, bears on what was said before.
            let signs = self.me.is_some();
            let heard = |slot: &Slot| slot.is_ordered() || signs && slot.is_known();
            let units = self.units.iter().enumerate().filter(|(_, slot)| heard(slot));
            merged.touched.extend(units.map(|(at, _)| self.first + at as u32));
        }
        merged.touched.sort_unstable();
        merged.touched.dedup();
        // Then units fail of which nobody has said anything, too.
        let all = self.quarantined().is_some();
        for unit in &merged.touched {
            if all {
                let _ = self.unit_mut(*unit);
            }
            let Some(mut known) = self.take(*unit) else { continue };
            self.number_voters(&mut known);
            self.show(*unit, &mut known);
            let standing = self.stand(&known);
            let before = core::mem::replace(&mut known.standing, standing);
            if before != known.standing {
                merged.changed.push((*unit, before));
            }
            self.units[(*unit - self.first) as usize] = Slot::Known(known);
        }
    }

    /// A unit for as long as it is changed by what else is on the board.
    fn take(&mut self, unit: UnitIndex) -> Option<Box<Unit>> {
        let slot = self.units.get_mut(unit.checked_sub(self.first)? as usize)?;
        match core::mem::replace(slot, Slot::Blank) {
            Slot::Known(known) => Some(known),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// What follows from all that is known of a unit.
    pub(crate) fn stand(&self, known: &Unit) -> Standing {
        let released = self.released(known);
        let by_votes = self.votes() && released == Decision::Open;
        let decision = match self.profile {
            Profile::Quorum { n, max_executions, .. } if by_votes => {
                quorum::decide(known, n, max_executions, |author| self.counts(author))
            }
            Profile::Quorum { .. } | Profile::Audited(_) | Profile::Checked => released,
        };
        let mine = self.me.and_then(|me| self.orders_of(me));
        // An owner who may take back words could have its friends win any vote afterwards: it blames for
        // votes, and others do not.
        let votes_blame = by_votes && (!self.is_signed() || mine.is_some());
        let doubted = |author| mine.is_some_and(|mine| mine.is_doubted(self.key(author)));
        let convicts = |author| {
            let found = mine.is_some_and(|mine| mine.is_convicted(self.key(author)));
            found || votes_blame && !doubted(author)
        };
        known.stand(decision, |author| self.honest(author), convicts)
    }

    /// What units have come to, in terms that mean the same on every node; those that the lot does
    /// not have are open. To ask for many at once costs little more than for one.
    pub fn verdicts(&self, units: core::ops::Range<UnitIndex>) -> Vec<Verdict> {
        let archived = self.recall(units.clone());
        let verdict = |unit: UnitIndex| {
            let known = archived.get(&unit).or_else(|| self.unit(unit));
            known.map(|known| self.verdict_of(known)).unwrap_or_default()
        };
        units.map(verdict).collect()
    }

    /// What a unit has come to, by what is known of it.
    pub(crate) fn verdict_of(&self, known: &Unit) -> Verdict {
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
            Author::Honest(logs) => log::of(logs, incarnation),
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
