//! Which members of a roster count as one voter: a donor's own machines, and those behind one network.
//!
//! A circle is what is joined by either: whoever shares a donor or a network with one of it belongs to
//! it. Together its members weigh no more than one may.
use super::proofs::WEIGHT_MAX;
use crate::{PeerKey, verify::audited::Member};
use alloc::{collections::BTreeMap, vec::Vec};

/// What members may have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Bond {
    /// Whose they are.
    Donor(PeerKey),
    /// Where they are: a name of the /24 (IPv4), /48 (IPv6) or relay.
    Network(u64),
}

/// Puts members in circles, each named by the place of its first member, and has none weigh too much.
pub fn join(members: &mut [Member], bonds: impl Fn(PeerKey) -> Vec<Bond>) {
    let mut circles: Vec<usize> = (0..members.len()).collect();
    let mut first: BTreeMap<Bond, usize> = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        for bond in bonds(member.key) {
            let with = *first.entry(bond).or_insert(at);
            let (one, other) = (root(&circles, at), root(&circles, with));
            circles[one.max(other)] = one.min(other);
        }
    }
    let mut weights: BTreeMap<u32, u64> = BTreeMap::new();
    for (at, member) in members.iter_mut().enumerate() {
        member.circle = root(&circles, at) as u32;
        *weights.entry(member.circle).or_default() += u64::from(member.weight);
    }
    for member in members {
        let all = weights.get(&member.circle).copied().unwrap_or_default();
        if all > WEIGHT_MAX {
            let part = u64::from(member.weight) * WEIGHT_MAX / all;
            // Of a circle of very many some weigh nothing, and are never drawn.
            member.weight = part as u32;
        }
    }
}

/// The first member of the circle that a member is in: each points to one before it, or to itself.
fn root(circles: &[usize], mut at: usize) -> usize {
    while circles[at] != at {
        at = circles[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn whoever_shares_anything_is_one_circle_and_weighs_as_one() {
        let member = |at: u8, weight| Member { key: PeerKey([at; 32]), weight, arch: 0, circle: 0 };
        let mut members: Vec<Member> =
            [400, 100, 50, 300, 400].into_iter().zip(0..).map(|(w, at)| member(at, w)).collect();
        let donor = Bond::Donor(PeerKey([9; 32]));
        join(&mut members, |key| match key.0[0] {
            1 => vec![Bond::Network(7)],
            3 => vec![Bond::Network(7), donor],
            4 => vec![donor, Bond::Network(8)],
            _ => vec![],
        });
        let of = |member: &Member| (member.circle, member.weight);
        let expected = [(0, 400), (1, 50), (2, 50), (1, 150), (1, 200)];
        assert_eq!(members.iter().map(of).collect::<Vec<_>>(), expected);
    }
}
