//! Peers that come when the owner of an audited job knows already whom it trusts with it: they show what
//! they can beside the work of others, and later jobs count on them.
use crate::audited::{attackers, audited};
use std::time::Duration;
use tests::{
    Scenario, World,
    scenario::{Audit, Kind},
};

const LATE: [usize; 3] = [9, 10, 11];

fn members(world: &World) -> u32 {
    let job = world.node(0).and_then(|node| node.job(world.jobs[0]));
    job.and_then(|job| job.audit()).map_or(0, |audit| audit.members)
}

#[test]
fn who_comes_late_is_known_afterwards_and_a_liar_is_not() {
    for (seed, lies) in [(1, false), (2, true), (3, true)] {
        // The last peers are the attackers.
        let attacker = if lies { attackers(Kind::Naive, 0.09, 1.0) } else { Vec::new() };
        let audit = Some(Audit { proofs: 10, ..Audit::default() });
        let mut world = World::new(Scenario { attacker, audit, units: 1_200, ..audited(seed) });
        world.run_for(Duration::from_millis(100));
        LATE.iter().for_each(|peer| world.kill(*peer));
        while members(&world) == 0 {
            world.run_for(Duration::from_secs(1));
        }
        LATE.iter().for_each(|peer| world.start(*peer));
        let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
        world.verify().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        assert_eq!((report.accepted, report.wrong_accepted), (1_200, 0), "seed {seed}: {report:?}");
        assert_eq!(members(&world), 8, "seed {seed}: its roster stays as it is");
        let known = world.node(0).expect("the owner").known_well(10);
        for peer in LATE {
            let is_known = known.contains(&world.peers[peer].key);
            assert_eq!(is_known, !(lies && peer == 11), "seed {seed}, peer {peer}");
        }
        // What they show themselves by is little beside the job.
        assert!(report.redundancy < 2.5, "seed {seed}: {report:?}");
    }
}
