//! Which jobs find a place in this node's table: manifests come from anybody, and keys cost nothing.
//!
//! A submitter pays with work ([`Stamp`](crate::Stamp)) or with favours: what its node has computed for
//! this one's own jobs, and was not computed in return. Jobs that no favour pays for and that this node does
//! not work on share a quota. Where it is full, a new one is drawn against those that are there, by
//! tickets that this node alone can reckon and that hold for a while: of all that were heard in that
//! time each had the same chance, however often, early or late it was said (reservoir sampling,
//! Vitter 1985). So who loses need not be remembered to lose again.
//!
//! What it is not: an opinion on a job; how time is shared among those in the table is for `turns.rs`.
use crate::{
    CommandError, Fault, Hash, Job, JobId, LIMITS, LotIndex, Manifest, Millis, Node, Notice,
    Output, PeerKey, Profile, Record, SignedManifest, UnitIndex, audits::check_ringers,
    stamp_hashes,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Jobs of strangers that this node does not work on: a quarter of its table.
pub const WAITING_JOBS_MAX: usize = LIMITS.jobs / 4;
/// Jobs of strangers that it works on at a time; the others wait, so that there is always something to
/// draw for. What is left of the table is for its own jobs, and for those of peers it owes favours.
pub const WORKED_ON_JOBS_MAX: usize = LIMITS.jobs / 2;
/// Units in lots that this node holds, above which it joins no more lots of strangers' jobs.
pub const STRANGER_UNITS_MAX: u64 = LIMITS.units / 4 * 3;
/// A job counts as worked on for so long after the last answer of this node to it, milliseconds: some
/// jobs are never done.
pub const WORKED_ON_MS: u64 = 3_600_000;
/// A draw holds this long, milliseconds.
pub const DRAW_MS: u64 = 600_000;
/// Jobs that were turned away, or have ended and were let go of, that are remembered, of each kind.
pub const GONE_MAX: usize = 4_096;
/// Fuel that a peer has spent on this node's own jobs, and got no return for, that pays for one job of
/// its own: about as much time as a stamp takes.
pub const FAVOUR_FUEL: u64 = 1_000_000_000;
/// Places that a peer's favours pay for at most: some fuel is nobody's count but its author's …
pub const FAVOURS_MAX: u64 = 8;
/// … and places that all favours pay for: the rest of the table is for this node's own jobs, and strangers'.
pub const PAID_JOBS_MAX: usize = LIMITS.jobs / 4;

/// Jobs that are not in the table, and not asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone {
    /// Of which draw `lost` tells.
    draw: u64,
    lost: BTreeSet<JobId>,
    /// Of these nothing is wanted any more.
    ended: BTreeSet<JobId>,
}

impl Gone {
    fn lose(&mut self, draw: u64, id: JobId) {
        if self.draw != draw {
            (self.draw, self.lost) = (draw, BTreeSet::new());
        }
        keep(&mut self.lost, id);
    }

    fn has_lost(&self, draw: u64, id: JobId) -> bool {
        self.draw == draw && self.lost.contains(&id)
    }
}

/// Remembers a job in place of any other, where there are too many.
fn keep(jobs: &mut BTreeSet<JobId>, id: JobId) {
    jobs.insert(id);
    if jobs.len() > GONE_MAX {
        jobs.pop_first();
    }
}

fn draw_at(now: Millis) -> u64 {
    now.0 / DRAW_MS
}

/// The others' jobs that no favour pays for.
#[derive(Default)]
struct Strangers {
    /// Nothing is left of these but their names, whoever asked for them; they take nobody's place.
    ended: Vec<JobId>,
    waiting: Vec<JobId>,
    worked_on: usize,
    /// Whether the job that asks for a place is a stranger's, too.
    asks: bool,
}

impl Strangers {
    fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_JOBS_MAX
    }
}

impl Node {
    // ---- how a job comes in ----------------------------------------------------------------

    /// Makes a job of this node's known to all.
    ///
    /// # Errors
    /// It was refused; nothing was changed.
    pub fn submit(&mut self, now: Millis, signed: SignedManifest) -> Result<JobId, CommandError> {
        self.submit_with(now, signed, Vec::new())
    }

    /// The same, where the outputs of some units are known.
    ///
    /// # Errors
    /// It was refused; nothing was changed.
    pub fn submit_with(
        &mut self,
        now: Millis,
        signed: SignedManifest,
        ringers: Vec<(UnitIndex, Hash)>,
    ) -> Result<JobId, CommandError> {
        let manifest = signed.open().map_err(CommandError::Manifest)?;
        check_ringers(&manifest, &ringers)?;
        self.check_votes(&signed, &manifest).map_err(|_| CommandError::OneVote)?;
        let id = signed.id();
        if self.jobs.contains_key(&id) {
            return Ok(id);
        }
        let units = u64::from(manifest.work.units.count());
        if self.units_known + units > LIMITS.units {
            return Err(CommandError::TooManyUnits(LIMITS.units));
        }
        let too_many = CommandError::TooManyJobs(LIMITS.jobs);
        let loser = self.place_for(now, id, manifest.owner).map_err(|NoPlace| too_many.clone())?;
        loser.into_iter().for_each(|loser| self.forget(now, loser));
        self.add_job(now, signed.clone(), Box::new(manifest)).map_err(|_| too_many)?;
        self.attend_own(id);
        self.announce(now, signed);
        self.know_ringers(now, id, ringers);
        self.handle(now, crate::Input::Tick);
        Ok(id)
    }

    /// Whether a job asks for as many answers as it takes to believe them on this grid; one is enough where
    /// all machines are the user's own. What is known already stays.
    ///
    /// # Errors
    /// It does not.
    pub fn check_votes(&self, signed: &SignedManifest, manifest: &Manifest) -> Result<(), Fault> {
        let one = matches!(manifest.profile, Profile::Quorum { n: 1, .. });
        match one && self.config.open && !self.jobs.contains_key(&signed.id()) {
            true => Err(Fault::OneVote),
            false => Ok(()),
        }
    }

    /// Whether somebody has paid for a manifest, by work or by favours; this node's own cost nothing here.
    ///
    /// # Errors
    /// Too little was done for it.
    pub fn check_price(&self, signed: &SignedManifest, manifest: &Manifest) -> Result<(), Fault> {
        let known = manifest.owner == self.config.me || self.jobs.contains_key(&signed.id());
        if known || self.is_stamped(signed, manifest) || self.owes_more(manifest.owner) {
            return Ok(());
        }
        let units = manifest.work.units.count();
        Err(Fault::TooLittleWork { hashes: stamp_hashes(self.config.work_factor, units), units })
    }

    /// Whether a manifest carries the work that every node of the grid asks for.
    pub fn is_stamped(&self, signed: &SignedManifest, manifest: &Manifest) -> bool {
        let hashes = stamp_hashes(self.config.work_factor, manifest.work.units.count());
        hashes == 0 || signed.stamp.pays(signed.id(), hashes)
    }

    /// Whether others take a job that this node passes on; what came in by favours of its own they may not.
    pub(crate) fn is_fit_for_all(&self, job: &Job) -> bool {
        job.manifest.owner == self.config.me || self.is_stamped(&job.signed, &job.manifest)
    }

    /// Hears of a job; answers whether it is in the table since.
    pub(crate) fn on_manifest(
        &mut self,
        now: Millis,
        from: PeerKey,
        signed: SignedManifest,
        manifest: Box<Manifest>,
    ) -> bool {
        let id = signed.id();
        if self.jobs.contains_key(&id) || self.gone.ended.contains(&id) {
            return false;
        }
        let fit = self.check_votes(&signed, &manifest);
        if let Err(fault) = fit.and_then(|()| self.check_price(&signed, &manifest)) {
            self.fault(from, fault);
            return false;
        }
        let Ok(loser) = self.place_for(now, id, manifest.owner) else {
            self.gone.lose(draw_at(now), id);
            self.outputs.push_back(Output::Notice(Notice::NoPlace(id)));
            return false;
        };
        loser.into_iter().for_each(|loser| self.forget(now, loser));
        if let Err(fault) = self.add_job(now, signed.clone(), manifest) {
            self.fault(from, fault);
            return false;
        }
        self.attend_own(id);
        self.record(now, Record::Manifest(signed), self.config.pace.record_ms);
        self.send_digest(from);
        true
    }

    /// Whether a job that a peer knows is worth asking for.
    pub(crate) fn asks_for(&self, now: Millis, id: JobId) -> bool {
        let lost = self.gone.has_lost(draw_at(now), id);
        !self.gone.ended.contains(&id) && (!lost || self.strangers(now, None).has_room())
    }

    // ---- the draw --------------------------------------------------------------------------

    /// Who goes so that a job may come, if anybody must.
    fn place_for(&self, now: Millis, id: JobId, owner: PeerKey) -> Result<Option<JobId>, NoPlace> {
        let strangers = self.strangers(now, Some(owner));
        let room = !strangers.asks || strangers.has_room();
        if room && self.jobs.len() < LIMITS.jobs {
            return Ok(None);
        }
        if let Some(ended) = strangers.ended.first().filter(|_| room) {
            return Ok(Some(*ended));
        }
        let ticket = |id: &JobId| self.ticket(now, *id);
        let last = strangers.waiting.into_iter().max_by_key(ticket).ok_or(NoPlace)?;
        let goes = !strangers.asks || ticket(&id) < ticket(&last);
        goes.then_some(Some(last)).ok_or(NoPlace)
    }

    /// A job's place in the draw of this time; the lowest stay.
    fn ticket(&self, now: Millis, id: JobId) -> u64 {
        let (seed, draw) = (self.config.seed.to_le_bytes(), draw_at(now).to_le_bytes());
        Hash::derive("dugnad 1 admission draw", &[&seed, &draw, &id.0.0]).prefix()
    }

    /// The strangers in the table. A peer's favours pay for its oldest jobs, then for the one that
    /// `asks` for a place.
    fn strangers(&self, now: Millis, asks: Option<PeerKey>) -> Strangers {
        let mut favours: BTreeMap<PeerKey, u64> = BTreeMap::new();
        let mut places = PAID_JOBS_MAX;
        let mut is_paid = |owner: PeerKey| {
            if owner == self.config.me {
                return true;
            }
            let left = favours.entry(owner).or_insert_with(|| self.favours(owner));
            let paid = *left > 0 && places > 0;
            *left = left.saturating_sub(1);
            places = places.saturating_sub(paid.into());
            paid
        };
        let mut strangers = Strangers::default();
        for (id, job) in self.order.iter().filter_map(|id| Some((id, self.jobs.get(id)?))) {
            let paid = !job.has_ended() && is_paid(job.manifest.owner);
            match (paid, job.has_ended(), job.is_worked_on(now)) {
                (true, ..) => {}
                (false, true, _) => strangers.ended.push(*id),
                (false, false, true) => strangers.worked_on += 1,
                (false, false, false) => strangers.waiting.push(*id),
            }
        }
        strangers.asks = asks.is_some_and(|owner| !is_paid(owner));
        strangers
    }

    /// Jobs that wait for others to end before this node begins them.
    pub(crate) fn held_back(&self, now: Millis) -> BTreeSet<JobId> {
        if self.order.len() <= WORKED_ON_JOBS_MAX {
            return BTreeSet::new();
        }
        let strangers = self.strangers(now, None);
        let begun = WORKED_ON_JOBS_MAX.saturating_sub(strangers.worked_on);
        strangers.waiting.into_iter().skip(begun).collect()
    }

    /// Whether a job is another's to whom this node owes nothing.
    pub(crate) fn is_strangers(&self, id: JobId) -> bool {
        let owner = self.jobs.get(&id).map(|job| job.manifest.owner);
        owner.is_some_and(|owner| owner != self.config.me && self.favours(owner) == 0)
    }

    /// Whether a peer's favours pay for one more job than it has here.
    fn owes_more(&self, peer: PeerKey) -> bool {
        let here = |job: &&Job| job.manifest.owner == peer && !job.has_ended();
        self.favours(peer) > self.jobs.values().filter(here).count() as u64
    }

    /// Jobs that this node owes a peer a place for.
    fn favours(&self, peer: PeerKey) -> u64 {
        let me = self.config.me;
        if self.is_barred(peer, me) {
            return 0;
        }
        let owed = self.ledger.credit_fuel(peer, me);
        let owed = owed.saturating_sub(self.ledger.credit_fuel(me, peer));
        (owed / FAVOUR_FUEL).min(FAVOURS_MAX)
    }

    // ---- how a job goes --------------------------------------------------------------------

    /// Lets go of a job, and writes that down.
    fn forget(&mut self, now: Millis, id: JobId) {
        let ended = self.jobs.get(&id).is_some_and(Job::has_ended);
        self.remove_job(now, id, ended);
        self.record(now, Record::Forgotten { job: id, ended }, self.config.pace.record_ms);
        self.outputs.push_back(Output::Notice(Notice::Forgotten(id)));
    }

    /// Lets go of a job; and of what it said about anybody, if it had not ended.
    pub(crate) fn remove_job(&mut self, now: Millis, id: JobId, ended: bool) {
        let Some(job) = self.jobs.get(&id) else { return };
        let lots: Vec<LotIndex> = job.lots.keys().copied().collect();
        let spoke = !lots.is_empty() || !job.retired.is_empty();
        match ended {
            true => keep(&mut self.gone.ended, id),
            false => self.gone.lose(draw_at(now), id),
        }
        lots.into_iter().for_each(|lot| self.take_back(now, id, lot, ended));
        self.jobs.remove(&id);
        self.order.retain(|other| *other != id);
        self.retiring.retain(|(job, _)| *job != id);
        // Should it be heard of again, this node's logs there begin anew, beside the old ones.
        self.config.incarnation = self.config.incarnation.wrapping_add(spoke.into());
    }

    /// Leaves a lot, as one that has ended or as if it had never been in it.
    fn take_back(&mut self, now: Millis, id: JobId, index: LotIndex, ended: bool) {
        let Some(job) = self.jobs.get(&id) else { return };
        let submitter = job.manifest.owner;
        let Some(lot) = self.let_go(now, id, index) else { return };
        if ended {
            return self.settle(submitter, &lot);
        }
        for (peer, record) in lot.records() {
            self.ledger.withdraw_all(peer, submitter, record);
            self.judge(now, peer, submitter);
        }
    }
}

/// There is none.
struct NoPlace;

impl Job {
    /// Whether nothing is left of it but its name; of a node's own job all is kept.
    fn has_ended(&self) -> bool {
        self.over && self.lots.is_empty()
    }

    /// Whether this node would lose work of its own with it, or is wanted to decide it.
    fn is_worked_on(&self, now: Millis) -> bool {
        let lately = self.worked_at.is_some_and(|at| now.since(at) < WORKED_ON_MS);
        // What was settled by lots that it let go of would count twice if the job came back.
        let settled = !self.retired.is_empty() && !self.over;
        let decides = self.auditor.is_some() && !self.over;
        lately || settled || !self.charged.is_empty() || decides
    }
}
