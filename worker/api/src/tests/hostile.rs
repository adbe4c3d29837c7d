//! What must not get in, and what it is told.
use super::{BLOB_BYTES_MAX, Served, TOKEN, raw, sent};
use crate::{JOB_BYTES_MAX, metrics_router, serve};
use dugnad_client::frames::{BATCH_BLOB_BYTES_MAX, BATCH_BYTES_MAX};
use dugnad_client::{Error, Grid, json};
use tokio::net::{TcpListener, TcpStream};

fn is_refusal(body: &str) -> bool {
    serde_json::from_str::<json::Refused>(body).is_ok_and(|refused| !refused.error.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_token_opens_v1() {
    let served = Served::start().await;
    for wrong in ["", "Bearer", "Bearer ", "Basic 0123456789abcdef", "Bearer 0123456789abcdeF"] {
        for line in ["GET /v1/status", "POST /v1/jobs", "DELETE /v1/jobs/x", "GET /v1/nothing"] {
            let head = format!("{line} HTTP/1.1\nHost: localhost\nAuthorization: {wrong}\n");
            let (status, body) = raw(&served, &head, b"").await;
            assert_eq!(status, 401, "{line} with {wrong:?}");
            assert!(is_refusal(&body), "{body}");
        }
    }
    let refused = Grid::connect_to(&served.address("wrong")).await.unwrap_err();
    assert!(matches!(refused, Error::Refused { status: 401, .. }), "{refused}");
    assert_eq!(sent(&served, "GET /v1/status", b"").await.0, 200);
    for (path, status) in [("/healthz", 200), ("/metrics", 200), ("/readyz", 503)] {
        let head = format!("GET {path} HTTP/1.1\nHost: localhost\n");
        assert_eq!(raw(&served, &head, b"").await.0, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_made_for_another_host_is_refused() {
    let served = Served::start().await;
    let asked = async |host: &str, target: &str| {
        let head = format!("GET {target} HTTP/1.1\n{host}Authorization: Bearer {TOKEN}\n");
        raw(&served, &head, b"").await.0
    };
    for host in ["127.0.0.1", "127.0.0.1:80", "localhost:9", "LOCALHOST", "[::1]:80", "127.9.9.9"] {
        assert_eq!(asked(&format!("Host: {host}\n"), "/v1/status").await, 200, "{host}");
    }
    for host in ["evil.example", "evil.example:80", "10.0.0.1", "localhost.evil.example", "a b", ""]
    {
        let status = asked(&format!("Host: {host}\n"), "/v1/status").await;
        assert!(status == 403 || status == 400, "{host}: {status}");
        let status = asked(&format!("Host: {host}\n"), "/healthz").await;
        assert!(status == 403 || status == 400, "{host}: {status}");
    }
    assert_ne!(asked("", "/v1/status").await, 200);
    assert_eq!(asked("Host: localhost\n", "http://evil.example/v1/status").await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_and_leaves_nothing() {
    let served = Served::start().await;
    let over = vec![b'x'; BLOB_BYTES_MAX as usize + 1];
    let (status, body) = sent(&served, "POST /v1/blobs", &over).await;
    assert_eq!(status, 413);
    assert!(is_refusal(&body), "{body}");

    let chunked = format!(
        "POST /v1/blobs HTTP/1.1\nHost: localhost\nAuthorization: Bearer {TOKEN}\n\
         Transfer-Encoding: chunked\n"
    );
    let mut chunks = format!("{:x}\r\n", over.len()).into_bytes();
    chunks.extend_from_slice(&over);
    chunks.extend_from_slice(b"\r\n0\r\n\r\n");
    assert_eq!(raw(&served, &chunked, &chunks).await.0, 413);

    let cut_off = [&20_000u64.to_le_bytes()[..4], &[0; 100]].concat();
    let (status, body) = sent(&served, "POST /v1/blobs/batch", &cut_off).await;
    assert_eq!(status, 400, "{body}");
    let one_too_large = [&[0xff, 0xff, 0, 0][..], &vec![0; 0xffff]].concat();
    assert!(one_too_large.len() > BATCH_BLOB_BYTES_MAX);
    let (status, body) = sent(&served, "POST /v1/blobs/batch", &one_too_large).await;
    assert_eq!((status, is_refusal(&body)), (400, true), "{body}");
    for (line, limit) in
        [("POST /v1/blobs/batch", BATCH_BYTES_MAX), ("POST /v1/jobs", JOB_BYTES_MAX)]
    {
        assert_eq!(sent(&served, line, &vec![0; limit + 1]).await.0, 413, "{line}");
    }
    assert!(served.node.memory().blobs.is_empty());
    assert!(served.node.memory().submissions.is_empty());
    assert_eq!(sent(&served, "POST /v1/blobs", &over[1..]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_in_a_sentence() {
    let served = Served::start().await;
    let hash = "0a".repeat(32);
    let whole = format!(r#"{{"name":"n","module":"{hash}","units":{{"count":1}}}}"#);
    let jobs = [
        "".to_owned(),
        "[]".to_owned(),
        whole[..whole.len() - 1].to_owned(),
        whole.replace("\"name\"", "\"nmae\""),
        whole.replace("\"n\"", "\"\""),
        whole.replace("\"n\"", "\"a\\u001b[31m\""),
        whole.replace(&hash, &hash[1..]),
        whole.replace(":1}", ":0}"),
        whole.replace(":1}", ":4000000000}"),
        whole.replace("{\"count\":1}", "{\"inputs\":[]}"),
        whole.replace("{\"count\":1}", "{\"count\":1,\"inputs\":[]}"),
        whole.replacen('{', "{\"profile\":\"quorum=9\",", 1),
        whole.replacen('{', "{\"limits\":{\"fuel\":0},", 1),
        whole.replacen('{', "{\"limits\":{\"memory_mib\":4097},", 1),
        whole.replacen('{', "{\"limits\":{\"output_bytes\":1073741825},", 1),
        whole.replacen('{', "{\"env\":{\"A=B\":\"\"},", 1),
        whole.replacen('{', "{\"args\":[\"\\u0000\"],", 1),
        whole.replacen('{', "{\"seed\":-1,", 1),
    ];
    for job in &jobs {
        let (status, body) = sent(&served, "POST /v1/jobs", job.as_bytes()).await;
        assert_eq!((status, is_refusal(&body)), (400, true), "{job} was answered {body}");
    }
    assert!(served.node.memory().submissions.is_empty());
    let none = format!("/v1/jobs/{hash}");
    let asked = [
        ("GET /v1/jobs/nothex".to_owned(), 400),
        ("GET /v1/jobs/%ff".to_owned(), 400),
        (format!("GET {none}"), 404),
        (format!("GET {none}/events"), 404),
        (format!("GET {none}/units/0/output"), 404),
        (format!("GET {none}/units/-1/output"), 400),
        (format!("GET {none}/outputs?from=x"), 400),
        (format!("DELETE {none}"), 404),
        (format!("GET /v1/blobs/{hash}"), 404),
        ("GET /elsewhere".to_owned(), 404),
        ("GET /v1/elsewhere".to_owned(), 404),
        ("PUT /v1/jobs".to_owned(), 405),
    ];
    for (line, expected) in asked {
        let (status, body) = sent(&served, &line, b"").await;
        assert_eq!((status, is_refusal(&body)), (expected, true), "{line} was answered {body}");
    }
    assert_eq!(sent(&served, "POST /v1/jobs", whole.as_bytes()).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_address_shows_metrics_only_and_stops_when_told() {
    let served = Served::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, metrics_router(served.node.clone()), async {
        let _ = stopped.await;
    }));
    let metrics = Served { at, ..served };
    assert_eq!(sent(&metrics, "GET /metrics", b"").await, (200, "dugnad_peers 0\n".to_owned()));
    assert_eq!(sent(&metrics, "GET /readyz", b"").await, (503, "no peer yet\n".to_owned()));
    assert_eq!(sent(&metrics, "GET /v1/status", b"").await.0, 404);
    let head = "GET /healthz HTTP/1.1\nHost: scraper.example\n";
    assert_eq!(raw(&metrics, head, b"").await.0, 200);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(at).await.is_err());
}
