//! What a job came to, told again from what was said about it: offline, with nobody to ask.
//!
//! A certificate is a signed manifest and the signed batches of all who took part. Verdicts are a pure
//! function of these, so whoever replays them comes to what the submitter's node came to, or sees where
//! it cannot have. What it is not: proof that an answer is right; it proves who vouched for it, and that
//! they could not have copied from each other.
use crate::{
    Audited, Board, Fault, Flaw, Hash, Host, JobId, LotIndex, Manifest, Node, PeerKey, Profile,
    Reproducer, SignedBatch, Statement, UnitIndex, Verdict, Witness,
    auditor::{Course, Shown, Spoiled},
    board::unit::Once,
    commitment,
    statement::Batch,
    sync::all_of,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::fmt;

/// Machines that a peer may say it is on, one after the other; of more nothing is proved.
const HOSTS_MAX: usize = 8;

/// A job on its way from statements to verdicts.
pub struct Replay {
    job: JobId,
    manifest: Manifest,
    boards: BTreeMap<LotIndex, Board>,
    /// What each signer said.
    courses: BTreeMap<PeerKey, Course>,
    /// What peers said of their machines who told whose they are.
    machines: BTreeMap<PeerKey, Vec<Host>>,
    evidence: BTreeSet<Hash>,
}

/// What an owner that computed some of the units again came to, by its own word.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rechecked {
    /// Units that it computed itself, with others or after them.
    pub own_units: u32,
    /// Those among them whose verdict rests on its word alone.
    pub released: u32,
    /// Peers whose word it takes no more.
    pub lost: BTreeSet<PeerKey>,
    /// Units to which it had another answer than the verdict, and had not said so yet.
    pub unsettled: Vec<UnitIndex>,
}

/// Why a batch has no place in a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It is about another job.
    OtherJob(JobId),
    /// It is about a lot that the job has not.
    NoSuchLot(LotIndex),
    /// It cannot stand beside those before it.
    Fault(Fault),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::OtherJob(job) => write!(f, "about job {job}"),
            Unfit::NoSuchLot(lot) => write!(f, "about lot {lot}, which the job has not"),
            Unfit::Fault(fault) => write!(f, "{fault:?}"),
        }
    }
}

impl core::error::Error for Unfit {}

impl Replay {
    /// Begins with what the owner signed, which is the body's to check.
    pub fn new(job: JobId, manifest: Manifest) -> Replay {
        Replay {
            job,
            manifest,
            boards: BTreeMap::new(),
            courses: BTreeMap::new(),
            machines: BTreeMap::new(),
            evidence: BTreeSet::new(),
        }
    }

    /// The job's name.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// What it asks for.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Adds what somebody said, each author's batches in their order. That `batch` is what was signed, and
    /// by whom, is the body's to check.
    ///
    /// # Errors
    /// It has no place in this certificate.
    pub fn add(&mut self, signed: SignedBatch, batch: Batch) -> Result<(), Unfit> {
        if batch.job != self.job {
            return Err(Unfit::OtherJob(batch.job));
        }
        if batch.lot >= self.manifest.lots() {
            return Err(Unfit::NoSuchLot(batch.lot));
        }
        let fresh = || Board::new(self.job, &self.manifest, batch.lot);
        let board = self.boards.entry(batch.lot).or_insert_with(fresh);
        self.evidence.insert(signed.hash());
        let linked = batch.statements.iter().filter_map(|one| match one {
            Statement::Host(host) if host.link.is_some() => Some(host),
            _ => None,
        });
        for host in linked {
            let known = self.machines.entry(batch.author).or_default();
            if known.len() < HOSTS_MAX && !known.contains(host) {
                known.push(host.clone());
            }
        }
        let signs = board.orders_of(batch.author).is_some();
        for statement in batch.statements.iter().filter(|_| signs) {
            let course = self.courses.entry(batch.author).or_default();
            match statement {
                Statement::Audit { first, steps } => course.add(batch.lot, *first, steps.clone()),
                Statement::Host(host) => course.host = host.clone(),
                _ => {}
            }
        }
        board.merge(signed, Arc::new(batch)).map(drop).map_err(Unfit::Fault)
    }

    /// What each unit has come to, in unit order.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let lots = 0..self.manifest.lots();
        let of = |lot: LotIndex| {
            let range: core::ops::Range<UnitIndex> = self.manifest.lot_range(lot);
            match self.boards.get(&lot) {
                Some(board) => board.verdicts(range),
                None => range.map(|_| Verdict::Open).collect(),
            }
        };
        lots.flat_map(of).collect()
    }

    /// What the audit proves of the first signer in line who released all; none of a job that is not audited.
    ///
    /// # Errors
    /// What is wrong with it, or missing.
    pub fn audit(&self) -> Option<Result<Audited, Flaw>> {
        let Profile::Audited(_) = self.manifest.profile else { return None };
        let (shown, spoiled) = (self.shown(), self.spoiled());
        let mut end = Err(Flaw::Unfinished);
        for signer in self.manifest.signers() {
            let Some(course) = self.courses.get(&signer) else { continue };
            if let Err(flaw) = self.check_witnesses(signer, course) {
                end = Err(flaw);
                continue;
            }
            let audited = course.clone().replay(&self.manifest, signer, &shown, &spoiled);
            match audited {
                // Another signer may have ended what this one began.
                Err(Flaw::Unfinished) => {}
                Err(flaw) => end = Err(flaw),
                Ok(audited) => match self.holds(course) {
                    Ok(()) => return Some(Ok(audited)),
                    Err(flaw) => end = Err(flaw),
                },
            }
        }
        Some(end)
    }

    /// Why the module of an audited job is at fault, if its owner says so, by what its own machines computed
    /// and committed to; nothing else need be here for that.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn quarantined(&self) -> Option<Result<(PeerKey, Reproducer), Flaw>> {
        let Profile::Audited(_) = self.manifest.profile else { return None };
        let signer = self.manifest.owner;
        let course = self.courses.get(&signer)?;
        let found = course.quarantined()?;
        Some(match course.two_faced() {
            Some(lot) => Err(Flaw::TwoFaced(lot)),
            None if !found.is_of(signer) => Err(Flaw::Witness(found.own.unit)),
            None => self.check_witnesses(signer, course).map(|()| (signer, found.clone())),
        })
    }

    /// What a signer says of its own machines is what they committed to, and they are its donor's.
    fn check_witnesses(&self, signer: PeerKey, course: &Course) -> Result<(), Flaw> {
        let holds = |one: &Witness| {
            let lot = self.boards.get(&self.manifest.lot_of(one.unit));
            let commit = lot.and_then(|board| board.commit_of(one.peer, one.unit));
            let hash = commitment(self.job, one.unit, one.peer, &one.answer, &one.nonce);
            commit == Some(hash) && self.is_machine_of(signer, one)
        };
        match course.witnesses().find(|one| !holds(one)) {
            Some(one) => Err(Flaw::Witness(one.unit)),
            None => Ok(()),
        }
    }

    /// Whether a witness is of the same donor as a signer, and on the processor that it is said to be on.
    fn is_machine_of(&self, signer: PeerKey, one: &Witness) -> bool {
        let of = |peer| self.machines.get(&peer).into_iter().flatten();
        let donor = |host: &Host| host.link.as_ref().map(|link| link.donor);
        let here = |host: &&Host| host.arch == one.arch;
        of(one.peer).filter(here).any(|host| of(signer).any(|own| donor(own) == donor(host)))
    }

    /// What its owner came to by computing units again; none of a job where it was not to.
    pub fn rechecked(&self) -> Option<Rechecked> {
        (self.manifest.profile.recheck_percent() > 0).then_some(())?;
        let (owner, mut found) = (self.manifest.owner, Rechecked::default());
        for board in self.boards.values() {
            found.lost.extend(board.orders().flat_map(|orders| orders.lost()));
            let author = board.index_of(owner);
            for known in board.range().filter_map(|unit| Some((unit, board.unit(unit)?))) {
                let (unit, known) = known;
                let own = author.and_then(|author| known.voucher(author));
                let Some(own) = own.and_then(|own| own.live()) else { continue };
                found.own_units += 1;
                let released = known.orders.iter().any(|orders| orders.released.is_some());
                found.released += u32::from(released);
                match board.verdict_of(known) {
                    Verdict::Verified { answer, .. } if answer == *own => {}
                    Verdict::Verified { .. } | Verdict::Failed(_) => found.unsettled.push(unit),
                    Verdict::Open => {}
                }
            }
        }
        Some(found)
    }

    /// Whether the verdicts are what a signer released, and not what another one did.
    fn holds(&self, course: &Course) -> Result<(), Flaw> {
        let released = course.released();
        let other = (0..).zip(self.verdicts()).find(|(unit, verdict)| match verdict {
            Verdict::Verified { answer, .. } => released.get(unit) != Some(&answer),
            Verdict::Open | Verdict::Failed(_) => false,
        });
        other.map_or(Ok(()), |(unit, _)| Err(Flaw::Answer(unit)))
    }

    /// Whose answers say nothing any more.
    fn spoiled(&self) -> Spoiled {
        let mut spoiled = Spoiled::default();
        for board in self.boards.values() {
            let keys = board.authors().map(|(_, key)| key);
            spoiled.forked.extend(keys.filter(|key| board.forked(*key)));
            for unit in board.range() {
                let Some(known) = board.unit(unit) else { continue };
                let odd = known
                    .vouchers
                    .iter()
                    .filter(|voucher| voucher.contradicts_itself() || voucher.commit == Once::Many);
                spoiled.units.extend(odd.map(|voucher| (unit, board.key(voucher.author))));
            }
        }
        spoiled
    }

    /// Every answer that fits a commit.
    fn shown(&self) -> Vec<Shown> {
        let of = |board: &Board| {
            let units = board.range().filter_map(|unit| Some((unit, board.unit(unit)?)));
            let shown = units.flat_map(|(unit, known)| {
                let opened = known.vouchers.iter().filter(|voucher| voucher.live().is_some());
                opened.filter_map(move |voucher| {
                    let opened = voucher.opening.one()?;
                    Some((unit, board.key(voucher.author), opened.answer.clone(), opened.nonce))
                })
            });
            shown.collect::<Vec<Shown>>()
        };
        self.boards.values().flat_map(of).collect()
    }

    /// A name for all batches that were given, whatever their order.
    pub fn evidence(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("dugnad 1 evidence");
        for batch in &self.evidence {
            hasher.update(&batch.0);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    /// Whose statements were given.
    pub fn authors(&self) -> BTreeSet<PeerKey> {
        let of = |board: &Board| board.authors().map(|(_, key)| key).collect::<Vec<_>>();
        self.boards.values().flat_map(of).collect()
    }
}

impl Node {
    /// All that was said of a lot, as far as this node knows it: the part of a certificate about it.
    /// None of a job or lot that it does not hold.
    pub fn evidence(&self, job: JobId, lot: LotIndex) -> Option<Vec<SignedBatch>> {
        Some(all_of(&self.jobs.get(&job)?.lots.get(&lot)?.board))
    }
}
