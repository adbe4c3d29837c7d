//! One job as this node knows it: its manifest, the lots it has looked into, its pace here.
use crate::{
    AuditView, Auditor, DONOR_PERCENT, JobId, LotIndex, Manifest, Millis, Pace, PeerKey, Profile,
    Reproducer, SILENT_MAX, SignedManifest, UnitIndex, Verdict,
    attend::{Heard, Retired},
    checker::Checker,
    levels::Levels,
    lot::{Lot, Tally},
    rechecks::Rechecks,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::ops::Range;

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// As signed.
    pub signed: SignedManifest,
    /// What it says.
    pub manifest: Box<Manifest>,
    /// Its lots, as far as anything is known of them.
    pub lots: BTreeMap<LotIndex, Lot>,
    /// Whether [`Notice::Ended`](crate::Notice::Ended) was told.
    pub ended: bool,
    /// Whether nothing is left to do, by what this node knows itself.
    pub(crate) over: bool,
    /// What the donor gives it, percent of the usual.
    pub donor_percent: u16,
    pub(crate) heard_at: Millis,
    pub(crate) from_journal: bool,
    /// When this node last came to an answer to one of its units.
    pub worked_at: Option<Millis>,
    pub(crate) pass: Option<u64>,
    pub(crate) phase: u8,
    pub(crate) urgent: bool,
    /// When to look again for lots and for units to copy.
    pub(crate) look_again: Millis,
    pub(crate) charged: BTreeMap<UnitIndex, u64>,
    pub(crate) retired: BTreeMap<LotIndex, Retired>,
    pub(crate) heard: BTreeMap<LotIndex, Heard>,
    /// Decided lots of which the owner has shown to have all.
    pub(crate) with_owner: BTreeSet<LotIndex>,
    /// What makes verdicts of an audited job of which this node is a signer.
    pub(crate) auditor: Option<Box<Auditor>>,
    /// What checks answers to a checked job of this node's own.
    pub(crate) checker: Option<Checker>,
    /// How far the units of a job of this node's own are proved.
    pub(crate) levels: Option<Levels>,
    /// What computes units of this node's own job again.
    pub(crate) rechecks: Option<Rechecks>,
    silent: BTreeMap<PeerKey, u32>,
    speed: Speed,
}

/// How long units take here.
#[derive(Clone, Copy, Debug, Default)]
struct Speed {
    runs: u32,
    /// Of all runs.
    fuel: u64,
    unit_us: u64,
}

impl Speed {
    fn unit_fuel(&self) -> Option<u64> {
        (self.runs >= RUNS_KNOWN).then(|| (self.fuel / u64::from(self.runs)).max(1))
    }
}

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobState {
    /// Units are open, or are computed again by this node.
    Running,
    /// Every unit has its verdict, and all are verified.
    Done,
    /// Every unit has its verdict, and some failed; or its module was found to be at fault.
    Failed,
    /// Its owner ended it.
    Cancelled,
}

/// A job in figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JobStatus {
    /// Where it stands.
    pub state: JobState,
    /// Units in all.
    pub units: u32,
    /// Verified, and a success.
    pub verified: u32,
    /// Failed.
    pub failed: u32,
    /// Not decided, and in somebody's hands.
    pub running: u32,
    /// Not decided, and in nobody's.
    pub queued: u32,
    /// Commits.
    pub executions: u32,
}

/// Runs after which a job's pace is known.
const RUNS_KNOWN: u32 = 10;

impl Job {
    /// A job of which nothing is known but its manifest. `phase` is drawn for it.
    pub fn new(signed: SignedManifest, manifest: Box<Manifest>, now: Millis, phase: u8) -> Job {
        Job {
            signed,
            manifest,
            lots: BTreeMap::new(),
            ended: false,
            over: false,
            donor_percent: DONOR_PERCENT,
            heard_at: now,
            from_journal: false,
            worked_at: None,
            pass: None,
            phase,
            urgent: false,
            look_again: Millis(0),
            charged: BTreeMap::new(),
            retired: BTreeMap::new(),
            heard: BTreeMap::new(),
            with_owner: BTreeSet::new(),
            auditor: None,
            checker: None,
            levels: None,
            rechecks: None,
            silent: BTreeMap::new(),
            speed: Speed::default(),
        }
    }

    /// Its name.
    pub fn id(&self) -> JobId {
        self.signed.id()
    }

    /// Whether a node holds all of it: its owner, for ever, and its delegates until it is over.
    pub(crate) fn wants_all(&self, me: PeerKey) -> bool {
        self.manifest.owner == me || self.auditor.is_some() && !self.over
    }

    /// Whether its owner decides by audits.
    pub fn is_audited(&self) -> bool {
        matches!(self.manifest.profile, Profile::Audited(_))
    }

    /// Whether its owner ended it.
    pub fn cancelled(&self) -> bool {
        self.lots.values().any(|lot| lot.board.cancelled())
    }

    /// Counts an overdue opening of a peer, or one that came after all.
    pub(crate) fn count_silence(&mut self, peer: PeerKey, overdue: bool) {
        let count = self.silent.entry(peer).or_default();
        *count = if overdue { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.silent.remove(&peer);
        }
    }

    /// Openings of a peer that are overdue.
    pub fn overdue(&self, peer: PeerKey) -> u32 {
        self.silent.get(&peer).copied().unwrap_or_default()
    }

    /// Peers that are not counted on here for their silence.
    pub fn silent(&self) -> impl Iterator<Item = &PeerKey> {
        self.silent.iter().filter(|(_, count)| **count >= SILENT_MAX).map(|(peer, _)| peer)
    }

    /// Counts on a peer in all lots, or does not if it is `barred` or was silent too often here.
    pub(crate) fn bar(&mut self, peer: PeerKey, barred: bool, now: Millis, pace: &Pace) {
        let barred = barred || self.overdue(peer) >= SILENT_MAX;
        self.lots.values_mut().for_each(|lot| lot.bar(peer, barred, now, pace));
    }

    /// A run took this long, and so much fuel.
    pub fn took(&mut self, us: u64, fuel: u64) {
        self.speed.fuel = self.speed.fuel.saturating_add(fuel);
        self.speed.runs = self.speed.runs.saturating_add(1);
        let weight = u64::from(self.speed.runs.min(16));
        self.speed.unit_us = (self.speed.unit_us * (weight - 1) + us) / weight;
    }

    /// Mean time of the units that have run here, however few they are.
    pub(crate) fn first_us(&self) -> Option<u64> {
        (self.speed.runs > 0).then_some(self.speed.unit_us.max(1))
    }

    /// Mean time of a unit here, microseconds, at least 1; `None` until enough have run.
    pub fn unit_us(&self) -> Option<u64> {
        (self.speed.runs >= RUNS_KNOWN).then_some(self.speed.unit_us.max(1))
    }

    /// Mean fuel of a unit, once enough are verified.
    pub fn unit_fuel(&self) -> Option<u64> {
        let gone = self.retired.values().map(|retired| retired.fuel);
        let sums = self.lots.values().map(Lot::mean_fuel).chain(gone);
        let (fuel, vouchers) =
            sums.fold((0u64, 0), |sum, one| (sum.0.saturating_add(one.sum), sum.1 + one.vouchers));
        let verified = (vouchers >= u64::from(RUNS_KNOWN)).then(|| (fuel / vouchers).max(1));
        // Of an audited job nothing is verified before its end: then by what this node ran itself.
        verified.or_else(|| self.speed.unit_fuel().filter(|_| self.is_audited()))
    }

    /// Units claimed here that wait to be run.
    pub fn queued_here(&self) -> usize {
        self.lots.values().map(Lot::queued).sum()
    }

    /// Its units by what they have come to, in the lots that this node is or was in.
    pub fn tally(&self) -> Tally {
        let gone = self.retired.values().map(|retired| retired.tally);
        self.lots.values().map(Lot::tally).chain(gone).fold(Tally::default(), |sum, lot| Tally {
            verified: sum.verified + lot.verified,
            failed: sum.failed + lot.failed,
            executions: sum.executions + lot.executions,
        })
    }

    /// Whether nothing is left to do, by what this node knows itself.
    pub(crate) fn is_over(&self) -> bool {
        let Tally { verified, failed, .. } = self.tally();
        let decided = verified + failed == self.manifest.work.units.count();
        let ended = self.cancelled() || self.quarantined().is_some();
        ended || decided && !self.is_rechecking()
    }

    /// Why its module is at fault, if a signer found that it is.
    pub fn quarantined(&self) -> Option<&Reproducer> {
        self.lots.values().find_map(|lot| lot.board.quarantined())
    }

    /// Units that are done in lots where this node never was, by hearsay.
    fn done_elsewhere(&self) -> u32 {
        let here = |lot: &LotIndex| self.lots.contains_key(lot) || self.retired.contains_key(lot);
        let elsewhere = self.heard.iter().filter(|(lot, _)| !here(lot));
        let done = |(lot, heard): (&LotIndex, &Heard)| {
            self.manifest.lot_range(*lot).len() as u32 - heard.news.undone
        };
        elsewhere.map(done).sum()
    }

    /// A job in figures. Of lots where this node never was it tells what it heard, and takes what
    /// is done there for verified; the submitter's node is in all of them.
    pub fn status(&self) -> JobStatus {
        let Tally { mut verified, failed, executions } = self.tally();
        verified += self.done_elsewhere();
        let units = self.manifest.work.units.count();
        let undecided = units - verified - failed;
        let claimed: usize = self.lots.values().map(Lot::claimed_units).sum();
        let running = undecided.min(claimed as u32);
        let state = match (self.cancelled(), undecided, failed) {
            (true, ..) => JobState::Cancelled,
            (false, ..) if self.quarantined().is_some() => JobState::Failed,
            (false, 0, _) if self.is_rechecking() => JobState::Running,
            (false, 0, 0) => JobState::Done,
            (false, 0, _) => JobState::Failed,
            (false, ..) => JobState::Running,
        };
        let queued = undecided - running;
        JobStatus { state, units, verified, failed, running, queued, executions }
    }

    /// Where the audit is that this node makes.
    pub fn audit(&self) -> Option<AuditView> {
        self.auditor.as_ref().and_then(|auditor| auditor.view())
    }

    /// What a unit has come to.
    pub fn verdict(&self, unit: UnitIndex) -> Verdict {
        self.verdicts(unit..unit + 1).pop().unwrap_or_default()
    }

    /// What units of the job have come to; to ask for many at once costs little more than for one.
    pub fn verdicts(&self, units: Range<UnitIndex>) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(units.len());
        let mut next = units.start;
        while next < units.end {
            let index = self.manifest.lot_of(next);
            let end = self.manifest.lot_range(index).end.min(units.end).max(next + 1);
            match self.lots.get(&index) {
                Some(lot) => verdicts.extend(lot.board.verdicts(next..end)),
                None => verdicts.extend((next..end).map(|_| Verdict::default())),
            }
            next = end;
        }
        verdicts
    }
}
