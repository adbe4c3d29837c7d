//! The invariants of a lot, see [`crate::Node::check`].
use super::{Lot, Tally};
use crate::{
    BLOCK_UNITS, Mark, PeerKey,
    board::unit::{Standing, Unit},
    verify::quorum,
};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

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
        let units = self.board.range().filter_map(|unit| self.board.unit(unit));
        let claims = self.board.range().map(|unit| size_of_val(self.claims.on(unit)));
        let logs = self.board.logs().map(|(_, author)| author.bytes());
        logs.sum::<usize>() + units.map(Unit::bytes).sum::<usize>() + claims.sum::<usize>()
    }

    /// The marks that this lot's units put on peers.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (PeerKey, Mark)> {
        let units = self.board.range().filter_map(|unit| self.board.unit(unit));
        units.flat_map(|known| {
            known.standing.marks.iter().map(|(author, mark)| (self.board.key(*author), *mark))
        })
    }

    /// Whether this lot does not count on a peer.
    pub(crate) fn bars(&self, peer: PeerKey) -> bool {
        self.barred.contains(&peer)
    }

    /// Every unit stands as what is known of it says, and the tally is their sum.
    fn check_decisions(&self) -> Result<(), String> {
        let mut tally = Tally::default();
        for unit in self.board.range() {
            let Some(known) = self.board.unit(unit) else { continue };
            let counts = |author| self.board.honest(author);
            let decision = quorum::decide(known, self.board.profile(), counts);
            if known.stand(decision, counts) != known.standing {
                return Err(format!("unit {unit} stands as {:?}", known.standing));
            }
            tally.count(&Standing::default(), &known.standing);
            let authors: BTreeSet<_> = known.vouchers.iter().map(|v| v.author).collect();
            if authors.len() != known.vouchers.len() {
                return Err(format!("unit {unit} has two vouchers of one author"));
            }
        }
        match tally == self.tally {
            true => Ok(()),
            false => Err(format!("tally {:?}, units say {tally:?}", self.tally)),
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
