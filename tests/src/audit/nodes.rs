//! The same trials among real nodes: a [`World`] with attackers, in the figures of the rules' own trials.
//!
//! What it adds is everything that the rules leave out: who hears what when, what is lost, how an owner
//! finds out whom to trust, and whether its certificate holds for whoever has no more than what was said.
//! What it costs is time: jobs are small, and of few units a bound of 95 % says little.
use super::{TrialReport, summary::Counted};
use crate::{Scenario, World, truth};
use coordinator_free_scheduler::{AuditView, JobId, PeerKey, Replay, UnitIndex, Verdict};
use std::time::Duration;

/// After the release the owner shows what nobody else has shown; then its certificate is whole.
const SHOWN_AFTER: Duration = Duration::from_secs(40);

/// Runs the audited job of the first peer, from its submission to its certificate.
///
/// # Errors
/// Something happened that must not, whoever lies: a bug.
pub fn run(name: &str, scenario: &Scenario) -> Result<TrialReport, String> {
    let seeded = |why: String| format!("{name}, seed {}: {why}", scenario.seed);
    let mut world = World::of(scenario.clone()).map_err(seeded)?;
    // What came to no end is not released.
    drop(world.run_to_verdicts(|_| {}));
    world.run_for(SHOWN_AFTER);
    world.bugs().map_err(seeded)?;
    let counted = world.counted().ok_or_else(|| seeded("the owner is not there".to_owned()))?;
    Ok(TrialReport::new(name, (scenario.seed, scenario.peers, scenario.units), &counted))
}

impl World {
    /// The figures of the first peer's audited job; none if its node is not there.
    fn counted(&self) -> Option<Counted> {
        let (job, known) = (*self.jobs.first()?, self.node(0)?.job(*self.jobs.first()?)?);
        let mut counted = Counted { executions: self.executions_of(job), ..Counted::default() };
        let verdicts = known.verdicts(0..self.scenario.units);
        for (unit, verdict) in (0..).zip(&verdicts) {
            let Verdict::Verified { answer, vouchers } = verdict else { continue };
            let fuel = self.scenario.fuel(0, unit);
            let split = self.has_splits() && *answer == truth::elsewhere(job, unit, fuel);
            let right = *answer == truth::right(job, unit, fuel) || split;
            counted.accepted += 1;
            counted.wrong += u64::from(!right);
            let copied = |peer: &&PeerKey| self.copied.contains(&(**peer, job, unit));
            counted.copies_accepted += vouchers.iter().filter(copied).count() as u64;
        }
        // All or nothing: what is released is released at once.
        if counted.accepted < self.scenario.units.into() {
            counted.accepted = 0;
        }
        let view = known.audit()?;
        self.count_convicts(job, &mut counted);
        counted.passes = u32::from(view.pass) + 1;
        counted.level = f64::from(view.level) / 100.0;
        counted.estimate = view.estimate.unwrap_or_default();
        counted.achieved = view.achieved;
        counted.replayed = Some(self.is_replayed(job, &view, &verdicts));
        Some(counted)
    }

    fn has_splits(&self) -> bool {
        self.scenario.audit.as_ref().is_some_and(|audit| audit.splits > 0.0)
    }

    /// Peers whose word the owner takes no more, liars and others; and honest ones that anybody blames.
    fn count_convicts(&self, job: JobId, counted: &mut Counted) {
        let lots = self.node(0).and_then(|node| node.job(job)).into_iter();
        let boards = lots.flat_map(|known| known.lots.values()).map(|lot| &lot.board);
        let orders = boards.flat_map(|board| board.orders()).next();
        let owner = self.peers[0].key;
        let convicted = |peer: &usize| {
            let key = self.peers[*peer].key;
            let by_owner = orders.filter(|orders| orders.signer() == owner);
            by_owner.is_some_and(|orders| orders.is_convicted(key))
        };
        let banned = |peer: &usize| {
            let key = self.peers[*peer].key;
            let barred = self.honest_nodes().any(|(_, node)| node.ledger().record(key).barred());
            barred || convicted(peer) || self.blamed.contains_key(peer)
        };
        let honest = self.scenario.honest();
        counted.honest_banned = (0..honest).filter(banned).count();
        counted.liars_convicted = (honest..self.peers.len()).filter(convicted).count();
    }

    /// Whether somebody who holds nothing but what was said comes to what the owner came to.
    fn is_replayed(&self, job: JobId, view: &AuditView, verdicts: &[Verdict]) -> bool {
        let Some((node, known)) = self.node(0).and_then(|node| Some((node, node.job(job)?))) else {
            return false;
        };
        let mut replay = Replay::new(job, (*known.manifest).clone());
        for lot in 0..known.manifest.lots() {
            for signed in node.evidence(job, lot).unwrap_or_default() {
                let added = signed.open().map(|batch| replay.add(signed.clone(), batch));
                if !matches!(added, Ok(Ok(()))) {
                    return false;
                }
            }
        }
        let same = |one: &Verdict, other: &Verdict| match (one, other) {
            (Verdict::Verified { answer, .. }, Verdict::Verified { answer: other, .. }) => {
                answer == other
            }
            (one, other) => one == other,
        };
        let retold = replay.verdicts();
        let alike = retold.iter().zip(verdicts).all(|(one, other)| same(one, other));
        let Some(Ok(audited)) = replay.audit() else { return false };
        let (estimate, achieved) = (Some(audited.estimated_wrong), audited.achieved);
        alike
            && retold.len() == verdicts.len()
            && (estimate, achieved) == (view.estimate, view.achieved)
    }

    /// Executions of all units of a job.
    fn executions_of(&self, job: JobId) -> u64 {
        let of = |unit: UnitIndex| self.executed.get(&(job, unit)).copied().unwrap_or_default();
        (0..self.scenario.units).map(|unit| u64::from(of(unit))).sum()
    }
}
