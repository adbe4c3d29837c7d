//! Peers that do harm: they are not believed, they stop nothing, and no honest peer is blamed.
use crate::{run, run_to_the_last_unit};
use tests::{
    Scenario,
    scenario::{Attacker, Churn, Kind, Network, Partition},
};

fn attacker(kind: Kind, peers: usize, rate_percent: u64) -> Attacker {
    Attacker { kind, peers, rate_percent }
}

#[test]
fn liars_are_found_out_and_nobody_believes_them() {
    for (seed, rate_percent) in [(1, 100), (2, 30), (3, 10)] {
        let attacker = vec![attacker(Kind::Liar, 5, rate_percent)];
        let scenario = Scenario { peers: 20, units: 800, seed, attacker, ..Scenario::default() };
        let (world, report) = run_to_the_last_unit(scenario);
        let uncaught = world.uncaught(Kind::Liar);
        assert_eq!(uncaught, [], "seed {seed}, (peer, by): {report:?}");
    }
}

#[test]
fn one_liar_among_four_stops_nothing() {
    for seed in 1..=10 {
        let attacker = vec![attacker(Kind::Liar, 1, 30)];
        let scenario = Scenario { peers: 4, units: 300, seed, attacker, ..Scenario::default() };
        let (world, _) = run_to_the_last_unit(scenario);
        assert_eq!(world.uncaught(Kind::Liar), [], "seed {seed}");
    }
}

#[test]
fn mischief_of_every_kind_stops_nothing() {
    let kinds = [
        Kind::Silent,
        Kind::Copier,
        Kind::Forker,
        Kind::Equivocator,
        Kind::Garbage,
        Kind::Squatter,
    ];
    for (seed, kind) in kinds.into_iter().enumerate() {
        for gossip in [true, false] {
            let network = Network { gossip, ..Network::default() };
            let attacker = vec![attacker(kind, 4, 100)];
            let seed = seed as u64 + 1;
            let scenario =
                Scenario { peers: 20, units: 300, seed, attacker, ..Scenario::default() };
            let (world, _) = run_to_the_last_unit(Scenario { network, ..scenario });
            let proven = kind == Kind::Equivocator && gossip;
            assert!(!proven || world.uncaught(kind).is_empty(), "{kind:?}, gossip {gossip}");
            let credit = world.credit(kind);
            assert!(kind != Kind::Copier || credit == 0, "copies carried {credit} verdicts");
        }
    }
}

#[test]
fn colluders_beat_a_quorum_only_together_and_never_split_the_honest() {
    // Two of them on one unit agree on a wrong answer: the known limit of this profile. All honest
    // nodes must still come to the same verdicts.
    let attacker = vec![attacker(Kind::Colluder, 4, 100)];
    let scenario = Scenario { peers: 20, units: 400, attacker, ..Scenario::default() };
    let mut world = tests::World::new(scenario);
    let report = world.run().expect("an end");
    assert!(report.wrong_accepted > 0, "colluders were expected to win some: {report:?}");
    assert_eq!(world.same_verdicts_everywhere(), Ok(()));
}

#[test]
fn mischief_of_all_kinds_at_once_stops_nothing() {
    for seed in 1..=2 {
        let churn = Some(Churn { mean_session_s: 60, mean_absence_s: 10, until_s: 120 });
        let partition = vec![Partition { at_s: 20, for_s: 20, groups: 2 }];
        let attacker = vec![
            attacker(Kind::Liar, 2, 50),
            attacker(Kind::Silent, 1, 100),
            attacker(Kind::Copier, 2, 100),
            attacker(Kind::Forker, 1, 100),
            attacker(Kind::Equivocator, 1, 100),
            attacker(Kind::Garbage, 2, 100),
            attacker(Kind::Squatter, 2, 100),
        ];
        let scenario = Scenario { peers: 40, units: 300, seed, attacker, ..Scenario::default() };
        run(Scenario { churn, partition, ..scenario });
    }
}
