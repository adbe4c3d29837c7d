//! A run's report, from what was counted and what the nodes hold.
use crate::{
    ideal,
    report::{JobCount, JobReport, Report},
    scenario::Kind,
    world::World,
};
use coordinator_free_scheduler::JobStatus;

impl World {
    /// What the run came to so far.
    pub fn report(&self) -> Report {
        let (scenario, count) = (&self.scenario, &self.count);
        let statuses = self.jobs.iter().enumerate();
        let statuses: Vec<JobStatus> =
            statuses.filter_map(|(peer, job)| self.node(peer)?.status(*job)).collect();
        let sum =
            |of: fn(&JobStatus) -> u32| statuses.iter().map(|status| u64::from(of(status))).sum();
        let (accepted, failed): (u64, u64) =
            (sum(|status| status.verified), sum(|status| status.failed));
        let units = u64::from(scenario.units) * scenario.jobs as u64;
        let received = count.units_heard.max(1) as f64;
        let (makespan_us, ideal_us) =
            (count.decided_us as f64, ideal::omniscient_us(scenario) as f64);
        Report {
            scenario: self.name.clone(),
            seed: scenario.seed,
            peers: scenario.peers,
            units,
            accepted,
            wrong_accepted: count.wrong_accepted,
            failed,
            executions: count.executions,
            redundancy: count.executions as f64 / accepted.max(1) as f64,
            makespan_s: makespan_us / 1e6,
            ideal_makespan_s: ideal_us / 1e6,
            makespan_ratio: makespan_us / ideal_us,
            blind_central_ratio: ideal::blind_us(scenario) as f64 / ideal_us,
            wasted_share: 1.0 - count.useful_us as f64 / count.busy_us.max(1) as f64,
            liars: self.of_kinds(&[Kind::Naive, Kind::Colluder]).len(),
            liars_convicted: self.convicted(),
            honest_banned: self.honest_banned(),
            copies_accepted: self.credit(Kind::Copier),
            messages_per_unit: count.messages as f64 / received,
            bytes_per_unit_per_peer: count.message_bytes as f64 / received,
            peak_state_bytes_per_peer: count.state_bytes,
            events: count.events,
            kills: count.kills,
            jobs: self.jobs_reported(),
        }
    }

    fn jobs_reported(&self) -> Vec<JobReport> {
        let scenario = &self.scenario;
        if self.count.jobs.len() < 2 && scenario.deadlines_s.is_empty() {
            return Vec::new();
        }
        let busy_us: u64 = self.count.jobs.iter().map(|job| job.busy_us).sum();
        let priority = |job| u32::from(scenario.urgency(job).0);
        let weights: u32 = (0..self.count.jobs.len()).map(priority).sum();
        let report = |(number, job): (usize, &JobCount)| {
            let (priority, deadline_s) = scenario.urgency(number);
            let makespan_us = job.decided_us.saturating_sub(job.submitted_us);
            let met = job.decided_us > 0 && makespan_us <= u64::from(deadline_s) * 1_000_000;
            JobReport {
                priority,
                share: job.busy_us as f64 / busy_us.max(1) as f64,
                weight_share: f64::from(priority) / f64::from(weights),
                makespan_s: makespan_us as f64 / 1e6,
                deadline_s,
                deadline_met: (deadline_s > 0).then_some(met),
            }
        };
        self.count.jobs.iter().enumerate().map(report).collect()
    }

    /// Attackers of some kinds, by number.
    pub fn of_kinds(&self, kinds: &[Kind]) -> Vec<usize> {
        let is_one =
            |peer: &usize| self.scenario.kind(*peer).is_some_and(|kind| kinds.contains(&kind));
        (0..self.peers.len()).filter(is_one).collect()
    }

    fn convicted(&self) -> usize {
        let Some(node) = self.node(0) else { return 0 };
        let barred = |peer: &usize| node.ledger().record(self.peers[*peer].key).barred();
        self.of_kinds(&[Kind::Naive, Kind::Colluder]).into_iter().filter(barred).count()
    }

    fn honest_banned(&self) -> usize {
        let barred = |peer: &usize| {
            let key = self.peers[*peer].key;
            self.honest_nodes().any(|(_, node)| node.ledger().record(key).barred())
        };
        (0..self.scenario.honest()).filter(barred).count()
    }

    /// Verdicts that carry a voucher of a kind of attacker, by the first node's ledger.
    pub fn credit(&self, kind: Kind) -> u64 {
        let Some(node) = self.node(0) else { return 0 };
        let agreed = |peer: usize| node.ledger().record(self.peers[peer].key).agreed;
        self.of_kinds(&[kind]).into_iter().map(agreed).sum()
    }
}
