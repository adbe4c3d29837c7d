//! Who counts in a vote: of all machines of one donor one, whoever they are and in whatever order it is told;
//! and of those with another class of processors nobody is blamed for what its own owner cannot judge.
use crate::{
    audited::{attackers, evidence, mixed, replay},
    machines::steps,
    run_to_the_last_unit,
};
use coordinator_free_scheduler::{AuditStep, Rng, Verdict};
use std::collections::BTreeSet;
use tests::{
    Scenario, World,
    scenario::{Churn, Kind},
};

const UNITS: u32 = 200;

/// Four machines of one donor among eight peers, two of which are the last.
fn linked(seed: u64) -> Scenario {
    let kin = vec![2, 3, 6, 7];
    Scenario { peers: 8, units: UNITS, lot_units: 100, kin, seed, ..Scenario::default() }
}

/// Asserts that each verdict has two voters at least, a donor's machines being one of them; and that all who
/// hold what was said come to the same in any order.
fn assert_two_voters(world: &World, context: &str) {
    let (manifest, batches) = evidence(world);
    let whole = replay(&manifest, &batches).verdicts();
    let kin: BTreeSet<_> = world.scenario.kin.iter().map(|peer| world.peers[*peer].key).collect();
    for (unit, verdict) in whole.iter().enumerate() {
        let Verdict::Verified { vouchers, .. } = verdict else { panic!("{context}: unit {unit}") };
        let others = vouchers.iter().filter(|peer| !kin.contains(peer)).count();
        let voters = others + usize::from(others < vouchers.len());
        assert!(voters >= 2, "{context}: unit {unit} has {voters} voters");
    }
    for seed in 1..=3 {
        let again = replay(&manifest, &mixed(&batches, &mut Rng::new(seed))).verdicts();
        assert!(again == whole, "{context}: logs mixed by {seed}");
    }
}

/// Two machines of one donor lie together: alone they win no unit, where two strangers would win many.
#[test]
fn machines_of_one_donor_win_no_vote_by_themselves() {
    for seed in 1..=3 {
        let attacker = attackers(Kind::Colluder, 0.25, 1.0);
        let (world, _) = run_to_the_last_unit(Scenario { attacker, ..linked(seed) });
        assert_two_voters(&world, &format!("seed {seed}"));
    }
    let attacker = attackers(Kind::Colluder, 0.25, 1.0);
    let strangers = Scenario { kin: Vec::new(), attacker, ..linked(1) };
    let won = World::new(strangers).run().expect("an end").wrong_accepted;
    assert!(won > 0, "strangers were expected to win some");
}

/// Many of the peers are one donor's, and all come and go: work is done twice for it now and then, and ends.
#[test]
fn a_donor_with_many_machines_holds_up_nobody() {
    // Of a few voters those who are left may have crossed their answers, and wait for others.
    for (seed, profile, peers) in [(1, 2, 8), (2, 3, 12), (3, 2, 8)] {
        let churn = Some(Churn {
            mean_session_s: 60.0,
            mean_absence_s: 20.0,
            until_s: Some(200),
            ..Churn::default()
        });
        let quiet = Scenario { profile, peers, ..linked(seed) };
        let (world, report) = run_to_the_last_unit(quiet.clone());
        assert_two_voters(&world, &format!("seed {seed}"));
        let most = u64::from(profile) * u64::from(UNITS) * 11 / 10;
        assert!(report.executions <= most, "seed {seed}: {report:?}");
        let (world, _) = run_to_the_last_unit(Scenario { churn, ..quiet });
        assert_two_voters(&world, &format!("seed {seed}, coming and going"));
    }
}

/// An owner that computes units again, on a class of its own: the others are out, and not to blame.
#[test]
fn an_owner_that_looks_again_blames_its_own_class_alone() {
    let lying = attackers(Kind::Colluder, 0.25, 1.0);
    for (other_arch, attacker, blamed) in [(vec![6, 7], vec![], false), (vec![], lying, true)] {
        let (kin, check_every) = (Vec::new(), 97);
        let scenario = Scenario { recheck_percent: 10, kin, other_arch, check_every, ..linked(1) };
        let scenario = Scenario { attacker, ..scenario };
        let mut world = World::new(scenario);
        let report = world.run().expect("an end");
        assert_eq!(report.accepted, u64::from(UNITS), "{report:?}");
        let lost: BTreeSet<_> = steps(&world)
            .into_iter()
            .filter_map(|step| match step {
                AuditStep::Lost { peer, convicted } => Some((peer, convicted)),
                _ => None,
            })
            .collect();
        let both = [6, 7].map(|peer| world.peers[peer].key);
        assert_eq!(lost, BTreeSet::from(both.map(|peer| (peer, blamed))));
        let owner = world.node(0).expect("the owner");
        for peer in both {
            assert_eq!(owner.ledger().record(peer).wrong > 0, blamed, "{peer}");
        }
    }
}
