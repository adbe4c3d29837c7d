//! Answers of an audited job before its release: marked, in places of their own, replaced in the end.
use crate::harness::{Node, Place, dugnad, end_all, field, module, number, text};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

const UNITS: u32 = 400;
const ROUNDS: u32 = 2_000_000;

#[test]
fn early_answers_are_fetched_while_an_audited_job_runs() {
    let place = Place::new();
    let mut nodes = Node::private_grid(&place, ["first", "second", "third", "owner"]);
    let owner = nodes.pop().expect("the owner");
    let rest = format!("profile = \"audited=1e-3\"\n[units]\ncount = {UNITS}");
    let job = owner.submit(&place.job("walk", &module::walk(ROUNDS), &rest));
    let out = place.path("out");
    let seen = follow(&owner, &job, &out);

    assert!(seen.reported > 0 && seen.checked > 0, "{} and {}", seen.reported, seen.checked);
    assert!(seen.files > 0, "outputs of others came before the release");
    assert!(seen.early_first, "the first line is about what is not released");
    assert_eq!(seen.last.len(), UNITS as usize);
    for (unit, level) in &seen.last {
        assert_eq!(level, "released", "unit {unit}");
        let output = fs::read(out.join(format!("units/{unit:08}.out"))).expect("there");
        assert_eq!(output, module::walked(*unit as u32, ROUNDS));
    }
    assert!(!out.join("reported").exists() && !out.join("checked").exists());
    let status = owner.json(&["status", &job]);
    let counts = ["reported", "checked", "released"].map(|level| number(&status, level));
    assert_eq!(counts, [0, 0, u64::from(UNITS)], "{status}");

    let unknown = owner.try_command(&["fetch", &job, "--out", text(&out), "--level", "sure"]);
    unknown.refused(2, &["reported", "checked", "released"]);
    let other = nodes[0].try_command(&[
        "fetch",
        &job,
        "--out",
        text(&place.path("other")),
        "--level",
        "reported",
    ]);
    other.refused(1, &["another node's"]);
    nodes.push(owner);
    end_all(&mut nodes.iter_mut().collect::<Vec<_>>());
}

/// What a fetch said.
#[derive(Default)]
struct Seen {
    reported: usize,
    checked: usize,
    /// Outputs that others have sent before the release.
    files: usize,
    early_first: bool,
    last: BTreeMap<u64, String>,
}

/// Fetches everything from the lowest level on, and reads line by line what is told.
fn follow(owner: &Node, job: &str, out: &std::path::Path) -> Seen {
    let mut command = dugnad();
    command.args(["fetch", job, "--level", "reported", "--json", "--out", text(out)]);
    command.args(["--data-dir", text(owner.dir())]).stdout(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let mut seen = Seen::default();
    let mut ended = None;
    for line in BufReader::new(process.stdout.take().expect("piped")).lines() {
        let told: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if told.get("unit").is_none() {
            ended = Some(told);
            continue;
        }
        let unit = number(&told, "unit");
        let level = field(&told, "level").as_str().map(str::to_owned);
        let revised = told["revised"] == true;
        let rank =
            |level: &str| ["reported", "checked", "released"].iter().position(|one| *one == level);
        if let (Some(before), false) = (seen.last.get(&unit), revised) {
            let level = level.as_deref().expect("taken back is revised");
            assert!(rank(level) > rank(before), "{told} after {before}");
        }
        seen.early_first |= seen.last.is_empty() && level.as_deref() != Some("released");
        match level.as_deref() {
            Some("reported") => seen.reported += 1,
            Some("checked") => seen.checked += 1,
            Some(_) | None => {}
        }
        if let Some(file) = told["file"].as_str().filter(|file| !file.starts_with("units/")) {
            assert!(Some(file.split('/').next().expect("a folder")) == level.as_deref(), "{told}");
            assert_eq!(number(&told, "bytes"), 8, "{told}");
            seen.files += usize::from(file.starts_with("reported/"));
        }
        match level {
            Some(level) => drop(seen.last.insert(unit, level)),
            None => drop(seen.last.remove(&unit)),
        }
    }
    assert_eq!(process.wait().expect("waited for").code(), Some(0));
    assert_eq!(field(&ended.expect("a last line"), "state"), "done");
    seen
}
