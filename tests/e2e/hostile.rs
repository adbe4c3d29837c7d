//! Modules that mean harm: typed outcomes, jobs that end, nodes that live on.
use crate::harness::{Node, Place, field, module, number, run, text, wait_for};
use serde_json::Value;
use std::fs;

/// A module, what becomes of a unit of it, and a word of the reason that its job ends with.
struct Hostile {
    name: &'static str,
    module: Vec<u8>,
    outcome: &'static str,
    reason: &'static str,
}

fn hostile(
    name: &'static str,
    module: Vec<u8>,
    outcome: &'static str,
    reason: &'static str,
) -> Hostile {
    Hostile { name, module, outcome, reason }
}

fn all() -> Vec<Hostile> {
    let deep = "(func $deep (param i64) (result i64) (i64.add (call $deep (local.get 0))
            (i64.const 1)))
        (func (export \"_start\") (drop (call $deep (i64.const 0))))";
    let system = "(import \"env\" \"system\" (func)) (func (export \"_start\"))";
    vec![
        hostile("loops", module::command("(loop (br 0))"), "out_of_fuel", "out of fuel"),
        hostile(
            "grows",
            module::command("(loop (drop (memory.grow (i32.const 1))) (br 0))"),
            "out_of_fuel",
            "out of fuel",
        ),
        hostile(
            "grows-or-dies",
            module::command(
                "(loop (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1))
                    (then unreachable)) (br 0))",
            ),
            "trap",
            "Unreachable",
        ),
        hostile(
            "prints",
            module::command("(loop (call $print (i32.const 0) (i32.const 65536)) (br 0))"),
            "output_too_large",
            "output too large",
        ),
        hostile("imports", module::module(system), "invalid", "env.system"),
        hostile("garbage", b"this is no module".to_vec(), "invalid", "Malformed"),
        hostile("empty", module::module(""), "invalid", "NoEntryPoint"),
        hostile(
            "divides",
            module::command("(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
            "trap",
            "IntegerDivisionByZero",
        ),
        hostile("recurses", module::module(deep), "trap", "StackOverflow"),
    ]
}

const LIMITS: &str = "[limits]\nfuel = 50_000_000\nmemory_mib = 16\noutput_bytes = 100_000";

#[test]
fn hostile_modules_get_typed_outcomes_from_exec() {
    let place = Place::new();
    for Hostile { name, module, outcome, .. } in all() {
        let file = place.file(name, module);
        let limits = ["--fuel", "50000000", "--memory-mib", "16", "--output-bytes", "100000"];
        let done = run([&["exec", text(&file), "--json"][..], &limits].concat());
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        let report = done.value();
        assert_eq!(field(&report, "outcome"), outcome, "{name}: {report}");
        assert_eq!(field(&report, "trap").is_string(), outcome == "trap", "{name}: {report}");
        assert_eq!(field(&report, "exit_code"), &Value::Null, "{name}: {report}");
        assert!(number(&report, "memory_peak") <= 16 << 20, "{name}: {report}");
        assert!(number(&report, "output_bytes") <= 100_000, "{name}: {report}");
        assert!(!done.stderr.is_empty(), "{name} fails with a sentence");
    }
}

fn grid(place: &Place) -> [Node; 3] {
    let key = place.network_key();
    let private = ["--network-key", text(&key), "--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1"];
    let first = Node::start(place, "first", &private);
    let bootstrap = first.address();
    let joining = [&private[..], &["--bootstrap", &bootstrap]].concat();
    let others = ["second", "third"].map(|name| Node::start(place, name, &joining));
    first.wait_peers(2);
    let [second, third] = others;
    [first, second, third]
}

#[test]
fn jobs_of_hostile_modules_end_with_their_reason_and_the_nodes_live_on() {
    let place = Place::new();
    let nodes = grid(&place);
    let [first, second, third] = &nodes;
    let rest = format!("{LIMITS}\n[units]\ncount = 2");
    let jobs: Vec<(Hostile, String)> = all()
        .into_iter()
        .map(|hostile| {
            let file = place.job(hostile.name, &hostile.module, &rest);
            if hostile.outcome == "invalid" {
                second
                    .try_command(&["submit", text(&file), "--yes"])
                    .refused(1, &["can be run nowhere"]);
            }
            let submitted = second.json(&["submit", text(&file), "--unchecked", "--yes"]);
            (hostile, field(&submitted, "job").as_str().expect("an id").to_owned())
        })
        .collect();
    for (Hostile { name, reason, .. }, job) in jobs {
        let watched = second.try_command(&["watch", &job, "--json"]);
        watched.refused(4, &["2 of the 2 units"]);
        let last = watched.stdout.lines().last().expect("a line");
        let status: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(field(&status, "state"), "failed", "{name}: {status}");
        assert_eq!((number(&status, "verified"), number(&status, "failed")), (0, 2), "{name}");
        let out = place.path(&format!("{name}-out"));
        second.try_command(&["fetch", &job, "--out", text(&out), "--json"]).refused(4, &["2"]);
        let told = fs::read_to_string(out.join("job.json")).expect("fetched");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let failed = field(&told, "failed_units").as_array().expect("a list");
        let named = |unit: &Value| unit["reason"].as_str().is_some_and(|why| why.contains(reason));
        assert!(failed.len() == 2 && failed.iter().all(named), "{name}: {told}");
    }
    let good = first.submit(&place.job("good", &module::walk(1_000), "[units]\ncount = 20"));
    assert_eq!(field(&first.wait_ended(&good), "output_digest"), &module::walked_digest(20, 1_000));
    for node in &nodes {
        let barred = node.opinions().into_values().find(|peer| peer["state"] == "barred");
        assert_eq!(barred, None, "{} blames a peer for a module", node.name());
    }
    assert!(number(&third.json(&["status"]), "units_executed") > 0, "all three took part");
}

#[test]
fn cancelled_job_stops_everywhere_and_the_grid_goes_on() {
    let place = Place::new();
    let nodes = grid(&place);
    let [first, second, _] = &nodes;
    let endless = "[limits]\nfuel = 1_000_000_000_000\n[units]\ncount = 50";
    let job = first.submit(&place.job("endless", &module::command("(loop (br 0))"), endless));
    let in_flight = |node: &Node| number(&node.json(&["status"]), "executions_in_flight");
    for node in &nodes {
        wait_for("work on the endless job", || (in_flight(node) > 0).then_some(()));
    }
    second.try_command(&["cancel", &job]).refused(1, &["only its submitter"]);
    let cancelled = first.json(&["cancel", &job]);
    assert_eq!(field(&cancelled, "state"), "cancelled");
    for node in &nodes {
        wait_for("the end of the endless job", || (in_flight(node) == 0).then_some(()));
        assert_eq!(field(&node.wait_ended(&job), "state"), "cancelled", "{}", node.name());
    }
    first.try_command(&["watch", &job]).refused(1, &["cancelled"]);
    let out = place.path("out");
    first.try_command(&["fetch", &job, "--out", text(&out)]).refused(1, &["cancelled"]);
    let good = second.submit(&place.job("good", &module::walk(1_000), "[units]\ncount = 20"));
    assert_eq!(field(&second.wait_ended(&good), "state"), "done");
}
