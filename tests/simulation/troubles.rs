//! Honest peers on a bad day: loss, crashes, cuts, late comers, peers that stand still.
use crate::{run, run_to_the_last_unit};
use std::time::Duration;
use tests::{
    Scenario,
    scenario::{Churn, Cost, Dist, Freeze, Late, Network, Partition, Speed},
};

const UNLIKE: Speed = Speed { dist: Dist::Lognormal, p99_over_p1: 20.0 };
const VARIED: Cost = Cost { dist: Dist::Lognormal, mean: 2.0, cv: 0.5, hints: false };

fn hundred(seed: u64) -> Scenario {
    let (cost, speed) = (Cost { mean: 10.0, ..VARIED }, UNLIKE);
    Scenario {
        peers: 100,
        units: 1_500,
        seed,
        cost,
        speed,
        check_every: 4_999,
        ..Scenario::default()
    }
}

#[test]
fn a_hundred_unlike_nodes_share_a_job_under_loss() {
    let network = Network { loss: 0.1, ..Network::default() };
    let (_, report) = run_to_the_last_unit(Scenario { network, ..hundred(1) });
    assert!(report.redundancy < 3.0, "{report:?}");
}

#[test]
fn a_hundred_nodes_need_no_gossip() {
    let network = Network { gossip: false, ..Network::default() };
    for seed in 1..=2 {
        run_to_the_last_unit(Scenario { network, units: 600, ..hundred(seed) });
    }
}

#[test]
fn churn_loses_nothing_and_nobody_contradicts_itself() {
    for seed in 1..=4 {
        let churn = Some(Churn {
            mean_session_s: 30.0,
            mean_absence_s: 15.0,
            until_s: Some(240),
            ..Churn::default()
        });
        let scenario = Scenario { peers: 20, units: 600, seed, churn, ..Scenario::default() };
        let (_, report) = run_to_the_last_unit(Scenario { cost: VARIED, ..scenario });
        assert!(report.kills > 50, "seed {seed}: {report:?}");
    }
}

#[test]
fn churn_without_gossip() {
    let network = Network { gossip: false, ..Network::default() };
    let churn = Some(Churn {
        mean_session_s: 60.0,
        mean_absence_s: 60.0,
        until_s: Some(300),
        ..Churn::default()
    });
    run_to_the_last_unit(Scenario { network, churn, peers: 60, units: 300, ..hundred(3) });
}

#[test]
fn parts_of_a_cut_grid_go_on_and_agree_when_it_is_whole_again() {
    for groups in 2..=4 {
        let cut = |at_s| Partition { at_s, for_s: 20, groups };
        let partition = vec![cut(3), cut(40)];
        let seed = groups as u64;
        let scenario = Scenario { peers: 24, units: 400, seed, partition, ..Scenario::default() };
        run_to_the_last_unit(Scenario { cost: VARIED, speed: UNLIKE, ..scenario });
    }
}

#[test]
fn late_and_frozen_peers_are_part_of_it() {
    let late = vec![Late { peers: 4, at_s: 25 }];
    let freeze = vec![
        Freeze { peer: 1, at_s: 5, for_s: 10 },
        Freeze { peer: 2, at_s: 8, for_s: 90 },
        Freeze { peer: 0, at_s: 12, for_s: 4 },
    ];
    let scenario = Scenario { peers: 10, units: 400, late, freeze, ..Scenario::default() };
    let mut world = run_to_the_last_unit(scenario).0;
    world.run_for(Duration::from_secs(30)); // until all is on disk, late copies too
    for peer in [0, 2, 9] {
        let digests = world.node(peer).expect("up").digests();
        world.kill(peer);
        world.start(peer);
        assert_eq!(world.node(peer).expect("up").digests(), digests, "peer {peer}, from its disk");
    }
    for peer in [5, 9] {
        world.kill(peer);
        world.peers[peer].journal.clear();
        world.start(peer);
        world.run().expect("all agree again");
        assert_eq!(world.same_verdicts_everywhere(), Ok(()), "peer {peer}, from others");
    }
}

#[test]
fn troubles_at_once_with_other_seeds() {
    for seed in 10..14 {
        let network = Network { loss: 0.05, gossip: seed % 2 == 0, ..Network::default() };
        let churn = Some(Churn {
            mean_session_s: 40.0,
            mean_absence_s: 10.0,
            until_s: Some(120),
            ..Churn::default()
        });
        let partition = vec![Partition { at_s: 10, for_s: 30, groups: 3 }];
        let late = vec![Late { peers: 3, at_s: 30 }];
        let scenario = Scenario { peers: 16, units: 200, seed, jobs: 2, ..Scenario::default() };
        run(Scenario { network, churn, partition, late, cost: VARIED, speed: UNLIKE, ..scenario });
    }
}
