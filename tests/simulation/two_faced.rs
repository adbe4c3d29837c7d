//! Peers that take back what they said, after it counted: nothing is lost but their own word.
use crate::{
    audited::{audited, evidence, replay},
    checked::checked,
};
use coordinator_free_scheduler::{
    Answer, AuditStep, Board, Commit, Hash, Opening, PeerKey, Place, Profile, Release, SignedBatch,
    Statement, Verdict, commitment, statement::Batch, wire,
};
use std::{sync::Arc, time::Duration};
use tests::{Scenario, World, truth};

/// The peer that does it, once it is gone: what follows in its log is said by somebody else.
const PEER: usize = 5;

/// The next batch of the peer's log in the first lot: it shows other answers than it committed to.
fn contradiction(world: &World) -> SignedBatch {
    let key = world.peers[PEER].key;
    let (_, batches) = evidence(world);
    let opened = batches.iter().map(|signed| (signed, signed.open().expect("a batch")));
    let mine = opened.filter(|(_, batch)| batch.author == key && batch.lot == 0);
    let mine: Vec<(&SignedBatch, Batch)> = mine.collect();
    let (last, batch) = mine.iter().max_by_key(|(_, batch)| batch.place).expect("it has worked");
    let commits = mine.iter().flat_map(|(_, batch)| &batch.statements);
    let units = commits.filter_map(|statement| match statement {
        Statement::Commits(commits) => Some(commits.iter().map(|commit| commit.unit)),
        _ => None,
    });
    let other = |unit| Opening {
        unit,
        answer: truth::wrong(key, batch.job, unit),
        nonce: truth::nonce(key, batch.job, unit),
        cites: Vec::new(),
    };
    let statements = vec![Statement::Openings(units.flatten().map(other).collect())];
    let mut place = batch.place;
    place.sequence += 1;
    let next = Batch { place, previous: last.hash(), statements, ..batch.clone() };
    SignedBatch::new(wire::encode(&next).into(), truth::SIGNATURE)
}

/// Runs until the peer has answered a while, has it contradict itself, and runs to the end.
fn spoiled(scenario: Scenario, after_s: u64) -> World {
    let seed = scenario.seed;
    let mut world = World::new(Scenario { check_every: 97, ..scenario });
    world.run_for(Duration::from_secs(after_s));
    world.kill(PEER);
    let contradiction = contradiction(&world);
    world.hear(0, contradiction);
    world.run_for(Duration::from_secs(60));
    let report = world.run().unwrap_or_else(|open| panic!("seed {seed}: {open}"));
    assert_eq!((report.accepted, report.wrong_accepted), (600, 0), "seed {seed}: {report:?}");
    world
}

#[test]
fn a_member_that_contradicts_itself_spoils_no_certificate() {
    let mut by_word = 0;
    for (seed, after_s) in [(1, 20), (2, 120), (3, 400)] {
        let world = spoiled(audited(seed), after_s);
        let (manifest, batches) = evidence(&world);
        let audited = replay(&manifest, &batches).audit().expect("an audited job");
        let audited = audited.unwrap_or_else(|flaw| panic!("seed {seed}: {flaw}"));
        by_word += audited.by_word;
    }
    assert!(by_word > 0, "some of what it had said counted");
}

/// Whatever arrives first, all boards come to what the owner said last of a unit.
#[test]
fn the_last_release_of_a_unit_holds() {
    let (owner, first, second) = (truth::key(0), truth::key(1), truth::key(2));
    let signed = truth::urgent(owner, 1, 1, Profile::Checked, 0, (1, 0));
    let (job, manifest) = (signed.id(), signed.open().expect("a manifest"));
    let answers = [truth::right(job, 0, 7), truth::right(job, 0, 8)];
    let opened = |peer: PeerKey, answer: &Answer| {
        let (answer, nonce) = (answer.clone(), truth::nonce(peer, job, 0));
        let hash = commitment(job, 0, peer, &answer, &nonce);
        let opening = Opening { unit: 0, answer, nonce, cites: Vec::new() };
        let commit = Commit { unit: 0, hash };
        vec![Statement::Commits(vec![commit]), Statement::Openings(vec![opening])]
    };
    let release = |peer: PeerKey, answer: &Answer| {
        let (answer, nonce) = (answer.clone(), truth::nonce(peer, job, 0));
        AuditStep::Released(vec![Release { unit: 0, member: None, answer, nonce }])
    };
    let steps = [release(first, &answers[0]), release(second, &answers[1])];
    // What another run of the owner said later, though its place comes first.
    let (early, late) = (vec![steps[0].clone()], vec![steps[1].clone()]);
    let said = [
        (first, 1, opened(first, &answers[0])),
        (second, 1, opened(second, &answers[1])),
        (owner, 1, vec![Statement::Audit { first: 0, steps: early }]),
        (owner, 2, vec![Statement::Audit { first: 1, steps: late }]),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1], [1, 3, 0, 2]] {
        let mut board = Board::new(job, &manifest, 0);
        for at in order {
            let (author, incarnation, statements) = said[at].clone();
            let place = Place { incarnation, sequence: 0 };
            let batch = Batch { job, lot: 0, author, place, previous: Hash::default(), statements };
            let signed = SignedBatch::new(wire::encode(&batch).into(), truth::SIGNATURE);
            board.merge(signed, Arc::new(batch)).expect("it fits");
        }
        let verdict = board.verdicts(0..1).pop().expect("of one unit");
        let expected = Verdict::Verified { answer: answers[1].clone(), vouchers: vec![second] };
        assert_eq!(verdict, expected, "in the order {order:?}");
    }
}

#[test]
fn what_was_checked_and_taken_back_is_checked_anew() {
    for (seed, after_s) in [(1, 20), (2, 300)] {
        spoiled(checked(seed), after_s);
    }
}
