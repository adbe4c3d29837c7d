//! Jobs over HTTP: submit, list, watch, stop, and get what they computed.
use super::backend::{Backend, Outputs, UnitOutput};
use super::blobs::{bytes_response, whole_body};
use super::levels;
use super::refusal::{Asked, Segments};
use super::{JOB_BYTES_MAX, Refusal, Shared, Submission};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use bytes::{BufMut, Bytes, BytesMut};
use coordinator_free_scheduler as mind;
use dugnad_client::explain::{JobStory, UnitStory};
use dugnad_client::{JobId, JobRequest, JobStatus, Level, Submitted, UnitLog, frames};
use futures::{FutureExt, Stream, StreamExt, stream};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How often a watcher hears of progress, ms; of the end it hears at once.
pub const EVENT_MS_MIN: u64 = 100;
/// How often a watcher hears that the node lives, s.
pub const KEEP_ALIVE_S: u64 = 10;
/// Outputs are gathered up to this many bytes before they are sent.
const OUTPUTS_CHUNK_BYTES: usize = 64 << 10;

/// `POST /v1/jobs`.
pub async fn submit<B: Backend>(
    State(api): State<Shared<B>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Submitted>, Refusal> {
    let body = whole_body(body, JOB_BYTES_MAX)?;
    let request: JobRequest = serde_json::from_slice(&body)
        .map_err(|error| Refusal::Invalid(format!("this is no job request: {error}")))?;
    let submission = Submission::try_from(request)?;
    api.backend.submit(submission).await.map(Json)
}

/// `GET /v1/jobs`.
pub async fn list<B: Backend>(
    State(api): State<Shared<B>>,
) -> Result<Json<Vec<JobStatus>>, Refusal> {
    api.backend.jobs().await.map(Json)
}

/// `GET /v1/jobs/ID`.
pub async fn status<B: Backend>(
    State(api): State<Shared<B>>,
    Segments(job): Segments<JobId>,
) -> Result<Json<JobStatus>, Refusal> {
    api.backend.job(id(job)).await.map(Json)
}

/// `GET /v1/jobs/ID/explain`.
pub async fn explain<B: Backend>(
    State(api): State<Shared<B>>,
    Segments(job): Segments<JobId>,
) -> Result<Json<JobStory>, Refusal> {
    api.backend.explain(id(job)).await.map(Json)
}

/// `GET /v1/jobs/ID/units/N/explain`.
pub async fn explain_unit<B: Backend>(
    State(api): State<Shared<B>>,
    Segments((job, unit)): Segments<(JobId, u32)>,
) -> Result<Json<UnitStory>, Refusal> {
    api.backend.explain_unit(id(job), unit).await.map(Json)
}

/// `GET /v1/jobs/ID/units/N/log`.
pub async fn log<B: Backend>(
    State(api): State<Shared<B>>,
    Segments((job, unit)): Segments<(JobId, u32)>,
) -> Result<Json<UnitLog>, Refusal> {
    // It takes as long as the unit does.
    let _place = levels::place(&api, id(job))?;
    api.backend.log(id(job), unit).await.map(Json)
}

/// `DELETE /v1/jobs/ID`.
pub async fn cancel<B: Backend>(
    State(api): State<Shared<B>>,
    Segments(job): Segments<JobId>,
) -> Result<Json<JobStatus>, Refusal> {
    api.backend.cancel(id(job)).await.map(Json)
}

/// `GET /v1/jobs/ID/events`: the status now and whenever it has changed, until the job has ended; with
/// `?level=L` also what becomes known of units at that level or above, as events named `level`.
pub async fn events<B: Backend>(
    State(api): State<Shared<B>>,
    Segments(job): Segments<JobId>,
    Asked(levels::Asked { level, .. }): Asked<levels::Asked>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>> + Send>, Refusal> {
    let place = levels::place(&api, id(job))?;
    let statuses = api.backend.subscribe(id(job)).await?;
    let levels = match level {
        Some(level) => levels::events(&api, id(job), level).await?,
        None => stream::empty().boxed(),
    };
    let watcher = Watcher { statuses, told: None, _place: place };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let status = watcher.next_status().await?;
        Some((Event::default().json_data(&status), watcher))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_S));
    Ok(Sse::new(stream::select(events, levels)).keep_alive(keep_alive))
}

/// `GET /v1/jobs/ID/units/N/output`.
pub async fn output<B: Backend>(
    State(api): State<Shared<B>>,
    Segments((job, unit)): Segments<(JobId, u32)>,
) -> Result<Response, Refusal> {
    match api.backend.output(id(job), unit).await? {
        UnitOutput::Verified(output) => Ok(bytes_response(output)),
        UnitOutput::Open => Err(Refusal::NotFound(format!("unit {unit} is not verified yet"))),
        UnitOutput::Failed(reason) => {
            Err(Refusal::NotFound(format!("unit {unit} failed: {reason}")))
        }
    }
}

/// `GET /v1/jobs/ID/outputs?from=N`: frames of `u32 unit, u64 length, bytes`; with `?level=L` below the
/// release frames of `u32 length, u64 length, mark, bytes`, until the job has ended.
pub async fn outputs<B: Backend>(
    State(api): State<Shared<B>>,
    Segments(job): Segments<JobId>,
    Asked(levels::Asked { from, level }): Asked<levels::Asked>,
) -> Result<Response, Refusal> {
    let body = match level.unwrap_or_default() {
        Level::Released => Body::from_stream(framed(api.backend.outputs(id(job), from).await?)),
        early @ (Level::Reported | Level::Checked) => levels::results(&api, id(job), early).await?,
    };
    Ok(bytes_response(body))
}

/// `GET /v1/jobs/ID/certificate`: the file that proves what the job came to.
pub async fn certificate<B: Backend>(
    State(api): State<Shared<B>>,
    Segments(job): Segments<JobId>,
) -> Result<Response, Refusal> {
    Ok(bytes_response(Body::from_stream(api.backend.certificate(id(job)).await?)))
}

fn id(job: JobId) -> mind::JobId {
    mind::JobId(mind::Hash(job.0))
}

/// Somebody who watches a job.
struct Watcher {
    statuses: watch::Receiver<JobStatus>,
    told: Option<JobStatus>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next status worth telling; none after the end.
    async fn next_status(&mut self) -> Option<JobStatus> {
        let Some(told) = &self.told else {
            let status = self.statuses.borrow_and_update().clone();
            self.told = Some(status.clone());
            return Some(status);
        };
        if told.state.has_ended() {
            return None;
        }
        loop {
            let ended = self.statuses.wait_for(|status| status.state.has_ended());
            let pace = Duration::from_millis(EVENT_MS_MIN);
            let ended = tokio::time::timeout(pace, ended)
                .await
                .map(|ended| ended.map(|status| status.clone()));
            let status = match ended {
                Ok(Ok(status)) => status,
                Ok(Err(_)) => return None,
                Err(_) => self.statuses.borrow().clone(),
            };
            if Some(&status) != self.told.as_ref() {
                self.told = Some(status.clone());
                return Some(status);
            }
        }
    }
}

/// The frames of outputs. Small ones that are at hand travel together; what fails half-way breaks
/// the answer off, so that nobody takes it for whole.
fn framed(outputs: Outputs) -> impl Stream<Item = Result<Bytes, Refusal>> + Send {
    stream::unfold(outputs.fuse(), |mut outputs| async move {
        let mut chunk = BytesMut::new();
        let mut next = Some(outputs.next().await?);
        while let Some(output) = next {
            match output {
                Ok((unit, bytes)) => {
                    chunk.put_slice(&frames::output_header(unit, bytes.len() as u64));
                    chunk.put_slice(&bytes);
                }
                Err(refusal) => return Some((Err(refusal), outputs)),
            }
            next = match chunk.len() < OUTPUTS_CHUNK_BYTES {
                true => outputs.next().now_or_never().flatten(),
                false => None,
            };
        }
        Some((Ok(chunk.freeze()), outputs))
    })
}
