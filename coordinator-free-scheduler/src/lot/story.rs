//! What a lot knows of one unit, and of those who took part in it, for [`crate::Node::explain_unit`].
//!
//! Invariant: a unit that is put away is read again and stays put away.
use super::Lot;
use crate::{
    Decision, PeerKey, PeerStory, Uncounted, UnitIndex, UnitStory, Vouched, VoucherStory, Wait,
    auditor::Inside,
    board::{
        orders::Orders,
        unit::{AuthorIndex, Once, Unit, Voucher},
    },
    verify::{company::Company, quorum, step::step},
};
use alloc::vec::Vec;

impl Lot {
    /// All about one unit; `inside` is what its owner's auditor knows beside.
    pub(crate) fn story(&self, unit: UnitIndex, inside: Option<Inside>) -> Option<UnitStory> {
        let archived = self.board.recall(core::iter::once(unit));
        let known = archived.get(&unit).or_else(|| self.board.unit(unit))?;
        let inside = inside.unwrap_or_default();
        let committed = known.vouchers.iter().filter(|voucher| !voucher.commit.is_nothing());
        let signer = self.told_of();
        let mut authors = committed.clone().map(|voucher| self.board.key(voucher.author));
        let by_signer = (self.board.is_audited() || self.board.votes())
            && authors.any(|key| signer.is_some_and(|one| one.signer() == key));
        let said = signer.and_then(|signer| known.orders_of(signer.author()));
        Some(UnitStory {
            verdict: self.board.verdict_of(known),
            wait: self.wait(unit, known, inside),
            vouchers: committed.map(|voucher| self.voucher(unit, known, voucher)).collect(),
            claims: self.claimants(unit, |_| true),
            voids: known.voids.iter().map(|(who, why)| (self.board.key(*who), *why)).collect(),
            drawn: self.drawn(known),
            refused: said.map(|orders| orders.refused.clone()).unwrap_or_default(),
            own: inside.own || by_signer,
            disputed: inside.disputed,
            released: said.is_some_and(|orders| orders.released.is_some()),
        })
    }

    /// The signer whose word is told: this node, or else the last in line that decides.
    fn told_of(&self) -> Option<&Orders> {
        let mine = self.board.orders_of(self.my_key).filter(|orders| orders.has_begun());
        mine.or_else(|| self.board.orders().last())
    }

    fn voucher(&self, unit: UnitIndex, known: &Unit, voucher: &Voucher) -> VoucherStory {
        let others = known.vouchers.iter().filter(|other| other.author != voucher.author);
        let mark = known.standing.marks.iter().find(|(author, _)| *author == voucher.author);
        VoucherStory {
            peer: self.board.key(voucher.author),
            said: match (is_contradictory(voucher), voucher.live()) {
                (true, _) => Vouched::Contradictory,
                (false, Some(answer)) => Vouched::Opened(answer.clone()),
                (false, None) => Vouched::Sealed,
            },
            cites: others.filter(|other| voucher.cites_commit_of(other)).count() as u32,
            uncounted: self.uncounted(unit, known, voucher),
            mark: mark.map(|(_, mark)| *mark),
        }
    }

    /// Why an answer does not count: once the unit is verified that is for all to see, before it is
    /// this node's opinion, or the owner's.
    fn uncounted(&self, unit: UnitIndex, known: &Unit, voucher: &Voucher) -> Option<Uncounted> {
        let (author, decision) = (voucher.author, &known.standing.decision);
        if !self.board.honest(author) {
            return Some(Uncounted::Forked);
        }
        if is_contradictory(voucher) {
            return Some(Uncounted::Contradictory);
        }
        match (decision, voucher.live()) {
            (Decision::Verified(quorum), Some(_)) if quorum.contains(&author) => None,
            (Decision::Verified(_), Some(answer)) => match known.agreed(decision) == Some(answer) {
                true if self.board.is_outvoted(self.board.key(author)) => Some(Uncounted::Lost),
                true => Some(Uncounted::Copy),
                false => Some(Uncounted::Differs),
            },
            (Decision::Verified(_), None) | (Decision::Open | Decision::Failed(_), _) => {
                let told = self.told_of();
                let said = told.and_then(|one| self.unbelieved(one, known, self.board.key(author)));
                let here = || self.not_counted_on(unit, author).filter(|_| self.board.votes());
                said.or_else(here)
            }
        }
    }

    /// Why the owner does not take a peer's word.
    fn unbelieved(&self, orders: &Orders, known: &Unit, peer: PeerKey) -> Option<Uncounted> {
        let said = known.orders_of(orders.author());
        let refused = said.is_some_and(|said| said.refused.contains(&peer));
        match peer == orders.signer() {
            true => None,
            false if orders.is_lost(peer) => Some(Uncounted::Lost),
            false if orders.is_open() && !orders.may_vouch(peer) => Some(Uncounted::Stranger),
            false => refused.then_some(Uncounted::Refused),
        }
    }

    /// Why this node does not count on a peer to do its part.
    fn not_counted_on(&self, unit: UnitIndex, author: AuthorIndex) -> Option<Uncounted> {
        let silent = self.silence.holds(author, unit);
        match self.barred.contains(&self.board.key(author)) {
            true => Some(Uncounted::Barred),
            false => silent.then_some(Uncounted::Silent),
        }
    }

    // ---- what it waits for -----------------------------------------------------------------

    fn wait(&self, unit: UnitIndex, known: &Unit, inside: Inside) -> Wait {
        match self.told_of() {
            _ if self.owes_recheck(unit) && !self.board.cancelled() => Wait::Owner,
            _ if known.standing.decision != Decision::Open => Wait::Nothing,
            _ if self.board.cancelled() => Wait::Cancelled,
            _ if self.board.votes() => self.wait_for_quorum(unit, known),
            None => Wait::Contradiction,
            Some(orders) if self.board.is_audited() => {
                self.wait_for_signer(orders, unit, known, inside)
            }
            Some(orders) => self.wait_for_check(orders, unit, known),
        }
    }

    fn wait_for_quorum(&self, unit: UnitIndex, known: &Unit) -> Wait {
        let counts = |author| self.counts(author, unit);
        let want = u32::from(self.quorum);
        let missing = quorum::needed(known, self.quorum, counts) as u32;
        let on_it = self.claimants(unit, counts);
        match missing {
            0 => Wait::Openings(self.debtors(known, counts)),
            _ if !on_it.is_empty() => Wait::InHand(on_it),
            _ if known.vouchers.is_empty() => Wait::FirstAnswer,
            _ => Wait::MoreAnswers { have: want.saturating_sub(missing), want },
        }
    }

    /// Whose turn it is, of those who have committed.
    fn debtors(&self, known: &Unit, counts: impl Fn(AuthorIndex) -> bool) -> Vec<PeerKey> {
        let company = Company::of(known, self.quorum, counts);
        let owes = |author| step(&company, author, self.quorum, None).is_some();
        let sealed = || company.sealed.iter().map(|voucher| voucher.author);
        let due: Vec<AuthorIndex> = sealed().filter(|author| owes(*author)).collect();
        let all = || sealed().collect();
        let due = if due.is_empty() { all() } else { due };
        due.into_iter().map(|author| self.board.key(author)).collect()
    }

    fn wait_for_check(&self, orders: &Orders, unit: UnitIndex, known: &Unit) -> Wait {
        if self.is_unexecuted(orders, known) {
            return self.wait_for_first(unit);
        }
        match known.vouchers.iter().any(|voucher| voucher.live().is_some()) {
            true => Wait::Verify,
            false => Wait::Openings(self.unopened(known)),
        }
    }

    fn wait_for_first(&self, unit: UnitIndex) -> Wait {
        let on_it = self.claimants(unit, |author| self.counts(author, unit));
        if on_it.is_empty() { Wait::FirstAnswer } else { Wait::InHand(on_it) }
    }

    fn wait_for_signer(
        &self,
        orders: &Orders,
        unit: UnitIndex,
        known: &Unit,
        inside: Inside,
    ) -> Wait {
        let said = known.orders_of(orders.author());
        if said.is_some_and(|said| said.released.is_some()) {
            return Wait::Openings(self.unopened(known));
        }
        let checks = self.checks_due(known);
        if inside.computing || inside.disputed && checks.is_empty() {
            return Wait::Owner;
        }
        if self.is_unexecuted(orders, known) {
            return self.wait_for_first(unit);
        }
        match (orders.is_open(), orders.is_checking() || inside.checked) {
            _ if !checks.is_empty() => Wait::Checks(checks),
            (false, _) => Wait::Roster,
            (true, false) => Wait::Close,
            (true, true) => Wait::Release,
        }
    }

    fn unopened(&self, known: &Unit) -> Vec<PeerKey> {
        let sealed = known.vouchers.iter().filter(|voucher| voucher.unopened().is_some());
        sealed.map(|voucher| self.board.key(voucher.author)).collect()
    }

    /// Who was drawn, was not found silent, and has not committed yet.
    fn checks_due(&self, known: &Unit) -> Vec<PeerKey> {
        let waiting = self.drawn(known).into_iter().filter(|(_, silent)| !silent);
        let answered = |peer: &PeerKey| {
            let author = self.board.index_of(*peer);
            let voucher = author.and_then(|author| known.voucher(author));
            voucher.is_some_and(|voucher| !voucher.commit.is_nothing())
        };
        waiting.map(|(peer, _)| peer).filter(|peer| !answered(peer)).collect()
    }

    fn drawn(&self, known: &Unit) -> Vec<(PeerKey, bool)> {
        let Some(signer) = self.told_of() else { return Vec::new() };
        let said = known.orders_of(signer.author());
        let drawn = said.map_or(&[][..], |said| &said.drawn);
        let key = |member| signer.key(member);
        drawn.iter().filter_map(|(member, silent)| Some((key(*member)?, *silent))).collect()
    }

    fn claimants(&self, unit: UnitIndex, counts: impl Fn(AuthorIndex) -> bool) -> Vec<PeerKey> {
        let claims = self.claims.on(unit).iter().filter(|claim| counts(claim.author));
        claims.map(|claim| self.board.key(claim.author)).collect()
    }

    // ---- who takes part --------------------------------------------------------------------

    /// Peers that are on some unit.
    pub(crate) fn on_units(&self) -> impl Iterator<Item = PeerKey> {
        let on_any = |author: &&AuthorIndex| self.claims.is_on_any(**author);
        self.workers.keys().filter(on_any).map(|author| self.board.key(*author))
    }

    /// What each author did here. A unit that is put away tells who tried it, and no more.
    pub(crate) fn parts(&self) -> impl Iterator<Item = PeerStory> {
        let tries = self.board.tries();
        self.board.authors().map(move |(author, peer)| {
            let record = self.workers.get(&author).map(|worker| worker.record).unwrap_or_default();
            let orders = self.told_of();
            PeerStory {
                peer,
                commits: tries.get(author as usize).copied().unwrap_or_default(),
                right: record.agreed,
                wrong: record.wrong,
                barred: false,
                weight: orders.and_then(|orders| orders.weight(peer)),
                lost: orders
                    .filter(|orders| orders.is_lost(peer))
                    .map(|orders| orders.is_convicted(peer)),
            }
        })
    }
}

/// Whether it said two different things.
fn is_contradictory(voucher: &Voucher) -> bool {
    voucher.contradicts_itself() || voucher.commit == Once::Many
}
