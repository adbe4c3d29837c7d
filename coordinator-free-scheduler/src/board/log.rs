//! The log of one author about one lot: batches in order, each naming the one before.
//!
//! Two different batches in one place, or one that denies the batch before it, prove that the
//! author keeps two logs; such a pair proves it to anybody, whatever else they hold. Then the whole
//! author is set aside in this lot: whichever proof a node holds, all nodes come to the same state.
use super::unit::Said;
use crate::{Fault, Hash, LIMITS, Place, SignedBatch, UnitIndex, statement::Batch};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};
use core::ops::Range;

/// Bytes that a signed batch takes beside its own: signature, hash, counts and pointers.
const SIGNED_BYTES: usize = 64 + 32 + 56;

/// The batches of one incarnation.
#[derive(Clone, Debug, Default)]
pub struct Log {
    batches: Vec<Filed>,
    waiting: BTreeMap<u32, Received>,
}

/// A batch in its place, and what it may speak of.
#[derive(Clone, Debug)]
struct Filed {
    signed: SignedBatch,
    /// From the first unit to past the last.
    units: Range<UnitIndex>,
}

impl Filed {
    fn new(signed: SignedBatch, batch: &Batch) -> Filed {
        let units = || batch.statements.iter().flat_map(Said::of).map(|(unit, _)| unit);
        let (first, last) = (units().min(), units().max());
        let end = last.map_or(0, |last| last.saturating_add(1));
        Filed { signed, units: first.unwrap_or(0)..end }
    }
}

/// A batch as it came, and opened.
#[derive(Clone, Debug)]
pub struct Received {
    /// As signed.
    pub signed: SignedBatch,
    /// What it says.
    pub batch: Arc<Batch>,
}

/// What an author's log came to.
#[derive(Clone, Debug)]
pub enum Author {
    /// One log an incarnation, sorted; nearly always one.
    Honest(Vec<(u64, Log)>),
    /// Two logs; these two batches prove it.
    Forked(Box<[SignedBatch; 2]>),
}

/// What is to be done with a batch.
#[derive(Debug)]
pub enum Added {
    /// It follows on: to be applied, then [appended](Author::append).
    Next(Received),
    /// Known already, or kept until the one before it comes.
    Nothing,
    /// These prove a fork; the author is as it was.
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
        if of(logs, incarnation).is_none() && logs.len() >= LIMITS.incarnations {
            return Err(Fault::OverLimit("incarnations of an author"));
        }
        let log = of_mut(logs, incarnation);
        if log.at(sequence).is_some_and(|known| known.hash() == signed.hash()) {
            return Ok(Added::Nothing);
        }
        if let Some(rival) = log.rival(sequence, signed.hash(), batch.previous) {
            return Ok(Added::Fork([rival.clone(), signed]));
        }
        if sequence == log.next() {
            return Ok(Added::Next(Received { signed, batch }));
        }
        log.wait(Received { signed, batch });
        Ok(Added::Nothing)
    }

    /// Appends the batch that follows on; answers the one that waited for it, if any.
    pub fn append(&mut self, next: Received) -> Option<Received> {
        let Author::Honest(logs) = self else { return None };
        let log = of_mut(logs, next.batch.place.incarnation);
        log.batches.push(Filed::new(next.signed, &next.batch));
        log.waiting.remove(&log.next())
    }

    /// About how many bytes its batches take.
    pub fn bytes(&self) -> usize {
        let bytes = |signed: &SignedBatch| signed.bytes().len() + SIGNED_BYTES;
        match self {
            Author::Honest(logs) => {
                let batches = logs.iter().flat_map(|(_, log)| log.from(0));
                batches.map(bytes).sum()
            }
            Author::Forked(proof) => proof.iter().map(bytes).sum(),
        }
    }

    /// Adds a batch of this node's own, whose statements were merged when it was made.
    pub fn append_own(&mut self, signed: SignedBatch, place: Place) {
        if let Author::Honest(logs) = self {
            let Ok(batch) = signed.open() else { return };
            of_mut(logs, place.incarnation).batches.push(Filed::new(signed, &batch));
        }
    }
}

/// The log of an incarnation.
pub fn of(logs: &[(u64, Log)], incarnation: u64) -> Option<&Log> {
    let at = logs.binary_search_by_key(&incarnation, |(known, _)| *known).ok()?;
    Some(&logs[at].1)
}

/// The same, begun if need be.
fn of_mut(logs: &mut Vec<(u64, Log)>, incarnation: u64) -> &mut Log {
    let at = logs.binary_search_by_key(&incarnation, |(known, _)| *known);
    let at = at.unwrap_or_else(|at| {
        logs.reserve_exact(1);
        logs.insert(at, (incarnation, Log::default()));
        at
    });
    &mut logs[at].1
}

impl Log {
    /// How many batches follow on from the start.
    pub fn next(&self) -> u32 {
        self.batches.len() as u32
    }

    /// The hash of the last of them, zero for none.
    pub fn tip(&self) -> Hash {
        self.batches.last().map(|filed| filed.signed.hash()).unwrap_or_default()
    }

    /// The hash of the batch before place `next`.
    pub fn tip_before(&self, next: u32) -> Option<Hash> {
        match next.checked_sub(1) {
            None => Some(Hash::default()),
            Some(last) => self.batches.get(last as usize).map(|filed| filed.signed.hash()),
        }
    }

    /// Batches from a place on.
    pub fn from(&self, next: u32) -> impl Iterator<Item = &SignedBatch> {
        self.batches.iter().skip(next as usize).map(|filed| &filed.signed)
    }

    /// Batches that may speak of some units.
    pub fn about<T>(&self, units: &BTreeMap<UnitIndex, T>) -> impl Iterator<Item = &SignedBatch> {
        let may = |filed: &&Filed| units.range(filed.units.clone()).next().is_some();
        self.batches.iter().filter(may).map(|filed| &filed.signed)
    }

    /// Batches that wait for the one before.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The batch in a place, in line or waiting.
    fn at(&self, sequence: u32) -> Option<&SignedBatch> {
        let waiting = || self.waiting.get(&sequence).map(|kept| &kept.signed);
        self.batches.get(sequence as usize).map(|filed| &filed.signed).or_else(waiting)
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
    fn wait(&mut self, new: Received) {
        if self.waiting.len() >= LIMITS.waiting {
            self.waiting.pop_last();
        }
        self.waiting.insert(new.batch.place.sequence, new);
    }
}
