//! Checked jobs: one execution of each unit, whoever lies.
use crate::{audited::attackers, run_to_the_last_unit};
use tests::{
    Scenario, World,
    scenario::{Churn, Kind, Network},
};

pub fn checked(seed: u64) -> Scenario {
    Scenario {
        peers: 12,
        units: 600,
        lot_units: 200,
        profile: 1,
        checked: true,
        seed,
        ..Scenario::default()
    }
}

#[test]
fn each_unit_is_computed_about_once_and_nothing_wrong_is_taken() {
    let (_, quiet) = run_to_the_last_unit(checked(1));
    assert!(quiet.redundancy < 1.1, "{quiet:?}");
    for kind in [Kind::Naive, Kind::Colluder] {
        for (seed, rate) in [(2, 1.0), (3, 0.1)] {
            let attacker = attackers(kind, 0.5, rate);
            let (_, report) = run_to_the_last_unit(Scenario { attacker, ..checked(seed) });
            // A liar is found out at its first lie; what it had in hand by then is computed again.
            assert!(report.redundancy < 1.5, "{kind:?}, {rate}: {report:?}");
        }
    }
}

#[test]
fn who_does_other_harm_stops_nothing() {
    for kind in [Kind::Withholder, Kind::Garbage, Kind::Squatter, Kind::CommitFlooder, Kind::Forker]
    {
        let attacker = attackers(kind, 0.2, 1.0);
        let (_, report) = crate::run(Scenario { attacker, ..checked(1) });
        assert_eq!(report.accepted, 600, "{kind:?}: {report:?}");
    }
}

/// Whoever comes and goes, the owner among them, what was released stays so.
#[test]
fn an_owner_that_comes_and_goes_loses_nothing() {
    for seed in 1..=2 {
        let churn = Some(Churn {
            mean_session_s: 60.0,
            mean_absence_s: 20.0,
            until_s: Some(200),
            ..Churn::default()
        });
        let network = Network { loss: 0.1, ..Network::default() };
        let attacker = attackers(Kind::Naive, 0.25, 0.2);
        let scenario = Scenario { churn, network, attacker, check_every: 97, ..checked(seed) };
        let mut world = World::new(scenario);
        crate::kill_the_owner_often(&mut world);
        let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
        world.verify().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        assert_eq!((report.accepted, report.wrong_accepted), (600, 0), "seed {seed}: {report:?}");
    }
}
