//! The figures that an operator watches. Names and labels are an interface: add, never rename.
use coordinator_free_scheduler::{ENGINE, Fault, Outcome, Statement, Verdict, Void};
use prometheus::{
    Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// All metrics of a node.
pub struct Metrics {
    registry: Registry,
    pub units_executed: IntCounter,
    pub units_resumed: IntCounter,
    pub units_verified: IntCounter,
    pub units_disputed: IntCounter,
    pub units_failed: IntCounter,
    pub fuel: IntCounter,
    pub in_flight: IntGauge,
    pub peers: IntGauge,
    pub gossip_bytes: IntCounterVec,
    pub statements: IntCounterVec,
    pub queue_length: IntGaugeVec,
    pub outcomes: IntCounterVec,
    pub faults: IntCounterVec,
    pub manifests: IntCounterVec,
    pub audits: IntGaugeVec,
    pub rechecks: IntGaugeVec,
    pub uptime: Gauge,
}

impl Metrics {
    /// Registers every metric in a registry of its own.
    ///
    /// # Errors
    /// Two metrics have one name; a mistake in this file.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let new = Maker { registry: &registry };
        let metrics = Metrics {
            units_executed: new.counter("dugnad_units_executed_total", "Units run here")?,
            units_resumed: new.counter(
                "dugnad_units_resumed_total",
                "Units among them that went on from a checkpoint",
            )?,
            units_verified: new.counter("dugnad_units_verified_total", "Units seen verified")?,
            units_disputed: new
                .counter("dugnad_units_disputed_total", "Answers that a verdict proved wrong")?,
            units_failed: new.counter("dugnad_units_failed_total", "Units seen failed")?,
            fuel: new.counter("dugnad_fuel_total", "Instructions run here")?,
            in_flight: new.gauge("dugnad_executions_in_flight", "Units being run or prepared")?,
            peers: new.gauge("dugnad_peers", "Connected peers")?,
            gossip_bytes: new.counters(
                "dugnad_gossip_bytes_total",
                "Bytes of gossip payload",
                &["direction"],
            )?,
            statements: new.counters(
                "dugnad_statements_total",
                "Entries of statements",
                &["kind"],
            )?,
            queue_length: new.gauges("dugnad_queue_length", "Entries that wait", &["queue"])?,
            outcomes: new.counters("dugnad_outcomes_total", "How runs here ended", &["kind"])?,
            faults: new.counters("dugnad_faults_total", "Bad deeds of peers", &["kind"])?,
            manifests: new.counters(
                "dugnad_manifests_total",
                "Manifests without work, without a place, and jobs let go of for others",
                &["fate"],
            )?,
            audits: new.gauges(
                "dugnad_audits",
                "Audits of this node's running jobs, all together",
                &["figure"],
            )?,
            rechecks: new.gauges(
                "dugnad_rechecks",
                "Running jobs of which this node computes units again, all together",
                &["figure"],
            )?,
            uptime: new.float_gauge("dugnad_uptime_seconds", "Seconds since the start")?,
            registry: registry.clone(),
        };
        let info = new.gauges("dugnad_build_info", "Always 1", &["version", "engine"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), ENGINE]).set(1);
        Ok(metrics)
    }

    /// All figures in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut bytes = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut bytes) {
            Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("# {error}\n"),
        }
    }

    /// Counts a run that ended.
    pub fn count_run(&self, end: &Result<(Outcome, u64), Void>) {
        let kind = match end {
            Ok((outcome, fuel)) => {
                self.fuel.inc_by(*fuel);
                outcome_kind(outcome)
            }
            Err(_) => "void",
        };
        self.units_executed.inc();
        self.outcomes.with_label_values(&[kind]).inc();
    }

    /// Counts a verdict.
    pub fn count_verdict(&self, verdict: &Verdict) {
        match verdict {
            Verdict::Open => {}
            Verdict::Verified { answer, .. } if answer.outcome.is_success() => {
                self.units_verified.inc();
            }
            Verdict::Verified { .. } | Verdict::Failed(_) => self.units_failed.inc(),
        }
    }

    /// Counts a bad deed of a peer.
    pub fn count_fault(&self, fault: &Fault) {
        self.faults.with_label_values(&["statement"]).inc();
        if let Fault::TooLittleWork { .. } = fault {
            self.manifests.with_label_values(&["unpaid"]).inc();
        }
        if let Fault::OneVote = fault {
            self.manifests.with_label_values(&["one_vote"]).inc();
        }
    }

    /// Counts statements that came in or go out.
    pub fn count_statements(&self, statements: &[Statement]) {
        for statement in statements {
            let kind = match statement {
                Statement::Claim(_) => "claim",
                Statement::Commits(_) => "commit",
                Statement::Calls(_) => "call",
                Statement::Openings(_) => "opening",
                Statement::Voids(_) => "void",
                Statement::Cancel => "cancel",
                Statement::Host(_) => "host",
                Statement::Sealed(_) => "sealed",
                Statement::SealedFor { .. } => "sealed_for",
                Statement::Audit { .. } => "audit",
            };
            let entries = statement.entries() as u64;
            self.statements.with_label_values(&[kind]).inc_by(entries);
        }
    }
}

/// The outcome's name in metrics and JSON.
pub fn outcome_kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Exit { .. } => "exit",
        Outcome::Trap(_) => "trap",
        Outcome::OutOfFuel => "out_of_fuel",
        Outcome::OutputTooLarge => "output_too_large",
        Outcome::Invalid(_) => "invalid",
    }
}

struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn register<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        metric: C,
    ) -> prometheus::Result<C> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register(IntCounter::new(name, help)?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    fn float_gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.register(Gauge::new(name, help)?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }
}
