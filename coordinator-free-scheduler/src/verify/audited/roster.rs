//! Whom an owner trusts with a job, and the draw of checkers among them.
//!
//! Invariant: nobody can know who checks a unit before the seed is published, and the owner publishes
//! it only after it closed the lot: every answer that could be a lie is committed to by then. With the
//! seed in hand everybody draws alike.
//!
//! Who draws by weight need not rank everybody: the n-th candidate of a unit is whoever covers a
//! point on the line of all weights, and the points are the unit's own. That is the distribution of
//! "lowest weighted tickets", for a few hashes a unit instead of one for every member.
use crate::{Hash, PeerKey, UnitIndex};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Whoever is on a roster, by place.
pub type MemberIndex = u32;

/// Most members of a roster.
pub const ROSTER_MAX: usize = 10_000;
/// Candidates that are looked at for each checker wanted, before a roster is taken to be used up.
const TRIES: u32 = 64;

/// One whom the owner trusts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Member {
    /// Its key.
    pub key: PeerKey,
    /// How likely it is drawn, beside others: by the fuel that it was right about, up to a cap.
    pub weight: u32,
    /// The processor that it says it has: a class, of which there are few.
    pub arch: u8,
    /// Members of one circle are one donor's, or behind one network: of them one at a time vouches for a
    /// unit.
    pub circle: u32,
}

/// The members of one job, fixed when it opens.
#[derive(Clone, Debug)]
pub struct Roster {
    members: Vec<Member>,
    /// Weights of all members up to each, itself with them.
    sums: Vec<u64>,
}

impl Roster {
    /// Members in the order that their indices name; those over [`ROSTER_MAX`] are left out.
    pub fn new(mut members: Vec<Member>) -> Roster {
        members.truncate(ROSTER_MAX);
        let mut total = 0;
        let sum = |member: &Member| {
            total += u64::from(member.weight);
            total
        };
        let sums = members.iter().map(sum).collect();
        Roster { members, sums }
    }

    /// All of them.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One of them.
    pub fn member(&self, index: MemberIndex) -> Option<&Member> {
        self.members.get(index as usize)
    }

    /// Whether two members are of one circle; each is of its own.
    pub fn are_kin(&self, one: MemberIndex, other: MemberIndex) -> bool {
        let circle = |member| self.member(member).map(|member| member.circle);
        one == other || circle(one) == circle(other)
    }

    /// All weights together.
    pub fn weight(&self) -> u64 {
        self.sums.last().copied().unwrap_or_default()
    }

    /// The member who covers a point below the sum of all weights.
    fn at(&self, point: u64) -> MemberIndex {
        self.sums.partition_point(|sum| *sum <= point) as MemberIndex
    }
}

/// What a seed draws for one unit.
pub struct Draw<'a> {
    roster: &'a Roster,
    seed: &'a Hash,
    unit: UnitIndex,
}

impl<'a> Draw<'a> {
    /// The draw for a unit.
    pub fn new(roster: &'a Roster, seed: &'a Hash, unit: UnitIndex) -> Draw<'a> {
        Draw { roster, seed, unit }
    }

    /// A number of 64 bits; the 0th is the unit's coin, the others are its candidates.
    fn number(&self, index: u32) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.seed.0);
        hasher.update(&self.unit.to_le_bytes());
        let (mut numbers, mut eight) = (hasher.finalize_xof(), [0; 8]);
        numbers.set_position(8 * u64::from(index));
        numbers.fill(&mut eight);
        u64::from_le_bytes(eight)
    }

    /// Whether this unit is among so many hundredths of all.
    pub fn coin(&self, hundredths: u32) -> bool {
        let hundred = (u128::from(self.number(0)) * 100) >> 64;
        hundred < u128::from(hundredths)
    }

    /// The first `count` candidates that `takes` agrees to, in order and no two of one circle; fewer if
    /// the roster has no more.
    pub fn checkers(&self, count: usize, takes: impl Fn(MemberIndex) -> bool) -> Vec<MemberIndex> {
        let mut drawn = Vec::with_capacity(count);
        for candidate in 1..=TRIES.saturating_mul(count as u32) {
            if drawn.len() >= count {
                break;
            }
            let weight = u128::from(self.roster.weight());
            let point = (u128::from(self.number(candidate)) * weight) >> 64;
            let member = self.roster.at(point as u64);
            if weight > 0 && self.is_apart(&drawn, member) && takes(member) {
                drawn.push(member);
            }
        }
        // Points may keep missing those of little weight, where others are out: then in order.
        for (member, of) in (0..).zip(self.roster.members()) {
            let is_missing = drawn.len() < count && of.weight > 0;
            if is_missing && self.is_apart(&drawn, member) && takes(member) {
                drawn.push(member);
            }
        }
        drawn
    }

    fn is_apart(&self, drawn: &[MemberIndex], member: MemberIndex) -> bool {
        !drawn.iter().any(|other| self.roster.are_kin(*other, member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn roster(weights: &[u32]) -> Roster {
        let member = |(index, weight): (usize, &u32)| Member {
            key: PeerKey([index as u8; 32]),
            weight: *weight,
            arch: 0,
            circle: index as u32,
        };
        Roster::new(weights.iter().enumerate().map(member).collect())
    }

    #[test]
    fn members_are_drawn_by_weight_and_nobody_twice() {
        let roster = roster(&[10, 0, 30, 60]);
        let seed = Hash([7; 32]);
        let mut times = [0; 4];
        for unit in 0..10_000 {
            let draw = Draw::new(&roster, &seed, unit);
            times[draw.checkers(1, |_| true)[0] as usize] += 1;
            let mut two = draw.checkers(2, |member| member != 3);
            two.sort_unstable();
            assert_eq!(two, [0, 2], "all who are left are drawn in the end");
            assert!(draw.checkers(4, |_| true).len() <= 3, "who has no weight is never drawn");
        }
        for (times, expected) in times.into_iter().zip([1_000, 0, 3_000, 6_000]) {
            assert!(i32::abs(times - expected) < 200, "{times} for {expected}");
        }
        let heads = (0..10_000).filter(|unit| Draw::new(&roster, &seed, *unit).coin(7)).count();
        assert!((600..800).contains(&heads), "{heads}");
    }

    #[test]
    fn of_a_circle_one_is_drawn() {
        let mut members = roster(&[10; 6]).members;
        members[..4].iter_mut().for_each(|member| member.circle = 0);
        let roster = Roster::new(members);
        for unit in 0..100 {
            let seed = Hash([7; 32]);
            let mut drawn = Draw::new(&roster, &seed, unit).checkers(6, |_| true);
            drawn.sort_unstable();
            assert_eq!(drawn.len(), 3, "{drawn:?}");
            assert!(drawn[0] < 4 && drawn[1..] == [4, 5], "{drawn:?}");
        }
    }

    #[test]
    fn an_empty_roster_draws_nobody() {
        let (none, seed) = (roster(&[]), Hash([1; 32]));
        assert_eq!(Draw::new(&none, &seed, 0).checkers(3, |_| true), vec![]);
    }
}
