//! How fast a board takes in what peers say: `cargo bench --package benches --bench mind`.
//!
//! The statements are those of a job at `quorum = 2` in which nobody errs: two commits and two
//! citing openings a unit. The reference is the least that any design must do with such bytes:
//! decode them with postcard. Both are timed in the same run; the last line is the result in JSON,
//! by the best round of each. Signatures are checked elsewhere and are no part of it.
use coordinator_free_scheduler::{
    Answer, Board, Commit, Hash, JobId, Nonce, Opening, Outcome, PeerKey, Place, Profile,
    Signature, SignedBatch, Statement, UnitIndex, Verdict, commitment, statement::Batch, wire,
};
use criterion::{Criterion, Throughput};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

/// A gossip lot of the usual size.
const UNITS: u32 = 16_384;
/// Peers that share it.
const AUTHORS: u8 = 4;
/// Entries in a batch: openings with one citation each stay within a batch's bytes.
const BATCH_ENTRIES: usize = 200;

fn main() {
    let batches = batches();
    let entries: usize = batches.iter().map(entries_of).sum();
    let (mut decoding, mut merging) = (Duration::MAX, Duration::MAX);
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("statements");
    group.sample_size(20).throughput(Throughput::Elements(entries as u64));
    group.bench_function("postcard decode (reference)", |bencher| {
        bencher.iter_custom(|rounds| total(rounds, &mut decoding, || decode(&batches)));
    });
    group.bench_function("board merge", |bencher| {
        bencher.iter_custom(|rounds| total(rounds, &mut merging, || merge(&batches)));
    });
    group.finish();
    criterion.final_summary();
    report(&batches, entries, merging, decoding);
}

/// The time of all rounds, as criterion wants it; keeps the best one.
fn total(rounds: u64, best: &mut Duration, mut round: impl FnMut() -> Duration) -> Duration {
    let took = |_| {
        let took = round();
        *best = took.min(*best);
        took
    };
    (0..rounds).map(took).sum()
}

fn decode(batches: &[SignedBatch]) -> Duration {
    let since = Instant::now();
    for signed in batches {
        black_box(signed.open().expect("a batch of this bench"));
    }
    since.elapsed()
}

fn merge(batches: &[SignedBatch]) -> Duration {
    let mut board = board();
    let since = Instant::now();
    for signed in batches {
        let batch = Arc::new(signed.open().expect("a batch of this bench"));
        let merged = board.merge(signed.clone(), batch).expect("a batch in its place");
        assert!(merged.faults.is_empty(), "nobody errs here");
    }
    let took = since.elapsed();
    let verified = |verdict: &Verdict| matches!(verdict, Verdict::Verified { .. });
    assert!(board.verdicts(0..UNITS).iter().all(verified), "the work was done");
    took
}

fn report(batches: &[SignedBatch], entries: usize, merging: Duration, decoding: Duration) {
    // Filtered out on the command line: nothing was measured.
    if merging == Duration::MAX || decoding == Duration::MAX {
        return;
    }
    let per_s = |took: Duration| (entries as f64 / took.as_secs_f64()).round();
    let line = serde_json::json!({
        "bench": "mind",
        "units": UNITS,
        "entries": entries,
        "bytes": batches.iter().map(|signed| signed.bytes().len()).sum::<usize>(),
        "merged_entries_per_s": per_s(merging),
        "reference": "postcard decode of the same bytes",
        "reference_entries_per_s": per_s(decoding),
        "times_reference": merging.as_secs_f64() / decoding.as_secs_f64(),
    });
    println!("{line}");
}

fn job() -> JobId {
    JobId(Hash::of(b"bench"))
}

fn peer(number: u8) -> PeerKey {
    PeerKey([number; 32])
}

fn board() -> Board {
    Board::new(job(), peer(u8::MAX), 0, Profile::quorum(2), 0..UNITS)
}

/// The two peers that run a unit: every pair of neighbours gets its share.
fn runners(unit: UnitIndex) -> [u8; 2] {
    let first = (unit % u32::from(AUTHORS)) as u8;
    [first, (first + 1) % AUTHORS]
}

fn opening(unit: UnitIndex, author: u8) -> (Opening, Hash) {
    let digest = Hash::of(&unit.to_le_bytes());
    let outcome = Outcome::Exit { code: 0, digest, bytes: 4 };
    let answer = Answer { outcome, fuel: 1_000_000 + u64::from(unit) };
    let mut nonce = Nonce::default();
    nonce[..4].copy_from_slice(&unit.to_le_bytes());
    nonce[4] = author;
    let hash = commitment(job(), unit, peer(author), &answer, &nonce);
    (Opening { unit, answer, nonce, cites: Vec::new() }, hash)
}

/// All that is said: first every commit, then every opening, as far as one log goes.
fn batches() -> Vec<SignedBatch> {
    let said = (0..AUTHORS).flat_map(|author| {
        let (mut commits, mut openings) = (Vec::new(), Vec::new());
        for unit in (0..UNITS).filter(|unit| runners(*unit).contains(&author)) {
            let (mut opening, hash) = opening(unit, author);
            let others = runners(unit).into_iter().filter(|runner| *runner != author);
            opening.cites = others.map(|other| self::opening(unit, other).1).collect();
            commits.push(Commit { unit, hash });
            openings.push(opening);
        }
        let commits = commits.chunks(BATCH_ENTRIES).map(|part| Statement::Commits(part.to_vec()));
        let openings =
            openings.chunks(BATCH_ENTRIES).map(|part| Statement::Openings(part.to_vec()));
        log(author, commits.chain(openings))
    });
    said.collect()
}

/// One author's log.
fn log(author: u8, statements: impl Iterator<Item = Statement>) -> Vec<SignedBatch> {
    let mut previous = Hash::default();
    let signed = statements.enumerate().map(|(at, statement)| {
        let place = Place { incarnation: 1, sequence: at as u32 };
        let (author, statements) = (peer(author), vec![statement]);
        let batch = Batch { job: job(), lot: 0, author, place, previous, statements };
        let bytes = wire::encode(&batch).into();
        let signed = SignedBatch::new(bytes, Signature([0; 64]));
        previous = signed.hash();
        signed
    });
    signed.collect()
}

fn entries_of(signed: &SignedBatch) -> usize {
    let batch = signed.open().expect("a batch of this bench");
    batch.statements.iter().map(Statement::entries).sum()
}
