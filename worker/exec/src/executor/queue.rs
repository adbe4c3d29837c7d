//! Runs that wait, and runs that are with a process.
//!
//! Invariant: a run is in the queue, in one flight, or has been answered; it moves from one to the
//! other under the queue's lock, so that an interrupt finds it.
use super::super::{Checkpoint, Ran, Run, RunTag, wire::WireError};
use super::process::Process;
use coordinator_free_scheduler::{
    Hash, Step,
    trace::{STATE_BYTES_MAX, STEPS_MAX},
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Runs that are sent to a process at once.
const BATCH_MAX: usize = 64;
/// Input bytes that are sent at once, beyond the first run's.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// What a batch should take: more would keep others waiting, less costs more in talking.
const BATCH_TIME: Duration = Duration::from_millis(2);
/// Modules whose usual time is remembered.
const PACES_MAX: usize = 64;

/// A run with who waits for it.
pub struct Job {
    pub tag: RunTag,
    pub run: Run,
    pub done: Box<dyn FnOnce(Ran) + Send>,
    /// Is given each new checkpoint of a stepped unit.
    pub keep: Box<dyn FnMut(&Checkpoint) + Send>,
    /// Not before then is there another one.
    pub keep_at: Instant,
    /// Steps since the last checkpoint.
    pub steps: Vec<Step>,
    /// Since when nobody wants it any more.
    pub interrupted: Option<Instant>,
}

impl Job {
    /// Answers whoever waits.
    pub fn end(self, ran: Ran) {
        (self.done)(ran);
    }

    /// Takes in a step. The run goes on from its state, if that came along, should its process die;
    /// not each is kept, however often the process sends one.
    ///
    /// # Errors
    /// It can be no step of this run.
    pub fn step(&mut self, step: Step, state: Option<Vec<u8>>) -> Result<(), WireError> {
        let begun = self.run.begin.as_ref();
        let known = begun.map_or(0, |begin| begin.steps.len()) + self.steps.len();
        let before = self.steps.last().map_or(begun.map_or(0, Checkpoint::fuel), |last| last.fuel);
        let rises = before < step.fuel && step.fuel <= self.run.limits.fuel;
        let fits = |state: &Vec<u8>| {
            state.len() as u64 <= STATE_BYTES_MAX && Hash::of(state) == step.state
        };
        if known >= STEPS_MAX as usize || !rises || !state.iter().all(fits) {
            return Err(WireError::NoStep);
        }
        self.steps.push(step);
        if let Some(state) = state.filter(|_| Instant::now() >= self.keep_at) {
            let begin = self.run.begin.get_or_insert_default();
            begin.steps.append(&mut self.steps);
            begin.state = state;
            self.keep_at = Instant::now() + begin.rest();
            (self.keep)(begin);
        }
        Ok(())
    }

    /// All steps up to now.
    pub fn take_steps(&mut self) -> Vec<Step> {
        let mut steps = self.run.begin.take().map(|begin| begin.steps).unwrap_or_default();
        steps.append(&mut self.steps);
        steps
    }

    /// Answers that it was interrupted.
    pub fn end_interrupted(self) {
        self.end(Ran::interrupted());
    }
}

/// What one process has to do.
#[derive(Default)]
pub struct Flight {
    /// The first is the one that runs, once they are sent.
    pub jobs: VecDeque<Job>,
    /// The process that has them, and since when it runs the first.
    pub with: Option<(Arc<Process>, Instant)>,
    /// Whether the node itself has ended the process.
    pub killed: bool,
}

/// The queue, and what left it.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    pub flights: Vec<Mutex<Flight>>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    paces: HashMap<Hash, Duration>,
    paused: bool,
    closing: bool,
}

impl Queue {
    /// An empty one, for so many processes.
    pub fn new(processes: usize) -> Queue {
        let flights = (0..processes).map(|_| Mutex::default()).collect();
        Queue { state: Mutex::default(), changed: Condvar::new(), flights }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a process has to do.
    pub fn flight(&self, at: usize) -> MutexGuard<'_, Flight> {
        self.flights[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a run at the end. Answers it if there is nobody to run it any more.
    pub fn push(&self, job: Job) -> Option<Job> {
        let mut state = self.state();
        if state.closing {
            return Some(job);
        }
        state.waiting.push_back(job);
        drop(state);
        self.changed.notify_all();
        None
    }

    /// Waits for something to do for the process `at`: some runs of one module for one owner,
    /// which are in its flight then. Answers false at the end of all.
    pub fn take(&self, at: usize) -> bool {
        let mut state = self.state();
        while !state.closing && (state.paused || state.waiting.is_empty()) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closing {
            return false;
        }
        let most = state.batch(self.flights.len());
        let mut flight = self.flight(at);
        let mut bytes = 0;
        while let Some(next) = state.waiting.front() {
            let first = flight.jobs.front();
            let fits = first.is_none_or(|first| {
                first.run.module_hash == next.run.module_hash
                    && first.run.owner == next.run.owner
                    && bytes <= BATCH_BYTES_MAX
            });
            if !fits || flight.jobs.len() >= most {
                break;
            }
            bytes += next.run.input.len() + next.run.begin.as_ref().map_or(0, Checkpoint::bytes);
            flight.jobs.extend(state.waiting.pop_front());
        }
        true
    }

    /// Gives back what the process `at` has not begun, to be run before all others.
    pub fn give_back(&self, at: usize) {
        let mut state = self.state();
        if state.closing {
            return;
        }
        let mut flight = self.flight(at);
        while let Some(job) = flight.jobs.pop_back() {
            state.waiting.push_front(job);
        }
        drop((state, flight));
        self.changed.notify_all();
    }

    /// Remembers what a run of a module took.
    pub fn learn(&self, module: Hash, took: Duration) {
        let mut state = self.state();
        if state.paces.len() >= PACES_MAX && !state.paces.contains_key(&module) {
            state.paces.clear();
        }
        let pace = state.paces.entry(module).or_insert(took);
        *pace = (*pace * 7 + took) / 8;
    }

    /// Takes the waiting runs of some tags out, and marks those that are with a process.
    pub fn interrupt(&self, tags: Option<&BTreeSet<RunTag>>) -> Vec<Job> {
        let meant = |job: &Job| tags.is_none_or(|tags| tags.contains(&job.tag));
        let mut state = self.state();
        let (out, stay) = state.waiting.drain(..).partition(meant);
        state.waiting = stay;
        for at in 0..self.flights.len() {
            for job in self.flight(at).jobs.iter_mut().filter(|job| meant(job)) {
                job.interrupted.get_or_insert_with(Instant::now);
            }
        }
        drop(state);
        self.changed.notify_all();
        Vec::from_iter::<VecDeque<Job>>(out)
    }

    /// Begins nothing more, or goes on.
    pub fn pause(&self, paused: bool) {
        let mut state = self.state();
        state.paused = paused;
        for at in 0..self.flights.len() {
            // What stood still has not taken time.
            if let Some((_, since)) = &mut self.flight(at).with {
                *since = Instant::now();
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Whether nothing is begun at present.
    pub fn is_paused(&self) -> bool {
        self.state().paused
    }

    /// Ends: nothing is taken any more.
    pub fn close(&self) {
        self.state().closing = true;
        self.changed.notify_all();
    }

    /// Whether it has ended.
    pub fn is_closing(&self) -> bool {
        self.state().closing
    }

    /// Waits for a change, or so long.
    pub fn wait(&self, most: Duration) {
        let state = self.state();
        if !state.closing {
            drop(self.changed.wait_timeout(state, most));
        }
    }
}

impl State {
    /// How many runs to send at once: few enough that all processes get some, and soon.
    fn batch(&self, processes: usize) -> usize {
        let pace = self.waiting.front().and_then(|job| self.paces.get(&job.run.module_hash));
        let timely = pace.map_or(1, |pace| BATCH_TIME.as_nanos() / pace.as_nanos().max(1));
        let shared = self.waiting.len().div_ceil(processes);
        shared.min(timely as usize).clamp(1, BATCH_MAX)
    }
}
