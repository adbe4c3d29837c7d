//! The stream of a job's results as they become known, each with its level.
use crate::frames::{OUTPUT_HEADER_BYTES, read_output_header, read_result_header};
use crate::route::Answer;
use crate::{Error, Level, UnitLevel};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

/// What is told of a unit is no longer, bytes.
const MARK_BYTES_MAX: usize = 64 << 10;

/// What is known of a unit's result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitResult {
    /// Its level, and how it ended.
    pub told: UnitLevel,
    /// Its output, if it has one and that could be had.
    pub output: Option<Bytes>,
}

/// The results in `answer`; an error is the last one.
pub(crate) fn results(
    answer: Answer,
    level: Level,
) -> impl Stream<Item = Result<UnitResult, Error>> + Send {
    let frames = Frames {
        route: answer.route,
        body: answer.response.bytes_stream().boxed(),
        unread: BytesMut::new(),
        level,
    };
    stream::unfold(Some(frames), |frames| async move {
        let mut frames = frames?;
        match frames.next().await {
            Ok(Some(result)) => Some((Ok(result), Some(frames))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

struct Frames {
    route: String,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    unread: BytesMut,
    level: Level,
}

impl Frames {
    async fn next(&mut self) -> Result<Option<UnitResult>, Error> {
        if self.unread.is_empty() && !self.read_on().await? {
            return Ok(None);
        }
        let header = self.take(OUTPUT_HEADER_BYTES).await?;
        let mut fixed = [0; OUTPUT_HEADER_BYTES];
        fixed.copy_from_slice(&header);
        let (told, bytes) = match self.level {
            Level::Released => {
                let (unit, bytes) = read_output_header(fixed);
                (UnitLevel::released(unit), Some(bytes))
            }
            Level::Reported | Level::Checked => {
                let (mark_bytes, bytes) = read_result_header(fixed);
                if mark_bytes as usize > MARK_BYTES_MAX {
                    return Err(self.broken("a mark that is too long".into()));
                }
                let mark = self.take(mark_bytes as usize).await?;
                let told = serde_json::from_slice(&mark);
                (told.map_err(|error| self.broken(error.to_string()))?, bytes)
            }
        };
        let output = match bytes {
            Some(bytes) => Some(self.take(bytes as usize).await?),
            None => None,
        };
        Ok(Some(UnitResult { told, output }))
    }

    async fn take(&mut self, bytes: usize) -> Result<Bytes, Error> {
        while self.unread.len() < bytes {
            if !self.read_on().await? {
                return Err(self.broken("it ends within a result".into()));
            }
        }
        Ok(self.unread.split_to(bytes).freeze())
    }

    /// Whether more came.
    async fn read_on(&mut self) -> Result<bool, Error> {
        match self.body.next().await {
            Some(Ok(chunk)) => {
                self.unread.extend_from_slice(&chunk);
                Ok(true)
            }
            Some(Err(source)) => Err(Error::Transport { route: self.route.clone(), source }),
            None => Ok(false),
        }
    }

    fn broken(&self, problem: String) -> Error {
        Error::Answer { route: self.route.clone(), problem }
    }
}
