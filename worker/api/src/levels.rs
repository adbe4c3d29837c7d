//! Answers below the release, over HTTP: each with its level, and again when that changes.
use super::backend::{Backend, Results};
use super::{Refusal, Shared, WATCHERS_MAX};
use axum::body::Body;
use axum::response::sse::Event;
use bytes::{BufMut, Bytes, BytesMut};
use coordinator_free_scheduler::JobId;
use dugnad_client::{Level, frames};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

/// Which answers are asked for.
#[derive(Deserialize)]
pub struct Asked {
    /// Where a stream of released outputs begins.
    #[serde(default)]
    pub from: u32,
    /// The least level of what is told.
    pub level: Option<Level>,
}

/// What becomes known of a job's units, as server-sent events named `level`.
pub async fn events<B: Backend>(
    api: &Shared<B>,
    job: JobId,
    level: Level,
) -> Result<BoxStream<'static, Result<Event, axum::Error>>, Refusal> {
    let told = api.backend.levels(job, level).await?;
    let event = |told| match told {
        Ok(told) => Event::default().event("level").json_data(&told),
        Err(refusal) => Err(axum::Error::new(refusal)),
    };
    Ok(told.map(event).boxed())
}

/// The results of a job at `level` and above, as the body of an answer.
pub async fn results<B: Backend>(
    api: &Shared<B>,
    job: JobId,
    level: Level,
) -> Result<Body, Refusal> {
    let place = place(api, job)?;
    let results = framed(api.backend.results(job, level).await?);
    // Given back when the stream ends.
    let held = results.map(move |frame| {
        let _place = &place;
        frame
    });
    Ok(Body::from_stream(held))
}

/// A place among those who watch jobs.
pub fn place<B>(api: &Shared<B>, job: JobId) -> Result<OwnedSemaphorePermit, Refusal> {
    let full = || format!("{WATCHERS_MAX} watch already; ask /v1/jobs/{} now and then", job.0);
    api.watchers.clone().try_acquire_owned().map_err(|_| Refusal::Busy(full()))
}

/// Frames of a mark and an output each.
fn framed(results: Results) -> impl Stream<Item = Result<Bytes, Refusal>> + Send {
    results.map(|result| {
        let (told, output) = result?;
        let mark = serde_json::to_vec(&told);
        let mark = mark.map_err(|error| Refusal::Failed(error.to_string()))?;
        let mut frame = BytesMut::new();
        let bytes = output.as_ref().map(|output| output.len() as u64);
        frame.put_slice(&frames::result_header(mark.len() as u32, bytes));
        frame.put_slice(&mark);
        frame.put_slice(&output.unwrap_or_default());
        Ok(frame.freeze())
    })
}
