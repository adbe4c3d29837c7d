//! The node: one state machine, fed by [`handle`](Node::handle), drained by
//! [`poll_output`](Node::poll_output), woken at [`next_deadline`](Node::next_deadline).
//!
//! It finds the job and lot that an input is about and lets them act; then it sees to what is
//! common to all: the journal, the slots, the peers, the clock. A late tick is harmless.
use crate::{
    Answer, Auditor, Changes, CommandError, Commit, Config, DOUBT_MS, Fault, Input, Job, JobId,
    LIMITS, Ledger, LotIndex, Manifest, Mark, Millis, Nonce, Notice, Output, PeerKey, Query,
    Record, SealedAnswer, SignedBatch, SignedManifest, UnitIndex, Void, admission::Gone,
    attend::Joining, commitment, journal::Journal, levels::Levels, lot::Ran, outbox::Done,
    rng::Rng, statement::Batch, sync::Answered,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};

/// A node's mind.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) config: Config,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) peers: BTreeSet<PeerKey>,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) rng: Rng,
    pub(crate) slots: usize,
    pub(crate) memory_mib: u32,
    pub(crate) pass: u64,
    pub(crate) in_flight: usize,
    pub(crate) ledger: Ledger,
    pub(crate) barred: BTreeSet<PeerKey>,
    /// Peers with the submitters whose jobs speak against them.
    pub(crate) struck: BTreeSet<(PeerKey, PeerKey)>,
    pub(crate) journal: Journal,
    pub(crate) timers: BTreeSet<(Millis, Timer)>,
    pub(crate) outboxes: BTreeSet<(JobId, LotIndex)>,
    pub(crate) units_known: u64,
    pub(crate) order: Vec<JobId>,
    pub(crate) fuel_per_ms: Option<u64>,
    pub(crate) grid_peers: u32,
    /// Where peers are, as far as this node met them.
    pub(crate) networks: BTreeMap<PeerKey, u64>,
    pub(crate) doubt_at: Millis,
    /// When to throw the dice again whether to help at some lot's end.
    pub(crate) help_at: Millis,
    pub(crate) answered: BTreeMap<PeerKey, Answered>,
    pub(crate) mates: BTreeMap<PeerKey, BTreeSet<(JobId, LotIndex)>>,
    pub(crate) joining: BTreeMap<(JobId, LotIndex), Joining>,
    pub(crate) retiring: BTreeSet<(JobId, LotIndex)>,
    pub(crate) settled: Ledger,
    pub(crate) gone: Gone,
}

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    Sync,
    Flush,
    Lot(JobId, LotIndex),
    Retire(JobId, LotIndex),
}

impl Node {
    /// A node that knows nothing yet. Feed it its journal by [`replay`](Self::replay), then call
    /// [`resume`](Self::resume) once, in either case.
    pub fn new(config: Config) -> Node {
        Node {
            rng: Rng::new(config.seed),
            config,
            jobs: BTreeMap::new(),
            peers: BTreeSet::new(),
            outputs: VecDeque::new(),
            slots: 0,
            memory_mib: u32::MAX,
            pass: 0,
            in_flight: 0,
            ledger: Ledger::default(),
            barred: BTreeSet::new(),
            struck: BTreeSet::new(),
            journal: Journal::default(),
            timers: BTreeSet::new(),
            outboxes: BTreeSet::new(),
            order: Vec::new(),
            units_known: 0,
            fuel_per_ms: None,
            grid_peers: 0,
            networks: BTreeMap::new(),
            doubt_at: Millis(DOUBT_MS),
            help_at: Millis(0),
            answered: BTreeMap::new(),
            mates: BTreeMap::new(),
            joining: BTreeMap::new(),
            retiring: BTreeSet::new(),
            settled: Ledger::default(),
            gone: Gone::default(),
        }
    }

    // ---- the boundary ----------------------------------------------------------------------

    /// Takes one input. Remote input cannot fail; it may be told of as [`Notice::Fault`].
    pub fn handle(&mut self, now: Millis, input: Input) {
        match input {
            Input::Manifest { from, signed, manifest } => {
                // Of what is turned away nothing follows, and a flood of it costs no more than a look.
                if !self.on_manifest(now, from, signed, manifest) {
                    return;
                }
            }
            Input::Batch { from, signed, batch } => self.on_batch(now, from, signed, batch),
            Input::Query { from, query } => self.on_query(now, from, query),
            Input::Connected(peer) => {
                self.peers.insert(peer);
                self.send_digest(peer);
            }
            Input::Disconnected(peer) => {
                self.peers.remove(&peer);
                self.mates.remove(&peer);
                self.answered.retain(|_, answered| !answered.is_forgiven(now));
            }
            Input::Ran { job, unit, took_us, end, sealed } => {
                self.on_ran(now, job, unit, took_us, end, sealed);
            }
            Input::Unsealed { job, answers } => self.on_unsealed(now, job, answers),
            Input::Sealed { job, to, answers } => self.on_sealed(now, job, to, answers),
            Input::Checked { job, unit, peer, right } => {
                self.on_checked(now, job, unit, peer, right);
            }
            Input::Seed { job, pass, seed } => self.on_seed(job, pass, seed),
            Input::Persisted { ticket, signatures } => self.on_persisted(ticket, signatures),
            Input::Room { slots, memory_mib } => {
                (self.slots, self.memory_mib) = (slots, memory_mib);
            }
            Input::Network { peer, network } => self.on_network(peer, network),
            Input::GridPeers(peers) => self.grid_peers = peers,
            Input::Hints { job, lot, costs } => {
                if let Some(lot) = self.lot(job, lot) {
                    lot.hint(&costs);
                }
            }
            Input::Tick => {}
        }
        self.run_timers(now);
        self.audit(now);
        self.recheck(now);
        self.fill(now);
        self.flush(now);
    }

    /// The next thing to be done, until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle`](Self::handle) at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.first().map(|(at, _)| *at)
    }

    // ---- local commands --------------------------------------------------------------------

    /// Ends a job of this node's.
    ///
    /// # Errors
    /// It was refused; nothing was changed.
    pub fn cancel(&mut self, now: Millis, id: JobId) -> Result<(), CommandError> {
        let job = self.jobs.get(&id).ok_or(CommandError::NoSuchJob(id))?;
        if job.manifest.owner != self.config.me {
            return Err(CommandError::NotTheOwner(id));
        }
        for lot in 0..job.manifest.lots() {
            if let Ok(lot) = self.attend(id, lot) {
                lot.outbox.cancel(now);
            }
            self.follow_up(id, lot);
        }
        self.handle(now, Input::Tick);
        Ok(())
    }

    // ---- jobs and lots ---------------------------------------------------------------------

    pub(crate) fn add_job(
        &mut self,
        now: Millis,
        signed: SignedManifest,
        manifest: Box<Manifest>,
    ) -> Result<(), Fault> {
        let id = signed.id();
        if self.jobs.contains_key(&id) {
            return Ok(());
        }
        if self.jobs.len() >= LIMITS.jobs {
            return Err(Fault::OverLimit("jobs"));
        }
        if u64::from(manifest.work.units.count()) > LIMITS.units {
            return Err(Fault::OverLimit("units"));
        }
        self.order.push(id);
        let phase = self.rng.below(256) as u8;
        let serves = self.may_sign(&manifest);
        let mut auditor = Auditor::new(&manifest, self.config.me).filter(|_| serves).map(Box::new);
        if let Some(auditor) = &mut auditor {
            auditor.host(self.config.me, self.config.host.clone());
        }
        let checker = self.checker(manifest.profile, manifest.owner);
        let rechecks = self.rechecks(&manifest);
        let mut job = Job::new(signed, manifest, now, phase);
        (job.auditor, job.checker, job.rechecks) = (auditor, checker, rechecks);
        job.levels = (job.manifest.owner == self.config.me).then(Levels::default);
        self.jobs.insert(id, job);
        Ok(())
    }

    pub(crate) fn lot_of(&self, job: JobId, unit: UnitIndex) -> Option<LotIndex> {
        self.jobs.get(&job).map(|job| job.manifest.lot_of(unit))
    }

    pub(crate) fn lot_names(&self) -> Vec<(JobId, LotIndex)> {
        let lots = |(id, job): (&JobId, &Job)| {
            let id = *id;
            job.lots.keys().map(move |lot| (id, *lot)).collect::<Vec<_>>()
        };
        self.jobs.iter().flat_map(lots).collect()
    }

    // ---- remote input ----------------------------------------------------------------------

    fn on_batch(&mut self, now: Millis, from: PeerKey, signed: SignedBatch, batch: Arc<Batch>) {
        if !self.jobs.contains_key(&batch.job) {
            if !self.asks_for(now, batch.job) {
                return;
            }
            let message = crate::Message::Query(Query::Want(alloc::vec![batch.job]));
            self.outputs.push_back(Output::Send { to: from, message });
            return;
        }
        let author = batch.author;
        match self.merge(now, signed, batch) {
            Ok(logged) => {
                let pause = self.config.pace.record_ms;
                logged.into_iter().for_each(|one| self.record(now, Record::Batch(one), pause));
            }
            Err(fault) => self.fault(author, fault),
        }
    }

    /// Merges a batch; answers what of it is to be recorded.
    pub(crate) fn merge(
        &mut self,
        now: Millis,
        signed: SignedBatch,
        batch: Arc<Batch>,
    ) -> Result<Vec<SignedBatch>, Fault> {
        let (id, index, author) = (batch.job, batch.lot, batch.author);
        let (me, pace) = (self.config.me, self.config.pace);
        let unit_fuel = self.jobs.get(&id).and_then(Job::unit_fuel);
        let Some(lot) = self.lot(id, index) else { return Ok(Vec::new()) };
        lot.unit_fuel = unit_fuel;
        let (merged, changes) = lot.merge(signed, batch.clone(), now, &pace)?;
        let sealed = merged.sealed.into_iter();
        let sealed = sealed.map(|(author, sealed)| (lot.board.key(author), sealed));
        let fits =
            |(peer, sealed): &(PeerKey, SealedAnswer)| lot.board.may_answer(me, *peer, sealed.unit);
        let sealed: Vec<(PeerKey, SealedAnswer)> = sealed.filter(fits).collect();
        self.audit_hears(now, id, author, &merged.logged, sealed, merged.host);
        for fault in merged.faults {
            if let (Fault::ForkedLog(peer), Some(auditor)) = (&fault, self.auditor(id)) {
                auditor.two_faced(*peer);
            }
            self.fault(author, fault);
        }
        self.on_changes(now, id, changes);
        self.follow_up(id, index);
        self.follow_draws(id, index);
        self.check_units(id, merged.touched.into_iter());
        if self.jobs.get(&id).is_some_and(Job::cancelled) {
            self.tell_end(id);
        }
        Ok(merged.logged)
    }

    pub(crate) fn fault(&mut self, peer: PeerKey, fault: Fault) {
        self.outputs.push_back(Output::Notice(Notice::Fault { peer, fault }));
    }

    /// Carries over to ledger and news what changed on a board.
    pub(crate) fn on_changes(&mut self, now: Millis, id: JobId, changes: Changes) {
        let Some(submitter) = self.jobs.get(&id).map(|job| job.manifest.owner) else { return };
        let mut judged = BTreeSet::new();
        for (peer, mark) in changes.withdrawn {
            self.ledger.withdraw(peer, submitter, mark);
            judged.insert(peer);
        }
        for (peer, mark, unit) in changes.added {
            self.ledger.add(peer, submitter, mark);
            if mark == Mark::Wrong {
                self.outputs.push_back(Output::Notice(Notice::Disagreed { peer, job: id, unit }));
                judged.insert(peer);
            }
        }
        judged.into_iter().for_each(|peer| self.judge(now, peer, submitter));
        for peer in changes.spoke {
            self.count_silence(now, id, peer, false);
        }
        self.note_levels(id, changes.touched);
        let Some(job) = self.jobs.get(&id) else { return };
        for (unit, again) in &changes.verdicts {
            let verdict = job.verdict(*unit);
            let notice = Notice::Verdict { job: id, unit: *unit, verdict, again: *again };
            self.outputs.push_back(Output::Notice(notice));
        }
        if !changes.verdicts.is_empty() {
            self.tell_end(id);
            self.plan_to_retire(now, id);
        }
    }

    pub(crate) fn tell_end(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.over = job.is_over();
        let ended = job.status().state != crate::JobState::Running;
        if ended && !core::mem::replace(&mut job.ended, ended) {
            self.outputs.push_back(Output::Notice(Notice::Ended(id)));
        } else {
            job.ended = ended;
        }
    }

    // ---- work ------------------------------------------------------------------------------

    fn on_ran(
        &mut self,
        now: Millis,
        id: JobId,
        unit: UnitIndex,
        took_us: u64,
        end: Result<(Answer, Nonce), Void>,
        sealed: Vec<u8>,
    ) {
        self.end(now, id, unit, took_us);
        let (me, pace) = (self.config.me, self.config.pace);
        let Some(index) = self.lot_of(id, unit) else { return };
        if let Ok((answer, _)) = &end {
            self.burned(answer.fuel, took_us);
            if let Some(job) = self.jobs.get_mut(&id) {
                job.took(took_us, answer.fuel);
                job.worked_at = Some(now);
            }
        }
        if let Some(auditor) = self.auditor(id) {
            if auditor.ended(unit) {
                return self.on_own(now, id, unit, end.ok());
            }
            // What a delegate ran for others it need not run again if it steps in.
            if let Ok((answer, nonce)) = &end {
                auditor.computed(unit, answer.clone(), *nonce);
            }
        }
        let end = end.map(|(answer, nonce)| {
            let hash = commitment(id, unit, me, &answer, &nonce);
            Done { commit: Commit { unit, hash }, answer, nonce, sealed }
        });
        if let Some(lot) = self.lot(id, index) {
            lot.ran(Ran { unit, end }, now, &pace);
        }
        self.follow_up(id, index);
    }

    /// Learns how fast a slot of this node is.
    fn burned(&mut self, fuel: u64, took_us: u64) {
        let per_ms = fuel.saturating_mul(1_000) / took_us.max(1);
        let known = self.fuel_per_ms.unwrap_or(per_ms);
        self.fuel_per_ms = Some((known * 7 + per_ms) / 8);
    }

    // ---- time ------------------------------------------------------------------------------

    fn run_timers(&mut self, now: Millis) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Sync => {
                    self.sync_round(now);
                    self.look_at_deadlines(now);
                    self.look_after_lots(now);
                    self.look_after_audits(now);
                    self.look_after_checks(now);
                    let pause = self.config.pace.sync_ms;
                    let jitter = self.rng.below(pause / 2 + 1);
                    let next = now.plus((pause * 3 / 4 + jitter).max(1));
                    self.timers.insert((next, Timer::Sync));
                }
                // The flush itself follows every input.
                Timer::Flush => {}
                Timer::Lot(id, index) => self.expire(now, id, index),
                Timer::Retire(id, index) => self.retire(now, id, index),
            }
        }
    }

    /// What is done in every lot now and then.
    fn look_after_lots(&mut self, now: Millis) {
        let pace = self.config.pace;
        for (id, index) in self.lot_names() {
            let Some(lot) = self.lot(id, index) else { continue };
            lot.put_away(now);
            lot.part_with_absent(now, &pace);
            if lot.beat(now) {
                self.follow_up(id, index);
            }
        }
    }

    fn expire(&mut self, now: Millis, id: JobId, index: LotIndex) {
        let pace = self.config.pace;
        let lot = self.jobs.get_mut(&id).and_then(|job| job.lots.get_mut(&index));
        let silent = lot.map(|lot| lot.expire(now, &pace)).unwrap_or_default();
        for peer in silent {
            self.count_silence(now, id, peer, true);
        }
        self.follow_up(id, index);
    }
}
