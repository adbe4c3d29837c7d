//! A module that comes to other things on other processors, seen by an owner that has a machine of each: the
//! job ends, and nobody is blamed. Who says to have other processors than it has hides behind them no more.
use crate::{
    audited::{attackers, audited, evidence, mixed, replay},
    machines::steps,
    run, run_to_the_last_unit,
};
use coordinator_free_scheduler::{
    AuditStage, AuditStep, FailReason, Flaw, JobState, Reproducer, Rng, SignedBatch, Statement,
    Verdict, wire,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tests::{
    Scenario, World,
    scenario::{Audit, Kind},
};

/// The owner's other machine.
const OTHER: usize = 5;

/// Peers whose word the owner takes no more, and whether it is proved.
fn lost(world: &World) -> BTreeSet<(usize, bool)> {
    let number = |key| world.peers.iter().position(|peer| peer.key == key).expect("a peer");
    let of = |step| match step {
        AuditStep::Lost { peer, convicted } => Some((number(peer), convicted)),
        _ => None,
    };
    steps(world).into_iter().filter_map(of).collect()
}

/// Why the module is at fault, as all honest nodes tell it.
fn quarantined(world: &World) -> Reproducer {
    let job = world.jobs[0];
    let told = world.honest_nodes().filter_map(|(_, node)| node.job(job)?.quarantined());
    let mut told: Vec<&Reproducer> = told.collect();
    let states = world.honest_nodes().map(|(_, node)| node.status(job).map(|status| status.state));
    assert!(states.into_iter().all(|state| state == Some(JobState::Failed)));
    let first = told.pop().expect("somebody tells").clone();
    assert!(told.iter().all(|other| **other == first));
    first
}

#[test]
fn a_module_that_is_not_exact_ends_its_job_and_nobody_is_blamed() {
    for (seed, splits) in [(1, 0.3), (2, 0.02), (3, 0.01)] {
        let kin = vec![0, OTHER];
        let audit = Audit { other_arch: vec![3, OTHER, 7], kin, splits, ..Audit::default() };
        let (world, report) = run(Scenario { audit: Some(audit), ..audited(seed) });
        assert_eq!(report.accepted, 0, "seed {seed}: {report:?}");
        assert_eq!(lost(&world), BTreeSet::new(), "seed {seed}");
        let found = quarantined(&world);
        assert_eq!(
            (found.own.peer, found.other.peer),
            (world.peers[0].key, world.peers[OTHER].key)
        );
        assert!(found.own.answer != found.other.answer && found.own.arch != found.other.arch);
        let owner = world.node(0).and_then(|node| node.job(world.jobs[0])).expect("its job");
        assert_eq!(owner.audit().map(|view| view.stage), Some(AuditStage::Quarantined));
        let failed = Verdict::Failed(FailReason::Quarantined);
        assert!(owner.verdicts(0..600).iter().all(|verdict| *verdict == failed), "seed {seed}");
        assert_replayed(&world, &found);
    }
}

/// Whoever holds what was said comes to the same in any order, and sees it where it was not so.
fn assert_replayed(world: &World, found: &Reproducer) {
    let (manifest, batches) = evidence(world);
    let said = Some(Ok((found.own.peer, found.clone())));
    assert_eq!(replay(&manifest, &batches).quarantined(), said);
    for seed in 1..=3 {
        let mixed = replay(&manifest, &mixed(&batches, &mut Rng::new(seed)));
        assert_eq!(mixed.quarantined(), said);
        assert!(mixed.verdicts() == replay(&manifest, &batches).verdicts());
    }
    let forged = |change: &dyn Fn(&mut Statement)| {
        let mut tips = BTreeMap::new();
        let forge = |signed: &SignedBatch| {
            let mut batch = signed.open().expect("a batch");
            let log = (batch.lot, batch.author, batch.place.incarnation);
            batch.previous = tips.get(&log).copied().unwrap_or_default();
            batch.statements.iter_mut().for_each(change);
            let forged = SignedBatch::new(wire::encode(&batch).into(), signed.signature());
            tips.insert(log, forged.hash());
            forged
        };
        let all: Vec<SignedBatch> = batches.iter().map(forge).collect();
        replay(&manifest, &all).quarantined()
    };
    assert_eq!(forged(&|_| {}), said);
    let flaw = Some(Err(Flaw::Witness(found.own.unit)));
    let of_nobody = |statement: &mut Statement| {
        if let Statement::Host(host) = statement {
            host.link = None;
        }
    };
    assert_eq!(forged(&of_nobody), flaw, "whose machine it is must be told");
    let otherwise = |statement: &mut Statement| {
        let Statement::Audit { steps, .. } = statement else { return };
        for step in steps {
            if let AuditStep::Quarantined(found) = step {
                found.other.answer.fuel += 1;
            }
        }
    };
    assert_eq!(forged(&otherwise), flaw, "it must be what was committed to");
}

#[test]
fn who_claims_the_other_class_and_lies_is_convicted_by_a_machine_of_that_class() {
    for (seed, rate) in [(1, 0.5), (2, 0.05), (3, 0.03)] {
        for (kin, convicted) in [(vec![0, OTHER], true), (vec![OTHER], false), (vec![], false)] {
            let said = format!("seed {seed}, kin {kin:?}");
            let audit = Audit { other_arch: vec![OTHER, 11], kin, ..Audit::default() };
            let attacker = attackers(Kind::Naive, 0.09, rate);
            let scenario = Scenario { audit: Some(audit), attacker, ..audited(seed) };
            let (world, _) = run_to_the_last_unit(scenario);
            assert_eq!(lost(&world), BTreeSet::from([(11, convicted)]), "{said}");
            let (manifest, batches) = evidence(&world);
            let audited = replay(&manifest, &batches).audit().expect("an audited job");
            let audited = audited.unwrap_or_else(|flaw| panic!("{said}: {flaw}"));
            assert_eq!(audited.lost, 1, "{said}");
        }
    }
}

/// A third of a large crowd says to be of the other class, and one of them lies.
#[test]
fn the_others_of_a_mixed_crowd_are_heard_as_any() {
    let kin = vec![0, OTHER];
    let audit = Audit { arch_mix: 0.3, other_arch: vec![OTHER, 11], kin, ..Audit::default() };
    let attacker = attackers(Kind::Naive, 0.09, 0.05);
    let (world, _) = run_to_the_last_unit(Scenario { audit: Some(audit), attacker, ..audited(4) });
    assert_eq!(lost(&world), BTreeSet::from([(11, true)]));
    let (manifest, batches) = evidence(&world);
    let audited = replay(&manifest, &batches).audit().expect("an audited job").expect("whole");
    assert_eq!(audited.arches, 2);
}

/// The owner's other machine is gone when it is wanted: who differs is out, and not to blame.
#[test]
fn a_machine_that_does_not_answer_is_not_waited_for_forever() {
    let audit = Audit { other_arch: vec![OTHER, 11], kin: vec![0, OTHER], ..Audit::default() };
    let attacker = attackers(Kind::Naive, 0.09, 0.05);
    let scenario = Scenario { audit: Some(audit), attacker, check_every: 97, ..audited(2) };
    let mut world = World::new(scenario);
    world.run_for(Duration::from_secs(15));
    world.kill(OTHER);
    let report = world.run().unwrap_or_else(|open| panic!("{open}"));
    assert_eq!((report.accepted, report.wrong_accepted), (600, 0), "{report:?}");
    assert_eq!(lost(&world), BTreeSet::from([(11, false)]));
}
