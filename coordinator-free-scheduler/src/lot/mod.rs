//! One gossip lot as this node lives it: the shared board, and its own part beside it: claims it
//! heard, work in hand, answers not yet open, what it is about to say.
//!
//! What it is not: agreed with anybody. Only the board is; the rest is this node's own opinion.
mod answers;
mod audited;
mod check;
mod hints;
mod presence;
mod recheck;
mod rescue;
mod silence;
mod story;
mod tally;
mod work;
mod worker;

pub use silence::Silence;
pub use tally::{MeanFuel, Tally};
pub use work::Ran;
use worker::Worker;

use crate::{
    ARCHIVE_MS, Answer, BLOCK_UNITS, ClaimedUnits, Decision, Fault, Hash, JobId, LEASE_MS_MAX,
    LotIndex, Manifest, Millis, Nonce, Pace, PeerKey, Place, Profile, SignedBatch, Statement,
    UnitIndex,
    board::{
        Board, Merged,
        log::Log,
        orders::Orders,
        unit::{AuthorIndex, Mark},
    },
    claims::{Claim, Claims, cut_spans, in_order, ticket},
    outbox::{Outbox, Parcel},
    statement::{Batch, batch_hash},
    wire,
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};

/// A lot.
#[derive(Clone, Debug)]
pub struct Lot {
    /// What is known.
    pub board: Board,
    /// What this node is about to say.
    pub outbox: Outbox,
    /// Mean fuel of a unit of the job, once it is known.
    pub unit_fuel: Option<u64>,
    claims: Claims,
    me: AuthorIndex,
    my_key: PeerKey,
    quorum: u8,
    /// Lots of the job.
    lots: usize,
    draw: Hash,
    order: Vec<u32>,
    offset: u32,
    blocks: Vec<u32>,
    open: Vec<bool>,
    open_units: u32,
    queue: VecDeque<UnitIndex>,
    running: BTreeMap<UnitIndex, Millis>,
    needless: BTreeSet<UnitIndex>,
    stopped: BTreeSet<UnitIndex>,
    done: BTreeSet<UnitIndex>,
    answers: BTreeMap<UnitIndex, (Answer, Nonce)>,
    /// Those of them that delegates can read, since this node started.
    sealed_for: BTreeMap<PeerKey, BTreeSet<UnitIndex>>,
    restored: Vec<(UnitIndex, Answer, Nonce)>,
    barred: BTreeSet<PeerKey>,
    silence: Silence,
    place: Place,
    previous: Hash,
    tally: Tally,
    fuel: MeanFuel,
    workers: BTreeMap<AuthorIndex, Worker>,
    usual_speed: Option<u64>,
    marks: u32,
    hints: Option<hints::Hints>,
    decided: VecDeque<(Millis, UnitIndex)>,
    recheck: Option<recheck::Recheck>,
    spoke_at: Millis,
}

/// What a change to units means beyond the lot.
#[derive(Debug, Default)]
pub struct Changes {
    /// Units whose verdict is another now, and whether only its vouchers are.
    pub verdicts: Vec<(UnitIndex, bool)>,
    /// Marks that no longer hold.
    pub withdrawn: Vec<(PeerKey, Mark)>,
    /// Marks that hold now, and where.
    pub added: Vec<(PeerKey, Mark, UnitIndex)>,
    /// Peers whose overdue opening came after all, once for each.
    pub spoke: Vec<PeerKey>,
    /// Units about which something was said.
    pub touched: Vec<UnitIndex>,
}

impl Lot {
    /// An empty lot of a job.
    pub fn new(
        job: JobId,
        manifest: &Manifest,
        lot: LotIndex,
        me: PeerKey,
        incarnation: u64,
        barred: BTreeSet<PeerKey>,
    ) -> Lot {
        let range = manifest.lot_range(lot);
        let n = manifest.profile.wanted();
        let at_once = matches!(manifest.profile, Profile::Quorum { n: 1, .. } | Profile::Checked);
        let mut board = Board::new(job, manifest, lot);
        let index = board.author(me).unwrap_or_default();
        board.serve(me);
        let draw = Hash::derive("dugnad 1 lot draw", &[&job.0.0, &lot.to_le_bytes()]);
        let units = range.len();
        let offset = Hash::derive("dugnad 1 block offset", &[&draw.0, &me.0]).prefix();
        let blocks = (units as u32).div_ceil(BLOCK_UNITS);
        let mut fresh = Lot {
            board,
            outbox: Outbox::new(at_once),
            unit_fuel: None,
            claims: Claims::new(range.clone()),
            me: index,
            my_key: me,
            quorum: n,
            lots: manifest.lots() as usize,
            draw,
            offset: (offset % u64::from(BLOCK_UNITS)) as u32,
            order: work::block_order(draw, me, blocks),
            blocks: alloc::vec![0; blocks as usize],
            open: alloc::vec![false; units],
            open_units: 0,
            queue: VecDeque::new(),
            running: BTreeMap::new(),
            needless: BTreeSet::new(),
            stopped: BTreeSet::new(),
            done: BTreeSet::new(),
            answers: BTreeMap::new(),
            sealed_for: BTreeMap::new(),
            restored: Vec::new(),
            barred,
            silence: Silence::default(),
            place: Place { incarnation, sequence: 0 },
            previous: Hash::default(),
            tally: Tally::default(),
            fuel: MeanFuel::default(),
            workers: BTreeMap::new(),
            usual_speed: None,
            marks: 0,
            hints: None,
            decided: VecDeque::new(),
            recheck: recheck::Recheck::of(manifest, me),
            spoke_at: Millis(0),
        };
        fresh.refresh_all();
        fresh
    }

    /// What its verified units cost.
    pub fn mean_fuel(&self) -> MeanFuel {
        self.fuel
    }

    /// Units by what they have come to.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Units in somebody's hands.
    pub fn claimed_units(&self) -> usize {
        self.claims.claimed_units()
    }

    /// Units of this node's that wait or run.
    pub fn in_hand(&self) -> usize {
        self.queue.len() + self.running.len()
    }

    /// Units that this node claimed and that wait to be run.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    // ---- what others say -------------------------------------------------------------------

    /// Merges a batch of another's.
    ///
    /// # Errors
    /// The batch was refused.
    pub fn merge(
        &mut self,
        signed: SignedBatch,
        batch: Arc<Batch>,
        now: Millis,
        pace: &Pace,
    ) -> Result<(Merged, Changes), Fault> {
        let author = self.board.author(batch.author)?;
        let mut merged = self.board.merge(signed, batch)?;
        if !merged.logged.is_empty() {
            // What was said before is no sign that its author is still there.
            self.note_sign(author, now, pace);
        }
        if let Some((author, claimed)) = merged.claim.take_if(|(author, _)| *author != self.me) {
            self.hear_claim(author, claimed, now, pace);
        }
        let changes = self.changed(&merged, now, pace);
        Ok((merged, changes))
    }

    /// Takes what is to be said now, cut into batches within their limits.
    pub fn take_parcels(&mut self, now: Millis) -> Vec<Parcel> {
        let held = match self.outbox.claims() {
            true => self.claimed(self.held()),
            false => ClaimedUnits::default(),
        };
        let openings = self.due_openings(now);
        let calls = self.due_calls(now);
        let next_step = self.board.orders_of(self.my_key).map_or(0, Orders::next_step);
        self.outbox.take(held, calls, openings, next_step)
    }

    /// Says something of this node's own; the batch bytes are to be signed and persisted.
    pub fn say(
        &mut self,
        statements: Vec<Statement>,
        now: Millis,
        pace: &Pace,
    ) -> (Arc<[u8]>, Place, Changes) {
        self.spoke_at = now;
        let (job, lot) = self.board.name();
        let (author, place, previous) = (self.my_key, self.place, self.previous);
        let batch = Batch { job, lot, author, place, previous, statements };
        let bytes: Arc<[u8]> = wire::encode(&batch).into();
        self.previous = batch_hash(&bytes);
        self.place.sequence += 1;
        let merged = self.board.merge_own(self.me, &batch.statements);
        for unit in batch.statements.iter().flat_map(tried_units) {
            self.done.remove(&unit);
        }
        (bytes, place, self.changed(&merged, now, pace))
    }

    /// The batch that [`say`](Self::say) made is signed and on disk.
    pub fn log_own(&mut self, place: Place, signed: SignedBatch) {
        self.board.log_own(self.me, place, signed);
    }

    fn hear_claim(&mut self, author: AuthorIndex, claimed: ClaimedUnits, now: Millis, pace: &Pace) {
        let ClaimedUnits { mut spans, rescues, speed } = claimed;
        let rescues = in_order(rescues);
        self.workers.entry(author).or_default().speed = speed;
        spans.extend(&rescues);
        let mut spans = in_order(spans);
        if author != self.me {
            let most = if self.backs_off(author, now) { 0 } else { self.claimable(author) };
            cut_spans(&mut spans, most);
        }
        let units: Vec<UnitIndex> = spans.iter().flat_map(|span| span.units()).collect();
        let turns = (units.len() as u64).div_ceil(speed.slots());
        let unit_ms = self.unit_ms(author).unwrap_or(0);
        let lease_ms = pace.lease_ms.saturating_add(turns.saturating_mul(4 * unit_ms));
        let ticket = ticket(self.draw, self.board.key(author));
        let ends = now.plus(lease_ms.min(LEASE_MS_MAX));
        let claim = Claim { author, heard: now, ticket, ends, copy: false };
        let gone = self.claims.replace(spans, &rescues, claim, author == self.me);
        for unit in units {
            if self.board.unit(unit).is_none_or(|known| known.tried_by(author)) {
                self.claims.remove(author, unit);
            }
            self.refresh(unit);
            self.yield_run(unit, now);
        }
        gone.into_iter().for_each(|unit| self.refresh(unit));
    }

    // ---- the effect of changes -------------------------------------------------------------

    fn changed(&mut self, merged: &Merged, now: Millis, pace: &Pace) -> Changes {
        let mut changes = Changes { touched: merged.touched.clone(), ..Changes::default() };
        for (unit, before) in &merged.changed {
            let Some(known) = self.board.unit(*unit) else { continue };
            let after = &known.standing;
            self.tally.count(before, after);
            if before.decision != after.decision {
                let agreed = known.agreed(&after.decision);
                let again = agreed.is_some() && agreed == known.agreed(&before.decision);
                changes.verdicts.push((*unit, again));
            }
            let key = |(author, mark): &(AuthorIndex, Mark)| (self.board.key(*author), *mark);
            let gone = before.marks.iter().filter(|mark| !after.marks.contains(mark));
            changes.withdrawn.extend(gone.clone().map(key));
            let new = after.marks.iter().filter(|mark| !before.marks.contains(mark));
            changes.added.extend(new.clone().map(key).map(|(peer, mark)| (peer, mark, *unit)));
            let (gone, new): (Vec<_>, Vec<_>) = (gone.copied().collect(), new.copied().collect());
            for (author, mark) in gone {
                self.fuel.withdraw(mark);
                self.note_mark(author, mark, false);
            }
            for (author, mark) in new {
                self.fuel.add(mark);
                self.note_mark(author, mark, true);
            }
        }
        let due = now.plus(ARCHIVE_MS);
        self.decided.extend(merged.restored.iter().map(|unit| (due, *unit)));
        for unit in &merged.touched {
            changes.spoke.extend(self.settle(*unit, now, pace));
        }
        // What a forked author claimed is open again; of a cancelled job nothing is.
        let forked = merged.faults.iter().any(|fault| matches!(fault, Fault::ForkedLog(_)));
        if forked
            || merged.ordered
            || merged.joined
            || (self.board.cancelled() && self.open_units > 0)
        {
            self.refresh_all();
            self.refresh_rechecks();
        }
        if self.board.cancelled() || merged.ordered {
            let running: Vec<UnitIndex> = self.running.keys().copied().collect();
            running.into_iter().for_each(|unit| self.stop_if_needless(unit));
        }
        changes
    }

    /// Follows up on a unit about which something was said.
    fn settle(&mut self, unit: UnitIndex, now: Millis, pace: &Pace) -> Vec<PeerKey> {
        let Some(known) = self.board.unit(unit) else { return Vec::new() };
        let voided = known.voids.iter().map(|(author, _)| *author);
        for author in known.vouchers.iter().map(|voucher| voucher.author).chain(voided) {
            self.claims.remove(author, unit);
        }
        if known.standing.decision != Decision::Open {
            self.decided.push_back((now.plus(ARCHIVE_MS), unit));
        }
        let spoke = self.break_silence(unit);
        self.open_own(unit, now, pace);
        self.watch_silence(unit, now, pace);
        self.refresh(unit);
        self.refresh_recheck(unit);
        self.stop_if_needless(unit);
        spoke
    }

    /// Whether this node counts on an author to do its part in a unit.
    fn counts(&self, author: AuthorIndex, unit: UnitIndex) -> bool {
        self.board.honest(author)
            && !self.silence.holds(author, unit)
            && (self.barred.is_empty() || !self.barred.contains(&self.board.key(author)))
            && self.is_believed(self.board.key(author))
    }

    /// Whether every unit is decided and this node owes nobody anything here.
    pub(crate) fn is_at_rest(&self) -> bool {
        let idle = self.in_hand() == 0 && self.done.is_empty() && self.has_logged_all();
        !self.is_undone() && idle && self.answers.is_empty() && self.outbox.due().is_none()
    }

    /// Whether this node's draw is among the first so many of all who delivered work here.
    pub(crate) fn is_among_first(&self, most: usize) -> bool {
        let draw = |author| ticket(self.draw, self.board.key(author));
        let mine = draw(self.me);
        let delivered = self.workers.iter().filter(|(_, worker)| worker.record.agreed > 0);
        let before = delivered.filter(|(author, _)| draw(**author) < mine).count();
        before < most
    }

    /// Authors of overdue openings, once for each.
    pub(crate) fn silent_authors(&self) -> impl Iterator<Item = PeerKey> {
        self.silence.overdue().map(|(_, author)| self.board.key(author))
    }

    /// Peers whose opening of some unit is overdue.
    pub fn silence(&self) -> &Silence {
        &self.silence
    }

    // ---- time ------------------------------------------------------------------------------

    /// When the lot next wants [`expire`](Self::expire) to be called.
    pub fn next_end(&self) -> Option<Millis> {
        [self.claims.next_end(), self.silence.next_due()].into_iter().flatten().min()
    }

    /// Ends leases and marks silence; answers the peers whose silence began, once for each unit.
    pub fn expire(&mut self, now: Millis, pace: &Pace) -> Vec<PeerKey> {
        let (freed, authors) = self.claims.expire(now);
        authors.into_iter().for_each(|author| self.note_expired(author, now, pace));
        if freed.iter().any(|unit| self.queue.contains(unit) || self.in_hands(*unit)) {
            self.claim_again(now, pace);
        }
        freed.into_iter().for_each(|unit| self.refresh(unit));
        self.mark_silence(now, pace)
    }

    /// Whether all that this node said is signed and in its log.
    fn has_logged_all(&self) -> bool {
        let own = self.board.log(self.my_key, self.place.incarnation);
        own.map_or(0, Log::next) >= self.place.sequence
    }

    /// Puts away what was decided a while ago and is not in this node's own hands.
    pub fn put_away(&mut self, now: Millis) {
        if !self.has_logged_all() {
            return;
        }
        while let Some((_, unit)) = self.decided.pop_front_if(|(due, _)| *due <= now) {
            let mine = self.answers.contains_key(&unit) || self.outbox.holds(unit);
            match mine || self.in_hands(unit) || self.owes_recheck(unit) {
                true => self.decided.push_back((now.plus(ARCHIVE_MS), unit)),
                false => self.board.archive(unit),
            }
        }
        give_back(&mut self.decided);
    }

    /// Counts on a peer here, or no longer; it need not have been heard of yet.
    pub fn bar(&mut self, peer: PeerKey, barred: bool, now: Millis, pace: &Pace) {
        let changed = match barred {
            true => self.barred.insert(peer),
            false => self.barred.remove(&peer),
        };
        if changed && self.board.knows(peer) {
            self.refresh_all();
            let sealed: Vec<UnitIndex> = self.answers.keys().copied().collect();
            sealed.into_iter().for_each(|unit| self.open_own(unit, now, pace));
        }
    }
}

/// Gives back the room of a queue that was long once.
fn give_back<T>(queue: &mut VecDeque<T>) {
    if queue.len() < queue.capacity() / 4 {
        queue.shrink_to(queue.len() * 2);
    }
}

/// Units that a statement says its author has tried.
fn tried_units(statement: &Statement) -> Vec<UnitIndex> {
    match statement {
        Statement::Commits(commits) => commits.iter().map(|commit| commit.unit).collect(),
        Statement::Voids(voids) => voids.iter().map(|(unit, _)| *unit).collect(),
        Statement::Claim(_)
        | Statement::Calls(_)
        | Statement::Openings(_)
        | Statement::Sealed(_)
        | Statement::SealedFor { .. }
        | Statement::Audit { .. }
        | Statement::Host(_)
        | Statement::Cancel => Vec::new(),
    }
}

impl MeanFuel {
    fn add(&mut self, mark: Mark) {
        if let Mark::Right(fuel) = mark {
            (self.sum, self.vouchers) = (self.sum.saturating_add(fuel), self.vouchers + 1);
        }
    }

    fn withdraw(&mut self, mark: Mark) {
        if let Mark::Right(fuel) = mark {
            self.sum = self.sum.saturating_sub(fuel);
            self.vouchers = self.vouchers.saturating_sub(1);
        }
    }
}
