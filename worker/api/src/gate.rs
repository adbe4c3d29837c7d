//! Who may come in: the holder of the token, on this machine, on purpose.
//!
//! A web page can make a browser send requests to loopback, and by rebinding its own name to
//! 127.0.0.1 read the answers. Such requests carry the page's host name, as the host that is asked or as
//! their origin, so only loopback names pass.
use super::{Backend, Refusal, Shared};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;

/// Knows the token, by its hash: comparing BLAKE3 hashes takes the same time wherever they differ.
pub struct Gate {
    token: blake3::Hash,
}

impl Gate {
    /// A gate that `token` opens.
    pub fn new(token: &str) -> Gate {
        Gate { token: blake3::hash(token.as_bytes()) }
    }

    fn opens_to(&self, request: &Request) -> bool {
        let header = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
        match header.and_then(|value| value.split_at_checked(b"Bearer ".len())) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => {
                blake3::hash(token) == self.token
            }
            Some(_) | None => false,
        }
    }
}

/// Lets requests with the token pass.
pub async fn token_only<B: Backend>(
    State(api): State<Shared<B>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    match api.gate.opens_to(&request) {
        true => Ok(next.run(request).await),
        false => Err(Refusal::Token),
    }
}

/// Lets requests pass that were made for this machine by name or address.
pub async fn loopback_only(request: Request, next: Next) -> Result<Response, Refusal> {
    let header = request.headers().get(HOST);
    let named = header.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let asked = request.uri().authority().map(Authority::to_string);
    // A page says where it came from, when it sends anything but a plain look; one of this machine may.
    let origin = request.headers().get(ORIGIN);
    let origin = origin.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let origin = origin.map(|origin| origin.rsplit("//").next().unwrap_or_default().to_owned());
    match named.iter().chain(&asked).chain(&origin).find(|host| !is_loopback(host)) {
        Some(host) => Err(Refusal::Host(host.clone())),
        None if named.is_none() => Err(Refusal::Host(String::new())),
        None => Ok(next.run(request).await),
    }
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(name.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}
