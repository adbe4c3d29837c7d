//! Nodes as unlike as machines are, one of them starved: nobody's work is done for nothing, and
//! nobody is waited for.
use crate::harness::{Node, Place, end_all, field, module, number, text, wait_for};

const UNITS: u32 = 400;
const ROUNDS: u32 = 20_000_000;
#[test]
fn unlike_nodes_share_a_job_and_wait_for_nobody() {
    let place = Place::new();
    let key = place.network_key();
    let private = ["--network-key", text(&key), "--listen", "/ip4/127.0.0.1/tcp/0"];
    let mut first = Node::start(&place, "first", &[&private[..], &["--cores", "1"]].concat());
    let bootstrap = first.address();
    let node = |name: &str, cores| {
        let options = ["--bootstrap", &bootstrap, "--cores", cores];
        Node::start(&place, name, &[&private[..], &options].concat())
    };
    let mut others = [node("one", "1"), node("two", "2"), node("three", "3"), node("four", "4")];
    let mut starved = node("starved", "1");
    first.wait_peers(5);

    let rest = format!("profile = \"quorum=1\"\n[units]\ncount = {UNITS}");
    let job = place.job("walk", &module::walk(ROUNDS), &rest);
    let job = starved.while_starved(|| {
        let job = first.submit(&job);
        first.wait_verified(&job, u64::from(UNITS) / 2);
        job
    });
    // From here on it does nothing at all, with whatever it holds.
    starved.freeze();
    // Outputs that it alone holds are made again.
    let status = first.wait_ended(&job);
    assert_eq!(field(&status, "state"), "done", "{status}");
    assert_eq!(number(&status, "verified"), u64::from(UNITS), "{status}");
    starved.thaw();

    let executed = |node: &Node| number(&node.json(&["status"]), "units_executed");
    wait_for("the starved node to hear of the end", || {
        let status = starved.json(&["status", &job]);
        (field(&status, "state") == "done").then_some(())
    });
    let each: Vec<u64> = others.iter().chain([&first, &starved]).map(executed).collect();
    assert!(each.iter().all(|units| *units > 0), "everybody worked: {each:?}");
    let all: u64 = each.iter().sum();
    assert!(all <= u64::from(UNITS) * 11 / 10, "{all} runs for {UNITS} units: {each:?}");
    let [one, two, three, four] = &mut others;
    end_all(&mut [&mut first, one, two, three, four, &mut starved]);
    place.assert_deserted();
}
