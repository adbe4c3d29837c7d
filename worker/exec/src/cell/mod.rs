//! The processes behind the second wall: one for each core and owner of work, and one for each module
//! that is compiled. This is their side; the node's is [`Executor`](crate::Executor).
//!
//! Invariant: what comes from strangers is touched only after the walls stand. Here are no keys and
//! no sockets; all that a guest which breaks out could reach is the compiled modules, to be read.
pub(crate) mod walls;

use super::{
    engine::{Backend, THREAD_STACK_BYTES},
    loaded::Loaded,
    sandbox::Sandbox,
    steps::rest,
    wire::{self, Compiled, Reply, WireError, Work},
};
use coordinator_free_scheduler::{Step, trace::STEP_BYTES};
use std::{
    collections::HashMap,
    ffi::OsString,
    io::{BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};
pub use walls::Walls;

/// Modules that are kept loaded; beyond, all are let go of, and loaded again where they are wanted.
const LOADED_MAX: usize = 16;
/// Threads that compile one module: each has a stack, and all have the same limit of memory.
const COMPILE_THREADS_MAX: usize = 8;
/// Processor time for compiling one module, seconds; honest ones take a hundredth of it …
const COMPILE_CPU_S: u64 = 60;
/// … and so many more for each MiB of it, a tenth of which an interpreter takes.
const COMPILE_CPU_S_PER_MIB: u64 = 10;
/// Memory for compiling one module, bytes.
const COMPILE_BYTES_MAX: u64 = 3 << 30;
/// Memory of a process that runs guests, beyond what guests may have: code, stack, what they write.
const OVERHEAD_BYTES: u64 = 1 << 30;

/// What a process is for, as the node tells it on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Runs guests.
    Run {
        /// Where the machine code is.
        folder: PathBuf,
        /// Linear memory that a guest may have at most.
        memory_mib: u64,
    },
    /// Compiles the module that comes in.
    Compile {
        /// Its length.
        bytes: u64,
    },
}

impl Role {
    /// The role on a command line.
    pub fn arguments(&self) -> Vec<OsString> {
        match self {
            Role::Run { folder, memory_mib } => {
                vec!["run".into(), folder.into(), memory_mib.to_string().into()]
            }
            Role::Compile { bytes } => vec!["compile".into(), bytes.to_string().into()],
        }
    }
}

/// The main function of such a process: speaks with the node over its standard streams until that
/// says no more.
pub fn main(role: &Role) -> ExitCode {
    walls::end_with_parent();
    let ended = match role {
        Role::Run { folder, memory_mib } => run(folder, *memory_mib),
        Role::Compile { bytes } => compile(*bytes),
    };
    match ended {
        // The node has nothing more to say, or is gone.
        Ok(()) | Err(CellError::Wire(WireError::Ended(_))) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dugnad: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum CellError {
    #[error(transparent)]
    Setup(#[from] super::SetupError),
    #[error("the node is not understood: {0}")]
    Wire(#[from] WireError),
    #[error("no thread to run on: {0}")]
    Thread(std::io::Error),
    #[error("the compiled modules in {} cannot be read: {error}", .folder.display())]
    Folder { folder: PathBuf, error: std::io::Error },
}

fn run(folder: &Path, memory_mib: u64) -> Result<(), CellError> {
    // The engine opens what it needs of the system before that is out of reach.
    let sandbox = Sandbox::new(Backend::default())?;
    std::fs::metadata(folder).map_err(|error| {
        let folder = folder.to_owned();
        CellError::Folder { folder, error }
    })?;
    let memory = walls::limit_memory((memory_mib << 20).saturating_add(OVERHEAD_BYTES));
    let files = walls::close_files(Some(folder));
    std::thread::scope(|scope| {
        let serve = || {
            let walls = Walls { memory, files, calls: walls::close_calls() };
            serve(&sandbox, folder, walls)
        };
        let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let thread = thread.spawn_scoped(scope, serve).map_err(CellError::Thread)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn serve(sandbox: &Sandbox, folder: &Path, walls: Walls) -> Result<(), CellError> {
    let (mut node, out) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut out = BufWriter::new(out);
    say(&mut out, &Reply::Begun(walls))?;
    let mut loaded = HashMap::new();
    loop {
        let work: Work = wire::receive(&mut node, u32::MAX as usize)?;
        match module(sandbox, folder, &work, &mut loaded) {
            Ok(module) => {
                for run in work.runs {
                    let mut telling = Telling::new(&mut out);
                    let ran = sandbox.run_here(module, run, &mut |step, state| {
                        telling.tell(step, state);
                    });
                    telling.ended?;
                    say(&mut out, &Reply::Ended(ran))?;
                }
            }
            Err(error) => say(&mut out, &Reply::Unloadable(format!("{error:#}")))?,
        }
    }
}

/// Tells the node at once, for it is to know what runs next.
fn say(out: &mut impl Write, reply: &Reply) -> Result<(), WireError> {
    wire::send(out, reply)?;
    Ok(out.flush()?)
}

/// What the node is told while a stepped unit runs.
struct Telling<'a, W> {
    out: &'a mut W,
    /// When the next state is due, and the steps that go with it.
    due: Instant,
    steps: usize,
    ended: Result<(), WireError>,
}

impl<'a, W: Write> Telling<'a, W> {
    fn new(out: &'a mut W) -> Telling<'a, W> {
        Telling { out, due: Instant::now() + rest(0), steps: 0, ended: Ok(()) }
    }

    fn tell(&mut self, step: Step, state: &[u8]) {
        self.steps += 1;
        let due = Instant::now() >= self.due;
        let reply = Reply::Stepped(step, due.then(|| state.to_vec()));
        let told = match due {
            true => say(self.out, &reply),
            false => wire::send(self.out, &reply),
        };
        if due {
            self.due = Instant::now() + rest(state.len() + self.steps * STEP_BYTES);
        }
        if self.ended.is_ok() {
            self.ended = told;
        }
    }
}

fn module<'a>(
    sandbox: &Sandbox,
    folder: &Path,
    work: &Work,
    loaded: &'a mut HashMap<String, Loaded>,
) -> wasmtime::Result<&'a Loaded> {
    if loaded.len() >= LOADED_MAX && !loaded.contains_key(&work.code) {
        loaded.clear();
    }
    match loaded.entry(work.code.clone()) {
        std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
        std::collections::hash_map::Entry::Vacant(new) => {
            Ok(new.insert(sandbox.load(&folder.join(&work.code), &work.recipe)?))
        }
    }
}

fn compile(bytes: u64) -> Result<(), CellError> {
    let sandbox = Sandbox::new(Backend::default())?;
    walls::limit_memory(COMPILE_BYTES_MAX);
    walls::limit_time(COMPILE_CPU_S + (bytes >> 20) * COMPILE_CPU_S_PER_MIB);
    walls::close_files(None);
    let count = std::thread::available_parallelism().map_or(1, |count| count.get());
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(count.min(COMPILE_THREADS_MAX))
        .stack_size(THREAD_STACK_BYTES);
    let threads =
        threads.build().map_err(|error| CellError::Thread(std::io::Error::other(error)))?;
    walls::close_calls();
    let mut module = Vec::new();
    std::io::stdin().lock().take(bytes).read_to_end(&mut module).map_err(WireError::from)?;
    let compiled: Compiled = threads.install(|| sandbox.compile(&module));
    Ok(wire::send(&mut std::io::stdout().lock(), &compiled)?)
}
