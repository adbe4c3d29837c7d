//! Compiled modules, kept while they are wanted.
//!
//! Invariant: a module is compiled once however many runs wait for it, and what is kept stays within
//! [`COMPILED_BYTES_MAX`]. Only what this process compiled is ever run.
use super::{
    facts::{Contract, Facts, Kind, Refusal},
    guest::Guest,
    pass::{Passed, pass},
};
use coordinator_free_scheduler::{Hash, Void};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};
use wasmtime::{Engine, InstancePre, Linker, Module, ModuleExport};

/// Machine code that is kept, bytes; the least recently used modules go first.
pub const COMPILED_BYTES_MAX: usize = 512 << 20;
/// What one kept module is counted as beside its code, bytes.
const ENTRY_BYTES: usize = 16 << 10;

/// A module, ready or not.
pub enum Prepared {
    /// It can be run.
    Ready(Box<Loaded>),
    /// It can be run nowhere.
    Refused(Refusal),
    /// This host cannot run it.
    Failed(Void, String),
}

/// A module that can be run.
pub struct Loaded {
    /// Linked with the host's functions.
    pub instance: InstancePre<Guest>,
    /// How it is entered.
    pub entry: Entry,
    /// Its start function, which is not run before its fuel is set.
    pub start: Option<ModuleExport>,
    /// Where its fuel is counted.
    pub fuel: ModuleExport,
    /// Where the slots of its stack are.
    pub stack: ModuleExport,
    /// What is known of it.
    pub facts: Facts,
}

/// Where a module is entered.
pub enum Entry {
    /// A WASI command.
    Command { start: ModuleExport, memory: Option<ModuleExport> },
    /// A plain unit.
    Plain { memory: ModuleExport, alloc: ModuleExport, run: ModuleExport },
}

/// The modules that are kept.
pub struct Modules {
    engine: Engine,
    linker: Linker<Guest>,
    contract: Contract,
    compilers: rayon::ThreadPool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    slots: HashMap<Hash, Slot>,
    bytes: usize,
    clock: u64,
}

struct Slot {
    prepared: Arc<OnceLock<Prepared>>,
    bytes: usize,
    used: u64,
}

impl Modules {
    /// Nothing kept yet; compiles on `compilers`.
    pub fn new(
        engine: Engine,
        linker: Linker<Guest>,
        contract: Contract,
        compilers: rayon::ThreadPool,
    ) -> Modules {
        Modules { engine, linker, contract, compilers, kept: Mutex::default() }
    }

    /// What is known of a module that may be run.
    pub fn facts(&self, module: &[u8]) -> Result<Facts, Refusal> {
        Facts::of(module, &self.contract)
    }

    /// The module named `hash`, compiled now if it is not kept. The cell that comes back is set.
    pub fn get(&self, hash: Hash, bytes: &[u8]) -> Arc<OnceLock<Prepared>> {
        let cell = self.kept().touch(hash);
        let mut compiled_bytes = None;
        let prepared = cell.get_or_init(|| {
            let (prepared, code_bytes) = self.prepare_aside(hash, bytes);
            compiled_bytes = Some(ENTRY_BYTES + code_bytes);
            prepared
        });
        if let Prepared::Failed(..) = prepared {
            // It may go better next time.
            self.kept().forget(hash, &cell);
        } else if let Some(bytes) = compiled_bytes {
            self.kept().weigh(hash, &cell, bytes);
        }
        cell
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares a module while this thread does nothing else. A thread that waits inside a rayon
    /// pool would take up another run meanwhile, which may wait for this very module for ever;
    /// hence the plain thread in between.
    fn prepare_aside(&self, hash: Hash, bytes: &[u8]) -> (Prepared, usize) {
        let aside = thread::scope(|scope| {
            let work = || self.compilers.install(|| self.prepare(hash, bytes));
            let thread = thread::Builder::new().name("dugnad-compile".into());
            thread.spawn_scoped(scope, work).map(|compiling| compiling.join())
        });
        let failed = |why: String| (Prepared::Failed(Void::Engine, why), 0);
        match aside {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(_)) => failed("the compiler panicked on this module".into()),
            Err(error) => failed(format!("no thread to compile on: {error}")),
        }
    }

    fn prepare(&self, hash: Hash, bytes: &[u8]) -> (Prepared, usize) {
        // First of all: a refusal is kept under the hash, so it must be about these bytes.
        if Hash::of(bytes) != hash {
            let why = format!("the module's bytes have not the hash {hash}");
            return (Prepared::Failed(Void::Unavailable, why), 0);
        }
        let facts = match self.facts(bytes) {
            Ok(facts) => facts,
            Err(refusal) => return (Prepared::Refused(refusal), 0),
        };
        let passed = match pass(bytes) {
            Ok(passed) => passed,
            Err(error) => return (Prepared::Failed(Void::Engine, error.to_string()), 0),
        };
        match self.compile(facts, &passed) {
            Ok((loaded, code_bytes)) => (Prepared::Ready(Box::new(loaded)), code_bytes),
            Err(error) => (Prepared::Failed(Void::Engine, format!("{error:#}")), 0),
        }
    }

    fn compile(&self, facts: Facts, passed: &Passed) -> wasmtime::Result<(Loaded, usize)> {
        // The engine validates what the pass has made.
        let module = Module::new(&self.engine, &passed.module)?;
        let export = |name: &str| {
            let missing = || wasmtime::Error::msg(format!("the export {name} got lost"));
            module.get_export_index(name).ok_or_else(missing)
        };
        let entry = match facts.kind {
            Kind::Command => Entry::Command {
                start: export("_start")?,
                memory: module.get_export_index("memory"),
            },
            Kind::Plain => Entry::Plain {
                memory: export("memory")?,
                alloc: export("alloc")?,
                run: export("run")?,
            },
        };
        let code = module.image_range();
        let code_bytes = (code.end as usize).saturating_sub(code.start as usize);
        let instance = self.linker.instantiate_pre(&module)?;
        let start = passed.start.as_deref().map(export).transpose()?;
        let (fuel, stack) = (export(&passed.fuel)?, export(&passed.stack)?);
        let bytes = code_bytes + passed.module.len();
        Ok((Loaded { instance, entry, start, fuel, stack, facts }, bytes))
    }
}

impl Kept {
    fn touch(&mut self, hash: Hash) -> Arc<OnceLock<Prepared>> {
        self.clock += 1;
        let used = self.clock;
        let slot = self.slots.entry(hash).or_insert_with(|| Slot {
            prepared: Arc::default(),
            bytes: 0,
            used,
        });
        slot.used = used;
        slot.prepared.clone()
    }

    /// Counts a module that was just compiled, and lets others go until all fits.
    fn weigh(&mut self, hash: Hash, cell: &Arc<OnceLock<Prepared>>, bytes: usize) {
        match self.slots.get_mut(&hash) {
            Some(slot) if Arc::ptr_eq(&slot.prepared, cell) => slot.bytes = bytes,
            Some(_) | None => return,
        }
        self.bytes += bytes;
        while self.bytes > COMPILED_BYTES_MAX {
            let others = self.slots.iter().filter(|(name, slot)| **name != hash && slot.bytes > 0);
            let Some(oldest) = others.min_by_key(|(_, slot)| slot.used).map(|(name, _)| *name)
            else {
                return;
            };
            self.bytes -= self.slots.remove(&oldest).map_or(0, |slot| slot.bytes);
        }
    }

    fn forget(&mut self, hash: Hash, cell: &Arc<OnceLock<Prepared>>) {
        if self.slots.get(&hash).is_some_and(|slot| Arc::ptr_eq(&slot.prepared, cell)) {
            self.bytes -= self.slots.remove(&hash).map_or(0, |slot| slot.bytes);
        }
    }
}
