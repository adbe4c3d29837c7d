//! The laws of one lot; what the rules are worth against a crowd is measured by the simulator.
use super::*;
use crate::{Hash, PeerKey, Rng, UnitIndex};
use alloc::{vec, vec::Vec};

const RIGHT: u32 = 0;
const LIE: u32 = 1;

fn roster(archs: &[u8]) -> Roster {
    let member = |(index, arch): (usize, &u8)| Member {
        circle: index as u32,
        key: PeerKey([index as u8; 32]),
        weight: 10,
        arch: *arch,
    };
    Roster::new(archs.iter().enumerate().map(member).collect())
}

fn seed(number: u64) -> Hash {
    Hash::of(&number.to_le_bytes())
}

/// Which member answers what of which unit.
type Says<'a> = &'a dyn Fn(MemberIndex, UnitIndex) -> u32;

/// Executes what is open, closes, and hears the checkers, in an order that `shuffle` draws.
fn pass(audit: &mut Audit<u32>, says: Says, number: u64, shuffle: &mut Rng) {
    let members = audit.roster().members().len() as u64;
    for unit in audit.unexecuted().collect::<Vec<_>>() {
        let from = u64::from(unit) * 7 + number;
        let mut turns = (0..members).map(|n| ((from + n) % members) as MemberIndex);
        let member = turns.find(|member| audit.may_take(*member)).unwrap();
        audit.executed(unit, Vouch { member, answer: says(member, unit) }).unwrap();
    }
    audit.close(seed(number)).unwrap();
    let mut checks: Vec<Check> = audit.unchecked().collect();
    while !checks.is_empty() {
        let at = shuffle.below(checks.len() as u64) as usize;
        let Check { unit, member } = checks.swap_remove(at);
        audit.checked(unit, Vouch { member, answer: says(member, unit) }).unwrap();
    }
}

/// A lot from its first unit to its end; the owner's own computation is right.
fn whole(units: u32, says: Says, shuffle: u64) -> (Audit<u32>, Settled) {
    let mut audit = Audit::new(Terms::new(1e-3), roster(&[0; 20]), units);
    let mut shuffle = Rng::new(shuffle);
    for number in 0..PASSES_MAX.into() {
        pass(&mut audit, says, number, &mut shuffle);
        for unit in audit.disputed().clone() {
            audit.rule(unit, Ruling::Answer(RIGHT, vec![0])).unwrap();
        }
        match audit.settle().unwrap() {
            Settled::Again(..) => {}
            end => return (audit, end),
        }
    }
    unreachable!("the last pass ends it");
}

#[test]
fn what_a_lot_comes_to_does_not_hang_on_the_order_in_which_it_is_heard() {
    // Three friends lie about a tenth of the units, another lies alone, one accuses.
    let says = |member: MemberIndex, unit: UnitIndex| match member {
        0..3 if unit.is_multiple_of(10) => LIE,
        3 if unit.is_multiple_of(3) => 100 + unit,
        4 if unit.is_multiple_of(5) => 200 + unit,
        _ => RIGHT,
    };
    let mut ends = (0..5).map(|shuffle| {
        let (audit, end) = whole(1_000, &says, shuffle);
        let convicted: Vec<MemberIndex> = audit.convicted().keys().copied().collect();
        let answers: Vec<u32> = (0..1_000).map(|unit| *audit.answer(unit).unwrap()).collect();
        (end, convicted, answers, audit.executions(), audit.level(), audit.pass())
    });
    let first = ends.next().unwrap();
    assert!(ends.all(|other| other == first));
    assert_eq!(first.1, [0, 1, 2, 3, 4], "who lies often is found, and nobody else");
    assert!(first.2.iter().all(|answer| *answer == RIGHT));
    assert!(matches!(first.0, Settled::Released(_, true)), "{:?}", first.0);
}

#[test]
fn a_quiet_lot_is_released_on_its_first_pass_and_a_single_lie_makes_it_climb() {
    let (quiet, end) = whole(1_000, &|_, _| RIGHT, 1);
    assert_eq!((quiet.pass(), end), (0, Settled::Released(0.0, true)));
    assert!(quiet.executions() < 2_000, "{}", quiet.executions());
    assert!(quiet.opened(0));

    let unit = quiet.vouches(0).len() as UnitIndex;
    let says = |member: MemberIndex, of: UnitIndex| match member {
        0..4 if of < 40 + unit => LIE,
        _ => RIGHT,
    };
    let (climbed, _) = whole(1_000, &says, 1);
    assert!(climbed.level() > quiet.level() && climbed.pass() > 0);
}

/// The first unit that has a checker, after executor and checker have answered unlike each other.
fn disputed(archs: &[u8], max_error: f64) -> (Audit<u32>, UnitIndex, MemberIndex, MemberIndex) {
    let mut audit = Audit::new(Terms::new(max_error), roster(archs), 100);
    let mut first = None;
    for unit in 0..100 {
        let member = unit % archs.len() as u32;
        audit.executed(unit, Vouch { member, answer: LIE }).unwrap();
    }
    audit.close(seed(1)).unwrap();
    for Check { unit, member } in audit.unchecked().collect::<Vec<_>>() {
        let executor = audit.vouches(unit)[0].member;
        let differ = archs[executor as usize] != archs[member as usize] || archs[0] == archs[1];
        let answer = if first.is_none() && differ { RIGHT } else { LIE };
        first = first.or((answer == RIGHT).then_some((unit, executor, member)));
        audit.checked(unit, Vouch { member, answer }).unwrap();
    }
    let (unit, executor, checker) = first.unwrap();
    assert_eq!(audit.disputed().iter().copied().collect::<Vec<_>>(), [unit]);
    (audit, unit, executor, checker)
}

#[test]
fn only_its_own_processors_or_two_convict() {
    let archs: Vec<u8> = (0..20).map(|member| member % 2).collect();
    // The owner has the checker's class alone: that the executor differs proves nothing yet.
    let (mut audit, unit, executor, checker) = disputed(&archs, 1e-3);
    let classes = vec![archs[checker as usize]];
    audit.rule(unit, Ruling::Answer(RIGHT, classes)).unwrap();
    assert!(audit.convicted().is_empty());
    audit.settle().unwrap();
    let vouches = |of| audit.vouches(of).iter().any(|vouch| vouch.member == executor);
    assert!((0..100).all(|of| !vouches(of)) && !audit.may_take(executor), "in doubt");

    let (mut audit, unit, executor, _) = disputed(&archs, 1e-3);
    audit.rule(unit, Ruling::Answer(RIGHT, vec![0, 1])).unwrap();
    assert_eq!(audit.convicted().get(&executor), Some(&Proof::Wrong(unit)));

    let (mut audit, unit, ..) = disputed(&archs, 1e-3);
    audit.rule(unit, Ruling::Split).unwrap();
    assert_eq!(audit.settle(), Ok(Settled::Quarantined));
    assert!(audit.convicted().is_empty(), "the module is at fault, and nobody who ran it");
}

#[test]
fn what_the_convicted_vouched_for_is_open_again() {
    let (mut audit, unit, executor, _) = disputed(&[0; 20], 0.1);
    let theirs: Vec<UnitIndex> = (0..100)
        .filter(|other| *other != unit && audit.vouches(*other)[0].member == executor)
        .collect();
    audit.rule(unit, Ruling::Answer(RIGHT, vec![0])).unwrap();
    assert!(matches!(audit.settle(), Ok(Settled::Again(..))));
    let open: Vec<UnitIndex> = audit.unexecuted().collect();
    let unchecked: Vec<&UnitIndex> = theirs.iter().filter(|other| open.contains(other)).collect();
    assert!(!unchecked.is_empty(), "those that nobody else vouches for");
    let vouches = |other| audit.vouches(other).iter().any(|vouch| vouch.member == executor);
    assert!((0..100).all(|other| !vouches(other)) && !audit.may_take(executor));

    for unit in open {
        let member = (executor + 1 + unit) % 20;
        let member = if member == executor { (member + 1) % 20 } else { member };
        audit.executed(unit, Vouch { member, answer: LIE }).unwrap();
    }
    audit.close(seed(2)).unwrap();
    for Check { unit, member } in audit.unchecked().collect::<Vec<_>>() {
        audit.checked(unit, Vouch { member, answer: LIE }).unwrap();
    }
    assert!(theirs.iter().all(|other| audit.vouches(*other).len() >= 2), "one is not enough now");
}

#[test]
fn who_is_silent_is_replaced_by_the_next_of_the_draw() {
    let mut audit = Audit::new(Terms::new(1e-3), roster(&[0; 5]), 50);
    for unit in 0..50 {
        audit.executed(unit, Vouch { member: unit % 5, answer: RIGHT }).unwrap();
    }
    audit.close(seed(3)).unwrap();
    let first = audit.unchecked().next().unwrap();
    let mut asked = vec![first.member];
    while let Some(next) = audit.silent(first.unit, asked[asked.len() - 1]).unwrap() {
        assert_eq!(next.unit, first.unit);
        assert!(!asked.contains(&next.member), "nobody is asked twice");
        asked.push(next.member);
    }
    assert!(!asked.contains(&audit.vouches(first.unit)[0].member), "nor whoever executed it");
    assert!(asked.len() >= 2);
}

#[test]
fn an_outsider_has_the_owner_look_and_convicts_nobody_by_its_word() {
    let mut audit = Audit::new(Terms::new(1e-3), roster(&[0; 5]), 50);
    for unit in 0..50 {
        audit.executed(unit, Vouch { member: unit % 5, answer: RIGHT }).unwrap();
    }
    assert_eq!(audit.doubted(3, &LIE), Err(Refused::Phase), "nothing is public yet");
    audit.close(seed(3)).unwrap();
    audit.doubted(2, &RIGHT).unwrap();
    audit.doubted(3, &LIE).unwrap();
    assert_eq!(audit.disputed().len(), 1);
    assert_eq!(audit.rule(3, Ruling::Split), Err(Refused::Unfinished), "checks are to come");
    for Check { unit, member } in audit.unchecked().collect::<Vec<_>>() {
        audit.checked(unit, Vouch { member, answer: RIGHT }).unwrap();
    }
    audit.rule(3, Ruling::Answer(RIGHT, vec![0])).unwrap();
    assert!(audit.convicted().is_empty());
    assert_eq!(audit.doubted(99, &LIE), Err(Refused::NoSuchUnit));
}

#[test]
fn what_comes_at_the_wrong_time_or_from_the_wrong_one_is_refused() {
    let mut audit = Audit::new(Terms::new(1e-3), roster(&[0; 4]), 8);
    let vouch = |member| Vouch { member, answer: RIGHT };
    assert_eq!(audit.close(seed(0)), Err(Refused::Unfinished), "before all is computed");
    assert_eq!(audit.settle(), Err(Refused::Unfinished));
    assert_eq!(audit.executed(8, vouch(0)), Err(Refused::NoSuchUnit));
    assert_eq!(audit.executed(0, vouch(4)), Err(Refused::Taken), "no such member");
    for unit in 0..4 {
        audit.executed(unit, vouch(0)).unwrap();
    }
    assert_eq!(audit.executed(4, vouch(0)), Err(Refused::Taken), "twice its share is the most");
    assert_eq!(audit.executed(0, vouch(1)), Err(Refused::Taken), "it has its executor");
    for unit in 4..8 {
        audit.executed(unit, vouch(1)).unwrap();
    }
    assert_eq!(audit.checked(0, vouch(2)), Err(Refused::Phase));
    audit.close(seed(0)).unwrap();
    assert_eq!(audit.close(seed(1)), Err(Refused::Phase), "twice");
    assert_eq!(audit.checked(0, vouch(0)), Err(Refused::NotDrawn), "its own unit");
    assert_eq!(audit.settle(), Err(Refused::Unfinished));
    assert!(!audit.opened(0), "nothing can be copied");
    for Check { unit, member } in audit.unchecked().collect::<Vec<_>>() {
        audit.checked(unit, vouch(member)).unwrap();
    }
    assert_eq!(audit.rule(0, Ruling::Split), Err(Refused::NoDispute));
}
