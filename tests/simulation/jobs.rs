//! Several jobs at once: weights, deadlines, the donor's word, memory.
use coordinator_free_scheduler::{Config, Input, JobId, Millis, Node, Output, SignedManifest};
use tests::{
    Scenario, World,
    scenario::{Cost, Dist},
    truth,
};

const NOW: Millis = Millis(1_000);

/// Peers that differ as machines do, with units of which nobody knows how long they take.
fn unlike() -> Scenario {
    let cost = Cost { dist: Dist::Lognormal, mean: 10.0, ..Cost::default() };
    let (jobs, jobs_apart_s, limit_s) = (3, 0, 20_000);
    let scenario =
        Scenario { peers: 20, units: 600, profile: 1, jobs, jobs_apart_s, ..Scenario::default() };
    Scenario { cost, limit_s, check_every: 199, ..scenario }
}

/// On the average of some runs: in one of them a few long units at its end count for much.
#[test]
fn jobs_get_what_they_weigh() {
    const RUNS: u64 = 6;
    let mut off = [0.0; 3];
    for seed in 1..=RUNS {
        let mut world = World::new(Scenario { priorities: vec![1, 2, 4], seed, ..unlike() });
        let report = world.run_to_verdicts(|_| {}).expect("an end");
        assert_eq!(world.violations, Vec::<String>::new());
        for (sum, job) in off.iter_mut().zip(&report.jobs) {
            *sum += (job.share / job.weight_share - 1.0) / RUNS as f64;
        }
        let ends: Vec<f64> = report.jobs.iter().map(|job| job.makespan_s).collect();
        assert!(ends.is_sorted_by(|one, next| one > next), "seed {seed}: {ends:?}");
    }
    assert!(off.iter().all(|off| off.abs() < 0.15), "{off:?}");
}

#[test]
fn a_deadline_is_kept_where_a_share_alone_would_miss_it() {
    let world = |deadlines_s: Vec<u32>| {
        let mut world = World::new(Scenario { deadlines_s, ..unlike() });
        world.run_to_verdicts(|_| {}).expect("an end")
    };
    let (free, bound) = (world(vec![0]), world(vec![600]));
    assert!(free.jobs[0].makespan_s > 700.0, "too easy: {:?}", free.jobs);
    assert_eq!(bound.jobs[0].deadline_met, Some(true), "{:?}", bound.jobs);
    assert_eq!(bound.accepted, 1_800, "and nobody starves");
}

/// A node alone with jobs that want this much memory each, MiB.
fn node_with(slots: usize, memory_mib: u32, wanted: &[u32]) -> (Node, Vec<JobId>) {
    let me = truth::key(9);
    let mut node = Node::new(Config::new(me, 1, 1));
    node.resume(NOW);
    let submit = |(salt, memory_mib): (usize, &u32)| {
        let signed = truth::manifest(me, 100, 100, 1, salt as u64);
        let mut manifest = signed.open().expect("a manifest");
        manifest.work.limits.memory_mib = *memory_mib;
        let bytes = manifest.encode().expect("within its limits");
        node.submit(NOW, SignedManifest { bytes, ..signed }).expect("room for it")
    };
    let jobs = wanted.iter().enumerate().map(submit).collect();
    node.handle(NOW, Input::Room { slots, memory_mib });
    (node, jobs)
}

/// How many units of each job the body was given.
fn given(node: &mut Node, jobs: &[JobId]) -> Vec<usize> {
    let mut given = vec![0; jobs.len()];
    while let Some(output) = node.poll_output() {
        if let Output::Run { job, units } = output {
            given[jobs.iter().position(|known| *known == job).expect("a job of ours")] +=
                units.len();
        }
    }
    given
}

#[test]
fn what_needs_more_memory_than_there_is_idles_no_core() {
    let (mut node, jobs) = node_with(4, 1_024, &[2_048, 64]);
    assert_eq!(given(&mut node, &jobs), [0, 5], "four slots and one ahead");
    let (mut node, jobs) = node_with(4, 2_048 + 3 * 64, &[2_048, 64]);
    let both = given(&mut node, &jobs);
    assert_eq!(both[0], 1, "where there is room for one, one runs: {both:?}");
    assert!(both[1] >= 3, "and three small ones beside it: {both:?}");
}

#[test]
fn the_donor_has_the_last_word() {
    let (mut node, jobs) = node_with(0, 1_024, &[64, 64]);
    node.weigh(jobs[0], 0);
    node.handle(NOW, Input::Room { slots: 2, memory_mib: 1_024 });
    assert_eq!(given(&mut node, &jobs), [0, 3]);
}
