//! Keeping figures and watchers up to date.
use super::Driver;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is told of audits, in the order of [`Driver::count_audits`].
const AUDIT_FIGURES: [&str; 5] =
    ["jobs", "units_unexecuted", "checks_waiting", "units_disputed", "peers_lost"];
/// Beside them: jobs, this node's own or not, whose module was found to be at fault.
const QUARANTINED: &str = "jobs_quarantined";
/// What is told of units that are computed again, in the order of [`Driver::count_rechecks`].
const RECHECK_FIGURES: [&str; 3] = ["jobs", "units_waiting", "peers_lost"];

impl Driver {
    fn count_audits(&self) {
        let jobs = self.node.jobs();
        let running = jobs.iter().filter(|job| !job.ended).filter_map(|job| job.audit());
        let mut sums = [0i64; 5];
        for view in running {
            let figures =
                [1, view.unexecuted, view.waiting, view.disputed, view.lost].map(i64::from);
            sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
        for (figure, sum) in AUDIT_FIGURES.into_iter().zip(sums) {
            self.metrics.audits.with_label_values(&[figure]).set(sum);
        }
        let quarantined = jobs.iter().filter(|job| job.quarantined().is_some()).count();
        self.metrics.audits.with_label_values(&[QUARANTINED]).set(quarantined as i64);
    }

    fn count_rechecks(&self) {
        let jobs = self.node.jobs();
        let running = jobs.iter().filter(|job| !job.ended).filter_map(|job| job.recheck());
        let mut sums = [0i64; 3];
        for view in running {
            let figures = [1, view.waiting, view.lost].map(i64::from);
            sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
        for (figure, sum) in RECHECK_FIGURES.into_iter().zip(sums) {
            self.metrics.rechecks.with_label_values(&[figure]).set(sum);
        }
    }

    pub(super) fn refresh(&mut self) {
        self.collector.run(&self.node, true);
        self.watchers.refresh(|job| self.node.job(job).map(|job| self.collector.standing(job)));
        self.followed.refresh();
        self.metrics.in_flight.set(self.node.in_flight() as i64);
        self.metrics.peers.set(self.neighbours.count() as i64);
        self.metrics.uptime.set(self.started.elapsed().as_secs_f64());
        let queue = |name, length: usize| {
            self.metrics.queue_length.with_label_values(&[name]).set(length as i64);
        };
        queue("network", self.net_events.len());
        queue("events", self.events.len());
        queue("outputs_to_collect", self.collector.pending());
        self.count_audits();
        self.count_rechecks();
        let counters = self.net.counters();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for (at, (direction, bytes)) in
            [("in", load(&counters.gossip_bytes_in)), ("out", load(&counters.gossip_bytes_out))]
                .into_iter()
                .enumerate()
        {
            let fresh = bytes.saturating_sub(self.gossip_seen[at]);
            self.metrics.gossip_bytes.with_label_values(&[direction]).inc_by(fresh);
            self.gossip_seen[at] = bytes;
        }
    }
}
