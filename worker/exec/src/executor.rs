//! Runs units on the cores that the donor lends.
//!
//! Invariant: at most `cores` guests run at once, whoever asks; every run that is accepted ends in
//! exactly one [`Ran`], also when it is interrupted or something in here panics.
use super::{Anatomy, Backend, Ran, Run, RunTag, SetupError, sandbox::Sandbox};
use coordinator_free_scheduler::Void;
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// Stack of a thread that runs guests: the guest's own and room for the host's calls under it.
const THREAD_STACK_BYTES: usize = super::engine::WASM_STACK_BYTES + (3 << 20);

/// The threads, the engine and the compiled modules.
pub struct Executor {
    sandbox: Arc<Sandbox>,
    threads: rayon::ThreadPool,
    flags: StopFlags,
}

/// One flag for all the runs of a tag that are queued or running.
#[derive(Default)]
struct StopFlags(Mutex<HashMap<RunTag, Weak<AtomicBool>>>);

impl Executor {
    /// An executor for `cores` guests at once; at least one.
    pub fn new(cores: usize, backend: Backend) -> Result<Executor, SetupError> {
        let cores = cores.max(1);
        let threads = |role: &'static str| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(cores)
                .stack_size(THREAD_STACK_BYTES)
                .thread_name(move |index| format!("dugnad-{role}-{index}"))
                .panic_handler(|_| tracing::error!("a handler of a finished run panicked"))
                .build()
        };
        let sandbox = Arc::new(Sandbox::new(cores, backend, threads("compile")?)?);
        Ok(Executor { sandbox, threads: threads("run")?, flags: StopFlags::default() })
    }

    /// Looks a module over without compiling it.
    ///
    /// # Errors
    /// Why it can be run nowhere, in a sentence.
    pub fn inspect(&self, module: &[u8]) -> Result<(), String> {
        self.sandbox.inspect(module)
    }

    /// Looks a module over more closely: what it uses, and what the pass puts into it.
    ///
    /// # Errors
    /// Why it can be run nowhere, in a sentence.
    pub fn anatomy(&self, module: &[u8]) -> Result<Anatomy, String> {
        self.sandbox.anatomy(module)
    }

    /// Runs one unit and waits for its end. It takes its turn among the spawned ones.
    pub fn run(&self, run: Run) -> Ran {
        let stop = Arc::new(AtomicBool::new(false));
        self.threads.install(|| run_caught(&self.sandbox, run, stop))
    }

    /// Queues one unit, first come first served; `done` is called on a thread of the pool.
    pub fn spawn(&self, tag: RunTag, run: Run, done: impl FnOnce(Ran) + Send + 'static) {
        let stop = self.flags.of(tag);
        let sandbox = self.sandbox.clone();
        self.threads.spawn_fifo(move || done(run_caught(&sandbox, run, stop)));
    }

    /// Ends the runs of some tags, queued ones too, as [`Void::Interrupted`]. Later runs of the same
    /// tags are not touched.
    pub fn interrupt(&self, tags: impl IntoIterator<Item = RunTag>) {
        let mut flags = self.flags.lock();
        tags.into_iter().for_each(|tag| raise(flags.remove(&tag)));
        drop(flags);
        self.sandbox.wake();
    }

    /// Ends all spawned runs, queued ones too, as [`Void::Interrupted`].
    pub fn interrupt_all(&self) {
        let stops = std::mem::take(&mut *self.flags.lock());
        stops.into_values().for_each(|stop| raise(Some(stop)));
        self.sandbox.wake();
    }
}

impl Drop for Executor {
    /// Guests must not outlive it.
    fn drop(&mut self) {
        self.interrupt_all();
    }
}

fn run_caught(sandbox: &Sandbox, run: Run, stop: Arc<AtomicBool>) -> Ran {
    catch_unwind(AssertUnwindSafe(|| sandbox.run(run, stop))).unwrap_or_else(|_| {
        Ran::without_guest(Err(Void::Engine), "the sandbox panicked; this is a defect of it".into())
    })
}

fn raise(stop: Option<Weak<AtomicBool>>) {
    if let Some(stop) = stop.and_then(|stop| stop.upgrade()) {
        stop.store(true, Ordering::Release);
    }
}

impl StopFlags {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunTag, Weak<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, tag: RunTag) -> Arc<AtomicBool> {
        let mut flags = self.lock();
        if let Some(stop) = flags.get(&tag).and_then(Weak::upgrade) {
            return stop;
        }
        // Those that have no runs any more are cleared away each time that they have doubled.
        if flags.len().is_power_of_two() {
            flags.retain(|_, stop| stop.strong_count() > 0);
        }
        let stop = Arc::new(AtomicBool::new(false));
        flags.insert(tag, Arc::downgrade(&stop));
        stop
    }
}
