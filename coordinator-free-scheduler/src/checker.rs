//! What a node does as the owner of checked jobs: it has each answer that comes looked at by the
//! module's own `verify`, and releases what is right.
//!
//! Invariant: nothing here must outlive a restart. What was released, refused or lost stands on the
//! boards; all else is looked for again.
use crate::{
    AuditStep, JobId, Millis, Node, Output, PeerKey, Profile, Release, UnitIndex, Void, lot::Lot,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

/// Answers that are being checked at a time, at most.
const CHECKS_MAX: usize = 1_024;

/// One checked job of this node's own.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// One answer of each of these units is being checked.
    asked: BTreeSet<UnitIndex>,
    /// Commits without an answer, and since when.
    awaited: BTreeMap<(UnitIndex, PeerKey), Millis>,
}

impl Node {
    /// Has answers to these units checked, where there are any.
    pub(crate) fn check_units(&mut self, id: JobId, units: impl Iterator<Item = UnitIndex>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.over) else { return };
        let Some(checker) = &mut job.checker else { return };
        let mut answers = Vec::new();
        for unit in units {
            if checker.asked.len() >= CHECKS_MAX {
                break;
            }
            let lot = job.lots.get(&job.manifest.lot_of(unit));
            let answer = lot.and_then(|lot| lot.to_check(unit));
            if let Some((peer, answer, _)) = answer.filter(|_| !checker.asked.contains(&unit)) {
                checker.asked.insert(unit);
                answers.push((unit, peer, answer));
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
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(checker) = &mut job.checker else { return };
        checker.asked.remove(&unit);
        let lot = job.lots.get(&job.manifest.lot_of(unit));
        let meant = lot.and_then(|lot| lot.to_check(unit)).filter(|(author, ..)| *author == peer);
        let Some((_, answer, nonce)) = meant else { return };
        let steps = match right {
            Ok(true) => {
                vec![AuditStep::Released(vec![Release { unit, member: None, answer, nonce }])]
            }
            Ok(false) => vec![
                AuditStep::Refused(vec![(unit, peer)]),
                AuditStep::Lost { peer, convicted: true },
            ],
            // This host's own trouble, which may pass.
            Err(Void::Interrupted | Void::HostMemory) => return,
            Err(_) => vec![AuditStep::Refused(vec![(unit, peer)])],
        };
        self.say_steps(now, id, steps);
    }

    /// Looks for answers in all checked jobs of this node, and refuses what was never shown.
    pub(crate) fn look_after_checks(&mut self, now: Millis) {
        let (me, lease_ms) = (self.config.me, self.config.pace.lease_ms);
        let checked = self.jobs.iter().filter(|(_, job)| job.checker.is_some() && !job.over);
        for id in checked.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let undecided: Vec<UnitIndex> = job.lots.values().flat_map(Lot::undecided).collect();
            let Some(checker) = &mut job.checker else { continue };
            let commits = job.lots.values().flat_map(|lot| {
                let sealed =
                    |(unit, peer): &(UnitIndex, PeerKey)| lot.board.is_sealed(*peer, *unit);
                lot.board.undecided_commits(me).filter(sealed)
            });
            let since = |place| checker.awaited.get(&place).copied().unwrap_or(now);
            let awaited = commits.map(|place| (place, since(place))).collect();
            checker.awaited = awaited;
            let late = checker.awaited.iter().filter(|(_, at)| now.since(**at) >= lease_ms);
            let late: Vec<(UnitIndex, PeerKey)> = late.map(|(place, _)| *place).collect();
            checker.awaited.retain(|_, at| now.since(*at) < lease_ms);
            let refused = (!late.is_empty()).then_some(AuditStep::Refused(late));
            self.say_steps(now, id, refused.into_iter().collect());
            self.check_units(id, undecided.into_iter());
        }
    }

    /// The checker of a job, if this node is to check it.
    pub(crate) fn checker(&self, profile: Profile, owner: PeerKey) -> Option<Checker> {
        let mine = profile == Profile::Checked && owner == self.config.me;
        mine.then(Checker::default)
    }
}
