//! Audited jobs among real nodes: an owner that knows nobody finds out whom to trust, and releases
//! nothing wrong.
use crate::{run, run_to_the_last_unit};
use coordinator_free_scheduler::{
    Answer, AuditStep, AuditTerms, AuditView, Board, Commit, Fault, Flaw, Hash, JobId, Mark,
    Outcome, PeerKey, Place, Profile, Release, Replay, Rng, SignedBatch, SignedManifest, Statement,
    Verdict, commitment, statement::Batch, verify::audited::Member, wire,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tests::{
    Scenario, World,
    scenario::{Attacker, Audit, Churn, Cost, Kind, Network},
    truth,
};

pub fn audited(seed: u64) -> Scenario {
    let audit = Some(Audit::default());
    Scenario {
        peers: 12,
        units: 600,
        lot_units: 200,
        profile: 1,
        audit,
        seed,
        ..Scenario::default()
    }
}

/// What was said of the job, as the owner's node knows it.
pub fn evidence(world: &World) -> (SignedManifest, Vec<SignedBatch>) {
    let (node, job) = (world.node(0).expect("the owner"), world.jobs[0]);
    let known = node.job(job).expect("its job");
    let of = |lot| node.evidence(job, lot).expect("its lot");
    (known.signed.clone(), (0..known.manifest.lots()).flat_map(of).collect())
}

pub fn replay(manifest: &SignedManifest, batches: &[SignedBatch]) -> Replay {
    let mut replay = Replay::new(manifest.id(), manifest.open().expect("a manifest"));
    for signed in batches {
        replay.add(signed.clone(), signed.open().expect("a batch")).expect("of this job");
    }
    replay
}

/// The same batches, each log in its order, the logs mixed.
pub fn mixed(batches: &[SignedBatch], rng: &mut Rng) -> Vec<SignedBatch> {
    let mut logs: BTreeMap<_, VecDeque<&SignedBatch>> = BTreeMap::new();
    for signed in batches {
        let batch = signed.open().expect("a batch");
        let log = (batch.lot, batch.author, batch.place.incarnation);
        logs.entry(log).or_default().push_back(signed);
    }
    let mut logs: Vec<VecDeque<&SignedBatch>> = logs.into_values().collect();
    let mut mixed = Vec::new();
    while !logs.is_empty() {
        // Some logs are heard to their end before others begin.
        let at = rng.below(logs.len() as u64) as usize;
        let some = rng.below(20) as usize + 1;
        let length = logs[at].len();
        mixed.extend(logs[at].drain(..some.min(length)).cloned());
        if logs[at].is_empty() {
            logs.swap_remove(at);
        }
    }
    mixed
}

/// Where the owner's audit ended.
fn audit(world: &World) -> AuditView {
    let job = world.node(0).and_then(|node| node.job(world.jobs[0]));
    job.and_then(|job| job.audit()).expect("an audited job")
}

pub fn attackers(kind: Kind, fraction: f64, rate: f64) -> Vec<Attacker> {
    vec![Attacker { kind, fraction, rate, budget: u64::MAX }]
}

#[test]
fn a_cold_owner_releases_everything() {
    for seed in 1..=3 {
        let (world, report) = run_to_the_last_unit(audited(seed));
        let audit = audit(&world);
        assert_eq!((audit.members, audit.lost, audit.pass), (11, 0, 0), "seed {seed}: {audit:?}");
        assert!((200..=260).contains(&audit.own_units), "seed {seed}: {audit:?}");
        assert!(report.redundancy < 3.5, "seed {seed}: {report:?}");
    }
}

#[test]
fn nothing_wrong_is_released_whoever_lies() {
    for kind in [Kind::Naive, Kind::Colluder] {
        for (seed, rate) in [(1, 1.0), (2, 0.1), (3, 0.02)] {
            let attacker = attackers(kind, 0.25, rate);
            let (world, _) = run_to_the_last_unit(Scenario { attacker, ..audited(seed) });
            let audit = audit(&world);
            assert!(audit.estimate.is_some_and(|wrong| wrong <= 600.0 * 1e-3), "{audit:?}");
            assert!(rate < 0.1 || audit.lost == 3, "{kind:?}, {rate}: {audit:?}");
        }
    }
}

#[test]
fn everybody_comes_and_goes() {
    for seed in 1..=3 {
        let churn = Some(Churn {
            mean_session_s: 60.0,
            mean_absence_s: 20.0,
            until_s: Some(300),
            ..Churn::default()
        });
        let network = Network { loss: 0.1, ..Network::default() };
        run_to_the_last_unit(Scenario { churn, network, ..audited(seed) });
    }
}

#[test]
fn who_does_other_harm_stops_nothing() {
    for kind in [Kind::Withholder, Kind::Garbage, Kind::Squatter, Kind::CommitFlooder, Kind::Forker]
    {
        let attacker = attackers(kind, 0.2, 1.0);
        let (_, report) = run(Scenario { attacker, ..audited(1) });
        assert_eq!(report.accepted, 600, "{kind:?}: {report:?}");
    }
}

/// An owner is killed again and again, whatever it is doing, and takes up its audit where it was.
#[test]
fn an_owner_that_is_killed_goes_on() {
    for (seed, kind) in [(1, Kind::Naive), (2, Kind::Colluder), (3, Kind::Colluder)] {
        let scenario = Scenario { attacker: attackers(kind, 0.25, 0.05), ..audited(seed) };
        let mut world = World::new(Scenario { check_every: 97, ..scenario });
        for step in 1..=25 {
            world.run_for(Duration::from_millis(2_300 + 410 * step));
            world.kill(0);
            world.run_for(Duration::from_millis(300 * (step % 4)));
            world.start(0);
        }
        let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
        world.verify().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        assert_eq!((report.accepted, report.wrong_accepted), (600, 0), "seed {seed}: {report:?}");
        assert!(report.redundancy < 6.0, "seed {seed}: {report:?}");
        // What it said before and after its restarts is one course.
        let (manifest, batches) = evidence(&world);
        let audited = replay(&manifest, &batches).audit().expect("an audited job");
        let audited = audited.unwrap_or_else(|flaw| panic!("seed {seed}: {flaw}"));
        assert_eq!(audited.lost, audit(&world).lost);
    }
}

/// Whoever holds what was said comes to what the owner came to, and sees where it did not follow.
#[test]
fn the_certificate_of_an_audit_is_replayed() {
    let scenario = Scenario { attacker: attackers(Kind::Colluder, 0.25, 0.02), ..audited(2) };
    let (world, _) = run_to_the_last_unit(scenario);
    let (manifest, batches) = evidence(&world);
    let view = audit(&world);
    let whole = replay(&manifest, &batches);
    let audited = whole.audit().expect("an audited job").expect("a whole one");
    assert_eq!((audited.members, audited.lost), (view.members, view.lost));
    assert_eq!(Some(audited.estimated_wrong), view.estimate);
    assert_eq!(audited.executions, view.executions);
    assert_eq!(u32::from(audited.passes), u32::from(view.pass) + 1);
    // Whatever order the logs come in, all boards come to the same.
    let verdicts = whole.verdicts();
    for seed in 1..=5 {
        let mixed = replay(&manifest, &mixed(&batches, &mut Rng::new(seed)));
        assert!(mixed.verdicts() == verdicts, "logs mixed by {seed}");
        assert_eq!(mixed.audit(), whole.audit());
        assert_eq!(mixed.evidence(), whole.evidence());
    }

    // Without any one of the owner's batches that has steps, or of those that answer, it is not whole.
    let owner = world.peers[0].key;
    let says = |signed: &SignedBatch| {
        let batch = signed.open().expect("a batch");
        let steps = |one: &Statement| matches!(one, Statement::Audit { .. });
        batch.author == owner && batch.statements.iter().any(steps)
    };
    for (at, _) in batches.iter().enumerate().filter(|(_, signed)| says(signed)).step_by(7) {
        // A log that lacks a batch lacks all that follow it.
        let mut fewer = batches.clone();
        fewer.remove(at);
        let flaw = replay(&manifest, &fewer).audit().expect("an audited job");
        let lacks = matches!(flaw, Err(Flaw::Missing(_) | Flaw::Unfinished));
        assert!(lacks, "without batch {at}: {flaw:?}");
    }

    // An owner that draws by another seed, forgets a check, or releases something else; it signs
    // what it says, so its log is in order.
    let forged = |change: &dyn Fn(&mut AuditStep) -> bool| {
        let (mut done, mut tips) = (false, BTreeMap::new());
        let forge = |signed: &SignedBatch| {
            let mut batch = signed.open().expect("a batch");
            if batch.author != owner {
                return signed.clone();
            }
            let log = (batch.lot, batch.place.incarnation);
            batch.previous = tips.get(&log).copied().unwrap_or_default();
            let steps = batch.statements.iter_mut().filter_map(|one| match one {
                Statement::Audit { steps, .. } => Some(steps),
                _ => None,
            });
            steps.flatten().for_each(|step| done = done || change(step));
            let forged = SignedBatch::new(wire::encode(&batch).into(), signed.signature());
            tips.insert(log, forged.hash());
            forged
        };
        let all: Vec<SignedBatch> = batches.iter().map(forge).collect();
        assert!(done, "there is such a step");
        replay(&manifest, &all).audit().expect("an audited job")
    };
    let reseeded = forged(&|step| match step {
        AuditStep::Closed { pass: 1, seed } => {
            seed.0[0] ^= 1;
            true
        }
        _ => false,
    });
    assert_eq!(reseeded, Err(Flaw::Seed(1)));
    let forgetful = forged(&|step| match step {
        AuditStep::Checked(checks) => checks.pop().is_some(),
        _ => false,
    });
    assert!(matches!(forgetful, Err(Flaw::Step(..))), "{forgetful:?}");
    let careless = forged(&|step| match step {
        AuditStep::Counted(checks) => {
            checks[0].member = (checks[0].member + 1) % view.members;
            true
        }
        _ => false,
    });
    assert!(matches!(careless, Err(Flaw::Missing(_) | Flaw::Step(..))), "{careless:?}");
    let lying = forged(&|step| match step {
        AuditStep::Released(all) => {
            all[0].answer.fuel += 1;
            true
        }
        _ => false,
    });
    assert!(matches!(lying, Err(Flaw::Answer(_))), "{lying:?}");
}

/// Members that turn out to keep two logs, early or late, spoil neither the job nor its certificate.
#[test]
fn a_member_that_forks_its_log_takes_nothing_with_it() {
    let mut by_word = 0;
    for (seed, wait_s) in [(1, 20), (2, 120), (3, 170), (4, 400)] {
        let mut world = World::new(Scenario { check_every: 97, ..audited(seed) });
        world.run_for(Duration::from_secs(wait_s));
        let (_, batches) = evidence(&world);
        let forker = world.peers[5].key;
        let opened = batches.iter().map(|signed| signed.open().expect("a batch"));
        let first = opened.clone().find(|batch| batch.author == forker).expect("it has worked");
        let other = Batch { statements: vec![Statement::Cancel], ..first };
        let signed = SignedBatch::new(wire::encode(&other).into(), truth::SIGNATURE);
        world.hear(0, signed);
        let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
        assert_eq!((report.accepted, report.wrong_accepted), (600, 0), "seed {seed}: {report:?}");
        // What it had said may be shown by the owner's word, some time after the release.
        world.run_for(Duration::from_secs(40));
        let (manifest, batches) = evidence(&world);
        let audited = replay(&manifest, &batches).audit().expect("an audited job");
        let audited = audited.unwrap_or_else(|flaw| panic!("seed {seed}: {flaw}"));
        by_word += audited.by_word;
    }
    assert!(by_word > 0, "it had answered before it forked");
}

/// Units that take no time at all are not held up by anything that waits for a clock.
#[test]
fn an_audit_waits_for_nobody_who_answers() {
    let cost = Cost { mean: 0.001, ..Cost::default() };
    let network = Network { latency_ms: [1, 3], loss: 0.0, ..Network::default() };
    let attacker = attackers(Kind::Naive, 0.34, 0.2);
    let scenario = Scenario { peers: 6, attacker, cost, network, ..audited(1) };
    let (_, report) = run_to_the_last_unit(scenario);
    assert!(report.makespan_s < 20.0, "{report:?}");
}

/// A batch of somebody's, the first of a log.
fn batch(author: PeerKey, statements: Vec<Statement>) -> (SignedBatch, Arc<Batch>) {
    let place = Place { incarnation: 1, sequence: 0 };
    let previous = Hash::default();
    let batch = Batch { job: JobId(Hash::of(b"job")), lot: 0, author, place, previous, statements };
    let signed = SignedBatch::new(wire::encode(&batch).into(), tests::truth::SIGNATURE);
    (signed, Arc::new(batch))
}

/// An owner may say what it likes of another's answer: only what was committed to is believed, of audited
/// jobs alone, and nobody is blamed for its word.
#[test]
fn an_owners_word_opens_nothing_that_was_not_committed_to() {
    let (owner, victim) = (PeerKey([1; 32]), PeerKey([2; 32]));
    let job = JobId(Hash::of(b"job"));
    let answer = |fuel| Answer::new(Outcome::OutOfFuel, fuel);
    let hash = commitment(job, 0, victim, &answer(7), &[3; 16]);
    let members = vec![Member { key: victim, weight: 1, arch: 0, circle: 0 }];
    let release = |fuel| Release { unit: 0, member: Some(0), answer: answer(fuel), nonce: [3; 16] };
    let course = |fuel| {
        let roster = AuditStep::Roster { first: 0, of: 1, members: members.clone() };
        let lost = AuditStep::Lost { peer: victim, convicted: true };
        let steps = vec![roster, lost, AuditStep::Released(vec![release(fuel)])];
        batch(owner, vec![Statement::Audit { first: 0, steps }])
    };
    let committed = || batch(victim, vec![Statement::Commits(vec![Commit { unit: 0, hash }])]);
    let audited = Profile::Audited(AuditTerms::new(1_000, Hash::default()));
    for (profile, fuel, opens) in
        [(Profile::quorum(2), 7, false), (audited, 8, false), (audited, 7, true)]
    {
        for early in [false, true] {
            let manifest = truth::urgent(owner, 1, 1, profile, 0, (1, 0)).open().expect("sound");
            let mut board = Board::new(job, &manifest, 0);
            let mut heard = [committed(), course(fuel)];
            if early {
                heard.reverse();
            }
            let faults = heard.map(|(signed, batch)| board.merge(signed, batch).unwrap().faults);
            let refused = faults.concat() == [Fault::NotAudited];
            assert_eq!(refused, profile == Profile::quorum(2), "{profile:?}");
            let voucher = board.unit(0).and_then(|unit| unit.vouchers.first()).expect("a commit");
            assert_eq!(voucher.live(), opens.then(|| answer(7)).as_ref(), "{profile:?}, {fuel}");
            assert!(voucher.fits != Some(false));
            let marks = &board.unit(0).expect("known").standing.marks;
            assert!(marks.iter().all(|(_, mark)| *mark != Mark::Wrong), "{marks:?}");
            let verified = matches!(board.verdicts(0..1)[0], Verdict::Verified { .. });
            assert_eq!(verified, opens, "{profile:?}, {fuel}, {early}");
        }
    }
}
