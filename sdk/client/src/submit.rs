//! Getting a job to the node: its blobs first, then the request that names them.
//!
//! Inputs are taken from their source one by one and leave memory as soon as they are sent; what is
//! kept of each is its hash. Small ones travel many to a request.
use crate::frames::{BATCH_BLOB_BYTES_MAX, Batch};
use crate::json::{INPUTS_INLINE_MAX, StoredBatch, StoredBlob};
use crate::route;
use crate::{BlobHash, Error, Grid, Input, JobRequest, JobSpec, UnitSource, UnitsRequest};
use bytes::Bytes;
use futures::{Stream, stream};
use reqwest::Body;
use std::io;
use std::path::Path;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes read from a file at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Uploads what `spec` names and returns the request for its job.
pub(crate) async fn upload(grid: &Grid, mut spec: JobSpec) -> Result<JobRequest, Error> {
    let (module, merge, units) = spec.take_inputs();
    let module = upload_input(grid, module).await?;
    let merge = match merge {
        Some(merge) => Some(upload_input(grid, merge).await?),
        None => None,
    };
    let units = match units {
        UnitSource::Count(count) => UnitsRequest::Count(count),
        UnitSource::Inputs(inputs) => upload_units(grid, inputs).await?,
    };
    Ok(spec.request(module, merge, units))
}

/// Uploads one blob as it is read.
pub(crate) async fn upload_reader(
    grid: &Grid,
    reader: impl AsyncRead + Send + Unpin + 'static,
) -> Result<StoredBlob, Error> {
    let body = Body::wrap_stream(chunks(reader));
    route::stream(grid.post("/v1/blobs").body(body)).await?.json().await
}

async fn upload_units(
    grid: &Grid,
    inputs: Box<dyn Iterator<Item = Result<Input, Error>> + Send>,
) -> Result<UnitsRequest, Error> {
    let mut uploads = Uploads { grid, batch: Batch::default(), hashes: Vec::new() };
    for input in inputs {
        uploads.add(input?).await?;
    }
    uploads.flush().await?;
    let hashes = uploads.hashes;
    if hashes.is_empty() {
        return Err(Error::Units { problem: "there are no inputs".into() });
    }
    if hashes.len() <= INPUTS_INLINE_MAX {
        return Ok(UnitsRequest::Inputs(hashes));
    }
    let list: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    Ok(UnitsRequest::InputList(upload_input(grid, Input::Bytes(list)).await?))
}

async fn upload_input(grid: &Grid, input: Input) -> Result<BlobHash, Error> {
    let stored: StoredBlob = match input {
        Input::Stored(blob) => return Ok(blob),
        Input::Bytes(bytes) => {
            route::stream(grid.post("/v1/blobs").body(bytes)).await?.json().await?
        }
        Input::File(path) => {
            let file = File::open(&path).await.map_err(|error| Error::file(&path, error))?;
            upload_reader(grid, file).await?
        }
    };
    Ok(stored.blob)
}

/// The hashes of the inputs so far, in order, and the small ones that are still to be sent.
struct Uploads<'a> {
    grid: &'a Grid,
    batch: Batch,
    hashes: Vec<BlobHash>,
}

impl Uploads<'_> {
    async fn add(&mut self, input: Input) -> Result<(), Error> {
        match input {
            Input::Bytes(bytes) if bytes.len() <= BATCH_BLOB_BYTES_MAX => {
                self.add_small(&bytes).await
            }
            Input::File(path) => self.add_file(&path).await,
            Input::Bytes(_) | Input::Stored(_) => {
                self.flush().await?;
                self.hashes.push(upload_input(self.grid, input).await?);
                Ok(())
            }
        }
    }

    /// Reads as much as would be small and decides then: a size asked before could change.
    async fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |error| Error::file(path, error);
        let mut file = File::open(path).await.map_err(failed)?;
        let mut start = Vec::new();
        let small = BATCH_BLOB_BYTES_MAX as u64;
        (&mut file).take(small + 1).read_to_end(&mut start).await.map_err(failed)?;
        if start.len() <= BATCH_BLOB_BYTES_MAX {
            return self.add_small(&start).await;
        }
        self.flush().await?;
        let whole = io::Cursor::new(start).chain(file);
        self.hashes.push(upload_reader(self.grid, whole).await?.blob);
        Ok(())
    }

    async fn add_small(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if !self.batch.push(bytes) {
            self.flush().await?;
            self.batch.push(bytes);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let sent = self.batch.blobs();
        if sent == 0 {
            return Ok(());
        }
        let request = self.grid.post("/v1/blobs/batch").body(self.batch.take());
        let answer = route::stream(request).await?;
        let route = answer.route.clone();
        let StoredBatch { blobs } = answer.json().await?;
        if blobs.len() != sent {
            let problem = format!("{} hashes for {sent} blobs", blobs.len());
            return Err(Error::Answer { route, problem });
        }
        self.hashes.extend(blobs);
        Ok(())
    }
}

fn chunks<R: AsyncRead + Unpin>(reader: R) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(reader, |mut reader| async move {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        match (&mut reader).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await? {
            0 => Ok(None),
            _ => Ok(Some((Bytes::from(chunk), reader))),
        }
    })
}
