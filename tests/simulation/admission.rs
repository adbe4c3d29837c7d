//! Anybody may submit, and keys cost nothing: what a flood of manifests can do, and what it cannot.
use crate::explain::{agree, commit, open};
use coordinator_free_scheduler::{
    CommandError, Config, DRAW_MS, FAVOUR_FUEL, Fault, Hash, Input, JobId, JobState, LIMITS,
    Message, Millis, Node, Notice, Output, PeerKey, Query, RETIRE_MS, Record, STAMP_UNITS_MIN,
    SignedManifest, Stamp, WAITING_JOBS_MAX, WORKED_ON_JOBS_MAX, stamp_hashes,
};
use std::{collections::BTreeSet, time::Duration};
use tests::{
    Scenario, World,
    scenario::{Attacker, Cost, Dist, Kind},
    truth,
    voice::Voice,
};

/// A tenth of the manifests of a flood are honest.
const HONEST_ONE_IN: usize = 10;
/// Manifests of a flood.
const FLOOD: usize = 20_000;
const NOW: Millis = Millis(1_000);

/// A node that lends nothing.
fn node(seed: u64, work_factor: u32) -> Node {
    let mut node = Node::new(Config { work_factor, ..Config::new(truth::key(9), seed, seed) });
    node.resume(NOW);
    node
}

/// A job of the n-th stranger's.
fn stranger(number: usize) -> SignedManifest {
    truth::manifest(truth::key(1_000 + number), 10, 10, 2, 0)
}

fn hear(node: &mut Node, now: Millis, signed: &SignedManifest) {
    let manifest = Box::new(signed.open().expect("a manifest"));
    node.handle(now, Input::Manifest { from: truth::key(0), signed: signed.clone(), manifest });
}

/// What the node wants done; what it wants written is, and goes to `disk`.
fn drain(node: &mut Node, now: Millis, disk: &mut Vec<Record>) -> Vec<Output> {
    let mut outputs = Vec::new();
    while let Some(output) = node.poll_output() {
        match output {
            Output::Persist { ticket, records } => {
                disk.extend(records);
                node.handle(now, Input::Persisted { ticket, signatures: Vec::new() });
            }
            other => outputs.push(other),
        }
    }
    outputs
}

/// A single answer is believed where all machines are the user's own, and nowhere else.
#[test]
fn one_answer_is_not_enough_where_anybody_may_join() {
    for open in [false, true] {
        let mut node = Node::new(Config { open, ..Config::new(truth::key(9), 1, 1) });
        node.resume(NOW);
        let job = |owner, n| truth::manifest(truth::key(owner), 10, 10, n, 0);
        hear(&mut node, NOW, &job(1_000, 1));
        hear(&mut node, NOW, &job(1_001, 2));
        let fault = |output| match output {
            Output::Notice(Notice::Fault { fault, .. }) => Some(fault),
            _ => None,
        };
        let outputs = drain(&mut node, NOW, &mut Vec::new());
        let faults: Vec<Fault> = outputs.into_iter().filter_map(fault).collect();
        let submitted = node.submit(NOW, job(9, 1)).map(drop);
        node.submit(NOW, job(9, 2)).expect("two are enough");
        match open {
            true => {
                assert_eq!((faults, submitted), (vec![Fault::OneVote], Err(CommandError::OneVote)));
                assert_eq!(known(&node).len(), 2, "those by quorum=2");
            }
            false => {
                assert_eq!((faults, submitted), (vec![], Ok(())));
                assert_eq!(known(&node).len(), 4);
            }
        }
    }
}

fn known(node: &Node) -> BTreeSet<JobId> {
    node.jobs().into_iter().map(|job| job.id()).collect()
}

/// The jobs that a node asks a peer for which tells of these.
fn asked(node: &mut Node, now: Millis, told: &[JobId]) -> Vec<JobId> {
    let lots = told.iter().map(|job| (*job, 0, Hash::default())).collect();
    node.handle(now, Input::Query { from: truth::key(0), query: Query::Digest(lots) });
    let wanted = |output| match output {
        Output::Send { message: Message::Query(Query::Want(jobs)), .. } => jobs,
        _ => Vec::new(),
    };
    drain(node, now, &mut Vec::new()).into_iter().flat_map(wanted).collect()
}

#[test]
fn a_stamp_costs_what_its_job_is_large_and_fits_no_other() {
    let (job, other) = (stranger(1).id(), stranger(2).id());
    for (units, factor) in [(1, 1), (STAMP_UNITS_MIN, 1), (4_000, 1), (1_000, 5)] {
        let hashes = stamp_hashes(factor, units);
        let paid = (0..1_000_000).filter(|number| Stamp(*number).pays(job, hashes)).count() as f64;
        let expected = 1e6 / f64::from(units.max(STAMP_UNITS_MIN) * factor);
        assert!((paid - expected).abs() < 4.0 * expected.sqrt(), "{units} units: {paid}");
    }
    let found = Stamp::search(job, 100_000, 0..u64::MAX).expect("one in so many");
    assert!(found.pays(job, 100_000) && !found.pays(other, 100_000));
    assert!(!Stamp(found.0 + 1).pays(job, 100_000), "what was not found does not pay");
    assert_eq!(Stamp::search(job, 100_000, 0..found.0), None, "it is the first");
    assert!(Stamp(0).pays(job, 0), "where nothing is asked for, anything pays");
}

#[test]
fn a_manifest_without_work_is_refused_by_name_and_with_it_taken() {
    let mut node = node(1, 10);
    let (bare, paid) = (stranger(1), truth::stamped(stranger(1), 10));
    hear(&mut node, NOW, &bare);
    let faults =
        drain(&mut node, NOW, &mut Vec::new()).into_iter().filter_map(|output| match output {
            Output::Notice(Notice::Fault { peer, fault }) => Some((peer, fault)),
            _ => None,
        });
    let faults: Vec<(PeerKey, Fault)> = faults.collect();
    assert_eq!(faults, [(truth::key(0), Fault::TooLittleWork { hashes: 10_000, units: 10 })]);
    assert!(faults[0].1.to_string().contains("10000 hashes"), "{}", faults[0].1);
    hear(&mut node, NOW, &SignedManifest { stamp: truth::stamped(stranger(2), 10).stamp, ..bare });
    assert!(node.jobs().is_empty(), "neither without a stamp nor with another's");
    hear(&mut node, NOW, &paid);
    assert_eq!(known(&node), [paid.id()].into());
    // Its own need no stamp here.
    node.submit(NOW, truth::manifest(node.me(), 10, 10, 1, 0)).expect("room for it");
}

#[test]
fn whoever_comes_when_has_the_same_chance() {
    let all: Vec<SignedManifest> = (0..FLOOD).map(stranger).collect();
    let (honest, rogue) = all.split_at(FLOOD / HONEST_ONE_IN);
    let early: Vec<&SignedManifest> = honest.iter().chain(rogue).collect();
    let late: Vec<&SignedManifest> = rogue.iter().chain(honest).collect();
    let honest: BTreeSet<JobId> = honest.iter().map(SignedManifest::id).collect();
    for order in [early, late] {
        let mut share = 0;
        for seed in 1..=8 {
            let mut node = node(seed, 0);
            order.iter().for_each(|signed| hear(&mut node, NOW, signed));
            assert_eq!(node.jobs().len(), WAITING_JOBS_MAX, "as many as the quota");
            share += known(&node).intersection(&honest).count();
            node.check().expect("every invariant holds");
        }
        // 512 draws with a chance of a tenth: 51, and four standard deviations about it.
        assert!((24..=79).contains(&share), "{share} of {} are honest", 8 * WAITING_JOBS_MAX);
    }
}

#[test]
fn a_draw_holds_for_a_while_and_over_a_restart() {
    let all: Vec<SignedManifest> = (0..500).map(stranger).collect();
    let ids: Vec<JobId> = all.iter().map(SignedManifest::id).collect();
    let (mut node, mut disk) = (node(1, 0), Vec::new());
    all.iter().for_each(|signed| hear(&mut node, NOW, signed));
    let drawn = known(&node);
    all.iter().chain(&all).for_each(|signed| hear(&mut node, NOW, signed));
    assert_eq!(known(&node), drawn, "who says it again draws no other lot");
    let later = Millis(DRAW_MS - 1);
    assert_eq!(asked(&mut node, NOW, &ids[..64]), [], "and nobody is asked for what has lost");
    node.handle(later, Input::Tick);
    drain(&mut node, later, &mut disk);
    let mut again = Node::new(Config::new(node.me(), 2, 2));
    for record in disk {
        again.replay(NOW, record).expect("a node reads what it wrote");
    }
    again.resume(NOW);
    assert_eq!(known(&again), drawn, "a restarted node holds the same");
    again.check().expect("every invariant holds");
    let next = Millis(DRAW_MS);
    let lost = ids[..64].iter().filter(|id| !drawn.contains(id)).count();
    assert_eq!(asked(&mut node, next, &ids[..64]).len(), lost, "but it is again in the next draw");
    all.iter().for_each(|signed| hear(&mut node, next, signed));
    let changed = known(&node).difference(&drawn).count();
    assert!(changed > WAITING_JOBS_MAX / 2, "{changed} others were drawn");
}

#[test]
fn favours_pay_for_as_many_jobs_as_they_are_worth() {
    let mut node = node(1, 10);
    let own = node.submit(NOW, truth::manifest(node.me(), 10, 10, 1, 0)).expect("room for it");
    let mut friend = Voice::new(5, own);
    let favour = truth::right(own, 0, 2 * FAVOUR_FUEL);
    let said = [commit(&friend, own, 0, &favour), open(&friend, own, 0, &favour, Vec::new())];
    let jobs: Vec<SignedManifest> =
        (0..3).map(|salt| truth::manifest(friend.key, 10, 10, 1, salt)).collect();
    hear(&mut node, NOW, &jobs[0]);
    assert_eq!(known(&node), [own].into(), "no favours yet");
    friend.says(&mut node, NOW, said.concat());
    jobs.iter().for_each(|signed| hear(&mut node, NOW, signed));
    assert_eq!(known(&node), [own, jobs[0].id(), jobs[1].id()].into(), "two, and no third");
    // They stand beside the strangers' quota, however full that is.
    (0..200).for_each(|number| hear(&mut node, NOW, &truth::stamped(stranger(number), 10)));
    assert_eq!(node.jobs().len(), 3 + WAITING_JOBS_MAX);
    assert!(known(&node).is_superset(&[jobs[0].id(), jobs[1].id()].into()));
}

#[test]
fn what_has_ended_takes_nobodys_place_and_goes_first() {
    let mut node = node(1, 0);
    let ended = stranger(0);
    hear(&mut node, NOW, &ended);
    node.follow(ended.id());
    let mut pair = [Voice::new(5, ended.id()), Voice::new(6, ended.id())];
    (0..10).for_each(|unit| agree(&mut node, ended.id(), unit, &mut pair, |_, _, _| {}));
    // Its submitter shows that it holds all of it, so that nobody need keep it.
    let (from, query) = (truth::key(1_000), Query::Digest(node.digests()));
    node.handle(NOW, Input::Query { from, query });
    let retired = NOW.plus(2 * RETIRE_MS);
    node.handle(retired, Input::Tick);
    let job = node.job(ended.id()).expect("it is still known");
    assert!(job.lots.is_empty() && job.status().state == JobState::Done, "{:?}", job.status());
    (1..500).for_each(|number| hear(&mut node, retired, &stranger(number)));
    assert_eq!(node.jobs().len(), 1 + WAITING_JOBS_MAX);
    let me = node.me();
    let mut submit = |salt| node.submit(retired, truth::manifest(me, 10, 10, 2, salt)).map(|_| ());
    let own = (LIMITS.jobs - 1 - WAITING_JOBS_MAX) as u64;
    (0..=own).for_each(|salt| submit(salt).expect("room for it"));
    assert!(!known(&node).contains(&ended.id()));
    assert_eq!(node.jobs().len(), LIMITS.jobs, "it alone has gone");
    hear(&mut node, retired, &ended);
    assert!(!known(&node).contains(&ended.id()), "and is not heard of again");
    assert_eq!(asked(&mut node, Millis(10 * DRAW_MS), &[ended.id()]), []);
    node.check().expect("every invariant holds");
}

/// The strangers' jobs that a node knows, and those among them that it has answered units of.
fn held(node: &Node) -> (BTreeSet<JobId>, BTreeSet<JobId>) {
    let others = || node.jobs().into_iter().filter(|job| job.manifest.owner != node.me());
    let worked = others().filter(|job| job.worked_at.is_some());
    (others().map(|job| job.id()).collect(), worked.map(|job| job.id()).collect())
}

#[test]
fn a_flood_fills_its_quota_and_takes_nothing_from_what_is_worked_on() {
    let flooder = Attacker { kind: Kind::ManifestFlooder, fraction: 0.125, rate: 1.0, budget: 0 };
    let cost = Cost { dist: Dist::Const, mean: 1.0, ..Cost::default() };
    let scenario =
        Scenario { peers: 8, units: 2_000, jobs: 2, jobs_apart_s: 115, ..Scenario::default() };
    let scenario = Scenario { cost, work_factor: 1, attacker: vec![flooder], ..scenario };
    let mut world = World::new(Scenario { check_every: 997, ..scenario });
    let mut worked: Vec<BTreeSet<JobId>> = vec![BTreeSet::new(); 7];
    for _ in 0..40 {
        world.run_for(Duration::from_secs(1));
        for (peer, node) in world.honest_nodes() {
            let (all, begun) = held(node);
            assert!(all.is_superset(&worked[peer]), "peer {peer} lost what it worked on");
            assert!(
                all.len() <= WAITING_JOBS_MAX + WORKED_ON_JOBS_MAX,
                "peer {peer}: {}",
                all.len()
            );
            worked[peer] = begun;
        }
    }
    assert!(worked.iter().all(|begun| begun.len() > 1), "{worked:?}");
    world.kill(7);
    world.run_for(Duration::from_secs(5));
    for peer in 1..7 {
        let before = world.node(peer).map(known);
        world.kill(peer);
        world.start(peer);
        assert_eq!(world.node(peer).map(known), before, "peer {peer} after a restart");
    }
    assert_eq!(world.violations, Vec::<String>::new());
}
