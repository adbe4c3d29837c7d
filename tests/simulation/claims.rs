//! What a stranger's word about its work is worth before it has delivered anything.
use coordinator_free_scheduler::{
    ClaimedUnits, Config, Hash, Input, JobId, Millis, Node, Pace, Place, SignedBatch, Span, Speed,
    Statement, UNRELEASED_MIN, statement::Batch, wire,
};
use std::sync::Arc;
use tests::truth;

const UNITS: u32 = 2_000;

/// A node that takes part in a job of another's.
fn listener() -> (Node, JobId) {
    let me = truth::key(9);
    let mut node = Node::new(Config { me, incarnation: 1, seed: 1, pace: Pace::default() });
    node.resume(Millis(0));
    let signed = truth::manifest(truth::key(0), UNITS, UNITS, 1, 0);
    let (manifest, job) = (Box::new(signed.open().expect("a manifest")), signed.id());
    node.handle(Millis(0), Input::Manifest { from: truth::key(0), signed, manifest });
    node.follow(job);
    (node, job)
}

/// A stranger's batches, one after the other.
struct Stranger {
    job: JobId,
    place: Place,
    previous: Hash,
}

impl Stranger {
    fn claims(&mut self, node: &mut Node, now: Millis, units: u32) {
        let speed = Speed { log2_fuel_per_ms: 40, slots: 255 };
        let spans = vec![Span { first: 0, count: units }];
        let claimed = ClaimedUnits { spans, rescues: Vec::new(), speed };
        let (job, place, previous) = (self.job, self.place, self.previous);
        let (author, statements) = (truth::key(5), vec![Statement::Claim(claimed)]);
        let batch = Batch { job, lot: 0, author, place, previous, statements };
        let signed = SignedBatch::new(wire::encode(&batch).into(), truth::SIGNATURE);
        self.place.sequence += 1;
        self.previous = signed.hash();
        node.handle(now, Input::Batch { from: author, signed, batch: Arc::new(batch) });
    }
}

#[test]
fn who_delivers_nothing_binds_little_and_each_time_for_longer_nothing() {
    let (mut node, job) = listener();
    let place = Place { incarnation: 7, sequence: 0 };
    let mut stranger = Stranger { job, place, previous: Hash::default() };
    let bound = |node: &Node| node.status(job).expect("known").running as usize;
    let lease = Pace::default().lease_ms;
    let mut now = Millis(1_000);
    // Each time its lease ends it is believed again only after twice as long.
    for times in [2, 4, 8] {
        stranger.claims(&mut node, now, UNITS);
        assert_eq!(bound(&node), UNRELEASED_MIN, "a claim on everything, {times}");
        now = now.plus(lease);
        node.handle(now, Input::Tick);
        assert_eq!(bound(&node), 0, "the lease has ended, {times}");
        stranger.claims(&mut node, now.plus(lease * times - 1), UNITS);
        assert_eq!(bound(&node), 0, "it is not believed yet, {times}");
        now = now.plus(lease * times);
        stranger.claims(&mut node, now, 0);
    }
}
