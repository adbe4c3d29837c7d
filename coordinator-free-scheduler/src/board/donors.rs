//! What authors say of their machines, as far as votes hang on it: all machines of one donor are one voter.
//!
//! An honest node that a donor has signed says so in the first batch of its log, so it is known before any vote
//! of its own; who says it later takes back what its own keys carried together, and nothing else. Who says two different things of itself is nobody's, as who says nothing: then no relation of
//! others rests on its word.
//!
//! Invariant: a join as all of a board, so which vouchers count together is a function of what was said. What
//! it is not: a bound on strangers; who hides whose it is, or shares a network, is one voter for each key.
use super::{
    Board,
    unit::{AuthorIndex, Once, Unit, Voter},
};
use crate::{Host, PeerKey, Statement, UnitIndex};
use alloc::{collections::BTreeMap, vec::Vec};

/// Numbers of donors begin here, behind those of all authors.
const DONORS_FROM: Voter = 1 << 16;

/// What was said of machines.
#[derive(Clone, Debug, Default)]
pub(super) struct Donors {
    of: BTreeMap<AuthorIndex, Once<PeerKey>>,
    numbers: BTreeMap<PeerKey, Voter>,
    archs: BTreeMap<AuthorIndex, Once<u8>>,
}

impl Donors {
    /// Joins in what an author says of its machine; answers whether it may vote as another now.
    pub fn hear(&mut self, author: AuthorIndex, host: &Host) -> bool {
        self.archs.entry(author).or_default().join(host.arch);
        let Some(link) = &host.link else { return false };
        let fresh = self.of.entry(author).or_default().join(link.donor);
        if fresh {
            let next = DONORS_FROM + self.numbers.len() as Voter;
            self.numbers.entry(link.donor).or_insert(next);
        }
        fresh
    }

    fn donor(&self, author: AuthorIndex) -> Option<&PeerKey> {
        self.of.get(&author)?.one()
    }

    fn is_new(&self, author: AuthorIndex, host: &Host) -> bool {
        let known = self.of.get(&author).cloned().unwrap_or_default();
        host.link.as_ref().is_some_and(|link| known.clone().join(link.donor))
    }
}

impl Board {
    /// As whom an author votes: its donor, if it has told of one, else itself.
    pub fn voter(&self, author: AuthorIndex) -> Voter {
        let donor = self.donors.donor(author);
        let number = donor.and_then(|donor| self.donors.numbers.get(donor));
        number.copied().unwrap_or(author.into())
    }

    /// Whose a peer is, if it has told: else it stands for itself.
    pub fn donor_of(&self, peer: PeerKey) -> PeerKey {
        let donor = self.index_of(peer).and_then(|author| self.donors.donor(author));
        donor.copied().unwrap_or(peer)
    }

    /// The class of processors that an author says it has; 0 if it is not known.
    pub fn arch_of(&self, author: AuthorIndex) -> u8 {
        self.donors.archs.get(&author).and_then(Once::one).copied().unwrap_or_default()
    }

    /// Units that may stand otherwise once an author has said whose machine it is.
    pub(super) fn joined_by(
        &self,
        author: AuthorIndex,
        statements: &[Statement],
    ) -> Vec<UnitIndex> {
        let tells = |one: &Statement| match one {
            Statement::Host(host) => self.donors.is_new(author, host),
            _ => false,
        };
        match self.votes() && statements.iter().any(tells) {
            true => self.units_of(author),
            false => Vec::new(),
        }
    }

    /// Notes at each voucher as whom its author votes.
    pub(super) fn number_voters(&self, known: &mut Unit) {
        if self.donors.numbers.is_empty() {
            return;
        }
        for voucher in &mut known.vouchers {
            voucher.voter = self.voter(voucher.author);
        }
    }
}
