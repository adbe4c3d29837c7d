//! Trials of the rules of verification, one by one or a matrix of attacks.
use super::{Arguments, name_of, plot, say, share_out};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};
use tests::audit::{self, Block, Cell, Line, Matrix, Subject, Trial, TrialReport};

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
    let matrix = Matrix::load(file)?;
    let (out, known) = (file.with_file_name(&matrix.out), matrix.known(file));
    let mut cells = Vec::new();
    for block in &matrix.block {
        cells.extend(block.subjects(file)?.into_iter().map(|subject| (block, subject)));
    }
    let style =
        ProgressStyle::with_template("{bar:30.green/dim} {pos}/{len} runs  {eta:.dim} left");
    let bar = ProgressBar::new(cells.iter().map(|(block, _)| block.runs as u64).sum())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let results = OpenOptions::new().append(true).create(true).open(&out);
    let results = results.map_err(|error| format!("{}: {error}", out.display()))?;
    let done = work(cells, &known, arguments.jobs, &bar, &results);
    bar.finish_and_clear();
    let done = done?;
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

/// Cells in their order, whichever thread ran them.
fn work(
    cells: Vec<(&Block, Subject)>,
    known: &[Line],
    jobs: usize,
    bar: &ProgressBar,
    results: &File,
) -> Result<Vec<Line>, String> {
    let (done, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    share_out(cells.into_iter().enumerate(), jobs, |(at, (block, subject))| {
        let is_it = |line: &&Line| {
            line.block == block.name && line.cell.is_of(&subject, &block.set, block.runs)
        };
        let found = known.iter().find(is_it).cloned().map(Ok);
        let line = found.unwrap_or_else(|| {
            let cell = Cell::of(&subject, &block.set, block.runs, || bar.inc(1))?;
            let line = Line { block: block.name.clone(), cell };
            // Kept as soon as it is known, by one write; a disk that is full is told of in the end.
            let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
            let mut results = results;
            drop(results.write_all(text.as_bytes()));
            Ok(line)
        });
        match line {
            Ok(line) => done.lock().unwrap_or_else(PoisonError::into_inner).push((at, line)),
            Err(why) => failed.lock().unwrap_or_else(PoisonError::into_inner).push(why),
        }
    });
    let failed: Vec<String> = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    match failed.is_empty() {
        true => Ok(done.into_iter().map(|(_, line)| line).collect()),
        false => Err(failed.join("\n")),
    }
}

fn markdown(done: &[Line]) -> String {
    let mut head = [
        "",
        "attack, share of all weight",
        "runs",
        "wrong / accepted (≤, 95 %)",
        "executions a unit (most)",
        "honest banned",
        "copies",
        "released",
        "of these short",
        "quarantined",
    ]
    .map(String::from)
    .to_vec();
    // Only what nodes said can be told again.
    let told = done.iter().any(|line| line.cell.replayed.is_some());
    head.extend(told.then(|| "certificates replayed".to_owned()));
    let rule = "|---".repeat(head.len()) + "|";
    let rows = done.iter().map(|line| {
        let mut row = columns(line);
        row.extend(told.then(|| line.cell.replayed.map_or("–".into(), |runs| runs.to_string())));
        row
    });
    let rows = rows.map(|row| format!("| {} |", row.join(" | ")));
    let head = format!("| {} |", head.join(" | ")).replacen("|  |", "| |", 1);
    [head, rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn columns(Line { block, cell }: &Line) -> Vec<String> {
    vec![
        block.clone(),
        harm(cell),
        cell.runs.to_string(),
        format!("{:.1e} (≤ {:.1e})", cell.wrong.mean, cell.wrong.upper),
        format!("{:.3} ({:.2})", cell.redundancy, cell.redundancy_most),
        cell.honest_banned.to_string(),
        cell.copies_accepted.to_string(),
        cell.released.to_string(),
        cell.short.to_string(),
        cell.quarantined.to_string(),
    ]
}

fn harm(cell: &Cell) -> String {
    let one = |(kind, fraction): &(String, f64)| format!("{kind} {fraction}");
    match cell.harm.is_empty() {
        true => "nobody".to_owned(),
        false => cell.harm.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}
