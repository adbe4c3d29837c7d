//! A node's own memory of each peer, counted from verdicts on its boards, and what it does with it.
//!
//! Counts follow the boards: when a verdict is withdrawn, so is what it said of its vouchers.
//! Nothing is imported from others, and no verdict ever reads it.
//!
//! A submitter could have friends outvote an honest peer in jobs of its own, or a module that differs
//! between processors. So one submitter's jobs are one strike, however many they are, and a peer is
//! shut out of others' jobs only by two submitters, or by this node's own jobs.
use crate::{Mark, PeerKey, STRIKES_MAX, WRONG_MAX, WRONG_SHARE};
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

    /// Whether it is a strike: as many wrong answers as no honest peer gives.
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
    /// The same by peer and by whose jobs they were, but for silence.
    by_submitter: BTreeMap<(PeerKey, PeerKey), Record>,
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

    /// Counts a mark in a job of this submitter's.
    pub fn add(&mut self, peer: PeerKey, submitter: PeerKey, mark: Mark) {
        self.records.entry(peer).or_default().add(mark);
        self.by_submitter.entry((peer, submitter)).or_default().add(mark);
    }

    /// Takes a mark back.
    pub fn withdraw(&mut self, peer: PeerKey, submitter: PeerKey, mark: Mark) {
        self.records.entry(peer).or_default().withdraw(mark);
        self.by_submitter.entry((peer, submitter)).or_default().withdraw(mark);
    }

    /// Takes back all that another record says of jobs of this submitter's.
    pub fn withdraw_all(&mut self, peer: PeerKey, submitter: PeerKey, other: Record) {
        let by_submitter = self.by_submitter.entry((peer, submitter)).or_default();
        for record in [self.records.entry(peer).or_default(), by_submitter] {
            record.agreed = record.agreed.saturating_sub(other.agreed);
            record.wrong = record.wrong.saturating_sub(other.wrong);
            record.silent = record.silent.saturating_sub(other.silent);
            record.credit_fuel = record.credit_fuel.saturating_sub(other.credit_fuel);
        }
    }

    /// The agreed fuel of a peer's right answers to jobs of this submitter's.
    pub fn credit_fuel(&self, peer: PeerKey, submitter: PeerKey) -> u64 {
        self.by_submitter.get(&(peer, submitter)).map_or(0, |record| record.credit_fuel)
    }

    /// Counts all that another record says of jobs of this submitter's.
    pub fn add_all(&mut self, peer: PeerKey, submitter: PeerKey, other: Record) {
        let by_submitter = self.by_submitter.entry((peer, submitter)).or_default();
        for record in [self.records.entry(peer).or_default(), by_submitter] {
            record.agreed += other.agreed;
            record.wrong += other.wrong;
            record.silent += other.silent;
            record.credit_fuel = record.credit_fuel.saturating_add(other.credit_fuel);
        }
    }

    /// Whether a submitter's jobs speak against a peer.
    pub fn strikes(&self, peer: PeerKey, submitter: PeerKey) -> bool {
        self.by_submitter.get(&(peer, submitter)).is_some_and(Record::barred)
    }

    /// Whose jobs speak against a peer.
    fn strikers(&self, peer: PeerKey) -> impl Iterator<Item = PeerKey> {
        let of = self.by_submitter.range((peer, PeerKey([0; 32]))..);
        let of = of.take_while(move |((other, _), _)| *other == peer);
        of.filter(|(_, record)| record.barred()).map(|((_, submitter), _)| *submitter)
    }

    /// Whether a node counts on a peer in nobody's jobs any more: by its own, or by two submitters'.
    pub fn bars(&self, peer: PeerKey, me: PeerKey) -> bool {
        self.strikes(peer, me) || self.strikers(peer).count() >= STRIKES_MAX
    }

    /// Whether anybody's jobs speak against a peer.
    pub fn is_struck(&self, peer: PeerKey) -> bool {
        self.strikers(peer).next().is_some()
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
