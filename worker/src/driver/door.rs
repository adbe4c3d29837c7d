//! The door: bytes from peers become inputs, and only if their author's signature holds.
//!
//! Whatever does not decode, is over its limit or is not signed by whom it names stays outside and
//! is counted; the rest of the same message comes in.
use crate::{
    keys,
    net::{Acceptance, Topic},
};
use coordinator_free_scheduler::{
    BATCH_BYTES_MAX, BATCH_CONTEXT, Input, MANIFEST_BYTES_MAX, MANIFEST_CONTEXT, MESSAGE_BYTES_MAX,
    Message, PeerKey, SignedBatch, SignedManifest, wire,
};
use std::sync::Arc;

/// Bytes that a signature and lengths add.
const ENVELOPE_BYTES: usize = 128;

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
        Topic::Jobs => {
            let signed = wire::decode(bytes, MANIFEST_BYTES_MAX + ENVELOPE_BYTES);
            Passed::of(signed.ok().and_then(|signed| manifest(from, signed)))
        }
        Topic::Shard(_) => {
            let signed = wire::decode(bytes, BATCH_BYTES_MAX + ENVELOPE_BYTES);
            Passed::of(signed.ok().and_then(|signed| batch(from, signed)))
        }
    }
}

/// Takes in a direct message.
pub fn message(from: PeerKey, bytes: &[u8]) -> Passed {
    let mut passed = Passed::default();
    let parts: Vec<Option<Input>> = match wire::decode(bytes, MESSAGE_BYTES_MAX) {
        Ok(Message::Query(query)) => vec![Some(Input::Query { from, query })],
        Ok(Message::Manifests(all)) => all.into_iter().map(|one| manifest(from, one)).collect(),
        Ok(Message::Batches(all)) => all.into_iter().map(|one| batch(from, one)).collect(),
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

fn manifest(from: PeerKey, signed: SignedManifest) -> Option<Input> {
    let manifest = signed.open().ok()?;
    let holds = keys::verify(manifest.owner, MANIFEST_CONTEXT, &signed.bytes, &signed.signature);
    holds.then(|| Input::Manifest { from, signed, manifest: Box::new(manifest) })
}

fn batch(from: PeerKey, signed: SignedBatch) -> Option<Input> {
    let batch = signed.open().ok()?;
    let holds = keys::verify(batch.author, BATCH_CONTEXT, signed.bytes(), &signed.signature().0);
    holds.then(|| Input::Batch { from, signed, batch: Arc::new(batch) })
}
