//! A signer's part of an audited job, its owner's or a delegate's: it finds out whom to trust, counts
//! answers, draws checkers, computes what is in dispute, and releases.
//!
//! ```text
//! Proving ──peers enough were right──► Audit (its own phases) ──► released
//! ```
//! Everything that it comes to it says as an [`AuditStep`], and only steps change the audit:
//! [`decide`] finds the next ones, [`Auditor::apply`] takes them. So a restart that reads them again,
//! with the answers, is where it was. What it is not: what others act by; that is their boards.
mod best;
mod circles;
mod decide;
mod machines;
mod newcomers;
mod plan;
mod proofs;
mod release;
mod replay;
mod ringers;
mod runs;
mod story;
mod turn;
mod view;

use crate::{
    Answer, AuditStep, AuditTerms, Hash, Host, LeastCheckers, LotIndex, Manifest, Millis, Nonce,
    PeerKey, ROSTER_PART, UnitIndex,
    verify::audited::{
        Audit, Check, Member, MemberIndex, Phase, Proof, Roster, Ruling, Terms, Vouch,
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use machines::Machines;
pub use plan::AuditPlan;
pub use proofs::Trust;
use proofs::{Proofs, quota};
pub use replay::{Audited, Course, Flaw, Shown, Spoiled};
use ringers::Ringers;
pub use story::Inside;
use turn::Turn;
pub use view::{AuditStage, AuditView};

/// Answers with what hid them, by unit and author.
type Answers = BTreeMap<(UnitIndex, PeerKey), (Answer, Nonce)>;

/// One audited job of which this node is a signer.
#[derive(Clone, Debug)]
pub struct Auditor {
    terms: AuditTerms,
    turn: Turn,
    units: u32,
    /// Units that have some checkers in any case.
    checkers: Vec<LeastCheckers>,
    ringers: Ringers,
    /// Answers of others that this node could read and that fit their commits.
    answers: Answers,
    /// What this node computed itself.
    own: BTreeMap<UnitIndex, (Answer, Nonce)>,
    proofs: Proofs,
    /// Units with an answer of somebody else.
    answered: usize,
    /// What released units say of those who answered them.
    credits: BTreeMap<PeerKey, Trust>,
    /// Units that peers who are not on the roster answered since it was fixed, each by one of them.
    bonus: BTreeMap<UnitIndex, PeerKey>,
    roster: Vec<Member>,
    audit: Option<Audit<Answer>>,
    places: BTreeMap<PeerKey, MemberIndex>,
    /// Commits whose answers cannot be read, or never came.
    unreadable: BTreeSet<(UnitIndex, PeerKey)>,
    /// Answers that neither count nor are refused yet.
    pending: BTreeSet<(UnitIndex, PeerKey)>,
    refused: BTreeSet<(UnitIndex, PeerKey)>,
    /// Whose word counts no more, and whether that is proved.
    told_lost: BTreeMap<PeerKey, bool>,
    /// What peers said of their machines, this node among them.
    hosts: BTreeMap<PeerKey, Host>,
    machines: Machines,
    /// Networks of those who answered, as far as they are known.
    networks: BTreeMap<PeerKey, u64>,
    /// Peers that keep two logs: what they said is on no board any more.
    forked: BTreeSet<PeerKey>,
    /// Answers of peers that are not on the roster, to be compared when all units have one that counts.
    doubtful: BTreeSet<(UnitIndex, PeerKey)>,
    /// Units that this node computes for the sake of a stranger each.
    doubted: BTreeMap<PeerKey, UnitIndex>,
    /// Answers of members that this node showed itself.
    worded: BTreeSet<(UnitIndex, MemberIndex)>,
    released: BTreeSet<UnitIndex>,
    /// Released units that are not verified for want of a voucher.
    unshown: BTreeSet<UnitIndex>,
    seeds: BTreeMap<u8, Hash>,
    asked: Option<u8>,
    drawn_at: BTreeMap<Check, Millis>,
    /// Sealed answers that are to be read.
    unread: BTreeMap<(UnitIndex, PeerKey), Vec<u8>>,
    reading: BTreeSet<(UnitIndex, PeerKey)>,
    to_run: BTreeSet<UnitIndex>,
    running: BTreeSet<UnitIndex>,
    /// Commits without a readable answer, and since when.
    awaited: BTreeMap<(UnitIndex, PeerKey), Millis>,
    /// When answers that nobody has shown are to be looked for.
    pub(crate) reveal_at: Option<Millis>,
    /// Drawn checks that never came.
    silent: u32,
    /// What this node said before a restart, until all of it is known.
    restoring: Option<Course>,
    /// Whether anything is new since the last look.
    news: bool,
    touched: best::Touched,
}

impl Auditor {
    /// The auditor of a job of which nothing is known; none if `signer` has no say in it.
    pub fn new(manifest: &Manifest, signer: PeerKey) -> Option<Auditor> {
        let crate::Profile::Audited(terms) = manifest.profile else { return None };
        let signers = manifest.signers();
        let rank = signers.iter().position(|key| *key == signer)?;
        Some(Auditor {
            terms,
            turn: Turn::new(&terms, signers, rank),
            units: manifest.work.units.count(),
            checkers: manifest.checkers.clone(),
            ringers: Ringers::default(),
            answers: BTreeMap::new(),
            own: BTreeMap::new(),
            proofs: Proofs::default(),
            answered: 0,
            credits: BTreeMap::new(),
            bonus: BTreeMap::new(),
            roster: Vec::new(),
            audit: None,
            places: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            pending: BTreeSet::new(),
            refused: BTreeSet::new(),
            told_lost: BTreeMap::new(),
            hosts: BTreeMap::new(),
            machines: Machines::default(),
            networks: BTreeMap::new(),
            forked: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            doubted: BTreeMap::new(),
            worded: BTreeSet::new(),
            released: BTreeSet::new(),
            unshown: BTreeSet::new(),
            seeds: BTreeMap::new(),
            asked: None,
            drawn_at: BTreeMap::new(),
            unread: BTreeMap::new(),
            reading: BTreeSet::new(),
            to_run: BTreeSet::new(),
            running: BTreeSet::new(),
            awaited: BTreeMap::new(),
            reveal_at: None,
            silent: 0,
            restoring: None,
            news: true,
            touched: best::Touched::default(),
        })
    }

    // ---- what it hears -----------------------------------------------------------------------

    /// An answer was sealed to this node.
    pub fn sealed(&mut self, peer: PeerKey, unit: UnitIndex, bytes: Vec<u8>) {
        let place = (unit, peer);
        let known = self.answers.contains_key(&place) || self.reading.contains(&place);
        let fits = unit < self.units && bytes.len() <= crate::SEALED_BYTES_MAX;
        let ended = self.refused.contains(&place) || self.pending.contains(&place);
        if fits && !known && !ended {
            self.unread.entry(place).or_insert(bytes);
        }
    }

    /// What is to be read now, each once.
    pub fn take_unread(&mut self) -> Vec<(PeerKey, UnitIndex, Vec<u8>)> {
        let unread = core::mem::take(&mut self.unread).into_iter();
        let unread: Vec<_> = unread
            .filter(|((unit, peer), _)| {
                !self.answers.contains_key(&(*unit, *peer)) && self.has_use_for(*peer, *unit)
            })
            .collect();
        self.reading.extend(unread.iter().map(|(key, _)| *key));
        unread.into_iter().map(|((unit, peer), bytes)| (peer, unit, bytes)).collect()
    }

    /// An answer that fits its commit; none if what was sealed does not.
    pub fn heard(&mut self, peer: PeerKey, unit: UnitIndex, answer: Option<(Answer, Nonce)>) {
        self.reading.remove(&(unit, peer));
        if self.comes_late(peer, unit) {
            return;
        }
        self.news = true;
        let Some((answer, nonce)) = answer else {
            self.unreadable.insert((unit, peer));
            if self.bonus.get(&unit) == Some(&peer) {
                self.bonus.remove(&unit);
            }
            return;
        };
        if self.answers.contains_key(&(unit, peer)) {
            return;
        }
        if self.ringers.rings(unit, peer, &answer, quota(self.units)) {
            self.want(unit);
        }
        let convicts = self.convicts(peer, unit);
        let own = self.own.get(&unit).map(|(answer, _)| answer);
        let first = answers_to(&self.answers, unit).next().is_none();
        if own.is_some_and(|own| *own != answer) && !convicts {
            self.machines.suspect(peer, unit);
        }
        self.proofs.answered(peer, unit, &answer, own, (first, convicts));
        self.pending.insert((unit, peer));
        self.answered += usize::from(first);
        self.answers.insert((unit, peer), (answer, nonce));
    }

    /// A peer keeps two logs.
    pub fn two_faced(&mut self, peer: PeerKey) {
        self.news |= self.forked.insert(peer);
    }

    /// What a unit came to here.
    pub fn computed(&mut self, unit: UnitIndex, answer: Answer, nonce: Nonce) {
        self.news = true;
        if self.own.contains_key(&unit) {
            return;
        }
        for (peer, other) in answers_to(&self.answers, unit) {
            let convicts = self.convicts(peer, unit);
            if *other != answer && !convicts {
                self.machines.suspect(peer, unit);
            }
            self.proofs.compared(peer, unit, (other, &answer), convicts);
        }
        self.to_run.remove(&unit);
        self.ringers.computed(unit, &answer);
        self.touched.add(unit);
        self.own.insert(unit, (answer, nonce));
    }

    /// What this node knows of some units beforehand.
    pub fn ring(&mut self, known: Vec<(UnitIndex, Hash)>) {
        self.ringers.know(known);
    }

    /// What a peer, or this node, says of its machine.
    pub fn host(&mut self, peer: PeerKey, host: Host) {
        self.hosts.insert(peer, host);
    }

    /// The class of processors of this signer.
    fn arch(&self) -> u8 {
        arch_of(&self.hosts, self.turn.me())
    }

    /// The seed of a pass.
    pub fn seed(&mut self, pass: u8, seed: Hash) {
        self.seeds.insert(pass, seed);
        self.news = true;
    }

    /// A journal is about to be read again.
    pub fn await_journal(&mut self) {
        self.restoring = Some(Course::default());
    }

    /// What this node said before, of a lot.
    pub fn said(&mut self, lot: LotIndex, first: u32, steps: Vec<AuditStep>) {
        match &mut self.restoring {
            Some(course) => course.add(lot, first, steps),
            None => {
                for step in &steps {
                    self.apply(step);
                }
            }
        }
    }

    /// All of the journal was read.
    pub fn restore(&mut self) {
        if let Some(course) = self.restoring.take() {
            course.restore(self);
            self.restore_bonus();
        }
    }

    /// Takes a step: this node's own, now or before a restart, or the owner's in a certificate. Answers
    /// whether all of it follows from what was taken before; what does not changes nothing.
    pub fn apply(&mut self, step: &AuditStep) -> bool {
        self.touched.add_all(step);
        match step {
            AuditStep::Refused(refused) => return self.refuse(refused),
            AuditStep::Began { seeds } => return self.begin(*seeds),
            AuditStep::Asked(asked) => return self.machines.ask(asked),
            AuditStep::Witnessed(all) => return self.witness(all),
            AuditStep::Quarantined(reproducer) => return self.quarantine(reproducer),
            _ => {}
        }
        let arch = self.arch();
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
            AuditStep::Revealed(all) => {
                let places = all.iter().filter_map(|one| Some((one.unit, one.member?)));
                self.worded.extend(places);
                true
            }
            AuditStep::Refused(_)
            | AuditStep::Began { .. }
            | AuditStep::Asked(_)
            | AuditStep::Witnessed(_)
            | AuditStep::Quarantined(_)
            | AuditStep::Beat => true,
            AuditStep::Drawn(checks) => all(checks, |check| audit.is_drawn(*check)),
            // Each lot has a copy.
            AuditStep::Roster { members, .. } => members.iter().all(|m| self.roster.contains(m)),
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
                self.silent += checks.len() as u32;
                all(checks, |check| audit.silent(check.unit, check.member).is_ok())
            }
            AuditStep::Doubted(units) => all(units, |unit| {
                own(unit).is_some_and(|answer| audit.doubted(*unit, &answer).is_ok())
            }),
            AuditStep::Ruled(units) => all(units, |unit| {
                let classes = || self.machines.classes(*unit, arch);
                let ruling = own(unit).map(|answer| Ruling::Answer(answer, classes()));
                ruling.is_some_and(|ruling| audit.rule(*unit, ruling).is_ok())
            }),
            AuditStep::Lost { peer, convicted } => {
                let place = self.places.get(peer);
                if let Some(place) = place.filter(|_| *convicted && self.forked.contains(peer)) {
                    audit.convict(*place, Proof::TwoFaced(0));
                }
                // A stranger's word bears on nothing here.
                let lost = place.is_none_or(|place| audit.lost().contains(place));
                self.told_lost.insert(*peer, *convicted).is_some() || lost
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
                let over = matches!(audit.phase(), Phase::Released(_));
                units.iter().for_each(|one| self.credit(one));
                over
            }
        }
    }

    fn refuse(&mut self, refused: &[(UnitIndex, PeerKey)]) -> bool {
        for place in refused {
            self.pending.remove(place);
            self.unreadable.remove(place);
            self.refused.insert(*place);
        }
        true
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
            AuditStep::Lost { peer, convicted } => {
                self.told_lost.insert(*peer, *convicted);
                true
            }
            AuditStep::Beat => true,
            _ => false,
        }
    }

    fn open(&mut self) {
        let place = |(at, member): (usize, &Member)| (member.key, at as MemberIndex);
        self.places = self.roster.iter().enumerate().map(place).collect();
        if self.places.len() < self.roster.len() {
            // One peer in two places would check itself.
            return;
        }
        let AuditTerms { max_error_ppb, friends_percent, cost_max, .. } = self.terms;
        let terms = Terms {
            friends: f64::from(friends_percent) / 100.0,
            cost_max: cost_max.into(),
            ..Terms::new(f64::from(max_error_ppb) / 1e9)
        };
        let mut audit = Audit::new(terms, Roster::new(self.roster.clone()), self.units);
        for LeastCheckers { units, least } in &self.checkers {
            units.units().for_each(|unit| audit.at_least(unit, least.saturating_add(1)));
        }
        self.audit = Some(audit);
    }

    /// What earlier jobs say of peers, and where they are, as long as it matters.
    pub fn learn(
        &mut self,
        known: impl FnOnce() -> BTreeMap<PeerKey, Trust>,
        networks: &BTreeMap<PeerKey, u64>,
    ) {
        if self.news && self.audit.is_none() {
            self.proofs.learn(known());
            let here =
                self.proofs.here().filter_map(|(peer, _)| Some((peer, *networks.get(&peer)?)));
            self.networks = here.collect();
        }
    }

    // ---- what is known -----------------------------------------------------------------------

    fn key(&self, member: MemberIndex) -> Option<PeerKey> {
        audit_key(&self.roster, member)
    }
}

/// Others' answers to a unit.
fn answers_to(answers: &Answers, unit: UnitIndex) -> impl Iterator<Item = (PeerKey, &Answer)> {
    let least = (unit, PeerKey([0; 32]));
    let of = answers.range(least..).take_while(move |((other, _), _)| *other == unit);
    of.map(|((_, peer), (answer, _))| (*peer, answer))
}

/// The class of processors that a peer says it has.
fn arch_of(hosts: &BTreeMap<PeerKey, Host>, peer: PeerKey) -> u8 {
    hosts.get(&peer).map_or(0, |host| host.arch)
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
