//! The log of one author about one lot: batches in order, each naming the one before.
//!
//! Two different batches in one place, or one that denies the batch before it, prove that the
//! author keeps two logs; such a pair proves it to anybody, whatever else they hold. Then the whole
//! author is set aside in this lot: whichever proof a node holds, all nodes come to the same state.
use crate::{Fault, Hash, LIMITS, Place, SignedBatch, statement::Batch};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};

/// Bytes that a signed batch takes beside its own: signature, hash, counts and pointers.
const SIGNED_BYTES: usize = 64 + 32 + 48;

/// The batches of one incarnation.
#[derive(Clone, Debug, Default)]
pub struct Log {
    batches: Vec<SignedBatch>,
    waiting: BTreeMap<u32, Waiting>,
}

/// A batch that came before one it follows.
#[derive(Clone, Debug)]
struct Waiting {
    signed: SignedBatch,
    batch: Arc<Batch>,
}

/// What an author's log came to.
#[derive(Clone, Debug)]
pub enum Author {
    /// One log an incarnation.
    Honest(BTreeMap<u64, Log>),
    /// Two logs; these two batches prove it.
    Forked(Box<[SignedBatch; 2]>),
}

/// What adding a batch did.
#[derive(Debug)]
pub enum Added {
    /// These follow on, in order.
    Next(Vec<(SignedBatch, Arc<Batch>)>),
    /// Known already, or kept until the one before it comes.
    Nothing,
    /// These prove a fork.
    Fork([SignedBatch; 2]),
}

impl Author {
    /// Adds a batch whose signature was checked.
    ///
    /// # Errors
    /// It cannot belong to any log, or a limit is reached; nothing was changed.
    pub fn add(&mut self, signed: SignedBatch, batch: Arc<Batch>) -> Result<Added, Fault> {
        let Author::Honest(logs) = self else { return Ok(Added::Nothing) };
        let Place { incarnation, sequence } = batch.place;
        if sequence == 0 && batch.previous != Hash::default() {
            return Err(Fault::BrokenChain);
        }
        if sequence as usize >= LIMITS.batches {
            return Err(Fault::OverLimit("batches of an author"));
        }
        if !logs.contains_key(&incarnation) && logs.len() >= LIMITS.incarnations {
            return Err(Fault::OverLimit("incarnations of an author"));
        }
        let log = logs.entry(incarnation).or_default();
        if log.at(sequence).is_some_and(|known| known.hash() == signed.hash()) {
            return Ok(Added::Nothing);
        }
        if let Some(rival) = log.rival(sequence, signed.hash(), batch.previous) {
            let proof = [rival.clone(), signed];
            *self = Author::Forked(Box::new(proof.clone()));
            return Ok(Added::Fork(proof));
        }
        match sequence > log.next() {
            true => log.wait(Waiting { signed, batch }),
            false => return Ok(Added::Next(log.push(Waiting { signed, batch }))),
        }
        Ok(Added::Nothing)
    }

    /// About how many bytes its batches take.
    pub fn bytes(&self) -> usize {
        let signed = |batch: &SignedBatch| batch.bytes().len() + SIGNED_BYTES;
        match self {
            Author::Honest(logs) => {
                let batches = logs.values().flat_map(|log| &log.batches);
                batches.map(signed).sum()
            }
            Author::Forked(proof) => proof.iter().map(signed).sum(),
        }
    }

    /// Adds a batch of this node's own, whose statements were merged when it was made.
    pub fn add_own(&mut self, signed: SignedBatch, place: Place) {
        if let Author::Honest(logs) = self {
            logs.entry(place.incarnation).or_default().batches.push(signed);
        }
    }
}

impl Log {
    /// How many batches follow on from the start.
    pub fn next(&self) -> u32 {
        self.batches.len() as u32
    }

    /// The hash of the last of them, zero for none.
    pub fn tip(&self) -> Hash {
        self.batches.last().map(SignedBatch::hash).unwrap_or_default()
    }

    /// The hash of the batch before place `next`.
    pub fn tip_before(&self, next: u32) -> Option<Hash> {
        match next.checked_sub(1) {
            None => Some(Hash::default()),
            Some(last) => self.batches.get(last as usize).map(SignedBatch::hash),
        }
    }

    /// Batches from a place on.
    pub fn from(&self, next: u32) -> impl Iterator<Item = &SignedBatch> {
        self.batches.iter().skip(next as usize)
    }

    /// Batches that wait for the one before.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The batch in a place, in line or waiting.
    fn at(&self, sequence: u32) -> Option<&SignedBatch> {
        let waiting = || self.waiting.get(&sequence).map(|kept| &kept.signed);
        self.batches.get(sequence as usize).or_else(waiting)
    }

    /// The batch that cannot stand beside a new one: another in its place, one before it that it
    /// does not name, or one after it that does not name it.
    fn rival(&self, sequence: u32, hash: Hash, previous: Hash) -> Option<&SignedBatch> {
        if let Some(signed) = self.at(sequence) {
            return Some(signed);
        }
        let before = sequence.checked_sub(1).and_then(|before| self.at(before));
        if let Some(signed) = before.filter(|known| known.hash() != previous) {
            return Some(signed);
        }
        let after = sequence.checked_add(1).and_then(|after| self.waiting.get(&after));
        after.filter(|kept| kept.batch.previous != hash).map(|kept| &kept.signed)
    }

    /// Keeps a batch for later. When there is no room the farthest one goes, which comes again by
    /// anti-entropy; never the new one, so that the two of a proof meet here.
    fn wait(&mut self, new: Waiting) {
        if self.waiting.len() >= LIMITS.waiting {
            self.waiting.pop_last();
        }
        self.waiting.insert(new.batch.place.sequence, new);
    }

    /// Appends a batch and whatever waited for it.
    fn push(&mut self, new: Waiting) -> Vec<(SignedBatch, Arc<Batch>)> {
        let mut next = Vec::new();
        let mut in_line = Some(new);
        while let Some(kept) = in_line {
            self.batches.push(kept.signed.clone());
            next.push((kept.signed, kept.batch));
            in_line = self.waiting.remove(&self.next());
        }
        next
    }
}
