//! What a node does as the owner of jobs that it computes in part again: it has units drawn and run, says
//! whom it found wrong, and ends no such job before all that was drawn is done.
//!
//! Invariant: nothing here must outlive a restart. What was said stands on the boards; the draw is the
//! same again, since its seed follows from the body's secret.
use crate::{Hash, Job, JobId, Manifest, Millis, Node, Output, UnitIndex, lot::Lot};
use alloc::vec::Vec;

/// One job of this node's own of which it computes some units again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rechecks {
    /// Whether the body was asked for the seed, and whether it is known.
    asked: bool,
    seeded: bool,
    /// Whether something is about to be said that may open units again.
    speaking: bool,
}

/// How far an owner is with computing units again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecheckView {
    /// The share that is drawn by now, percent.
    pub share: u8,
    /// Units that it is to compute yet, or about which it has something to say.
    pub waiting: u32,
    /// Peers that were found wrong by it.
    pub lost: u32,
}

impl Node {
    /// What is to be kept of a job of which this node computes units again.
    pub(crate) fn rechecks(&self, manifest: &Manifest) -> Option<Rechecks> {
        let mine = manifest.owner == self.config.me && manifest.profile.recheck_percent() > 0;
        mine.then(Rechecks::default)
    }

    /// A seed that the body was asked for: of a pass of an audit, or of all draws of units to be computed again.
    pub(crate) fn on_seed(&mut self, id: JobId, pass: u8, seed: Hash) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some(auditor) = &mut job.auditor {
            auditor.seed(pass, seed);
        }
        if let Some(rechecks) = &mut job.rechecks {
            rechecks.seeded = true;
            job.lots.values_mut().for_each(|lot| lot.seed_rechecks(seed));
            self.tell_end(id);
        }
    }

    /// Takes what follows from all that is new, in all jobs of which this node computes units again.
    pub(crate) fn recheck(&mut self, now: Millis) {
        let own = self.jobs.iter().filter(|(_, job)| job.rechecks.is_some() && !job.over);
        for id in own.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let Some(rechecks) = &mut job.rechecks else { continue };
            if !core::mem::replace(&mut rechecks.asked, true) {
                self.outputs.push_back(Output::Draw { job: id, pass: 0 });
            }
            let silent = !job.lots.values().any(|lot| lot.outbox.has_orders());
            let spoke = core::mem::replace(&mut rechecks.speaking, !silent) && silent;
            let findings: Vec<_> =
                job.lots.values_mut().flat_map(|lot| lot.take_findings(now)).collect();
            rechecks.speaking |= !findings.is_empty();
            self.say_steps(now, id, findings);
            if spoke {
                self.tell_end(id);
            }
        }
    }

    /// The next unit of a job that this node computes again, if it is the owner.
    pub(crate) fn next_recheck(&mut self, now: Millis, id: JobId) -> Option<UnitIndex> {
        let job = self.jobs.get_mut(&id).filter(|job| job.rechecks.is_some())?;
        job.lots.values_mut().find_map(|lot| lot.next_recheck(now))
    }
}

impl Job {
    /// Whether its owner, who is this node, has units to compute again, or may have.
    pub(crate) fn is_rechecking(&self) -> bool {
        let under_way = |rechecks: &Rechecks| !rechecks.seeded || rechecks.speaking;
        let due = || self.lots.values().any(|lot| lot.rechecks_due() > 0);
        self.rechecks.as_ref().is_some_and(|rechecks| under_way(rechecks) || due())
    }

    /// How far this node is with computing units again, if it does.
    pub fn recheck(&self) -> Option<RecheckView> {
        self.rechecks?;
        let lots = || self.lots.values();
        let lost = |lot: &Lot| {
            lot.board.orders().map(|owner| owner.lost().len() as u32).max().unwrap_or_default()
        };
        Some(RecheckView {
            share: lots().map(Lot::recheck_share).max().unwrap_or_default(),
            waiting: lots().map(|lot| lot.rechecks_due() as u32).sum(),
            lost: lots().map(lost).max().unwrap_or_default(),
        })
    }
}
