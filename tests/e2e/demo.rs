//! `dugnad demo`: what it shows is true, and nothing is left of it, however it ends.
use crate::harness::{Place, dugnad, field, number, processes_naming, run, signal, text, wait_for};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Stdio},
};

const REPORT_FIELDS: [&str; 15] = [
    "task",
    "seed",
    "nodes",
    "units",
    "verified",
    "failed",
    "executions",
    "redundancy",
    "wall_s",
    "verified_per_s",
    "wrong_accepted",
    "liars",
    "honest_banned",
    "output_digest",
    "version",
];

/// Runs a demo that must succeed; its report is right in itself.
fn demo(place: &Place, name: &str, options: &[&str]) -> Value {
    let (out, file) = (place.path(name), place.path(&format!("{name}.json")));
    let command = ["demo", "--json", "--out", text(&out), "--report", text(&file)];
    let report = run([&command, options].concat()).json();
    let written = fs::read_to_string(&file).expect("the report is written as well");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), report);

    let fields: BTreeSet<&str> =
        report.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(REPORT_FIELDS));
    let count = |name| number(&report, name);
    assert_eq!((count("verified"), count("failed")), (count("units"), 0), "{report}");
    assert_eq!((count("wrong_accepted"), count("honest_banned")), (0, 0), "{report}");
    assert!(count("executions") >= 2 * count("units"), "{report}");
    let redundancy = count("executions") as f64 / count("units") as f64;
    assert!((field(&report, "redundancy").as_f64().expect("a number") - redundancy).abs() < 1e-9);
    assert!(!out.join("nodes").exists(), "the nodes' data is cleared away");
    assert_eq!(processes_naming(&out), [""; 0], "no process is left");
    report
}

/// Starts a demo that will not end by itself soon, and waits until its grid works.
fn endless_demo(out: &Path) -> Child {
    let mut command = dugnad();
    command.args(["demo", "--task", "nothing", "--units", "300000", "--out", text(out)]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let demo = command.spawn().expect("it starts");
    wait_for("the four nodes of the demo at work", || {
        let nodes = out.join("nodes");
        let status = run(["status", "--json", "--data-dir", text(&nodes.join("1"))]);
        let executed = status.code == Some(0) && number(&status.value(), "units_executed") > 0;
        let processes = processes_naming(&nodes);
        let nodes = processes.iter().filter(|process| process.contains("dugnad run"));
        (executed && nodes.count() == 4).then_some(())
    });
    demo
}

#[test]
fn report_of_the_demo_is_true_and_the_same_on_any_number_of_nodes() {
    let place = Place::new();
    let nothing = ["--task", "nothing", "--units", "300", "--seed", "5"];
    let report = demo(&place, "four", &nothing);
    assert_eq!((field(&report, "task"), number(&report, "seed")), (&"nothing".into(), 5));
    assert_eq!((number(&report, "nodes"), number(&report, "units")), (4, 300));
    let liars = field(&report, "liars").as_array().expect("a list");
    assert!(liars.len() == 1 && liars[0]["peer"].is_string(), "{report}");
    assert_eq!(liars[0]["caught"], true, "{report}");
    let outputs: String = (0..300).map(|unit| format!("{unit}\n")).collect();
    assert_eq!(report["output_digest"], blake3::hash(outputs.as_bytes()).to_string());

    let honest = demo(&place, "three", &[&nothing[..], &["--nodes", "3", "--liars", "0"]].concat());
    assert_eq!(field(&honest, "liars").as_array().map(Vec::len), Some(0));
    let five = demo(&place, "five", &[&nothing[..], &["--nodes", "5"]].concat());
    for other in [honest, five] {
        assert_eq!(other["output_digest"], report["output_digest"]);
    }
    // A directory of an earlier demo may be used again, any other may not.
    demo(&place, "four", &["--task", "nothing", "--units", "10", "--liars", "0", "--nodes", "2"]);
    let foreign = place.file("foreign/thesis.tex", "");
    let foreign = foreign.parent().expect("a directory");
    run(["demo", "--task", "nothing", "--out", text(foreign)]).refused(2, &["foreign"]);
    run(["demo", "--nodes", "3", "--liars", "2"]).refused(2, &["--nodes"]);
    place.assert_deserted();
}

#[test]
fn terminated_demo_leaves_nothing() {
    let place = Place::new();
    for name in ["TERM", "INT"] {
        let out = place.path(name);
        let mut demo = endless_demo(&out);
        signal(demo.id(), name);
        let ended = wait_for("the end of the demo", || demo.try_wait().expect("waited for"));
        assert_eq!(ended.code(), Some(130));
        assert_eq!(processes_naming(&out), [""; 0], "after SIG{name}");
        assert!(!out.join("nodes").exists());
    }
}

#[test]
fn killed_demo_takes_its_nodes_along() {
    let place = Place::new();
    let out = place.path("out");
    let mut demo = endless_demo(&out);
    demo.kill().expect("killed");
    demo.wait().expect("waited for");
    wait_for("the end of the nodes", || processes_naming(&out).is_empty().then_some(()));
}

#[test]
fn default_demo_finds_the_hidden_tones() {
    let place = Place::new();
    let report = demo(&place, "out", &[]);
    assert_eq!(field(&report, "task"), "narrowband");
    assert_eq!(field(&report, "liars")[0]["caught"], true, "{report}");
    let hits = fs::read_to_string(place.path("out/hits.csv")).expect("the hits");
    let head = "hit,drift_rate_hz_s,snr,frequency_mhz,channel,freq_start_mhz,freq_end_mhz,chunk";
    assert_eq!(hits.lines().next(), Some(head));
    let rows = hits.lines().count() - 1;
    assert!((12..=14).contains(&rows), "twelve tones, and two false hits at most: {hits}");
    for name in ["hits.dat", "waterfall.png", "report.json"] {
        assert!(place.path("out").join(name).is_file(), "{name}");
    }
}
