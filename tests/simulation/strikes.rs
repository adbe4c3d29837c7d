//! What one submitter's jobs say of a peer bars it from that submitter's jobs, and from no others.
use crate::explain::{NOW, agree, commit, listener, open, story, voucher};
use coordinator_free_scheduler::{Input, JobId, Node, Uncounted};
use tests::{truth, voice::Voice};

/// Two friends outvote a peer in some units of a job.
fn outvoted(node: &mut Node, job: JobId, units: u32) {
    let (mut friends, mut peer) = ([Voice::new(5, job), Voice::new(6, job)], Voice::new(7, job));
    for unit in 0..units {
        let other = truth::wrong(peer.key, job, unit);
        peer.says(node, NOW, commit(&peer, job, unit, &other));
        peer.says(node, NOW, open(&peer, job, unit, &other, Vec::new()));
        agree(node, job, unit, &mut friends, |_, _, _| {});
    }
}

/// Whether the node counts on that peer in a job: it has committed to its last unit.
fn counted(node: &mut Node, job: JobId) -> bool {
    let mut peer = Voice::new(7, job);
    // A log of its own, as after a restart.
    peer.restart();
    peer.says(node, NOW, commit(&peer, job, 9, &truth::right(job, 9, 1)));
    let told = story(node, job, 9);
    match voucher(&told, peer.key).uncounted {
        None => true,
        Some(Uncounted::Barred) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_submitter_alone_bars_nobody_from_others_jobs() {
    let manifest = |owner: usize, salt| truth::manifest(truth::key(owner), 10, 10, 2, salt);
    let (mut node, first) = listener(manifest(0, 0));
    let hear = |node: &mut Node, owner, salt| {
        let signed = manifest(owner, salt);
        let (job, read) = (signed.id(), Box::new(signed.open().expect("a manifest")));
        node.handle(NOW, Input::Manifest { from: truth::key(owner), signed, manifest: read });
        node.follow(job);
        job
    };
    // However many jobs a submitter has, they are one strike.
    let again = hear(&mut node, 0, 1);
    let (second, third, fourth) =
        (hear(&mut node, 1, 2), hear(&mut node, 2, 3), hear(&mut node, 3, 4));
    outvoted(&mut node, first, 4);
    outvoted(&mut node, again, 4);
    assert!(!counted(&mut node, first));
    assert!(counted(&mut node, second) && counted(&mut node, third));
    // Less than a strike is none.
    outvoted(&mut node, second, 2);
    assert!(counted(&mut node, third));
    // Two submitters who need not know each other suffice.
    outvoted(&mut node, fourth, 3);
    assert!(!counted(&mut node, third));
    let later = hear(&mut node, 4, 5);
    assert!(!counted(&mut node, later));
}
