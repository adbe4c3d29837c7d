//! The log of one author about one lot: batches in order, each naming the one before.
//!
//! Two different batches in one place, or one that denies the batch before it, prove that the
//! author keeps two logs; such a pair proves it to anybody, whatever else they hold. Then the whole
//! author is set aside in this lot: whichever proof a node holds, all nodes come to the same state.
use crate::{Fault, Hash, LIMITS, Place, SignedBatch, statement::Batch};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

/// The batches of one incarnation.
#[derive(Clone, Debug, Default)]
pub struct Log {
    batches: Vec<(SignedBatch, Hash)>,
    waiting: BTreeMap<u32, Waiting>,
}

/// A batch that came before one it follows.
#[derive(Clone, Debug)]
struct Waiting {
    signed: SignedBatch,
    hash: Hash,
    batch: Box<Batch>,
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
    Next(Vec<(SignedBatch, Batch)>),
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
    pub fn add(&mut self, signed: SignedBatch, batch: Box<Batch>) -> Result<Added, Fault> {
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
        let hash = signed.hash();
        if log.at(sequence).is_some_and(|(_, known)| *known == hash) {
            return Ok(Added::Nothing);
        }
        if let Some(rival) = log.rival(sequence, hash, batch.previous) {
            let proof = [rival.clone(), signed];
            *self = Author::Forked(Box::new(proof.clone()));
            return Ok(Added::Fork(proof));
        }
        match sequence > log.next() {
            true => log.wait(Waiting { signed, hash, batch }),
            false => return Ok(Added::Next(log.push(Waiting { signed, hash, batch }))),
        }
        Ok(Added::Nothing)
    }

    /// About how many bytes its batches take.
    pub fn bytes(&self) -> usize {
        let signed = |batch: &SignedBatch| batch.bytes.len() + size_of::<(SignedBatch, Hash)>();
        match self {
            Author::Honest(logs) => {
                let batches = logs.values().flat_map(|log| &log.batches);
                batches.map(|(batch, _)| signed(batch)).sum()
            }
            Author::Forked(proof) => proof.iter().map(signed).sum(),
        }
    }

    /// Adds a batch of this node's own, whose statements were merged when it was made.
    pub fn add_own(&mut self, signed: SignedBatch, place: Place) {
        if let Author::Honest(logs) = self {
            let hash = signed.hash();
            logs.entry(place.incarnation).or_default().batches.push((signed, hash));
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
        self.batches.last().map(|(_, hash)| *hash).unwrap_or_default()
    }

    /// The hash of the batch before place `next`.
    pub fn tip_before(&self, next: u32) -> Option<Hash> {
        match next.checked_sub(1) {
            None => Some(Hash::default()),
            Some(last) => self.batches.get(last as usize).map(|(_, hash)| *hash),
        }
    }

    /// Batches from a place on.
    pub fn from(&self, next: u32) -> impl Iterator<Item = &SignedBatch> {
        self.batches.iter().skip(next as usize).map(|(signed, _)| signed)
    }

    /// Batches that wait for the one before.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The batch in a place, in line or waiting.
    fn at(&self, sequence: u32) -> Option<(&SignedBatch, &Hash)> {
        match self.batches.get(sequence as usize) {
            Some((signed, hash)) => Some((signed, hash)),
            None => self.waiting.get(&sequence).map(|kept| (&kept.signed, &kept.hash)),
        }
    }

    /// The batch that cannot stand beside a new one: another in its place, one before it that it
    /// does not name, or one after it that does not name it.
    fn rival(&self, sequence: u32, hash: Hash, previous: Hash) -> Option<&SignedBatch> {
        if let Some((signed, _)) = self.at(sequence) {
            return Some(signed);
        }
        let before = sequence.checked_sub(1).and_then(|before| self.at(before));
        if let Some((signed, _)) = before.filter(|(_, known)| **known != previous) {
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
    fn push(&mut self, new: Waiting) -> Vec<(SignedBatch, Batch)> {
        let mut next = Vec::new();
        let mut in_line = Some(new);
        while let Some(kept) = in_line {
            self.batches.push((kept.signed.clone(), kept.hash));
            next.push((kept.signed, *kept.batch));
            in_line = self.waiting.remove(&self.next());
        }
        next
    }
}
