//! Audited jobs between real processes: what is released is right, and its certificate says why.
use crate::harness::{
    Node, Place, assert_all_right, end_all, field, module, number, run, text, wait_for,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// Bytes of the certificate that are changed, one at a time, spread over all of it.
const CHANGES: usize = 41;

#[test]
fn liars_are_caught_alone_and_together() {
    let place = Place::new();
    for collude in [&[][..], &["--collude"]] {
        let out = place.path(&format!("demo{}", collude.len()));
        let command =
            ["demo", "--json", "--task", "nothing", "--profile", "audited", "--nodes", "6"];
        let rest = ["--liars", "2", "--units", "1200", "--out", text(&out)];
        let report = run([&command[..], &rest, collude].concat()).json();
        assert_all_right(&report, 1200);
        let liars = report["liars"].as_array().expect("a list");
        assert!(liars.iter().all(|liar| liar["caught"] == true), "{report}");

        let verified = run(["verify", text(&out.join("results")), "--json"]).json();
        assert_eq!(number(&verified, "outputs"), 1200, "{verified}");
        let released = &verified["released"];
        // Units are so short that one of the three others may answer too few to be known.
        assert!((2..=3).contains(&number(released, "members")), "{released}");
        assert_eq!(number(released, "lost"), 2, "{released}");
        assert_eq!(released["by"], verified["owner"]);
    }
}

#[test]
fn a_delegate_decides_when_the_submitters_node_is_gone() {
    let place = Place::new();
    let out = place.path("demo");
    let command = ["demo", "--json", "--task", "nothing", "--profile", "audited", "--nodes", "6"];
    let rest = ["--liars", "2", "--units", "1200", "--submitter-stops", "--out", text(&out)];
    let report = run([&command[..], &rest].concat()).json();
    assert_all_right(&report, 1200);
    let verified = run(["verify", text(&out.join("results")), "--json"]).json();
    assert_eq!(number(&verified, "outputs"), 1200, "{verified}");
    assert_ne!(verified["released"]["by"], verified["owner"], "{verified}");
    run(["demo", "--submitter-stops"]).refused(2, &["--profile audited"]);
}

#[test]
fn an_owner_that_is_killed_goes_on_and_proves_what_it_released() {
    const UNITS: u32 = 400;
    const ROUNDS: u32 = 2_000_000;
    let place = Place::new();
    let mut nodes = Node::private_grid(&place, ["first", "second", "third", "owner"]);
    let mut owner = nodes.pop().expect("the owner");
    let rest = format!("profile = \"audited=1e-3\"\n[units]\ncount = {UNITS}");
    let job = owner.submit(&place.job("walk", &module::walk(ROUNDS), &rest));
    for stage in ["proving", "executing", "checking"] {
        wait_for(&format!("an audit at {stage}, or later"), || {
            let audit = &owner.json(&["status", &job])["audit"];
            let now = field(audit, "stage").as_str().expect("a word").to_owned();
            let later = stage == "proving" && number(audit, "own_units") > 20;
            (now == stage && stage != "proving" || later || now == "released").then_some(())
        });
        owner.kill();
        owner.restart();
    }
    let status = owner.wait_ended(&job);
    assert_eq!(field(&status, "state"), "done", "{status}");
    assert_eq!(status["output_digest"], module::walked_digest(UNITS, ROUNDS));
    assert_eq!(field(&status["audit"], "stage"), "released");
    // Who proved itself once is known at the next job.
    let file = place.path("walk/job.toml");
    let again = owner.json(&["submit", text(&file), "--again"]);
    let again = owner.wait_ended(again["job"].as_str().expect("an id"));
    let own = |status: &Value| number(&status["audit"], "own_units");
    assert_eq!(again["output_digest"], status["output_digest"]);
    assert!(own(&again) < own(&status) / 4, "{again}");
    assert_explained(&owner, &job, UNITS, nodes.iter().map(Node::peer).collect());
    let out = place.path("out");
    owner.json(&["fetch", &job, "--out", text(&out)]);
    nodes.push(owner);
    end_all(&mut nodes.iter_mut().collect::<Vec<_>>());

    let report = run(["verify", text(&out), "--json", "--recheck", "2"]).json();
    assert_eq!(number(&report["released"], "members"), 3, "{report}");
    let certificate = out.join("certificate.dugnad");
    let bytes = fs::read(&certificate).expect("there");
    for at in (0..bytes.len()).step_by((bytes.len() / CHANGES).max(1)) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&certificate, changed).expect("written");
        run(["verify", text(&out)]).refused(5, &["certificate.dugnad"]);
    }
}

/// Each unit names those who answered it, and who was drawn to check it.
fn assert_explained(owner: &Node, job: &str, units: u32, peers: BTreeSet<String>) {
    let names = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|one| field(one, "peer").as_str().expect("a peer id").to_owned()).collect()
    };
    let whole = owner.json(&["explain", job]);
    assert_eq!(names(&whole["peers"]), peers, "all but the owner: {whole}");
    assert_eq!(
        (field(&whole, "text"), &whole["audit"]["stage"]),
        (&"waits for nothing: it is done".into(), &"released".into())
    );
    let stories = || (0..units).map(|unit| owner.json(&["explain", job, &unit.to_string()]));
    let checked =
        stories().find(|unit| unit["drawn"].as_array().is_some_and(|all| !all.is_empty()));
    let checked = checked.expect("a unit that was checked");
    let (drawn, vouchers) = (names(&checked["drawn"]), names(&checked["vouchers"]));
    assert!(drawn.is_subset(&vouchers) && vouchers.len() > drawn.len(), "{checked}");
    assert!(vouchers.is_subset(&peers) && checked["own"] == false, "{checked}");
    let own = stories().find(|unit| unit["own"] == true).expect("a unit that the owner computed");
    assert!(names(&own["vouchers"]).contains(&owner.peer()), "{own}");
}
