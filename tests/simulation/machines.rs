//! What the owner of an audited job makes of the machines of its peers: a module that is not exact is
//! nobody's fault, and a donor has one voice however many machines it has.
use crate::{
    audited::{attackers, audited, evidence, replay},
    run_to_the_last_unit,
};
use coordinator_free_scheduler::{AuditStep, Statement, verify::audited::Member};
use std::collections::{BTreeMap, BTreeSet};
use tests::{
    Scenario, World,
    scenario::{Audit, Kind},
};

/// What the owner said, in its order within a lot.
pub fn steps(world: &World) -> Vec<AuditStep> {
    let batches = evidence(world).1.into_iter().map(|signed| signed.open().expect("a batch"));
    let said = batches.flat_map(|batch| batch.statements).filter_map(|one| match one {
        Statement::Audit { steps, .. } => Some(steps),
        _ => None,
    });
    said.flatten().collect()
}

#[test]
fn whose_processor_comes_to_other_answers_is_out_and_not_to_blame() {
    let (mut doubted, mut convicted) = (BTreeSet::new(), BTreeSet::new());
    for (seed, splits) in [(1, 0.3), (2, 0.02), (3, 0.01)] {
        let audit = Audit { other_arch: vec![3, 5, 7], splits, ..Audit::default() };
        let attacker = attackers(Kind::Naive, 0.09, 0.5);
        let scenario = Scenario { audit: Some(audit), attacker, ..audited(seed) };
        let mut world = World::new(Scenario { check_every: 97, ..scenario });
        let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
        assert_eq!(report.accepted, 600, "seed {seed}: {report:?}");
        assert_eq!(world.violations, Vec::<String>::new(), "seed {seed}");
        let number = |key| world.peers.iter().position(|peer| peer.key == key).expect("a peer");
        for step in steps(&world) {
            if let AuditStep::Lost { peer, convicted: proved } = step {
                let of = if proved { &mut convicted } else { &mut doubted };
                of.insert(number(peer));
            }
        }
        // A certificate tells on how many classes it rests, and is replayed on the owner's.
        let (manifest, batches) = evidence(&world);
        let audited = replay(&manifest, &batches).audit().expect("an audited job");
        let audited = audited.unwrap_or_else(|flaw| panic!("seed {seed}: {flaw}"));
        assert!(splits < 0.3 || audited.arches == 1, "seed {seed}: all of the others are out");
    }
    assert_eq!(doubted, BTreeSet::from([3, 5, 7]));
    assert_eq!(convicted, BTreeSet::from([11]));
}

#[test]
fn machines_of_one_donor_vouch_for_a_unit_once() {
    let audit = Audit { kin: (1..=6).collect(), max_error: 1e-6, ..Audit::default() };
    let (world, _) = run_to_the_last_unit(Scenario { audit: Some(audit), ..audited(1) });
    let (mut members, mut vouched) = (BTreeMap::new(), BTreeMap::<_, Vec<u32>>::new());
    let said = steps(&world);
    for step in &said {
        match step {
            AuditStep::Roster { first, members: some, .. } => members.extend((*first..).zip(some)),
            AuditStep::Counted(checks) | AuditStep::Checked(checks) => checks
                .iter()
                .for_each(|check| vouched.entry(check.unit).or_default().push(check.member)),
            _ => {}
        }
    }
    let keys: BTreeSet<_> = (1..=6).map(|peer| world.peers[peer].key).collect();
    let kin: Vec<&&Member> = members.values().filter(|one| keys.contains(&one.key)).collect();
    assert_eq!(kin.len(), 6, "all are trusted");
    let weight: u32 = kin.iter().map(|one| one.weight).sum();
    assert!(weight <= 400, "as one: {weight}");
    let mut checked = 0;
    for (unit, vouchers) in vouched {
        let circles: BTreeSet<u32> = vouchers.iter().map(|one| members[one].circle).collect();
        assert_eq!(circles.len(), vouchers.len(), "unit {unit}: {vouchers:?}");
        checked += usize::from(vouchers.len() > 1);
    }
    assert!(checked > 100, "{checked} units were checked");
}
