//! The node itself over HTTP: its peers, its state, its metrics.
use super::{Backend, Readiness, Refusal, Shared};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use dugnad_client::json::Invite;
use dugnad_client::{NodeStatus, PeerStatus};

/// The content type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What describes this API to programs.
pub const OPENAPI: &str = include_str!("openapi.json");

/// `GET /v1/openapi.json`.
pub async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}

/// `GET /v1/peers`.
pub async fn peers<B: Backend>(
    State(api): State<Shared<B>>,
) -> Result<Json<Vec<PeerStatus>>, Refusal> {
    api.backend.peers().await.map(Json)
}

/// `GET /v1/status`.
pub async fn status<B: Backend>(State(api): State<Shared<B>>) -> Result<Json<NodeStatus>, Refusal> {
    api.backend.status().await.map(Json)
}

/// `GET /v1/invite`.
pub async fn invite<B: Backend>(State(api): State<Shared<B>>) -> Result<Json<Invite>, Refusal> {
    api.backend.invite().await.map(|invite| Json(Invite { invite }))
}

/// `GET /metrics`.
pub async fn metrics<B: Backend>(State(backend): State<B>) -> Result<impl IntoResponse, Refusal> {
    backend.metrics().await.map(|text| ([(CONTENT_TYPE, METRICS_TYPE)], text))
}

/// `GET /healthz`: the process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the node takes part in the grid.
pub async fn readyz<B: Backend>(State(backend): State<B>) -> (StatusCode, String) {
    match backend.readiness().await {
        Readiness::Ready => (StatusCode::OK, "ready\n".into()),
        Readiness::Waiting(sentence) => (StatusCode::SERVICE_UNAVAILABLE, sentence + "\n"),
    }
}
