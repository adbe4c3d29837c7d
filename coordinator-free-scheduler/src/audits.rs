//! What a node does as a signer of audited jobs: it lets the [`Auditor`] hear what its boards hear,
//! and says what the auditor comes to in the job's lots.
use crate::{
    ANSWER_BYTES_MAX, Answer, AuditStep, Auditor, CommandError, DELEGATED_JOBS_MAX,
    DELEGATED_UNITS_MAX, Hash, Host, JobId, LotIndex, Manifest, Millis, NETWORKS_MAX, Node, Nonce,
    Output, PeerKey, Profile, RINGERS_MAX, Record, SealedAnswer, SignedBatch, Statement, UnitIndex,
    Unsealed, auditor::Trust, board::orders::Orders, commitment, lot::Lot, outbox::Done,
    verify::audited::Check,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// Units in one step at most, so that each fits a batch.
const STEP_UNITS: usize = 128;

impl Node {
    /// The auditor of a job of which this node is a signer.
    pub(crate) fn auditor(&mut self, id: JobId) -> Option<&mut Auditor> {
        self.jobs.get_mut(&id)?.auditor.as_deref_mut()
    }

    /// What was merged into a lot: sealed answers of others, and what this node said before a restart.
    pub(crate) fn audit_hears(
        &mut self,
        now: Millis,
        id: JobId,
        author: PeerKey,
        logged: &[SignedBatch],
        sealed: Vec<(PeerKey, SealedAnswer)>,
        host: Option<Host>,
    ) {
        let me = self.config.me;
        let Some(auditor) = self.auditor(id) else { return };
        for (peer, SealedAnswer { unit, bytes }) in sealed {
            auditor.sealed(peer, unit, bytes);
        }
        // What this node said before it was moved to another machine is no more so.
        if let Some(host) = host.filter(|_| author != me) {
            auditor.host(author, host);
        }
        if !auditor.is_signer(author) {
            return;
        }
        for batch in logged.iter().filter_map(|signed| signed.open().ok()) {
            for statement in batch.statements {
                match statement {
                    Statement::Audit { first, steps } if author == me => {
                        auditor.said(batch.lot, first, steps);
                    }
                    Statement::Audit { .. } => auditor.heard_signer(now),
                    _ => {}
                }
            }
        }
    }

    /// Answers of this node were sealed to a delegate.
    pub(crate) fn on_sealed(
        &mut self,
        now: Millis,
        id: JobId,
        to: PeerKey,
        answers: Vec<SealedAnswer>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let mut lots: BTreeMap<LotIndex, Vec<SealedAnswer>> = BTreeMap::new();
        for sealed in answers {
            lots.entry(job.manifest.lot_of(sealed.unit)).or_default().push(sealed);
        }
        for (index, answers) in lots {
            if let Some(lot) = self.lot(id, index) {
                lot.outbox.seal(to, answers, now);
            }
            self.follow_up(id, index);
        }
    }

    /// Answers that were sealed to this node could be read, or could not.
    pub(crate) fn on_unsealed(&mut self, now: Millis, id: JobId, answers: Vec<Unsealed>) {
        let mut kept = Vec::new();
        for Unsealed { peer, unit, answer } in answers {
            let late = self.auditor(id).is_none_or(|auditor| auditor.comes_late(peer, unit));
            let answer = answer.filter(|answer| self.is_committed(id, peer, unit, answer));
            if let Some((answer, nonce)) = answer.as_ref().filter(|_| !late) {
                kept.push((peer, unit, answer.clone(), *nonce));
            }
            if let Some(auditor) = self.auditor(id) {
                auditor.heard(peer, unit, answer);
            }
        }
        if !kept.is_empty() {
            self.record(now, Record::Unsealed { job: id, answers: kept }, 0);
        }
    }

    /// Whether an answer is what its author committed to.
    fn is_committed(
        &self,
        id: JobId,
        peer: PeerKey,
        unit: UnitIndex,
        answer: &(Answer, Nonce),
    ) -> bool {
        let Some(job) = self.jobs.get(&id) else { return false };
        let Some(lot) = job.lots.get(&job.manifest.lot_of(unit)) else { return false };
        let commit = lot.board.commit_of(peer, unit);
        let small = crate::wire::encode(&answer.0).len() <= ANSWER_BYTES_MAX;
        small && commit == Some(commitment(id, unit, peer, &answer.0, &answer.1))
    }

    /// This node's own computation of a unit of an audited job has ended.
    pub(crate) fn on_own(
        &mut self,
        now: Millis,
        id: JobId,
        unit: UnitIndex,
        answer: Option<(Answer, Nonce)>,
    ) {
        let (me, at) = (self.config.me, now.plus(self.config.pace.commit_ms));
        let Some((answer, nonce)) = answer else { return };
        let hash = commitment(id, unit, me, &answer, &nonce);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some(auditor) = &mut job.auditor {
            auditor.computed(unit, answer.clone(), nonce);
        }
        let index = job.manifest.lot_of(unit);
        if let Some(lot) = job.lots.get_mut(&index) {
            let commit = crate::Commit { unit, hash };
            lot.outbox.commit(Done { commit, answer, nonce, sealed: Vec::new() }, now, at);
        }
        self.follow_up(id, index);
    }

    /// Takes what follows from all that is new, in all audited jobs of this node.
    pub(crate) fn audit(&mut self, now: Millis) {
        let audited = self.jobs.iter().filter(|(_, job)| job.auditor.is_some());
        let audited: Vec<JobId> = audited.map(|(id, _)| *id).collect();
        for id in audited {
            let mut rng = self.rng.clone();
            let Some(mut auditor) = self.jobs.get_mut(&id).and_then(|job| job.auditor.take())
            else {
                continue;
            };
            auditor.learn(|| self.trust(), &self.networks);
            let steps = auditor.advance(now, &mut rng);
            let (sealed, draw) = (auditor.take_unread(), auditor.take_draw());
            let touched = auditor.take_touched();
            self.rng = rng;
            if let Some(job) = self.jobs.get_mut(&id) {
                job.auditor = Some(auditor);
            }
            self.note_levels(id, touched);
            if !sealed.is_empty() {
                self.outputs.push_back(Output::Unseal { job: id, sealed });
            }
            if let Some(pass) = draw {
                self.outputs.push_back(Output::Draw { job: id, pass });
            }
            self.say_steps(now, id, steps);
        }
    }

    /// Outputs of a job of this node's own that it knows beforehand.
    pub(crate) fn know_ringers(&mut self, now: Millis, id: JobId, known: Vec<(UnitIndex, Hash)>) {
        let Some(auditor) = self.auditor(id).filter(|_| !known.is_empty()) else { return };
        auditor.ring(known.clone());
        self.record(now, Record::Ringers { job: id, known }, 0);
    }

    /// A peer was met in a network: its rosters have one voter of each.
    pub(crate) fn on_network(&mut self, peer: PeerKey, network: u64) {
        if self.networks.len() >= NETWORKS_MAX {
            let here = &self.peers;
            self.networks.retain(|peer, _| here.contains(peer));
        }
        if self.networks.len() < NETWORKS_MAX {
            self.networks.insert(peer, network);
        }
    }

    /// What this node's audited jobs say of peers, by its own computation.
    fn trust(&self) -> BTreeMap<PeerKey, Trust> {
        let mut all: BTreeMap<PeerKey, Trust> = BTreeMap::new();
        for auditor in self.jobs.values().filter_map(|job| job.auditor.as_ref()) {
            for (peer, trust) in auditor.trust() {
                let known = all.entry(peer).or_default();
                *known = known.join(trust);
            }
        }
        all
    }

    /// Whether this node has room for what it would have to hold as a signer of a job: its own always.
    pub(crate) fn may_sign(&self, manifest: &Manifest) -> bool {
        let me = self.config.me;
        let others = self
            .jobs
            .values()
            .filter(|job| job.auditor.is_some() && job.manifest.owner != me && !job.over);
        let units = |manifest: &Manifest| u64::from(manifest.work.units.count());
        let (jobs, held) =
            others.fold((0, 0), |(jobs, held), job| (jobs + 1, held + units(&job.manifest)));
        let room = jobs < DELEGATED_JOBS_MAX && held + units(manifest) <= DELEGATED_UNITS_MAX;
        manifest.owner == me || room
    }

    /// Peers whom this node knows well by its own audited jobs, those that did most for it first.
    pub fn known_well(&self, proofs: u8) -> Vec<PeerKey> {
        let known = self.trust().into_iter();
        let known = known.filter(|(peer, trust)| {
            trust.suffices(proofs) && !self.barred.contains(peer) && *peer != self.config.me
        });
        let mut known: Vec<(PeerKey, Trust)> = known.collect();
        known.sort_by_key(|(_, trust)| core::cmp::Reverse(trust.fuel));
        known.into_iter().map(|(peer, _)| peer).collect()
    }

    /// Looks at the clock in all audited jobs.
    pub(crate) fn look_after_audits(&mut self, now: Millis) {
        let (me, lease_ms) = (self.config.me, self.config.pace.lease_ms);
        let ids: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in ids {
            self.seal_to_delegates(id);
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let unit_fuel = job.unit_fuel();
            let Some(auditor) = &mut job.auditor else { continue };
            let whole = job.lots.len() as u32 == job.manifest.lots();
            let beat = auditor.keep_turn(now, job.over, whole);
            let (lots, manifest) = (&mut job.lots, &job.manifest);
            lots.values_mut().for_each(|lot| lot.unit_fuel = unit_fuel);
            let lot_of = |unit: UnitIndex| lots.get(&manifest.lot_of(unit));
            let commits = lots.values().flat_map(|lot| lot.board.undecided_commits(me));
            auditor.await_answers(now, lease_ms, commits);
            let busy = |unit: UnitIndex, peer| lot_of(unit)?.patience_ms(unit, peer, lease_ms);
            let stuck = lots.values().flat_map(Lot::stuck);
            let mut steps: Vec<AuditStep> = beat.into_iter().collect();
            steps.extend(auditor.look(now, busy, stuck));
            if auditor.shall_reveal(now) {
                let shown = |unit: UnitIndex, peer| {
                    lot_of(unit).is_none_or(|lot| lot.board.is_shown(peer, unit))
                };
                steps.extend(auditor.reveal(shown));
                auditor.note_unshown(lots.values().flat_map(Lot::undecided));
            }
            self.say_steps(now, id, steps);
        }
    }

    /// Has the answers of this node sealed to delegates that stepped in, and could not read them before.
    fn seal_to_delegates(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_audited() && !job.over) else {
            return;
        };
        for lot in job.lots.values_mut() {
            for to in lot.delegates() {
                let answers = lot.unsealed_for(to);
                if !answers.is_empty() {
                    self.outputs.push_back(Output::Seal { job: id, to, answers });
                }
            }
        }
    }

    /// A member may be drawn in any lot of a job whose pass was closed, and a machine of a signer's donor
    /// be asked in any: they have to hear of it.
    pub(crate) fn follow_draws(&mut self, id: JobId, index: LotIndex) {
        let me = self.config.me;
        let Some(job) = self.jobs.get(&id).filter(|job| job.is_audited()) else { return };
        let all = (job.lots.len() + job.retired.len()) as u32 == job.manifest.lots();
        let Some(board) = job.lots.get(&index).map(|lot| &lot.board) else { return };
        let mine = self.config.host.link.as_ref().map(|link| link.donor);
        let own = |one: &Orders| mine.is_some_and(|mine| board.donor_of(one.signer()) == mine);
        let wanted = |one: &Orders| {
            one.is_closed() && one.member(me).is_some() || one.asks_any(me) && own(one)
        };
        if board.orders().any(wanted) && !all {
            self.follow(id);
        }
    }

    /// Says steps, each in the lots that it is about.
    pub(crate) fn say_steps(&mut self, now: Millis, id: JobId, steps: Vec<AuditStep>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|_| !steps.is_empty()) else { return };
        job.auditor.iter_mut().for_each(|auditor| auditor.spoke(now));
        let lots = job.manifest.lots();
        let lot_of = |unit: UnitIndex| job.manifest.lot_of(unit);
        let mut said: Vec<(LotIndex, AuditStep)> = Vec::new();
        for step in steps {
            said.extend(by_lot(step, lots, lot_of));
        }
        let at = now.plus(self.config.pace.opening_ms);
        for (index, step) in said {
            if let Some(lot) = job.lots.get_mut(&index) {
                lot.outbox.order(step, at);
                self.outboxes.insert((id, index));
                self.timers.insert((at, crate::node::Timer::Flush));
            }
        }
    }
}

/// Ringers are of an audited job's own units, and not too many.
pub(crate) fn check_ringers(
    manifest: &Manifest,
    ringers: &[(UnitIndex, Hash)],
) -> Result<(), CommandError> {
    let audited = matches!(manifest.profile, Profile::Audited(_));
    let fit = ringers.iter().all(|(unit, _)| *unit < manifest.work.units.count());
    match ringers.is_empty() || audited && fit && ringers.len() <= RINGERS_MAX {
        true => Ok(()),
        false => Err(CommandError::Ringers),
    }
}

/// A step cut to the lots that its units are in; what is about the whole job is said in each.
fn by_lot(
    step: AuditStep,
    lots: u32,
    lot_of: impl Fn(UnitIndex) -> LotIndex,
) -> Vec<(LotIndex, AuditStep)> {
    let checks = |make: fn(Vec<Check>) -> AuditStep, checks: Vec<Check>| {
        cut(checks, |check| lot_of(check.unit), make)
    };
    match step {
        AuditStep::Refused(all) => cut(all, |(unit, _)| lot_of(*unit), AuditStep::Refused),
        AuditStep::Own(all) => cut(all, |unit| lot_of(*unit), AuditStep::Own),
        AuditStep::Ruled(all) => cut(all, |unit| lot_of(*unit), AuditStep::Ruled),
        AuditStep::Doubted(all) => cut(all, |unit| lot_of(*unit), AuditStep::Doubted),
        AuditStep::Counted(all) => checks(AuditStep::Counted, all),
        AuditStep::Drawn(all) => checks(AuditStep::Drawn, all),
        AuditStep::Checked(all) => checks(AuditStep::Checked, all),
        AuditStep::Silent(all) => checks(AuditStep::Silent, all),
        AuditStep::Released(all) => cut(all, |one| lot_of(one.unit), AuditStep::Released),
        AuditStep::Revealed(all) => cut(all, |one| lot_of(one.unit), AuditStep::Revealed),
        AuditStep::Witnessed(all) => cut(all, |one| lot_of(one.unit), AuditStep::Witnessed),
        // Signers hear every lot.
        AuditStep::Beat => alloc::vec![(0, step)],
        AuditStep::Roster { .. }
        | AuditStep::Began { .. }
        | AuditStep::Closed { .. }
        | AuditStep::Lost { .. }
        | AuditStep::Asked(_)
        | AuditStep::Quarantined(_)
        | AuditStep::Settled { .. } => (0..lots).map(|lot| (lot, step.clone())).collect(),
    }
}

fn cut<T: Clone>(
    all: Vec<T>,
    lot_of: impl Fn(&T) -> LotIndex,
    make: fn(Vec<T>) -> AuditStep,
) -> Vec<(LotIndex, AuditStep)> {
    let mut lots: BTreeMap<LotIndex, Vec<T>> = BTreeMap::new();
    for one in all {
        lots.entry(lot_of(&one)).or_default().push(one);
    }
    let chunks = |(lot, all): (LotIndex, Vec<T>)| {
        all.chunks(STEP_UNITS).map(|some| (lot, make(some.to_vec()))).collect::<Vec<_>>()
    };
    lots.into_iter().flat_map(chunks).collect()
}
