//! Getting a job's outputs into a directory, each written whole or not at all.
//!
//! A file under `units/` is there only under its final name and only with all its bytes, so what
//! is there need not be asked for again. Files are not synced one by one: what a power failure
//! could damage is found by the digest over all of them at the end.
use crate::early;
use crate::frames::{OUTPUT_HEADER_BYTES, read_output_header};
use crate::route::Answer;
use crate::{BlobHash, BlockingReader, Error, Grid, JobId, JobState, JobStatus};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// The directory of the outputs, one file a unit.
pub const UNITS_DIR: &str = "units";
/// The file that says whose outputs they are.
pub const JOB_FILE: &str = "job.json";
/// The file that proves what the job came to; `dugnad verify` reads it.
pub const CERTIFICATE_FILE: &str = "certificate.dugnad";
/// Most failed units whose reasons are asked for.
pub const FAILED_REASONS_MAX: usize = 1_000;

/// What a fetch has done.
#[derive(Clone, PartialEq, Debug)]
pub struct Fetched {
    /// How far the job was.
    pub status: JobStatus,
    /// Outputs written now.
    pub written: u64,
    /// Outputs that were there already.
    pub present: u64,
    /// Units without an output, and why; at most [`FAILED_REASONS_MAX`].
    pub failed_units: Vec<FailedUnit>,
}

/// A unit that has no output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailedUnit {
    /// Which.
    pub unit: u32,
    /// Why.
    pub reason: String,
}

/// What `job.json` says.
#[derive(Serialize, Deserialize)]
struct JobJson {
    #[serde(flatten)]
    status: JobStatus,
    #[serde(default)]
    failed_units: Vec<FailedUnit>,
}

/// The file of a unit's output, under [`UNITS_DIR`].
pub fn unit_file(unit: u32) -> String {
    format!("{unit:08}.out")
}

/// What a merging module reads from its standard input: the fetched outputs in unit order, each as
/// `u64 length` (little-endian) and its bytes. Fails at the first output that is not there.
pub fn merge_stdin(dir: impl AsRef<Path>, units: u64) -> impl Read + Send + 'static {
    let dir = dir.as_ref().join(UNITS_DIR);
    let files = (0..units).map(move |unit| dir.join(unit_file(unit as u32)));
    MergeStdin { files, current: Box::new(io::empty()) }
}

pub(crate) async fn fetch(grid: &Grid, job: JobId, dir: &Path) -> Result<Fetched, Error> {
    let place = Place::claimed(grid, job, dir).await?;
    let mut held = place.held()?;
    let present = held.iter().filter(|held| **held).count() as u64;
    let mut written = 0;
    let status = loop {
        // What is verified after this moment may be missing in what is received now.
        let before = grid.status(job).await?;
        if let Some(first) = held.iter().position(|held| !held) {
            written += place.receive(grid, first as u32, &mut held).await?;
        }
        if before.state.has_ended() || !grid.status(job).await?.state.has_ended() {
            break before;
        }
    };
    place.clear_early(&held)?;
    let failed_units = match status.state {
        JobState::Failed => failed_units(grid, job, &held).await?,
        JobState::Running | JobState::Done | JobState::Cancelled => Vec::new(),
    };
    place.write_job(&JobJson { status: status.clone(), failed_units: failed_units.clone() })?;
    if status.state == JobState::Done {
        place.check(&status, &held).await?;
    }
    place.receive_certificate(grid).await?;
    Ok(Fetched { status, written, present, failed_units })
}

/// Where the outputs of a job go.
#[derive(Clone)]
pub(crate) struct Place {
    job: JobId,
    dir: PathBuf,
    units: u64,
}

impl Place {
    /// The directory, with a job's name on it.
    pub(crate) async fn claimed(grid: &Grid, job: JobId, dir: &Path) -> Result<Place, Error> {
        let status = grid.status(job).await?;
        let place = Place { job, dir: dir.to_path_buf(), units: status.units };
        place.claim(&status)?;
        Ok(place)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes away what was fetched early of units whose outputs are there.
    fn clear_early(&self, held: &[bool]) -> Result<(), Error> {
        let over = |name: &str| {
            let unit = name.strip_suffix(".out").and_then(|unit| unit.parse::<usize>().ok());
            unit.is_some_and(|unit| held.get(unit) == Some(&true))
        };
        early::clear(&self.dir, over).map_err(|error| Error::file(&self.dir, error))
    }

    /// Makes the directory this work's own. The name is written before the first output, so that
    /// outputs of different works never lie side by side.
    fn claim(&self, status: &JobStatus) -> Result<(), Error> {
        let units = self.dir.join(UNITS_DIR);
        fs::create_dir_all(&units).map_err(|error| Error::file(units, error))?;
        let path = self.dir.join(JOB_FILE);
        let found = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self
                    .write_job(&JobJson { status: status.clone(), failed_units: Vec::new() });
            }
            read => read.and_then(|bytes| Ok(serde_json::from_slice::<JobJson>(&bytes)?)),
        };
        let found = found.map_err(|error| Error::file(path, error))?;
        match found.status.work == status.work {
            true => Ok(()),
            false => Err(Error::OtherWork { dir: self.dir.clone(), found: found.status.work }),
        }
    }

    /// Which units' outputs are there.
    fn held(&self) -> Result<Vec<bool>, Error> {
        let dir = self.dir.join(UNITS_DIR);
        let failed = |error| Error::file(&dir, error);
        let mut held = vec![false; self.units as usize];
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let unit = name.to_str().and_then(|name| name.strip_suffix(".out")?.parse().ok());
            if let Some(unit) = unit.filter(|unit| *name == *unit_file(*unit))
                && let Some(held) = held.get_mut(unit as usize)
            {
                *held = true;
            }
        }
        Ok(held)
    }

    async fn receive(&self, grid: &Grid, from: u32, held: &mut Vec<bool>) -> Result<u64, Error> {
        let (mut reader, route) = reader(grid.outputs(self.job, from).await?);
        let mut slots = std::mem::take(held);
        let received = self.blocking(move |place| {
            let written = place.write_outputs(&mut reader, &route, &mut slots)?;
            Ok((written, slots))
        });
        let written;
        (written, *held) = received.await?;
        Ok(written)
    }

    fn write_outputs(
        &self,
        stream: &mut impl Read,
        route: &str,
        held: &mut [bool],
    ) -> Result<u64, Error> {
        let broken = |problem: String| Error::Answer { route: route.to_owned(), problem };
        let mut written = 0;
        while let Some(header) = read_header(stream).map_err(|e| broken(e.to_string()))? {
            let (unit, bytes) = read_output_header(header);
            let mut output = stream.by_ref().take(bytes);
            match held.get_mut(unit as usize) {
                None => return Err(broken(format!("unit {unit} of {}", self.units))),
                Some(true) => io::copy(&mut output, &mut io::sink()).map(drop),
                Some(held) => self.write_output(unit, &mut output).map(|()| {
                    *held = true;
                    written += 1;
                }),
            }
            .map_err(|error| Error::file(self.unit_path(unit), error))?;
            if output.limit() > 0 {
                return Err(broken(format!("the output of unit {unit} is cut off")));
            }
        }
        Ok(written)
    }

    /// A cut-off output must not get its final name.
    fn write_output(&self, unit: u32, output: &mut io::Take<impl Read>) -> io::Result<()> {
        let beside = self.dir.join(UNITS_DIR).join(".part");
        io::copy(output, &mut File::create(&beside)?)?;
        match output.limit() {
            0 => fs::rename(beside, self.unit_path(unit)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn write_job(&self, job: &JobJson) -> Result<(), Error> {
        let (path, beside) = (self.dir.join(JOB_FILE), self.dir.join(".job.json.part"));
        let write = || {
            fs::write(&beside, serde_json::to_string_pretty(job)? + "\n")?;
            fs::rename(&beside, &path)
        };
        write().map_err(|error: io::Error| Error::file(&path, error))
    }

    /// After the outputs, so that it proves at least these.
    async fn receive_certificate(&self, grid: &Grid) -> Result<(), Error> {
        let (mut reader, _) = reader(grid.certificate(self.job).await?);
        let path = self.dir.join(CERTIFICATE_FILE);
        self.blocking(move |_| {
            let beside = path.with_extension("part");
            let received = File::create(&beside)
                .and_then(|mut file| io::copy(&mut reader, &mut file))
                .and_then(|_| fs::rename(&beside, &path));
            received.map_err(|error| Error::file(&path, error))
        })
        .await
    }

    /// A done job's outputs are all here, and they are those of its digest.
    async fn check(&self, status: &JobStatus, held: &[bool]) -> Result<(), Error> {
        if let Some(missing) = held.iter().position(|held| !held) {
            let problem = format!("the job is done, but unit {missing} has no output");
            return Err(Error::Answer { route: format!("GET /v1/jobs/{}", self.job), problem });
        }
        let Some(expected) = status.output_digest else {
            return Ok(());
        };
        let digest = self.blocking(move |place| {
            let mut hasher = blake3::Hasher::new();
            for unit in 0..place.units {
                let path = place.unit_path(unit as u32);
                let file = File::open(&path).map_err(|error| Error::file(&path, error))?;
                hasher.update_reader(file).map_err(|error| Error::file(&path, error))?;
            }
            Ok(BlobHash(*hasher.finalize().as_bytes()))
        });
        let found = digest.await?;
        match found == expected {
            true => Ok(()),
            false => Err(Error::OutputDigest {
                job: self.job,
                dir: self.dir.clone(),
                expected: expected.to_string(),
                found: found.to_string(),
            }),
        }
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = self.clone();
        spawn_blocking(move || work(&place))
            .await
            .map_err(|error| Error::file(&self.dir, error.into()))?
    }

    fn unit_path(&self, unit: u32) -> PathBuf {
        self.dir.join(UNITS_DIR).join(unit_file(unit))
    }
}

/// An answer's body to read where it may block, and the route that it came by.
fn reader(answer: Answer) -> (impl Read + Send + 'static, String) {
    let chunks = answer.response.bytes_stream().map_err(io::Error::other);
    (BlockingReader::new(chunks, Handle::current()), answer.route)
}

/// Why the units without an output have none.
async fn failed_units(grid: &Grid, job: JobId, held: &[bool]) -> Result<Vec<FailedUnit>, Error> {
    let missing = held.iter().enumerate().filter(|(_, held)| !**held);
    let mut failed = Vec::new();
    for (unit, _) in missing.take(FAILED_REASONS_MAX) {
        let unit = unit as u32;
        match grid.output(job, unit).await {
            Err(Error::Refused { status: 404, reason, .. }) => {
                failed.push(FailedUnit { unit, reason });
            }
            // Verified meanwhile; the next fetch gets it.
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(failed)
}

/// The next header; none at the end of the stream.
fn read_header(stream: &mut impl Read) -> io::Result<Option<[u8; OUTPUT_HEADER_BYTES]>> {
    let mut header = [0; OUTPUT_HEADER_BYTES];
    match stream.read(&mut header)? {
        0 => Ok(None),
        read => stream.read_exact(&mut header[read..]).map(|()| Some(header)),
    }
}

struct MergeStdin<F> {
    files: F,
    current: Box<dyn Read + Send>,
}

impl<F: Iterator<Item = PathBuf>> Read for MergeStdin<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some(path) = self.files.next() else {
                return Ok(0);
            };
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            self.current = Box::new(io::Cursor::new(bytes.to_le_bytes()).chain(file.take(bytes)));
        }
    }
}
