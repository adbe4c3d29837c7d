//! What a crash leaves: the job goes on, nobody contradicts himself, and a store tells the truth.
use crate::harness::{Node, Place, dugnad, field, module, number, run, text, wait_for};
use std::{fs, path::Path, thread, time::Duration};

/// Faults that a node which keeps its word can never show.
const BROKEN_WORDS: [&str; 3] = ["ForkedLog", "BrokenChain", "FalseOpening"];

const PRIVATE: [&str; 4] = ["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1"];

/// Fails if `node` has seen any peer contradict itself or answer wrongly.
fn assert_sees_no_fault(node: &Node) {
    for opinion in node.opinions().values() {
        assert_eq!(number(opinion, "disagreed"), 0, "{} of {opinion}", node.name());
        assert_ne!(field(opinion, "state"), "barred", "{} of {opinion}", node.name());
    }
    let log = node.log();
    let broken = log.lines().find(|line| BROKEN_WORDS.iter().any(|word| line.contains(word)));
    assert_eq!(broken, None, "seen by {}", node.name());
}

#[test]
fn killed_nodes_take_up_their_work_and_never_contradict_themselves() {
    const UNITS: u32 = 160;
    const ROUNDS: u32 = 12_000_000;
    let place = Place::new();
    let key = place.network_key();
    // Faults are logged at this level.
    let private = [&PRIVATE[..], &["--network-key", text(&key), "--log", "dugnad=debug"]].concat();
    let witness = Node::start(&place, "witness", &private);
    let bootstrap = witness.address();
    let joining = [&private[..], &["--bootstrap", &bootstrap]].concat();
    let mut submitter = Node::start(&place, "submitter", &joining);
    let mut executor = Node::start(&place, "executor", &joining);
    witness.wait_peers(2);
    let before = (submitter.peer(), executor.peer());

    let count = format!("[units]\ncount = {UNITS}");
    let file = place.job("walk", &module::walk(ROUNDS), &count);
    let job = submitter.submit(&file);
    submitter.wait_verified(&job, 10);
    submitter.kill();
    executor.kill();
    executor.restart();
    submitter.restart();
    let status = submitter.json(&["status", &job]);
    assert_eq!(field(&status, "state"), "running", "the crash has to come while the job runs");
    assert!(number(&status, "verified") >= 10, "what was verified stays so: {status}");
    // Again, at moments that no step of the protocol picks.
    for ms in [300, 700, 1_100] {
        thread::sleep(Duration::from_millis(ms));
        executor.kill();
        executor.restart();
    }
    let status = submitter.wait_ended(&job);
    assert_eq!(field(&status, "state"), "done", "{status}");
    assert_eq!((submitter.peer(), executor.peer()), before, "a restart is no new peer");
    assert_eq!(status["output_digest"], module::walked_digest(UNITS, ROUNDS));

    let again = submitter.json(&["submit", text(&file), "--again", "--yes"]);
    let undisturbed = submitter.wait_ended(again["job"].as_str().expect("an id"));
    assert_eq!(undisturbed["work"], status["work"]);
    assert_eq!(undisturbed["output_digest"], status["output_digest"]);
    for node in [&witness, &submitter, &executor] {
        assert_sees_no_fault(node);
    }
}

#[test]
fn outputs_that_only_a_frozen_peer_holds_are_made_again() {
    const UNITS: u32 = 200;
    const ATTEMPTS: u32 = 5;
    // A mebibyte each, so that a peer has said more than it can have handed over.
    let large = r#"(module (memory (export "memory") 32)
        (func (export "alloc") (param i32) (result i32) (i32.const 0))
        (func (export "run") (param i32 i32) (result i64) (i64.const 0x100000)))"#;
    let place = Place::new();
    let key = place.network_key();
    let private = [&PRIVATE[..], &["--network-key", text(&key)]].concat();
    let submitter = Node::start(&place, "submitter", &private);
    let bootstrap = submitter.address();
    let worker =
        Node::start(&place, "worker", &[&private[..], &["--bootstrap", &bootstrap]].concat());
    submitter.wait_peers(1);
    let rest = format!("profile = \"quorum=1\"\n[units]\ncount = {UNITS}");
    let large = wat::parse_str(large).expect("the test's module is right");
    let file = place.job("large", &large, &rest);
    // The peer may have handed over all that it has just when it is frozen: then another job is tried.
    for _ in 0..ATTEMPTS {
        let job = submitter.json(&["submit", text(&file), "--yes", "--again"]);
        let job = job["job"].as_str().expect("an id");
        submitter.wait_verified(job, u64::from(UNITS) / 4);
        worker.freeze();
        let status = submitter.wait_ended(job);
        assert_eq!(field(&status, "state"), "done", "{status}");
        worker.thaw();
        if submitter.log().contains("made again") {
            return;
        }
    }
    panic!("nothing was made again: {}", submitter.log());
}

#[test]
fn ended_job_is_still_there_after_a_restart() {
    let place = Place::new();
    let mut node = Node::private(&place, "alone", &PRIVATE);
    let job = "profile = \"quorum=1\"\n[units]\ncount = 30";
    let job = node.submit(&place.job("echo", &module::echo(), job));
    let done = node.wait_ended(&job);
    assert_eq!(field(&done, "state"), "done", "{done}");
    node.end();
    assert!(!node.dir().join("api.json").exists(), "a node that ended is not to be found");
    node.try_command(&["status"]).refused(3, &["alone"]);
    node.restart();
    assert_eq!(node.wait_ended(&job)["output_digest"], done["output_digest"]);
    let out = place.path("out");
    node.json(&["fetch", &job, "--out", text(&out)]);
    assert_eq!(fs::read(out.join("units/00000029.out")).expect("fetched"), b"29\n");
    node.kill();
    node.try_command(&["status"]).refused(3, &["node"]);
}

#[test]
fn data_directory_in_use_is_refused_by_name() {
    let place = Place::new();
    let node = Node::start(&place, "first", &PRIVATE);
    let second = run(["run", "--no-mdns", "--data-dir", text(node.dir())]);
    second.refused(1, &[&node.pid().to_string(), text(node.dir())]);
    assert_eq!(node.try_command(&["status"]).code, Some(0), "the first one is not disturbed");
}

#[test]
fn truncated_or_foreign_store_is_an_error_that_names_the_file() {
    let place = Place::new();
    let mut node = Node::private(&place, "node", &PRIVATE);
    let job = "profile = \"quorum=1\"\n[units]\ncount = 200";
    let job = node.submit(&place.job("echo", &module::echo(), job));
    node.wait_ended(&job);
    node.kill();
    let file = node.dir().join("store.redb");
    let whole = fs::read(&file).expect("the journal");
    let foreign = b"SQLite format 3\0 and so on".to_vec();
    for bytes in [foreign, whole[..whole.len() / 3].to_vec(), whole[..100].to_vec()] {
        fs::write(&file, &bytes).expect("written");
        let started = run(["run", "--no-mdns", "--data-dir", text(node.dir())]);
        started.refused(1, &["store.redb"]);
        assert_eq!(fs::read(&file).expect("there"), bytes, "what is not understood is not touched");
    }
    fs::write(&file, whole).expect("written");
    node.restart();
    assert_eq!(field(&node.wait_ended(&job), "state"), "done");
}

/// A chain of sixty steps, which takes some seconds, is half done when its node is killed.
#[test]
fn a_stepped_unit_goes_on_after_a_crash() {
    let place = Place::new();
    let key = place.network_key();
    let alone = [&PRIVATE[..], &["--network-key", text(&key)]].concat();
    let mut node = Node::start(&place, "node", &alone);
    let fold = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tasks/fold/fold.wasm"));
    let settings = place.file("chain.in", "seed 4\nsteps 60\nmoves 3000");
    let rest = "profile = \"quorum=1\"\n[units]\nfiles = \"../chain.in\"";
    let file = place.job("chain", &fold.expect("a committed module"), rest);
    let job = node.submit(&file);
    let checkpoints = node.dir().join("checkpoints");
    let kept = || fs::read_dir(&checkpoints).ok()?.flatten().next().map(|entry| entry.path());
    let first = wait_for("a checkpoint", kept);
    node.kill();
    let whole = fs::metadata(&first).expect("it survives").len();
    assert!(whole > 2_000, "a state and its steps: {whole} bytes");
    node.restart();
    let status = node.wait_ended(&job);
    assert_eq!(field(&status, "state"), "done", "{status}");
    let metrics = node.get("/metrics").body;
    assert!(metrics.contains("dugnad_units_resumed_total 1"), "{metrics}");
    assert_eq!(kept(), None, "a decided unit needs none");
    let out = place.path("results");
    node.json(&["fetch", &job, "--out", text(&out)]);
    let module = place.path("chain/module.wasm");
    let straight = dugnad().args(["exec", text(&module), "--stdin", text(&settings)]).output();
    let straight = straight.expect("it runs").stdout;
    assert!(fs::read(out.join("units/00000000.out")).expect("fetched") == straight);
}
