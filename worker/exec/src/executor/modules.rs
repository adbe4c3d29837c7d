//! The modules that a node knows: compiled once however many runs wait, each in a process of its own,
//! which has limits of its own.
//!
//! What it is not: machine code; that is in the [`Cache`], and in the processes that run it.
use super::{
    super::{
        cell::Role,
        facts::{Contract, Facts, MODULE_BYTES_MAX},
        loaded::{self, Recipe, Unfit},
        wire::{self, Compiled},
    },
    cache::Cache,
    process::{Processes, Program},
};
use coordinator_free_scheduler::{Hash, Void};
use std::{
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// Modules that are remembered; the least recently used go first.
pub const MODULES_MAX: usize = 1_024;
/// How many processes a module may take with it before it is run no more.
pub const DEATHS_MAX: u32 = 3;
/// A death is forgotten when there was no other for this long: hosts kill processes too.
const DEATHS_FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Machine code of the largest module, bytes.
const CODE_BYTES_MAX: usize = 16 * MODULE_BYTES_MAX;

/// A module's machine code by its file, or why there is none.
pub type Prepared = Result<(String, Recipe), Unfit>;

/// What is known of modules.
pub struct Modules {
    program: Program,
    cache: Cache,
    contract: Contract,
    known: Mutex<Known>,
    /// One at a time: each takes all cores, and memory.
    compiling: Mutex<()>,
}

#[derive(Default)]
struct Known {
    modules: HashMap<Hash, Module>,
    clock: u64,
}

#[derive(Default)]
struct Module {
    prepared: Arc<OnceLock<Prepared>>,
    deaths: u32,
    died: Option<Instant>,
    used: u64,
}

impl Modules {
    /// Nothing known yet.
    pub fn new(program: Program, cache: Cache, contract: Contract) -> Modules {
        let (known, compiling) = (Mutex::default(), Mutex::default());
        Modules { program, cache, contract, known, compiling }
    }

    /// The folder of the machine code.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Why a module can be run nowhere, if so.
    pub fn inspect(&self, module: &[u8]) -> Result<Facts, String> {
        let passed = loaded::passed(module, &self.contract);
        passed.map(|(recipe, _)| recipe.facts).map_err(Unfit::into_detail)
    }

    /// The module named `hash`, compiled now if it is not known.
    pub fn get(&self, hash: Hash, bytes: &[u8], processes: &Processes) -> Prepared {
        let cell = self.known().touch(hash);
        let prepared = cell.get_or_init(|| self.prepare(hash, bytes, processes)).clone();
        // These may go better next time.
        if let Err(Unfit::Failed(Void::HostMemory | Void::Unavailable | Void::Interrupted, _)) =
            &prepared
        {
            // But not what others came to since.
            let mut known = self.known();
            if let Some(module) = known.modules.get_mut(&hash)
                && Arc::ptr_eq(&module.prepared, &cell)
            {
                module.prepared = Arc::default();
            }
        }
        prepared
    }

    /// Lets go of what is known of a module; it is compiled again when it is wanted.
    pub fn forget(&self, hash: Hash) {
        if let Some(module) = self.known().modules.get_mut(&hash) {
            module.prepared = Arc::default();
        }
    }

    /// A process ended while it ran this module, in this way. Answers whether the module is run no more.
    pub fn blame(&self, hash: Hash, how: &str) -> bool {
        let mut known = self.known();
        known.touch(hash);
        let Some(module) = known.modules.get_mut(&hash) else { return false };
        if module.died.is_none_or(|at| at.elapsed() > DEATHS_FORGOTTEN) {
            module.deaths = 0;
        }
        module.deaths += 1;
        module.died = Some(Instant::now());
        tracing::warn!("a process of the module {hash} ended: {how}");
        if module.deaths < DEATHS_MAX {
            return false;
        }
        let why = format!("the module took {DEATHS_MAX} processes with it, the last one {how}");
        module.prepared = Arc::new(OnceLock::from(Err(Unfit::Failed(Void::Engine, why))));
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepare(&self, hash: Hash, bytes: &[u8], processes: &Processes) -> Prepared {
        // First of all: a refusal is kept under the hash, so it must be about these bytes.
        if Hash::of(bytes) != hash {
            return Err(Unfit::misnamed(hash));
        }
        if let Some(found) = self.cache.find(hash) {
            return Ok(found);
        }
        let (recipe, code) = self.compile(hash, bytes, processes)?;
        let kept = self.cache.keep(hash, &recipe, &code);
        let failed = |error| {
            let folder = self.cache.folder().display();
            Unfit::Failed(
                Void::Interrupted,
                format!("no compiled module can be kept in {folder}: {error}"),
            )
        };
        kept.map(|file| (file, recipe)).map_err(failed)
    }

    fn compile(&self, hash: Hash, bytes: &[u8], processes: &Processes) -> Compiled {
        // Cheap, and so nobody pays a process for what is refused.
        Facts::of(bytes, &self.contract).map_err(Unfit::Refused)?;
        let _turn = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        let unstarted = |why: String| Unfit::Failed(Void::Interrupted, why);
        let started = processes.start(&self.program, &Role::Compile { bytes: bytes.len() as u64 });
        let (process, mut stdin, mut stdout) =
            started.map_err(|error| unstarted(format!("no process to compile in: {error}")))?;
        // One that ends before it has read everything says why by how it ended.
        let _ = stdin.write_all(bytes);
        drop(stdin);
        wire::receive::<Compiled>(&mut stdout, CODE_BYTES_MAX).unwrap_or_else(|error| {
            process.kill();
            let end = process.wait();
            // Its own limits end it by other signals.
            let killed = end.as_ref().is_ok_and(was_killed);
            let how = end.map_or_else(|error| error.to_string(), |end| end.to_string());
            let void = match killed && !self.blame(hash, &how) {
                true => Void::HostMemory,
                false => Void::Engine,
            };
            let why = "it may take too long or too much memory";
            Err(Unfit::Failed(void, format!("compiling the module failed, {error} ({how}); {why}")))
        })
    }
}

/// Whether a process was ended by the host, as one is that has no memory left.
#[cfg(unix)]
fn was_killed(end: &std::process::ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(end) == Some(9)
}

#[cfg(not(unix))]
fn was_killed(_: &std::process::ExitStatus) -> bool {
    false
}

impl Known {
    fn touch(&mut self, hash: Hash) -> Arc<OnceLock<Prepared>> {
        self.clock += 1;
        if self.modules.len() >= MODULES_MAX && !self.modules.contains_key(&hash) {
            let oldest = self.modules.iter().min_by_key(|(_, module)| module.used);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                self.modules.remove(&oldest);
            }
        }
        let module = self.modules.entry(hash).or_default();
        module.used = self.clock;
        module.prepared.clone()
    }
}
