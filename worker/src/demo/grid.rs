//! The node processes of a demo: started, waited for, stopped.
//!
//! A node ends when its standard input closes, so none outlives the demo, even if that is killed.
use super::{Plan, place::Place};
use crate::{cli::Failure, keys::NetworkKey};
use dugnad_client::{ApiAddress, Grid, JobId};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// The file of the grid's network key.
const KEY_FILE: &str = "network.key";
/// How long the nodes may take to find each other.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a node may take to end before it is killed.
const STOP_MAX: Duration = Duration::from_secs(3);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// How often a liar lies.
const LIE_SHARE: f64 = 0.3;

/// The grid.
pub struct LocalGrid {
    nodes: Vec<LocalNode>,
    dir: PathBuf,
    cores: usize,
    seed: u64,
    collude: bool,
}

/// One of its nodes.
pub struct LocalNode {
    /// Its number, from 1.
    pub number: u32,
    /// Whether it was told to lie.
    pub liar: bool,
    /// Its peer id.
    pub peer: String,
    dir: PathBuf,
    process: Option<Child>,
    grid: Option<Grid>,
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| Failure::Failed(format!("{path}: {error}"))
}

impl LocalGrid {
    /// Lays out a grid; the last nodes are the liars.
    ///
    /// # Errors
    /// Its network key cannot be written.
    pub fn new(place: &Place, plan: &Plan) -> Result<LocalGrid, Failure> {
        let dir = place.nodes();
        let key = NetworkKey::generate().and_then(|key| key.write(&dir.join(KEY_FILE)));
        key.map_err(|error| Failure::Failed(error.to_string()))?;
        let node = |number| LocalNode {
            number,
            liar: number > plan.nodes - plan.liars,
            peer: String::new(),
            dir: dir.join(number.to_string()),
            process: None,
            grid: None,
        };
        let nodes = (1..=plan.nodes).map(node).collect();
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = (all / plan.nodes as usize).max(1);
        Ok(LocalGrid { nodes, dir, cores, seed: plan.seed, collude: plan.collude })
    }

    /// Starts the nodes and waits until each sees all others.
    ///
    /// # Errors
    /// One does not start, or they do not find each other.
    pub async fn start(&mut self) -> Result<(), Failure> {
        self.spawn(0, None)?;
        self.ready(0).await?;
        let first = self.nodes[0].grid()?.node_status().await?;
        let bootstrap = first.addresses.into_iter().find(|address| address.contains("/127.0.0.1/"));
        for at in 1..self.nodes.len() {
            self.spawn(at, bootstrap.as_deref())?;
        }
        for at in 1..self.nodes.len() {
            self.ready(at).await?;
        }
        let others = self.nodes.len() as u64 - 1;
        let since = Instant::now();
        for node in &self.nodes {
            while node.grid()?.node_status().await?.peers < others {
                if since.elapsed() > START_MAX {
                    return Err(Failure::Failed(format!(
                        "the nodes did not find each other within {} s",
                        START_MAX.as_secs()
                    )));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    fn spawn(&mut self, at: usize, bootstrap: Option<&str>) -> Result<(), Failure> {
        let node = &self.nodes[at];
        let log = self.dir.join(format!("{}.log", node.number));
        let output = File::create(&log).map_err(failed(&log))?;
        let errors = output.try_clone().map_err(failed(&log))?;
        let program = std::env::current_exe().map_err(failed(Path::new("this program")))?;
        let mut command = Command::new(&program);
        // What steers this process must not steer the nodes.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DUGNAD_") {
                command.env_remove(name);
            }
        }
        command.arg("run").arg("--data-dir").arg(&node.dir);
        command.arg("--network-key").arg(self.dir.join(KEY_FILE));
        command.args(["--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--api", "127.0.0.1:0"]);
        command.args(["--cores", &self.cores.to_string(), "--exit-with-stdin"]);
        if let Some(bootstrap) = bootstrap {
            command.args(["--bootstrap", bootstrap]);
        }
        if node.liar {
            let own = if self.collude { 0 } else { u64::from(node.number) };
            let seed = self.seed.wrapping_add(own);
            command.args(["--lie-share", &LIE_SHARE.to_string(), "--lie-seed", &seed.to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(output).stderr(errors).kill_on_drop(true);
        // Ctrl-C at the terminal is the demo's to handle.
        command.process_group(0);
        let child = command.spawn().map_err(failed(&program))?;
        self.nodes[at].process = Some(child);
        Ok(())
    }

    async fn ready(&mut self, at: usize) -> Result<(), Failure> {
        let since = Instant::now();
        let log = self.dir.join(format!("{}.log", self.nodes[at].number));
        let node = &mut self.nodes[at];
        loop {
            if let Ok(address) = ApiAddress::read(&node.dir)
                && let Ok(grid) = Grid::connect_to(&address).await
            {
                node.peer = address.peer;
                node.grid = Some(grid);
                return Ok(());
            }
            let ended = node.process.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || since.elapsed() > START_MAX {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().last().unwrap_or("it said nothing").to_owned();
                return Err(Failure::Failed(format!("node {} did not start: {last}", node.number)));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Kills the submitter's node as soon as its delegate has heard of the job.
    ///
    /// # Errors
    /// The delegate does not hear of it.
    pub async fn leave_to_delegate(&mut self, job: JobId) -> Result<(), Failure> {
        let since = Instant::now();
        while let Err(error) = self.delegate().grid()?.status(job).await {
            if since.elapsed() > START_MAX {
                return Err(error.into());
            }
            tokio::time::sleep(LOOK).await;
        }
        let submitter = &mut self.nodes[0];
        submitter.grid = None;
        if let Some(mut process) = submitter.process.take() {
            let killed = process.kill().await;
            killed.map_err(|error| Failure::Failed(format!("killing a node: {error}")))?;
        }
        Ok(())
    }

    /// Starts the submitter's node again.
    ///
    /// # Errors
    /// It does not start.
    pub async fn return_submitter(&mut self) -> Result<(), Failure> {
        let addresses = self.delegate().grid()?.node_status().await?.addresses;
        let bootstrap = addresses.into_iter().find(|address| address.contains("/127.0.0.1/"));
        self.spawn(0, bootstrap.as_deref())?;
        self.ready(0).await
    }

    /// The node that decides when the submitter's is gone; it is honest.
    pub fn delegate(&self) -> &LocalNode {
        &self.nodes[1]
    }

    /// The node to ask how the job is: the submitter's, if it is there.
    ///
    /// # Errors
    /// None is there.
    pub fn watched(&self) -> Result<&Grid, Failure> {
        self.submitter().or_else(|_| self.delegate().grid())
    }

    /// The node that the job is submitted to; it is honest.
    ///
    /// # Errors
    /// It has not started.
    pub fn submitter(&self) -> Result<&Grid, Failure> {
        self.nodes[0].grid()
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &LocalNode> {
        self.nodes.iter()
    }

    /// The number of each node by its peer id.
    pub fn names(&self) -> Vec<(String, u32, bool)> {
        self.nodes.iter().map(|node| (node.peer.clone(), node.number, node.liar)).collect()
    }

    /// Ends every node: by closing its input, or else by force.
    pub async fn stop(&mut self) {
        let mut ending: Vec<Child> =
            self.nodes.iter_mut().filter_map(|node| node.process.take()).collect();
        for child in &mut ending {
            drop(child.stdin.take());
        }
        for mut child in ending {
            if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
                drop(child.kill().await);
            }
        }
    }
}

impl LocalNode {
    /// The way to its API.
    ///
    /// # Errors
    /// It has not started.
    pub fn grid(&self) -> Result<&Grid, Failure> {
        let absent = || Failure::Failed(format!("node {} has not started", self.number));
        self.grid.as_ref().ok_or_else(absent)
    }
}
