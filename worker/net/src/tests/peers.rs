//! Meeting, talking, keeping out.
use super::super::behaviour::Names;
use super::super::book::{Book, CALL_WAIT_MS_MAX, Call};
use super::super::outbox::WAITING_MAX;
use super::super::*;
use super::grid::{KEY, Node, QUIC, TCP, config};
use super::hostile::stranger_fails_to_reach;
use std::time::{Duration, Instant};

/// Publishes until somebody is there to hear it, since subscriptions travel after connections.
async fn publish_until_heard(from: &Net, by: &mut [&mut Node], text: &str) {
    let from = from.clone();
    let text = text.to_owned();
    let prefix = text.clone();
    let publishing = tokio::spawn(async move {
        for number in 0u32.. {
            from.publish(Topic::Shard(0), format!("{text}{number}").into_bytes());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    for node in by {
        while !node.heard().await.1.starts_with(prefix.as_bytes()) {}
    }
    publishing.abort();
}

async fn three_nodes_meet(listen: &str, key: Option<[u8; 32]>) {
    let mut a = Node::start(1, listen, &[], key).await;
    let through_a = [a.address().await];
    let mut b = Node::start(2, listen, &through_a, key).await;
    let mut c = Node::start(3, listen, &through_a, key).await;
    b.until_connected(c.key).await;
    c.until_connected(b.key).await;

    publish_until_heard(&b.net, &mut [&mut a, &mut c], "statement").await;
    for number in 0..WAITING_MAX as u32 - 24 {
        let mut message = vec![0; 32 * 1024];
        message[..4].copy_from_slice(&number.to_be_bytes());
        b.net.send(c.key, message);
    }
    let mut numbers = std::collections::BTreeSet::new();
    while numbers.len() < WAITING_MAX - 24 {
        let (from, bytes) = c.message().await;
        assert_eq!((from, bytes.len()), (b.key, 32 * 1024));
        numbers.insert(u32::from_be_bytes(bytes[..4].try_into().unwrap()));
    }
    assert_eq!(b.net.counters().messages_dropped.load(Ordering::Relaxed), 0);

    let mut expected = [a.key, c.key];
    expected.sort();
    let peers = b.net.peers().await;
    assert_eq!(peers.iter().map(|peer| peer.key).collect::<Vec<_>>(), expected);
    assert!(peers[0].addrs[0].ends_with(&peers[0].peer_id));
    let metrics = a.net.metrics_text();
    assert!(metrics.contains("libp2p_swarm_connections_established") && !metrics.contains("# EOF"));
    assert!(a.net.counters().gossip_bytes_in.load(Ordering::Relaxed) > 0);
    for node in [a, b, c] {
        node.net.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_meet_through_one_over_quic() {
    three_nodes_meet(QUIC, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_meet_through_one_over_tcp_with_a_key() {
    three_nodes_meet(TCP, Some(KEY)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_without_the_key_completes_no_handshake() {
    let mut a = Node::start(1, TCP, &[], Some(KEY)).await;
    let address = a.address().await;
    stranger_fails_to_reach(&address, None).await;
    stranger_fails_to_reach(&address, Some([8; 32])).await;
    let friend = Node::start(2, TCP, &[address], Some(KEY)).await;
    let first = a.until(|event| match event {
        NetEvent::Connected(key) => Some(key),
        _ => None,
    });
    assert_eq!(first.await, friend.key);
}

#[tokio::test(flavor = "multi_thread")]
async fn gossip_is_passed_on_only_after_the_verdict() {
    let mut a = Node::start(1, QUIC, &[], None).await;
    let through_a = [a.address().await];
    let mut b = Node::start(2, QUIC, &through_a, None).await;
    let mut c = Node::with(config(3, QUIC, &[], None), Arc::default()).await;
    b.net.block(c.key);
    c.net.block(b.key);
    c.net.dial(through_a[0].clone());
    b.until_connected(a.key).await;
    c.until_connected(a.key).await;
    // The mesh stands both ways once each end was heard at the middle.
    publish_until_heard(&c.net, &mut [&mut a], "from c").await;
    publish_until_heard(&b.net, &mut [&mut a], "from b").await;

    b.net.publish(Topic::Jobs, b"wrong".to_vec());
    b.net.publish(Topic::Jobs, b"dull".to_vec());
    let mut good = 0u32;
    let heard_by_c = loop {
        b.net.publish(Topic::Jobs, format!("good{good}").into_bytes());
        good += 1;
        let (id, bytes) = a.heard().await;
        let verdict = match bytes.as_slice() {
            b"wrong" => Acceptance::Reject,
            b"dull" => Acceptance::Ignore,
            bytes if bytes.starts_with(b"good") => Acceptance::Forward,
            _ => Acceptance::Ignore,
        };
        a.net.accept(id, verdict);
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(100), c.heard()).await {
            break heard.1;
        }
    };
    assert!(heard_by_c.starts_with(b"good"), "{:?}", String::from_utf8_lossy(&heard_by_c));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_peer_that_comes_back_is_found_again() {
    let mut a = Node::start(1, TCP, &[], None).await;
    let address = a.address().await;
    let mut b = Node::start(2, TCP, std::slice::from_ref(&address), None).await;
    b.until_connected(a.key).await;
    let key = a.key;
    a.net.stop().await;
    b.until(|event| matches!(event, NetEvent::Disconnected(peer) if peer == key).then_some(()))
        .await;
    let place = address.split("/p2p/").next().unwrap();
    let again = Node::start(1, place, &[], None).await;
    b.until_connected(again.key).await;
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_by_name() {
    let refusal = async |change: fn(&mut NetConfig)| {
        let mut config = config(1, TCP, &[], None);
        change(&mut config);
        let (events, _) = mpsc::channel(1);
        let shelf = Arc::new(super::grid::MemoryShelf::default());
        Net::start(config, shelf, events).await.err().map(|e| e.to_string()).unwrap_or_default()
    };
    let quic_and_key =
        refusal(|c| (c.network_key, c.listen) = (Some(KEY), vec![QUIC.to_owned()])).await;
    assert!(
        quic_and_key.contains("QUIC") && quic_and_key.contains("network key"),
        "{quic_and_key}"
    );
    let quic_bootstrap =
        refusal(|c| (c.network_key, c.bootstrap) = (Some(KEY), vec![QUIC.to_owned()])).await;
    assert!(quic_bootstrap.contains("bootstrap address"), "{quic_bootstrap}");
    let no_address = refusal(|c| c.listen = vec!["localhost:4001".to_owned()]).await;
    assert!(no_address.contains("listen address \"localhost:4001\""), "{no_address}");
    let no_name = refusal(|c| c.network = "Über/x".to_owned()).await;
    assert!(no_name.contains("network name"), "{no_name}");
    let not_ours = refusal(|c| c.listen = vec!["/ip4/203.0.113.1/tcp/0".to_owned()]).await;
    assert!(not_ours.contains("cannot listen on /ip4/203.0.113.1/tcp/0: "), "{not_ours}");
    assert!(!not_ours.ends_with(": "), "{not_ours}");
}

#[test]
fn a_bootstrap_address_is_called_with_growing_waits_until_it_answers() {
    let me = libp2p::PeerId::random();
    let other = libp2p::PeerId::random();
    let address: libp2p::Multiaddr = "/ip4/192.0.2.1/tcp/4001".parse().unwrap();
    let start = Instant::now();
    let mut book = Book::new(me, vec![address.clone()], start);
    let call = || vec![Call { peer: None, addresses: vec![address.clone()] }];
    let calls: Vec<u64> =
        (0..300u64).filter(|s| book.due(start + Duration::from_secs(*s)) == call()).collect();
    let waits: Vec<u64> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.is_sorted() && waits.last() == Some(&(CALL_WAIT_MS_MAX / 1000)), "{waits:?}");

    let later = start + Duration::from_secs(1000);
    let connection = libp2p::swarm::ConnectionId::new_unchecked(1);
    book.opened(other, connection, address.clone(), true, later);
    assert_eq!(book.due(later + Duration::from_secs(100)), vec![]);
    book.closed(other, connection);
    let calls = book.due(later + Duration::from_secs(100));
    assert!(calls.iter().all(|call| call.peer == Some(other)) && !calls.is_empty());
}

#[test]
fn topics_are_read_back_from_their_names() {
    let names = Names::new("test");
    for topic in [Topic::Jobs, Topic::Shard(0), Topic::Shard(513)] {
        assert_eq!(names.topic_of(&names.topic(topic).hash()), Some(topic));
    }
    let other = Names::new("test-2");
    assert_eq!(names.topic_of(&other.topic(Topic::Jobs).hash()), None);
    assert_eq!(names.topic(Topic::Shard(3)).hash().as_str(), "/dugnad/1/test/s/3");
}
