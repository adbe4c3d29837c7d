//! Six nodes as unlike as machines are, one of them starved, on the processors of this machine:
//! `cargo bench --package dugnad --bench unequal`.
//!
//! The reference is one node that lends all processors and has the same job to itself; both are
//! timed in the same run. The grid has to pay for talking, for copies, and for whoever is slow at
//! the end. The last line is the result in JSON: times over the reference, runs for each unit, and
//! how long the last units took, in units' times with as many at once as there are slots.
#[path = "../tests/e2e/harness/mod.rs"]
#[allow(dead_code, unused_imports)]
mod harness;

use harness::{Node, Place, end_all, module, number, text};
use std::{
    thread,
    time::{Duration, Instant},
};

const UNITS: u64 = 300;
const ROUNDS: u32 = 40_000_000;
/// Processors that the six lend, the starved one's among them.
const CORES: [&str; 6] = ["1", "1", "2", "3", "4", "1"];

/// How long a job took, and the last of it: as many units as there are slots.
struct Took {
    whole: Duration,
    last: Duration,
}

fn main() {
    // Cargo asks benches to list tests, and tests to run benches once; there is nothing to list.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let alone = alone();
    let (grid, runs) = grid();
    let turn = grid.whole.as_secs_f64() * slots() as f64 / UNITS as f64;
    println!(
        "{}",
        serde_json::json!({
            "bench": "unequal",
            "units": UNITS,
            "reference": "one node that lends all processors",
            "reference_s": alone.whole.as_secs_f64(),
            "grid_s": grid.whole.as_secs_f64(),
            "times_reference": grid.whole.as_secs_f64() / alone.whole.as_secs_f64(),
            "runs_per_unit": runs as f64 / UNITS as f64,
            "last_units_turns": grid.last.as_secs_f64() / turn,
        })
    );
}

/// Processors that are lent in all.
fn slots() -> u64 {
    CORES.iter().map(|cores| cores.parse::<u64>().expect("a number")).sum()
}

fn job(place: &Place) -> std::path::PathBuf {
    let rest = format!("profile = \"quorum=1\"\n[units]\ncount = {UNITS}");
    place.job("walk", &module::walk(ROUNDS), &rest)
}

/// Submits the job and watches it to its end.
fn time(node: &Node, job: &std::path::Path) -> Took {
    let since = Instant::now();
    let job = node.submit(job);
    let mut nearly = None;
    loop {
        let verified = number(&node.json(&["status", &job]), "verified");
        if verified + slots() >= UNITS {
            nearly.get_or_insert(since.elapsed());
        }
        if verified == UNITS {
            let whole = since.elapsed();
            return Took { whole, last: whole - nearly.unwrap_or(whole) };
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn alone() -> Took {
    let place = Place::new();
    let mut node = Node::private(&place, "alone", &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    let took = time(&node, &job(&place));
    end_all(&mut [&mut node]);
    took
}

/// The grid's time, and how many runs it took.
fn grid() -> (Took, u64) {
    let place = Place::new();
    let key = place.network_key();
    let private = ["--network-key", text(&key), "--listen", "/ip4/127.0.0.1/tcp/0"];
    let mut nodes: Vec<Node> = Vec::new();
    for (number, cores) in CORES.into_iter().enumerate() {
        let bootstrap = nodes.first().map(Node::address);
        let bootstrap = bootstrap.iter().flat_map(|address| ["--bootstrap", address.as_str()]);
        let options: Vec<&str> =
            private.into_iter().chain(["--cores", cores]).chain(bootstrap).collect();
        nodes.push(Node::start(&place, &format!("node{number}"), &options));
    }
    nodes[0].wait_peers(CORES.len() as u64 - 1);
    let job = job(&place);
    let took = nodes[CORES.len() - 1].while_starved(|| time(&nodes[0], &job));
    let runs = nodes.iter().map(|node| number(&node.json(&["status"]), "units_executed")).sum();
    nodes.iter_mut().for_each(Node::end);
    (took, runs)
}
