//! What attackers' nodes answer to the units of audited jobs: they keep to the rules otherwise.
//!
//! They know what their node knows, and which lies their friends have placed. They do not know seeds
//! that are not published.
use crate::{
    harm::{Attacker, Kind},
    truth,
};
use coordinator_free_scheduler::{Answer, JobId, Node, PeerKey, UnitIndex};
use std::collections::BTreeSet;

/// Of those who check lazily one in so many places lies.
const LAZY_ONE_IN: usize = 8;

/// Lies of all friends.
#[derive(Default)]
pub struct Friends {
    lies: BTreeSet<(JobId, UnitIndex)>,
    placed: u64,
}

/// A node's part in a unit.
#[derive(Default)]
pub struct Part {
    /// Whether an owner trusts it with the job; none knows as long as the roster is not published.
    pub trusted: Option<bool>,
    /// Whether it was drawn to check the unit.
    pub checks: bool,
    /// An answer of another that it can read.
    pub public: Option<Answer>,
}

impl Part {
    /// What a node knows of its part.
    pub fn of(node: &Node, me: PeerKey, job: JobId, unit: UnitIndex) -> Part {
        let Some(known) = node.job(job) else { return Part::default() };
        let Some(lot) = known.lots.get(&known.manifest.lot_of(unit)) else {
            return Part::default();
        };
        let mut part = Part::default();
        let Some(said) = lot.board.unit(unit) else { return part };
        for signer in lot.board.orders().filter(|signer| signer.is_open()) {
            let member = signer.member(me);
            part.trusted = Some(part.trusted == Some(true) || member.is_some());
            let orders = said.orders_of(signer.author());
            part.checks |= member.zip(orders).is_some_and(|(me, orders)| orders.wants(me));
        }
        part.public = said.vouchers.iter().find_map(|voucher| voucher.live()).cloned();
        part
    }
}

impl Friends {
    /// What friends say of a unit: what one of them lied about they all do. The `last` is the place of a
    /// peer among them, from the end.
    pub fn say(
        &mut self,
        (job, unit): (JobId, UnitIndex),
        harm: &Attacker,
        part: &Part,
        last: usize,
        right: Answer,
    ) -> Answer {
        let places = harm.kind != Kind::LazyChecker || last.is_multiple_of(LAZY_ONE_IN);
        let safe = part.trusted == Some(true) && !part.checks;
        if places && safe && self.placed < harm.budget && self.lies.insert((job, unit)) {
            self.placed += 1;
        }
        match self.lies.contains(&(job, unit)) {
            false => right,
            true if harm.kind == Kind::GreedyFuel => Answer { fuel: 2 * right.fuel, ..right },
            true => truth::colluding(job, unit),
        }
    }
}
