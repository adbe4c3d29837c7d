//! The owner's part of an audited job: it finds out whom to trust, counts answers, draws checkers,
//! computes what is in dispute, and releases.
//!
//! ```text
//! Proving ──peers enough were right──► Audit (its own phases) ──► released
//! ```
//! Everything that the owner comes to it says as an [`AuditStep`], and only steps change the audit:
//! [`decide`] finds the next ones, [`Auditor::apply`] takes them. So a restart that reads them again,
//! with the answers, is where it was. What it is not: what others act by; that is their boards.
mod decide;
mod proofs;
mod release;
mod replay;

use crate::{
    Answer, AuditStep, AuditTerms, Hash, Manifest, Millis, Nonce, PeerKey, ROSTER_PART, UnitIndex,
    verify::audited::{Audit, Check, Member, MemberIndex, Phase, Roster, Ruling, Terms, Vouch},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use proofs::Proofs;
pub use replay::{Audited, Course, Flaw, Shown};

/// The class of processors that everybody is taken to have, as long as none is declared.
const ONE_CLASS: u8 = 0;

/// One audited job of this node's own.
#[derive(Clone, Debug)]
pub struct Auditor {
    terms: AuditTerms,
    units: u32,
    /// Answers of others that this node could read and that fit their commits.
    answers: BTreeMap<(UnitIndex, PeerKey), (Answer, Nonce)>,
    /// What this node computed itself.
    own: BTreeMap<UnitIndex, (Answer, Nonce)>,
    proofs: Proofs,
    roster: Vec<Member>,
    audit: Option<Audit<Answer>>,
    places: BTreeMap<PeerKey, MemberIndex>,
    /// Answers that neither count nor are refused yet.
    pending: BTreeSet<(UnitIndex, PeerKey)>,
    told_lost: BTreeSet<PeerKey>,
    released: BTreeSet<UnitIndex>,
    seeds: BTreeMap<u8, Hash>,
    asked: Option<u8>,
    drawn_at: BTreeMap<Check, Millis>,
    /// Sealed answers that are to be read.
    unread: BTreeMap<(UnitIndex, PeerKey), Vec<u8>>,
    reading: BTreeSet<(UnitIndex, PeerKey)>,
    to_run: BTreeSet<UnitIndex>,
    running: BTreeSet<UnitIndex>,
    /// When answers that nobody has shown are to be looked for.
    pub(crate) reveal_at: Option<Millis>,
    /// Whether anything is new since the last look.
    news: bool,
}

/// What an audit is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditStage {
    /// The owner finds out whom to trust.
    Proving,
    /// Units wait for their first answers.
    Executing,
    /// Units wait for their checks, or disputes for the owner.
    Checking,
    /// The answers are known.
    Released,
}

/// Where an audit is, for people.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AuditView {
    /// What it is at.
    pub stage: AuditStage,
    /// Units that the owner computed itself.
    pub own_units: u32,
    /// Units without an answer that counts, once the roster is known.
    pub unexecuted: u32,
    /// Peers on the roster; 0 while nobody is known well enough.
    pub members: u32,
    /// The pass, from 0.
    pub pass: u8,
    /// Checkers that each unit has on average, in hundredths.
    pub level: u32,
    /// Checks that are waited for.
    pub waiting: u32,
    /// Units that wait for the owner's own computation.
    pub disputed: u32,
    /// Peers whose word counts no more.
    pub lost: u32,
    /// Executions by members and by the owner, as far as they count.
    pub executions: u64,
    /// Wrong units that are expected among the released; none before that.
    pub estimate: Option<f64>,
}

impl Auditor {
    /// The auditor of a job of which nothing is known; none if it is not audited.
    pub fn new(manifest: &Manifest) -> Option<Auditor> {
        let crate::Profile::Audited(terms) = manifest.profile else { return None };
        Some(Auditor {
            terms,
            units: manifest.work.units.count(),
            answers: BTreeMap::new(),
            own: BTreeMap::new(),
            proofs: Proofs::default(),
            roster: Vec::new(),
            audit: None,
            places: BTreeMap::new(),
            pending: BTreeSet::new(),
            told_lost: BTreeSet::new(),
            released: BTreeSet::new(),
            seeds: BTreeMap::new(),
            asked: None,
            drawn_at: BTreeMap::new(),
            unread: BTreeMap::new(),
            reading: BTreeSet::new(),
            to_run: BTreeSet::new(),
            running: BTreeSet::new(),
            reveal_at: None,
            news: true,
        })
    }

    // ---- what it hears -----------------------------------------------------------------------

    /// An answer was sealed to this node.
    pub fn sealed(&mut self, peer: PeerKey, unit: UnitIndex, bytes: Vec<u8>) {
        if unit < self.units && bytes.len() <= crate::SEALED_BYTES_MAX {
            self.unread.insert((unit, peer), bytes);
        }
    }

    /// What is to be read now, each once.
    pub fn take_unread(&mut self) -> Vec<(PeerKey, UnitIndex, Vec<u8>)> {
        let unread = core::mem::take(&mut self.unread).into_iter();
        let unread = unread.filter(|(key, _)| !self.answers.contains_key(key)).collect::<Vec<_>>();
        self.reading.extend(unread.iter().map(|(key, _)| *key));
        unread.into_iter().map(|((unit, peer), bytes)| (peer, unit, bytes)).collect()
    }

    /// An answer that fits its commit; none if what was sealed does not.
    pub fn heard(&mut self, peer: PeerKey, unit: UnitIndex, answer: Option<(Answer, Nonce)>) {
        self.reading.remove(&(unit, peer));
        self.news = true;
        let Some((answer, nonce)) = answer else {
            self.pending.insert((unit, peer));
            return;
        };
        let own = self.own.get(&unit).map(|(answer, _)| answer);
        self.proofs.answered(peer, unit, &answer, own);
        self.pending.insert((unit, peer));
        self.answers.insert((unit, peer), (answer, nonce));
    }

    /// What a unit came to here.
    pub fn computed(&mut self, unit: UnitIndex, answer: Answer, nonce: Nonce) {
        self.news = true;
        for ((_, peer), (other, _)) in
            self.answers.range((unit, PeerKey([0; 32]))..).take_while(|((of, _), _)| *of == unit)
        {
            self.proofs.compared(*peer, other, &answer);
        }
        self.own.insert(unit, (answer, nonce));
    }

    /// The seed of a pass.
    pub fn seed(&mut self, pass: u8, seed: Hash) {
        self.seeds.insert(pass, seed);
        self.news = true;
    }

    /// Takes a step: this node's own, now or before a restart, or the owner's in a certificate. Answers
    /// whether all of it follows from what was taken before; what does not changes nothing.
    pub fn apply(&mut self, step: &AuditStep) -> bool {
        let Some(audit) = &mut self.audit else {
            return self.prove(step);
        };
        let answers = &self.answers;
        let vouch = |check: &Check| {
            let key = audit_key(&self.roster, check.member)?;
            let (answer, _) = answers.get(&(check.unit, key))?;
            Some((key, Vouch { member: check.member, answer: answer.clone() }))
        };
        let own = |unit: &UnitIndex| self.own.get(unit).map(|(answer, _)| answer.clone());
        match step {
            AuditStep::Drawn(_) | AuditStep::Revealed(_) => true,
            // Each lot has a copy.
            AuditStep::Roster { members, .. } => members.iter().all(|m| self.roster.contains(m)),
            AuditStep::Refused(refused) => {
                for place in refused {
                    self.pending.remove(place);
                }
                true
            }
            AuditStep::Own(units) => {
                all(units, |unit| own(unit).is_some_and(|answer| audit.own(*unit, answer).is_ok()))
            }
            AuditStep::Counted(checks) => all(checks, |check| {
                let Some((key, vouch)) = vouch(check) else { return false };
                self.pending.remove(&(check.unit, key));
                audit.executed(check.unit, vouch).is_ok()
            }),
            AuditStep::Checked(checks) => all(checks, |check| {
                let Some((key, vouch)) = vouch(check) else { return false };
                self.pending.remove(&(check.unit, key));
                audit.checked(check.unit, vouch).is_ok()
            }),
            AuditStep::Silent(checks) => {
                all(checks, |check| audit.silent(check.unit, check.member).is_ok())
            }
            AuditStep::Ruled(units) => all(units, |unit| {
                let ruling = own(unit).map(|answer| Ruling::Answer(answer, vec![ONE_CLASS]));
                ruling.is_some_and(|ruling| audit.rule(*unit, ruling).is_ok())
            }),
            AuditStep::Lost { peer, .. } => {
                self.told_lost.insert(*peer);
                true
            }
            AuditStep::Closed { pass, seed } => {
                let closed = audit.pass() == *pass && audit.close(*seed).is_ok();
                if closed {
                    self.drawn_at.clear();
                }
                closed
            }
            AuditStep::Settled { pass } => audit.pass() == *pass && audit.settle().is_ok(),
            AuditStep::Released(units) => {
                self.released.extend(units.iter().map(|one| one.unit));
                matches!(audit.phase(), Phase::Released(_))
            }
        }
    }

    /// The same before the roster is known.
    fn prove(&mut self, step: &AuditStep) -> bool {
        match step {
            AuditStep::Roster { first, of, members } => {
                let next = *first as usize == self.roster.len();
                if next {
                    self.roster.extend(members.iter().cloned());
                }
                if self.roster.len() == *of as usize {
                    self.open();
                }
                next || members.iter().all(|member| self.roster.contains(member))
            }
            AuditStep::Lost { peer, .. } => {
                self.told_lost.insert(*peer);
                true
            }
            AuditStep::Refused(refused) => {
                for place in refused {
                    self.pending.remove(place);
                }
                true
            }
            _ => false,
        }
    }

    fn open(&mut self) {
        let place = |(at, member): (usize, &Member)| (member.key, at as MemberIndex);
        self.places = self.roster.iter().enumerate().map(place).collect();
        let AuditTerms { max_error_ppb, friends_percent, cost_max, .. } = self.terms;
        let terms = Terms {
            friends: f64::from(friends_percent) / 100.0,
            cost_max: cost_max.into(),
            ..Terms::new(f64::from(max_error_ppb) / 1e9)
        };
        self.audit = Some(Audit::new(terms, Roster::new(self.roster.clone()), self.units));
    }

    // ---- its own runs ------------------------------------------------------------------------

    /// A unit that this node is to compute itself, if one is.
    pub fn next_run(&mut self) -> Option<UnitIndex> {
        let unit = self.to_run.pop_first()?;
        self.running.insert(unit);
        Some(unit)
    }

    /// Whether this node computes a unit itself; it has ended now.
    pub fn ended(&mut self, unit: UnitIndex) -> bool {
        self.news = true;
        self.running.remove(&unit)
    }

    /// Units that it computes.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Asks for a unit to be computed here, once.
    fn want(&mut self, unit: UnitIndex) {
        if !self.own.contains_key(&unit) && !self.running.contains(&unit) {
            self.to_run.insert(unit);
        }
    }

    /// The pass whose seed is asked for, once.
    pub fn take_draw(&mut self) -> Option<u8> {
        let audit = self.audit.as_ref()?;
        let pass = audit.pass();
        let closing = audit.phase() == Phase::Executing && audit.unexecuted().next().is_none();
        let fresh = !self.seeds.contains_key(&pass) && self.asked != Some(pass);
        (closing && fresh).then(|| {
            self.asked = Some(pass);
            pass
        })
    }

    // ---- what is known -----------------------------------------------------------------------

    /// Where it is.
    pub fn view(&self) -> AuditView {
        let audit = self.audit.as_ref();
        let (stage, estimate) = match audit.map(Audit::phase) {
            None => (AuditStage::Proving, None),
            Some(Phase::Executing) => (AuditStage::Executing, None),
            Some(Phase::Checking) => (AuditStage::Checking, None),
            Some(Phase::Released(estimate)) => (AuditStage::Released, Some(estimate)),
            Some(Phase::Quarantined) => (AuditStage::Released, None),
        };
        AuditView {
            stage,
            unexecuted: audit.map_or(0, |audit| audit.unexecuted().count() as u32),
            own_units: self.own.len() as u32,
            members: self.places.len() as u32,
            pass: audit.map_or(0, Audit::pass),
            level: audit.map_or(0, |audit| audit.level().0),
            waiting: audit.map_or(0, |audit| audit.unchecked().count() as u32),
            disputed: audit.map_or(0, |audit| audit.disputed().len() as u32),
            lost: self.told_lost.len() as u32,
            executions: audit.map_or(0, Audit::executions),
            estimate,
        }
    }

    fn key(&self, member: MemberIndex) -> Option<PeerKey> {
        audit_key(&self.roster, member)
    }
}

/// Does something to each, and answers whether it did to all.
fn all<T>(each: &[T], mut done: impl FnMut(&T) -> bool) -> bool {
    each.iter().fold(true, |so_far, one| done(one) & so_far)
}

fn audit_key(roster: &[Member], member: MemberIndex) -> Option<PeerKey> {
    roster.get(member as usize).map(|member| member.key)
}

/// Members in parts that fit a batch each.
fn parts(members: &[Member]) -> impl Iterator<Item = AuditStep> {
    let of = members.len() as u32;
    // One of nobody is said, too.
    (0..members.len().max(1)).step_by(ROSTER_PART).map(move |first| AuditStep::Roster {
        first: first as MemberIndex,
        of,
        members: members[first..members.len().min(first + ROSTER_PART)].to_vec(),
    })
}
