//! The scientist's way: a project is begun, built, tried and submitted; jobs say what they are for, units
//! what went wrong; and a program maps a module over its inputs.
use crate::harness::{Node, Place, dugnad, field, module, number, run, text, wait_for};
use dugnad_client::{Error, Grid, Job};
use futures::StreamExt;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Stdio, time::Duration};

/// A WASI command that echoes its input where that begins with `y`, and else says why it fails.
const PICKY: &str = r#"
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 200) "not a y\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 121))
      (then (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
      (else (i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 8))
            (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
            (call $exit (i32.const 7)))))"#;

/// Builds a project; false where this machine has no compiler for it, and says so.
fn is_built(project: &Path) -> bool {
    let built = dugnad().arg("build").arg(project).stdin(Stdio::null()).output();
    let built = built.expect("it runs");
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    if !built.status.success() && said.contains("Install one of:") {
        eprintln!("not built: {said}");
        return false;
    }
    assert!(built.status.success(), "{said}");
    true
}

fn trial(project: &Path) -> crate::harness::Done {
    run(["test", text(project), "--units", "1", "--json"])
}

/// A new project of either language does what its README says.
fn assert_begun(place: &Place, nodes: &[Node], lang: &str) {
    let project = place.path(&format!("primes-{lang}"));
    run(["new", text(&project), "--lang", lang]).refused(0, &[]);
    run(["new", text(&project), "--lang", lang]).refused(2, &["exists already"]);
    if !is_built(&project) {
        return;
    }
    let report = trial(&project).json();
    // The first unit, and the two whose outputs are known.
    assert_eq!((number(&report, "units"), number(&report, "job_units")), (2, 100));
    assert_eq!(report["deterministic"], true, "{report}");
    assert_eq!(report["outcomes"], json!({ "exit code 0": 2 }));
    assert!(number(&report, "fuel_mean") > 1_000_000_000, "{report}");
    assert!(report["features"].is_array() && report["warnings"].is_array(), "{report}");

    let job = project.join("job.toml");
    let whole = fs::read_to_string(&job).expect("a job file");
    fs::write(&job, whole.replace("count = 100", "count = 2")).expect("written");
    let id = nodes[0].submit(&job);
    nodes[0].wait_verified(&id, 2);
    for (unit, primes) in [("0", "5761455\n"), ("1", "5317482\n")] {
        let answer = nodes[0].get(&format!("/v1/jobs/{id}/units/{unit}/output"));
        assert_eq!(answer.body, primes);
    }

    fs::write(project.join("known/00000001.out"), "5317483\n").expect("written");
    let wrong = trial(&project);
    wrong.refused(4, &["unit 1: its output is not the known one"]);
    assert_eq!(field(&wrong.value(), "failures")[0]["unit"], 1);
}

#[test]
fn a_project_goes_from_nothing_to_verified_results() {
    let place = Place::new();
    let nodes = Node::private_grid(&place, ["first", "second"]);
    assert_begun(&place, &nodes, "c");
    assert_begun(&place, &nodes, "rust");
    run(["new", text(&place.path("1st"))]).refused(2, &["\"1st\" is no name"]);
    run(["build", text(&place.path("first"))]).refused(2, &["nothing to build"]);
}

#[test]
fn what_makes_a_task_unfit_is_pointed_at() {
    let place = Place::new();
    let picky = place.job("picky", &module::module(PICKY), "[units]\nlines = \"in.txt\"");
    place.file("picky/in.txt", "yes\nno\nyes\n");
    let tried = run(["test", text(&picky), "--units", "3", "--json"]);
    tried.refused(4, &["unit 1: exit code 7"]);
    let report = tried.value();
    assert_eq!(report["outcomes"], json!({ "exit code 0": 2, "exit code 7": 1 }));
    assert_eq!(report["failures"][0]["stderr"], "not a y\n");
    let about = |report: &Value| -> Vec<String> {
        let warnings = field(report, "warnings").as_array().expect("a list").iter();
        warnings.map(|one| one["about"].as_str().expect("a word").to_owned()).collect()
    };
    assert_eq!(about(&report), ["failed"]);
    place.file("picky/in.txt", "yes\nyes\n");
    let report = run(["test", text(&picky), "--json"]).json();
    assert_eq!(about(&report), ["same", "short"]);
    let hungry =
        place.job("hungry", &module::module(PICKY), "limits.output_bytes = 5\nunits.count = 1");
    place.file("hungry/in.txt", "");
    assert_eq!(run(["test", text(&hungry), "--json"]).code, Some(4), "units.count is no y");
    run(["test", text(&place.path("nowhere"))]).refused(1, &["nowhere"]);
    let none = place.job("none", b"no module", "units.count = 1");
    run(["test", text(&none)]).refused(1, &["module.wasm cannot be run"]);
}

#[test]
fn a_job_says_what_it_is_for_and_a_unit_what_went_wrong() {
    let place = Place::new();
    let nodes = Node::private_grid(&place, ["first", "second"]);
    let rest = "description = \"letters that please\"\ntags = [\"letters\", \"tests\"]\n\
        licence = \"CC0-1.0\"\ncontact = \"letters.example\"\n[units]\nlines = \"in.txt\"";
    let job = place.job("picky", &module::module(PICKY), rest);
    place.file("picky/in.txt", "yes\nno\n");
    let id = nodes[0].submit(&job);
    let ended = nodes[0].wait_ended(&id);
    assert_eq!((number(&ended, "verified"), number(&ended, "failed")), (1, 1));

    // The same job by a bundle is the same job, here and, as another's, elsewhere.
    let bundle = place.path("picky.dugnad");
    let told = run(["bundle", text(&job), "-o", text(&bundle), "--json"]).json();
    assert_eq!((number(&told, "units"), number(&told, "blobs")), (2, 3), "{told}");
    assert_eq!(run(["inspect", text(&bundle), "--json"]).json(), told);
    assert_eq!((nodes[0].submit(&bundle), nodes[1].submit(&bundle) == id), (id.clone(), false));

    let about = json!({
        "description": "letters that please", "tags": ["letters", "tests"],
        "licence": "CC0-1.0", "contact": "letters.example",
    });
    let of_others = wait_for("the other's word of the job", || {
        let jobs = nodes[1].json(&["jobs", "--all"]);
        jobs.as_array().expect("a list").first().cloned()
    });
    for (told, own) in [(&nodes[0].json(&["jobs"])[0], true), (&of_others, false)] {
        assert_eq!((&told["about"], &told["own"]), (&about, &own.into()), "{told}");
        assert_eq!(told["submitter"], nodes[0].peer());
    }
    let screen = nodes[1].try_command(&["jobs", "--all"]).stdout;
    assert!(["letters that please", "CC0-1.0", "tests"].iter().all(|word| screen.contains(word)));

    let printed = nodes[0].try_command(&["fetch", &id, "--print", "jsonl"]);
    assert_eq!(
        printed.stdout.lines().collect::<Vec<_>>(),
        [r#"{"unit":0,"state":"verified","output":"yes"}"#, r#"{"unit":1,"state":"failed"}"#,]
    );
    printed.refused(4, &["1 of the 2 units failed"]);
    nodes[0].try_command(&["fetch", &id]).refused(2, &["--out"]);

    let log = nodes[0].json(&["logs", &id, "1"]);
    assert_eq!((&log["exit_code"], &log["stderr"]), (&7.into(), &"not a y\n".into()), "{log}");
    let printed = nodes[0].try_command(&["logs", &id, "1"]);
    assert_eq!((printed.code, printed.stdout.as_str()), (Some(0), "not a y\n"));
    nodes[0].try_command(&["logs", &id, "2"]).refused(1, &["no unit 2"]);
    let told = nodes[0].json(&["explain", &id, "1"]);
    assert_eq!((&told["reason"], &told["until"]), (&"none".into(), &Value::Null), "{told}");
    assert!(told["text"].as_str().is_some_and(|text| text.contains("exit code 7")), "{told}");
}

#[test]
fn a_program_maps_a_module_over_its_inputs() {
    let place = Place::new();
    let nodes = Node::private_grid(&place, ["first", "second"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let grid = Grid::connect_dir(nodes[0].dir()).await.expect("connected");
        let numbers: Vec<u32> = grid.map(module::echo(), 0..500_u32).await.expect("mapped");
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());

        let lines = |texts: [&str; 3]| texts.map(|text| text.as_bytes().to_vec());
        let picky = module::module(PICKY);
        let all = grid.map_bytes(&picky, lines(["yes", "y", "yet"])).await.expect("mapped");
        assert_eq!(all, lines(["yes", "y", "yet"]));
        let failed = grid.map_bytes(&picky, lines(["yes", "no", "never"])).await;
        match failed {
            Err(Error::UnitFailed { unit: 1, outcome, stderr, .. }) => {
                assert_eq!((outcome.as_str(), stderr.as_str()), ("exit code 7", "not a y\n"));
            }
            other => panic!("{other:?}"),
        }

        // What was cancelled for a failure is computed anew when it is asked for again.
        let again = grid.map_bytes(&picky, lines(["yes", "no", "never"])).await;
        assert!(matches!(again, Err(Error::UnitFailed { unit: 1, .. })), "{again:?}");

        let job = Job::builder().name("some").module(&picky).inputs(lines(["no", "yes", "no"]));
        let job = job.again().submit(&grid).await.expect("submitted");
        let outputs = job.outputs().await.expect("read").map(|unit| unit.expect("decided").output);
        let outputs: Vec<_> = outputs.collect().await;
        assert_eq!(outputs.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(job.explain().await.expect("told").reason, "none");

        // Who lets go of a map stops its job.
        let endless =
            grid.map_bytes(module::walk(u32::MAX), (0..1_000_u32).map(|n| format!("{n}\n").into()));
        assert!(tokio::time::timeout(Duration::from_secs(2), endless).await.is_err());
        wait_for("the end of what nobody waits for", || {
            let jobs = nodes[0].json(&["jobs", "--all"]);
            let cancelled = |job: &Value| job["state"] == "cancelled";
            jobs.as_array().expect("a list").iter().any(cancelled).then_some(())
        });
    });
}
