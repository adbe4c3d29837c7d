//! A node process: started, asked, killed, frozen, ended.
use super::{
    Done, LOOK, dugnad, field, get, http::Answer, number, processes::signal, run, text, wait_for,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Lines of a log that are shown when a test fails.
const LOG_LINES: usize = 60;

/// Of ten of these a starved node runs one.
const SLICE: Duration = Duration::from_millis(20);

/// Ends a node's starving, also where a test fails in between.
struct Relief<'a>(&'a AtomicBool);

impl Drop for Relief<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A node; its log goes on over restarts.
pub struct Node {
    name: String,
    dir: PathBuf,
    log: PathBuf,
    options: Vec<String>,
    process: Option<Child>,
}

impl Node {
    /// Starts a node with its data in `place/NAME` and waits until it answers.
    pub fn start(place: &super::Place, name: &str, options: &[&str]) -> Node {
        let mut node = Node {
            name: name.into(),
            dir: place.path(name),
            log: place.path(&format!("{name}.log")),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            process: None,
        };
        node.restart();
        node
    }

    /// Starts a node of a grid that nobody else can join: there one answer to a unit is enough.
    pub fn private(place: &super::Place, name: &str, options: &[&str]) -> Node {
        let key = place.network_key();
        Node::start(place, name, &[options, &["--network-key", super::text(&key)]].concat())
    }

    /// Starts nodes of one processor each that share a key, over TCP, and waits until the first knows all.
    pub fn private_grid<const N: usize>(place: &super::Place, names: [&str; N]) -> Vec<Node> {
        let key = place.network_key();
        let mut options = vec!["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1"];
        options.extend(["--network-key", super::text(&key)]);
        let first = Node::start(place, names[0], &options);
        let bootstrap = first.address();
        options.extend(["--bootstrap", &bootstrap]);
        let others = names[1..].iter().map(|name| Node::start(place, name, &options));
        let others: Vec<Node> = others.collect();
        first.wait_peers(others.len() as u64);
        [first].into_iter().chain(others).collect()
    }

    /// Starts it again, on the same data and with the same options.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "{} still runs", self.name);
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log");
        let mut command = dugnad();
        command.arg("run").arg("--data-dir").arg(&self.dir).args(&self.options);
        command.args(["--no-mdns", "--api", "127.0.0.1:0", "--exit-with-stdin"]);
        command.stdin(Stdio::piped()).stdout(copy(&log)).stderr(log);
        self.process = Some(command.spawn().expect("it starts"));
        wait_for(&format!("the start of {}", self.name), || {
            let process = self.process.as_mut().expect("just started");
            let ended = process.try_wait().expect("waited for");
            assert!(ended.is_none(), "{} ended at its start: {ended:?}", self.name);
            let pid = process.id();
            // A node that was killed has left its file; only the new one says the new process.
            let here = api_json(&self.dir).is_some_and(|api| api["pid"] == pid);
            (here && self.try_command(&["status"]).code == Some(0)).then_some(())
        });
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// All that it has logged, over restarts.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    // ---- asked by command ------------------------------------------------------------------

    /// Runs a command on this node, however it ends.
    pub fn try_command(&self, arguments: &[&str]) -> Done {
        run(arguments.iter().copied().chain(["--data-dir", text(&self.dir)]))
    }

    /// Runs a command on this node that must succeed, and reads the JSON it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.try_command(&[arguments, &["--json"]].concat()).json()
    }

    /// Submits a job file, whatever becomes public by it, and says the job's id.
    pub fn submit(&self, job: &Path) -> String {
        let submitted = self.json(&["submit", text(job), "--yes"]);
        field(&submitted, "job").as_str().expect("an id").to_owned()
    }

    /// Waits until so many units of the job are verified here.
    pub fn wait_verified(&self, job: &str, units: u64) {
        wait_for(&format!("{units} verified units of {job}"), || {
            let status = self.json(&["status", job]);
            (number(&status, "verified") >= units).then_some(())
        });
    }

    /// Waits until the job has ended and says how it stands.
    pub fn wait_ended(&self, job: &str) -> Value {
        wait_for(&format!("the end of job {job}"), || {
            let status = self.json(&["status", job]);
            (field(&status, "state") != "running").then_some(status)
        })
    }

    /// Its peer id.
    pub fn peer(&self) -> String {
        self.json(&["status"])["peer"].as_str().expect("a peer id").to_owned()
    }

    /// A full address on loopback for others to start from.
    pub fn address(&self) -> String {
        let status = self.json(&["status"]);
        let all = status["addresses"].as_array().expect("a list of addresses");
        let mut all = all.iter().filter_map(Value::as_str);
        let local = all.find(|address| address.contains("/127.0.0.1/"));
        local.unwrap_or_else(|| panic!("no loopback address in {status}")).to_owned()
    }

    /// Waits until it is connected to so many peers.
    pub fn wait_peers(&self, peers: u64) {
        wait_for(&format!("{peers} peers of {}", self.name), || {
            (number(&self.json(&["status"]), "peers") >= peers).then_some(())
        });
    }

    /// What it says of each peer it knows, by peer id.
    pub fn opinions(&self) -> BTreeMap<String, Value> {
        let peers = self.json(&["peers"]);
        let peers = peers.as_array().expect("a list of peers").iter();
        peers.map(|peer| (peer["peer"].as_str().expect("a peer id").into(), peer.clone())).collect()
    }

    // ---- asked over HTTP -------------------------------------------------------------------

    /// Asks its API with its own token.
    pub fn get(&self, path: &str) -> Answer {
        get(&self.url(), path, Some(self.token().trim()))
    }

    pub fn url(&self) -> String {
        api_json(&self.dir).expect("it runs")["url"].as_str().expect("a URL").to_owned()
    }

    pub fn token(&self) -> String {
        fs::read_to_string(self.dir.join("api.token")).expect("a running node leaves its token")
    }

    // ---- treated badly ---------------------------------------------------------------------

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("killed");
        process.wait().expect("waited for");
    }

    /// It stops being given time until it is thawed.
    pub fn freeze(&self) {
        signal(self.pid(), "STOP");
    }

    pub fn thaw(&self) {
        signal(self.pid(), "CONT");
    }

    /// Lets it run a tenth of the time while something is done, as if the processor were others'.
    pub fn while_starved<T>(&self, work: impl FnOnce() -> T) -> T {
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            let _relief = Relief(&enough);
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    self.freeze();
                    thread::sleep(9 * SLICE);
                    self.thaw();
                    thread::sleep(SLICE);
                }
            });
            work()
        })
    }

    /// Asks it to end by SIGTERM; it must do so with exit code 0.
    pub fn end(&mut self) {
        let mut process = self.process.take().expect("it runs");
        signal(process.id(), "TERM");
        let ended = wait_for(&format!("the end of {}", self.name), || {
            process.try_wait().expect("waited for")
        });
        assert_eq!(ended.code(), Some(0), "{} after SIGTERM: {}", self.name, tail(&self.log()));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if thread::panicking() && self.process.is_some() {
            self.thaw(); // A frozen one would never answer.
            for command in ["status", "peers"] {
                eprintln!("---- {command} of {} ----", self.name);
                eprintln!("{}", self.try_command(&[command, "--json"]).stdout);
            }
        }
        if let Some(mut process) = self.process.take() {
            // Nothing may stay behind, least of all a frozen one.
            drop(process.kill());
            drop(process.wait());
        }
        if thread::panicking() {
            eprintln!("---- log of {} ----\n{}", self.name, tail(&self.log()));
        }
    }
}

/// Ends all nodes at once by SIGTERM, which each must do with exit code 0.
pub fn end_all(nodes: &mut [&mut Node]) {
    for node in nodes.iter_mut() {
        node.end();
    }
    thread::sleep(LOOK);
}

fn copy(log: &File) -> File {
    log.try_clone().expect("a file may have two handles")
}

fn api_json(dir: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(dir.join("api.json")).ok()?).ok()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
