//! Peers, and what they answer.
//!
//! Attackers know everything that can be known at the time: who their friends are, which units these
//! lied about, what is public. They do not know seeds that are not published.
use super::{Attacker, Kind, Trial};
use crate::draws::{Draw, share_of};
use coordinator_free_scheduler::{PeerKey, Rng, UnitIndex, verify::audited::Member};
use std::collections::BTreeMap;

/// What a peer answers: [`RIGHT`], a lie, or what its processor makes of it.
pub type Answer = u32;

/// The right answer.
pub const RIGHT: Answer = 0;
/// What friends agree to say instead.
const LIE: Answer = 1;
/// What the second class of processors makes of some units, if the module was made so.
const OTHER_ARCH: Answer = 2;
/// Lies of one's own begin here.
const OWN_LIES: Answer = 100;
/// Weights are around this, and at most four times it.
const WEIGHT: f64 = 1_000.0;
/// How unlike weights are: the 99th percentile over the first.
const WEIGHTS_SPREAD: f64 = 30.0;
/// One in so many units is one that processors disagree about.
const SPLIT_UNITS: u32 = 50;
/// One in so many of those who check lazily lies itself; one in so many decoys lies often, …
const ONE_IN: usize = 8;
/// … about this share of its units.
const DECOY_LIES: f64 = 0.1;

/// One of the crowd.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// What harm it does, if any.
    pub harm: Option<Attacker>,
    /// How much an owner that knows it trusts it, and how much it computes.
    pub weight: u32,
    /// Its class of processors.
    pub arch: u8,
    /// Whether an owner that knows the others does not know it.
    pub is_new: bool,
}

impl Peer {
    /// What harm it does, by kind.
    pub fn kind(&self) -> Option<Kind> {
        self.harm.map(|harm| harm.kind)
    }
}

/// All peers of a trial.
pub struct Crowd {
    /// By number.
    pub peers: Vec<Peer>,
    /// What else is drawn at random.
    pub rng: Rng,
    /// What friends say of units that one of them lied about.
    lies: BTreeMap<UnitIndex, Answer>,
    /// Lies that are left to place.
    budget: u64,
    splits: bool,
    churn: f64,
}

impl Crowd {
    /// The peers of a trial.
    pub fn new(trial: &Trial) -> Crowd {
        let mut peers: Vec<Peer> = (0..trial.peers).map(|peer| stranger(trial, peer)).collect();
        let total: f64 = peers.iter().map(|peer| f64::from(peer.weight)).sum();
        for attacker in trial.attacker.iter().filter(|attacker| attacker.kind.is_a_peer()) {
            let mut left = attacker.fraction * total;
            for peer in peers.iter_mut().skip(1).rev().filter(|peer| peer.harm.is_none()) {
                // As much as they have, and not a peer more.
                if f64::from(peer.weight) <= left {
                    left -= f64::from(peer.weight);
                    peer.harm = Some(*attacker);
                    peer.is_new = !attacker.kind.is_trusted();
                    if attacker.kind == Kind::ForeignArch {
                        peer.arch = 1;
                    }
                }
            }
        }
        Crowd {
            peers,
            rng: Rng::new(trial.seed ^ 0x6475_676e_6164),
            lies: BTreeMap::new(),
            budget: trial.budget(),
            splits: trial.has(Kind::ArchSplitter),
            churn: trial.churn,
        }
    }

    /// A peer as a member of a roster.
    pub fn member(&self, peer: usize) -> Member {
        let Peer { weight, arch, .. } = self.peers[peer];
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(peer as u64).to_le_bytes());
        Member { key: PeerKey(key), weight, arch, circle: peer as u32 }
    }

    /// Whether something of this likelihood happens.
    pub fn happens(&mut self, likely: f64) -> bool {
        share_of(self.rng.draw()) < likely
    }

    /// Whether processors disagree about a unit.
    pub fn is_split(&self, unit: UnitIndex) -> bool {
        self.splits && unit.is_multiple_of(SPLIT_UNITS)
    }

    /// What an honest peer finds.
    fn finds(&self, peer: usize, unit: UnitIndex) -> Answer {
        match self.is_split(unit) && self.peers[peer].arch > 0 {
            true => OTHER_ARCH,
            false => RIGHT,
        }
    }

    /// Whether an answer is wrong: nobody who is honest finds it.
    pub fn is_wrong(answer: Answer) -> bool {
        answer != RIGHT && answer != OTHER_ARCH
    }

    /// Whether a peer is one of those who agree on lies.
    pub fn is_friend(&self, peer: usize) -> bool {
        self.peers[peer].kind().is_some_and(Kind::has_friends)
    }

    /// What friends answer who know whether others than friends are asked.
    pub fn says_among_friends(&mut self, unit: UnitIndex, alone: bool) -> Answer {
        let lie = alone.then(|| self.may_lie(unit, 1.0)).flatten();
        lie.unwrap_or(RIGHT)
    }

    /// What a peer answers to a unit that it executes.
    pub fn executes(&mut self, peer: usize, unit: UnitIndex) -> Answer {
        let found = self.finds(peer, unit);
        let Some(Attacker { kind, rate, .. }) = self.peers[peer].harm else { return found };
        match kind {
            Kind::Naive | Kind::Whitewasher | Kind::SelfDealer => match self.happens(rate) {
                true => OWN_LIES + peer as Answer,
                false => found,
            },
            Kind::LazyChecker if !peer.is_multiple_of(ONE_IN) => found,
            Kind::Decoy if peer.is_multiple_of(ONE_IN) => {
                if self.happens(DECOY_LIES) {
                    self.lies.insert(unit, LIE);
                }
                self.lies.get(&unit).copied().unwrap_or(found)
            }
            Kind::Colluder
            | Kind::Sleeper
            | Kind::Decoy
            | Kind::ForeignArch
            | Kind::LotCapturer
            | Kind::LazyChecker
            | Kind::GreedyFuel => self.may_lie(unit, rate).unwrap_or(found),
            Kind::Copier
            | Kind::Accuser
            | Kind::Withholder
            | Kind::Equivocator
            | Kind::ArchSplitter
            | Kind::EarlyCloser => found,
        }
    }

    /// The friends' lie about a unit: the one there is, or a new one, if they can afford it.
    fn may_lie(&mut self, unit: UnitIndex, rate: f64) -> Option<Answer> {
        if !self.lies.contains_key(&unit) && self.budget > 0 && self.happens(rate) {
            self.budget -= 1;
            self.lies.insert(unit, LIE);
        }
        self.lies.get(&unit).copied()
    }

    /// What a peer answers to a unit that it was drawn to check; `public` is what anybody can read of
    /// it. Nothing if it is silent.
    pub fn checks(
        &mut self,
        peer: usize,
        unit: UnitIndex,
        public: Option<Answer>,
    ) -> Option<Answer> {
        if self.happens(self.churn) {
            return None;
        }
        let found = self.finds(peer, unit);
        let Some(Attacker { kind, rate, .. }) = self.peers[peer].harm else { return Some(found) };
        match kind {
            Kind::Withholder => (!self.happens(rate)).then_some(found),
            Kind::Accuser if self.happens(rate) => Some(OWN_LIES + peer as Answer),
            // With nothing to copy it can but guess.
            Kind::Copier if self.happens(rate) => Some(public.unwrap_or(OWN_LIES + peer as Answer)),
            kind if kind.has_friends() => Some(self.lies.get(&unit).copied().unwrap_or(found)),
            _ => Some(found),
        }
    }
}

fn stranger(trial: &Trial, peer: usize) -> Peer {
    let draw = |what| Draw { seed: trial.seed, what };
    let spread = draw("weight").spread(WEIGHTS_SPREAD, &[peer as u64]).min(4.0);
    // An owner that knows nobody trusts all alike.
    let weight = if trial.warm { (WEIGHT * spread).max(1.0) } else { WEIGHT };
    Peer {
        harm: None,
        weight: weight as u32,
        arch: u8::from(draw("arch").share(&[peer as u64]) < trial.arch_mix),
        is_new: draw("newcomer").share(&[peer as u64]) < trial.newcomers,
    }
}
