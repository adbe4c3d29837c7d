//! Stepped units: `init` makes a state of the input, each `step` the next one of the last, until one
//! says that it is done.
//!
//! Invariant: each step is a run of a fresh instance that sees the last state's bytes, its own number
//! and what every step sees, and nothing else. So it comes to the same whether it is run on its way
//! from the input, after a [`Checkpoint`], or alone; in one process, or each in another.
//!
//! A step reads the state from its standard input and writes the next to its standard output; one
//! that calls `dugnad.done` writes the unit's output there instead.
use super::{Ran, Run, STDERR_BYTES_MAX, loaded::Loaded, sandbox::Sandbox};
use coordinator_free_scheduler::{
    Answer, Hash, Outcome, RunLimits, Step, Trace, Void,
    trace::{FUEL_PER_STEP, STATE_BYTES_MAX, STEP_BYTES, STEPS_MAX},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a stepped unit has come to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct Checkpoint {
    /// Its steps so far.
    pub steps: Vec<Step>,
    /// The state after the last of them.
    pub state: Vec<u8>,
}

/// How often a state is kept: so much work may be lost …
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// … and how many bytes a second, at most: it is written to a disk each time.
const KEEP_BYTES_PER_S: u64 = 1 << 20;

impl Checkpoint {
    /// The fuel that was used up to here.
    pub fn fuel(&self) -> u64 {
        self.steps.last().map_or(0, |last| last.fuel)
    }

    /// How long to wait, once it is kept, before another one is.
    pub fn rest(&self) -> Duration {
        rest(self.bytes())
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.state.len() + self.steps.len() * STEP_BYTES
    }

    /// The bytes in which it is kept, under a name that says what is computed.
    ///
    /// # Errors
    /// It is too large to be written.
    pub fn sealed(&self, name: &[u8]) -> Result<Vec<u8>, postcard::Error> {
        let mut bytes = postcard::to_extend(self, vec![0; SEAL_BYTES])?;
        let seal = seal(name, &bytes[SEAL_BYTES..]);
        bytes[..SEAL_BYTES].copy_from_slice(&seal.0);
        Ok(bytes)
    }

    /// Reads what was kept under a name.
    ///
    /// # Errors
    /// In a sentence: it is damaged, or was kept under another name.
    pub fn unsealed(bytes: &[u8], name: &[u8]) -> Result<Checkpoint, &'static str> {
        let (known, bytes) = bytes.split_at_checked(SEAL_BYTES).ok_or("it breaks off")?;
        if known != seal(name, bytes).0 {
            return Err("it is damaged, or belongs to another unit");
        }
        let read: Checkpoint = postcard::from_bytes(bytes).map_err(|_| "it is not understood")?;
        read.is_whole().then_some(read).ok_or("its state is not that of its last step")
    }

    /// Whether this can be one: the state is the last step's, fuel only rises, limits are kept.
    pub fn is_whole(&self) -> bool {
        let rises = self.steps.is_sorted_by(|one, next| one.fuel < next.fuel);
        let last = self.steps.last().is_some_and(|last| last.state == Hash::of(&self.state));
        rises && last && self.steps.len() <= STEPS_MAX as usize
    }
}

/// Bytes of the hash by which damage is found.
const SEAL_BYTES: usize = 32;

fn seal(name: &[u8], bytes: &[u8]) -> Hash {
    let length = (name.len() as u64).to_le_bytes();
    Hash::derive("dugnad 1 checkpoint", &[&length, name, bytes])
}

/// How long to wait after so many bytes were kept.
pub(crate) fn rest(bytes: usize) -> Duration {
    KEEP_EVERY.max(Duration::from_millis(bytes as u64 * 1_000 / KEEP_BYTES_PER_S))
}

/// What the steps of a run have come to.
#[derive(Default)]
struct Course {
    steps: Vec<Step>,
    state: Vec<u8>,
    stderr: Vec<u8>,
    memory_peak_bytes: u64,
    wall: Duration,
}

impl Sandbox {
    /// Runs a stepped unit, and tells of each step with its state.
    pub(crate) fn run_steps(
        &self,
        loaded: &Loaded,
        mut run: Run,
        tell: &mut dyn FnMut(Step, &[u8]),
    ) -> Ran {
        let mut course = Course { state: std::mem::take(&mut run.input), ..Course::default() };
        // What is no checkpoint is no reason not to run the unit.
        if let Some(begin) = run.begin.take().filter(Checkpoint::is_whole) {
            (course.steps, course.state) = (begin.steps, begin.state);
        }
        let last = run.steps_max.map(|most| course.steps.len() + most as usize);
        loop {
            if Some(course.steps.len()) == last {
                let why = format!("the unit was left after step {}, as asked", course.steps.len());
                let state = std::mem::take(&mut course.state);
                return course.end(Err(Void::Interrupted), state, why);
            }
            if let Some(ran) = self.step(loaded, &run, &mut course) {
                return ran;
            }
            if let Some(step) = course.steps.last() {
                tell(*step, &course.state);
            }
        }
    }

    /// Takes one step; answers if it was the last.
    fn step(&self, loaded: &Loaded, run: &Run, course: &mut Course) -> Option<Ran> {
        let limits = run.limits;
        let number = course.steps.len() as u32;
        let before = course.fuel().saturating_add(FUEL_PER_STEP);
        if number >= STEPS_MAX || before > limits.fuel {
            let why = format!("the unit used up its {} units of fuel, or its steps", limits.fuel);
            let answer = Answer::new(Outcome::OutOfFuel, limits.fuel);
            return Some(course.end(Ok(answer), Vec::new(), why));
        }
        let part = RunLimits {
            fuel: limits.fuel - before,
            output_bytes: limits.output_bytes.max(STATE_BYTES_MAX),
            ..limits
        };
        let input = std::mem::take(&mut course.state);
        let (ran, done) =
            self.enter_once(loaded, Run { input, limits: part, ..run.clone() }, Some(number));
        course.pass(&ran);
        let Answer { outcome, fuel, .. } = match ran.end {
            Ok(answer) => answer,
            Err(void) => return Some(course.end(Err(void), ran.output, ran.detail)),
        };
        let fuel = before + fuel;
        let goes_on = outcome.is_success() && !done;
        let most = if goes_on { STATE_BYTES_MAX } else { limits.output_bytes };
        let bytes = ran.output.len() as u64;
        if matches!(outcome, Outcome::Exit { .. }) && bytes > most {
            let detail = format!("step {number} wrote {bytes} bytes; {most} are allowed");
            let answer = Answer::new(Outcome::OutputTooLarge, fuel);
            return Some(course.end(Ok(answer), Vec::new(), detail));
        }
        if !goes_on {
            let detail = match ran.detail.is_empty() {
                true => ran.detail,
                false => format!("at step {number}: {}", ran.detail),
            };
            return Some(course.end(Ok(Answer::new(outcome, fuel)), ran.output, detail));
        }
        course.steps.push(Step { state: Hash::of(&ran.output), fuel });
        course.state = ran.output;
        None
    }
}

impl Course {
    fn fuel(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.fuel)
    }

    /// Adds what a step wrote and took.
    fn pass(&mut self, ran: &Ran) {
        let room = STDERR_BYTES_MAX - self.stderr.len();
        self.stderr.extend(&ran.stderr[..ran.stderr.len().min(room)]);
        self.memory_peak_bytes = self.memory_peak_bytes.max(ran.memory_peak_bytes);
        self.wall += ran.wall;
    }

    fn end(&mut self, end: Result<Answer, Void>, output: Vec<u8>, detail: String) -> Ran {
        let steps = std::mem::take(&mut self.steps);
        let trace = Some(Trace::of(&steps));
        Ran {
            end: end.map(|answer| Answer { trace, ..answer }),
            output,
            stderr: std::mem::take(&mut self.stderr),
            memory_peak_bytes: self.memory_peak_bytes,
            wall: self.wall,
            detail,
            steps,
        }
    }
}
