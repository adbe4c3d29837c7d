//! The door: bytes from peers become inputs, and only if their author's signature holds.
//!
//! Whatever does not decode, is over its limit or is not signed by whom it names stays outside and
//! is counted; the rest of the same message comes in.
use crate::{
    net::{Acceptance, Topic},
    signed::{self, Unsound},
};
use coordinator_free_scheduler::{
    Input, MESSAGE_BYTES_MAX, Manifest, Message, PeerKey, SignedBatch, SignedManifest,
    statement::Batch, wire,
};
use std::sync::Arc;

/// What came through.
#[derive(Default)]
pub struct Passed {
    /// For the mind.
    pub inputs: Vec<Input>,
    /// How many statements stayed outside.
    pub refused: u64,
}

impl Passed {
    fn of(input: Option<Input>) -> Passed {
        let refused = input.is_none() as u64;
        Passed { inputs: input.into_iter().collect(), refused }
    }

    /// What becomes of a gossip payload.
    pub fn acceptance(&self) -> Acceptance {
        match self.refused {
            0 => Acceptance::Forward,
            _ => Acceptance::Reject,
        }
    }
}

/// Takes in a gossip payload.
pub fn gossip(topic: Topic, from: PeerKey, bytes: &[u8]) -> Passed {
    match topic {
        Topic::Jobs => Passed::of(manifest(from, signed::decode_manifest(bytes))),
        Topic::Shard(_) => Passed::of(batch(from, signed::decode_batch(bytes))),
    }
}

/// Takes in a direct message.
pub fn message(from: PeerKey, bytes: &[u8]) -> Passed {
    let mut passed = Passed::default();
    let parts: Vec<Option<Input>> = match wire::decode(bytes, MESSAGE_BYTES_MAX) {
        Ok(Message::Query(query)) => vec![Some(Input::Query { from, query })],
        Ok(Message::Manifests(all)) => {
            each(all, |one| manifest(from, opened(one, signed::manifest)))
        }
        Ok(Message::Batches(all)) => each(all, |one| batch(from, opened(one, signed::batch))),
        Err(_) => vec![None],
    };
    for part in parts {
        match part {
            Some(input) => passed.inputs.push(input),
            None => passed.refused += 1,
        }
    }
    passed
}

fn each<T>(all: Vec<T>, input: impl Fn(T) -> Option<Input>) -> Vec<Option<Input>> {
    all.into_iter().map(input).collect()
}

fn opened<S, T>(signed: S, open: fn(&S) -> Result<T, Unsound>) -> Result<(S, T), Unsound> {
    open(&signed).map(|said| (signed, said))
}

fn manifest(from: PeerKey, sound: Result<(SignedManifest, Manifest), Unsound>) -> Option<Input> {
    let (signed, manifest) = sound.ok()?;
    Some(Input::Manifest { from, signed, manifest: Box::new(manifest) })
}

fn batch(from: PeerKey, sound: Result<(SignedBatch, Batch), Unsound>) -> Option<Input> {
    let (signed, batch) = sound.ok()?;
    Some(Input::Batch { from, signed, batch: Arc::new(batch) })
}
