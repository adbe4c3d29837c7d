//! A node's own memory of each peer, counted from verdicts on its boards, and what it does with it.
//!
//! Counts follow the boards: when a verdict is withdrawn, so is what it said of its vouchers.
//! Nothing is imported from others, and no verdict ever reads it.
use crate::{Mark, PeerKey, WRONG_MAX, WRONG_SHARE};
use alloc::collections::BTreeMap;

/// What one peer has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Vouchers that carry a verdict.
    pub agreed: u64,
    /// Opened answers that differ from the verdict.
    pub wrong: u64,
    /// Openings overdue right now.
    pub silent: u64,
    /// Credit: the agreed fuel of its right vouchers.
    pub credit_fuel: u64,
}

impl Record {
    /// Counts a mark.
    pub(crate) fn add(&mut self, mark: Mark) {
        match mark {
            Mark::Right(fuel) => {
                self.agreed += 1;
                self.credit_fuel = self.credit_fuel.saturating_add(fuel);
            }
            Mark::Wrong => self.wrong += 1,
        }
    }

    /// Takes a mark back.
    pub(crate) fn withdraw(&mut self, mark: Mark) {
        match mark {
            Mark::Right(fuel) => {
                self.agreed = self.agreed.saturating_sub(1);
                self.credit_fuel = self.credit_fuel.saturating_sub(fuel);
            }
            Mark::Wrong => self.wrong = self.wrong.saturating_sub(1),
        }
    }

    /// Whether this node does not count on the peer any more.
    pub fn barred(&self) -> bool {
        self.wrong >= WRONG_MAX && self.wrong * WRONG_SHARE >= self.agreed
    }

    /// From 0 (only wrong) over ½ (unknown) to 1 (long right); one wrong answer weighs like 20
    /// right ones. For people and for order, never for a verdict.
    pub fn score(&self) -> f32 {
        (self.agreed as f32 + 1.0) / (self.agreed as f32 + 20.0 * self.wrong as f32 + 2.0)
    }
}

/// The records of all peers.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    records: BTreeMap<PeerKey, Record>,
}

impl Ledger {
    /// What is known of a peer.
    pub fn record(&self, peer: PeerKey) -> Record {
        self.records.get(&peer).copied().unwrap_or_default()
    }

    /// All records.
    pub fn records(&self) -> impl Iterator<Item = (PeerKey, Record)> {
        self.records.iter().map(|(peer, record)| (*peer, *record))
    }

    /// Counts a mark.
    pub fn add(&mut self, peer: PeerKey, mark: Mark) {
        self.records.entry(peer).or_default().add(mark);
    }

    /// Takes a mark back.
    pub fn withdraw(&mut self, peer: PeerKey, mark: Mark) {
        self.records.entry(peer).or_default().withdraw(mark);
    }

    /// Counts all that another record says.
    pub fn add_all(&mut self, peer: PeerKey, other: Record) {
        let record = self.records.entry(peer).or_default();
        record.agreed += other.agreed;
        record.wrong += other.wrong;
        record.silent += other.silent;
        record.credit_fuel = record.credit_fuel.saturating_add(other.credit_fuel);
    }

    /// An opening became overdue, or came after all.
    pub fn silence(&mut self, peer: PeerKey, overdue: bool) {
        let record = self.records.entry(peer).or_default();
        record.silent = match overdue {
            true => record.silent + 1,
            false => record.silent.saturating_sub(1),
        };
    }
}
