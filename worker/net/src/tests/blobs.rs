//! Blobs from honest peers and liars.
use super::super::blobs::proof::{self, GROUP_BYTES};
use super::super::blobs::wire::{self, RANGE_BYTES_MAX, Request};
use super::super::*;
use super::grid::{MemoryShelf, Node, QUIC, config, noise};
use super::hostile::{Liar, Lie, pester};
use bao_tree::BlockSize;
use bao_tree::io::outboard::PreOrderMemOutboard;
use bytes::Bytes;

const MIB: usize = 1024 * 1024;
const ANY_SIZE: u64 = u64::MAX;

async fn honest_and_fetcher(blobs: Vec<Vec<u8>>) -> (Node, Node) {
    let mut honest = Node::with(config(1, QUIC, &[], None), MemoryShelf::holding(blobs)).await;
    let address = honest.address().await;
    let mut fetcher = Node::start(2, QUIC, &[address], None).await;
    fetcher.until_connected(honest.key).await;
    (honest, fetcher)
}

async fn call(fetcher: &mut Node, liar: &Liar) {
    fetcher.net.dial(liar.address.clone());
    fetcher.until_connected(liar.key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_blob_survives_a_liar_and_resumes_from_what_is_held() {
    let blob = noise(1, 40 * MIB + 12_345);
    let hash = Hash::of(&blob);
    let (honest, mut fetcher) = honest_and_fetcher(vec![blob.clone()]).await;
    let liar = Liar::start(9, blob.clone(), Lie::BytesFrom(20 * MIB as u64)).await;
    call(&mut fetcher, &liar).await;
    // The prefix ends within a chunk group, as after a crash.
    fetcher.shelf.append(hash, 0, &blob[..8 * MIB + 100]).unwrap();

    let alone = fetcher.net.fetch(vec![hash], vec![liar.key], ANY_SIZE).await;
    assert_eq!(alone, vec![(hash, Err(FetchError::Lied(liar.key)))]);
    let kept = fetcher.shelf.partial(hash).unwrap();
    assert_eq!(kept, 20 * MIB as u64, "what the liar sent well is kept");
    let lie = fetcher.until(|event| match event {
        NetEvent::Lied { from, blob } => Some((from, blob)),
        _ => None,
    });
    assert_eq!(lie.await, (liar.key, hash));

    let both = fetcher.net.fetch(vec![hash], vec![liar.key, honest.key], ANY_SIZE).await;
    assert_eq!(both, vec![(hash, Ok(()))]);
    assert!(fetcher.shelf.whole.lock().unwrap()[&hash] == blob);
    assert_eq!(
        *liar.asked.lock().unwrap().iter().min().unwrap(),
        8 * MIB as u64,
        "held bytes are not fetched again"
    );
    let served = honest.net.counters().blob_bytes_out.load(Ordering::Relaxed);
    assert!(served < 21 * MIB as u64, "the honest peer served {served} bytes, more than the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_small_blobs_come_in_one_fetch() {
    let blobs: Vec<Vec<u8>> = (0..5000).map(|i| noise(i, (i as usize * 7) % 900)).collect();
    let wanted: Vec<Hash> = blobs.iter().map(|blob| Hash::of(blob)).collect();
    let mut held = blobs.clone();
    let largest = noise(9000, BLOB_SMALL_BYTES_MAX as usize);
    // Enough of the largest kind that one answer cannot carry them all.
    held.extend((0..200u8).map(|i| [&largest[..largest.len() - 1], &[i]].concat()));
    let (honest, fetcher) = honest_and_fetcher(held.clone()).await;
    let mut wanted_all: Vec<Hash> = held.iter().map(|blob| Hash::of(blob)).collect();
    let absent = Hash::of(b"held by nobody");
    wanted_all.push(absent);
    wanted_all.push(wanted[0]);

    let fetched = fetcher.net.fetch(wanted_all.clone(), vec![honest.key], ANY_SIZE).await;
    assert_eq!(fetched.len(), wanted_all.len());
    for (hash, outcome) in fetched {
        let expected = if hash == absent { Err(FetchError::NotFound) } else { Ok(()) };
        assert_eq!(outcome, expected);
    }
    let whole = fetcher.shelf.whole.lock().unwrap();
    assert!(held.iter().all(|blob| whole.get(&Hash::of(blob)) == Some(blob)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_one_peer_is_not_there_for_another() {
    let blobs = [noise(1, 500), noise(2, 3 * MIB + 1)];
    let (honest, stranger) = honest_and_fetcher(blobs.to_vec()).await;
    let address = honest.net.addresses().await.remove(0);
    let mut reader = Node::start(3, QUIC, &[address], None).await;
    reader.until_connected(honest.key).await;
    let sent = || honest.net.counters().blob_bytes_out.load(Ordering::Relaxed);
    for blob in &blobs {
        let hash = Hash::of(blob);
        honest.shelf.hidden.lock().unwrap().insert(hash, reader.key);
        let mut told = Vec::new();
        for asked in [hash, Hash::of(b"held by nobody")] {
            let before = sent();
            let fetched = stranger.net.fetch(vec![asked], vec![honest.key], ANY_SIZE).await;
            told.push((fetched[0].1.clone(), sent() - before));
        }
        assert_eq!(told[0], told[1], "a stranger hears the same of both");
        assert_eq!(told[0].0, Err(FetchError::NotFound));
        let fetched = reader.net.fetch(vec![hash], vec![honest.key], ANY_SIZE).await;
        assert_eq!(fetched, vec![(hash, Ok(()))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_small_blobs_and_sizes_cost_only_the_liar() {
    let small = noise(1, 500);
    let large = noise(2, 3 * MIB + 1);
    let (honest, mut fetcher) = honest_and_fetcher(vec![small.clone(), large.clone()]).await;
    let wanted = vec![Hash::of(&small), Hash::of(&large)];
    let lies = [
        Lie::Small,
        Lie::Large,
        Lie::Size(1),
        Lie::Size(-1),
        Lie::Size(i64::MAX),
        Lie::Size(64 * 1024),
        Lie::Garbage,
    ];
    let mut sources = Vec::new();
    for (number, lie) in lies.into_iter().enumerate() {
        let liar = Liar::start(20 + number as u8, large.clone(), lie).await;
        call(&mut fetcher, &liar).await;
        let alone = fetcher.net.fetch(wanted.clone(), vec![liar.key], ANY_SIZE).await;
        let (_, about_small) = &alone[0];
        assert!(about_small.is_err(), "{number}: {about_small:?}");
        let (_, about_large) = &alone[1];
        // Who only says that it is large, and is right, may go on.
        assert_eq!(about_large.is_ok(), lie == Lie::Large, "{number}: {about_large:?}");
        fetcher.shelf.whole.lock().unwrap().clear();
        sources.push(liar.key);
    }
    sources.push(honest.key);
    let limited = fetcher.net.fetch(vec![wanted[1]], vec![honest.key], MIB as u64).await;
    assert_eq!(
        limited[0].1,
        Err(FetchError::TooLarge { bytes: 3 * MIB as u64 + 1, limit: MIB as u64 })
    );
    let all = fetcher.net.fetch(wanted, sources, ANY_SIZE).await;
    assert!(all.iter().all(|(_, outcome)| outcome.is_ok()), "{all:?}");
    assert!(fetcher.shelf.whole.lock().unwrap().len() == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_oversize_frames_leave_the_node_alive() {
    let blob = noise(1, 100_000);
    let (mut honest, fetcher) = honest_and_fetcher(vec![blob.clone()]).await;
    let address = honest.net.addresses().await.remove(0);
    let framed = |body: &[u8]| [&(body.len() as u32).to_be_bytes(), body].concat();
    let range =
        |offset, bytes| framed(&Request::Range { hash: Hash::of(&blob), offset, bytes }.encode());
    let mut frames = vec![
        vec![],
        vec![1, 2],
        vec![0xff; 70_000],
        (u32::MAX).to_be_bytes().to_vec(),
        framed(&[]),
        framed(&[3; 33]),
        framed(&[0; 32]),
        framed(&[1; 40]),
        range(1, 100),
        range(0, u32::MAX),
        range(u64::MAX - GROUP_BYTES + 1, RANGE_BYTES_MAX),
        range(1 << 40, 16),
    ];
    frames.extend((0..50).map(|i| framed(&noise(i, 400))));
    pester(&address, "/dugnad/test/blobs/1", frames.clone()).await;
    pester(&address, "/dugnad/test/sync/1", frames).await;

    let fetched = fetcher.net.fetch(vec![Hash::of(&blob)], vec![honest.key], ANY_SIZE).await;
    assert_eq!(fetched[0].1, Ok(()));
    fetcher.net.send(honest.key, b"still there?".to_vec());
    while honest.message().await != (fetcher.key, b"still there?".to_vec()) {}
}

#[test]
fn only_the_true_slice_of_the_true_size_verifies() {
    let blob = noise(3, 300_000);
    let (hash, size) = (Hash::of(&blob), blob.len() as u64);
    let outboard = PreOrderMemOutboard::create(&blob, BlockSize::from_chunk_log(4)).data;
    for range in [0..5 * GROUP_BYTES, 3 * GROUP_BYTES..size, proof::tail(size), 0..size] {
        let bytes = blob[range.start as usize..range.end as usize].to_vec();
        let slice = proof::cut(hash, size, &outboard, &range, bytes.clone()).unwrap();
        assert_eq!(proof::verify(hash, size, &range, &slice), Some(bytes));
        for at in (0..slice.len()).step_by(997) {
            let mut bent = slice.clone();
            bent[at] ^= 0x10;
            assert_eq!(proof::verify(hash, size, &range, &bent), None, "bit at {at} of {range:?}");
        }
        assert_eq!(proof::verify(hash, size, &range, &slice[..slice.len() - 1]), None);
        assert_eq!(proof::verify(hash, size, &range, &[&slice[..], &[0]].concat()), None);
    }
    let tail = proof::tail(size);
    let bytes = blob[tail.start as usize..].to_vec();
    let slice = proof::cut(hash, size, &outboard, &tail, bytes).unwrap();
    for wrong in
        (1..400_000).step_by(611).chain([1 << 20, 1 << 41, u64::MAX]).filter(|wrong| *wrong != size)
    {
        assert_eq!(proof::verify(hash, wrong, &proof::tail(wrong), &slice), None, "size {wrong}");
    }
    let mut damaged = blob.clone();
    damaged[5] ^= 1;
    let served = proof::cut(
        hash,
        size,
        &outboard,
        &(0..GROUP_BYTES),
        damaged[..GROUP_BYTES as usize].to_vec(),
    );
    assert!(served.is_err(), "damaged bytes are not served");
}

#[test]
fn every_frame_is_read_back_or_refused() {
    let requests = [
        Request::Small((0..1024).map(|i: u32| Hash::of(&i.to_be_bytes())).collect()),
        Request::Tail(Hash::of(b"x")),
        Request::Range { hash: Hash::of(b"x"), offset: 1 << 40, bytes: RANGE_BYTES_MAX },
    ];
    for request in requests {
        assert_eq!(Request::decode(request.encode()).unwrap(), request);
    }
    let too_many = Request::Small(vec![Hash::default(); 1025]).encode();
    assert!(Request::decode(too_many).is_err());
    let refused: [&[u8]; 5] = [
        &[],                                       // no answer at all
        &[0, 0, 0, 9, 1, 2],                       // it ends within a blob
        &[0, 0, 0x40, 1, 0],                       // a small blob that is not small
        &[0, 0, 0],                                // half a length
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 55], // three answers to two questions
    ];
    for frame in refused {
        assert!(wire::take_small(Bytes::from_static(frame), 2).is_err(), "{frame:?}");
    }
    for seed in 0..20_000u64 {
        let mut bytes = noise(seed, (seed % 200) as usize);
        if let Some(first) = bytes.first_mut() {
            *first %= 4;
        }
        let frame = Bytes::from(bytes);
        // Whatever it is, it is read or refused without harm.
        let _ = (
            Request::decode(frame.clone()),
            wire::take_small(frame.clone(), 3),
            wire::take_slice(frame.clone()),
        );
        assert_eq!(proof::verify(Hash::of(b"another blob"), seed, &(0..seed), &frame), None);
    }
}
