//! How much memory a unit takes in a node's mind: `cargo bench --package benches --bench memory`.
//!
//! Every allocation is counted while a submitter's node hears of a job at `quorum = 2` all that its
//! peers say, after each step the difference by unit. The statements themselves are kept as they
//! came, signed, for others to ask for: their bytes are told apart, since what is known of a unit
//! comes on top of them. The last line is the result in JSON.
mod said;

use coordinator_free_scheduler::{
    ARCHIVE_MS, Config, Input, JobState, Millis, Node, Output, SignedBatch,
};
use said::{UNITS, batches};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Bytes that are allocated now, by size as asked for.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all is handed on to the system's allocator as it came; beside it only a number changes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as our caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as our caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    let [commits, openings] = batches();
    let log_bytes: usize = commits.iter().chain(&openings).map(|one| one.bytes().len()).sum();
    let before = ALLOCATED.load(Ordering::Relaxed);
    let since_then = || ALLOCATED.load(Ordering::Relaxed) - before;

    let mut node = Node::new(Config::new(said::owner(), 1, 1));
    node.resume(Millis(0));
    let job = node.submit(Millis(0), said::manifest()).expect("a good manifest");
    settle(&mut node, Millis(1));
    let blank = since_then();
    hear(&mut node, &commits);
    let open = since_then();
    hear(&mut node, &openings);
    assert_eq!(node.status(job).map(|job| job.state), Some(JobState::Done), "the work was done");
    settle(&mut node, Millis(2 * ARCHIVE_MS));
    let finished = since_then();

    let by_unit = |bytes: usize| (bytes as f64 / f64::from(UNITS) * 10.0).round() / 10.0;
    let line = serde_json::json!({
        "bench": "memory",
        "units": UNITS,
        "bytes_per_untouched_unit": by_unit(blank),
        "bytes_per_open_unit": by_unit(open),
        "bytes_per_finished_unit": by_unit(finished),
        "log_bytes_per_finished_unit": by_unit(log_bytes),
    });
    println!("{line}");
}

fn hear(node: &mut Node, batches: &[SignedBatch]) {
    for signed in batches {
        let batch = Arc::new(signed.open().expect("a batch of this bench"));
        let (from, signed) = (batch.author, signed.clone());
        node.handle(Millis(2), Input::Batch { from, signed, batch });
        settle(node, Millis(3));
    }
}

/// Does what the node wants done: it has something to write now and then.
fn settle(node: &mut Node, now: Millis) {
    node.handle(now, Input::Tick);
    while let Some(output) = node.poll_output() {
        if let Output::Persist { ticket, .. } = output {
            node.handle(now, Input::Persisted { ticket, signatures: Vec::new() });
        }
    }
}
