//! An owner and its job under the audited profile, as its node drives it: pass by pass.
use super::{
    Crowd, Kind, Trial,
    crowd::{Answer, RIGHT},
    summary::Counted,
};
use coordinator_free_scheduler::{
    Hash, UnitIndex,
    verify::audited::{Audit, Check, Draw, MemberIndex, Proof, Roster, Ruling, Settled, Vouch},
};
use std::collections::BTreeSet;

/// An owner that knows nobody computes this share of its units itself, to learn whom to trust …
const PROBATION_SHARE: f64 = 0.05;
/// … and no fewer than so many.
const PROBATION_UNITS: u32 = 200;

/// One job, from its first unit to its release.
pub struct Owner<'a> {
    trial: &'a Trial,
    crowd: Crowd,
    /// Peers by their place on the roster.
    members: Vec<usize>,
    audit: Audit<Answer>,
    counted: Counted,
    /// Newcomers that were caught.
    struck: BTreeSet<usize>,
}

impl<'a> Owner<'a> {
    /// Opens the job: with those whom the owner trusts already, or learns to.
    pub fn new(trial: &'a Trial, mut crowd: Crowd) -> Owner<'a> {
        let mut counted = Counted::default();
        let mut units = trial.units;
        let known = |peer: &usize| !crowd.peers[*peer].is_new;
        let members: Vec<usize> = match trial.warm {
            true => (0..trial.peers).filter(known).collect(),
            false => {
                let by_share = (f64::from(units) * PROBATION_SHARE) as u32;
                let probation = by_share.max(PROBATION_UNITS).min(units);
                units -= probation;
                counted.accepted += u64::from(probation);
                counted.executions += u64::from(probation);
                on_probation(trial, &mut crowd, probation, &mut counted)
            }
        };
        let roster = Roster::new(members.iter().map(|peer| crowd.member(*peer)).collect());
        let audit = Audit::new(trial.terms(), roster, units);
        Owner { trial, crowd, members, audit, counted, struck: BTreeSet::new() }
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Counted {
        loop {
            self.execute();
            let seed = self.seed();
            if self.audit.close(seed).is_err() {
                // Nobody is left who may execute: the job waits, and nothing is accepted.
                break;
            }
            if self.trial.has(Kind::EarlyCloser) {
                // A second close of one pass is none.
                assert!(self.audit.close(seed).is_err(), "closed twice");
            }
            self.check();
            if self.audit.pass() == 0 {
                self.welcome();
            }
            self.rule();
            match self.audit.settle() {
                Ok(Settled::Again(..)) => {}
                Ok(Settled::Released(estimate, achieved)) => {
                    self.release(estimate, achieved);
                    break;
                }
                Ok(Settled::Quarantined) => {
                    self.counted.quarantined = true;
                    break;
                }
                Err(refused) => panic!("all was said, and still {refused:?}"),
            }
        }
        self.count()
    }

    fn seed(&mut self) -> Hash {
        let mut seed = [0; 32];
        for eight in seed.chunks_exact_mut(8) {
            eight.copy_from_slice(&self.crowd.rng.draw().to_le_bytes());
        }
        Hash(seed)
    }

    // ---- a pass ------------------------------------------------------------------------------

    /// Members execute what is open: as much as their speed lets them, and attackers who want much
    /// come first.
    fn execute(&mut self) {
        let open: Vec<UnitIndex> = self.audit.unexecuted().collect();
        if self.trial.has(Kind::EarlyCloser) && !open.is_empty() {
            assert!(self.audit.close(Hash([0; 32])).is_err(), "closed before all was computed");
        }
        let captures = |member: &MemberIndex| {
            self.crowd.peers[self.members[*member as usize]].kind() == Some(Kind::LotCapturer)
        };
        let capturers: Vec<MemberIndex> =
            (0..self.members.len() as MemberIndex).filter(captures).collect();
        let order = self.seed();
        for (at, unit) in open.into_iter().enumerate() {
            let eager = (0..capturers.len()).map(|n| capturers[(at + n) % capturers.len()]);
            let eager = eager.into_iter().find(|member| self.audit.may_take(*member));
            let draw = Draw::new(self.audit.roster(), &order, unit);
            let usual = || draw.checkers(1, |member| self.audit.may_take(member)).first().copied();
            let anybody = || {
                let all = 0..self.members.len() as MemberIndex;
                all.into_iter().find(|member| self.audit.may_take(*member))
            };
            let Some(member) = eager.or_else(usual).or_else(anybody) else { return };
            let answer = self.crowd.executes(self.members[member as usize], unit);
            let done = self.audit.executed(unit, Vouch { member, answer });
            done.expect("a member who may take a unit that is open");
            self.look_for_two_faces(member, unit);
        }
    }

    fn look_for_two_faces(&mut self, member: MemberIndex, unit: UnitIndex) {
        let harm = self.crowd.peers[self.members[member as usize]].harm;
        if let Some(harm) = harm.filter(|harm| harm.kind == Kind::Equivocator)
            && self.crowd.happens(harm.rate)
        {
            self.audit.convict(member, Proof::TwoFaced(unit));
        }
    }

    /// Those who were drawn answer, or others in their place.
    fn check(&mut self) {
        loop {
            let left: Vec<Check> = self.audit.unchecked().collect();
            if left.is_empty() {
                return;
            }
            for Check { unit, member } in left {
                let public = self.audit.opened(unit).then(|| self.audit.answer(unit)).flatten();
                let public = public.copied();
                let peer = self.members[member as usize];
                let is_copy = public.is_some();
                match self.crowd.checks(peer, unit, public) {
                    None => drop(self.audit.silent(unit, member)),
                    Some(answer) => {
                        let done = self.audit.checked(unit, Vouch { member, answer });
                        done.expect("a member who was drawn");
                        let copies = self.crowd.peers[peer].kind() == Some(Kind::Copier);
                        self.counted.copies_accepted += u64::from(copies && is_copy);
                    }
                }
            }
        }
    }

    /// Newcomers compute some units once more, for their record.
    fn welcome(&mut self) {
        let is_new = |peer: &usize| self.crowd.peers[*peer].is_new;
        let newcomers: Vec<usize> = (0..self.trial.peers).filter(is_new).collect();
        if newcomers.is_empty() || !self.trial.warm {
            return;
        }
        for _ in 0..(self.trial.bonus * f64::from(self.trial.units)) as u32 {
            let peer = newcomers[self.crowd.rng.below(newcomers.len() as u64) as usize];
            if self.struck.contains(&peer) {
                continue;
            }
            let unit = self.crowd.rng.below(self.trial.units.into()) as UnitIndex;
            let answer = self.crowd.executes(peer, unit);
            self.counted.executions += 1;
            if Crowd::is_wrong(answer) && self.crowd.peers[peer].kind() != Some(Kind::Whitewasher) {
                self.struck.insert(peer);
            }
            self.audit.doubted(unit, &answer).expect("a unit of a lot that is checked");
        }
    }

    /// The owner computes what is disputed, on each class of processors that there is.
    fn rule(&mut self) {
        for unit in self.audit.disputed().clone() {
            let ruling = match self.crowd.is_split(unit) {
                true => Ruling::Split,
                false if self.trial.owner_archs > 1 => Ruling::Answer(RIGHT, vec![0, 1]),
                false => Ruling::Answer(RIGHT, vec![0]),
            };
            self.audit.rule(unit, ruling).expect("a disputed unit");
        }
    }

    // ---- its end -----------------------------------------------------------------------------

    fn release(&mut self, estimate: f64, achieved: bool) {
        let units = self.trial.units - self.counted.accepted as u32;
        let answers = (0..units).filter_map(|unit| self.audit.answer(unit));
        let (wrong, right): (Vec<&Answer>, Vec<&Answer>) =
            answers.partition(|answer| Crowd::is_wrong(**answer));
        self.counted.wrong += wrong.len() as u64;
        self.counted.accepted += (wrong.len() + right.len()) as u64;
        (self.counted.estimate, self.counted.achieved) = (estimate, achieved);
    }

    fn count(mut self) -> Counted {
        let repeated = self.trial.duplicates * f64::from(self.trial.units);
        self.counted.executions += self.audit.executions() + repeated as u64;
        let convicted = self.audit.convicted().keys();
        let honest = |member: &&MemberIndex| {
            self.crowd.peers[self.members[**member as usize]].harm.is_none()
        };
        self.counted.honest_banned = convicted.clone().filter(honest).count();
        let caught = convicted.count() - self.counted.honest_banned;
        self.counted.liars_convicted = caught + self.struck.len();
        self.counted.passes = u32::from(self.audit.pass()) + 1;
        self.counted.level = self.audit.level().checkers();
        self.counted
    }
}

/// Every peer computes some of the units that the owner computes too; those who are right are trusted.
fn on_probation(trial: &Trial, crowd: &mut Crowd, units: u32, counted: &mut Counted) -> Vec<usize> {
    let mut trusted = Vec::new();
    for peer in 0..trial.peers {
        let mut right = true;
        for _ in 0..trial.k0 {
            let unit = crowd.rng.below(units.into()) as UnitIndex;
            // Whoever is not known to lie behaves until it is trusted.
            let lies = crowd.peers[peer].is_new && crowd.peers[peer].harm.is_some();
            right &= !lies || !Crowd::is_wrong(crowd.executes(peer, unit));
            counted.executions += 1;
        }
        if right {
            trusted.push(peer);
        }
    }
    trusted
}
