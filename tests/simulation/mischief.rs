//! Peers that do harm: they are not believed, they stop nothing, and no honest peer is blamed.
use crate::{run, run_to_the_last_unit};
use tests::{
    Scenario,
    scenario::{Attacker, Churn, Cost, Dist, Kind, Network, Partition},
};

fn attacker(kind: Kind, fraction: f64, rate: f64) -> Attacker {
    Attacker { kind, fraction, rate, budget: u64::MAX }
}

#[test]
fn liars_are_found_out_and_nobody_believes_them() {
    for (seed, rate) in [(1, 1.0), (2, 0.3), (3, 0.1)] {
        let attacker = vec![attacker(Kind::Naive, 0.25, rate)];
        let scenario = Scenario { peers: 20, units: 800, seed, attacker, ..Scenario::default() };
        let (world, report) = run_to_the_last_unit(scenario);
        let uncaught = world.uncaught(Kind::Naive);
        assert_eq!(uncaught, [], "seed {seed}, (peer, by): {report:?}");
    }
}

#[test]
fn one_liar_among_four_stops_nothing() {
    for seed in 1..=10 {
        let attacker = vec![attacker(Kind::Naive, 0.25, 0.3)];
        let scenario = Scenario { peers: 4, units: 300, seed, attacker, ..Scenario::default() };
        let (world, _) = run_to_the_last_unit(scenario);
        assert_eq!(world.uncaught(Kind::Naive), [], "seed {seed}");
    }
}

/// All run the same tiny units at once and speak of them before they have heard each other; there
/// is nobody else to ask.
#[test]
fn answers_that_cross_in_a_small_grid_stop_nothing() {
    let cost = Cost { dist: Dist::Const, mean: 0.002, ..Cost::default() };
    let network = Network { latency_ms: [1, 10], loss: 0.0, ..Network::default() };
    for seed in 1..=40 {
        let attacker = vec![attacker(Kind::Naive, 0.25, 0.5)];
        let scenario = Scenario { peers: 4, units: 300, seed, attacker, ..Scenario::default() };
        run_to_the_last_unit(Scenario { cost, network, ..scenario });
    }
}

#[test]
fn mischief_of_every_kind_stops_nothing() {
    let kinds = [
        Kind::Withholder,
        Kind::Copier,
        Kind::Forker,
        Kind::Equivocator,
        Kind::Garbage,
        Kind::Squatter,
        Kind::SpeedLiar,
        Kind::CommitFlooder,
    ];
    for (seed, kind) in kinds.into_iter().enumerate() {
        for gossip in [true, false] {
            let network = Network { gossip, ..Network::default() };
            let attacker = vec![attacker(kind, 0.2, 1.0)];
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
    let attacker = vec![attacker(Kind::Colluder, 0.4, 1.0)];
    let mut won = 0;
    for seed in 1..=4 {
        let attacker = attacker.clone();
        let scenario = Scenario { peers: 20, units: 400, seed, attacker, ..Scenario::default() };
        let mut world = tests::World::new(scenario);
        won += world.run().expect("an end").wrong_accepted;
        assert_eq!(world.same_verdicts_everywhere(), Ok(()));
    }
    assert!(won > 0, "colluders were expected to win some");
}

#[test]
fn mischief_of_all_kinds_at_once_stops_nothing() {
    for seed in 1..=2 {
        let churn = Some(Churn {
            mean_session_s: 60.0,
            mean_absence_s: 10.0,
            until_s: Some(120),
            ..Churn::default()
        });
        let partition = vec![Partition { at_s: 20, for_s: 20, groups: 2 }];
        let attacker = vec![
            attacker(Kind::Naive, 0.05, 0.5),
            attacker(Kind::Withholder, 0.025, 1.0),
            attacker(Kind::Copier, 0.05, 1.0),
            attacker(Kind::Forker, 0.025, 1.0),
            attacker(Kind::Equivocator, 0.025, 1.0),
            attacker(Kind::Garbage, 0.05, 1.0),
            attacker(Kind::Squatter, 0.05, 1.0),
        ];
        let scenario = Scenario { peers: 40, units: 300, seed, attacker, ..Scenario::default() };
        run(Scenario { churn, partition, ..scenario });
    }
}
