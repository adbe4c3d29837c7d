//! What the owner of an audited job knows of its units, and nobody else does: which matter most, and what
//! comes of some.
use crate::{
    audited::{attackers, audited, evidence, replay},
    machines::steps,
    run_to_the_last_unit,
};
use coordinator_free_scheduler::{AuditStep, AuditView, Profile};
use std::collections::{BTreeMap, BTreeSet};
use tests::{
    Scenario, World,
    scenario::{Audit, Kind},
};

fn view(world: &World) -> AuditView {
    let job = world.node(0).and_then(|node| node.job(world.jobs[0]));
    job.and_then(|job| job.audit()).expect("an audited job")
}

#[test]
fn units_that_matter_have_their_checkers_whatever_the_bound_asks_for() {
    let audit = Audit { least: (80, 3), max_error: 1e-1, ..Audit::default() };
    let (world, _) = run_to_the_last_unit(Scenario { audit: Some(audit), ..audited(1) });
    let (mut vouched, mut own) = (BTreeMap::<u32, usize>::new(), BTreeSet::new());
    for step in steps(&world) {
        match step {
            AuditStep::Counted(checks) | AuditStep::Checked(checks) => {
                checks.iter().for_each(|check| *vouched.entry(check.unit).or_default() += 1);
            }
            AuditStep::Own(units) | AuditStep::Ruled(units) => own.extend(units),
            _ => {}
        }
    }
    vouched.retain(|unit, _| !own.contains(unit));
    let (dear, usual): (Vec<_>, Vec<_>) = vouched.into_iter().partition(|(unit, _)| *unit < 80);
    assert!(dear.len() > 20 && dear.iter().all(|(_, vouchers)| *vouchers >= 4), "{dear:?}");
    let checks: usize = usual.iter().map(|(_, vouchers)| vouchers - 1).sum();
    assert!(checks * 2 < usual.len(), "{checks} checks of {} usual units", usual.len());
    let (manifest, batches) = evidence(&world);
    let Profile::Audited(_) = manifest.open().expect("a manifest").profile else { panic!() };
    replay(&manifest, &batches).audit().expect("an audited job").expect("a whole one");
}

/// A lie about one unit in fifty is found where the owner knows the outputs; what it has wrong itself
/// costs it a computation, and nobody anything else.
#[test]
fn a_ringer_catches_who_lies_about_it_and_blames_nobody_for_the_owners_mistake() {
    let (mut without, mut with) = (0, 0);
    for seed in 1..=3 {
        let attacker = attackers(Kind::Colluder, 0.25, 0.02);
        let lost = |ringers| {
            let audit = Audit { ringers, max_error: 1e-1, ..Audit::default() };
            let scenario =
                Scenario { audit: Some(audit), attacker: attacker.clone(), ..audited(seed) };
            let mut world = World::new(scenario);
            let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
            assert_eq!(world.violations, Vec::<String>::new(), "seed {seed}");
            assert!(ringers == 0 || report.wrong_accepted == 0, "seed {seed}: {report:?}");
            view(&world).lost
        };
        (without, with) = (without + lost(0), with + lost(600));
    }
    assert!(without < with, "{without} liars are found without ringers, {with} with");

    let audit = Audit { ringers: 40, ringers_off: 3, ..Audit::default() };
    let (world, _) = run_to_the_last_unit(Scenario { audit: Some(audit), ..audited(1) });
    let view = view(&world);
    assert_eq!((view.ringers, view.lost), ((40, 3), 0), "{view:?}");
}
