//! The door: bytes from peers become inputs, and only if their author's signature holds.
//!
//! Whether a manifest was paid for is looked at first: that is cheaper than its signature.
//! Whatever does not decode, is over its limit or is not signed by whom it names stays outside and
//! is counted; the rest of the same message comes in.
use crate::{
    net::{Acceptance, Topic},
    signed::{self, SIGNED_MANIFEST_BYTES_MAX, Unsound},
};
use coordinator_free_scheduler::{
    Fault, Input, MESSAGE_BYTES_MAX, Message, Node, PeerKey, SignedBatch, SignedManifest,
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
    /// Manifests that stayed outside because nobody had paid for them.
    pub faults: Vec<Fault>,
    /// Whether some came that others need not take: at most this node owes their submitter something, or
    /// their grid is another one.
    favoured: bool,
}

impl Passed {
    fn add(&mut self, input: Option<Input>) {
        self.refused += input.is_none() as u64;
        self.inputs.extend(input);
    }

    /// Takes in a manifest that was paid for.
    fn add_manifest(&mut self, node: &Node, from: PeerKey, signed: SignedManifest) {
        let price = signed.open().map(|manifest| {
            let fit = node.check_votes(&signed, &manifest);
            self.favoured |= fit.is_err() || !node.is_stamped(&signed, &manifest);
            fit.and_then(|()| node.check_price(&signed, &manifest))
        });
        if let Ok(Err(fault)) = price {
            self.faults.push(fault);
            return;
        }
        let sound = opened(signed, signed::manifest).ok();
        self.add(sound.map(|(signed, manifest)| Input::Manifest {
            from,
            signed,
            manifest: Box::new(manifest),
        }));
    }

    /// What becomes of a gossip payload.
    pub fn acceptance(&self) -> Acceptance {
        match self.refused {
            // Not paid for, or not for all: whoever passed it on may ask for less.
            0 if self.favoured => Acceptance::Ignore,
            0 => Acceptance::Forward,
            _ => Acceptance::Reject,
        }
    }
}

/// Takes in a gossip payload.
pub fn gossip(node: &Node, topic: Topic, from: PeerKey, bytes: &[u8]) -> Passed {
    let mut passed = Passed::default();
    match topic {
        Topic::Jobs => match wire::decode(bytes, SIGNED_MANIFEST_BYTES_MAX) {
            Ok(signed) => passed.add_manifest(node, from, signed),
            Err(_) => passed.add(None),
        },
        Topic::Shard(_) => passed.add(batch(from, signed::decode_batch(bytes))),
    }
    passed
}

/// Takes in a direct message.
pub fn message(node: &Node, from: PeerKey, bytes: &[u8]) -> Passed {
    let mut passed = Passed::default();
    match wire::decode(bytes, MESSAGE_BYTES_MAX) {
        Ok(Message::Query(query)) => passed.add(Some(Input::Query { from, query })),
        Ok(Message::Manifests(all)) => {
            all.into_iter().for_each(|one| passed.add_manifest(node, from, one));
        }
        Ok(Message::Batches(all)) => {
            all.into_iter().for_each(|one| passed.add(batch(from, opened(one, signed::batch))));
        }
        Err(_) => passed.add(None),
    }
    passed
}

fn opened<S, T>(signed: S, open: fn(&S) -> Result<T, Unsound>) -> Result<(S, T), Unsound> {
    open(&signed).map(|said| (signed, said))
}

fn batch(from: PeerKey, sound: Result<(SignedBatch, Batch), Unsound>) -> Option<Input> {
    let (signed, batch) = sound.ok()?;
    Some(Input::Batch { from, signed, batch: Arc::new(batch) })
}
