//! Bytes on a stream: one length-prefixed frame asked, one answered.
//!
//! The length is checked before anything is read, and memory grows with the bytes that arrive, not
//! with the length that was announced. What the bytes mean is not known here.
use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;
use std::io;

/// The codec of a protocol whose frames have limits of their own for each direction.
#[derive(Clone)]
pub struct Frames {
    /// The largest request.
    pub request_bytes_max: usize,
    /// The largest answer.
    pub answer_bytes_max: usize,
}

impl Codec for Frames {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io, self.request_bytes_max).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io, self.answer_bytes_max).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &frame, self.request_bytes_max).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &frame, self.answer_bytes_max).await
    }
}

async fn read_frame<T: AsyncRead + Unpin + Send>(
    io: &mut T,
    bytes_max: usize,
) -> io::Result<Bytes> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    check_length(length, bytes_max)?;
    let mut frame = Vec::new();
    let mut body = io.take(length as u64);
    body.read_to_end(&mut frame).await?;
    if frame.len() < length {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the frame ends before its length",
        ));
    }
    Ok(Bytes::from(frame))
}

async fn write_frame<T: AsyncWrite + Unpin + Send>(
    io: &mut T,
    frame: &[u8],
    bytes_max: usize,
) -> io::Result<()> {
    check_length(frame.len(), bytes_max)?;
    io.write_all(&(frame.len() as u32).to_be_bytes()).await?;
    io.write_all(frame).await?;
    io.flush().await
}

fn check_length(length: usize, bytes_max: usize) -> io::Result<()> {
    if length > bytes_max {
        let reason = format!("a frame of {length} bytes where at most {bytes_max} are allowed");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(())
}
