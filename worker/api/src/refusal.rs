//! Why a request is not granted: one type, one HTTP status each, always JSON with a sentence.
use axum::Json;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use dugnad_client::json;
use serde::de::DeserializeOwned;

/// Why a request is not granted; the text says what was wrong and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No token, or a wrong one.
    #[error("the bearer token is missing or wrong; it is in api.token in the data directory")]
    Token,
    /// The request was made for another host, as web pages make them.
    #[error("this API answers to localhost only, not to {0:?}")]
    Host(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// There is, but that cannot be done to it.
    #[error("{0} is not possible here")]
    Method(Method),
    /// It does not fit what is there.
    #[error("{0}")]
    Conflict(String),
    /// Over a named limit.
    #[error("{0}")]
    TooLarge(String),
    /// Too much at a time, or not now.
    #[error("{0}")]
    Busy(String),
    /// The node failed.
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::Token => StatusCode::UNAUTHORIZED,
            Refusal::Host(_) => StatusCode::FORBIDDEN,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json::Refused { error: self.to_string() });
        match self {
            Refusal::Token => (self.status(), [(WWW_AUTHENTICATE, "Bearer")], body).into_response(),
            refusal => (refusal.status(), body).into_response(),
        }
    }
}

/// The variables in the path of a route.
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Segments(segments)),
            Err(rejection) => Err(Refusal::Invalid(rejection.body_text())),
        }
    }
}

/// The variables after the question mark.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Asked(asked)),
            Err(rejection) => Err(Refusal::Invalid(rejection.body_text())),
        }
    }
}

/// The answer where there is no route.
pub async fn no_such_route(uri: Uri) -> Refusal {
    Refusal::NotFound(format!("there is no {}", uri.path()))
}

/// The answer where there is a route, but not with this method.
pub async fn no_such_method(method: Method) -> Refusal {
    Refusal::Method(method)
}
