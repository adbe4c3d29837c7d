//! The mind in virtual time: what must hold of every grid, whatever befalls it.
//!
//! Every run ends only when all honest nodes hold the same statements and have decided every unit;
//! then no honest node may have believed a wrong answer, blamed an honest peer or contradicted
//! itself, and all must have come to the same verdicts. Invariants are checked on the way.
mod admission;
mod audited;
mod audits;
mod care;
mod checked;
mod claims;
mod delegates;
mod explain;
mod jobs;
mod levels;
mod machines;
mod mischief;
mod newcomers;
mod nodes;
mod quarantine;
mod rechecked;
mod scenarios;
mod strikes;
mod troubles;
mod two_faced;
mod voters;

use coordinator_free_scheduler::{Node, RETIRE_MS, UNDONE_LOTS_MAX};
use std::time::Duration;
use tests::{Report, Scenario, World};

/// One in so many inputs is followed by a check of the node's invariants.
const CHECK_EVERY: u64 = 97;

/// Runs a scenario to its end and asserts what holds of every grid; the seed is in every failure.
fn run(mut scenario: Scenario) -> (World, Report) {
    let seed = scenario.seed;
    if scenario.check_every == 0 {
        scenario.check_every = CHECK_EVERY;
    }
    let mut world = World::new(scenario);
    let report = world.run().unwrap_or_else(|open| {
        panic!("seed {seed}: {open}\nfirst violation: {:?}", world.violations.first())
    });
    world.verify().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    assert_eq!(report.wrong_accepted, 0, "seed {seed}: {report:?}");
    (world, report)
}

/// The same, where every unit can be verified.
fn run_to_the_last_unit(scenario: Scenario) -> (World, Report) {
    let (seed, units) = (scenario.seed, u64::from(scenario.units) * scenario.jobs as u64);
    let (world, report) = run(scenario);
    assert_eq!(report.accepted, units, "seed {seed}: {report:?}");
    (world, report)
}

/// Kills the first peer six times, and starts it again each time.
fn kill_the_owner_often(world: &mut World) {
    for _ in 0..6 {
        world.run_for(Duration::from_secs(9));
        world.kill(0);
        world.run_for(Duration::from_secs(4));
        world.start(0);
    }
}

#[test]
fn honest_nodes_verify_everything_with_any_quorum() {
    for quorum in 1..=4 {
        let scenario = Scenario { units: 200, profile: quorum, peers: 6, ..Scenario::default() };
        let (_, report) = run_to_the_last_unit(scenario);
        assert!(report.executions >= u64::from(quorum) * 200, "{report:?}");
    }
}

#[test]
fn same_seed_is_the_same_run_and_another_is_another() {
    let scenario = |seed| Scenario { peers: 12, units: 150, seed, ..Scenario::default() };
    let report = |seed| run(scenario(seed)).1;
    assert_eq!(report(5), report(5));
    assert_ne!(report(5), report(6));
}

#[test]
fn several_jobs_and_lots_run_side_by_side() {
    let scenario =
        Scenario { peers: 10, units: 300, lot_units: 64, jobs: 3, ..Scenario::default() };
    run_to_the_last_unit(scenario);
}

/// Nodes move through a job's lots: each holds few at a time, lets go of what is decided, and those
/// who were in the same one agree.
#[test]
fn nodes_hold_the_lots_they_work_in_and_no_others() {
    let scenario = Scenario { peers: 12, units: 600, lot_units: 50, ..Scenario::default() };
    let mut world = World::new(Scenario { check_every: 50, ..scenario });
    let mut most = 0;
    let report = world.run_to_verdicts(|world| {
        let held = world.honest_nodes().skip(1).map(|(_, node)| undone_lots(node));
        most = most.max(held.max().unwrap_or_default());
    });
    assert_eq!(report.expect("an end").accepted, 600);
    assert!((1..=UNDONE_LOTS_MAX).contains(&most), "{most} undone lots at once");
    world.run_for(Duration::from_secs(20));
    world.verify().expect("one truth");
    let credit = |world: &World| {
        let all = world.honest_nodes().map(|(_, node)| node.ledger().records().collect::<Vec<_>>());
        all.collect::<Vec<_>>()
    };
    let before = credit(&world);
    world.run_for(Duration::from_millis(2 * RETIRE_MS));
    let held = world.honest_nodes().map(|(_, node)| node.digests().len());
    assert_eq!(held.collect::<Vec<_>>(), [vec![12], vec![0; 11]].concat());
    assert_eq!(credit(&world), before, "what is let go of still counts");
    assert_eq!(world.violations, Vec::<String>::new());
}

fn undone_lots(node: &Node) -> usize {
    let lots = node.jobs().into_iter().flat_map(|job| job.lots.values());
    lots.filter(|lot| lot.is_undone()).count()
}

/// A submitter may be away while its job is done: what came of it is kept until it is back.
#[test]
fn nothing_is_done_again_for_a_submitter_who_was_away() {
    let scenario = Scenario { peers: 12, units: 600, lot_units: 50, ..Scenario::default() };
    let mut world = World::new(Scenario { check_every: 50, ..scenario });
    world.run_for(Duration::from_secs(10));
    let begun = world.progress().0;
    assert!(begun < 300, "{begun} units are decided before it leaves");
    world.kill(0);
    world.run_for(Duration::from_millis(600_000 + 2 * RETIRE_MS));
    let before = world.count.executions;
    world.start(0);
    let report = world.run_to_verdicts(|_| {}).expect("an end");
    assert_eq!(report.accepted, 600);
    // It may begin one unit before it has heard that it is done.
    let again = report.executions - before;
    assert!(again <= 1, "{again} units are run again");
    let held = world.honest_nodes().skip(1).map(|(_, node)| node.digests().len()).max();
    assert!(held <= Some(12), "{held:?} lots are kept for it");
    assert_eq!(world.violations, Vec::<String>::new());
}

#[test]
fn cancelled_job_ends_everywhere_and_only_its_owner_can_end_it() {
    let mut world = World::new(Scenario { peers: 8, units: 5_000, ..Scenario::default() });
    world.run_for(Duration::from_secs(20));
    let job = world.jobs[0];
    assert!(world.cancel(3, job).is_err(), "peer 3 does not own it");
    world.cancel(0, job).expect("its owner ends it");
    let report = world.run().expect("an end");
    assert!(report.accepted < 5_000, "{report:?}");
    let states = world.honest_nodes().map(|(_, node)| node.status(job).map(|job| job.state));
    let cancelled = Some(coordinator_free_scheduler::JobState::Cancelled);
    assert!(states.into_iter().all(|state| state == cancelled));
}
