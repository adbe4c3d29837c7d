//! The room between a node made of nothing but memory and the real client.
mod explain;
mod hostile;
mod jobs;
mod levels;
mod memory_node;
mod openapi;
mod stories;

use super::{router_with, serve};
use dugnad_client::{ApiAddress, Grid};
use memory_node::MemoryNode;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "0123456789abcdef";
/// Small enough to be passed in a test.
const BLOB_BYTES_MAX: u64 = 2 << 20;

/// A node's API that is being served; it ends with the test's runtime.
struct Served {
    node: MemoryNode,
    at: SocketAddr,
}

impl Served {
    async fn start() -> Served {
        let node = MemoryNode::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let router = router_with(node.clone(), TOKEN, BLOB_BYTES_MAX);
        tokio::spawn(serve(listener, router, std::future::pending()));
        Served { node, at }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    fn address(&self, token: &str) -> ApiAddress {
        ApiAddress { url: self.url(""), pid: 1, peer: "me".into(), token: token.into() }
    }

    async fn grid(&self) -> Grid {
        Grid::connect_to(&self.address(TOKEN)).await.unwrap()
    }
}

/// Sends `head` and `body` as they are and returns the status and the body of the answer.
async fn raw(served: &Served, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(served.at).await.unwrap();
    let head = head.replace('\n', "\r\n") + "Connection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The node may answer and close before it has read all.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), body.to_owned())
}

/// The same with the token, and the body's length announced.
async fn sent(served: &Served, line: &str, body: &[u8]) -> (u16, String) {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\nHost: localhost\nAuthorization: Bearer {TOKEN}\nContent-Length: {length}\n"
    );
    raw(served, &head, body).await
}
