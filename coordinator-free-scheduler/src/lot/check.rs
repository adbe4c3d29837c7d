//! The invariants of a lot, see [`crate::Node::check`].
use super::{Lot, MeanFuel, Tally};
use crate::{
    BLOCK_UNITS, PeerKey,
    board::unit::{AuthorIndex, Standing},
    reputation::Record,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

impl Lot {
    /// Checks this lot.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.check_decisions()?;
        self.check_open()?;
        self.check_hands()
    }

    /// About how many bytes this lot takes: its logs, its units and the claims on them.
    pub(crate) fn state_bytes(&self) -> usize {
        let logs: usize = self.board.logs().map(|(_, author)| author.bytes()).sum();
        logs + self.board.unit_bytes() + self.claims.bytes() + self.open.len()
    }

    /// What this lot's units say of peers.
    pub(crate) fn records(&self) -> impl Iterator<Item = (PeerKey, Record)> {
        self.workers.iter().map(|(author, worker)| (self.board.key(*author), worker.record))
    }

    /// Whether this lot does not count on a peer.
    pub(crate) fn bars(&self, peer: PeerKey) -> bool {
        self.barred.contains(&peer)
    }

    /// Every unit stands as what is known of it says; the tally, the mean fuel and what is said of
    /// authors are their sums.
    fn check_decisions(&self) -> Result<(), String> {
        let archived = self.board.recall(self.board.range());
        let (mut tally, mut fuel) = (Tally::default(), MeanFuel::default());
        let mut records: BTreeMap<AuthorIndex, Record> = BTreeMap::new();
        for unit in self.board.range() {
            let Some(known) = archived.get(&unit).or_else(|| self.board.unit(unit)) else {
                return Err(format!("unit {unit} is neither here nor put away"));
            };
            if self.board.stand(known) != known.standing {
                return Err(format!("unit {unit} stands as {:?}", known.standing));
            }
            tally.count(&Standing::default(), &known.standing);
            for (author, mark) in &known.standing.marks {
                fuel.add(*mark);
                records.entry(*author).or_default().add(*mark);
            }
            let authors: BTreeSet<_> = known.vouchers.iter().map(|v| v.author).collect();
            if authors.len() != known.vouchers.len() {
                return Err(format!("unit {unit} has two vouchers of one author"));
            }
        }
        if (tally, fuel) != (self.tally, self.fuel) {
            let kept = (self.tally, self.fuel);
            return Err(format!("tally and fuel {kept:?}, units say {tally:?}, {fuel:?}"));
        }
        let of_units = |author: &AuthorIndex| records.get(author).copied().unwrap_or_default();
        let known = |author: &AuthorIndex| self.workers.contains_key(author);
        let off = self.workers.iter().find(|(author, one)| one.record != of_units(author));
        match off.map(|(author, _)| author).or(records.keys().find(|author| !known(author))) {
            Some(author) => {
                let kept = self.workers.get(author).map(|worker| worker.record);
                Err(format!("author {author}: {kept:?}, units say {:?}", of_units(author)))
            }
            None => Ok(()),
        }
    }

    /// What is open to this node is marked so, and counted so.
    fn check_open(&self) -> Result<(), String> {
        let open: Vec<bool> = self.board.range().map(|unit| self.is_open(unit)).collect();
        if let Some(at) = (0..open.len()).find(|at| open[*at] != self.open[*at]) {
            return Err(format!("unit {at} of the lot is marked open = {}", self.open[at]));
        }
        let count = |units: &[bool]| units.iter().filter(|open| **open).count() as u32;
        let blocks: Vec<u32> = open.chunks(BLOCK_UNITS as usize).map(count).collect();
        match blocks == self.blocks && self.open_units == count(&open) {
            true => Ok(()),
            false => Err(format!("{} units counted open, {} are", self.open_units, count(&open))),
        }
    }

    /// A unit is in one place only on its way from the queue to the answers.
    fn check_hands(&self) -> Result<(), String> {
        let both = self.running.keys().find(|unit| self.done.contains(*unit));
        if let Some(unit) = both {
            return Err(format!("unit {unit} runs and is done"));
        }
        let sealed = |unit| {
            let voucher = self.board.unit(unit).and_then(|known| known.voucher(self.me));
            voucher.is_some_and(|voucher| voucher.unopened().is_some())
        };
        match self.answers.keys().find(|unit| !sealed(**unit)) {
            Some(unit) => Err(format!("unit {unit} has a sealed answer and no sealed commit")),
            None => Ok(()),
        }
    }
}
