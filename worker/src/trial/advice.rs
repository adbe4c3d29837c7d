//! What makes a task unfit for a grid, found in its module and in the units that were tried.
//!
//! Each sentence says what was seen, why it matters among strangers' machines, and what to do.
//!
//! What it is not: a gate. A node takes what runs; these are the things that people regret.
use super::{Report, Tried};
use coordinator_free_scheduler::RunLimits;
use serde::Serialize;

/// Shorter units cost the grid more than they bring, ms.
const WALL_MS_LEAST: f64 = 100.0;
/// What a unit should last, s.
const WALL_S_GOOD: f64 = 10.0;
/// Longer units without steps lose too much when a machine is switched off, s.
const WALL_S_MOST: f64 = 3_600.0;
/// The same of units in steps, which go on where they were: the last of them holds up the job, s.
const STEPPED_WALL_S_MOST: f64 = 36_000.0;
/// Larger outputs are worth a thought, bytes.
const OUTPUT_BYTES_MUCH: u64 = 1 << 20;
/// Units that want more find few machines, bytes.
const MEMORY_BYTES_MUCH: u64 = 1 << 30;

/// Something about a task that its author should know.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub struct Warning {
    /// A word for programs.
    pub about: &'static str,
    /// A sentence for people.
    pub text: String,
}

pub fn of(report: &Report, imports: &[String], limits: RunLimits, tried: &[Tried]) -> Vec<Warning> {
    let found = [
        differs(tried),
        failed(report),
        clock(imports),
        files(imports),
        output(report, limits),
        silent(report, tried),
        same(tried),
        short(report),
        long(report),
        fuel(report, limits),
        memory(report, limits),
    ];
    found.into_iter().flatten().collect()
}

fn warning(about: &'static str, text: String) -> Option<Warning> {
    Some(Warning { about, text })
}

fn differs(tried: &[Tried]) -> Option<Warning> {
    let unit = tried.iter().find(|one| one.differs())?.unit;
    let text = format!(
        "two runs of unit {unit} gave different answers: no two peers will agree on it, and it is never \
         verified"
    );
    warning("differs", text)
}

fn failed(report: &Report) -> Option<Warning> {
    let first = report.failures.first()?;
    let text = format!("unit {} failed ({}): see its standard error", first.unit, first.outcome);
    warning("failed", text)
}

fn uses(imports: &[String], names: &[&str]) -> bool {
    imports.iter().any(|import| names.contains(&import.rsplit('.').next().unwrap_or_default()))
}

fn clock(imports: &[String]) -> Option<Warning> {
    let text = "it can read the clock: here that tells how much fuel was used, the same on every machine, \
        and never the time of day";
    uses(imports, &["clock_time_get"]).then(|| Warning { about: "clock", text: text.into() })
}

fn files(imports: &[String]) -> Option<Warning> {
    let text = "it can open files: a unit finds none but those it wrote itself; what it needs comes by \
        standard input, and what it found goes to standard output";
    uses(imports, &["path_open"]).then(|| Warning { about: "files", text: text.into() })
}

fn output(report: &Report, limits: RunLimits) -> Option<Warning> {
    let most = report.output_bytes_max;
    if most > limits.output_bytes / 2 {
        let text = format!(
            "a unit wrote {most} bytes, and {} are allowed: one that writes more fails; raise \
             limits.output_bytes",
            limits.output_bytes
        );
        return warning("output", text);
    }
    let all = most.saturating_mul(report.job_units) >> 20;
    let text = format!(
        "a unit writes up to {most} bytes, the job {all} MiB: all of it travels to your machine; write \
         what was found instead of what was computed"
    );
    (most > OUTPUT_BYTES_MUCH).then_some(Warning { about: "output", text })
}

fn silent(report: &Report, tried: &[Tried]) -> Option<Warning> {
    let text = "no unit wrote anything to standard output, which is all that comes back";
    (report.output_bytes_max == 0 && !tried.is_empty() && report.is_right())
        .then(|| Warning { about: "silent", text: text.into() })
}

fn same(tried: &[Tried]) -> Option<Warning> {
    let (first, rest) = tried.split_first()?;
    let alike = !rest.is_empty()
        && !first.first.output.is_empty()
        && rest.iter().all(|one| one.first.output == first.first.output);
    let text =
        "all units that were tried have the same output: does the program read its standard input?";
    alike.then(|| Warning { about: "same", text: text.into() })
}

fn short(report: &Report) -> Option<Warning> {
    let wall_ms = report.wall_ms_mean;
    if wall_ms >= WALL_MS_LEAST || !report.is_right() {
        return None;
    }
    let together = (WALL_S_GOOD * 1e3 / wall_ms.max(0.01)).round().min(report.job_units as f64);
    let text = format!(
        "a unit takes {wall_ms:.2} ms, less than it costs to send and to verify it: have one do the work \
         of some {together:.0}"
    );
    (report.job_units > 1).then_some(Warning { about: "short", text })
}

fn long(report: &Report) -> Option<Warning> {
    let wall_s = report.wall_ms_mean / 1e3;
    let (most, cure) = match report.kind {
        "stepped" => (STEPPED_WALL_S_MOST, "cut the work into more units"),
        _ => (WALL_S_MOST, "cut the work into more units, or make it a stepped one"),
    };
    let text = format!(
        "a unit takes {:.1} h: a machine that is switched off loses it, and the last one holds up the job; {cure}",
        wall_s / 3_600.0
    );
    (wall_s > most).then_some(Warning { about: "long", text })
}

fn fuel(report: &Report, limits: RunLimits) -> Option<Warning> {
    let text = format!(
        "a unit used {} of its {} fuel: one that needs more fails; raise limits.fuel",
        report.fuel_max, limits.fuel
    );
    (report.fuel_max > limits.fuel / 2).then_some(Warning { about: "fuel", text })
}

fn memory(report: &Report, limits: RunLimits) -> Option<Warning> {
    let (peak, may) = (report.memory_peak, u64::from(limits.memory_mib) << 20);
    if peak > MEMORY_BYTES_MUCH {
        let text = format!(
            "a unit has {} MiB of memory on each processor: few donors lend as much",
            peak >> 20
        );
        return warning("memory", text);
    }
    let text = format!(
        "a unit had {} of the {} MiB that it may have; raise limits.memory_mib",
        peak >> 20,
        limits.memory_mib
    );
    (peak > may / 4 * 3).then_some(Warning { about: "memory", text })
}
