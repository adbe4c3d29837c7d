//! The thread that keeps one process busy: it sends runs, takes in how they ended, and starts the
//! process anew when it is gone.
//!
//! Each owner of work has processes of its own, of which some wait, so that a guest that took its
//! process over could speak for its own owner's work alone.
use super::{
    super::{
        Ran, Run,
        cell::{Role, Walls},
        facts::Kind,
        loaded::{Recipe, Unfit},
        wire::{self, Batch, Reply, WireError},
    },
    Shared,
    process::Process,
};
use coordinator_free_scheduler::{PeerKey, Trace, trace::STATE_BYTES_MAX};
use std::{
    collections::VecDeque,
    io::{BufReader, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    process::{ChildStdin, ChildStdout},
    sync::Arc,
    time::{Duration, Instant},
};

/// What a run's end may take beyond its output, bytes: standard error, the detail of a trap.
const END_BYTES_MAX: usize = 1 << 20;
/// Before a process is started again that could not be.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Processes of a core that wait for more of their owners' work.
const RESTING_MAX: usize = 2;

/// A process that runs guests, and what is said to it.
struct Cell {
    /// Whose work it has had.
    owner: Option<PeerKey>,
    process: Arc<Process>,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// One of the threads.
pub struct Keeper<'a> {
    shared: &'a Shared,
    at: usize,
    cell: Option<Cell>,
    /// Those of other owners, the one that was used last in front.
    resting: VecDeque<Cell>,
}

impl<'a> Keeper<'a> {
    /// The keeper of the process `at`.
    pub fn new(shared: &'a Shared, at: usize) -> Keeper<'a> {
        Keeper { shared, at, cell: None, resting: VecDeque::new() }
    }

    /// Works until the executor ends. An eager one starts its process before it is needed, so that
    /// it is known which walls stand.
    pub fn work(&mut self, eager: bool) {
        if eager && let Err(error) = self.begin(None) {
            tracing::error!("no process to run units in: {error}");
        }
        while self.shared.queue.take(self.at) {
            while !self.is_done() {
                if catch_unwind(AssertUnwindSafe(|| self.fly())).is_err() {
                    tracing::error!("a keeper panicked; this is a defect of the executor");
                    self.cell = None;
                    self.end_all(Ran::interrupted);
                }
            }
            self.shared.queue.flight(self.at).with = None;
        }
        self.end_all(Ran::interrupted);
    }

    fn is_done(&self) -> bool {
        self.shared.queue.flight(self.at).jobs.is_empty() || self.shared.queue.is_closing()
    }

    /// Has the runs of its flight run, as far as one process goes.
    fn fly(&mut self) {
        let module = |run: &Run| (run.owner, run.module_hash, run.module.clone());
        let first = self.shared.queue.flight(self.at).jobs.front().map(|job| module(&job.run));
        let Some((owner, hash, module)) = first else { return };
        match self.shared.modules.get(hash, &module, &self.shared.processes) {
            Err(unfit) => self.end_all(|| Ran::unfit(&unfit)),
            Ok((code, recipe)) => {
                self.end_those_without_need(&recipe);
                if self.is_done() {
                    return;
                }
                if let Err(error) = self.begin(Some(owner)) {
                    // That is this machine's trouble and no module's; it may be over soon.
                    tracing::error!("no process to run units in: {error}");
                    self.end_all(Ran::interrupted);
                    return self.shared.queue.wait(BACK_OFF);
                }
                let stepped = recipe.facts.kind == Kind::Stepped;
                let ended = self.send(&code, &recipe).and_then(|()| self.receive_all(stepped));
                if let Err(error) = ended {
                    self.mourn(&error);
                }
            }
        }
    }

    /// Ends the runs that need no process: nobody wants them any more, or they ask for too much.
    fn end_those_without_need(&self, recipe: &Recipe) {
        let mut flight = self.shared.queue.flight(self.at);
        let (ended, stay): (Vec<_>, Vec<_>) = flight.jobs.drain(..).partition(|job| {
            job.interrupted.is_some() || recipe.refusal(&job.run.limits).is_some()
        });
        flight.jobs = stay.into();
        drop(flight);
        for job in ended {
            let refusal = recipe.refusal(&job.run.limits);
            match (job.interrupted, refusal) {
                (None, Some(refusal)) => end(job, Ran::unfit(&Unfit::Refused(refusal))),
                _ => end(job, Ran::interrupted()),
            }
        }
    }

    /// Takes the owner's process, or one that nobody has had; starts it if there is none.
    fn begin(&mut self, owner: Option<PeerKey>) -> Result<(), WireError> {
        let fits = |cell: &Cell| cell.owner.is_none() || cell.owner == owner;
        if let Some(other) = self.cell.take_if(|cell| !fits(cell)) {
            self.resting.push_front(other);
            self.cell = self.resting.iter().position(fits).and_then(|at| self.resting.remove(at));
            self.resting.truncate(RESTING_MAX);
        }
        if let Some(cell) = &mut self.cell {
            cell.owner = owner;
            return Ok(());
        }
        let Shared { processes, program, modules, memory_mib, .. } = self.shared;
        let folder = modules.cache().folder().to_owned();
        let role = Role::Run { folder, memory_mib: *memory_mib };
        let (process, stdin, stdout) = processes.start(program, &role)?;
        let mut stdout = BufReader::new(stdout);
        if let Reply::Begun(walls) = wire::receive(&mut stdout, END_BYTES_MAX)? {
            self.shared.stand(walls);
        }
        self.cell = Some(Cell { owner, process, stdin, stdout });
        Ok(())
    }

    fn send(&mut self, code: &str, recipe: &Recipe) -> Result<(), WireError> {
        let Some(cell) = &mut self.cell else { return Ok(()) };
        let mut flight = self.shared.queue.flight(self.at);
        // What a process before this one has told since the last checkpoint is told again.
        flight.jobs.iter_mut().for_each(|job| job.steps.clear());
        let runs = flight.jobs.iter().map(|job| &job.run).collect();
        let bytes = wire::framed(&Batch { code, recipe, runs })?;
        flight.with = Some((cell.process.clone(), Instant::now()));
        flight.killed = false;
        drop(flight);
        Ok(cell.stdin.write_all(&bytes)?)
    }

    fn receive_all(&mut self, stepped: bool) -> Result<(), WireError> {
        let Some(cell) = &mut self.cell else { return Ok(()) };
        loop {
            let flight = self.shared.queue.flight(self.at);
            let front = flight.jobs.front().map(|job| job.run.limits);
            let Some(limits) = front else {
                // One that was ended just as it answered the last run is of no more use.
                if flight.killed {
                    self.cell = None;
                }
                return Ok(());
            };
            drop(flight);
            let most = limits.output_bytes.max(STATE_BYTES_MAX) as usize;
            let most = END_BYTES_MAX.saturating_add(most);
            match wire::receive(&mut cell.stdout, most)? {
                Reply::Ended(mut ran) => {
                    let mut flight = self.shared.queue.flight(self.at);
                    let job = flight.jobs.pop_front();
                    let begun = flight.with.replace((cell.process.clone(), Instant::now()));
                    drop(flight);
                    // The process may say anything.
                    ran.wall = ran.wall.min(begun.map_or(Duration::ZERO, |(_, at)| at.elapsed()));
                    if let Ok(answer) = &mut ran.end {
                        answer.fuel = answer.fuel.min(limits.fuel);
                    }
                    if let Some(mut job) = job {
                        ran.steps = job.take_steps();
                        if let Ok(answer) = &mut ran.end {
                            answer.trace = stepped.then(|| Trace::of(&ran.steps));
                        }
                        // A stepped unit may have begun near its end.
                        if !stepped {
                            self.shared.queue.learn(job.run.module_hash, ran.wall);
                        }
                        end(job, ran);
                    }
                }
                Reply::Unloadable(why) => {
                    self.reload(&why);
                    return Ok(());
                }
                Reply::Stepped(step, state) => {
                    if let Some(job) = self.shared.queue.flight(self.at).jobs.front_mut() {
                        job.step(step, state)?;
                    }
                }
                Reply::Begun(_) => {}
            }
        }
    }

    /// The machine code cannot be loaded. If it has gone, or was damaged, it is made again; if it is
    /// whole, that is blamed on the module, so that it comes to an end.
    fn reload(&mut self, why: &str) {
        let module = self.shared.queue.flight(self.at).jobs.front().map(|job| job.run.module_hash);
        let Some(module) = module else { return };
        tracing::warn!("compiled module {module} cannot be loaded, and is made again: {why}");
        let (modules, queue) = (&self.shared.modules, &self.shared.queue);
        let whole = modules.cache().find(module).is_some();
        if whole && modules.blame(module, why) {
            return;
        }
        modules.forget(module);
        queue.give_back(self.at);
    }

    /// The process is gone. If that was not the node's own doing, it was the first run's.
    fn mourn(&mut self, error: &WireError) {
        let how = self.cell.take().map(|cell| {
            cell.process.kill();
            cell.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
        });
        let closing = self.shared.queue.is_closing();
        let mut flight = self.shared.queue.flight(self.at);
        flight.with = None;
        let killed = std::mem::take(&mut flight.killed) || closing;
        let module = flight.jobs.front().map(|job| job.run.module_hash);
        drop(flight);
        if let (false, Some(module)) = (killed, module) {
            let how = format!("{error}, {}", how.unwrap_or_default());
            self.shared.deaths.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.shared.modules.blame(module, &how);
        }
    }

    fn end_all(&self, ran: impl Fn() -> Ran) {
        let jobs = std::mem::take(&mut self.shared.queue.flight(self.at).jobs);
        jobs.into_iter().for_each(|job| match job.interrupted {
            Some(_) => end(job, Ran::interrupted()),
            None => end(job, ran()),
        });
    }
}

/// Answers whoever waits; what they make of it is not this thread's end.
fn end(job: super::queue::Job, ran: Ran) {
    if catch_unwind(AssertUnwindSafe(|| job.end(ran))).is_err() {
        tracing::error!("a handler of a finished run panicked");
    }
}

impl Shared {
    fn stand(&self, walls: Walls) {
        *self.walls.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(walls);
    }
}
