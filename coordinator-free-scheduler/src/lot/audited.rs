//! This node's part in a lot of an audited job: it runs what the owner lets it run, and keeps its
//! answers sealed until the owner releases the unit.
use super::Lot;
use crate::{
    Decision, PeerKey, UnitIndex,
    board::{orders::Orders, unit::Unit},
    verify::quorum,
};
use alloc::vec::Vec;

/// A member takes at most so many times its share of the lot, as the owner counts it.
const SHARES: usize = 2;

impl Lot {
    /// Executions of a unit that are missing and that this node may give; `known` is undecided.
    pub(super) fn lacks(&self, unit: UnitIndex, known: &Unit) -> usize {
        match self.board.orders() {
            None => quorum::needed(known, self.quorum, |author| self.counts(author, unit)),
            Some(orders) => usize::from(self.lacks_by(orders, known)),
        }
    }

    fn lacks_by(&self, orders: &Orders, known: &Unit) -> bool {
        if self.is_owner() || !orders.believes(self.my_key) {
            return false;
        }
        self.is_checker(known) || self.is_unexecuted(orders, known)
    }

    /// Whether this node is to check a unit.
    pub(super) fn is_checker(&self, known: &Unit) -> bool {
        let me = self.board.orders().and_then(|orders| orders.member(self.my_key));
        let wants = |member| known.orders.as_ref().is_some_and(|orders| orders.wants(member));
        me.is_some_and(wants)
    }

    /// Whether nobody whose word counts has committed to a unit.
    fn is_unexecuted(&self, orders: &Orders, known: &Unit) -> bool {
        let refused = known.orders.as_ref().map_or(&[][..], |orders| &orders.refused);
        let owner = self.board.owner();
        !known.vouchers.iter().filter(|voucher| !voucher.commit.is_nothing()).any(|voucher| {
            let key = self.board.key(voucher.author);
            let counts = key == owner || orders.believes(key) && !refused.contains(&key);
            counts && self.board.honest(voucher.author)
        })
    }

    /// Whether this node is the job's owner.
    pub(super) fn is_owner(&self) -> bool {
        self.my_key == self.board.owner()
    }

    /// Leaves out of `units` what is beyond this node's share of the lot, by its weight on the roster:
    /// the owner would not count it; `held` is sorted. Checks are asked for by name, and are beside it.
    pub(super) fn keep_to_share(&self, units: &mut Vec<UnitIndex>, held: &[UnitIndex]) {
        let Some(orders) = self.board.orders().filter(|orders| orders.is_open()) else { return };
        let checks =
            |unit: &UnitIndex| self.board.unit(*unit).is_some_and(|known| self.is_checker(known));
        let mine = |unit: &UnitIndex| {
            let known = self.board.unit(*unit);
            known.is_some_and(|known| known.voucher(self.me).is_some())
                || held.binary_search(unit).is_ok()
        };
        let taken = self.board.range().filter(|unit| mine(unit) && !checks(unit)).count();
        let share = orders.share(self.my_key, self.board.range().len() * SHARES).max(1);
        let mut left = share.saturating_sub(taken);
        units.retain(|unit| {
            let check = checks(unit);
            let fits = check || left > 0;
            left -= usize::from(fits && !check);
            fits
        });
    }

    /// Whether a peer has said that it is on a unit.
    pub(crate) fn is_on(&self, unit: UnitIndex, peer: PeerKey) -> bool {
        self.claims.on(unit).iter().any(|claim| self.board.key(claim.author) == peer)
    }

    /// Undecided units that too many hosts cannot run.
    pub(crate) fn voided(&self) -> impl Iterator<Item = UnitIndex> {
        self.board.range().filter(|unit| {
            self.board.unit(*unit).is_some_and(|known| {
                known.standing.decision == Decision::Open
                    && known.voids.len() >= crate::VOID_PEERS_MAX
            })
        })
    }
}
