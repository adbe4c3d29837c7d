//! This node's part in a lot of an audited job: it runs what the owner lets it run, and keeps its
//! answers sealed until the owner releases the unit.
use super::Lot;
use crate::{
    Decision, PeerKey, UnitIndex, VOID_PEERS_MAX,
    board::{orders::Orders, unit::Unit},
    verify::quorum,
};

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
        !known.vouchers.iter().filter(|voucher| voucher.commit.one().is_some()).any(|voucher| {
            let key = self.board.key(voucher.author);
            let counts = key == owner || orders.believes(key) && !refused.contains(&key);
            counts && self.board.honest(voucher.author)
        })
    }

    /// Whether this node is the job's owner.
    pub(super) fn is_owner(&self) -> bool {
        self.my_key == self.board.owner()
    }

    /// Units of the lot that this node may take yet beside those that it holds, sorted, by its share of
    /// the roster's weight: the owner would not count more. Checks are asked for by name, and are beside
    /// it.
    pub(super) fn share_left(&self, held: &[UnitIndex]) -> usize {
        let Some(orders) = self.board.orders().filter(|orders| orders.is_open()) else {
            return usize::MAX;
        };
        let mine = |unit: &UnitIndex| {
            let Some(known) = self.board.unit(*unit) else { return false };
            let tried = known.voucher(self.me).is_some() || held.binary_search(unit).is_ok();
            let refused =
                known.orders.as_ref().is_some_and(|orders| orders.refused.contains(&self.my_key));
            tried && !refused && !self.is_checker(known)
        };
        let taken = self.board.range().filter(mine).count();
        let share = orders.share(self.my_key, self.board.range().len() * SHARES).max(1);
        share.saturating_sub(taken)
    }

    /// Whether this node is to check a unit.
    pub(super) fn checks(&self, unit: UnitIndex) -> bool {
        self.board.unit(unit).is_some_and(|known| self.is_checker(known))
    }

    /// Whether it was ever asked to: what has begun may end, though the owner waits no more.
    pub(super) fn was_asked(&self, known: &Unit) -> bool {
        let me = self.board.orders().and_then(|orders| orders.member(self.my_key));
        let asked = |member| known.orders.as_ref().is_some_and(|orders| orders.wanted(member));
        me.is_some_and(asked)
    }

    /// Whether a peer has said that it is on a unit.
    pub(crate) fn is_on(&self, unit: UnitIndex, peer: PeerKey) -> bool {
        self.claims.on(unit).iter().any(|claim| self.board.key(claim.author) == peer)
    }

    /// How long the owner waits for a peer that is to check a unit; no end where it says that it is on it.
    pub(crate) fn patience_ms(&self, unit: UnitIndex, peer: PeerKey, lease_ms: u64) -> Option<u64> {
        if self.is_on(unit, peer) {
            return None;
        }
        let author = self.board.index_of(peer);
        let unit_ms = author.and_then(|author| self.unit_ms(author)).unwrap_or(0);
        let claimed = author.map_or(0, |author| self.claims.count_of(author)) as u64;
        Some(lease_ms + unit_ms.saturating_mul(4 + 2 * claimed))
    }

    /// Units that nobody is left to run: too many who count cannot, or all who count had their try.
    pub(crate) fn stuck(&self) -> impl Iterator<Item = UnitIndex> {
        let orders = self.board.orders().filter(|orders| orders.is_open());
        let believed = orders.map_or(usize::MAX, Orders::believed);
        let counts =
            move |author| orders.is_some_and(|orders| orders.believes(self.board.key(author)));
        self.undecided().filter(move |unit| {
            let Some(known) = self.board.unit(*unit) else { return false };
            let voids = known.voids.iter().filter(|(author, _)| counts(*author)).count();
            let tried = known.vouchers.iter().filter(|voucher| counts(voucher.author)).count();
            voids >= VOID_PEERS_MAX || voids + tried >= believed
        })
    }

    /// Units without a verdict.
    pub(crate) fn undecided(&self) -> impl Iterator<Item = UnitIndex> {
        self.board.range().filter(|unit| {
            let known = self.board.unit(*unit);
            known.is_some_and(|known| known.standing.decision == Decision::Open)
        })
    }
}
