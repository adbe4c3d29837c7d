//! What the owner does next: the steps that follow from what it knows.
use super::{Auditor, ONE_CLASS, parts, proofs::quota};
use crate::{
    AuditStep, Hash, Millis, PeerKey, Rng, UnitIndex,
    verify::audited::{Audit, Check, Phase},
};
use alloc::{collections::BTreeSet, vec, vec::Vec};

/// Peers on a roster below which the owner goes on computing, if there is anything left to compute.
const MEMBERS_FEW: usize = 2;
/// The owner computes so many units ahead of what its slots take.
const AHEAD: usize = 64;

impl Auditor {
    /// The next steps, taken already; none until something is new.
    pub fn advance(&mut self, now: Millis, rng: &mut Rng) -> Vec<AuditStep> {
        let mut steps = Vec::new();
        while core::mem::take(&mut self.news) {
            let fresh = match self.audit.as_ref().map(Audit::phase) {
                None => self.proving(rng),
                Some(Phase::Executing) => self.executing(),
                Some(Phase::Checking) => self.checking(now),
                Some(Phase::Released(_) | Phase::Quarantined) => self.releasing(),
            };
            self.news = !fresh.is_empty();
            for step in fresh {
                self.apply(&step);
                steps.push(step);
            }
        }
        steps
    }

    /// Looks at the clock: who was drawn long ago, and is not `on` the unit, is silent. Units that
    /// nobody can run are `voided`.
    pub fn look(
        &mut self,
        now: Millis,
        patience_ms: u64,
        on: impl Fn(UnitIndex, PeerKey) -> bool,
        voided: impl Iterator<Item = UnitIndex>,
    ) -> Vec<AuditStep> {
        self.news = true;
        voided.for_each(|unit| self.want(unit));
        let late = |(check, at): (&Check, &Millis)| {
            let silent = now.since(*at) >= patience_ms;
            let away = self.key(check.member).is_some_and(|key| !on(check.unit, key));
            (silent && away).then_some(*check)
        };
        let late: Vec<Check> = self.drawn_at.iter().filter_map(late).collect();
        if late.is_empty() {
            return Vec::new();
        }
        self.drawn_at.retain(|check, _| !late.contains(check));
        let step = AuditStep::Silent(late);
        self.apply(&step);
        vec![step]
    }

    // ---- before the roster -------------------------------------------------------------------

    fn proving(&mut self, rng: &mut Rng) -> Vec<AuditStep> {
        let wrong = self
            .proofs
            .iter()
            .filter(|(peer, proof)| proof.wrong && !self.told_lost.contains(peer));
        let lost: Vec<AuditStep> =
            wrong.map(|(peer, _)| AuditStep::Lost { peer, convicted: true }).collect();
        let unread = |place: &&(UnitIndex, PeerKey)| !self.answers.contains_key(place);
        let refused: Vec<_> = self.pending.iter().filter(unread).copied().collect();
        if !refused.is_empty() {
            return vec![AuditStep::Refused(refused)];
        }
        if !lost.is_empty() {
            return lost;
        }
        self.draw_tests(rng);
        if !self.to_run.is_empty() || !self.running.is_empty() {
            return Vec::new();
        }
        let members = self.proofs.members(self.terms.proofs, ONE_CLASS);
        let few = members.len() < MEMBERS_FEW;
        if self.own.len() < quota(self.units) || few && self.own.len() < self.units as usize {
            return Vec::new();
        }
        parts(&members).collect()
    }

    /// Draws units to compute: of each peer as many as it has to prove, then of all. An answer is
    /// sealed before it is drawn, so nobody knows which of its answers are looked at.
    fn draw_tests(&mut self, rng: &mut Rng) {
        let mut wanted: BTreeSet<UnitIndex> = BTreeSet::new();
        let (own, running) = (&self.own, &self.running);
        let in_hand = self.to_run.len() + running.len();
        let mut all: Vec<UnitIndex> = Vec::new();
        for (_, proof) in self.proofs.iter_mut().filter(|(_, proof)| !proof.wrong) {
            proof.untested.retain(|unit| !own.contains_key(unit));
            let under_way =
                |unit: &&UnitIndex| running.contains(unit) || self.to_run.contains(unit);
            let testing = proof.untested.iter().filter(under_way).count();
            let missing =
                usize::from(self.terms.proofs).saturating_sub(proof.agreed as usize + testing);
            let mut left: Vec<UnitIndex> =
                proof.untested.iter().filter(|unit| !under_way(unit)).copied().collect();
            for _ in 0..missing.min(left.len()) {
                wanted.insert(left.swap_remove(rng.below(left.len() as u64) as usize));
            }
            all.extend(left);
        }
        let few = self.proofs.members(self.terms.proofs, ONE_CLASS).len() < MEMBERS_FEW;
        let least = if few { self.units as usize } else { quota(self.units) };
        let missing = least.saturating_sub(self.own.len() + in_hand + wanted.len());
        let room = AHEAD.saturating_sub(in_hand + wanted.len());
        all.retain(|unit| !wanted.contains(unit));
        for _ in 0..missing.min(room).min(all.len()) {
            wanted.insert(all.swap_remove(rng.below(all.len() as u64) as usize));
        }
        wanted.into_iter().for_each(|unit| self.want(unit));
    }

    // ---- a pass ------------------------------------------------------------------------------

    fn executing(&mut self) -> Vec<AuditStep> {
        let Some(audit) = &self.audit else { return Vec::new() };
        // Tried out on a copy of what counts, since each that counts leaves less for the next.
        let own = self.own.keys().filter(|unit| !audit.is_final(**unit));
        let own: Vec<UnitIndex> = own.copied().collect();
        let (mut counted, mut refused) = (Vec::new(), Vec::new());
        let mut taken: BTreeSet<UnitIndex> = BTreeSet::new();
        let mut took = alloc::collections::BTreeMap::new();
        for (unit, peer) in &self.pending {
            let member = self.places.get(peer).copied();
            let Some(member) = member.filter(|_| self.answers.contains_key(&(*unit, *peer))) else {
                refused.push((*unit, *peer));
                continue;
            };
            let more = took.entry(member).or_insert(0);
            let open = audit.is_unexecuted(*unit) && !taken.contains(unit);
            match open && audit.may_take_more(member, *more) {
                true => {
                    taken.insert(*unit);
                    *more += 1;
                    counted.push(Check { unit: *unit, member });
                }
                false => refused.push((*unit, *peer)),
            }
        }
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
        let Some(audit) = &self.audit else { return Vec::new() };
        let pass = audit.pass();
        let open: Vec<UnitIndex> = audit.unexecuted().take(AHEAD).collect();
        if open.is_empty() {
            let closed = |seed: &Hash| AuditStep::Closed { pass, seed: *seed };
            return self.seeds.get(&pass).map(closed).into_iter().collect();
        }
        let mut members = 0..self.roster.len() as u32;
        if !members.any(|member| audit.may_take(member)) {
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
        self.drawn_at.retain(|check, _| !here.contains(check));
        let mut steps = Vec::new();
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

    fn newly_lost(&self) -> Vec<AuditStep> {
        let Some(audit) = &self.audit else { return Vec::new() };
        let lost = audit.lost().iter().filter_map(|member| Some((*member, self.key(*member)?)));
        let fresh = lost.filter(|(_, key)| !self.told_lost.contains(key));
        let step = |(member, peer)| {
            let convicted = audit.convicted().contains_key(&member);
            AuditStep::Lost { peer, convicted }
        };
        fresh.map(step).collect()
    }
}
