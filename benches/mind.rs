//! How fast a board takes in what peers say: `cargo bench --package benches --bench mind`.
//!
//! The statements are those of a job at `quorum = 2` in which nobody errs: two commits and two
//! citing openings a unit. The reference is the least that any design must do with such bytes:
//! decode them with postcard. Both are timed in the same run; the last line is the result in JSON,
//! by the best round of each. Signatures are checked elsewhere and are no part of it.
mod said;

use coordinator_free_scheduler::{Board, SignedBatch, Statement, Verdict};
use criterion::{Criterion, Throughput};
use said::{UNITS, batches};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

fn main() {
    let batches: Vec<SignedBatch> = batches().concat();
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

fn board() -> Board {
    Board::new(said::job(), &said::manifest().open().expect("a sound manifest"), 0)
}

fn entries_of(signed: &SignedBatch) -> usize {
    let batch = signed.open().expect("a batch of this bench");
    batch.statements.iter().map(Statement::entries).sum()
}
