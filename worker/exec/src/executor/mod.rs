//! Runs units on the cores that the donor lends, each in a process behind the second wall.
//!
//! Invariant: at most `cores` guests run at once; every run that is accepted ends in exactly one
//! [`Ran`], also when it is interrupted, its process dies or something in here panics.
//!
//! A process has no means to be asked to stop: it is paused by SIGSTOP and ended by SIGKILL. So
//! guests run without looking up, and what breaks out of the engine can be stopped too.
mod cache;
mod keeper;
mod modules;
mod process;
mod queue;

use super::{
    Backend, Checkpoint, Ran, Run, RunTag, SetupError, cell::Walls, engine, sandbox::Sandbox,
};
use cache::Cache;
use keeper::Keeper;
use modules::Modules;
use process::Processes;
pub use process::Program;
use queue::{Job, Queue};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// For how long a run that is not wanted any more may go on: it may be about to end, and a process
/// that is ended has to be started again.
const GRACE: Duration = Duration::from_millis(20);
/// How long a run may take: so long …
const RUN_TIME: Duration = Duration::from_secs(60);
/// … and a second for each so much fuel it may use: a thousandth of what any machine does.
const FUEL_PER_S_LEAST: u64 = 1_000_000;
/// How often it is looked at what runs.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What an executor is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Guests at once. With 0 none is expected, and a process is started only when one comes.
    pub cores: usize,
    /// Linear memory that a guest may have at most, whatever its manifest says, MiB.
    pub memory_mib: u64,
    /// How this program is started as one that runs guests.
    pub program: Program,
    /// The folder for compiled modules; nobody else's.
    pub cache: PathBuf,
    /// The secret by which this node knows the compiled modules for its own.
    pub cache_key: [u8; 32],
}

/// The processes, the threads that keep them busy, and the modules they know.
pub struct Executor {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Queue,
    processes: Processes,
    program: Program,
    modules: Modules,
    memory_mib: u64,
    walls: Mutex<Option<Walls>>,
    deaths: AtomicU64,
}

impl Executor {
    /// An executor; its processes start when they are needed.
    ///
    /// # Errors
    /// The engine, the folder or a thread is not to be had.
    pub fn new(setup: Setup) -> Result<Executor, SetupError> {
        let Setup { cores, memory_mib, program, cache, cache_key } = setup;
        let (fingerprint, contract) = Sandbox::new(Backend::default())?.into_contract();
        let cache = Cache::open(&cache, cache_key, fingerprint, &program.path)?;
        let (eager, cores) = (cores > 0, cores.max(1));
        let shared = Arc::new(Shared {
            queue: Queue::new(cores),
            processes: Processes::default(),
            modules: Modules::new(program.clone(), cache, contract),
            program,
            memory_mib: memory_mib.min((engine::MEMORY_BYTES_MAX >> 20) as u64),
            walls: Mutex::default(),
            deaths: AtomicU64::new(0),
        });
        let mut executor = Executor { shared, threads: Vec::new() };
        for at in 0..cores {
            executor.start(format!("dugnad-run-{at}"), move |shared| {
                Keeper::new(shared, at).work(eager && at == 0);
            })?;
        }
        executor.start("dugnad-watch".into(), watch)?;
        Ok(executor)
    }

    fn start(
        &mut self,
        name: String,
        work: impl FnOnce(&Shared) + Send + 'static,
    ) -> Result<(), SetupError> {
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name(name).spawn(move || work(&shared));
        self.threads.push(thread.map_err(SetupError::Threads)?);
        Ok(())
    }

    /// Looks a module over without compiling it.
    ///
    /// # Errors
    /// Why it can be run nowhere, in a sentence.
    pub fn inspect(&self, module: &[u8]) -> Result<crate::Facts, String> {
        self.shared.modules.inspect(module)
    }

    /// Runs one unit and waits for its end. It takes its turn among the spawned ones.
    pub fn run(&self, run: Run) -> Ran {
        let (done, ended) = mpsc::channel();
        self.spawn(RunTag(u64::MAX), run, move |ran| {
            let _ = done.send(ran);
        });
        ended.recv().unwrap_or_else(|_| Ran::interrupted())
    }

    /// Queues one unit, first come first served; `done` is called on a thread of the executor.
    pub fn spawn(&self, tag: RunTag, run: Run, done: impl FnOnce(Ran) + Send + 'static) {
        self.spawn_keeping(tag, run, |_| {}, done);
    }

    /// The same; `keep` is given the checkpoints of a stepped unit, about one a second, on a thread
    /// of the executor.
    pub fn spawn_keeping(
        &self,
        tag: RunTag,
        run: Run,
        keep: impl FnMut(&Checkpoint) + Send + 'static,
        done: impl FnOnce(Ran) + Send + 'static,
    ) {
        let (done, keep) = (Box::new(done), Box::new(keep));
        let (keep_at, steps) = (Instant::now(), Vec::new());
        let job = Job { tag, run, done, keep, keep_at, steps, interrupted: None };
        if let Some(late) = self.shared.queue.push(job) {
            late.end_interrupted();
        }
    }

    /// Ends the runs of some tags, queued ones too, as [`Void::Interrupted`]. Later runs of the same
    /// tags are not touched.
    ///
    /// [`Void::Interrupted`]: coordinator_free_scheduler::Void::Interrupted
    pub fn interrupt(&self, tags: impl IntoIterator<Item = RunTag>) {
        let tags: BTreeSet<RunTag> = tags.into_iter().collect();
        if !tags.is_empty() {
            let ended = self.shared.queue.interrupt(Some(&tags));
            ended.into_iter().for_each(Job::end_interrupted);
        }
    }

    /// Ends all runs, queued ones too.
    pub fn interrupt_all(&self) {
        self.shared.queue.interrupt(None).into_iter().for_each(Job::end_interrupted);
    }

    /// Has all guests stand still where they are, and begins no others, or goes on. What stands still
    /// keeps its memory and takes no processor time.
    pub fn pause(&self, paused: bool) {
        self.shared.queue.pause(paused);
        self.shared.processes.pause(paused);
    }

    /// The names of the walls that stand around the guests; none before the first process has begun.
    pub fn walls(&self) -> Vec<&'static str> {
        let walls = *self.shared.walls.lock().unwrap_or_else(PoisonError::into_inner);
        walls.map(Walls::names).unwrap_or_default()
    }

    /// How many processes have died of what they ran.
    pub fn deaths(&self) -> u64 {
        self.shared.deaths.load(Ordering::Relaxed)
    }
}

impl Drop for Executor {
    /// Guests must not outlive it.
    fn drop(&mut self) {
        self.shared.queue.close();
        self.interrupt_all();
        self.shared.processes.close();
        for thread in self.threads.drain(..) {
            // The last of its owners may be one of its own threads, which is answering somebody.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

/// Ends processes whose run is not wanted any more, or does not end.
fn watch(shared: &Shared) {
    while !shared.queue.is_closing() {
        let mut soon = LOOK_EVERY;
        for at in 0..shared.queue.flights.len() {
            if let Some(left) = look(shared, at) {
                soon = soon.min(left);
            }
        }
        shared.queue.wait(soon.max(Duration::from_millis(1)));
    }
}

/// Ends a process if it is time; else answers when it will be, if it is foreseen.
fn look(shared: &Shared, at: usize) -> Option<Duration> {
    let paused = shared.queue.is_paused();
    let mut flight = shared.queue.flight(at);
    let (first, (process, since)) = (flight.jobs.front()?, flight.with.clone()?);
    let fuel_time = Duration::from_secs(first.run.limits.fuel / FUEL_PER_S_LEAST);
    let hangs = !paused && since.elapsed() > RUN_TIME.saturating_add(fuel_time);
    let unwanted = first.interrupted.map(|since: Instant| GRACE.saturating_sub(since.elapsed()));
    if hangs || unwanted == Some(Duration::ZERO) {
        flight.killed = !hangs;
        process.kill();
        return None;
    }
    unwanted
}
