//! What an audited job says of those who answered it, for the jobs that follow; and so how peers come to be
//! trusted who were not there when the roster was fixed.
//!
//! They answer a few units beside the executors, sealed like any answer. To this job their answers mean
//! nothing but a doubt where they differ; with the released ones they are compared afterwards.
use super::{Auditor, Trust, answers_to, proofs::quota};
use crate::{PeerKey, Release, UnitIndex};
use alloc::collections::BTreeMap;

impl Auditor {
    /// Whether a peer's answer to a unit may count, or show that the peer can be trusted in later jobs.
    pub(super) fn has_use_for(&mut self, peer: PeerKey, unit: UnitIndex) -> bool {
        if self.audit.is_none() || self.places.contains_key(&peer) || self.machines.asks(unit, peer)
        {
            return true;
        }
        let known = self.released.contains(&unit) || self.own.contains_key(&unit);
        let room = self.bonus.len() < quota(self.units) && !self.bonus.contains_key(&unit);
        let had = || self.bonus.values().filter(|other| **other == peer).count();
        let takes = room && !known && had() < 2 * usize::from(self.terms.proofs);
        if takes {
            self.bonus.insert(unit, peer);
        }
        takes
    }

    /// After a restart: by whom units were answered since the roster was fixed.
    pub(super) fn restore_bonus(&mut self) {
        let strangers = self.answers.keys().filter(|(_, peer)| !self.places.contains_key(peer));
        let strangers = strangers.filter(|place| !self.refused.contains(place));
        self.bonus = strangers.copied().collect();
    }

    /// Whether a peer that is not on the roster answers what everybody knows by now.
    pub fn comes_late(&self, peer: PeerKey, unit: UnitIndex) -> bool {
        self.released.contains(&unit) && !self.places.contains_key(&peer)
    }

    /// A unit is released: whoever was right computed it. A newcomer is known better by it, one for each
    /// unit: many keys would show one answer otherwise.
    pub(super) fn credit(&mut self, one: &Release) {
        if !self.released.insert(one.unit) {
            return;
        }
        let right = answers_to(&self.answers, one.unit);
        let mut newcomer = None;
        for (peer, _) in right.filter(|(_, answer)| **answer == one.answer) {
            let credit = self.credits.entry(peer).or_default();
            credit.fuel = credit.fuel.saturating_add(one.answer.fuel);
            if !self.places.contains_key(&peer) {
                newcomer.get_or_insert(peer);
            }
        }
        // What the owner computed itself was compared already.
        let newcomer = newcomer.filter(|_| !self.own.contains_key(&one.unit));
        let known = newcomer.and_then(|peer| self.credits.get_mut(&peer));
        if let Some(known) = known.filter(|known| known.agreed < self.terms.proofs.into()) {
            known.agreed += 1;
        }
    }

    /// What this job says of those who answered it.
    pub fn trust(&self) -> BTreeMap<PeerKey, Trust> {
        let trust = |(peer, trust): (PeerKey, Trust)| {
            let credit = self.credits.get(&peer).copied().unwrap_or_default();
            let told = self.told_lost.get(&peer).copied();
            let forked = self.forked.contains(&peer);
            if self.is_quarantined() {
                // Of such a module no answer says anything of anybody.
                return (peer, Trust { lost: forked, doubts: 0, ..trust }.join(credit));
            }
            let lost = told == Some(true) || forked;
            let doubts = u32::from(told == Some(false) && trust.doubts == 0);
            (peer, trust.join(Trust { lost, doubts, ..credit }))
        };
        self.proofs.here().map(trust).collect()
    }
}
