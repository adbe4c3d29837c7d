//! Votes of which the owner computes a share again: colluders who win units are found, and win nothing.
use crate::audited::{attackers, evidence, replay};
use coordinator_free_scheduler::{JobState, Verdict};
use std::time::Duration;
use tests::{Scenario, World, scenario::Kind, truth};

const UNITS: u32 = 600;

/// Peers that lie together, the last ones of them.
const LIARS: usize = 5;
const PEERS: usize = 12;

/// Each liar lies about all units, so that many are won, and some of these drawn whatever the seed.
fn rechecked(seed: u64) -> Scenario {
    Scenario {
        peers: PEERS,
        units: UNITS,
        lot_units: 200,
        recheck_percent: 10,
        check_every: 97,
        attacker: attackers(Kind::Colluder, 0.4, 1.0),
        seed,
        ..Scenario::default()
    }
}

/// Units whose verdict on the owner's node is not the right answer.
fn wrong(world: &World) -> usize {
    let (node, id) = (world.node(0).expect("the owner"), world.jobs[0]);
    let verdicts = node.job(id).expect("its job").verdicts(0..UNITS);
    let right = |(unit, verdict): (u32, &Verdict)| match verdict {
        Verdict::Verified { answer, .. } => {
            answer.outcome == truth::right(id, unit, answer.fuel).outcome
        }
        Verdict::Open | Verdict::Failed(_) => false,
    };
    (0..).zip(&verdicts).filter(|one| !right(*one)).count()
}

/// Asserts what holds when the owner has caught all who lied together: nothing wrong is left, the innocent
/// stand as if nothing had been, and the certificate says the same.
fn assert_caught(world: &World, context: &str) {
    let owner = world.node(0).expect("the owner");
    let view = owner.job(world.jobs[0]).and_then(|job| job.recheck()).expect("of its own");
    assert!((2..=LIARS as u32).contains(&view.lost), "{context}: {view:?}");
    assert_eq!((view.share, view.waiting), (100, 0), "{context}");
    assert_eq!(world.same_verdicts_everywhere(), Ok(()), "{context}");
    assert_eq!(wrong(world), 0, "{context}");
    // For a while, as long as liars had won, the innocent were taken for wrong.
    let broken = world.violations.iter().find(|what| !what.contains("honest peer"));
    assert_eq!(broken, None, "{context}");
    for (by, node) in world.honest_nodes() {
        for peer in 0..PEERS - LIARS {
            let record = node.ledger().record(truth::key(peer));
            assert!(record.wrong == 0 && !record.barred(), "{context}: {peer} on {by}: {record:?}");
        }
    }
    let (manifest, batches) = evidence(world);
    let replay = replay(&manifest, &batches);
    assert_eq!(replay.verdicts(), owner.job(world.jobs[0]).expect("it").verdicts(0..UNITS));
}

#[test]
fn colluders_who_win_units_are_found_and_what_rests_on_them_is_computed_again() {
    let mut won = 0;
    for seed in 1..=4 {
        let mut world = World::new(rechecked(seed));
        let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
        won += report.wrong_accepted;
        let liars = (report.liars, report.liars_convicted);
        assert_eq!((report.accepted, liars), (UNITS.into(), (LIARS, LIARS)), "seed {seed}");
        assert_caught(&world, &format!("seed {seed}"));
    }
    assert!(won > 0, "colluders were expected to win some at first");
}

#[test]
fn who_is_honest_costs_no_more_than_the_share() {
    let quiet = Scenario { attacker: Vec::new(), ..rechecked(1) };
    let (world, report) = crate::run_to_the_last_unit(quiet);
    let plain = Scenario { attacker: Vec::new(), recheck_percent: 0, ..rechecked(1) };
    let (_, plain) = crate::run_to_the_last_unit(plain);
    let again = report.executions - plain.executions.min(report.executions);
    assert!((30..=120).contains(&again), "{again} of {UNITS} units were computed again");
    let view = world.node(0).and_then(|node| node.job(world.jobs[0])?.recheck()).expect("its own");
    assert_eq!((view.share, view.lost), (10, 0));
}

/// The owner is killed over and over: what it said holds, what it had drawn is drawn again.
#[test]
fn an_owner_that_is_killed_finds_them_all_the_same() {
    for seed in 1..=2 {
        let mut world = World::new(rechecked(seed));
        crate::kill_the_owner_often(&mut world);
        let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
        assert_eq!(report.accepted, u64::from(UNITS), "seed {seed}: {report:?}");
        assert_caught(&world, &format!("seed {seed}"));
        // A start after the end draws the same, and finds all of it done.
        let before = world.count.executions;
        world.kill(0);
        world.start(0);
        world.run_for(Duration::from_secs(10));
        let status = world.node(0).and_then(|node| node.status(world.jobs[0]));
        assert_eq!(status.map(|status| status.state), Some(JobState::Done), "seed {seed}");
        assert_eq!(world.count.executions, before, "seed {seed}: nothing is left to compute");
    }
}
