//! What a program wants computed: a module, its units, and how much proof.
use crate::{
    About, BlobHash, Error, JobRequest, LeastCheckers, LimitsRequest, Profile, Ringer, UnitsRequest,
};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::mem;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest line that may be the input of a unit, bytes.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// Some bytes for the grid: a module, or what a unit reads from its standard input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// These.
    Bytes(Vec<u8>),
    /// Those in a file; read when they are uploaded, never whole in memory.
    File(PathBuf),
    /// A blob that the node holds already.
    Stored(BlobHash),
}

/// The units of a job.
pub enum UnitSource {
    /// That many; standard input is the index in decimal and a newline.
    Count(u32),
    /// One for each input, in order; taken one by one while they are uploaded.
    Inputs(Box<dyn Iterator<Item = Result<Input, Error>> + Send>),
}

impl fmt::Debug for UnitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnitSource::Count(count) => write!(f, "Count({count})"),
            UnitSource::Inputs(_) => f.write_str("Inputs(..)"),
        }
    }
}

impl UnitSource {
    /// How many units these are. Lines are read for it, files are not.
    ///
    /// # Errors
    /// The first input that cannot be had.
    pub fn count(self) -> Result<u64, Error> {
        match self {
            UnitSource::Count(count) => Ok(count.into()),
            UnitSource::Inputs(mut inputs) => {
                inputs.try_fold(0, |count, input| input.map(|_| count + 1))
            }
        }
    }

    /// One unit for each of these bytes.
    pub fn bytes<I>(inputs: I) -> UnitSource
    where
        I: IntoIterator<Item = Vec<u8>>,
        I::IntoIter: Send + 'static,
    {
        UnitSource::Inputs(Box::new(inputs.into_iter().map(|bytes| Ok(Input::Bytes(bytes)))))
    }

    /// One unit for each of these files, in this order.
    pub fn files(paths: Vec<PathBuf>) -> UnitSource {
        UnitSource::Inputs(Box::new(paths.into_iter().map(|path| Ok(Input::File(path)))))
    }

    /// The same of lines that are in memory; `place` names them in errors.
    pub(crate) fn lines_of(place: impl AsRef<Path>, text: Arc<[u8]>) -> UnitSource {
        UnitSource::Inputs(Box::new(Lines::new(place.as_ref(), Cursor::new(text))))
    }

    /// One unit for each line of a file: its bytes without the `\n` or `\r\n` that ends it. An empty line is a unit, too; the end of the last line begins none.
    ///
    /// # Errors
    /// The file cannot be opened. What is wrong further on is said where it is met.
    pub fn lines(path: impl AsRef<Path>) -> Result<UnitSource, Error> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| Error::file(path, error))?;
        Ok(UnitSource::Inputs(Box::new(Lines::new(path, BufReader::new(file)))))
    }
}

/// What a program wants computed.
#[derive(Debug)]
pub struct JobSpec {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub about: About,
    /// The wasm module.
    pub module: Input,
    /// Its units.
    pub units: UnitSource,
    /// Seeds what the guest draws at random.
    pub seed: u64,
    /// Arguments of every unit.
    pub args: Vec<String>,
    /// The environment of every unit.
    pub env: BTreeMap<String, String>,
    /// What a run may use.
    pub limits: LimitsRequest,
    /// How much proof makes a unit verified; the node chooses where nothing is said, see
    /// [`Profile::unsaid`].
    pub profile: Option<Profile>,
    /// Peer ids of those who may decide about an audited job when its node is silent, at most four; without:
    /// two whom the node knows well, if it does.
    pub delegates: Option<Vec<String>>,
    /// Silence of the node after which the first of them does, seconds; without: ten minutes.
    pub delegate_after_s: Option<NonZeroU16>,
    /// Units of an audited job that have some checkers in any case.
    pub checkers: Vec<LeastCheckers>,
    /// Units of an audited job whose outputs are known, and kept from all others: who answers one of them
    /// otherwise is found out.
    pub ringers: Vec<Ringer>,
    /// How much it weighs beside other jobs, 1 to 100; 1 is usual.
    pub priority: u8,
    /// Seconds after its submission by which it should be done; 0 for whenever.
    pub deadline_s: u32,
    /// The module that merges the outputs in unit order.
    pub merge: Option<Input>,
    /// Have the node accept a module that can be run nowhere; for tests.
    pub unchecked: bool,
    /// Compute it again even if the node has submitted the same work before.
    pub again: bool,
}

impl JobSpec {
    /// A job with the defaults of everything else.
    pub fn new(name: impl Into<String>, module: Input, units: UnitSource) -> JobSpec {
        JobSpec {
            name: name.into(),
            about: About::default(),
            module,
            units,
            seed: 0,
            args: Vec::new(),
            env: BTreeMap::new(),
            limits: LimitsRequest::default(),
            profile: None,
            delegates: None,
            delegate_after_s: None,
            checkers: Vec::new(),
            ringers: Vec::new(),
            priority: 1,
            deadline_s: 0,
            merge: None,
            unchecked: false,
            again: false,
        }
    }
}

impl JobSpec {
    /// The request for it, by the names of its blobs.
    pub(crate) fn request(
        self,
        module: BlobHash,
        merge: Option<BlobHash>,
        units: UnitsRequest,
    ) -> JobRequest {
        JobRequest {
            name: self.name,
            about: self.about,
            module,
            seed: self.seed,
            args: self.args,
            env: self.env,
            limits: self.limits,
            profile: self.profile,
            delegates: self.delegates,
            delegate_after_s: self.delegate_after_s,
            checkers: self.checkers,
            ringers: self.ringers,
            priority: self.priority,
            deadline_s: self.deadline_s,
            merge,
            units,
            unchecked: self.unchecked,
            again: self.again,
        }
    }

    /// Its bytes: the module, the merging one, and the units; they are taken out of it.
    pub(crate) fn take_inputs(&mut self) -> (Input, Option<Input>, UnitSource) {
        let module = mem::replace(&mut self.module, Input::Bytes(Vec::new()));
        (module, self.merge.take(), mem::replace(&mut self.units, UnitSource::Count(0)))
    }
}

struct Lines<Text> {
    path: PathBuf,
    text: Text,
    read: u64,
}

impl<Text> Lines<Text> {
    fn new(path: &Path, text: Text) -> Lines<Text> {
        Lines { path: path.to_path_buf(), text, read: 0 }
    }
}

impl<Text: BufRead> Iterator for Lines<Text> {
    type Item = Result<Input, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        let within = (&mut self.text).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
        match within {
            Ok(0) => return None,
            Ok(_) => self.read += 1,
            Err(error) => return Some(Err(Error::file(&self.path, error))),
        }
        if line.len() > LINE_BYTES_MAX {
            let (path, number) = (self.path.display(), self.read);
            let problem = format!("{path}:{number}: the line is over {LINE_BYTES_MAX} bytes");
            return Some(Err(Error::Units { problem }));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            line.pop_if(|byte| *byte == b'\r');
        }
        Some(Ok(Input::Bytes(line)))
    }
}
