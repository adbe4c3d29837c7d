//! What is the best answer to a unit before the release, for people. Nothing is decided by it.
use super::{Auditor, answers_to};
use crate::{Answer, AuditStep, Hash, Level, PeerKey, UnitIndex, verify::audited::MemberIndex};
use alloc::{collections::BTreeSet, vec::Vec};

/// Units whose best answer may have changed since somebody asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    units: BTreeSet<UnitIndex>,
    /// Members whose lost words have been taken into account.
    lost: BTreeSet<MemberIndex>,
}

impl Touched {
    pub(super) fn add(&mut self, unit: UnitIndex) {
        self.units.insert(unit);
    }

    /// The units that a step may give another answer to, but for those of whom it loses.
    pub(super) fn add_all(&mut self, step: &AuditStep) {
        match step {
            AuditStep::Counted(checks) | AuditStep::Checked(checks) => {
                self.units.extend(checks.iter().map(|check| check.unit));
            }
            AuditStep::Own(units) | AuditStep::Ruled(units) => self.units.extend(units),
            AuditStep::Roster { .. }
            | AuditStep::Began { .. }
            | AuditStep::Beat
            | AuditStep::Refused(_)
            | AuditStep::Closed { .. }
            | AuditStep::Drawn(_)
            | AuditStep::Silent(_)
            | AuditStep::Doubted(_)
            | AuditStep::Lost { .. }
            | AuditStep::Settled { .. }
            | AuditStep::Released(_)
            | AuditStep::Revealed(_)
            | AuditStep::Asked(_)
            | AuditStep::Witnessed(_)
            | AuditStep::Quarantined(_) => {}
        }
    }
}

impl Auditor {
    /// The best answer to a unit, whoever may have lied: what this node computed itself, else what a member
    /// said whose word counts. With it who gave it.
    pub fn best(&self, unit: UnitIndex) -> Option<(Level, &Answer, Vec<PeerKey>)> {
        if let Some((answer, _)) = self.own.get(&unit) {
            let same = answers_to(&self.answers, unit).filter(|(_, other)| *other == answer);
            return Some((Level::Checked, answer, same.map(|(peer, _)| peer).collect()));
        }
        let audit = self.audit.as_ref()?;
        let counts = |member| !audit.lost().contains(&member);
        let vouches = || audit.vouches(unit).iter().filter(|vouch| counts(vouch.member));
        let answer = &vouches().next()?.answer;
        let (same, others): (Vec<_>, Vec<_>) = vouches().partition(|vouch| vouch.answer == *answer);
        let level = match same.len() >= 2 && others.is_empty() {
            true => Level::Checked,
            false => Level::Reported,
        };
        Some((level, answer, same.iter().filter_map(|vouch| self.key(vouch.member)).collect()))
    }

    /// Outputs that others have and this node alone may know of, as their units are not released.
    pub(crate) fn unreleased_outputs(&self) -> impl Iterator<Item = Hash> {
        let hidden = self.answers.iter().filter(|((unit, _), _)| !self.released.contains(unit));
        hidden.filter_map(|(_, (answer, _))| answer.output())
    }

    /// Units whose best answer may be another than when this was last asked.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<UnitIndex> {
        let lost = self.audit.iter().flat_map(|audit| audit.lost()).copied();
        let fresh: BTreeSet<MemberIndex> =
            lost.filter(|one| !self.touched.lost.contains(one)).collect();
        if !fresh.is_empty() {
            let is_fresh = |peer| self.places.get(peer).is_some_and(|place| fresh.contains(place));
            let answered = self.answers.keys().filter(|(_, peer)| is_fresh(peer));
            self.touched.units.extend(answered.map(|(unit, _)| *unit));
            self.touched.lost.extend(fresh);
        }
        core::mem::take(&mut self.touched.units)
    }
}
