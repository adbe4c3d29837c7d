//! A signer's audit, told again from what it said and from the answers: whether its verdicts follow.
use super::Auditor;
use crate::{
    Answer, AuditStep, Hash, Host, LotIndex, Manifest, Nonce, PeerKey, Release, Reproducer,
    UnitIndex, Witness, seed_before,
    verify::audited::{Audit, Phase},
    wire,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use core::fmt;

/// What an audit proves.
#[derive(Clone, PartialEq, Debug)]
pub struct Audited {
    /// Whose audit it is: the owner's, or a delegate's.
    pub signer: PeerKey,
    /// The name of the roster: the hash of its postcard bytes.
    pub roster: Hash,
    /// How many are on it.
    pub members: u32,
    /// Peers whose word counted no more in the end.
    pub lost: u32,
    /// Passes that it took.
    pub passes: u8,
    /// Checkers of each unit on average, in the last pass.
    pub level: f64,
    /// Executions that counted.
    pub executions: u64,
    /// Classes of processors among the members and the signer.
    pub arches: u32,
    /// Units that rest on the owner's own computation.
    pub own_units: u32,
    /// Answers of members that contradict themselves: they rest on the signer's word.
    pub by_word: u32,
    /// Checks that were drawn and never came.
    pub silent: u32,
    /// Whether as few wrong units are expected as were allowed, and every check was made.
    pub achieved: bool,
    /// Wrong units expected among the released.
    pub estimated_wrong: f64,
    /// The most that were allowed.
    pub allowed_wrong: f64,
}

/// Why an audit proves nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// The owner has not released the job, by what is here.
    Unfinished,
    /// So many of the owner's steps, or answers that they name, are not here.
    Missing(usize),
    /// The owner said two things in one place.
    TwoFaced(LotIndex),
    /// A seed is not of the manifest's chain.
    Seed(u8),
    /// A step does not follow from those before it.
    Step(LotIndex, u32),
    /// A released answer is not what the audit came to.
    Answer(UnitIndex),
    /// What is said to have been computed on another machine of the signer's donor was not, by what is here.
    Witness(UnitIndex),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Unfinished => f.write_str("the owner has not released the job"),
            Flaw::Missing(count) => {
                write!(f, "{count} steps or answers are not in the certificate")
            }
            Flaw::TwoFaced(lot) => write!(f, "the owner said two things in one place of lot {lot}"),
            Flaw::Seed(pass) => {
                write!(f, "the seed of pass {} is not the one that the manifest fixed", pass + 1)
            }
            Flaw::Step(lot, step) => {
                write!(f, "step {step} of the owner in lot {lot} does not follow from the others")
            }
            Flaw::Witness(unit) => write!(
                f,
                "unit {unit} was not computed on another machine of the signer's, as it says"
            ),
            Flaw::Answer(unit) => {
                write!(f, "unit {unit} was released with another answer than the audit came to")
            }
        }
    }
}

impl core::error::Error for Flaw {}

/// All that an owner said of its job, by lot and place.
#[derive(Clone, Debug, Default)]
pub struct Course {
    lots: BTreeMap<LotIndex, BTreeMap<u32, AuditStep>>,
    two_faced: Option<LotIndex>,
    /// The machine that it computed on.
    pub host: Host,
}

/// Whose answers can be shown no more, as they said two things.
#[derive(Clone, Debug, Default)]
pub struct Spoiled {
    /// Anywhere.
    pub forked: BTreeSet<PeerKey>,
    /// Of one unit.
    pub units: BTreeSet<(UnitIndex, PeerKey)>,
}

/// An opened answer: its unit, its author, and what hid it.
pub type Shown = (UnitIndex, PeerKey, Answer, Nonce);

impl Course {
    /// Adds steps that the owner said of a lot, from a place on.
    pub fn add(&mut self, lot: LotIndex, first: u32, steps: Vec<AuditStep>) {
        let last = first.checked_add(steps.len() as u32);
        if last.is_none() {
            self.two_faced = Some(lot);
            return;
        }
        for (place, step) in (first..).zip(steps) {
            let lots = self.lots.entry(lot).or_default();
            match lots.get(&place) {
                Some(known) if *known != step => self.two_faced = Some(lot),
                Some(_) => {}
                None => drop(lots.insert(place, step)),
            }
        }
    }

    /// What the signer says of its own machines, its node among them.
    pub fn witnesses(&self) -> impl Iterator<Item = &Witness> {
        self.steps().flat_map(|step| match step {
            AuditStep::Witnessed(all) => all.iter().collect(),
            AuditStep::Quarantined(found) => vec![&found.own, &found.other],
            _ => Vec::new(),
        })
    }

    /// Why the module is at fault, if the signer says so; the least reason, as boards tell it.
    pub fn quarantined(&self) -> Option<&Reproducer> {
        let found = self.steps().filter_map(|step| match step {
            AuditStep::Quarantined(found) => Some(&**found),
            _ => None,
        });
        found.min_by_key(|found| wire::encode(*found))
    }

    /// The lot in which the signer said two things in one place, if it did.
    pub fn two_faced(&self) -> Option<LotIndex> {
        self.two_faced
    }

    /// What was released, by unit; what was said last of each.
    pub fn released(&self) -> BTreeMap<UnitIndex, &Answer> {
        let released = self.steps().filter_map(|step| match step {
            AuditStep::Released(all) => Some(all),
            _ => None,
        });
        released.flatten().map(|one| (one.unit, &one.answer)).collect()
    }

    /// Takes all steps again.
    ///
    /// # Errors
    /// The first thing that is wrong, or missing.
    pub fn replay(
        self,
        manifest: &Manifest,
        signer: PeerKey,
        shown: &[Shown],
        spoiled: &Spoiled,
    ) -> Result<Audited, Flaw> {
        if let Some(lot) = self.two_faced {
            return Err(Flaw::TwoFaced(lot));
        }
        let released = self.steps().map(|step| match step {
            AuditStep::Released(all) => all.len(),
            _ => 0,
        });
        // Before anything is laid out for as many units as a manifest may name.
        if released.sum::<usize>() < manifest.work.units.count() as usize {
            return Err(Flaw::Unfinished);
        }
        let mut auditor = Auditor::new(manifest, signer).ok_or(Flaw::Unfinished)?;
        auditor.host(signer, self.host.clone());
        spoiled.forked.iter().for_each(|peer| auditor.two_faced(*peer));
        let by_word = self.by_word(spoiled);
        let known: BTreeSet<_> = shown.iter().map(|(unit, peer, ..)| (*unit, *peer)).collect();
        let new = |(unit, peer, ..): &Shown| !known.contains(&(*unit, *peer));
        let by_word: Vec<Shown> = by_word.into_iter().filter(new).collect();
        let words = by_word.len() as u32;
        for (unit, peer, answer, nonce) in shown.iter().cloned().chain(by_word) {
            match peer == signer {
                true => auditor.computed(unit, answer, nonce),
                false => auditor.heard(peer, unit, Some((answer, nonce))),
            }
        }
        let missing = self.missing(signer, &auditor);
        if missing > 0 {
            return Err(Flaw::Missing(missing));
        }
        let mut walk = Walk { auditor: &mut auditor, lots: self.lots, at: BTreeMap::new() };
        walk.take_all(|lot, place, step, auditor| {
            if let AuditStep::Closed { pass, seed } = step {
                check_seed(auditor, *pass, *seed)?;
            }
            if !auditor.apply(step) {
                return Err(Flaw::Step(lot, place));
            }
            check_released(auditor, step)
        })?;
        auditor.proof(signer).map(|proof| Audited { by_word: words, ..proof })
    }

    /// Takes what this node said before a restart, each lot's steps in their order, however its journal
    /// mixed the lots.
    pub fn restore(self, auditor: &mut Auditor) {
        let mut walk = Walk { auditor, lots: self.lots, at: BTreeMap::new() };
        // What a crash left without the rest is said anew.
        let _ = walk.take_all(|_, _, step, auditor| {
            auditor.apply(step);
            Ok(())
        });
    }

    /// Who is on the roster.
    fn roster(&self) -> BTreeMap<u32, PeerKey> {
        self.steps().fold(BTreeMap::new(), |mut all, step| {
            if let AuditStep::Roster { first, members, .. } = step {
                all.extend((*first..).zip(members.iter().map(|member| member.key)));
            }
            all
        })
    }

    /// Answers that the signer shows of members that contradict themselves.
    fn by_word(&self, spoiled: &Spoiled) -> Vec<Shown> {
        let roster = self.roster();
        let shown = self.steps().flat_map(|step| match step {
            AuditStep::Revealed(all) => all.as_slice(),
            _ => &[],
        });
        let by = shown.filter_map(|one| {
            let peer = roster.get(&one.member?)?;
            let unfit = spoiled.forked.contains(peer) || spoiled.units.contains(&(one.unit, *peer));
            let peer = Some(peer).filter(|_| unfit)?;
            Some((one.unit, *peer, one.answer.clone(), one.nonce))
        });
        by.collect()
    }

    /// Steps that are not here, and answers that those which are here name.
    fn missing(&self, signer: PeerKey, auditor: &Auditor) -> usize {
        let roster = self.roster();
        let named: BTreeSet<(UnitIndex, Option<PeerKey>)> = self
            .steps()
            .flat_map(|step| match step {
                AuditStep::Counted(checks) | AuditStep::Checked(checks) => checks
                    .iter()
                    .map(|check| (check.unit, roster.get(&check.member).copied()))
                    .collect::<Vec<_>>(),
                AuditStep::Own(units) | AuditStep::Ruled(units) | AuditStep::Doubted(units) => {
                    units.iter().map(|unit| (*unit, Some(signer))).collect()
                }
                _ => Vec::new(),
            })
            .collect();
        let here = |(unit, peer): &&(UnitIndex, Option<PeerKey>)| match peer {
            Some(peer) if *peer == signer => auditor.own.contains_key(unit),
            Some(peer) => auditor.answers.contains_key(&(*unit, *peer)),
            None => false,
        };
        let absent = named.iter().filter(|name| !here(name)).count();
        let gap = |steps: &BTreeMap<u32, AuditStep>| {
            let next = steps.last_key_value().map_or(0, |(last, _)| *last as usize + 1);
            next - steps.len()
        };
        absent + self.lots.values().map(gap).sum::<usize>()
    }

    fn steps(&self) -> impl Iterator<Item = &AuditStep> {
        self.lots.values().flat_map(BTreeMap::values)
    }
}

/// Steps of several lots on their way: within a lot each in its turn, and what is about the whole job
/// only when every lot is there.
struct Walk<'a> {
    auditor: &'a mut Auditor,
    lots: BTreeMap<LotIndex, BTreeMap<u32, AuditStep>>,
    at: BTreeMap<LotIndex, u32>,
}

impl Walk<'_> {
    fn take_all(
        &mut self,
        mut take: impl FnMut(LotIndex, u32, &AuditStep, &mut Auditor) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        let lots: Vec<LotIndex> = self.lots.keys().copied().collect();
        loop {
            for lot in &lots {
                while let Some((place, step)) = self.next(*lot) {
                    take(*lot, place, &step, self.auditor)?;
                }
            }
            let heads: Vec<LotIndex> =
                lots.iter().filter(|lot| self.head(**lot).is_some()).copied().collect();
            let ruled = |lot: &&LotIndex| matches!(self.head(**lot), Some(AuditStep::Ruled(_)));
            let Some(lot) = heads.iter().find(ruled).or(heads.first()).copied() else {
                return Ok(());
            };
            let Some((place, step)) = self.step(lot) else { return Ok(()) };
            take(lot, place, &step, self.auditor)?;
            // Each lot has a copy of what ends a phase.
            if !matches!(step, AuditStep::Ruled(_) | AuditStep::Released(_)) {
                for other in heads.into_iter().filter(|other| *other != lot) {
                    if self.head(other) == Some(&step) {
                        self.step(other);
                    }
                }
            }
        }
    }

    fn head(&self, lot: LotIndex) -> Option<&AuditStep> {
        self.lots.get(&lot)?.get(&self.at.get(&lot).copied().unwrap_or(0))
    }

    /// The step of a lot whose turn it is, if it need not wait; it is gone then.
    fn next(&mut self, lot: LotIndex) -> Option<(u32, AuditStep)> {
        match self.head(lot) {
            Some(step) if !waits(step) => self.step(lot),
            Some(_) | None => None,
        }
    }

    fn step(&mut self, lot: LotIndex) -> Option<(u32, AuditStep)> {
        let at = self.at.entry(lot).or_default();
        let step = self.lots.get_mut(&lot)?.remove(at)?;
        *at += 1;
        Some((*at - 1, step))
    }
}

fn check_seed(auditor: &Auditor, pass: u8, seed: Hash) -> Result<(), Flaw> {
    let end = (0..=pass).fold(seed, |seed, _| seed_before(&seed));
    match end == auditor.terms.seeds {
        true => Ok(()),
        false => Err(Flaw::Seed(pass)),
    }
}

/// What is released is what the audit came to; or, where it has no answer, the owner's own.
fn check_released(auditor: &Auditor, step: &AuditStep) -> Result<(), Flaw> {
    let (AuditStep::Released(all), Some(audit)) = (step, &auditor.audit) else { return Ok(()) };
    let right = |one: &&Release| {
        let own = auditor.own.get(&one.unit).map(|(answer, _)| answer);
        // What nobody shows any more the signer stands in for with its own.
        let stands_in = one.member.is_none() && own == Some(&one.answer);
        stands_in || audit.answer(one.unit).or(own) == Some(&one.answer)
    };
    match all.iter().find(|one| !right(one)) {
        Some(one) => Err(Flaw::Answer(one.unit)),
        None => Ok(()),
    }
}

/// Whether a step is taken only when no lot has another one to take before.
fn waits(step: &AuditStep) -> bool {
    matches!(
        step,
        AuditStep::Ruled(_)
            | AuditStep::Lost { .. }
            | AuditStep::Closed { .. }
            | AuditStep::Settled { .. }
            | AuditStep::Released(_)
    )
}

impl Auditor {
    /// How many classes of processors there are among its members and this signer.
    fn arches(&self) -> usize {
        let of_members = self.roster.iter().map(|member| member.arch);
        of_members.chain([self.arch()]).collect::<BTreeSet<u8>>().len()
    }

    /// What it came to, if it is at its end.
    fn proof(&self, signer: PeerKey) -> Result<Audited, Flaw> {
        let audit: &Audit<Answer> = self.audit.as_ref().ok_or(Flaw::Unfinished)?;
        let Phase::Released(estimated_wrong) = audit.phase() else { return Err(Flaw::Unfinished) };
        if !self.has_released_all() {
            return Err(Flaw::Unfinished);
        }
        Ok(Audited {
            signer,
            roster: Hash::of(&wire::encode(&self.roster)),
            members: self.roster.len() as u32,
            lost: self.told_lost.len() as u32,
            passes: audit.pass() + 1,
            level: audit.level().checkers(),
            executions: audit.executions(),
            by_word: 0,
            arches: self.arches() as u32,
            own_units: (0..self.units).filter(|unit| audit.is_final(*unit)).count() as u32,
            silent: self.silent,
            achieved: audit.is_achieved(),
            estimated_wrong,
            allowed_wrong: f64::from(self.terms.max_error_ppb) / 1e9 * f64::from(self.units),
        })
    }
}
