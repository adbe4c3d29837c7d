//! Whom a cold owner may trust: who was right about units that the owner computed itself, without
//! knowing which. Keys are free, answers are not.
use crate::{Answer, PeerKey, Rng, UnitIndex, verify::audited::Member};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;

/// The least that a cold owner computes itself, units …
const LEAST_UNITS: u32 = 200;
/// … or this share of the job, if that is more: one in so many.
const LEAST_SHARE: u32 = 20;
/// A member's weight, if its proven work is that of the one in the middle, …
const WEIGHT: u64 = 100;
/// … and how many times more or less it is at most.
const WEIGHT_TIMES: u64 = 4;
/// The most that a member may weigh, and a circle of them.
pub const WEIGHT_MAX: u64 = WEIGHT * WEIGHT_TIMES;

/// What a peer's answers were worth.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Units that it answered first, and that were not compared yet.
    untested: Vec<UnitIndex>,
    /// How many it answered first in all.
    first: u32,
    /// How many of these there were when units were last drawn of them: later ones it may have given knowing
    /// that it is not looked at any more.
    weighed: u32,
    trust: Trust,
    /// Whether it answered otherwise on another class of processors: nobody can tell whose fault that is.
    apart: bool,
}

/// What an owner's jobs say of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trust {
    /// Answers that were the owner's own.
    pub agreed: u32,
    /// Fuel of its right answers.
    pub fuel: u64,
    /// Whether its word was lost.
    pub lost: bool,
    /// Jobs where it answered otherwise on another class of processors.
    pub doubts: u32,
}

impl Trust {
    /// What both say.
    pub fn join(self, other: Trust) -> Trust {
        Trust {
            agreed: self.agreed.saturating_add(other.agreed),
            fuel: self.fuel.saturating_add(other.fuel),
            lost: self.lost || other.lost,
            doubts: self.doubts.saturating_add(other.doubts),
        }
    }

    /// Whether a peer of whom this is known may be on a roster: each doubt asks for as many proofs again.
    pub fn suffices(self, proofs: u8) -> bool {
        !self.lost && self.agreed >= u32::from(proofs).saturating_mul(self.doubts.saturating_add(1))
    }
}

/// All peers that answered anything.
#[derive(Clone, Debug, Default)]
pub struct Proofs {
    peers: BTreeMap<PeerKey, Proof>,
    /// What earlier jobs say.
    known: BTreeMap<PeerKey, Trust>,
}

impl Proof {
    /// The fuel of all its first answers, by what those took that were compared. Which these are was drawn,
    /// so who is right about a share of its answers keeps its place with that share to the power of the
    /// proofs: to answer more units than one computes lowers the weight that is to be expected.
    fn fuel(&self) -> u64 {
        match self.trust.agreed {
            0 => 0,
            agreed => {
                let all = u128::from(self.trust.fuel) * u128::from(self.weighed.max(agreed));
                u64::try_from(all / u128::from(agreed)).unwrap_or(u64::MAX)
            }
        }
    }

    /// It answered otherwise than the owner, and its class of processors does not excuse that; or does.
    fn differs(&mut self, convicts: bool) {
        match convicts {
            true => self.trust.lost = true,
            false => (self.apart, self.trust.doubts) = (true, 1),
        }
    }
}

impl Proofs {
    /// A peer answered a unit, which the owner computed already or not.
    pub fn answered(
        &mut self,
        peer: PeerKey,
        unit: UnitIndex,
        answer: &Answer,
        own: Option<&Answer>,
        (first, convicts): (bool, bool),
    ) {
        let proof = self.peers.entry(peer).or_default();
        match own {
            // That the owner was on it can be known by now: being right proves nothing any more.
            Some(own) if answer != own => proof.differs(convicts),
            Some(_) => {}
            None if first => {
                proof.first += 1;
                proof.untested.push(unit);
            }
            None => {}
        }
    }

    /// A peer's answer and the owner's own, which was not there yet when the peer answered. Right is only
    /// the first who answered the unit: many keys would show one answer otherwise.
    pub fn compared(
        &mut self,
        peer: PeerKey,
        unit: UnitIndex,
        (answer, own): (&Answer, &Answer),
        convicts: bool,
    ) {
        let proof = self.peers.entry(peer).or_default();
        let first = proof.untested.contains(&unit);
        proof.untested.retain(|other| *other != unit);
        match answer == own {
            true if first => {
                let right = Trust { agreed: 1, fuel: own.fuel, ..Trust::default() };
                proof.trust = proof.trust.join(right);
            }
            true => {}
            false => proof.differs(convicts),
        }
    }

    /// A peer answered otherwise than the owner found on two classes of processors.
    pub fn convict(&mut self, peer: PeerKey) {
        self.peers.entry(peer).or_default().differs(true);
    }

    /// What is known from earlier jobs.
    pub fn learn(&mut self, known: BTreeMap<PeerKey, Trust>) {
        self.known = known;
    }

    /// What this job says of each.
    pub fn here(&self) -> impl Iterator<Item = (PeerKey, Trust)> {
        self.peers.iter().map(|(peer, proof)| (*peer, proof.trust))
    }

    /// What this job and those before say of each who answered here.
    fn all(&self) -> impl Iterator<Item = (PeerKey, Trust)> {
        let before = |peer| self.known.get(&peer).copied().unwrap_or_default();
        self.here().map(move |(peer, trust)| (peer, trust.join(before(peer))))
    }

    /// Who was wrong, now or before, and whether that is proved.
    pub fn lost(&self) -> impl Iterator<Item = (PeerKey, bool)> {
        let lost = |(peer, trust): &(PeerKey, Trust)| trust.lost || self.is_apart(*peer);
        self.all().filter(lost).map(|(peer, trust)| (peer, trust.lost))
    }

    fn is_apart(&self, peer: PeerKey) -> bool {
        self.peers.get(&peer).is_some_and(|proof| proof.apart)
    }

    /// How many are proven by earlier jobs alone.
    pub fn known(&self, proofs: u8) -> usize {
        let known = self.here().filter_map(|(peer, _)| self.known.get(&peer));
        known.filter(|trust| trust.suffices(proofs)).count()
    }

    /// Units to compute so that peers have as many proofs as they need, of those not under way, where no
    /// more than `room` are to be computed; and the other ones that could be. Half proofs are none: where
    /// there is not room for all, whoever has most of them comes first, then who answered most.
    pub fn draw(
        &mut self,
        proofs: u8,
        mut room: usize,
        under_way: impl Fn(UnitIndex) -> bool,
        rng: &mut Rng,
    ) -> (BTreeSet<UnitIndex>, Vec<UnitIndex>) {
        let here = |(peer, trust): &(PeerKey, Trust)| !trust.lost && !self.is_apart(*peer);
        let known = self.all().filter(here).filter_map(|(peer, trust)| {
            let proof = self.peers.get(&peer)?;
            let testing = proof.untested.iter().filter(|unit| under_way(**unit)).count();
            Some((Reverse((trust.agreed as usize + testing, proof.first)), peer))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable();
        let (mut wanted, mut others) = (BTreeSet::new(), Vec::new());
        for (Reverse((had, _)), peer) in known {
            let missing = usize::from(proofs).saturating_sub(had);
            let untested = self.peers.get(&peer).map_or(&[][..], |proof| &proof.untested);
            let mut left: Vec<UnitIndex> =
                untested.iter().copied().filter(|unit| !under_way(*unit)).collect();
            // Who has answered too few yet will answer more: its place is kept.
            if missing <= room {
                room -= missing;
                if missing > 0
                    && !left.is_empty()
                    && let Some(proof) = self.peers.get_mut(&peer)
                {
                    proof.weighed = proof.first;
                }
                for _ in 0..missing.min(left.len()) {
                    wanted.insert(left.swap_remove(rng.below(left.len() as u64) as usize));
                }
            }
            others.extend(left);
        }
        others.retain(|unit| !wanted.contains(unit));
        (wanted, others)
    }

    /// Those who were right so often and never wrong, with weights by what they computed, here and before.
    pub fn members(&self, proofs: u8) -> Vec<Member> {
        let fits =
            |(peer, trust): &(PeerKey, Trust)| trust.suffices(proofs) && !self.is_apart(*peer);
        let work = |(peer, trust): (PeerKey, Trust)| {
            let here = self.peers.get(&peer).map_or(0, |proof| proof.fuel() - proof.trust.fuel);
            (peer, Trust { fuel: trust.fuel.saturating_add(here), ..trust })
        };
        let proven: Vec<(PeerKey, Trust)> = self.all().filter(fits).map(work).collect();
        let mut fuels: Vec<u64> = proven.iter().map(|(_, trust)| trust.fuel).collect();
        fuels.sort_unstable();
        let middle = fuels.get(fuels.len() / 2).copied().unwrap_or(1).max(1);
        let weight = |fuel: u64| {
            let by_fuel = u128::from(fuel) * u128::from(WEIGHT) / u128::from(middle);
            (by_fuel as u64).clamp(WEIGHT / WEIGHT_TIMES, WEIGHT_MAX) as u32
        };
        let member = |(key, trust): (PeerKey, Trust)| Member {
            key,
            weight: weight(trust.fuel),
            arch: 0,
            circle: 0,
        };
        proven.into_iter().map(member).collect()
    }
}

/// Units that an owner computes itself at most before it trusts those whom it has come to know.
pub fn most(units: u32) -> usize {
    2 * quota(units)
}

/// Units that an owner computes itself before it trusts anybody; who knows enough peers waits for as
/// many to be answered.
pub fn quota(units: u32) -> usize {
    (units / LEAST_SHARE).max(LEAST_UNITS).min(units) as usize
}
