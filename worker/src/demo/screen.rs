//! What a person sees: bars while the grid works, news as it happens, a summary at the end.
//!
//! Bars go to standard error, and only where that is a terminal; the summary, or the JSON, goes to
//! standard output.
use super::{Plan, grid::LocalGrid, place::Place, report::Report, task::Checked};
use crate::cli::Failure;
use dugnad_client::JobStatus;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// The screen of one demo.
pub struct Screen {
    json: bool,
    bars: MultiProgress,
}

/// The bars of a job under way.
pub struct Bars {
    all: MultiProgress,
    job: ProgressBar,
    nodes: Vec<NodeBar>,
    caught: BTreeSet<String>,
    since: Instant,
}

struct NodeBar {
    bar: ProgressBar,
    fuel: u64,
    at: Instant,
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
}

impl Screen {
    pub fn new(plan: &Plan) -> Screen {
        Screen { json: plan.json, bars: MultiProgress::new() }
    }

    /// Tells what begins now.
    pub fn step(&self, text: &str) {
        if !self.json {
            self.news(&format!("· {text}"));
        }
    }

    fn news(&self, text: &str) {
        match std::io::stderr().is_terminal() {
            true => drop(self.bars.println(text)),
            false => eprintln!("{text}"),
        }
    }

    /// One bar for the job and one for each node.
    pub fn bars(&self, grid: &LocalGrid, units: u64) -> Bars {
        let job = self.bars.add(ProgressBar::new(units));
        job.set_style(style("  {prefix:10} {bar:32.green} {pos:>7}/{len} {msg}"));
        job.set_prefix("verified");
        let node = |node: &super::grid::LocalNode| {
            let bar = self.bars.add(ProgressBar::new(units));
            bar.set_style(style("  {prefix:10} {bar:32.blue} {pos:>7} run  {msg}"));
            bar.set_prefix(format!("node {}", node.number));
            NodeBar { bar, fuel: 0, at: Instant::now() }
        };
        let nodes = grid.nodes().map(node).collect();
        let since = Instant::now();
        Bars { all: self.bars.clone(), job, nodes, caught: BTreeSet::new(), since }
    }

    /// The summary, or the JSON.
    pub fn finish(
        &self,
        report: &Report,
        checked: &Checked,
        names: Vec<(String, u32, bool)>,
        place: &Place,
    ) -> Result<(), Failure> {
        let text = match self.json {
            true => serde_json::to_string(report).map_err(|e| Failure::Failed(e.to_string()))?,
            false => summary(report, checked, &names, place),
        };
        let written = writeln!(std::io::stdout().lock(), "{text}");
        written.map_err(|error| Failure::Failed(format!("standard output: {error}")))
    }
}

impl Bars {
    /// The job's status has changed.
    pub fn job(&mut self, status: &JobStatus) {
        self.job.set_position(status.verified);
        let rate = status.verified as f64 / self.since.elapsed().as_secs_f64().max(1e-3);
        let failed = match status.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        self.job.set_message(format!("{}/s{failed}", figure(rate)));
    }

    /// Looks at every node, and at whom the submitter's node has caught.
    pub async fn nodes(&mut self, grid: &LocalGrid) {
        for (node, shown) in grid.nodes().zip(&mut self.nodes) {
            let Ok(node) = node.grid() else { continue };
            let Ok(status) = node.node_status().await else { continue };
            let seconds = shown.at.elapsed().as_secs_f64();
            let rate = (status.fuel - shown.fuel.min(status.fuel)) as f64 / seconds.max(1e-3);
            (shown.fuel, shown.at) = (status.fuel, Instant::now());
            shown.bar.set_position(status.units_executed);
            shown.bar.set_message(format!("{} fuel/s", figure(rate)));
        }
        let Ok(watched) = grid.watched() else { return };
        for peer in watched.peers().await.unwrap_or_default() {
            if peer.disagreed > 0 && self.caught.insert(peer.peer.clone()) {
                let number = grid.nodes().find(|node| node.peer == peer.peer).map(|n| n.number);
                let text = format!(
                    "✗ node {} caught lying after {:.1} s: its answer is not the one that the unit came to",
                    number.unwrap_or_default(),
                    self.since.elapsed().as_secs_f64()
                );
                match std::io::stderr().is_terminal() {
                    true => drop(self.all.println(text)),
                    false => eprintln!("{text}"),
                }
            }
        }
    }

    /// Takes the bars away; the summary says it all.
    pub fn end(self) {
        self.job.finish_and_clear();
        self.nodes.iter().for_each(|node| node.bar.finish_and_clear());
    }
}

/// A number of any size in four digits or so.
fn figure(value: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", value / size),
        None => format!("{value:.0} "),
    }
}

fn summary(
    report: &Report,
    checked: &Checked,
    names: &[(String, u32, bool)],
    place: &Place,
) -> String {
    let node = |peer: &str| {
        let number =
            names.iter().find(|(name, ..)| name == peer).map_or(0, |(_, number, _)| *number);
        format!("node {number}")
    };
    let liars: Vec<String> = report
        .liars
        .iter()
        .map(|liar| {
            let caught = if liar.caught { "caught" } else { "not caught" };
            format!("{} ({caught})", node(&liar.peer))
        })
        .collect();
    let honest: Vec<String> = names
        .iter()
        .filter(|(.., liar)| !liar)
        .map(|(_, number, _)| format!("node {number}"))
        .collect();
    let wall = Duration::from_secs_f64(report.wall_s);
    let mut rows = vec![
        ("units".to_owned(), report.units.to_string()),
        ("verified".into(), format!("{} ({} failed)", report.verified, report.failed)),
        ("executions".into(), format!("{} on {} nodes", report.executions, report.nodes)),
        ("redundancy".into(), format!("{:.2} executions per verified unit", report.redundancy)),
        ("wall time".into(), format!("{:.2} s", wall.as_secs_f64())),
        ("rate".into(), rate(report.verified_per_s)),
        ("lied".into(), if liars.is_empty() { "nobody".into() } else { liars.join(", ") }),
        ("honest".into(), format!("{}; {} banned", honest.join(", "), report.honest_banned)),
    ];
    rows.extend(checked.lines.iter().cloned());
    rows.push(("results".into(), place.dir().display().to_string()));
    let label = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let width = rows.iter().map(|(_, text)| text.chars().count()).max().unwrap_or_default();
    let rule = format!("{}┬{}", "─".repeat(label + 2), "─".repeat(width + 2));
    let mut text = format!("┌{rule}┐\n");
    for (name, value) in &rows {
        text += &format!("│ {name:<label$} │ {value:<width$} │\n");
    }
    text + &format!("└{}┘", rule.replace('┬', "┴"))
}

/// Digits that matter: hundredths of what is slow, none of what is fast.
fn rate(per_s: f64) -> String {
    let digits = if per_s < 10.0 { 2 } else { 0 };
    format!("{per_s:.digits$} verified units/s")
}
