//! Whole grids with liars, crashes, latecomers and sleepers: every unit is verified and none is wrong.
use crate::harness::{Node, Place, end_all, field, module, number, text, wait_for};
use serde_json::Value;
use std::{fs, thread, time::Duration};

/// What makes a node lie in about a third of its units.
const LIES: [&str; 4] = ["--lie-share", "0.3", "--lie-seed", "7"];
/// How long the frozen node stays so.
const FROZEN: Duration = Duration::from_secs(10);

/// Fails unless the job is done, each output is right by another computation, and so is the digest.
fn assert_right(place: &Place, node: &Node, job: &str, units: u32, rounds: u32) {
    let status = node.wait_ended(job);
    assert_eq!(field(&status, "state"), "done", "{status}");
    assert_eq!((number(&status, "verified"), number(&status, "failed")), (units.into(), 0));
    assert_eq!(status["output_digest"], module::walked_digest(units, rounds));
    let out = place.path("out");
    node.json(&["fetch", job, "--out", text(&out)]);
    for unit in 0..units {
        let output = fs::read(out.join(format!("units/{unit:08}.out"))).expect("fetched");
        assert_eq!(output, module::walked(unit, rounds), "unit {unit}");
    }
}

/// Fails unless `node` holds the liar, and nobody else, for one.
fn assert_liar_named(node: &Node, liar: &str) {
    let opinion = wait_for(&format!("{} to see through the liar", node.name()), || {
        let opinion = node.opinions().remove(liar)?;
        (opinion["state"] == "barred").then_some(opinion)
    });
    assert!(number(&opinion, "disagreed") > 0, "{opinion}");
    assert!(opinion["reputation"].as_f64().expect("a number") < 0.0, "{opinion}");
    for (peer, opinion) in node.opinions() {
        let honest = (field(&opinion, "state") != "barred", number(&opinion, "disagreed"));
        assert!(peer == liar || honest == (true, 0), "{} of {opinion}", node.name());
    }
}

#[test]
fn private_grid_verifies_all_despite_a_liar_a_crash_a_latecomer_and_a_sleeper() {
    const UNITS: u32 = 240;
    const ROUNDS: u32 = 20_000_000;
    let place = Place::new();
    let key = place.network_key();
    let private = ["--network-key", text(&key), "--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1"];
    let mut first = Node::start(&place, "first", &private);
    let bootstrap = first.address();
    let joining = [&private[..], &["--bootstrap", &bootstrap]].concat();
    let mut liar = Node::start(&place, "liar", &[&joining[..], &LIES].concat());
    let mut crashing = Node::start(&place, "crashing", &joining);
    let mut sleeper = Node::start(&place, "sleeper", &joining);
    first.wait_peers(3);

    let count = format!("[units]\ncount = {UNITS}");
    let job = first.submit(&place.job("walk", &module::walk(ROUNDS), &count));
    first.wait_verified(&job, 20);
    sleeper.freeze();
    crashing.kill();
    let mut late = Node::start(&place, "late", &joining);
    crashing.restart();
    let status = first.json(&["status", &job]);
    assert_eq!(field(&status, "state"), "running", "all that has to happen while the job runs");
    thread::sleep(FROZEN);
    sleeper.thaw();

    assert_right(&place, &first, &job, UNITS, ROUNDS);
    let lied = liar.peer();
    for honest in [&first, &crashing, &sleeper, &late] {
        assert_liar_named(honest, &lied);
    }
    for worked in [&first, &liar, &crashing, &sleeper, &late] {
        assert!(number(&worked.json(&["status"]), "units_executed") > 0, "{}", worked.name());
    }
    end_all(&mut [&mut first, &mut liar, &mut crashing, &mut sleeper, &mut late]);
    place.assert_deserted();
}

#[test]
fn open_grid_over_quic_is_joined_by_invite_and_verifies_all_despite_a_liar() {
    const UNITS: u32 = 240;
    const ROUNDS: u32 = 10_000_000;
    let place = Place::new();
    let quic = ["--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--cores", "1"];
    let mut first = Node::start(&place, "first", &quic);
    let invite = first.try_command(&["invite"]).stdout;
    let invite = invite.trim_end();
    assert!(invite.starts_with("dugnad1") && invite.lines().count() == 1, "{invite:?}");
    assert_eq!(
        field(&first.json(&["invite"]), "invite").as_str().map(str::len),
        Some(invite.len())
    );
    let joining = [&quic[..], &["--join", invite]].concat();
    let mut second = Node::start(&place, "second", &joining);
    let mut third = Node::start(&place, "third", &joining);
    // Of four peers, one of whom lies, those who are left may have spent their answers on each other.
    let mut fourth = Node::start(&place, "fourth", &joining);
    let mut liar = Node::start(&place, "liar", &[&joining[..], &LIES].concat());
    first.wait_peers(4);
    let peers = first.json(&["peers"]);
    let over_quic = |peer: &Value| peer["addrs"].to_string().contains("quic-v1");
    assert!(peers.as_array().expect("a list").iter().all(over_quic), "{peers}");

    let count = format!("[units]\ncount = {UNITS}");
    let job = second.submit(&place.job("walk", &module::walk(ROUNDS), &count));
    assert_right(&place, &second, &job, UNITS, ROUNDS);
    // Its submitter may take back words in such a job, so others blame nobody for its votes.
    assert_liar_named(&second, &liar.peer());
    end_all(&mut [&mut first, &mut second, &mut third, &mut fourth, &mut liar]);
    place.assert_deserted();
}

#[test]
fn stranger_without_the_key_cannot_join_a_private_grid() {
    let place = Place::new();
    let (key, other_key) = (place.network_key(), place.file("other.key", "77".repeat(32)));
    let tcp = ["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "0"];
    let private = [&tcp[..], &["--network-key", text(&key)]].concat();
    let first = Node::start(&place, "first", &private);
    let bootstrap = first.address();
    let bootstrap = ["--bootstrap", bootstrap.as_str()];
    let keyless = Node::start(&place, "keyless", &[&tcp[..], &bootstrap].concat());
    let other = [&tcp[..], &bootstrap, &["--network-key", text(&other_key)]].concat();
    let other = Node::start(&place, "other", &other);
    // Who came last and has the key is in, so the others had their chance.
    let member = Node::start(&place, "member", &[&private[..], &bootstrap].concat());
    first.wait_peers(1);
    assert_eq!(first.opinions().into_keys().collect::<Vec<_>>(), [member.peer()]);
    for stranger in [&keyless, &other] {
        assert_eq!(stranger.json(&["peers"]), Value::Array(Vec::new()), "{}", stranger.name());
    }
}
