//! What the end-to-end tests start and ask.
//!
//! Invariant: no process outlives its test, however that ends: nodes end when their standard input
//! closes. What a test waits for it waits for generously, and fails with the logs of its nodes.
mod command;
mod http;
pub mod module;
mod node;
mod processes;

pub use command::{Done, assert_all_right, dugnad, field, finish, number, run};
pub use http::get;
pub use node::{Node, end_all};
pub use processes::{processes_naming, signal};

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long anything is waited for before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Grids share this machine's processors, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// The place of one test: a directory for nodes, jobs and outputs, gone when the test ends.
pub struct Place {
    dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Place {
    pub fn new() -> Place {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Place { dir: tempfile::tempdir().expect("a temporary directory"), _turn: turn }
    }

    /// Where `name` lies, whether it is there or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and says where it lies.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("made");
        fs::write(&path, bytes).expect("written");
        path
    }

    /// The key file of a private grid.
    pub fn network_key(&self) -> PathBuf {
        self.file("network.key", "5e".repeat(32))
    }

    /// Writes a module and a job file beside it; `rest` is what the file says besides the name.
    pub fn job(&self, name: &str, module: &[u8], rest: &str) -> PathBuf {
        self.file(&format!("{name}/module.wasm"), module);
        let text = format!("name = \"{name}\"\nmodule = \"module.wasm\"\n{rest}\n");
        self.file(&format!("{name}/job.toml"), text)
    }

    /// Fails if any process on this machine still names the place.
    pub fn assert_deserted(&self) {
        let left = processes_naming(self.dir.path());
        assert!(left.is_empty(), "left running: {left:?}");
    }
}

/// Waits until there is something to see.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        if since.elapsed() > PATIENCE {
            panic!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        thread::sleep(LOOK);
    }
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
