//! An owner's audit, told again from what it said and from the answers: whether its verdicts follow.
use super::Auditor;
use crate::{
    Answer, AuditStep, Hash, LotIndex, Manifest, Nonce, PeerKey, Profile, UnitIndex, seed_before,
    verify::audited::{Audit, Phase},
    wire,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::fmt;

/// What an audit proves.
#[derive(Clone, PartialEq, Debug)]
pub struct Audited {
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
}

/// An opened answer: its unit, its author, and what hid it.
pub type Shown = (UnitIndex, PeerKey, Answer, Nonce);

impl Course {
    /// Adds steps that the owner said of a lot, from a place on.
    pub fn add(&mut self, lot: LotIndex, first: u32, steps: Vec<AuditStep>) {
        for (place, step) in (first..).zip(steps) {
            let lots = self.lots.entry(lot).or_default();
            match lots.get(&place) {
                Some(known) if *known != step => self.two_faced = Some(lot),
                Some(_) => {}
                None => drop(lots.insert(place, step)),
            }
        }
    }

    /// Takes all steps again.
    ///
    /// # Errors
    /// The first thing that is wrong, or missing.
    pub fn replay(self, manifest: &Manifest, shown: &[Shown]) -> Result<Audited, Flaw> {
        if let Some(lot) = self.two_faced {
            return Err(Flaw::TwoFaced(lot));
        }
        let mut auditor = Auditor::new(manifest).ok_or(Flaw::Unfinished)?;
        for (unit, peer, answer, nonce) in shown.iter().cloned() {
            match peer == manifest.owner {
                true => auditor.computed(unit, answer, nonce),
                false => auditor.heard(peer, unit, Some((answer, nonce))),
            }
        }
        let missing = self.missing(manifest, &auditor);
        if missing > 0 {
            return Err(Flaw::Missing(missing));
        }
        let mut walk = Walk { manifest, auditor, lots: self.lots, at: BTreeMap::new() };
        walk.take_all()?;
        walk.auditor.proof()
    }

    /// Steps that are not here, and answers that those which are here name.
    fn missing(&self, manifest: &Manifest, auditor: &Auditor) -> usize {
        let roster: BTreeMap<u32, PeerKey> = self.steps().fold(BTreeMap::new(), |mut all, step| {
            if let AuditStep::Roster { first, members, .. } = step {
                all.extend((*first..).zip(members.iter().map(|member| member.key)));
            }
            all
        });
        let named: BTreeSet<(UnitIndex, Option<PeerKey>)> = self
            .steps()
            .flat_map(|step| match step {
                AuditStep::Counted(checks) | AuditStep::Checked(checks) => checks
                    .iter()
                    .map(|check| (check.unit, roster.get(&check.member).copied()))
                    .collect::<Vec<_>>(),
                AuditStep::Own(units) | AuditStep::Ruled(units) => {
                    units.iter().map(|unit| (*unit, Some(manifest.owner))).collect()
                }
                _ => Vec::new(),
            })
            .collect();
        let here = |(unit, peer): &&(UnitIndex, Option<PeerKey>)| match peer {
            Some(peer) if *peer == manifest.owner => auditor.own.contains_key(unit),
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
    manifest: &'a Manifest,
    auditor: Auditor,
    lots: BTreeMap<LotIndex, BTreeMap<u32, AuditStep>>,
    at: BTreeMap<LotIndex, u32>,
}

impl Walk<'_> {
    fn take_all(&mut self) -> Result<(), Flaw> {
        let lots: Vec<LotIndex> = self.lots.keys().copied().collect();
        loop {
            for lot in &lots {
                while let Some(step) = self.next(*lot).filter(|step| !waits(step)) {
                    self.take(*lot, &step)?;
                }
            }
            let heads: Vec<(LotIndex, AuditStep)> =
                lots.iter().filter_map(|lot| Some((*lot, self.next(*lot)?))).collect();
            let ruled = heads.iter().find(|(_, step)| matches!(step, AuditStep::Ruled(_)));
            let Some((lot, step)) = ruled.or(heads.first()).cloned() else { return Ok(()) };
            if let AuditStep::Closed { pass, seed } = &step {
                self.check_seed(*pass, *seed)?;
            }
            self.take(lot, &step)?;
            // Each lot has a copy of what ends a phase.
            for (other, copy) in &heads {
                let same = *other != lot && *copy == step;
                if same && !matches!(step, AuditStep::Ruled(_) | AuditStep::Released(_)) {
                    *self.at.entry(*other).or_default() += 1;
                }
            }
        }
    }

    fn next(&self, lot: LotIndex) -> Option<AuditStep> {
        let at = self.at.get(&lot).copied().unwrap_or(0);
        self.lots.get(&lot)?.get(&at).cloned()
    }

    fn take(&mut self, lot: LotIndex, step: &AuditStep) -> Result<(), Flaw> {
        let at = self.at.entry(lot).or_default();
        let place = *at;
        *at += 1;
        if !self.auditor.apply(step) {
            return Err(Flaw::Step(lot, place));
        }
        if let AuditStep::Released(all) = step {
            let audit = self.auditor.audit.as_ref();
            let other = all.iter().find(|one| {
                let known = audit.and_then(|audit| audit.answer(one.unit));
                known.is_some_and(|known| *known != one.answer)
            });
            return other.map_or(Ok(()), |one| Err(Flaw::Answer(one.unit)));
        }
        Ok(())
    }

    fn check_seed(&self, pass: u8, seed: Hash) -> Result<(), Flaw> {
        let Profile::Audited(terms) = self.manifest.profile else { return Err(Flaw::Unfinished) };
        let end = (0..=pass).fold(seed, |seed, _| seed_before(&seed));
        match end == terms.seeds {
            true => Ok(()),
            false => Err(Flaw::Seed(pass)),
        }
    }
}

/// Whether a step is taken only when no lot has another one to take before.
fn waits(step: &AuditStep) -> bool {
    matches!(
        step,
        AuditStep::Ruled(_)
            | AuditStep::Closed { .. }
            | AuditStep::Settled { .. }
            | AuditStep::Released(_)
    )
}

impl Auditor {
    /// What it came to, if it is at its end.
    fn proof(&self) -> Result<Audited, Flaw> {
        let audit: &Audit<Answer> = self.audit.as_ref().ok_or(Flaw::Unfinished)?;
        let Phase::Released(estimated_wrong) = audit.phase() else { return Err(Flaw::Unfinished) };
        if self.released.len() < self.units as usize {
            return Err(Flaw::Unfinished);
        }
        Ok(Audited {
            roster: Hash::of(&wire::encode(&self.roster)),
            members: self.roster.len() as u32,
            lost: self.told_lost.len() as u32,
            passes: audit.pass() + 1,
            level: audit.level().checkers(),
            executions: audit.executions(),
            estimated_wrong,
            allowed_wrong: f64::from(self.terms.max_error_ppb) / 1e9 * f64::from(self.units),
        })
    }
}
