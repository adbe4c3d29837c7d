//! The api room: what a node shows on loopback, over HTTP, to the person who owns it.
//!
//! Everything under `/v1` wants the bearer token; `/metrics`, `/healthz` and `/readyz` do not.
//! Requests that a web page made a browser send are refused by their `Host`. The room turns requests
//! into calls of [`Backend`] and its answers into JSON, bytes and event streams; it checks the form
//! of what comes in and bounds its size.
//!
//! What it is not: it holds no state of jobs and decides nothing; it is no way in for other machines.
mod backend;
mod blobs;
mod gate;
mod jobs;
mod levels;
mod node;
mod refusal;
mod submission;
#[cfg(test)]
mod tests;

pub use backend::{
    Backend, BodyReader, Levels, Outputs, Pieces, Readiness, Results, Stored, UnitOutput,
};
pub use node::OPENAPI;
pub use refusal::Refusal;
pub use submission::{Submission, SubmittedUnits, about_of, profile, profile_of};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use dugnad_client::frames::BATCH_BYTES_MAX;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

/// Largest uploaded blob, bytes; a wasm module cannot address more.
pub const BLOB_BYTES_MAX: u64 = 4 << 30;
/// Largest job request, bytes.
pub const JOB_BYTES_MAX: usize = 1 << 20;
/// Most blobs that are uploaded at the same time; the next one waits.
pub const UPLOADS_MAX: usize = 16;
/// Most watchers of jobs at the same time; the next one is refused.
pub const WATCHERS_MAX: usize = 256;
/// How long requests may take to end when the node stops, ms.
pub const STOP_MS_MAX: u64 = 500;

/// What the handlers share.
struct Api<B> {
    backend: B,
    gate: gate::Gate,
    blob_bytes_max: u64,
    uploads: Semaphore,
    watchers: Arc<Semaphore>,
}

type Shared<B> = Arc<Api<B>>;

/// The API of a node; `token` opens everything under `/v1`.
pub fn router<B: Backend>(backend: B, token: &str) -> Router {
    router_with(backend, token, BLOB_BYTES_MAX)
}

/// What `--metrics` serves on an address of its own, to whoever can reach it.
pub fn metrics_router<B: Backend>(backend: B) -> Router {
    open_routes::<B>().fallback(refusal::no_such_route).with_state(backend)
}

/// Serves until `stop`, then lets requests end for at most [`STOP_MS_MAX`].
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel::<()>();
    // Answers are small and many; a failure costs speed only.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        // A dropped sender means stop as well.
        let _ = stopped.await;
    });
    let stop = async {
        stop.await;
        drop(stopping);
        // Event streams last as long as their jobs.
        tokio::time::sleep(Duration::from_millis(STOP_MS_MAX)).await;
    };
    tokio::select! {
        ended = server => ended,
        () = stop => Ok(()),
    }
}

fn router_with<B: Backend>(backend: B, token: &str, blob_bytes_max: u64) -> Router {
    let api = Arc::new(Api {
        backend: backend.clone(),
        gate: gate::Gate::new(token),
        blob_bytes_max,
        uploads: Semaphore::new(UPLOADS_MAX),
        watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
    });
    let closed = Router::new()
        .route("/v1/blobs", post(blobs::store::<B>))
        .route("/v1/blobs/batch", post(blobs::store_batch::<B>))
        .layer(DefaultBodyLimit::max(BATCH_BYTES_MAX))
        .route("/v1/blobs/{blob}", get(blobs::show::<B>))
        .route("/v1/jobs", get(jobs::list::<B>))
        .route("/v1/jobs", post(jobs::submit::<B>).layer(DefaultBodyLimit::max(JOB_BYTES_MAX)))
        .route("/v1/jobs/{job}", get(jobs::status::<B>).delete(jobs::cancel::<B>))
        .route("/v1/jobs/{job}/events", get(jobs::events::<B>))
        .route("/v1/jobs/{job}/explain", get(jobs::explain::<B>))
        .route("/v1/jobs/{job}/units/{unit}/explain", get(jobs::explain_unit::<B>))
        .route("/v1/jobs/{job}/units/{unit}/log", get(jobs::log::<B>))
        .route("/v1/jobs/{job}/outputs", get(jobs::outputs::<B>))
        .route("/v1/jobs/{job}/certificate", get(jobs::certificate::<B>))
        .route("/v1/jobs/{job}/units/{unit}/output", get(jobs::output::<B>))
        .route("/v1/peers", get(node::peers::<B>))
        .route("/v1/status", get(node::status::<B>))
        .route("/v1/invite", get(node::invite::<B>))
        .fallback(refusal::no_such_route)
        .method_not_allowed_fallback(refusal::no_such_method)
        .layer(from_fn_with_state(api.clone(), gate::token_only::<B>))
        .with_state(api);
    open_routes::<B>()
        .with_state(backend)
        .merge(closed)
        .layer(axum::middleware::from_fn(gate::loopback_only))
}

fn open_routes<B: Backend>() -> Router<B> {
    Router::new()
        .route("/metrics", get(node::metrics::<B>))
        .route("/v1/openapi.json", get(node::openapi))
        .route("/healthz", get(node::healthz))
        .route("/readyz", get(node::readyz::<B>))
}
