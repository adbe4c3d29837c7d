//! What a node does as the owner of checked jobs: it has each answer that comes looked at by the
//! module's own `verify`, and releases what is right.
//!
//! Invariant: nothing here must outlive a restart. What was released, refused or lost stands on the
//! boards; all else is looked for again.
use crate::{
    Answer, AuditStep, JobId, Millis, Node, Nonce, Output, PeerKey, Profile, Release, UnitIndex,
    Void, lot::Lot,
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};

/// Answers that are being checked at a time, at most.
const CHECKS_MAX: usize = 1_024;
/// Answers of a peer that could not be checked, after which its word counts no more in the job.
const UNCHECKED_MAX: u32 = 3;

/// One checked job of this node's own.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// The answers of these units that are being checked, one each, or are about to be decided.
    asked: BTreeMap<UnitIndex, Asked>,
    /// How many of them are being checked.
    in_hand: usize,
    /// Units that wait for room; each look at the clock finds them anew.
    backlog: VecDeque<UnitIndex>,
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

impl Node {
    /// Has answers to these units checked, where there are any.
    pub(crate) fn check_units(&mut self, id: JobId, units: impl Iterator<Item = UnitIndex>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.over) else { return };
        let Some(checker) = &mut job.checker else { return };
        let mut answers = Vec::new();
        for unit in units {
            if checker.in_hand >= CHECKS_MAX {
                checker.backlog.push_back(unit);
                continue;
            }
            let lot = job.lots.get(&job.manifest.lot_of(unit));
            let answer = lot.and_then(|lot| lot.to_check(unit));
            if let Some((peer, answer, nonce)) = answer
                && !checker.asked.contains_key(&unit)
            {
                answers.push((unit, peer, answer.clone()));
                checker.in_hand += 1;
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
        checker.in_hand -= 1;
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
        let next = self.next_checks(id);
        self.say_steps(now, id, steps);
        self.check_units(id, next.into_iter());
    }

    /// Units that waited for room, once there is much of it: they are handed over together.
    fn next_checks(&mut self, id: JobId) -> Vec<UnitIndex> {
        let checker = self.jobs.get_mut(&id).and_then(|job| job.checker.as_mut());
        let Some(checker) = checker.filter(|checker| checker.in_hand <= CHECKS_MAX / 2) else {
            return Vec::new();
        };
        let room = CHECKS_MAX - checker.in_hand;
        let most = checker.backlog.len().min(room);
        checker.backlog.drain(..most).collect()
    }

    /// Looks for answers in all checked jobs of this node; what was said of one takes a while to hold.
    pub(crate) fn look_after_checks(&mut self, now: Millis) {
        let patience_ms = self.config.pace.sync_ms;
        let checked = self.jobs.iter().filter(|(_, job)| job.checker.is_some() && !job.over);
        for id in checked.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let undecided: Vec<UnitIndex> = job.lots.values().flat_map(Lot::undecided).collect();
            let Some(checker) = &mut job.checker else { continue };
            checker.backlog.clear();
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
