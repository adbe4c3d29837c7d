//! What the signers of a job say on a board: its owner, and delegates that stepped in.
//!
//! Where equal answers decide, an owner that computes units again has a say too: whose word it takes no more
//! counts in no vote, and what it released goes before any. Both only grow, so verdicts stay a function of
//! what was said, in whatever order it came.
//! What it is not: what they come to it by. That is the owner's [`Auditor`](crate::Auditor), of which
//! nobody else need know.
use super::{
    Board, Merged,
    orders::{LOST_MAX, Order, Orders},
    unit::{AuthorIndex, FailReason, Said, Unit, UnitName, Voucher},
};
use crate::{
    AuditStep, Decision, Opening, PeerKey, Profile, Reproducer, SealedAnswer, Statement, UnitIndex,
    commitment,
    verify::{audited, checked},
};
use alloc::{collections::BTreeSet, vec::Vec};

impl Board {
    /// This is the board of a peer's own node. If that is a signer, it reads what is sealed to it, and takes
    /// its own word for who was wrong; to others that proves nothing: they may be strangers to it.
    pub fn serve(&mut self, peer: PeerKey) {
        self.me = self.orders_of(peer).map(Orders::signer);
    }

    /// Whether its signers say what becomes of it.
    pub fn is_signed(&self) -> bool {
        !self.signers.is_empty()
    }

    /// Whether answers are for a signer alone until it releases them.
    pub fn is_audited(&self) -> bool {
        matches!(self.profile, Profile::Audited(_))
    }

    /// Whether equal answers decide, where no signer has said anything else.
    pub fn votes(&self) -> bool {
        matches!(self.profile, Profile::Quorum { .. })
    }

    /// Whether the owner takes a peer's word in votes no more.
    pub fn is_outvoted(&self, peer: PeerKey) -> bool {
        self.votes() && self.orders().any(|owner| owner.is_lost(peer))
    }

    /// Whether an author's answers count in votes.
    pub(crate) fn counts(&self, author: AuthorIndex) -> bool {
        self.honest(author) && (!self.is_signed() || !self.is_outvoted(self.key(author)))
    }

    /// Units that may stand otherwise once an author has said this, as it takes back somebody's word.
    pub(super) fn doubted_by(
        &self,
        author: AuthorIndex,
        statements: &[Statement],
    ) -> Vec<UnitIndex> {
        let Some(signer) = self.orders_of(self.key(author)) else { return Vec::new() };
        if !self.votes() {
            return self.ended_by(signer, statements);
        }
        let mut lost: BTreeSet<PeerKey> = BTreeSet::new();
        for statement in statements {
            let Statement::Audit { steps, .. } = statement else { continue };
            for step in steps {
                let AuditStep::Lost { peer, convicted } = step else { continue };
                if !signer.is_lost(*peer) || *convicted && !signer.is_convicted(*peer) {
                    lost.insert(*peer);
                }
            }
        }
        match lost.len() + signer.lost().len() > LOST_MAX {
            // Others are forgotten for them.
            true => self.range().collect(),
            false => self.answered_by(lost.into_iter()),
        }
    }

    /// All units, if the owner says for the first time that the job's module is at fault.
    fn ended_by(&self, signer: &Orders, statements: &[Statement]) -> Vec<UnitIndex> {
        let ends = |statement: &Statement| match statement {
            Statement::Audit { steps, .. } => {
                steps.iter().any(|step| matches!(step, AuditStep::Quarantined(_)))
            }
            _ => false,
        };
        let owner = self.is_owner(signer) && signer.quarantined().is_none();
        match owner && statements.iter().any(ends) {
            true => self.range().collect(),
            false => Vec::new(),
        }
    }

    /// Why the job's module is at fault, if its owner has found that it is. A delegate may be any stranger, whose
    /// machines prove nothing to others.
    pub fn quarantined(&self) -> Option<&Reproducer> {
        let owner = self.orders().find(|signer| self.is_owner(signer));
        owner.and_then(Orders::quarantined).filter(|_| self.is_audited())
    }

    /// Whether a signer is the job's owner, the first in line.
    fn is_owner(&self, signer: &Orders) -> bool {
        self.signers.first().is_some_and(|owner| owner.signer() == signer.signer())
    }

    /// Units that may stand otherwise once an author is known to keep two logs, as nothing holds any more
    /// of what it said as a signer.
    pub(super) fn given_back_by(&self, author: AuthorIndex) -> Vec<UnitIndex> {
        match self.orders_of(self.key(author)) {
            Some(signer) if self.votes() => self.answered_by(signer.lost()),
            Some(signer) if signer.quarantined().is_some() => self.range().collect(),
            Some(_) | None => Vec::new(),
        }
    }

    fn answered_by(&self, peers: impl Iterator<Item = PeerKey>) -> Vec<UnitIndex> {
        peers.filter_map(|peer| self.index_of(peer)).flat_map(|peer| self.units_of(peer)).collect()
    }

    /// What the signers said who decide about the job, if it has any.
    pub fn orders(&self) -> impl Iterator<Item = &Orders> {
        self.signers.iter().filter(|orders| orders.has_begun())
    }

    /// What one signer said, whether or not it has begun.
    pub fn orders_of(&self, signer: PeerKey) -> Option<&Orders> {
        self.signers.iter().find(|orders| orders.signer() == signer)
    }

    /// Whether a peer has committed to a unit, and a signer may count it, or get to know the peer by it.
    pub fn may_answer(&self, signer: PeerKey, peer: PeerKey, unit: UnitIndex) -> bool {
        let found_out = |orders: &Orders| orders.is_lost(peer);
        let heard = self.orders_of(signer).is_some_and(|orders| !found_out(orders));
        heard && self.commit_of(peer, unit).is_some()
    }

    /// Right answers that make a peer known to the owner of an audited job.
    pub fn proofs(&self) -> u8 {
        match self.profile {
            Profile::Audited(terms) => terms.proofs,
            Profile::Quorum { .. } | Profile::Checked => 0,
        }
    }

    /// Whether a signer has computed a unit itself, for all to see.
    pub fn is_signed_for(&self, known: &Unit) -> bool {
        let by_signer = |voucher: &Voucher| self.orders_of(self.key(voucher.author)).is_some();
        known.vouchers.iter().any(by_signer)
    }

    /// Commits to units that are not decided yet, but the signer's own.
    pub fn undecided_commits(&self, signer: PeerKey) -> impl Iterator<Item = (UnitIndex, PeerKey)> {
        let units = self.range().filter_map(|unit| Some((unit, self.unit(unit)?)));
        let open = units.filter(|(_, known)| known.standing.decision == Decision::Open);
        open.flat_map(move |(unit, known)| {
            let committed = known.vouchers.iter().filter(|voucher| !voucher.commit.is_nothing());
            let keys = committed.map(move |voucher| (unit, self.key(voucher.author)));
            keys.filter(move |(_, key)| *key != signer)
        })
    }

    /// The same to join something in.
    pub(super) fn signer_mut(&mut self, signer: PeerKey) -> Option<&mut Orders> {
        self.signers.iter_mut().find(|orders| orders.signer() == signer)
    }

    /// Joins what a signer says.
    pub(super) fn hear_signer(
        &mut self,
        author: AuthorIndex,
        first: u32,
        steps: &[AuditStep],
        merged: &mut Merged,
    ) {
        let orders = (first..).zip(steps).flat_map(|(place, step)| Order::of(place, step));
        for (unit, order) in orders {
            self.say(author, unit, Said::Order(order), merged);
        }
        let signer = self.key(author);
        let Some(orders) = self.signer_mut(signer) else { return };
        orders.count(author, first, steps.len());
        steps.iter().for_each(|step| orders.hear(step));
        merged.ordered |= orders.settle();
    }

    /// Keeps what is sealed to this node; to others it is nothing but bytes.
    pub(super) fn hear_sealed(
        &self,
        author: AuthorIndex,
        to: PeerKey,
        answers: &[SealedAnswer],
        merged: &mut Merged,
    ) {
        if self.me == Some(to) {
            merged.sealed.extend(answers.iter().map(|sealed| (author, sealed.clone())));
        }
    }

    /// Opens what signers show of others' answers, where these are what was committed to: nobody's word
    /// but an author's own makes it say anything.
    pub(super) fn show(&self, unit: UnitIndex, known: &mut Unit) {
        if self.votes() {
            // There everybody opens what it answered, the owner too.
            return;
        }
        let by_signer = known.orders.iter().flat_map(|orders| {
            let signer = self.orders_of(self.key(orders.author));
            signer.into_iter().flat_map(|signer| orders.shown.iter().map(move |one| (signer, one)))
        });
        let shown = by_signer.filter_map(|(signer, (member, shown))| {
            let (answer, nonce) = shown.one()?;
            let whose = member.map_or(Some(signer.signer()), |member| signer.key(member))?;
            let author = *self.by_key.get(&whose)?;
            let commit = known.voucher(author)?.unopened()?;
            let fits = *commit == commitment(self.job, unit, whose, answer, nonce);
            let (answer, nonce) = (answer.clone(), *nonce);
            fits.then_some((author, whose, Opening { unit, answer, nonce, cites: Vec::new() }))
        });
        for (author, whose, opening) in shown.collect::<Vec<_>>() {
            let name = UnitName { job: self.job, unit, author: whose };
            known.hear(name, author, Said::Opening(&opening));
        }
    }

    /// What the signers released of a unit, if anything: the owner's word goes before a delegate's.
    pub(super) fn released(&self, known: &Unit) -> Decision {
        let by = |signer: &Orders| {
            if self.is_owner(signer) && self.quarantined().is_some() {
                return Some(Decision::Failed(FailReason::Quarantined));
            }
            let orders = known.orders_of(signer.author())?;
            let released = orders.released.as_ref()?;
            if !self.is_audited() {
                // Of votes a signer releases its own answer; whoever else shows it has copied.
                let own = |author| !self.votes() || Some(author) == signer.author();
                let gave = |author| self.honest(author) && own(author);
                return checked::decide(known, released, gave);
            }
            let vouches = |author| self.honest(author) && signer.may_vouch(self.key(author));
            audited::decide(known, &released.answer, vouches)
        };
        self.orders().find_map(by).unwrap_or_default()
    }
}
