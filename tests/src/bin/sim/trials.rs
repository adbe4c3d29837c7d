//! Trials of the rules of verification, one by one or a matrix of attacks.
//!
//! ```toml
//! out = "matrix.jsonl"          # one JSON object a cell; what is there is not run again
//! [[block]]
//! scenario = "audited-1e4.toml"
//! name = "at their best"        # in the table
//! kinds = ["sleeper"]           # default: all; [] for the scenario's own attackers
//! fractions = [0.05, 0.2, 0.3]
//! set = ["peers=200"]           # optional
//! runs = 100                    # seeds, from the scenario's on
//! ```
use super::{Arguments, name_of, plot, say, share_out};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Instant,
};
use tests::audit::{self, Attacker, Cell, KINDS, Kind, Trial, TrialReport};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    out: PathBuf,
    block: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    /// What the table calls it.
    name: String,
    scenario: PathBuf,
    #[serde(default = "all")]
    kinds: Vec<Kind>,
    #[serde(default = "one")]
    fractions: Vec<f64>,
    #[serde(default)]
    set: Vec<String>,
    /// Lies that attackers place in all; 0 for the number that pays best.
    #[serde(default)]
    budget: u64,
    runs: usize,
}

fn all() -> Vec<Kind> {
    KINDS.to_vec()
}

fn one() -> Vec<f64> {
    vec![0.2]
}

/// A line of the results.
#[derive(Clone, Serialize, Deserialize)]
pub struct Line {
    /// The block's name.
    pub block: String,
    /// What came of it.
    #[serde(flatten)]
    pub cell: Cell,
}

/// Whether a file is about the rules alone.
pub fn is_one(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| Trial::is_one(&text))
}

/// Runs one trial, or several seeds of it.
pub fn runs(path: &Path, arguments: &Arguments) -> Result<(), String> {
    let mut trial = Trial::load(path, &arguments.set)?;
    let first = arguments.seed.unwrap_or(trial.seed);
    for seed in first..first + arguments.runs {
        trial.seed = seed;
        let started = Instant::now();
        let report = audit::run(&name_of(path), &trial);
        match arguments.json {
            true => say(&serde_json::to_string(&report).map_err(|error| error.to_string())?)?,
            false => say(&table(&report, started.elapsed().as_secs_f64()))?,
        }
    }
    Ok(())
}

fn table(report: &TrialReport, wall_s: f64) -> String {
    let TrialReport { scenario, seed, peers, units, accepted, wrong_accepted, .. } = report;
    let rows = [
        ("scenario", format!("{scenario}, seed {seed}: {peers} peers, {units} units")),
        ("accepted", format!("{accepted}, {wrong_accepted} wrong ({:.1e})", report.wrong_share)),
        (
            "executions",
            format!("{}, {:.3} for each accepted unit", report.executions, report.redundancy),
        ),
        ("liars convicted", report.liars_convicted.to_string()),
        ("honest banned", report.honest_banned.to_string()),
        ("copies accepted", report.copies_accepted.to_string()),
        ("passes", format!("{}, to {:.2} checkers a unit", report.passes, report.level)),
        ("expected wrong", format!("{:.2} units", report.estimated_wrong)),
        ("run", format!("{wall_s:.2} s")),
    ];
    rows.map(|(name, value)| format!("{name:<20}{value}")).join("\n") + "\n"
}

/// Runs all cells of a matrix that its results do not have yet, `jobs` at a time, and prints them as a
/// table.
pub fn matrix(file: &Path, arguments: &Arguments) -> Result<(), String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| named(&error))?;
    let matrix: Matrix = toml::from_str(&text).map_err(|error| named(&error))?;
    let out = file.with_file_name(&matrix.out);
    let known = fs::read_to_string(&out).unwrap_or_default();
    let known: Vec<Line> =
        known.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut cells = Vec::new();
    for block in &matrix.block {
        let trial = Trial::load(&file.with_file_name(&block.scenario), &block.set)?;
        cells.extend(block.trials(&trial).into_iter().map(|trial| (block, trial)));
    }
    let style =
        ProgressStyle::with_template("{bar:30.green/dim} {pos}/{len} runs  {eta:.dim} left");
    let bar = ProgressBar::new(cells.iter().map(|(block, _)| block.runs as u64).sum())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let results = OpenOptions::new().append(true).create(true).open(&out);
    let results = results.map_err(|error| format!("{}: {error}", out.display()))?;
    let done = work(cells, &known, arguments.jobs, &bar, &results);
    bar.finish_and_clear();
    let lines: Result<Vec<String>, _> = done.iter().map(serde_json::to_string).collect();
    // Once more, in order and each once.
    let lines = lines.map_err(|error| error.to_string())?.join("\n") + "\n";
    fs::write(&out, &lines).map_err(|error| format!("{}: {error}", out.display()))?;
    if let Some(picture) = &arguments.plot {
        plot::draw_matrix(picture, &done)?;
    }
    match arguments.json {
        true => say(lines.trim_end()),
        false => say(&markdown(&done)),
    }
}

impl Block {
    /// A trial for each kind and share; the scenario's own, if no kind is named.
    fn trials(&self, trial: &Trial) -> Vec<Trial> {
        if self.kinds.is_empty() {
            return vec![trial.clone()];
        }
        let of = |kind: &Kind| {
            let kind = *kind;
            self.fractions.iter().map(move |fraction| {
                let attacker =
                    Attacker { kind, fraction: *fraction, rate: 1.0, budget: self.budget };
                Trial { attacker: vec![attacker], ..trial.clone() }
            })
        };
        self.kinds.iter().flat_map(of).collect()
    }
}

/// Cells in their order, whichever thread ran them.
fn work(
    cells: Vec<(&Block, Trial)>,
    known: &[Line],
    jobs: usize,
    bar: &ProgressBar,
    results: &File,
) -> Vec<Line> {
    let done = Mutex::new(Vec::new());
    share_out(cells.into_iter().enumerate(), jobs, |(at, (block, trial))| {
        let is_it = |line: &&Line| {
            line.block == block.name && line.cell.is_of(&trial, &block.set, block.runs)
        };
        let found = known.iter().find(is_it).cloned();
        let line = found.unwrap_or_else(|| {
            let cell = Cell::of(&trial, &block.set, block.runs, || bar.inc(1));
            let line = Line { block: block.name.clone(), cell };
            // Kept as soon as it is known, by one write; a disk that is full is told of in the end.
            let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
            let mut results = results;
            drop(results.write_all(text.as_bytes()));
            line
        });
        done.lock().unwrap_or_else(PoisonError::into_inner).push((at, line));
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, line)| line).collect()
}

fn markdown(done: &[Line]) -> String {
    let head = "| | attack, share of all weight | runs | wrong / accepted (≤, 95 %) | executions a unit \
        (most) | honest banned | copies | released | of these short | quarantined |\n|---|---|---|---|---|---|---|---|---|---|";
    let row = |Line { block, cell }: &Line| {
        format!(
            "| {block} | {} | {} | {:.1e} (≤ {:.1e}) | {:.3} ({:.2}) | {} | {} | {} | {} | {} |",
            harm(cell),
            cell.runs,
            cell.wrong.mean,
            cell.wrong.upper,
            cell.redundancy,
            cell.redundancy_most,
            cell.honest_banned,
            cell.copies_accepted,
            cell.released,
            cell.short,
            cell.quarantined
        )
    };
    std::iter::once(head.to_owned()).chain(done.iter().map(row)).collect::<Vec<_>>().join("\n")
}

fn harm(cell: &Cell) -> String {
    let one = |(kind, fraction): &(Kind, f64)| {
        let name = serde_json::to_value(kind).unwrap_or_default();
        format!("{} {fraction}", name.as_str().unwrap_or_default())
    };
    match cell.harm.is_empty() {
        true => "nobody".to_owned(),
        false => cell.harm.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}
