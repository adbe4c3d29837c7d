//! Votes with a second look between real processes: liars who agree on their lies win nothing.
use crate::harness::{Node, Place, assert_all_right, field, module, number, run, text};

#[test]
fn colluders_win_nothing_where_the_submitter_computes_all_again() {
    let place = Place::new();
    let out = place.path("demo");
    let command = ["demo", "--json", "--task", "nothing", "--profile", "quorum=2+100%"];
    let rest = ["--nodes", "6", "--liars", "2", "--collude", "--units", "900", "--out", text(&out)];
    let report = run([&command[..], &rest].concat()).json();
    assert_all_right(&report, 900);
    let liars = report["liars"].as_array().expect("a list");
    assert!(liars.iter().all(|liar| liar["caught"] == true), "{report}");

    let verified = run(["verify", text(&out.join("results")), "--json"]).json();
    assert_eq!((number(&verified, "outputs"), number(&verified["own"], "units")), (900, 900));
    let lost = verified["own"]["lost"].as_array().expect("a list");
    let is_liar = |peer: &serde_json::Value| liars.iter().any(|liar| liar["peer"] == *peer);
    assert!(lost.iter().all(is_liar), "{verified}");
}

#[test]
fn a_node_that_lends_no_processor_computes_nothing_again() {
    let place = Place::new();
    let idle = ["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "0"];
    let node = Node::start(&place, "idle", &idle);
    let job = place.job("echo", &module::echo(), "units.count = 2");
    node.try_command(&["submit", text(&job), "--yes"]).refused(1, &["--cores 0", "quorum=N+P%"]);
    let plain = place.job("plain", &module::echo(), "profile = \"quorum=2\"\nunits.count = 2");
    let told = node.try_command(&["submit", text(&plain), "--yes", "--json"]);
    assert_eq!(field(&told.json(), "profile"), "quorum=2");
}
