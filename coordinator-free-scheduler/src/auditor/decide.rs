//! What the owner does next: the steps that follow from what it knows.
use super::{
    Auditor, arch_of,
    circles::{self, Bond},
    parts,
    proofs::{most, quota},
};
use crate::{
    Answer, AuditStep, Hash, Millis, Nonce, PeerKey, Rng, UnitIndex,
    verify::audited::{Audit, Check, Member, Phase},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

/// Peers on a roster below which the owner goes on computing, if there is anything left to compute.
const MEMBERS_FEW: usize = 2;
/// Units are drawn when fewer than this wait to be computed.
const DRAW_BELOW: usize = 8;
/// The owner computes so many units ahead of what its slots take.
const AHEAD: usize = 64;

impl Auditor {
    /// The next steps, taken already; none until something is new.
    pub fn advance(&mut self, now: Millis, rng: &mut Rng) -> Vec<AuditStep> {
        let mut steps: Vec<AuditStep> = self.step_in().into_iter().collect();
        if !self.turn.is_mine() {
            return steps;
        }
        while core::mem::take(&mut self.news) && !self.is_quarantined() {
            let consulted = self.consult();
            let fresh = match self.audit.as_ref().map(Audit::phase) {
                _ if !consulted.is_empty() => consulted,
                None => self.proving(rng),
                Some(Phase::Executing | Phase::Checking) => self.pass(now),
                Some(Phase::Released(_)) => self.releasing(),
                Some(Phase::Quarantined) => Vec::new(),
            };
            self.news = !fresh.is_empty();
            for step in fresh {
                self.apply(&step);
                steps.push(step);
            }
        }
        steps
    }

    /// Looks at the clock: who was drawn long ago is silent, if it is not `busy`, which answers how long
    /// it may take yet. Units that are `stuck` nobody else may run.
    pub fn look(
        &mut self,
        now: Millis,
        busy: impl Fn(UnitIndex, PeerKey) -> Option<u64>,
        stuck: impl Iterator<Item = UnitIndex>,
    ) -> Vec<AuditStep> {
        if self.is_over() || !self.turn.is_mine() {
            return Vec::new();
        }
        // What could not be computed here is tried again.
        self.news = true;
        self.give_up_witnesses(now, &busy);
        if self.audit.as_ref().is_some_and(|audit| audit.phase() == Phase::Executing) {
            let room = AHEAD.saturating_sub(self.to_run.len() + self.running.len());
            let open = |unit: &UnitIndex| {
                self.audit.as_ref().is_some_and(|audit| audit.is_unexecuted(*unit))
            };
            let stuck: Vec<UnitIndex> = stuck.filter(open).take(room).collect();
            stuck.into_iter().for_each(|unit| self.want(unit));
        }
        let late = |(check, at): (&Check, &Millis)| {
            let patience_ms = busy(check.unit, self.key(check.member)?)?;
            (now.since(*at) >= patience_ms).then_some(*check)
        };
        let late: Vec<Check> = self.drawn_at.iter().filter_map(late).collect();
        if late.is_empty() {
            return Vec::new();
        }
        for check in &late {
            self.drawn_at.remove(check);
        }
        let step = AuditStep::Silent(late);
        self.apply(&step);
        vec![step]
    }

    /// Of these commits to undecided units, those whose answers were never sealed to this node are refused
    /// after a while: others may run the units then.
    pub fn await_answers(
        &mut self,
        now: Millis,
        patience_ms: u64,
        commits: impl Iterator<Item = (UnitIndex, PeerKey)>,
    ) {
        let known = |place: &(UnitIndex, PeerKey)| {
            let here = self.answers.contains_key(place) || self.unreadable.contains(place);
            here || self.reading.contains(place) || self.unread.contains_key(place)
        };
        let awaited: BTreeMap<_, _> = commits
            .filter(|place| !known(place) && !self.refused.contains(place))
            .map(|place| (place, self.awaited.get(&place).copied().unwrap_or(now)))
            .collect();
        let late = awaited.iter().filter(|(_, since)| now.since(**since) >= patience_ms);
        let late: Vec<(UnitIndex, PeerKey)> = late.map(|(place, _)| *place).collect();
        self.news |= !late.is_empty();
        self.unreadable.extend(late);
        self.awaited = awaited;
    }

    // ---- before the roster -------------------------------------------------------------------

    fn proving(&mut self, rng: &mut Rng) -> Vec<AuditStep> {
        if !self.unreadable.is_empty() {
            return vec![AuditStep::Refused(self.unreadable.iter().copied().collect())];
        }
        let forked = self.forked.iter().map(|peer| (*peer, true));
        let lost = self.newly_told(self.proofs.lost().chain(forked));
        if !lost.is_empty() {
            return lost;
        }
        let proofs = self.terms.proofs;
        let warm = self.proofs.known(proofs) >= MEMBERS_FEW;
        let few = self.trusted().len() < MEMBERS_FEW;
        if self.to_run.len() < DRAW_BELOW {
            self.draw_tests(warm, few, rng);
        }
        let seen = if warm { self.answered } else { self.own.len() };
        let computing = !self.to_run.is_empty() || !self.running.is_empty();
        let more = few && self.own.len() < self.units as usize;
        if computing || more || seen < quota(self.units) {
            return Vec::new();
        }
        parts(&self.candidates()).collect()
    }

    /// Who is proven by now, without what only a roster tells of them.
    fn trusted(&self) -> Vec<Member> {
        let mut members = self.proofs.members(self.terms.proofs);
        members.retain(|member| !self.told_lost.contains_key(&member.key));
        members
    }

    /// The roster, as it would be now.
    fn candidates(&self) -> Vec<Member> {
        let mut members = self.trusted();
        members.iter_mut().for_each(|member| member.arch = arch_of(&self.hosts, member.key));
        circles::join(&mut members, |peer| {
            let link = self.hosts.get(&peer).and_then(|host| host.link.as_ref());
            let donor = link.map(|link| Bond::Donor(link.donor));
            let network = self.networks.get(&peer).map(|network| Bond::Network(*network));
            donor.into_iter().chain(network).collect()
        });
        members
    }

    /// Draws units to compute: of each peer as many as it has to prove; an owner that knows too few draws
    /// more, of all. An answer is sealed before it is drawn, so nobody knows which are looked at.
    fn draw_tests(&mut self, warm: bool, few: bool, rng: &mut Rng) {
        let (running, to_run) = (&self.running, &self.to_run);
        let under_way = |unit| running.contains(&unit) || to_run.contains(&unit);
        let done = self.own.len() + to_run.len() + running.len();
        // Newcomers without end do not put off the roster: some prove themselves at another job.
        let room = most(self.units).saturating_sub(done);
        let (mut wanted, mut others) = self.proofs.draw(self.terms.proofs, room, under_way, rng);
        if few && wanted.is_empty() && others.is_empty() {
            // What those answered whose word counts no more proves nobody, but is not to be had otherwise.
            let open = |unit: &UnitIndex| !self.own.contains_key(unit) && !under_way(*unit);
            others.extend(self.answers.keys().map(|(unit, _)| *unit).filter(open));
            others.dedup();
        }
        let least = match (few, warm) {
            (true, _) if wanted.is_empty() => self.units as usize,
            (_, false) => quota(self.units),
            (_, true) => 0,
        };
        let in_hand = to_run.len() + running.len() + wanted.len();
        let missing = least.saturating_sub(done + wanted.len());
        let missing = missing.min(AHEAD.saturating_sub(in_hand)).min(others.len());
        for _ in 0..missing {
            wanted.insert(others.swap_remove(rng.below(others.len() as u64) as usize));
        }
        wanted.into_iter().for_each(|unit| self.want(unit));
    }

    // ---- a pass ------------------------------------------------------------------------------

    fn pass(&mut self, now: Millis) -> Vec<AuditStep> {
        let wrong = self.newly_wrong();
        match self.audit.as_ref().map(Audit::phase) {
            _ if !wrong.is_empty() => wrong,
            Some(Phase::Executing) => self.executing(),
            _ => self.checking(now),
        }
    }

    fn executing(&mut self) -> Vec<AuditStep> {
        let Some(audit) = &self.audit else { return Vec::new() };
        // Of what somebody answered already checks and disputes decide, in an order that all lots keep.
        let own = self.own.keys().filter(|unit| audit.is_unexecuted(**unit));
        let own: Vec<UnitIndex> = own.copied().collect();
        let mut refused: Vec<_> = self.unreadable.iter().copied().collect();
        // Tried out on a copy of what counts, since each that counts leaves less for the next.
        let mut counted = Vec::new();
        let mut taken: BTreeSet<UnitIndex> = BTreeSet::new();
        let mut took = BTreeMap::new();
        for (unit, peer) in &self.pending {
            let member = self.places.get(peer).copied();
            let Some(member) = member.filter(|_| self.answers.contains_key(&(*unit, *peer))) else {
                refused.push((*unit, *peer));
                continue;
            };
            let more = took.entry(member).or_insert(0);
            let given = taken.contains(unit) || self.own.contains_key(unit);
            let open = audit.is_unexecuted(*unit) && !given;
            match open && audit.may_take_more(member, *more) {
                true => {
                    taken.insert(*unit);
                    *more += 1;
                    counted.push(Check { unit: *unit, member });
                }
                false => refused.push((*unit, *peer)),
            }
        }
        let strangers = refused.iter().filter(|(_, peer)| !self.places.contains_key(peer));
        self.doubtful.extend(strangers.copied());
        let mut steps = Vec::new();
        if !counted.is_empty() {
            steps.push(AuditStep::Counted(counted));
        }
        if !own.is_empty() {
            steps.push(AuditStep::Own(own));
        }
        if !refused.is_empty() {
            steps.push(AuditStep::Refused(refused));
        }
        if steps.is_empty() {
            steps = self.close();
        }
        steps
    }

    /// Closes the pass if nothing is open, and has this node compute what nobody else may.
    fn close(&mut self) -> Vec<AuditStep> {
        if self.audit.as_ref().is_some_and(|audit| audit.open() == 0) {
            for (unit, peer) in core::mem::take(&mut self.doubtful) {
                self.doubt(peer, unit);
            }
        }
        let Some(audit) = &self.audit else { return Vec::new() };
        let pass = audit.pass();
        if audit.open() == 0 {
            let closed = |seed: &Hash| AuditStep::Closed { pass, seed: *seed };
            return self.seeds.get(&pass).map(closed).into_iter().collect();
        }
        let mut members = 0..self.roster.len() as u32;
        if !members.any(|member| audit.may_take(member)) {
            let open: Vec<UnitIndex> = audit.unexecuted().take(AHEAD).collect();
            open.into_iter().for_each(|unit| self.want(unit));
        }
        Vec::new()
    }

    fn checking(&mut self, now: Millis) -> Vec<AuditStep> {
        let Some(audit) = &self.audit else { return Vec::new() };
        let unchecked: Vec<Check> = audit.unchecked().collect();
        let answered = |check: &Check| {
            let key = self.key(check.member);
            key.is_some_and(|key| self.answers.contains_key(&(check.unit, key)))
        };
        let (here, due): (Vec<Check>, Vec<Check>) = unchecked.into_iter().partition(answered);
        let fresh: Vec<Check> =
            due.iter().filter(|check| !self.drawn_at.contains_key(check)).copied().collect();
        self.drawn_at.extend(fresh.iter().map(|check| (*check, now)));
        for check in &here {
            self.drawn_at.remove(check);
        }
        let mut steps = Vec::new();
        let doubted = self.well_doubted();
        if !doubted.is_empty() {
            steps.push(AuditStep::Doubted(doubted));
        }
        if !fresh.is_empty() {
            steps.push(AuditStep::Drawn(fresh));
        }
        if !here.is_empty() {
            steps.push(AuditStep::Checked(here));
        }
        if steps.is_empty() && due.is_empty() {
            steps = self.rule();
        }
        steps
    }

    /// All checks are in: disputes are computed here, then the pass is over.
    fn rule(&mut self) -> Vec<AuditStep> {
        let Some(audit) = &self.audit else { return Vec::new() };
        if self.awaits_witnesses() {
            return Vec::new();
        }
        let unknown = |unit: &UnitIndex| self.to_run.contains(unit) || self.running.contains(unit);
        if self.doubted.values().chain(self.ringers.rung()).any(unknown) {
            return Vec::new();
        }
        let (here, missing): (Vec<UnitIndex>, Vec<UnitIndex>) =
            audit.disputed().iter().partition(|unit| self.own.contains_key(unit));
        let lost = self.newly_lost();
        let pass = audit.pass();
        match (here.is_empty(), missing.is_empty()) {
            (false, _) => vec![AuditStep::Ruled(here)],
            (true, _) if !lost.is_empty() => lost,
            (true, true) => vec![AuditStep::Settled { pass }],
            (true, false) => {
                missing.into_iter().for_each(|unit| self.want(unit));
                Vec::new()
            }
        }
    }

    /// Members that keep two logs and strangers who were wrong, as far as they are not lost for it yet.
    fn newly_wrong(&self) -> Vec<AuditStep> {
        let is_member = |peer: &PeerKey| self.places.contains_key(peer);
        let members = self.forked.iter().filter(|peer| is_member(peer)).map(|peer| (*peer, true));
        let strangers = self.proofs.lost().filter(|(peer, _)| !is_member(peer));
        self.newly_told(members.chain(strangers))
    }

    /// Says of those who were not told of yet that their word counts no more; of whom it may be proved
    /// yet, later.
    fn newly_told(&self, lost: impl Iterator<Item = (PeerKey, bool)>) -> Vec<AuditStep> {
        let fresh = lost.filter(|(peer, convicted)| {
            !self.told_lost.contains_key(peer) && (*convicted || !self.awaits_witness(*peer))
        });
        fresh.map(|(peer, convicted)| AuditStep::Lost { peer, convicted }).collect()
    }

    /// Units that this node computed itself, and found another answer to than is believed.
    fn well_doubted(&self) -> Vec<UnitIndex> {
        let Some(audit) = &self.audit else { return Vec::new() };
        let wrong = |(unit, (own, _)): &(&UnitIndex, &(Answer, Nonce))| {
            let believed = audit.answer(**unit).is_none_or(|answer| answer == own);
            !believed && !audit.is_final(**unit) && !audit.disputed().contains(*unit)
        };
        self.own.iter().filter(wrong).map(|(unit, _)| *unit).collect()
    }

    /// Has this node compute a unit to which a stranger has another answer than a member: one for each
    /// stranger, and no more in all than an owner computes anyway.
    fn doubt(&mut self, stranger: PeerKey, unit: UnitIndex) {
        let Some(audit) = &self.audit else { return };
        let given = self.answers.get(&(unit, stranger)).map(|(answer, _)| answer);
        let other = given.is_some() && audit.answer(unit).is_some_and(|known| Some(known) != given);
        let room = self.doubted.len() < quota(self.units);
        if other && room && !self.doubted.contains_key(&stranger) {
            self.doubted.insert(stranger, unit);
            self.want(unit);
        }
    }

    fn newly_lost(&self) -> Vec<AuditStep> {
        let Some(audit) = &self.audit else { return Vec::new() };
        let lost = audit.lost().iter().filter_map(|member| {
            Some((self.key(*member)?, audit.convicted().contains_key(member)))
        });
        self.newly_told(lost)
    }
}
