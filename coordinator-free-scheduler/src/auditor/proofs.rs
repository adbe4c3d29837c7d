//! Whom a cold owner may trust: who was right about units that the owner computed itself, without
//! knowing which. Keys are free, answers are not.
use crate::{Answer, PeerKey, UnitIndex, verify::audited::Member};
use alloc::{collections::BTreeMap, vec::Vec};

/// The least that a cold owner computes itself, units …
const LEAST_UNITS: u32 = 200;
/// … or this share of the job, if that is more: one in so many.
const LEAST_SHARE: u32 = 20;
/// A member's weight, if its proven work is that of the one in the middle, …
const WEIGHT: u64 = 100;
/// … and how many times more or less it is at most.
const WEIGHT_TIMES: u64 = 4;

/// What a peer's answers were worth.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Units that it answered, and that were not compared yet.
    pub untested: Vec<UnitIndex>,
    /// Answers that were the owner's own.
    pub agreed: u32,
    /// Fuel of these.
    pub fuel: u64,
    /// Whether one was not.
    pub wrong: bool,
}

/// All peers that answered anything.
#[derive(Clone, Debug, Default)]
pub struct Proofs {
    peers: BTreeMap<PeerKey, Proof>,
}

impl Proofs {
    /// A peer answered a unit, which the owner computed already or not.
    pub fn answered(
        &mut self,
        peer: PeerKey,
        unit: UnitIndex,
        answer: &Answer,
        own: Option<&Answer>,
    ) {
        match own {
            Some(own) => self.compared(peer, answer, own),
            None => self.peers.entry(peer).or_default().untested.push(unit),
        }
    }

    /// A peer's answer and the owner's own.
    pub fn compared(&mut self, peer: PeerKey, answer: &Answer, own: &Answer) {
        let proof = self.peers.entry(peer).or_default();
        match answer == own {
            true => {
                proof.agreed += 1;
                proof.fuel = proof.fuel.saturating_add(own.fuel);
            }
            false => proof.wrong = true,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (PeerKey, &Proof)> {
        self.peers.iter().map(|(peer, proof)| (*peer, proof))
    }

    /// The same, to draw from.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut Proof)> {
        self.peers.iter_mut().map(|(peer, proof)| (*peer, proof))
    }

    /// Those who were right so often and never wrong, with weights by what they computed.
    pub fn members(&self, proofs: u8, class: u8) -> Vec<Member> {
        let proven =
            |(_, proof): &(PeerKey, &Proof)| !proof.wrong && proof.agreed >= u32::from(proofs);
        let mut fuels: Vec<u64> = self.iter().filter(proven).map(|(_, proof)| proof.fuel).collect();
        fuels.sort_unstable();
        let middle = fuels.get(fuels.len() / 2).copied().unwrap_or(1).max(1);
        let weight = |fuel: u64| {
            let by_fuel = (u128::from(fuel) * u128::from(WEIGHT) / u128::from(middle)) as u64;
            by_fuel.clamp(WEIGHT / WEIGHT_TIMES, WEIGHT * WEIGHT_TIMES) as u32
        };
        let member = |(key, proof): (PeerKey, &Proof)| Member {
            key,
            weight: weight(proof.fuel),
            arch: class,
        };
        self.iter().filter(proven).map(member).collect()
    }
}

/// Units that the owner computes itself before it trusts anybody.
pub fn quota(units: u32) -> usize {
    (units / LEAST_SHARE).max(LEAST_UNITS).min(units) as usize
}
