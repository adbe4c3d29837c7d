//! One exchange with the node: everything that is not a success becomes a typed error here.
use crate::{Error, json};
use bytes::Bytes;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long an answer may take where nothing is streamed, ms.
pub(crate) const ANSWER_MS_MAX: u64 = 120_000;

/// A success whose body is still to be read.
pub(crate) struct Answer {
    /// The request, as `METHOD PATH`, for errors.
    pub route: String,
    pub response: Response,
}

/// Sends a request whose answer comes at once.
pub(crate) async fn exchange(request: RequestBuilder) -> Result<Answer, Error> {
    stream(request.timeout(Duration::from_millis(ANSWER_MS_MAX))).await
}

/// Sends a request that may take as long as its bodies flow.
pub(crate) async fn stream(request: RequestBuilder) -> Result<Answer, Error> {
    let (client, request) = request.build_split();
    let unsent = |source| Error::Transport { route: "request".into(), source };
    let request = request.map_err(unsent)?;
    let route = format!("{} {}", request.method(), request.url().path());
    let place = request.url().origin().ascii_serialization();
    let response = client.execute(request).await.map_err(|source| match source.is_connect() {
        true => Error::NoNode { place },
        false => Error::Transport { route: route.clone(), source },
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(Answer { route, response });
    }
    let reason = reason(status, response).await;
    Err(Error::Refused { route, status: status.as_u16(), reason })
}

impl Answer {
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let route = self.route.clone();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Answer { route, problem: error.to_string() })
    }

    pub async fn bytes(self) -> Result<Bytes, Error> {
        let route = self.route;
        self.response.bytes().await.map_err(|source| Error::Transport { route, source })
    }
}

/// The node's own words, or the status where it has none.
async fn reason(status: StatusCode, response: Response) -> String {
    let body = response.bytes().await.unwrap_or_default();
    match serde_json::from_slice::<json::Refused>(&body) {
        Ok(json::Refused { error }) => error,
        Err(_) => status.to_string(),
    }
}
