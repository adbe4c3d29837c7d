//! Laws that hold for whatever peers may say, in whatever order it comes.
//!
//! Stories are drawn at random: some authors keep to the rules, some fork, equivocate, cite what
//! never was or speak of units that do not exist. Nodes listen; they do not work.
mod story;

use coordinator_free_scheduler::{
    ARCHIVE_MS, Config, Hash, Input, JobId, Message, Millis, Node, Notice, Output, PeerRecord,
    Profile, Query, SignedBatch, SignedManifest, Stamp, Verdict, wire,
};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::RngSeed};
use std::{
    collections::{BTreeSet, VecDeque},
    env,
    sync::Arc,
};
use story::{AUTHORS, UNITS, stories};
use tests::truth;

const NOW: Millis = Millis(1_000);

/// A job by votes, of which its owner may compute units again.
fn manifest() -> SignedManifest {
    truth::urgent(truth::key(0), UNITS, UNITS / 2, Profile::rechecked(2, 10), 7, (1, 0))
}

/// The same by votes alone.
fn plain() -> SignedManifest {
    truth::manifest(truth::key(0), UNITS, UNITS / 2, 2, 7)
}

/// A node that knows the job and nothing else.
fn listener(number: usize) -> Node {
    listener_to(number, manifest())
}

fn listener_to(number: usize, signed: SignedManifest) -> Node {
    let me = truth::key(100 + number);
    let mut node = Node::new(Config::new(me, 1, 1));
    node.resume(NOW);
    let from = truth::key(0);
    let manifest = Box::new(signed.open().expect("a manifest"));
    node.handle(NOW, Input::Manifest { from, signed: signed.clone(), manifest });
    node.follow(signed.id());
    node
}

fn hear(node: &mut Node, signed: &SignedBatch) {
    if let Ok(batch) = signed.open() {
        let (from, batch) = (batch.author, Arc::new(batch));
        node.handle(NOW, Input::Batch { from, signed: signed.clone(), batch });
    }
    while node.poll_output().is_some() {}
}

/// What a node has come to think: every verdict, and its opinion of every author.
fn opinion(node: &Node, job: JobId) -> (Vec<Verdict>, Vec<String>) {
    let known = node.job(job).expect("known");
    let verdicts = known.verdicts(0..UNITS);
    // Silence is a matter of each node's own clock.
    let record = |author| PeerRecord { silent: 0, ..node.ledger().record(truth::key(author)) };
    let records = (0..AUTHORS).map(record);
    (verdicts, records.map(|record| format!("{record:?}")).collect())
}

fn told(node: usize, batches: &[SignedBatch], order: &[Index]) -> Node {
    let mut node = listener(node);
    order.iter().for_each(|index| hear(&mut node, index.get(batches)));
    node
}

/// Lets two nodes compare in turn, and exchange what differs, until they hold the same.
fn reconcile(one: &mut Node, other: &mut Node) {
    for round in 0..50 {
        if one.digests() == other.digests() {
            return;
        }
        let (asks, asked) = if round % 2 == 0 { (&*one, &*other) } else { (&*other, &*one) };
        let digest = Message::Query(Query::Digest(asks.digests()));
        let mut mail = VecDeque::from([(asked.me(), asks.me(), digest)]);
        while let Some((to, from, message)) = mail.pop_front() {
            let node = if to == one.me() { &mut *one } else { &mut *other };
            match message {
                Message::Query(query) => node.handle(NOW, Input::Query { from, query }),
                Message::Batches(batches) => batches.iter().for_each(|signed| {
                    let batch = Arc::new(signed.open().expect("within the limits"));
                    node.handle(NOW, Input::Batch { from, signed: signed.clone(), batch });
                }),
                Message::Manifests(_) => {}
            }
            let me = node.me();
            while let Some(output) = node.poll_output() {
                if let Output::Send { to, message } = output {
                    mail.push_back((to, me, message));
                }
            }
        }
    }
    panic!("two nodes never agree")
}

/// The same stories each time, unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` ask for others.
fn explore() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0);
    }
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 4_000;
    }
    config
}

/// Whether some batches leave no gap: each has the one before it among them.
fn unbroken<'a>(batches: impl Iterator<Item = &'a SignedBatch> + Clone) -> bool {
    let known: BTreeSet<Hash> = batches.clone().map(SignedBatch::hash).collect();
    let opened = batches.filter_map(|signed| signed.open().ok());
    opened.into_iter().all(|batch| batch.place.sequence == 0 || known.contains(&batch.previous))
}

proptest! {
    #![proptest_config(explore())]

    /// Merging is commutative and idempotent: order and repetition change nothing.
    #[test]
    fn order_and_repetition_change_nothing(
        story in stories(manifest().id()),
        again in vec(any::<Index>(), 0..20),
        swaps in vec((any::<Index>(), any::<Index>()), 0..40),
    ) {
        prop_assume!(!story.is_empty());
        let mut shuffled = story.clone();
        for (one, other) in swaps {
            let (one, other) = (one.index(story.len()), other.index(story.len()));
            shuffled.swap(one, other);
        }
        shuffled.extend(again.iter().map(|index| index.get(&story).clone()));
        let (mut in_order, mut out_of_order) = (listener(0), listener(0));
        let (first, rest) = story.split_at(story.len() / 2);
        first.iter().for_each(|batch| hear(&mut in_order, batch));
        // What is decided by then is put away, and read again when it is spoken of.
        in_order.handle(NOW.plus(ARCHIVE_MS + 10_000), Input::Tick);
        while in_order.poll_output().is_some() {}
        rest.iter().for_each(|batch| hear(&mut in_order, batch));
        shuffled.iter().for_each(|batch| hear(&mut out_of_order, batch));
        let job = manifest().id();
        prop_assert_eq!(in_order.digests(), out_of_order.digests());
        prop_assert_eq!(opinion(&in_order, job), opinion(&out_of_order, job));
        prop_assert_eq!(in_order.check(), Ok(()));
        prop_assert_eq!(out_of_order.check(), Ok(()));
    }

    /// Merging is associative: whatever two nodes heard before, in part and with losses, once they
    /// have exchanged what differs they are as one that heard all of it. What waits for a batch that
    /// nobody has is not exchanged; if there is a proof in it, who heard both its halves tells.
    #[test]
    fn exchange_makes_up_for_every_loss(
        story in stories(manifest().id()),
        mine in vec(any::<Index>(), 0..30),
        yours in vec(any::<Index>(), 0..30),
    ) {
        prop_assume!(!story.is_empty());
        let (mut one, mut other) = (told(0, &story, &mine), told(1, &story, &yours));
        reconcile(&mut one, &mut other);
        let both: Vec<Index> = mine.iter().chain(&yours).copied().collect();
        let mut all = told(2, &story, &both);
        let job = manifest().id();
        let heard_all = opinion(&all, job);
        prop_assert_eq!(opinion(&one, job), opinion(&other, job));
        if unbroken(both.iter().map(|index| index.get(&story))) {
            prop_assert_eq!(&opinion(&one, job), &heard_all);
        }
        reconcile(&mut one, &mut all);
        reconcile(&mut other, &mut all);
        for node in [&one, &other, &all] {
            prop_assert_eq!(&opinion(node, job), &heard_all);
            prop_assert_eq!(node.check(), Ok(()));
        }
    }

    /// A node never takes for verified what fewer than two authors answered alike.
    #[test]
    fn verdicts_rest_on_two_authors(story in stories(plain().id())) {
        let mut node = listener_to(0, plain());
        for batch in &story {
            if let Ok(opened) = batch.open() {
                let (from, opened) = (opened.author, Arc::new(opened));
                node.handle(NOW, Input::Batch { from, signed: batch.clone(), batch: opened });
            }
            while let Some(output) = node.poll_output() {
                if let Output::Notice(Notice::Verdict { verdict, .. }) = output
                    && let Verdict::Verified { vouchers, .. } = verdict
                {
                    prop_assert!(vouchers.len() >= 2 && vouchers.is_sorted(), "{:?}", vouchers);
                }
            }
        }
    }

    /// Bytes from anywhere are a value or an error; what is a value has one form only.
    #[test]
    fn bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), cut in any::<Index>()) {
        if let Ok(message) = wire::decode::<Message>(&bytes, 1 << 20) {
            prop_assert!(wire::encode(&message).len() <= bytes.len());
        }
        let signed = SignedManifest { bytes: bytes.clone(), signature: bytes, stamp: Stamp(0) };
        prop_assert!(signed.open().is_err());
        let batch = story::plain(manifest().id());
        let shorter = &batch.bytes()[..cut.index(batch.bytes().len())];
        let shorter = SignedBatch::new(shorter.into(), batch.signature());
        prop_assert!(shorter.open().is_err());
    }
}
