//! Audited jobs whose owner goes away: a delegate decides in its stead, and what it comes to is as good.
use crate::audited::{attackers, audited, evidence, replay};
use coordinator_free_scheduler::{AuditStep, JobState, PeerKey, Statement};
use std::time::Duration;
use tests::{
    Report, Scenario, World,
    scenario::{Audit, Freeze, Kind},
};

/// Silence after which the first delegate steps in.
const AFTER_S: u16 = 30;

fn delegated(seed: u64, delegates: &[usize]) -> Scenario {
    let delegates = delegates.to_vec();
    let audit = Some(Audit { delegates, delegate_after_s: AFTER_S, ..Audit::default() });
    let attacker = attackers(Kind::Colluder, 0.25, 0.05);
    Scenario { audit, attacker, check_every: 97, limit_s: 4_000, ..audited(seed) }
}

fn state(world: &World, peer: usize) -> Option<JobState> {
    let node = world.node(peer)?;
    node.status(world.jobs[0]).map(|job| job.state)
}

/// Runs to the end, where all must agree and nothing may be wrong.
fn end(world: &mut World) -> Report {
    let seed = world.scenario.seed;
    let report = world.run().unwrap_or_else(|open| {
        panic!("seed {seed}: {open}\nfirst violation: {:?}", world.violations.first())
    });
    world.verify().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    assert_eq!((report.accepted, report.wrong_accepted), (600, 0), "seed {seed}: {report:?}");
    report
}

/// Who began to decide in the owner's stead, by what was said.
fn began(world: &World) -> Vec<PeerKey> {
    let (_, batches) = evidence(world);
    let batches = batches.iter().map(|signed| signed.open().expect("a batch"));
    let begins = |step: &AuditStep| matches!(step, AuditStep::Began { .. });
    let says = |one: &Statement| match one {
        Statement::Audit { steps, .. } => steps.iter().any(begins),
        _ => false,
    };
    let by = batches.filter(|batch| batch.statements.iter().any(says)).map(|batch| batch.author);
    let mut by: Vec<PeerKey> = by.collect();
    by.sort_unstable();
    by.dedup();
    by
}

fn keys(world: &World, peers: &[usize]) -> Vec<PeerKey> {
    let mut keys: Vec<PeerKey> = peers.iter().map(|peer| world.peers[*peer].key).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_delegate_ends_what_its_owner_left_at_any_time() {
    for (seed, after_ms) in [(1, 1_500), (2, 20_000), (3, 60_000)] {
        let mut world = World::new(delegated(seed, &[3]));
        world.run_for(Duration::from_millis(after_ms));
        world.kill(0);
        world.run_for(Duration::from_secs(900));
        assert_eq!(state(&world, 3), Some(JobState::Done), "seed {seed}");
        assert_eq!(state(&world, 5), Some(JobState::Done), "seed {seed}: others hear of it");
        world.start(0);
        end(&mut world);
        assert_eq!(began(&world), keys(&world, &[3]), "seed {seed}");
        let (manifest, batches) = evidence(&world);
        let audited = replay(&manifest, &batches).audit().expect("an audited job");
        let audited = audited.unwrap_or_else(|flaw| panic!("seed {seed}: {flaw}"));
        assert_eq!(audited.signer, world.peers[3].key);
        assert!(audited.estimated_wrong <= audited.allowed_wrong, "seed {seed}: {audited:?}");
    }
}

/// The first delegate is not there either, and the second is killed while it decides.
#[test]
fn another_delegate_steps_in_and_goes_on_after_a_restart() {
    let mut world = World::new(delegated(4, &[2, 3]));
    world.run_for(Duration::from_millis(1_500));
    world.kill(0);
    world.kill(2);
    for step in 1..=12 {
        world.run_for(Duration::from_secs(2 * u64::from(AFTER_S) + step));
        world.kill(3);
        world.start(3);
    }
    world.run_for(Duration::from_secs(900));
    assert_eq!(state(&world, 3), Some(JobState::Done));
    world.start(0);
    world.start(2);
    end(&mut world);
    assert_eq!(began(&world), keys(&world, &[3]));
}

/// An owner that was only slow comes back when a delegate decides already: both did, and agree.
#[test]
fn two_signers_at_a_time_cost_work_and_nothing_else() {
    // One wrong unit in a thousand is allowed; with these seeds there is none.
    for seed in 6..=8 {
        let frozen = [(0, 8, 50), (0, 90, 45), (3, 60, 70)];
        let freeze = frozen.map(|(peer, at_s, for_s)| Freeze { peer, at_s, for_s }).to_vec();
        let mut world = World::new(Scenario { freeze, ..delegated(seed, &[3]) });
        let report = end(&mut world);
        assert_eq!(began(&world), keys(&world, &[3]), "seed {seed}");
        assert!(report.redundancy < 7.0, "seed {seed}: {report:?}");
        let (manifest, batches) = evidence(&world);
        let audited = replay(&manifest, &batches).audit().expect("an audited job");
        assert!(audited.is_ok(), "seed {seed}: {audited:?}");
    }
}

#[test]
fn no_delegate_steps_in_while_the_owner_lives() {
    let mut world = World::new(delegated(8, &[3, 4]));
    end(&mut world);
    assert_eq!(began(&world), keys(&world, &[]));
}
