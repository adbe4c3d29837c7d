//! Many runs from one file, some at a time, each once: a campaign that is stopped goes on where it
//! was when it is started again.
//!
//! ```toml
//! out = "results.jsonl"        # one JSON object a run; what is there is not run again
//! [[run]]
//! scenario = "makespan-10.toml"
//! seeds = [1, 2, 3, 4, 5]
//! set = ["cost.mean=1.0"]      # optional
//! ```
//! Paths are relative to the file.
use super::{Timed, name_of, share_out, simulate};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use tests::Scenario;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Campaign {
    out: PathBuf,
    run: Vec<Runs>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Runs {
    scenario: PathBuf,
    seeds: Vec<u64>,
    #[serde(default)]
    set: Vec<String>,
}

/// Which run a line of the results is about.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
struct Key {
    scenario: String,
    seed: u64,
    #[serde(default)]
    set: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    timed: &'a Timed,
    set: &'a [String],
}

/// Runs what is not in the results yet, `jobs` at a time.
pub fn run(file: &Path, jobs: usize) -> Result<(), String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| named(&error))?;
    let campaign: Campaign = toml::from_str(&text).map_err(|error| named(&error))?;
    let out = file.with_file_name(&campaign.out);
    let known = known(&out)?;
    let mut left: Vec<(Key, Scenario)> = Vec::new();
    for runs in campaign.run {
        let path = file.with_file_name(&runs.scenario);
        let scenario = Scenario::load(&path, &runs.set)?;
        for seed in runs.seeds {
            let key = Key { scenario: name_of(&path), seed, set: runs.set.clone() };
            if !known.contains(&key) {
                left.push((key, Scenario { seed, ..scenario.clone() }));
            }
        }
    }
    let results = OpenOptions::new().append(true).create(true).open(&out);
    let results = results.map_err(|error| format!("{}: {error}", out.display()))?;
    work(left, &results, jobs)
}

/// Runs in the results; a line that a crash cut off is none.
fn known(out: &Path) -> Result<HashSet<Key>, String> {
    match fs::read_to_string(out) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(format!("{}: {error}", out.display())),
    }
}

fn work(left: Vec<(Key, Scenario)>, results: &File, jobs: usize) -> Result<(), String> {
    let style = ProgressStyle::with_template("{bar:30.green/dim} {pos}/{len} runs  {msg:.dim}");
    let bar = ProgressBar::new(left.len() as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let failed = Mutex::new(Vec::new());
    share_out(left, jobs, |(Key { scenario: name, seed, set }, scenario)| {
        bar.set_message(format!("{name}, seed {seed}"));
        let done = simulate(name.clone(), scenario, &ProgressBar::hidden());
        let written = done.and_then(|(timed, _)| {
            let line = serde_json::to_string(&Line { timed: &timed, set: &set });
            let line = line.map_err(|error| error.to_string())? + "\n";
            // One write a line: two threads do not mix theirs.
            (&*results).write_all(line.as_bytes()).map_err(|error| error.to_string())
        });
        if let Err(why) = written {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.push(format!("{name}, seed {seed}: {why}"));
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}
