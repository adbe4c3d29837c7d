//! The end of an audit: the answers, each with a voucher that shows it.
use super::Auditor;
use crate::{Answer, AuditStep, Millis, Nonce, PeerKey, Release, UnitIndex};
use alloc::{vec, vec::Vec};

/// How long after the release the owner shows answers that their authors have not, milliseconds.
const REVEAL_MS: u64 = 10_000;

impl Auditor {
    /// What can be released and is not; the owner computes what nobody answered.
    pub(super) fn releasing(&mut self) -> Vec<AuditStep> {
        if self.has_released_all() {
            return self.release_again();
        }
        let left: Vec<UnitIndex> =
            (0..self.units).filter(|unit| !self.released.contains(unit)).collect();
        let released: Vec<Release> = left.iter().filter_map(|unit| self.release(*unit)).collect();
        if released.is_empty() {
            left.into_iter().for_each(|unit| self.want(unit));
            return Vec::new();
        }
        vec![AuditStep::Released(released)]
    }

    /// Released units that no voucher shows any more, as whoever gave the answer has taken it back: the
    /// owner stands in with its own.
    fn release_again(&mut self) -> Vec<AuditStep> {
        let here = self.unshown.iter().filter_map(|unit| {
            let (answer, nonce) = self.own.get(unit)?;
            Some(Release { unit: *unit, member: None, answer: answer.clone(), nonce: *nonce })
        });
        let again: Vec<Release> = here.collect();
        let missing = self.unshown.iter().filter(|unit| !self.own.contains_key(unit));
        let missing: Vec<UnitIndex> = missing.copied().collect();
        missing.into_iter().for_each(|unit| self.want(unit));
        for release in &again {
            self.unshown.remove(&release.unit);
        }
        if again.is_empty() { Vec::new() } else { vec![AuditStep::Released(again)] }
    }

    /// Whether all is released and nothing is left to do.
    pub(super) fn is_over(&self) -> bool {
        self.is_quarantined() || self.has_released_all() && self.unshown.is_empty()
    }

    /// Whether it has said every unit's answer.
    pub(super) fn has_released_all(&self) -> bool {
        self.released.len() >= self.units as usize
    }

    /// These are released and not verified on this node's own board.
    pub fn note_unshown(&mut self, units: impl Iterator<Item = UnitIndex>) {
        let before = self.unshown.len();
        self.unshown.extend(units.filter(|unit| self.released.contains(unit)));
        self.news |= self.unshown.len() > before;
    }

    /// Whether it is time to show what others should have shown: authors have a while to do it
    /// themselves.
    pub fn shall_reveal(&mut self, now: Millis) -> bool {
        if !self.has_released_all() {
            return false;
        }
        let at = *self.reveal_at.get_or_insert(now.plus(REVEAL_MS));
        if at > now {
            return false;
        }
        self.reveal_at = Some(now.plus(REVEAL_MS));
        true
    }

    /// What nobody has shown: `shown` tells whether a peer's answer to a unit is there for all to see.
    pub fn reveal(&mut self, shown: impl Fn(UnitIndex, PeerKey) -> bool) -> Option<AuditStep> {
        let unrevealed = self.unrevealed(shown);
        let step = (!unrevealed.is_empty()).then_some(AuditStep::Revealed(unrevealed))?;
        self.apply(&step);
        Some(step)
    }

    /// Answers of members to released units that are not there for all to see, and that this node has not
    /// shown. Where their authors contradict themselves they stand by this node's word alone.
    fn unrevealed(&self, shown: impl Fn(UnitIndex, PeerKey) -> bool) -> Vec<Release> {
        let hidden = |unit: UnitIndex, peer: PeerKey| {
            let place = self.places.get(&peer).filter(|_| self.released.contains(&unit));
            place.is_some_and(|place| !self.worded.contains(&(unit, *place))) && !shown(unit, peer)
        };
        let mine = self.answers.iter().filter(|((unit, peer), _)| hidden(*unit, *peer));
        let release =
            |((unit, peer), (answer, nonce)): (&(UnitIndex, PeerKey), &(Answer, Nonce))| Release {
                unit: *unit,
                member: self.places.get(peer).copied(),
                answer: answer.clone(),
                nonce: *nonce,
            };
        mine.map(release).collect()
    }

    fn release(&self, unit: UnitIndex) -> Option<Release> {
        let audit = self.audit.as_ref()?;
        let agreed =
            audit.answer(unit).or_else(|| self.own.get(&unit).map(|(answer, _)| answer))?;
        let vouched = audit.vouches(unit).iter().filter(|vouch| vouch.answer == *agreed);
        let by_member = vouched.filter_map(|vouch| {
            let key = self.key(vouch.member)?;
            let (_, nonce) = self.answers.get(&(unit, key))?;
            Some((Some(vouch.member), *nonce))
        });
        let by_owner = || {
            let (own, nonce) = self.own.get(&unit)?;
            (own == agreed).then_some((None, *nonce))
        };
        let (member, nonce) = by_member.into_iter().next().or_else(by_owner)?;
        Some(Release { unit, member, answer: agreed.clone(), nonce })
    }
}
