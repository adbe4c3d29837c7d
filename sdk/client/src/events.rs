//! The stream of a job's statuses: server-sent events, of which only the `data:` lines matter.
use crate::route::Answer;
use crate::{Error, JobStatus};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use std::time::Duration;

/// Longest line that the node may send, bytes.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Silence after which the node is held for dead, ms; a living one sends a sign every few seconds.
const SILENCE_MS_MAX: u64 = 60_000;

/// The statuses in `answer`; the last one has ended, or an error follows it.
pub(crate) fn statuses(answer: Answer) -> impl Stream<Item = Result<JobStatus, Error>> + Send {
    let events = Events {
        route: answer.route,
        body: answer.response.bytes_stream().boxed(),
        unread: BytesMut::new(),
        phase: Phase::Open,
    };
    stream::unfold(events, |mut events| async move {
        if events.phase == Phase::Over {
            return None;
        }
        let status = events.next_status().await;
        events.phase = match &status {
            Ok(status) if !status.state.has_ended() => Phase::Open,
            Ok(_) | Err(_) => Phase::Over,
        };
        Some((status, events))
    })
}

#[derive(PartialEq, Eq)]
enum Phase {
    Open,
    Over,
}

struct Events {
    route: String,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    unread: BytesMut,
    phase: Phase,
}

impl Events {
    async fn next_status(&mut self) -> Result<JobStatus, Error> {
        loop {
            let line = self.next_line().await?;
            if let Some(data) = line.strip_prefix(b"data:") {
                return serde_json::from_slice(data).map_err(|e| self.broken(&e.to_string()));
            }
        }
    }

    async fn next_line(&mut self) -> Result<BytesMut, Error> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.unread[searched..].iter().position(|byte| *byte == b'\n') {
                return Ok(self.unread.split_to(searched + end + 1));
            }
            searched = self.unread.len();
            if searched > LINE_BYTES_MAX {
                return Err(self.broken("a line without end"));
            }
            let chunk = self.next_chunk().await?;
            self.unread.extend_from_slice(&chunk);
        }
    }

    async fn next_chunk(&mut self) -> Result<Bytes, Error> {
        let silence = Duration::from_millis(SILENCE_MS_MAX);
        match tokio::time::timeout(silence, self.body.next()).await {
            Ok(Some(Ok(chunk))) => Ok(chunk),
            Ok(Some(Err(source))) => Err(Error::Transport { route: self.route.clone(), source }),
            Ok(None) => Err(self.broken("the stream ended before the job did")),
            Err(_) => Err(self.broken("no sign of the node for a minute")),
        }
    }

    fn broken(&self, problem: &str) -> Error {
        Error::Answer { route: self.route.clone(), problem: problem.to_owned() }
    }
}
