//! What is said in a verification lot, and what comes of it.
use super::{Level, MemberIndex};
use crate::UnitIndex;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Passes for which a manifest holds seeds.
pub const PASSES_MAX: u8 = 16;
/// The share of a roster's weight that may be friends of each other, where nothing else is said.
pub const FRIENDS_USUAL: f64 = 0.3;

/// What an owner asks of a lot.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// Wrong units among the released, at most, as a share.
    pub max_error: f64,
    /// Share of the roster's weight that may agree on lies.
    pub friends: f64,
    /// Executions a unit on average, after which the lot is released with what is achieved.
    pub cost_max: f64,
    /// Whether everything that a convicted member vouched for is open again. Only for measuring what
    /// it is good for.
    pub backtracking: bool,
    /// Whether a lot climbs the ladder. Only for measuring what it is good for.
    pub escalation: bool,
}

impl Terms {
    /// The usual terms for this share of wrong units.
    pub fn new(max_error: f64) -> Terms {
        let (friends, cost_max) = (FRIENDS_USUAL, 8.0);
        Terms { max_error, friends, cost_max, backtracking: true, escalation: true }
    }
}

/// A member's word for a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vouch<A> {
    /// Who.
    pub member: MemberIndex,
    /// Its answer.
    pub answer: A,
}

/// A member that is to compute a unit again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
pub struct Check {
    /// Which unit.
    pub unit: UnitIndex,
    /// Who.
    pub member: MemberIndex,
}

/// What the owner found by computing a unit itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ruling<A> {
    /// The same everywhere that it was computed; on these classes of processors.
    Answer(A, Vec<u8>),
    /// Different things on different processors: the module is at fault, and nobody who runs it.
    Split,
}

/// Why a statement does not count. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Not the phase for it.
    Phase,
    /// No such unit.
    NoSuchUnit,
    /// The unit has its executor, or the member its share of units, or there is no such member any more.
    Taken,
    /// That member is not to check that unit.
    NotDrawn,
    /// The unit is in no dispute.
    NoDispute,
    /// Units without an answer, checks without one or disputes without a ruling are left.
    Unfinished,
}

/// Where a lot is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Phase {
    /// Units wait for their executors.
    Executing,
    /// Units wait for those who are to check them, and disputes for their ruling.
    Checking,
    /// Done, with so many wrong units expected.
    Released(f64),
    /// Ended without results: its module computes different things on different processors.
    Quarantined,
}

/// What a pass came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Settled {
    /// Another pass at this level; with so many units to be executed first.
    Again(Level, usize),
    /// Done; wrong units expected, and whether that is as few as was asked for and every unit has as many
    /// checkers as it should. If not, the roster, the passes or the cost allowed did not suffice: some
    /// units may be without an answer then.
    Released(f64, bool),
    /// See [`Phase::Quarantined`].
    Quarantined,
}

/// Why somebody is convicted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Its answer is not what the owner computed.
    Wrong(UnitIndex),
    /// It said two things of one unit.
    TwoFaced(UnitIndex),
}
