//! The owner's part in a lot where equal answers decide and it computes some of the units again: which of
//! them, and what follows from what they came to.
//!
//! A unit is drawn by a hash of a secret that never leaves the owner, so nobody can tell beforehand whether
//! it is looked at, nor learn it from others that were; a restart draws the same. What it came to here is a
//! voucher as any, said when the unit is decided. If it is another answer than the quorum's, the word of
//! all who gave that answer is taken no more, and this node's own is released. Units that peers without a
//! word have answered are open again: others compute them, or this node does, of which one answer is enough.
//!
//! Invariant: `due` holds the decided units to which this node has to say something yet, by what it knows;
//! [`Lot::refresh_recheck`] keeps it so after every change to a unit. What it is not: remembered; after a
//! restart it follows from the board and the seed again.
use super::Lot;
use crate::{
    Answer, AuditStep, Decision, Hash, Manifest, Millis, Nonce, PeerKey, Release, UnitIndex,
    board::unit::{Unit, Voucher},
};
use alloc::{collections::BTreeSet, vec::Vec};

/// What a lot's owner knows of the units that it computes again.
#[derive(Clone, Debug)]
pub(super) struct Recheck {
    percent: u8,
    /// Units of the whole job, one of which is always drawn.
    units: u32,
    seed: Option<Hash>,
    due: BTreeSet<UnitIndex>,
    /// Units about which something is new.
    touched: BTreeSet<UnitIndex>,
    /// Units that were released since this node started.
    released: BTreeSet<UnitIndex>,
}

impl Recheck {
    /// Nothing known yet; none if this node is to compute nothing again.
    pub fn of(manifest: &Manifest, me: PeerKey) -> Option<Recheck> {
        let percent = manifest.profile.recheck_percent();
        (percent > 0 && manifest.owner == me).then(|| Recheck {
            percent,
            units: manifest.work.units.count(),
            seed: None,
            due: BTreeSet::new(),
            touched: BTreeSet::new(),
            released: BTreeSet::new(),
        })
    }

    /// Whether a unit is among so many percent of all. Who is among fewer stays among more.
    fn draws(&self, unit: UnitIndex, percent: u8) -> bool {
        let Some(seed) = self.seed else { return false };
        let first = Hash::derive("dugnad 1 first recheck", &[&seed.0]).prefix();
        let ticket = Hash::derive("dugnad 1 recheck", &[&seed.0, &unit.to_le_bytes()]).prefix();
        let drawn = (u128::from(ticket) * 100) >> u64::BITS;
        drawn < u128::from(percent) || first % u64::from(self.units) == u64::from(unit)
    }
}

/// The share of units that is computed again, percent, once the word of so many peers is taken no more: each
/// doubles it.
pub fn recheck_share(percent: u8, lost: usize) -> u8 {
    let doublings = lost.min(7) as u32;
    (u32::from(percent) << doublings).min(100) as u8
}

impl Lot {
    /// The share of units that is computed again by now, percent.
    pub(crate) fn recheck_share(&self) -> u8 {
        let lost = self.board.orders_of(self.my_key).map_or(0, |orders| orders.lost().len());
        self.recheck.as_ref().map_or(0, |recheck| recheck_share(recheck.percent, lost))
    }

    /// Draws from now on.
    pub(crate) fn seed_rechecks(&mut self, seed: Hash) {
        if let Some(recheck) = &mut self.recheck {
            recheck.seed = Some(seed);
            self.refresh_rechecks();
        }
    }

    /// Looks at a unit again, after something about it has changed.
    pub(super) fn refresh_recheck(&mut self, unit: UnitIndex) {
        let Some(recheck) = &self.recheck else { return };
        let due = self.is_recheck_due(recheck, unit);
        let Some(recheck) = &mut self.recheck else { return };
        match due {
            true => recheck.due.insert(unit),
            false => recheck.due.remove(&unit),
        };
        recheck.touched.insert(unit);
    }

    /// Looks at every unit again, after more are drawn.
    pub(super) fn refresh_rechecks(&mut self) {
        if self.recheck.is_some() {
            self.board.range().for_each(|unit| self.refresh_recheck(unit));
        }
    }

    fn is_recheck_due(&self, recheck: &Recheck, unit: UnitIndex) -> bool {
        let drawn = || recheck.draws(unit, self.recheck_share());
        let Some(known) = self.board.unit(unit) else {
            // It was put away when nothing was due.
            return drawn() && !self.board.is_tried(unit, self.me);
        };
        let own = known.voucher(self.me);
        let said = own.and_then(Voucher::live);
        let tried = known.tried_by(self.me);
        // This node cannot run it, or has contradicted itself.
        let given_up = tried && own.is_none_or(|own| own.unopened().is_none()) && said.is_none();
        match &known.standing.decision {
            Decision::Open => false,
            // Strangers may have said that it cannot be run.
            Decision::Failed(_) => !given_up,
            decision @ Decision::Verified(_) => {
                !given_up && said != known.agreed(decision) && (tried || drawn())
            }
        }
    }

    /// Whether this node has to compute a decided unit, or to say what it came to.
    pub(crate) fn owes_recheck(&self, unit: UnitIndex) -> bool {
        self.recheck.as_ref().is_some_and(|recheck| recheck.due.contains(&unit))
    }

    /// Units that this node is to compute again yet, or about which it has something to say.
    pub(crate) fn rechecks_due(&self) -> usize {
        self.recheck.as_ref().map_or(0, |recheck| recheck.due.len())
    }

    /// A unit that this node is to compute again, and begins to.
    pub(crate) fn next_recheck(&mut self, now: Millis) -> Option<UnitIndex> {
        let tried = |unit| self.board.unit(unit).is_some_and(|known| known.tried_by(self.me));
        let free = |unit: &&UnitIndex| !self.in_hands(**unit) && !tried(**unit);
        let unit = *self.recheck.as_ref()?.due.iter().find(free)?;
        self.running.insert(unit, now);
        Some(unit)
    }

    /// What follows from units that this node has computed: whose word counts no more, then what they came
    /// to. Each is told once.
    pub(crate) fn take_findings(&mut self, now: Millis) -> Vec<AuditStep> {
        let Some(recheck) = &mut self.recheck else { return Vec::new() };
        let touched = core::mem::take(&mut recheck.touched);
        let (mut wrong, mut releases) = (BTreeSet::new(), Vec::new());
        for unit in touched {
            let Some(known) = self.board.unit(unit) else { continue };
            let Some((answer, nonce)) = self.own_answer(unit, known) else { continue };
            let overrules = self.overrules(known, answer);
            if overrules || self.has_released(known) {
                wrong.extend(self.who_differ(known, answer));
            }
            let (member, answer, nonce) = (None, answer.clone(), *nonce);
            let fresh = |recheck: &mut Recheck| recheck.released.insert(unit);
            if overrules && self.recheck.as_mut().is_some_and(fresh) {
                releases.push(Release { unit, member, answer, nonce });
            }
        }
        for one in &releases {
            // A release is of an answer that all can see.
            if self.answers.remove(&one.unit).is_some() {
                self.outbox.open(one.unit, one.answer.clone(), one.nonce, now);
            }
        }
        let lost = wrong.into_iter();
        let lost = lost.map(|peer| AuditStep::Lost { peer, convicted: self.is_of_my_class(peer) });
        let lost: Vec<AuditStep> = lost.collect();
        let released = (!releases.is_empty()).then_some(AuditStep::Released(releases));
        lost.into_iter().chain(released).collect()
    }

    /// Whether a peer says to have a processor as this node's: on another one a module that is not exact may
    /// come to other things, and nobody is to blame.
    fn is_of_my_class(&self, peer: PeerKey) -> bool {
        let of = |author| self.board.arch_of(author);
        self.board.index_of(peer).is_some_and(|author| of(author) == of(self.me))
    }

    /// Whether this node is to open its answer to a unit, as it releases it.
    pub(super) fn shows_recheck(&self, unit: UnitIndex) -> bool {
        self.recheck.as_ref().is_some_and(|recheck| recheck.released.contains(&unit))
    }

    /// This node's own answer to a unit, open or sealed.
    fn own_answer<'a>(
        &'a self,
        unit: UnitIndex,
        known: &'a Unit,
    ) -> Option<(&'a Answer, &'a Nonce)> {
        let own = known.voucher(self.me)?;
        let opened = own.opening.one().filter(|_| own.live().is_some());
        let opened = opened.map(|opened| (&opened.answer, &opened.nonce));
        let sealed = || own.unopened().and_then(|_| self.answers.get(&unit));
        opened.or_else(|| sealed().map(|(answer, nonce)| (answer, nonce)))
    }

    /// Whether this node's own answer goes before what a unit stands at.
    fn overrules(&self, known: &Unit, answer: &Answer) -> bool {
        let mut authors = known.vouchers.iter().map(|voucher| self.board.key(voucher.author));
        match &known.standing.decision {
            Decision::Open => authors.any(|author| self.board.is_outvoted(author)),
            Decision::Failed(_) => true,
            decision @ Decision::Verified(_) => known.agreed(decision) != Some(answer),
        }
    }

    fn has_released(&self, known: &Unit) -> bool {
        known.orders.iter().any(|orders| orders.author == self.me && orders.released.is_some())
    }

    /// Who gave another answer than this node's own, and whose word still counts.
    fn who_differ(&self, known: &Unit, answer: &Answer) -> Vec<PeerKey> {
        let differs = |voucher: &&Voucher| voucher.live().is_some_and(|theirs| theirs != answer);
        let authors = known.vouchers.iter().filter(differs).map(|one| self.board.key(one.author));
        authors.filter(|author| !self.board.is_outvoted(*author)).collect()
    }
}
