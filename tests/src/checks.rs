//! What must hold when a grid has come to rest.
use crate::{scenario::Kind, world::World};
use coordinator_free_scheduler::{Decision, Hash, JobId, JobState, LotIndex, Node, Verdict};
use std::collections::BTreeMap;

impl World {
    /// Whether every unit of every job is decided on its submitter's node.
    pub(crate) fn decided(&self) -> bool {
        let mut all = 0..self.jobs.len();
        self.jobs.len() == self.scenario.jobs && all.all(|job| self.job_decided(job))
    }

    /// Whether every unit of a job is decided on its submitter's node.
    pub(crate) fn job_decided(&self, number: usize) -> bool {
        let status = self.node(number).and_then(|node| node.status(self.jobs[number]));
        status.is_some_and(|status| status.verified + status.failed == status.units)
    }

    /// Units that are decided on their submitters' nodes, and all there are.
    pub fn progress(&self) -> (u64, u64) {
        let jobs = self.jobs.iter().enumerate();
        let statuses = jobs.filter_map(|(peer, job)| self.node(peer)?.status(*job));
        let decided = statuses.map(|status| u64::from(status.verified + status.failed)).sum();
        (decided, u64::from(self.scenario.units) * self.scenario.jobs as u64)
    }

    /// Whether every unit of every job is decided on every honest node.
    pub(crate) fn ended(&self) -> bool {
        let decided = |node: &Node| {
            let state = |job: &JobId| node.status(*job).map(|status| status.state);
            self.jobs.iter().all(|job| state(job).is_some_and(|state| state != JobState::Running))
        };
        self.jobs.len() == self.scenario.jobs && self.honest_nodes().all(|(_, node)| decided(node))
    }

    /// Whether all honest nodes that take part in a lot hold the same statements about it.
    pub(crate) fn settled(&mut self) -> bool {
        let mut held: BTreeMap<(JobId, LotIndex), Hash> = BTreeMap::new();
        let mut all = self.honest_nodes().flat_map(|(_, node)| node.digests());
        all.all(|(job, lot, digest)| *held.entry((job, lot)).or_insert(digest) == digest)
    }

    pub(crate) fn left_over(&self) -> String {
        let lines = self.honest_nodes().map(|(peer, node)| {
            let states = self.jobs.iter().map(|job| format!("{:?}", node.status(*job)));
            let first = self.jobs.iter().find_map(|job| first_open(node, *job));
            format!("\n  peer {peer}: {}{first:?}", states.collect::<Vec<_>>().join("; "))
        });
        lines.take(5).collect()
    }

    /// Asserts what must hold of any grid at rest: nobody wrong, nobody blamed for nothing, one
    /// truth on all nodes.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self) -> Result<(), String> {
        if let Some(first) = self.violations.first() {
            return Err(format!("{} violations, first: {first}", self.violations.len()));
        }
        self.same_verdicts_everywhere()?;
        for (peer, node) in self.honest_nodes() {
            self.honest_unblamed(peer, node)?;
        }
        Ok(())
    }

    /// Asserts that nothing happened that must not, whoever is blamed for whatever.
    ///
    /// # Errors
    /// What did.
    pub fn bugs(&self) -> Result<(), String> {
        let blames: usize = self.blamed.values().sum();
        match self.violations.len() > blames {
            true => Err(self.violations.join("; ")),
            false => Ok(()),
        }
    }

    /// Asserts that all honest nodes that take part in a unit's lot decided it alike.
    ///
    /// # Errors
    /// Where they did not.
    pub fn same_verdicts_everywhere(&self) -> Result<(), String> {
        for (submitter, job) in self.jobs.iter().enumerate() {
            let Some(first) = self.node(submitter) else { continue };
            for (peer, node) in self.honest_nodes() {
                self.same_verdicts(*job, first, peer, node)?;
            }
        }
        Ok(())
    }

    fn same_verdicts(
        &self,
        job: JobId,
        first: &Node,
        peer: usize,
        node: &Node,
    ) -> Result<(), String> {
        let lots = 0..self.scenario.units.div_ceil(self.scenario.lot_units);
        for lot in lots.filter(|lot| node.attends(job, *lot)) {
            let units = self.scenario.lot_range(lot);
            let verdicts = |node: &Node| node.job(job).map(|job| job.verdicts(units.clone()));
            let both =
                verdicts(first).into_iter().flatten().zip(verdicts(node).into_iter().flatten());
            let mut compared = units.clone().zip(both);
            let off = compared.find(|(_, (one, other))| one != other || *other == Verdict::Open);
            if let Some((unit, (one, other))) = off {
                return Err(format!("unit {unit} of {job:?} on {peer}: {one:?}, {other:?}"));
            }
        }
        Ok(())
    }

    fn honest_unblamed(&self, by: usize, node: &Node) -> Result<(), String> {
        for peer in 0..self.scenario.honest() {
            let key = self.peers[peer].key;
            let record = node.ledger().record(key);
            let silent = self.jobs.iter().filter_map(|job| node.job(*job));
            let overdue: u32 = silent.map(|job| job.overdue(key)).sum();
            if record.wrong > 0 || record.barred() || overdue > 0 {
                return Err(format!("honest {peer} on {by}: {record:?}, {overdue} overdue"));
            }
        }
        Ok(())
    }

    /// Attackers of a kind that some honest node has not found wrong, or does not bar.
    pub fn uncaught(&self, kind: Kind) -> Vec<(usize, usize)> {
        let attackers = self.of_kinds(&[kind]);
        let pairs = self.honest_nodes().flat_map(|(by, node)| {
            let caught = |peer: &usize| {
                let record = node.ledger().record(self.peers[*peer].key);
                record.wrong > 0 && record.barred()
            };
            attackers.iter().copied().filter(move |peer| !caught(peer)).map(move |peer| (peer, by))
        });
        pairs.collect()
    }
}

/// The first undecided unit of a job that a node knows of, with all that is known of it.
fn first_open(node: &Node, job: JobId) -> Option<String> {
    let boards = node.job(job)?.lots.values().map(|lot| &lot.board);
    let mut units = boards.flat_map(|board| board.range().map(|unit| (unit, board.unit(unit))));
    let open = units
        .find(|(_, known)| known.is_some_and(|known| known.standing.decision == Decision::Open));
    open.map(|open| format!("{open:?}"))
}
