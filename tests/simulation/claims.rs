//! What a stranger's word about its work is worth before it has delivered anything.
use coordinator_free_scheduler::{
    BEAT_MS, BEATS_MISSED, ClaimedUnits, Commit, Config, Input, JobId, Millis, Node, Opening, Pace,
    Span, Speed, Statement, UNRELEASED_MIN, commitment,
};
use tests::{truth, voice::Voice};

const UNITS: u32 = 2_000;

/// A node that takes part in a job of another's.
fn listener() -> (Node, JobId) {
    let me = truth::key(9);
    let mut node = Node::new(Config::new(me, 1, 1));
    node.resume(Millis(0));
    let signed = truth::manifest(truth::key(0), UNITS, UNITS, 1, 0);
    let (manifest, job) = (Box::new(signed.open().expect("a manifest")), signed.id());
    node.handle(Millis(0), Input::Manifest { from: truth::key(0), signed, manifest });
    node.follow(job);
    (node, job)
}

/// Units of the job that somebody holds.
fn bound(node: &Node, job: JobId) -> usize {
    node.status(job).expect("known").running as usize
}

/// A stranger claims that it is on the first so many units, and very fast.
fn claims(stranger: &mut Voice, node: &mut Node, now: Millis, units: u32) {
    let speed = Speed { log2_fuel_per_ms: 40, slots: 255 };
    let spans = vec![Span { first: 0, count: units }];
    let claimed = ClaimedUnits { spans, rescues: Vec::new(), speed };
    stranger.says(node, now, vec![Statement::Claim(claimed)]);
}

#[test]
fn who_delivers_nothing_binds_little_and_each_time_for_longer_nothing() {
    let (mut node, job) = listener();
    let mut stranger = Voice::new(5, job);
    let lease = Pace::default().lease_ms;
    let mut now = Millis(1_000);
    // Each time its lease ends it is believed again only after twice as long.
    for times in [2, 4, 8] {
        claims(&mut stranger, &mut node, now, UNITS);
        assert_eq!(bound(&node, job), UNRELEASED_MIN, "a claim on everything, {times}");
        now = now.plus(lease);
        node.handle(now, Input::Tick);
        assert_eq!(bound(&node, job), 0, "the lease has ended, {times}");
        claims(&mut stranger, &mut node, now.plus(lease * times - 1), UNITS);
        assert_eq!(bound(&node, job), 0, "it is not believed yet, {times}");
        now = now.plus(lease * times);
        claims(&mut stranger, &mut node, now, 0);
    }
}

#[test]
fn what_the_silent_hold_is_open_again_before_their_lease_ends() {
    let (mut node, job) = listener();
    let mut stranger = Voice::new(5, job);
    // It delivers ten units that cost it ten seconds each, and so holds its next for long.
    for unit in 100..110 {
        let answer = truth::right(job, unit, 10_000 << 10);
        let nonce = truth::nonce(truth::key(5), job, unit);
        let hash = commitment(job, unit, truth::key(5), &answer, &nonce);
        let commit = Statement::Commits(vec![Commit { unit, hash }]);
        let opening = Opening { unit, answer, nonce, cites: Vec::new() };
        stranger.says(&mut node, Millis(1), vec![commit, Statement::Openings(vec![opening])]);
    }
    let speed = Speed { log2_fuel_per_ms: 10, slots: 1 };
    let claimed =
        ClaimedUnits { spans: vec![Span { first: 0, count: 20 }], speed, ..Default::default() };
    let claim = || vec![Statement::Claim(claimed.clone())];
    stranger.says(&mut node, Millis(2), claim());
    let silence = BEATS_MISSED * BEAT_MS;
    // A sign of life now and then, and nothing is taken from it …
    for beat in 1..=BEATS_MISSED {
        stranger.says(&mut node, Millis(2 + beat * BEAT_MS), claim());
        node.handle(Millis(3 + beat * BEAT_MS), Input::Tick);
        assert_eq!(bound(&node, job), 20, "after {beat} signs of life");
    }
    // … until there is none.
    node.handle(Millis(2 + 2 * silence), Input::Tick);
    assert_eq!(bound(&node, job), 20, "just in time");
    node.handle(Millis(2 + 2 * silence + BEAT_MS), Input::Tick);
    assert_eq!(bound(&node, job), 0);
}
