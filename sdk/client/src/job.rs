//! A job as a program holds it: made, watched, read as it goes on, and stopped.
//!
//! Invariant: results come in unit order, each once, and every unit has one: its output, or its failure.
//!
//! What it is not: the job's owner. The job goes on in the grid when this is dropped.
use crate::explain::JobStory;
use crate::{
    About, Error, Grid, Input, JobId, JobSpec, JobState, JobStatus, Level, LimitsRequest, Profile,
    UnitLog, UnitResult, UnitSource, results,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use std::path::{Path, PathBuf};

/// A job that was submitted.
#[derive(Clone, Debug)]
pub struct Job {
    grid: Grid,
    id: JobId,
    units: u32,
    /// Whether it was there before this program asked for it.
    pub(crate) known: bool,
}

/// What a unit came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitOutput {
    /// The unit.
    pub unit: u32,
    /// Its output; none if it failed.
    pub output: Option<Bytes>,
}

impl Job {
    /// Begins a job: module and units are wanted, all else has its usual value.
    pub fn builder() -> JobBuilder {
        let none = Input::Bytes(Vec::new());
        JobBuilder { spec: JobSpec::new("job", none, UnitSource::Count(0)) }
    }

    pub(crate) fn new(grid: Grid, id: JobId, units: u64, known: bool) -> Job {
        Job { grid, id, units: u32::try_from(units).unwrap_or(u32::MAX), known }
    }

    /// Its name in the grid.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// How many units it has.
    pub fn units(&self) -> u32 {
        self.units
    }

    /// How far it is.
    ///
    /// # Errors
    /// The exchange failed.
    pub async fn status(&self) -> Result<JobStatus, Error> {
        self.grid.status(self.id).await
    }

    /// Why it stands where it stands.
    ///
    /// # Errors
    /// The exchange failed.
    pub async fn explain(&self) -> Result<JobStory, Error> {
        self.grid.explain(self.id).await
    }

    /// Stops it.
    ///
    /// # Errors
    /// The exchange failed.
    pub async fn cancel(&self) -> Result<JobStatus, Error> {
        self.grid.cancel(self.id).await
    }

    /// What its units came to, in their order, as soon as that may be relied on. It is read as fast as it is
    /// taken; an error is the last item.
    ///
    /// # Errors
    /// The job was cancelled, or the exchange failed.
    pub async fn outputs(&self) -> Result<BoxStream<'static, Result<UnitOutput, Error>>, Error> {
        let statuses = self.grid.watch(self.id).await?;
        let reader = Reader {
            job: self.clone(),
            next: 0,
            statuses,
            page: None,
            ahead: None,
            decided: 0,
            ended: false,
        };
        let outputs = stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(output)) => Some((Ok(output), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(outputs.boxed())
    }

    /// The same before it may be relied on; see [`Grid::results`].
    ///
    /// # Errors
    /// As there.
    pub async fn results(
        &self,
        level: Level,
    ) -> Result<BoxStream<'static, Result<UnitResult, Error>>, Error> {
        self.grid.results(self.id, level).await
    }

    /// Why a unit failed: by its own words, for which the node runs it again.
    pub(crate) async fn failure(&self, unit: u32) -> Error {
        let (outcome, stderr) = match self.grid.log(self.id, unit).await {
            Ok(UnitLog { outcome, stderr, .. }) => (outcome, stderr),
            Err(error) => (error.to_string(), String::new()),
        };
        // Where it runs well here, it is the grid that came to no answer.
        let outcome = match outcome == "exit code 0" {
            true => self.story_of(unit).await,
            false => outcome,
        };
        Error::UnitFailed { job: self.id, unit, outcome, stderr }
    }

    async fn story_of(&self, unit: u32) -> String {
        let story = self.grid.explain_unit(self.id, unit).await;
        story.map_or_else(|error| error.to_string(), |story| story.text)
    }
}

/// Reads outputs in unit order, a page at a time, and waits for more in between.
struct Reader {
    job: Job,
    next: u32,
    statuses: BoxStream<'static, Result<JobStatus, Error>>,
    page: Option<BoxStream<'static, Result<UnitResult, Error>>>,
    /// The next output that there is; the units before it failed.
    ahead: Option<(u32, Bytes)>,
    decided: u64,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<UnitOutput>, Error> {
        while self.next < self.job.units {
            if let Some((unit, output)) = self.ahead.take() {
                let here = unit == self.next;
                let output = match here {
                    true => Some(output),
                    false => {
                        self.ahead = Some((unit, output));
                        None
                    }
                };
                return Ok(Some(self.give(output)));
            }
            match self.read_page().await? {
                Some(UnitResult { told, output }) => {
                    self.ahead = Some((told.unit, output.unwrap_or_default()));
                }
                // Of a job that had ended before the page was asked for, nothing more comes.
                None if self.ended => return Ok(Some(self.give(None))),
                None => self.wait().await?,
            }
        }
        Ok(None)
    }

    fn give(&mut self, output: Option<Bytes>) -> UnitOutput {
        self.next += 1;
        UnitOutput { unit: self.next - 1, output }
    }

    async fn read_page(&mut self) -> Result<Option<UnitResult>, Error> {
        if self.page.is_none() {
            let answer = self.job.grid.outputs(self.job.id, self.next).await?;
            self.page = Some(results::results(answer, Level::Released).boxed());
        }
        let read = match &mut self.page {
            Some(page) => page.next().await,
            None => None,
        };
        if read.is_none() {
            self.page = None;
        }
        read.transpose()
    }

    /// Waits until more units are decided.
    async fn wait(&mut self) -> Result<(), Error> {
        loop {
            let Some(status) = self.statuses.next().await else {
                let place = "the end of the job; start the node, and ask again".to_owned();
                return Err(Error::NoNode { place });
            };
            let JobStatus { state, verified, failed, .. } = status?;
            if state == JobState::Cancelled {
                return Err(Error::Cancelled { job: self.job.id });
            }
            self.ended = state.has_ended();
            let decided = verified + failed;
            if self.ended || decided > self.decided {
                self.decided = decided;
                return Ok(());
            }
        }
    }
}

/// What a module may be given as: a path to it, or its bytes.
pub trait Module {
    /// The module.
    fn input(&self) -> Input;
}

macro_rules! module_by {
    ($($kind:ty: $this:ident => $input:expr;)*) => {$(
        impl Module for $kind {
            fn input(&self) -> Input {
                let $this = self;
                $input
            }
        }
    )*};
}

module_by! {
    Path: path => Input::File(path.to_path_buf());
    PathBuf: path => Input::File(path.clone());
    str: path => Input::File(path.into());
    String: path => Input::File(path.into());
    [u8]: bytes => Input::Bytes(bytes.to_vec());
    Vec<u8>: bytes => Input::Bytes(bytes.clone());
    Input: input => input.clone();
}

impl<M: Module + ?Sized> Module for &M {
    fn input(&self) -> Input {
        (**self).input()
    }
}

/// A job in the making.
#[derive(Debug)]
#[must_use = "it is submitted by `submit`"]
pub struct JobBuilder {
    spec: JobSpec,
}

impl JobBuilder {
    /// What people call it.
    pub fn name(mut self, name: impl Into<String>) -> JobBuilder {
        self.spec.name = name.into();
        self
    }

    /// What it is for.
    pub fn about(mut self, about: About) -> JobBuilder {
        self.spec.about = about;
        self
    }

    /// The module: a path, or bytes.
    pub fn module(mut self, module: impl Module) -> JobBuilder {
        self.spec.module = module.input();
        self
    }

    /// That many units; the standard input of each is its number.
    pub fn count(mut self, count: u32) -> JobBuilder {
        self.spec.units = UnitSource::Count(count);
        self
    }

    /// A unit for each of these, which is its standard input. They are taken one by one, as they are sent.
    pub fn inputs<I>(mut self, inputs: I) -> JobBuilder
    where
        I: IntoIterator<Item = Vec<u8>>,
        I::IntoIter: Send + 'static,
    {
        self.spec.units = UnitSource::bytes(inputs);
        self
    }

    /// Units from files, lines or wherever.
    pub fn units(mut self, units: UnitSource) -> JobBuilder {
        self.spec.units = units;
        self
    }

    /// Arguments of every unit.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> JobBuilder {
        self.spec.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// A variable in the environment of every unit.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> JobBuilder {
        self.spec.env.insert(name.into(), value.into());
        self
    }

    /// Seeds what units draw at random.
    pub fn seed(mut self, seed: u64) -> JobBuilder {
        self.spec.seed = seed;
        self
    }

    /// What a run may use.
    pub fn limits(mut self, limits: LimitsRequest) -> JobBuilder {
        self.spec.limits = limits;
        self
    }

    /// How much proof makes a unit verified; without, the node chooses.
    pub fn profile(mut self, profile: Profile) -> JobBuilder {
        self.spec.profile = Some(profile);
        self
    }

    /// How much it weighs beside other jobs, 1 to 100.
    pub fn priority(mut self, priority: u8) -> JobBuilder {
        self.spec.priority = priority;
        self
    }

    /// Seconds within which it should be done.
    pub fn deadline_s(mut self, deadline_s: u32) -> JobBuilder {
        self.spec.deadline_s = deadline_s;
        self
    }

    /// Compute it even if the node has submitted the same work before.
    pub fn again(mut self) -> JobBuilder {
        self.spec.again = true;
        self
    }

    /// Sends it to a node. The same work submitted twice is one job.
    ///
    /// # Errors
    /// An input cannot be read, the node refuses the job, or the exchange failed.
    pub async fn submit(self, grid: &Grid) -> Result<Job, Error> {
        let submitted = grid.submit(self.spec).await?;
        Ok(Job::new(grid.clone(), submitted.job, submitted.units, submitted.known))
    }
}
