//! Uploads and downloads of blobs.
use super::backend::{Backend, BodyReader};
use super::refusal::Segments;
use super::submission::hash;
use super::{Refusal, Shared};
use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use coordinator_free_scheduler::Hash;
use dugnad_client::json::{StoredBatch, StoredBlob};
use dugnad_client::{BlobHash, frames};
use futures::{Stream, StreamExt, stream};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long an upload may pause, ms; it holds one of few places.
pub const PAUSE_MS_MAX: u64 = 60_000;

/// `POST /v1/blobs`: the body, of any length up to the limit, becomes a blob.
pub async fn store<B: Backend>(
    State(api): State<Shared<B>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<StoredBlob>, Refusal> {
    let limit = api.blob_bytes_max;
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > limit) {
        return Err(too_large(limit));
    }
    let _place = api.uploads.acquire().await.map_err(|_| Refusal::Busy("stopping".into()))?;
    let fault = Arc::new(OnceLock::new());
    let checked = checked(body.into_data_stream(), limit, fault.clone()).boxed();
    let stored = api.backend.put_blob(BodyReader::new(checked, Handle::current())).await;
    // The reader saw only that reading failed; the reason lies here.
    if let Some(refusal) = fault.get() {
        return Err(refusal.clone());
    }
    stored.map(|stored| Json(StoredBlob { blob: name(stored.blob), bytes: stored.bytes }))
}

/// `POST /v1/blobs/batch`: frames of `u32 length, bytes`.
pub async fn store_batch<B: Backend>(
    State(api): State<Shared<B>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<StoredBatch>, Refusal> {
    let body = whole_body(body, frames::BATCH_BYTES_MAX)?;
    let blobs = frames::split_batch(body).map_err(|error| Refusal::Invalid(error.to_string()))?;
    let names = api.backend.put_blobs(blobs).await?;
    Ok(Json(StoredBatch { blobs: names.into_iter().map(name).collect() }))
}

/// `GET /v1/blobs/HASH`: the bytes of a blob.
pub async fn show<B: Backend>(
    State(api): State<Shared<B>>,
    Segments(blob): Segments<BlobHash>,
) -> Result<Response, Refusal> {
    Ok(bytes_response(api.backend.blob(hash(blob)).await?))
}

/// Bytes that are nothing but bytes to a browser.
pub fn bytes_response(bytes: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream")], bytes.into()).into_response()
}

/// A body that was read whole, or why it was not.
pub fn whole_body(body: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status().as_u16() {
        413 => too_large(limit as u64),
        _ => Refusal::Invalid(rejection.body_text()),
    })
}

fn name(blob: Hash) -> BlobHash {
    BlobHash(blob.0)
}

fn too_large(limit: u64) -> Refusal {
    Refusal::TooLarge(format!("the body is over the {limit} bytes that are allowed here"))
}

/// The body's chunks up to `limit` bytes; whatever ends it early is also left in `fault`.
fn checked(
    body: BodyDataStream,
    limit: u64,
    fault: Arc<OnceLock<Refusal>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((body, limit), move |(mut body, left)| {
        let fault = fault.clone();
        let failed = move |refusal: Refusal| {
            let text = refusal.to_string();
            // The first reason stands.
            let _ = fault.set(refusal);
            io::Error::other(text)
        };
        async move {
            let pause = Duration::from_millis(PAUSE_MS_MAX);
            let Ok(next) = tokio::time::timeout(pause, body.next()).await else {
                return Err(failed(Refusal::Invalid("the upload paused too long".into())));
            };
            match next {
                None => Ok(None),
                Some(Err(error)) => {
                    Err(failed(Refusal::Invalid(format!("the upload broke off: {error}"))))
                }
                Some(Ok(chunk)) => match left.checked_sub(chunk.len() as u64) {
                    Some(left) => Ok(Some((chunk, (body, left)))),
                    None => Err(failed(too_large(limit))),
                },
            }
        }
    })
}
