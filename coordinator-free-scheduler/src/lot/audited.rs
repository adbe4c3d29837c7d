//! This node's part in a lot that has signers: it runs what they let it run, and where they audit keeps
//! its answers sealed until one of them releases the unit.
use super::Lot;
use crate::{
    Answer, Decision, Nonce, PeerKey, UNDONE_LOTS_MAX, UnitIndex, VOID_PEERS_MAX,
    board::{
        orders::{Orders, UnitOrders},
        unit::{AuthorIndex, Unit, Voucher},
    },
    verify::{company::Company, quorum},
};
use alloc::{collections::BTreeSet, vec, vec::Vec};
use core::cmp::Reverse;

/// A newcomer looks for units to prove itself by among so many times as many: others do, too.
const BONUS_TIMES: usize = 2;
/// Answers that are sealed to a delegate at once.
const SEAL_AT_ONCE: usize = 1_024;

/// A member takes at most so many times its share of the lot, as the owner counts it.
const SHARES: usize = 2;

impl Lot {
    /// Executions of a unit that are missing and that this node may give; `known` is undecided.
    pub(super) fn lacks(&self, unit: UnitIndex, known: &Unit) -> usize {
        if self.board.votes() {
            let counts = |author| self.counts(author, unit);
            let useless = self.board.is_outvoted(self.my_key) || self.kin_answers(unit, known);
            return if useless { 0 } else { quorum::needed(known, self.quorum, counts) };
        }
        let wanted = |orders| self.is_unexecuted(orders, known);
        let believed = |orders: &&Orders| orders.believes(self.my_key);
        let open = || self.board.orders().filter(believed).any(wanted);
        let asked = || self.is_checker(unit, known) || self.is_bonus(unit, known);
        usize::from(!self.is_signer() && (asked() || open()))
    }

    /// Whether another machine of this node's donor may carry the verdict already: both count once.
    fn kin_answers(&self, unit: UnitIndex, known: &Unit) -> bool {
        if !known.vouchers.iter().any(|voucher| self.is_kin(voucher.author)) {
            return false;
        }
        let company = Company::of(known, self.quorum, |author| self.counts(author, unit));
        company.group.iter().any(|voucher| self.is_kin(voucher.author))
    }

    /// Whether an author is another machine of this node's donor.
    pub(super) fn is_kin(&self, author: AuthorIndex) -> bool {
        author != self.me && self.board.voter(author) == self.board.voter(self.me)
    }

    /// Whether this node, which a signer does not know, may answer a unit beside its executor, for the sake
    /// of its own record: then that signer may trust it in later jobs. A few units from a place of its own
    /// on, each once.
    pub(super) fn is_bonus(&self, unit: UnitIndex, known: &Unit) -> bool {
        let me = self.my_key;
        let unknown =
            |orders: &Orders| orders.is_open() && !orders.may_vouch(me) && !orders.is_lost(me);
        let (units, begin) = (self.board.range().len(), self.own_begin());
        let near = (self.at(unit) + units - begin) % units < BONUS_TIMES * self.bonus_most();
        let known_to_one = |key| self.board.orders().any(|orders| orders.may_vouch(key));
        let of_stranger = |voucher: &Voucher| {
            voucher.author != self.me && !known_to_one(self.board.key(voucher.author))
        };
        let alone = || !known.vouchers.iter().any(of_stranger) && !self.board.is_signed_for(known);
        near && self.board.orders().any(unknown) && alone()
    }

    /// Units of this lot that a newcomer answers at most: in all lots together some more than make it
    /// known, since the signer may come to compute some of them itself.
    fn bonus_most(&self) -> usize {
        (2 * usize::from(self.board.proofs())).div_ceil(self.lots.min(UNDONE_LOTS_MAX))
    }

    /// Whether those who have a say in it take a peer's word.
    pub(super) fn is_believed(&self, peer: PeerKey) -> bool {
        match self.board.votes() {
            true => !self.board.is_outvoted(peer),
            false => self.board.orders().any(|orders| orders.believes(peer)),
        }
    }

    /// Whether this node is to check a unit.
    pub(super) fn is_checker(&self, unit: UnitIndex, known: &Unit) -> bool {
        self.is_member_of(known, UnitOrders::wants) || self.is_witness(unit)
    }

    /// Whether this node is to compute a unit as a machine of some signer's donor.
    fn is_witness(&self, unit: UnitIndex) -> bool {
        self.board.orders().any(|signer| signer.asks(unit, self.my_key))
    }

    /// Whether some signer has said this of this node, as a member.
    fn is_member_of(&self, known: &Unit, said: impl Fn(&UnitOrders, u32) -> bool) -> bool {
        self.board.orders().any(|signer| {
            let orders = known.orders_of(signer.author());
            let me = signer.member(self.my_key);
            orders.zip(me).is_some_and(|(orders, me)| said(orders, me))
        })
    }

    /// Whether nobody whose word counts with a signer has committed to a unit.
    pub(super) fn is_unexecuted(&self, signer: &Orders, known: &Unit) -> bool {
        let orders = known.orders_of(signer.author());
        let refused = orders.map_or(&[][..], |orders| &orders.refused);
        // In a checked job an honest author opens what it commits to at once.
        let audited = self.board.is_audited();
        let tried = |voucher: &&Voucher| match audited {
            true => voucher.commit.one().is_some() && !voucher.contradicts_itself(),
            false => voucher.live().is_some(),
        };
        !known.vouchers.iter().filter(tried).any(|voucher| {
            let key = self.board.key(voucher.author);
            let believed = signer.believes(key) && !refused.contains(&key);
            let counts = key == signer.signer() || believed;
            counts && self.board.honest(voucher.author)
        })
    }

    /// Whether this node audits the job: it runs then what it wants itself.
    pub(super) fn is_signer(&self) -> bool {
        self.board.is_audited() && self.board.orders_of(self.my_key).is_some_and(Orders::has_begun)
    }

    /// Units of the lot that this node may take yet beside those that it holds, sorted, by its share of
    /// a roster's weight: its signer would not count more. Checks are asked for by name, and are beside
    /// it.
    pub(super) fn share_left(&self, held: &[UnitIndex]) -> usize {
        let left = self.board.orders().map(|signer| match signer.is_open() {
            true => self.share_left_by(signer, held),
            false => usize::MAX,
        });
        left.max().unwrap_or(usize::MAX)
    }

    fn share_left_by(&self, orders: &Orders, held: &[UnitIndex]) -> usize {
        let mine = |unit: &UnitIndex| {
            let Some(known) = self.board.unit(*unit) else { return false };
            let tried = known.voucher(self.me).is_some() || held.binary_search(unit).is_ok();
            let said = known.orders_of(orders.author());
            let refused = said.is_some_and(|said| said.refused.contains(&self.my_key));
            tried && !refused && !self.is_checker(*unit, known)
        };
        let taken = self.board.range().filter(mine).count();
        let share = match orders.may_vouch(self.my_key) {
            true => orders.share(self.my_key, self.board.range().len() * SHARES).max(1),
            false => self.bonus_most(),
        };
        share.saturating_sub(taken)
    }

    /// Whether this node is to check a unit.
    pub(super) fn checks(&self, unit: UnitIndex) -> bool {
        self.board.unit(unit).is_some_and(|known| self.is_checker(unit, known))
    }

    /// Whether it was ever asked to: what has begun may end, though the owner waits no more.
    pub(super) fn was_asked(&self, unit: UnitIndex, known: &Unit) -> bool {
        self.is_member_of(known, UnitOrders::wanted) || self.is_witness(unit)
    }

    /// Whether a peer has said that it is on a unit.
    pub(crate) fn is_on(&self, unit: UnitIndex, peer: PeerKey) -> bool {
        self.claims.on(unit).iter().any(|claim| self.board.key(claim.author) == peer)
    }

    /// How long a signer waits for a peer that is to check a unit; no end where it says that it is on it.
    pub(crate) fn patience_ms(&self, unit: UnitIndex, peer: PeerKey, lease_ms: u64) -> Option<u64> {
        if self.is_on(unit, peer) {
            return None;
        }
        let author = self.board.index_of(peer);
        let unit_ms = author.and_then(|author| self.unit_ms(author)).unwrap_or(0);
        let claimed = author.map_or(0, |author| self.claims.count_of(author)) as u64;
        Some(lease_ms + unit_ms.saturating_mul(4 + 2 * claimed))
    }

    /// Units that nobody is left to run whom this node, as a signer, trusts: too many cannot, or all had
    /// their try.
    pub(crate) fn stuck(&self) -> impl Iterator<Item = UnitIndex> {
        let orders = self.board.orders_of(self.my_key).filter(|orders| orders.is_open());
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

    /// This node's answers that a delegate which stepped in cannot read yet; they are to be sealed to it.
    pub(crate) fn unsealed_for(&mut self, to: PeerKey) -> Vec<(UnitIndex, Answer, Nonce)> {
        let sealed: &mut BTreeSet<UnitIndex> = self.sealed_for.entry(to).or_default();
        let fresh = self.answers.iter().filter(|(unit, _)| !sealed.contains(unit));
        let fresh = fresh.take(SEAL_AT_ONCE).map(|(unit, (answer, nonce))| (*unit, answer, *nonce));
        let fresh: Vec<_> =
            fresh.map(|(unit, answer, nonce)| (unit, answer.clone(), nonce)).collect();
        sealed.extend(fresh.iter().map(|(unit, ..)| *unit));
        fresh
    }

    /// An answer to an undecided unit of a checked job that its owner, who is this node, may check: the
    /// first by its commit of those whose word counts.
    pub(crate) fn to_check(&self, unit: UnitIndex) -> Option<(PeerKey, Answer, Nonce)> {
        let known = self.board.unit(unit)?;
        let signer = self.board.orders_of(self.my_key)?;
        let orders = known.orders_of(signer.author());
        let refused = orders.map_or(&[][..], |orders| &orders.refused);
        let counts = |voucher: &&Voucher| {
            let key = self.board.key(voucher.author);
            let believed = signer.believes(key) && !refused.contains(&key);
            voucher.live().is_some() && self.board.honest(voucher.author) && believed
        };
        let open = known.standing.decision == Decision::Open;
        let fit = known.vouchers.iter().filter(counts).filter(|_| open);
        let first = fit.min_by_key(|voucher| voucher.commit.one())?;
        let opened = first.opening.one()?;
        Some((self.board.key(first.author), opened.answer.clone(), opened.nonce))
    }

    /// The answer to an undecided unit that has most open words for it, and of several the first by its
    /// commit; and who gave it. In a job that signers decide it is the one that is checked next.
    pub(crate) fn reported(&self, unit: UnitIndex) -> Option<(&Answer, Vec<PeerKey>)> {
        let known = self.board.unit(unit)?;
        if self.board.is_signed() {
            let author = self.to_check(unit)?.0;
            let voucher = known.voucher(self.board.index_of(author)?)?;
            return Some((voucher.live()?, vec![author]));
        }
        let open = known.vouchers.iter().filter(|one| self.board.honest(one.author));
        let open: Vec<&Voucher> = open.filter(|one| one.live().is_some()).collect();
        let by = |answer: Option<&Answer>| {
            let same = open.iter().filter(|other| other.live() == answer);
            same.map(|other| self.board.key(other.author)).collect::<Vec<_>>()
        };
        let words = |one: &&&Voucher| (Reverse(by(one.live()).len()), one.commit.one().copied());
        let answer = open.iter().min_by_key(words)?.live();
        Some((answer?, by(answer)))
    }

    /// Delegates that stepped in, other than this node.
    pub(crate) fn delegates(&self) -> Vec<PeerKey> {
        let others = self.board.orders().map(Orders::signer);
        others.filter(|key| *key != self.board.owner() && *key != self.my_key).collect()
    }
}
