//! The command line, its JSON, its exit codes and the HTTP doors, as scripts and operators use them.
use crate::harness::{
    Done, Node, Place, dugnad, field, finish, get, module, number, run, signal, text, wait_for,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
};

const LOCAL: [&str; 4] = ["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1"];
/// A job that this node alone can end.
const ALONE: &str = "profile = \"quorum=1\"";

const JOB_FIELDS: [&str; 9] = [
    "job",
    "state",
    "units",
    "verified",
    "failed",
    "running",
    "queued",
    "executions",
    "output_digest",
];
const METRICS: [&str; 12] = [
    "dugnad_units_executed_total ",
    "dugnad_units_verified_total ",
    "dugnad_units_disputed_total ",
    "dugnad_units_failed_total ",
    "dugnad_fuel_total ",
    "dugnad_executions_in_flight ",
    "dugnad_peers ",
    "dugnad_gossip_bytes_total{direction=\"",
    "dugnad_statements_total{kind=\"",
    "dugnad_queue_length{queue=\"",
    "dugnad_outcomes_total{kind=\"exit\"} ",
    "dugnad_build_info{engine=\"dugnad-1\",version=\"",
];

/// Fails unless the object has these fields; more may be there.
fn assert_fields(value: &Value, names: &[&str]) {
    let missing: Vec<_> = names.iter().filter(|name| value.get(**name).is_none()).collect();
    assert!(missing.is_empty(), "no {missing:?} in {value}");
}

/// Submits units to a lone node, waits and hands back what they wrote, in unit order.
fn outputs(place: &Place, node: &Node, job: &Path) -> Vec<String> {
    let id = node.submit(job);
    let status = node.wait_ended(&id);
    assert_eq!(field(&status, "state"), "done", "{status}");
    let out = place.path(&format!("out-{id}"));
    let fetched = node.json(&["fetch", &id, "--out", text(&out)]);
    assert_eq!(fetched["job"], status["job"]);
    let mut files: Vec<_> = fs::read_dir(out.join("units"))
        .expect("fetched")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort_unstable();
    let told = fs::read_to_string(out.join("job.json")).expect("fetched");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_fields(&told, &JOB_FIELDS);
    assert_eq!(told["units"], files.len());
    files.iter().map(|file| fs::read_to_string(file).expect("text")).collect()
}

#[test]
fn units_are_a_count_files_in_order_or_lines() {
    let place = Place::new();
    let node = Node::private(&place, "node", &LOCAL);
    let job = |name: &str, units: &str| {
        place.job(name, &module::echo(), &format!("{ALONE}\n[units]\n{units}"))
    };
    let counted = outputs(&place, &node, &job("count", "count = 3"));
    assert_eq!(counted, ["0\n", "1\n", "2\n"]);
    for (file, content) in
        [("b.dat", "second"), ("a.dat", "first\n"), ("c.txt", "no"), ("c.dat", "")]
    {
        place.file(&format!("files/in/{file}"), content);
    }
    let files = outputs(&place, &node, &job("files", "files = \"in/*.dat\""));
    assert_eq!(files, ["first\n", "second", ""]);
    place.file("lines/in.txt", "one\n\nthree\r\nlast");
    let lines = outputs(&place, &node, &job("lines", "lines = \"in.txt\""));
    assert_eq!(lines, ["one", "", "three", "last"]);
}

#[test]
fn same_work_is_the_same_job_unless_again() {
    let place = Place::new();
    let node = Node::private(&place, "node", &LOCAL);
    let units = format!("{ALONE}\n[units]\ncount = 2");
    let file = place.job("echo", &module::echo(), &units);
    let submit = |file: &Path, more: &[&str]| {
        node.json(&[&["submit", text(file), "--yes"][..], more].concat())
    };
    let first = submit(&file, &[]);
    assert_fields(&first, &["job", "work", "units", "profile", "known"]);
    let same = json!({ "job": first["job"], "work": first["work"], "units": 2,
        "profile": first["profile"], "known": true });
    assert_eq!((submit(&file, &[]), &first["known"]), (same.clone(), &false.into()));
    node.wait_ended(first["job"].as_str().expect("an id"));
    assert_eq!(submit(&file, &[]), same, "also when it has ended");
    let again = submit(&file, &["--again"]);
    assert_eq!((&again["work"], &again["units"]), (&first["work"], &first["units"]));
    assert_ne!(again["job"], first["job"]);
    let endless = place.job("endless", &module::walk(u32::MAX), &units);
    let [begun, anew] = [0, 1].map(|_| {
        let job = submit(&endless, &[])["job"].as_str().expect("an id").to_owned();
        node.json(&["cancel", &job]);
        node.wait_ended(&job);
        job
    });
    assert_ne!(begun, anew, "what was cancelled is another job when it is asked for again");
    let renamed = place.job("renamed", &module::echo(), &units);
    assert_eq!(submit(&renamed, &[])["work"], first["work"], "a name is no part of the work");
    let seeded = place.job("seeded", &module::echo(), &format!("seed = 1\n{units}"));
    assert_ne!(submit(&seeded, &[])["work"], first["work"]);
}

#[test]
fn exit_codes_say_what_happened() {
    let place = Place::new();
    let nowhere = place.path("nowhere");
    for command in [&["status"][..], &["peers"], &["invite"], &["watch", "00"], &["cancel", "00"]] {
        run([command, &["--data-dir", text(&nowhere)]].concat()).refused(3, &["nowhere"]);
    }
    run(["--no-such-flag"]).refused(2, &["--no-such-flag"]);
    let mut node = Node::private(&place, "node", &LOCAL);
    let file = place.job("good", &module::echo(), &format!("{ALONE}\n[units]\ncount = 3"));
    let submitted = node.try_command(&["submit", text(&file), "--watch", "--yes"]);
    assert_eq!(submitted.code, Some(0), "{submitted:?}");
    let jobs = node.json(&["status"]);
    let job = jobs["job_list"][0]["job"].as_str().expect("an id").to_owned();
    let out = place.path("out");
    node.json(&["fetch", &job, "--out", text(&out)]);
    node.json(&["fetch", &job[..8], "--out", text(&out)]);
    fs::write(out.join("units/00000001.out"), "forged").expect("written");
    node.try_command(&["fetch", &job, "--out", text(&out)]).refused(5, &["digest"]);
    node.try_command(&["status", &"0".repeat(64)]).refused(1, &["job"]);

    let exits = "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
        (func (export \"_start\") (call $exit (i32.const 3)))";
    let units = format!("{ALONE}\n[units]\ncount = 1");
    let bad = node.submit(&place.job("bad", &module::module(exits), &units));
    node.try_command(&["watch", &bad]).refused(4, &["1 of the 1 units"]);
    let out = place.path("bad-out");
    node.try_command(&["fetch", &bad, "--out", text(&out)]).refused(4, &["job.json"]);
    let told = fs::read_to_string(out.join("job.json")).expect("fetched");
    assert!(told.contains("exit code 3"), "{told}");
    node.end();
}

#[test]
fn interrupted_watch_leaves_the_job_running() {
    let place = Place::new();
    let node = Node::private(&place, "node", &LOCAL);
    let endless = module::command("(loop (br 0))");
    let rest = format!("{ALONE}\n[limits]\nfuel = 1_000_000_000_000\n[units]\ncount = 1");
    let job = node.submit(&place.job("endless", &endless, &rest));
    let mut watching = dugnad();
    watching.args(["watch", &job, "--json", "--data-dir", text(node.dir())]);
    watching.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watching = watching.spawn().expect("it starts");
    let mut first = String::new();
    let stdout = watching.stdout.as_mut().expect("piped");
    BufReader::new(stdout).read_line(&mut first).expect("a line");
    let first: Value = serde_json::from_str(&first).expect("one object a line");
    assert_fields(&first, &JOB_FIELDS);
    signal(watching.id(), "INT");
    finish(watching).refused(130, &["goes on"]);
    assert_eq!(field(&node.json(&["status", &job]), "state"), "running");
    assert_eq!(field(&node.json(&["cancel", &job]), "state"), "cancelled");
}

#[test]
fn mistakes_in_files_and_options_are_named_with_their_line() {
    let place = Place::new();
    let submit = |name: &str, rest: &str| -> Done {
        let file = place.job(name, &module::echo(), rest);
        run(["submit", text(&file), "--data-dir", text(&place.path("nowhere"))])
    };
    let unknown = submit("unknown", "seed = 1\ncolour = 3\n[units]\ncount = 1");
    unknown.refused(2, &["job.toml:4:", "colour"]);
    let unknown = submit("limits", "[units]\ncount = 1\n[limits]\nfule = 3");
    unknown.refused(2, &["job.toml:6:", "fule"]);
    submit("both", "[units]\ncount = 1\nlines = \"in.txt\"").refused(2, &["job.toml:3:", "one of"]);
    submit("absent", "[units]\nlines = \"in.txt\"").refused(2, &["job.toml:4:", "in.txt"]);
    submit("profile", "profile = \"trust\"\n[units]\ncount = 1").refused(2, &["job.toml:3:"]);
    // What is right so far finds out that there is no node.
    submit("right", "[units]\ncount = 1").refused(3, &["nowhere"]);

    let dir = place.path("node");
    let config = place.file("node.toml", "cores = 1\nno_mdns = true\ncolour = 3\n");
    run(["run", "--data-dir", text(&dir), "--config", text(&config)])
        .refused(2, &["node.toml:3", "colour"]);
    let key = place.network_key();
    let quic = ["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"];
    let both =
        [&["run", "--data-dir", text(&dir), "--network-key", text(&key)][..], &quic].concat();
    run(both).refused(2, &["QUIC", "network key"]);
    run(["run", "--data-dir", text(&dir), "--join", "dugnad1aaaa"]).refused(2, &["invite"]);
    run(["run", "--data-dir", text(&dir), "--api", "0.0.0.0:0"]).refused(2, &["loopback"]);
    assert!(!dir.exists(), "nothing is begun with wrong options");
}

#[test]
fn options_come_from_a_file_and_from_the_environment() {
    let place = Place::new();
    let config = place.file("node.toml", "cores = 3\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n");
    let node = Node::start(&place, "node", &["--config", text(&config)]);
    let mut status = dugnad();
    status.args(["status", "--json"]).env("DUGNAD_DATA_DIR", node.dir());
    let status = status.output().expect("it starts");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(number(&status, "cores"), 3);
}

#[test]
fn node_tells_of_jobs_peers_and_itself_in_the_promised_words() {
    let place = Place::new();
    let key = place.network_key();
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let metrics = free.expect("a free port").to_string();
    let private = [&LOCAL[..], &["--network-key", text(&key)]].concat();
    let first = Node::start(&place, "first", &[&private[..], &["--metrics", &metrics]].concat());
    let bootstrap = first.address();
    let second =
        Node::start(&place, "second", &[&private[..], &["--bootstrap", &bootstrap]].concat());
    first.wait_peers(1);
    let job = first.submit(&place.job("walk", &module::walk(1_000), "[units]\ncount = 12"));
    let status = first.wait_ended(&job);
    assert_fields(&status, &JOB_FIELDS);
    assert_eq!((number(&status, "units"), number(&status, "verified")), (12, 12));
    assert_eq!((number(&status, "running"), number(&status, "queued")), (0, 0));
    assert!(number(&status, "executions") >= 24, "{status}");
    let digest = module::walked_digest(12, 1_000);
    assert_eq!(status["output_digest"], digest);

    let peers = first.json(&["peers"]);
    assert_eq!(peers.as_array().map(Vec::len), Some(1));
    assert_fields(&peers[0], &["peer", "addrs", "reputation", "state"]);
    assert_eq!(
        (&peers[0]["peer"], &peers[0]["state"]),
        (&second.peer().into(), &"connected".into())
    );
    assert!(peers[0]["reputation"].as_f64().expect("a number") > 0.0, "{peers}");

    let watched = second.try_command(&["watch", &job, "--json"]);
    assert_eq!(watched.code, Some(0), "others may watch as well: {watched:?}");
    assert_explained(&first, &job, [first.peer(), second.peer()]);
    assert_doors(&place, &first, &job, &format!("http://{metrics}"));
}

/// Why a job of twelve units stands where it stands, by whose answers.
fn assert_explained(node: &Node, job: &str, mut peers: [String; 2]) {
    peers.sort_unstable();
    let whole = node.json(&["explain", job]);
    assert_eq!(
        (&whole["text"], &whole["profile"]),
        (&"waits for nothing: it is done".into(), &"quorum=2".into())
    );
    assert_eq!(names(&whole["peers"]), peers);
    let unit = node.json(&["explain", &job[..8], "3"]);
    assert_eq!((&unit["state"], &unit["unit"]), (&"verified".into(), &3.into()));
    assert_eq!(names(&unit["vouchers"]), peers);
    let digest = blake3::hash(&module::walked(3, 1_000)).to_hex().to_string();
    for voucher in unit["vouchers"].as_array().expect("a list") {
        assert_eq!((&voucher["mark"], &voucher["cites"]), (&"right".into(), &1.into()), "{unit}");
        assert!(voucher["answer"].as_str().is_some_and(|told| told.starts_with("exit 0, ")));
        assert_eq!(voucher["digest"], *digest, "{unit}");
    }
    for told in [&["explain", job][..], &["explain", job, "3"]] {
        let told = node.try_command(told).stdout;
        assert!(told.starts_with("waits for nothing"), "{told}");
        assert!(peers.iter().all(|peer| told.contains(peer)), "{told}");
    }
    node.try_command(&["explain", job, "12"]).refused(1, &["12 units", "no unit 12"]);
    node.try_command(&["explain", &"0".repeat(64)]).refused(1, &["knows no job"]);
    node.try_command(&["explain", &"0".repeat(64), "1"]).refused(1, &["knows no job"]);
}

/// The peers that a list names, sorted.
fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    let mut names: Vec<&str> = list.filter_map(|one| one["peer"].as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_job_that_nobody_can_help_with_says_so() {
    let place = Place::new();
    let key = place.network_key();
    let node = Node::start(&place, "node", &[&LOCAL[..], &["--network-key", text(&key)]].concat());
    let job = node.submit(&place.job("alone", &module::echo(), "[units]\ncount = 1"));
    let told = node.json(&["explain", &job]);
    assert!(told["text"].as_str().is_some_and(|told| told.contains("nobody is connected")));
    wait_for("its own answer", || {
        let unit = node.json(&["explain", &job, "0"]);
        (names(&unit["vouchers"]) == [node.peer()]).then_some(())
    });
    let told = node.try_command(&["explain", &job, "0"]).stdout;
    assert!(told.starts_with("waits for more answers: 1 of 2"), "{told}");
}

/// Who may read what, over HTTP.
fn assert_doors(place: &Place, node: &Node, job: &str, metrics: &str) {
    let api = fs::read_to_string(node.dir().join("api.json")).expect("a running node is found");
    let api: Value = serde_json::from_str(&api).expect("JSON");
    let fields: BTreeSet<&str> =
        api.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(["url", "pid", "peer"]));
    let mode = fs::metadata(node.dir().join("api.token")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let url = node.url();
    for path in ["/v1/jobs", "/v1/peers", "/v1/status", &format!("/v1/jobs/{job}")] {
        assert_eq!(get(&url, path, None).status, 401, "{path} without a token");
        let wrong = get(&url, path, Some(&"0".repeat(64)));
        assert_eq!(wrong.status, 401, "{path} with a wrong token");
        assert!(wrong.json()["error"].is_string(), "{wrong:?}");
        assert_eq!(node.get(path).status, 200, "{path}");
    }
    assert_eq!(node.get(&format!("/v1/jobs/{job}")).json(), node.json(&["status", job]));
    let bytes = node.get(&format!("/v1/jobs/{job}/units/3/output"));
    let out = place.path("out");
    node.json(&["fetch", job, "--out", text(&out)]);
    let fetched = fs::read(out.join("units/00000003.out")).expect("fetched");
    assert_eq!(bytes.body, String::from_utf8_lossy(&fetched));
    assert_eq!(node.get(&format!("/v1/jobs/{job}/units/12/output")).status, 404);
    assert_eq!(node.get("/v1/nothing").status, 404);

    for base in [url.as_str(), metrics] {
        assert_eq!(get(base, "/healthz", None).status, 200);
        assert_eq!(get(base, "/readyz", None).status, 200);
        let figures = wait_for("all figures", || {
            let figures = get(base, "/metrics", None).body;
            figures.contains("dugnad_gossip_bytes_total").then_some(figures)
        });
        let missing: Vec<_> = METRICS.iter().filter(|name| !figures.contains(**name)).collect();
        assert!(missing.is_empty(), "no {missing:?} in {figures}");
        assert!(figures.contains("\nlibp2p_"), "libp2p's own are appended: {figures}");
    }
    let token = node.token();
    for path in ["/v1/status", "/v1/jobs", "/"] {
        assert_eq!(get(metrics, path, Some(token.trim())).status, 404, "{path}");
    }
}

#[test]
fn an_open_grid_takes_nothing_that_nobody_agreed_to() {
    let place = Place::new();
    let node = Node::start(&place, "node", &LOCAL);
    assert_eq!(field(&node.json(&["status"]), "open"), true);
    let job = |name: &str, rest: &str| place.job(name, &module::echo(), rest);
    let (small, large) = (job("small", "units.count = 999"), job("large", "units.count = 1000"));
    let plain = job("plain", "profile = \"quorum=2\"\nunits.count = 1000");
    for (file, words) in [
        (&small, "computes about 100 of the 999 units"),
        (&large, "executions a unit"),
        (&plain, "colluders"),
    ] {
        for json in [&[][..], &["--json"]] {
            let refused = node.try_command(&[&["submit", text(file)][..], json].concat());
            refused.refused(2, &["--yes", "become public", words]);
            assert_eq!(refused.stdout, "");
        }
    }
    assert_eq!(node.get("/v1/jobs").json(), Value::Array(Vec::new()), "nothing was submitted");
    let alone = job("alone", &format!("{ALONE}\nunits.count = 3"));
    let refused = node.try_command(&["submit", text(&alone), "--yes"]);
    refused.refused(2, &["anybody may join", "quorum=2", "--network-key"]);
    for (file, profile) in [(&small, "quorum=2+10%"), (&large, "audited=1e-4")] {
        let told = node.try_command(&["submit", text(file), "--yes", "--json"]);
        assert_eq!(field(&told.json(), "profile"), profile);
        assert!(told.stderr.contains("become public"), "{told:?}");
    }
    // The same work with another profile is another job; the same again is not.
    let jobs = || node.get("/v1/jobs").json().as_array().expect("a list").len();
    for _ in 0..2 {
        let told = node.try_command(&["submit", text(&plain), "--yes", "--json"]);
        assert_eq!((field(&told.json(), "profile"), jobs()), (&Value::from("quorum=2"), 3));
    }
}

#[test]
fn a_private_grid_asks_nothing_and_votes() {
    let place = Place::new();
    let key = place.network_key();
    let node = Node::start(&place, "node", &[&LOCAL[..], &["--network-key", text(&key)]].concat());
    assert_eq!(field(&node.json(&["status"]), "open"), false);
    let job = place.job("large", &module::echo(), "units.count = 1000");
    let told = node.try_command(&["submit", text(&job)]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert!(told.stdout.contains("profile quorum=2: the job names none"), "{told:?}");
}
