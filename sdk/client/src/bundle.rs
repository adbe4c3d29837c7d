//! A job in one file: what `submit` would send, to be kept, looked at, carried elsewhere and submitted there.
//!
//! ```text
//! "dugnad bundle 1\n"
//! u64                    length of the request
//! the request            as JSON, as in POST /v1/jobs
//! for each blob, in the order of their names:
//!     [u8; 32], u64      its BLAKE3 and length
//!     its bytes
//! [u8; 32]               BLAKE3 of all before
//! ```
//!
//! Numbers are little-endian. Invariant: the same job is the same bytes, and the last 32 of them name it; a
//! file that was opened is whole, and each blob is the one that its name says.
//!
//! What it is not: proof of anything. It says what is to be computed, not what came of it.
use crate::json::INPUTS_INLINE_MAX;
use crate::{BlobHash, Error, Input, JobRequest, JobSpec, UnitSource, UnitsRequest};
use blake3::Hasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;

/// What a bundle begins with.
pub const BUNDLE_MAGIC: &[u8; 16] = b"dugnad bundle 1\n";
/// Longest request in a bundle, bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// Most blobs in a bundle.
const BLOBS_MAX: usize = 10_000_010;
const HASH_BYTES: u64 = 32;
/// Bytes copied at a time.
const COPY_BYTES: usize = 256 << 10;

/// A bundle on disk that was looked through.
#[derive(Clone, Debug)]
pub struct Bundle {
    path: PathBuf,
    request: JobRequest,
    blobs: Arc<BTreeMap<BlobHash, Place>>,
    id: BlobHash,
}

/// Where a blob lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    bytes: u64,
}

impl Bundle {
    /// Whether a file begins as bundles do.
    pub fn is_one(path: impl AsRef<Path>) -> bool {
        let mut head = [0; BUNDLE_MAGIC.len()];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
            && head == *BUNDLE_MAGIC
    }

    /// Writes a job into one file.
    ///
    /// # Errors
    /// A file of the job cannot be read, or the bundle not written; what was there before stays then.
    pub fn write(spec: JobSpec, path: impl AsRef<Path>) -> Result<Bundle, Error> {
        let path = path.as_ref();
        let mut blobs = BTreeMap::new();
        let request = request_of(spec, &mut blobs)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let part = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
        let part = part.map_err(|error| Error::file(path, error))?;
        write_file(part.path(), &request, &blobs)?;
        // What came of it is looked at before it takes the place of what was there.
        let bundle = Bundle::open(part.path())?;
        part.persist(path).map_err(|error| Error::file(path, error.error))?;
        Ok(Bundle { path: path.to_path_buf(), ..bundle })
    }

    /// Looks a bundle through, every byte of it.
    ///
    /// # Errors
    /// It cannot be read, or is not whole; what is wrong is said, and where.
    pub fn open(path: impl AsRef<Path>) -> Result<Bundle, Error> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| Error::file(path, error))?;
        let mut reader = Checked {
            file: BufReader::with_capacity(COPY_BYTES, file),
            hasher: Hasher::new(),
            at: 0,
        };
        let broken = |why: String| Error::Bundle { path: path.to_path_buf(), why };
        let (request, blobs) = reader.read_all().map_err(broken)?;
        let id = BlobHash(*reader.hasher.finalize().as_bytes());
        let said = reader.plain::<32>().map_err(broken)?;
        if said != id.0 {
            return Err(broken("its last 32 bytes are not the hash of the others".into()));
        }
        if reader.file.read(&mut [0]).map_err(|error| Error::file(path, error))? > 0 {
            return Err(broken("something follows its end".into()));
        }
        let bundle = Bundle { path: path.to_path_buf(), request, blobs: Arc::new(blobs), id };
        let named: BTreeSet<BlobHash> = bundle.named()?.into_iter().collect();
        let absent = named.iter().find(|blob| !bundle.blobs.contains_key(blob));
        let unnamed = bundle.blobs.keys().find(|blob| !named.contains(blob));
        match (absent, unnamed) {
            (Some(blob), _) => Err(broken(format!("it names the blob {blob}, which is not in it"))),
            (_, Some(blob)) => Err(broken(format!("blob {blob} is in it, and nothing names it"))),
            (None, None) => Ok(bundle),
        }
    }

    /// Its name: the hash that it ends with.
    pub fn id(&self) -> BlobHash {
        self.id
    }

    /// What it asks for.
    pub fn request(&self) -> &JobRequest {
        &self.request
    }

    /// How many units it has.
    pub fn units(&self) -> u64 {
        match &self.request.units {
            UnitsRequest::Count(count) => (*count).into(),
            UnitsRequest::Inputs(inputs) => inputs.len() as u64,
            UnitsRequest::InputList(list) => {
                self.blobs.get(list).map_or(0, |place| place.bytes / HASH_BYTES)
            }
        }
    }

    /// How many blobs it holds, and their bytes.
    pub fn blobs(&self) -> (u64, u64) {
        (self.blobs.len() as u64, self.blobs.values().map(|place| place.bytes).sum())
    }

    /// The bytes of a blob in it.
    ///
    /// # Errors
    /// There is no such blob, or the file has changed.
    pub fn blob(&self, blob: BlobHash) -> Result<Vec<u8>, Error> {
        let broken = |why: &str| Error::Bundle {
            path: self.path.clone(),
            why: format!("blob {blob}: {why}"),
        };
        let place = self.blobs.get(&blob).ok_or_else(|| broken("it is not in it"))?;
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(place.start))?;
            let mut bytes = vec![0; usize::try_from(place.bytes).map_err(io::Error::other)?];
            file.read_exact(&mut bytes).map(|()| bytes)
        };
        let bytes = read().map_err(|error| Error::file(&self.path, error))?;
        match BlobHash::of(&bytes) == blob {
            true => Ok(bytes),
            false => Err(broken("the file has changed since it was opened")),
        }
    }

    /// The job, to be submitted: its blobs are read one by one, as they are sent.
    ///
    /// # Errors
    /// The file has changed.
    pub fn spec(&self) -> Result<JobSpec, Error> {
        let request = self.request.clone();
        let units = match self.inputs()? {
            None => UnitSource::Count(u32::try_from(self.units()).unwrap_or(u32::MAX)),
            Some(inputs) => {
                let bundle = self.clone();
                let read = move |blob| bundle.blob(blob).map(Input::Bytes);
                UnitSource::Inputs(Box::new(inputs.into_iter().map(read)))
            }
        };
        let merge = request.merge.map(|merge| self.blob(merge).map(Input::Bytes)).transpose()?;
        Ok(JobSpec {
            about: request.about,
            seed: request.seed,
            args: request.args,
            env: request.env,
            limits: request.limits,
            profile: request.profile,
            delegates: request.delegates,
            delegate_after_s: request.delegate_after_s,
            checkers: request.checkers,
            ringers: request.ringers,
            priority: request.priority,
            deadline_s: request.deadline_s,
            merge,
            ..JobSpec::new(request.name, Input::Bytes(self.blob(request.module)?), units)
        })
    }

    /// The inputs of its units, if they have any of their own.
    fn inputs(&self) -> Result<Option<Vec<BlobHash>>, Error> {
        match &self.request.units {
            UnitsRequest::Count(_) => Ok(None),
            UnitsRequest::Inputs(inputs) => Ok(Some(inputs.clone())),
            UnitsRequest::InputList(list) => {
                let list = self.blob(*list)?;
                let (hashes, rest) = list.as_chunks::<32>();
                if !rest.is_empty() {
                    let why = "its list of inputs is cut off".to_owned();
                    return Err(Error::Bundle { path: self.path.clone(), why });
                }
                let hashes = hashes.iter().map(|hash| BlobHash(*hash)).collect();
                Ok(Some(hashes))
            }
        }
    }

    /// All blobs that the request names.
    fn named(&self) -> Result<Vec<BlobHash>, Error> {
        let mut named = vec![self.request.module];
        named.extend(self.request.merge);
        if let UnitsRequest::InputList(list) = self.request.units {
            named.push(list);
            if !self.blobs.contains_key(&list) {
                return Ok(named);
            }
        }
        named.extend(self.inputs()?.unwrap_or_default());
        Ok(named)
    }
}

type Blobs = BTreeMap<BlobHash, Input>;

/// The request that `submit` would send, and the blobs that it names.
fn request_of(mut spec: JobSpec, blobs: &mut Blobs) -> Result<JobRequest, Error> {
    let (module, merge, units) = spec.take_inputs();
    let module = add(module, blobs)?;
    let merge = merge.map(|merge| add(merge, blobs)).transpose()?;
    let units = match units {
        UnitSource::Count(count) => UnitsRequest::Count(count),
        UnitSource::Inputs(inputs) => {
            let hashes: Vec<BlobHash> =
                inputs.map(|input| add(input?, blobs)).collect::<Result<_, _>>()?;
            match hashes.len() {
                0 => return Err(Error::Units { problem: "there are no inputs".into() }),
                1..=INPUTS_INLINE_MAX => UnitsRequest::Inputs(hashes),
                _ => {
                    let list = hashes.iter().flat_map(|hash| hash.0).collect();
                    UnitsRequest::InputList(add(Input::Bytes(list), blobs)?)
                }
            }
        }
    };
    Ok(spec.request(module, merge, units))
}

fn add(input: Input, blobs: &mut Blobs) -> Result<BlobHash, Error> {
    let hash = match &input {
        Input::Bytes(bytes) => BlobHash::of(bytes),
        Input::File(path) => {
            let mut hasher = Hasher::new();
            let hashed = File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
            hashed.map_err(|error| Error::file(path, error))?;
            BlobHash(*hasher.finalize().as_bytes())
        }
        Input::Stored(blob) => {
            let problem = format!("blob {blob} is in a node, and not at hand for a bundle");
            return Err(Error::Units { problem });
        }
    };
    blobs.entry(hash).or_insert(input);
    Ok(hash)
}

fn write_file(part: &Path, request: &JobRequest, blobs: &Blobs) -> Result<(), Error> {
    let failed = |error| Error::file(part, error);
    let file = File::create(part).map_err(failed)?;
    let mut out =
        Hashing { out: BufWriter::with_capacity(COPY_BYTES, file), hasher: Hasher::new() };
    let request = serde_json::to_vec(request).map_err(|error| failed(error.into()))?;
    let mut head = Vec::from(*BUNDLE_MAGIC);
    head.extend((request.len() as u64).to_le_bytes());
    head.extend(request);
    out.write_all(&head).map_err(failed)?;
    for (hash, input) in blobs {
        write_blob(&mut out, *hash, input, part)?;
    }
    let id = *out.hasher.finalize().as_bytes();
    out.out.write_all(&id).map_err(failed)?;
    out.out.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)
}

fn write_blob(out: &mut Hashing, hash: BlobHash, input: &Input, part: &Path) -> Result<(), Error> {
    let failed = |error| Error::file(part, error);
    let head = |out: &mut Hashing, bytes: u64| {
        out.write_all(&hash.0).and_then(|()| out.write_all(&bytes.to_le_bytes())).map_err(failed)
    };
    match input {
        Input::Bytes(bytes) => {
            head(out, bytes.len() as u64)?;
            out.write_all(bytes).map_err(failed)
        }
        Input::File(path) => {
            let of_file = |error| Error::file(path, error);
            let mut file = File::open(path).map_err(of_file)?;
            let bytes = file.metadata().map_err(of_file)?.len();
            head(out, bytes)?;
            let copied = io::copy(&mut (&mut file).take(bytes), out).map_err(of_file)?;
            match copied == bytes {
                true => Ok(()),
                false => Err(of_file(io::Error::other("it became shorter while it was read"))),
            }
        }
        Input::Stored(_) => Ok(()),
    }
}

/// Writes, and hashes what it writes.
struct Hashing {
    out: BufWriter<File>,
    hasher: Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads, hashes what it reads, and knows where it is. What is wrong is told in words.
struct Checked {
    file: BufReader<File>,
    hasher: Hasher,
    at: u64,
}

impl Checked {
    fn read_all(&mut self) -> Result<(JobRequest, BTreeMap<BlobHash, Place>), String> {
        if self.some::<16>()? != *BUNDLE_MAGIC {
            return Err("it does not begin as a bundle of this version does".into());
        }
        let length = u64::from_le_bytes(self.some()?);
        if length > REQUEST_BYTES_MAX {
            return Err(format!(
                "its request is said to have {length} bytes; {REQUEST_BYTES_MAX} are allowed"
            ));
        }
        let mut request = vec![0; length as usize];
        self.fill(&mut request)?;
        let request = serde_json::from_slice(&request)
            .map_err(|error| format!("its request makes no sense: {error}"))?;
        Ok((request, self.read_blobs()?))
    }

    /// Blobs up to the last 32 bytes.
    fn read_blobs(&mut self) -> Result<BTreeMap<BlobHash, Place>, String> {
        let end = self.file.get_ref().metadata().map_err(|error| error.to_string())?.len();
        let end = end.checked_sub(HASH_BYTES).ok_or("it is cut off")?;
        let mut blobs = BTreeMap::new();
        while self.at < end {
            let hash = BlobHash(self.some()?);
            let bytes = u64::from_le_bytes(self.some()?);
            let start = self.at;
            if bytes > end.saturating_sub(start) {
                return Err(format!("blob {hash} at byte {start} is cut off"));
            }
            if self.hash_of(bytes)? != hash {
                return Err(format!("the bytes of blob {hash} at byte {start} are others"));
            }
            let follows = blobs.last_key_value().is_none_or(|(last, _)| *last < hash);
            if !follows || blobs.len() == BLOBS_MAX {
                return Err(format!("blob {hash} at byte {start} is out of its order"));
            }
            blobs.insert(hash, Place { start, bytes });
        }
        Ok(blobs)
    }

    /// The hash of so many bytes, which are passed over.
    fn hash_of(&mut self, mut bytes: u64) -> Result<BlobHash, String> {
        let (mut hasher, mut buffer) = (Hasher::new(), vec![0; COPY_BYTES]);
        while bytes > 0 {
            let some = bytes.min(COPY_BYTES as u64) as usize;
            self.fill(&mut buffer[..some])?;
            hasher.update(&buffer[..some]);
            bytes -= some as u64;
        }
        Ok(BlobHash(*hasher.finalize().as_bytes()))
    }

    fn some<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.file.read_exact(bytes).map_err(|error| self.cut(&error))?;
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The same of bytes that are not part of what is hashed.
    fn plain<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|error| self.cut(&error))?;
        Ok(bytes)
    }

    fn cut(&self, error: &io::Error) -> String {
        format!("it cannot be read on at byte {}: {error}", self.at)
    }
}
