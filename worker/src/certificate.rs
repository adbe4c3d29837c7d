//! A job's certificate as a file: what was signed, and nothing else.
//!
//! ```text
//! "dugnad certificate 1\n"
//! u32 length (LE)   postcard of a SignedManifest
//! u32 length (LE)   postcard of a SignedBatch       … as many as there are
//! ```
//! Every byte is part of a length, a signature or what it signs, so none can be changed unseen: the
//! manifest's stamp, which nobody signs, is always 0 here. Batches may be left out, which proves less.
use crate::signed::{self, SIGNED_BATCH_BYTES_MAX, SIGNED_MANIFEST_BYTES_MAX};
use bytes::{BufMut, Bytes, BytesMut};
use coordinator_free_scheduler::{Replay, SignedBatch, SignedManifest, Stamp, wire};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// The first bytes of the file.
const MAGIC: &[u8] = b"dugnad certificate 1\n";

/// The start of the file.
pub fn head(manifest: &SignedManifest) -> Bytes {
    let mut bytes = BytesMut::from(MAGIC);
    put(&mut bytes, &SignedManifest { stamp: Stamp::default(), ..manifest.clone() });
    bytes.freeze()
}

/// A part of the file, to follow the others.
pub fn batches(batches: &[SignedBatch]) -> Bytes {
    let mut bytes = BytesMut::new();
    batches.iter().for_each(|batch| put(&mut bytes, batch));
    bytes.freeze()
}

fn put(bytes: &mut BytesMut, value: &impl Serialize) {
    let value = wire::encode(value);
    bytes.put_u32_le(value.len() as u32);
    bytes.put_slice(&value);
}

/// What a certificate says, all signatures checked.
pub struct Certificate {
    /// The job, to be asked for its verdicts.
    pub replay: Replay,
    /// How many batches there are.
    pub batches: u64,
}

/// What is wrong with a certificate, and where.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it does not begin as a certificate of this version does")]
    Magic,
    #[error("what begins at byte {at} is cut off, or its length is not what was written")]
    CutOff { at: u64 },
    #[error("the manifest, at byte {at}, {why}")]
    Manifest { at: u64, why: String },
    #[error("batch {number} of statements, at byte {at}, {why}")]
    Batch { number: u64, at: u64, why: String },
}

/// Reads a certificate from its file.
///
/// # Errors
/// As of [`read`].
pub fn open(path: &Path) -> Result<Certificate, Broken> {
    read(BufReader::new(File::open(path)?))
}

/// Reads a certificate to its end and replays it.
///
/// # Errors
/// The first thing in it that is not as it was signed.
pub fn read(reader: impl Read) -> Result<Certificate, Broken> {
    let mut frames = Frames { reader, at: 0 };
    let mut magic = [0; MAGIC.len()];
    frames.fill(&mut magic).map_err(|_| Broken::Magic)?;
    if magic != MAGIC {
        return Err(Broken::Magic);
    }
    let at = frames.at;
    let first = frames.next(SIGNED_MANIFEST_BYTES_MAX)?.ok_or(Broken::CutOff { at })?;
    let replay = manifest(&first).map_err(|why| Broken::Manifest { at, why })?;
    let mut certificate = Certificate { replay, batches: 0 };
    loop {
        let at = frames.at;
        let Some(frame) = frames.next(SIGNED_BATCH_BYTES_MAX)? else { return Ok(certificate) };
        let number = certificate.batches;
        batch(&mut certificate.replay, &frame).map_err(|why| Broken::Batch { number, at, why })?;
        certificate.batches += 1;
    }
}

fn manifest(frame: &[u8]) -> Result<Replay, String> {
    let (signed, manifest) = signed::decode_manifest(frame).map_err(|error| error.to_string())?;
    if signed.stamp != Stamp::default() {
        return Err("carries a stamp, which has no place here".into());
    }
    Ok(Replay::new(signed.id(), manifest))
}

fn batch(replay: &mut Replay, frame: &[u8]) -> Result<(), String> {
    let (signed, batch) = signed::decode_batch(frame).map_err(|error| error.to_string())?;
    replay.add(signed, batch).map_err(|unfit| format!("does not belong here: {unfit}"))
}

/// A file, frame by frame.
struct Frames<R> {
    reader: R,
    at: u64,
}

impl<R: Read> Frames<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Broken> {
        let at = self.at;
        self.at += bytes.len() as u64;
        self.reader.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Broken::CutOff { at },
            _ => Broken::Read(error),
        })
    }

    /// The next frame; none at the end of the file.
    fn next(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, Broken> {
        let at = self.at;
        let mut length = [0; 4];
        if self.reader.by_ref().take(1).read(&mut length[..1])? == 0 {
            return Ok(None);
        }
        self.at += 1;
        self.fill(&mut length[1..])?;
        let bytes = u32::from_le_bytes(length) as usize;
        if bytes > bytes_max {
            return Err(Broken::CutOff { at });
        }
        let mut frame = vec![0; bytes];
        self.fill(&mut frame).map_err(|error| match error {
            Broken::CutOff { .. } => Broken::CutOff { at },
            other => other,
        })?;
        Ok(Some(frame))
    }
}
