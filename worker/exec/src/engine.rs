//! The wasm engine, set up so that a run means the same on every machine.
//!
//! Invariant: every switch that changes what a guest can see is set here by name and belongs to the
//! contract [`ENGINE`](coordinator_free_scheduler::ENGINE); the others only change speed. Fuel, stack and
//! NaNs are no business of the engine: [`pass`](crate::pass) has put them into the module.
use super::{
    facts::{self, TABLE_ELEMENTS_MAX, TABLES_MAX},
    pass::STACK_SLOTS_MAX,
};
use std::{num::NonZeroUsize, path::PathBuf};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    RegallocAlgorithm, Strategy,
};

/// Native stack of a guest, bytes: eight times what the pass counts as a value's slot, 8 bytes, since
/// how much a frame takes is the compiler's business. A guest that exceeds it all the same is void.
pub const WASM_STACK_BYTES: usize = 64 * STACK_SLOTS_MAX as usize;
/// Most linear memory that wasm with 32-bit addresses can have, bytes.
pub const MEMORY_BYTES_MAX: usize = 4 << 30;
/// Memory of a finished guest that is wiped and kept for the next one rather than given back.
const KEPT_MEMORY_BYTES: usize = 2 << 20;
/// The engine's own record of an instance, bytes; what `facts` lets through fits.
const INSTANCE_BYTES_MAX: usize = 16 << 20;
/// Memories kept ready: one, since what an idle one has kept counts against the process's limit.
const SLOTS: u32 = 1;
/// Stack of a thread that runs guests: the guest's own and room for the host's calls under it.
pub const THREAD_STACK_BYTES: usize = WASM_STACK_BYTES + (3 << 20);
/// Pulley on machines like the usual ones.
const PULLEY: &str = "pulley64";
/// Frames of the guest that are named in the detail of a trap.
const TRAP_FRAMES: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// How modules become machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Backend {
    /// Compiled for this machine.
    #[default]
    Cranelift,
    /// Compiled for the portable interpreter Pulley: slow, and a second opinion.
    Pulley,
}

/// Why there is no executor.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the wasm engine cannot start on this machine: {0}")]
    Engine(String),
    #[error("the threads that run units cannot be started: {0}")]
    Threads(std::io::Error),
    #[error("the folder {} for compiled modules cannot be used: {error}", .folder.display())]
    Cache { folder: PathBuf, error: std::io::Error },
}

impl From<wasmtime::Error> for SetupError {
    fn from(error: wasmtime::Error) -> Self {
        SetupError::Engine(format!("{error:#}"))
    }
}

/// An engine for one guest at a time. The ways to give them memory differ in speed alone; the
/// first that this host has is taken.
pub fn new(backend: Backend) -> Result<Engine, SetupError> {
    let start = |pooled: Option<PoolingAllocationConfig>| {
        let mut config = contract();
        if backend == Backend::Pulley {
            config.target(PULLEY)?;
        }
        if let Some(pool) = pooled {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        Engine::new(&config)
    };
    // A pool reserves address space for its guests, which not every host grants.
    start(Some(wiping_pool()))
        .or_else(|_| start(Some(pool())))
        .or_else(|_| start(None))
        .map_err(SetupError::from)
}

fn contract() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(wasmtime::WasmFeatures::all(), false)
        .wasm_features(facts::features(), true)
        .max_wasm_stack(WASM_STACK_BYTES)
        // Not used; but the engine wants it no smaller.
        .async_stack_size(WASM_STACK_BYTES)
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .memory_reservation(MEMORY_BYTES_MAX as u64)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(Some(TRAP_FRAMES))
        .generate_address_map(false)
        .parallel_compilation(true);
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(SLOTS)
        .total_memories(SLOTS)
        .total_tables(SLOTS * TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX as usize)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX);
    pool
}

/// A pool that wipes the pages which a guest wrote rather than give them back; it needs a system
/// that tells which these are (Linux 6.7 or later), since wiping all of them is slower than either.
fn wiping_pool() -> PoolingAllocationConfig {
    let mut pool = pool();
    pool.pagemap_scan(Enabled::Yes)
        .linear_memory_keep_resident(KEPT_MEMORY_BYTES)
        .table_keep_resident(KEPT_MEMORY_BYTES);
    pool
}
