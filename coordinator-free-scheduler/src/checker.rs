//! What a node does as the owner of checked jobs: it has each answer that comes looked at by the
//! module's own `verify`, and releases what is right.
//!
//! Invariant: nothing here must outlive a restart. What was released, refused or lost stands on the
//! boards; all else is looked for again.
use crate::{
    Answer, AuditStep, JobId, Millis, Node, Nonce, Output, PeerKey, Profile, Release, UnitIndex,
    Void, lot::Lot,
};
use alloc::{collections::BTreeMap, vec, vec::Vec};

/// Answers that are being checked at a time, at most.
const CHECKS_MAX: usize = 1_024;
/// Answers of a peer that could not be checked, after which its word counts no more in the job.
const UNCHECKED_MAX: u32 = 3;

/// One checked job of this node's own.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// The answers of these units that are being checked, one each, or are about to be decided.
    asked: BTreeMap<UnitIndex, Asked>,
    /// Answers that could not be checked, by their authors.
    unchecked: BTreeMap<PeerKey, u32>,
}

#[derive(Clone, Debug)]
struct Asked {
    peer: PeerKey,
    answer: Answer,
    nonce: Nonce,
    /// When its end was said.
    ended: Option<Millis>,
}

impl Checker {
    fn in_hand(&self) -> usize {
        self.asked.values().filter(|asked| asked.ended.is_none()).count()
    }
}

impl Node {
    /// Has answers to these units checked, where there are any.
    pub(crate) fn check_units(&mut self, id: JobId, units: impl Iterator<Item = UnitIndex>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.over) else { return };
        let Some(checker) = &mut job.checker else { return };
        let room = CHECKS_MAX.saturating_sub(checker.in_hand());
        let mut answers = Vec::new();
        for unit in units {
            if answers.len() >= room {
                break;
            }
            let lot = job.lots.get(&job.manifest.lot_of(unit));
            let answer = lot.and_then(|lot| lot.to_check(unit));
            if let Some((peer, answer, nonce)) = answer
                && !checker.asked.contains_key(&unit)
            {
                answers.push((unit, peer, answer.clone()));
                checker.asked.insert(unit, Asked { peer, answer, nonce, ended: None });
            }
        }
        if !answers.is_empty() {
            self.outputs.push_back(Output::Check { job: id, answers });
        }
    }

    /// An answer was checked, or could not be.
    pub(crate) fn on_checked(
        &mut self,
        now: Millis,
        id: JobId,
        unit: UnitIndex,
        peer: PeerKey,
        right: Result<bool, Void>,
    ) {
        let Some(checker) = self.jobs.get_mut(&id).and_then(|job| job.checker.as_mut()) else {
            return;
        };
        let asked = checker.asked.get_mut(&unit).filter(|asked| asked.peer == peer);
        let Some(asked) = asked.filter(|asked| asked.ended.is_none()) else { return };
        asked.ended = Some(now);
        let lost = |convicted| AuditStep::Lost { peer, convicted };
        let steps = match right {
            Ok(true) => {
                let (answer, nonce) = (asked.answer.clone(), asked.nonce);
                vec![AuditStep::Released(vec![Release { unit, member: None, answer, nonce }])]
            }
            Ok(false) => vec![AuditStep::Refused(vec![(unit, peer)]), lost(true)],
            // This host's own trouble, which may pass.
            Err(Void::Interrupted | Void::HostMemory) => Vec::new(),
            Err(_) => {
                let count = checker.unchecked.entry(peer).or_default();
                *count += 1;
                let often = (*count >= UNCHECKED_MAX).then(|| lost(false));
                let refused = AuditStep::Refused(vec![(unit, peer)]);
                [refused].into_iter().chain(often).collect()
            }
        };
        self.say_steps(now, id, steps);
    }

    /// Looks for answers in all checked jobs of this node; what was said of one takes a while to hold.
    pub(crate) fn look_after_checks(&mut self, now: Millis) {
        let patience_ms = self.config.pace.sync_ms;
        let checked = self.jobs.iter().filter(|(_, job)| job.checker.is_some() && !job.over);
        for id in checked.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let undecided: Vec<UnitIndex> = job.lots.values().flat_map(Lot::undecided).collect();
            let Some(checker) = &mut job.checker else { continue };
            checker
                .asked
                .retain(|_, asked| asked.ended.is_none_or(|ended| now.since(ended) < patience_ms));
            self.check_units(id, undecided.into_iter());
        }
    }

    /// The checker of a job, if this node is to check it.
    pub(crate) fn checker(&self, profile: Profile, owner: PeerKey) -> Option<Checker> {
        let mine = profile == Profile::Checked && owner == self.config.me;
        mine.then(Checker::default)
    }
}
