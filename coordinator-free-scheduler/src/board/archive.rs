//! Units that were decided a while ago: of each only its authors are kept, all else is in their logs
//! and is read again when it is wanted.
//!
//! A board holds very many units, and at any time few of them change. What is put away and restored
//! is what it was: joining what the logs say gives the same in any order.
use super::{Board, Unit, UnitName, log::Author, unit::Said};
use crate::{Decision, SignedBatch, UnitIndex, board::unit::AuthorIndex};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Authors of a unit that is put away; those few units that have more stay as they are.
const AUTHORS_MAX: usize = 4;
/// Stands for no author.
const NOBODY: AuthorIndex = AuthorIndex::MAX;
/// A unit of which nobody has said anything.
static BLANK: Unit = Unit::blank();

/// What is kept of one unit.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// Nothing was said of it.
    Blank,
    /// All that is known.
    Known(Box<Unit>),
    /// Who spoke of it.
    Archived([AuthorIndex; AUTHORS_MAX]),
}

impl Slot {
    pub(super) fn known(&self) -> Option<&Unit> {
        match self {
            Slot::Blank => Some(&BLANK),
            Slot::Known(unit) => Some(unit),
            Slot::Archived(_) => None,
        }
    }

    pub(super) fn known_mut(&mut self) -> Option<&mut Unit> {
        if matches!(self, Slot::Blank) {
            *self = Slot::Known(Box::default());
        }
        match self {
            Slot::Known(unit) => Some(unit),
            Slot::Blank | Slot::Archived(_) => None,
        }
    }

    /// Whether an author spoke of it.
    pub(super) fn tried_by(&self, author: AuthorIndex) -> bool {
        match self {
            Slot::Blank => false,
            Slot::Known(unit) => {
                let ordered = unit.orders_of(Some(author)).is_some();
                ordered || unit.tried_by(author)
            }
            Slot::Archived(authors) => authors.contains(&author),
        }
    }

    /// Whether it is looked at, and something was said of it.
    pub(super) fn is_known(&self) -> bool {
        matches!(self, Slot::Known(_))
    }

    /// Whether a signer said something of it.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self, Slot::Known(unit) if !unit.orders.is_empty())
    }

    fn bytes(&self) -> usize {
        let beside = match self {
            Slot::Known(unit) => unit.bytes(),
            Slot::Blank | Slot::Archived(_) => 0,
        };
        size_of::<Slot>() + beside
    }
}

impl Board {
    /// Puts a decided unit away, if it has not too many authors. All that was said of it must be in
    /// the logs: statements of this node's own are only once they are signed.
    pub fn archive(&mut self, unit: UnitIndex) {
        let Some(known) = self.unit(unit).filter(|known| known.standing.decision != Decision::Open)
        else {
            return;
        };
        let voids = known.voids.iter().map(|(author, _)| *author);
        let signers = known.orders.iter().map(|orders| orders.author);
        let vouchers = known.vouchers.iter().map(|voucher| voucher.author);
        let spoke: BTreeSet<AuthorIndex> = vouchers.chain(voids).chain(signers).collect();
        if spoke.len() > AUTHORS_MAX {
            return;
        }
        let mut authors = [NOBODY; AUTHORS_MAX];
        authors.iter_mut().zip(spoke).for_each(|(place, author)| *place = author);
        let at = (unit - self.first) as usize;
        self.units[at] = Slot::Archived(authors);
    }

    /// Brings back those of some units that are put away; answers which.
    pub(super) fn restore(&mut self, units: impl Iterator<Item = UnitIndex>) -> Vec<UnitIndex> {
        let mut restored = Vec::new();
        for (unit, known) in self.recall(units) {
            let at = (unit - self.first) as usize;
            self.units[at] = Slot::Known(Box::new(known));
            restored.push(unit);
        }
        restored
    }

    /// What is known of those of some units that are put away. The logs of their authors are read
    /// through, once for all of them.
    pub(crate) fn recall(
        &self,
        units: impl Iterator<Item = UnitIndex>,
    ) -> BTreeMap<UnitIndex, Unit> {
        let (mut recalled, mut authors) = (BTreeMap::new(), BTreeSet::new());
        for unit in units {
            let at = unit.checked_sub(self.first).map(|at| at as usize);
            if let Some(Slot::Archived(spoke)) = at.and_then(|at| self.units.get(at)) {
                authors.extend(spoke.iter().filter(|author| **author != NOBODY));
                recalled.insert(unit, Unit::default());
            }
        }
        authors.into_iter().for_each(|author| self.read_again(author, &mut recalled));
        for (unit, known) in &mut recalled {
            self.number_voters(known);
            self.show(*unit, known);
            known.standing = self.stand(known);
        }
        recalled
    }

    /// Joins what an author said into some units.
    fn read_again(&self, author: AuthorIndex, units: &mut BTreeMap<UnitIndex, Unit>) {
        let (key, Author::Honest(logs)) = &self.authors[author as usize] else { return };
        let about = logs.iter().flat_map(|(_, log)| log.about(units));
        for signed in about.cloned().collect::<Vec<SignedBatch>>() {
            let Ok(batch) = signed.open() else { continue };
            let said = batch.statements.iter().filter(|one| self.admits(author, one));
            for (unit, said) in said.flat_map(Said::of) {
                if let Some(known) = units.get_mut(&unit) {
                    known.hear(UnitName { job: self.job, unit, author: *key }, author, said);
                }
            }
        }
    }

    /// About how many bytes all units take.
    pub(crate) fn unit_bytes(&self) -> usize {
        self.units.iter().map(Slot::bytes).sum()
    }

    /// How many units each author has tried. Of those that are put away the job's signers are left out:
    /// they spoke of all.
    pub(crate) fn tries(&self) -> Vec<u32> {
        let mut tries = alloc::vec![0; self.authors.len()];
        let speak_of_all = self.orders().filter(|_| !self.votes());
        let signers: BTreeSet<AuthorIndex> =
            speak_of_all.filter_map(|orders| orders.author()).collect();
        let mut count = |author: AuthorIndex| tries[author as usize] += 1;
        for slot in &self.units {
            match slot {
                Slot::Blank => {}
                Slot::Known(unit) => unit.vouchers.iter().for_each(|voucher| count(voucher.author)),
                Slot::Archived(authors) => {
                    let tried = authors.iter().filter(|author| **author != NOBODY);
                    tried
                        .filter(|author| !signers.contains(author))
                        .for_each(|author| count(*author));
                }
            }
        }
        tries
    }

    /// How many units are put away.
    pub fn archived_units(&self) -> usize {
        self.units.iter().filter(|slot| matches!(slot, Slot::Archived(_))).count()
    }
}
