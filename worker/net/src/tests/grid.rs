//! What the tests stand on: nodes with shelves in memory, and their events as they come.
use super::super::*;
use bao_tree::BlockSize;
use bao_tree::io::outboard::PreOrderMemOutboard;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// Far longer than anything here takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(120);

pub const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
pub const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub const KEY: [u8; 32] = [7; 32];

/// Blobs in memory.
#[derive(Default)]
pub struct MemoryShelf {
    pub whole: Mutex<HashMap<Hash, Vec<u8>>>,
    pub partial: Mutex<HashMap<Hash, Vec<u8>>>,
    /// Blobs that one peer alone may know of.
    pub hidden: Mutex<HashMap<Hash, PeerKey>>,
}

impl MemoryShelf {
    pub fn holding(blobs: impl IntoIterator<Item = Vec<u8>>) -> Arc<MemoryShelf> {
        let shelf = MemoryShelf::default();
        shelf.put(blobs.into_iter().collect()).unwrap();
        Arc::new(shelf)
    }
}

impl BlobShelf for MemoryShelf {
    fn size(&self, hash: Hash) -> Option<u64> {
        self.whole.lock().unwrap().get(&hash).map(|blob| blob.len() as u64)
    }
    fn shows(&self, hash: Hash, to: PeerKey) -> bool {
        self.hidden.lock().unwrap().get(&hash).is_none_or(|reader| *reader == to)
    }
    fn read(&self, hash: Hash, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let whole = self.whole.lock().unwrap();
        let rest = &whole[&hash][offset as usize..];
        Ok(rest[..bytes.min(rest.len())].to_vec())
    }
    fn outboard(&self, hash: Hash) -> io::Result<Vec<u8>> {
        Ok(PreOrderMemOutboard::create(
            &self.whole.lock().unwrap()[&hash],
            BlockSize::from_chunk_log(4),
        )
        .data)
    }
    fn put(&self, blobs: Vec<Vec<u8>>) -> io::Result<()> {
        self.whole.lock().unwrap().extend(blobs.into_iter().map(|blob| (Hash::of(&blob), blob)));
        Ok(())
    }
    fn partial(&self, hash: Hash) -> io::Result<u64> {
        Ok(self.partial.lock().unwrap().get(&hash).map_or(0, |held| held.len() as u64))
    }
    fn append(&self, hash: Hash, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut partial = self.partial.lock().unwrap();
        let held = partial.entry(hash).or_default();
        assert!(offset as usize <= held.len(), "a hole in the prefix");
        held.truncate(offset as usize);
        held.extend_from_slice(bytes);
        Ok(())
    }
    fn finish(&self, hash: Hash) -> io::Result<()> {
        let blob = self.partial.lock().unwrap().remove(&hash).unwrap();
        assert_eq!(Hash::of(&blob), hash, "finished with other bytes");
        self.put(vec![blob])
    }
}

/// A running node and its events.
pub struct Node {
    pub net: Net,
    pub key: PeerKey,
    pub shelf: Arc<MemoryShelf>,
    events: mpsc::Receiver<NetEvent>,
}

pub fn config(
    seed: u8,
    listen: &str,
    bootstrap: &[String],
    network_key: Option<[u8; 32]>,
) -> NetConfig {
    NetConfig {
        secret: [seed; 32],
        listen: vec![listen.to_owned()],
        bootstrap: bootstrap.to_vec(),
        network_key,
        network: "test".to_owned(),
        mdns: false,
    }
}

impl Node {
    pub async fn start(
        seed: u8,
        listen: &str,
        bootstrap: &[String],
        network_key: Option<[u8; 32]>,
    ) -> Node {
        Node::with(config(seed, listen, bootstrap, network_key), Arc::default()).await
    }

    pub async fn with(config: NetConfig, shelf: Arc<MemoryShelf>) -> Node {
        let (sender, events) = mpsc::channel(64);
        let secret = libp2p::identity::Keypair::ed25519_from_bytes(config.secret).unwrap();
        let key = peer_id::key_of(&secret.public().to_peer_id()).unwrap();
        let net = Net::start(config, shelf.clone(), sender).await.unwrap();
        Node { net, key, shelf, events }
    }

    /// The first address that the node listens on.
    pub async fn address(&mut self) -> String {
        self.until(|event| match event {
            NetEvent::Listening(address) => Some(address),
            _ => None,
        })
        .await
    }

    /// Waits until this event, passing over others.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(NetEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the node lives");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("the event comes")
    }

    pub async fn until_connected(&mut self, peer: PeerKey) {
        self.until(|event| matches!(event, NetEvent::Connected(key) if key == peer).then_some(()))
            .await;
    }

    /// The next gossip, whatever it is.
    pub async fn heard(&mut self) -> (GossipId, Vec<u8>) {
        self.until(|event| match event {
            NetEvent::Gossip { id, bytes, .. } => Some((id, bytes)),
            _ => None,
        })
        .await
    }

    pub async fn message(&mut self) -> (PeerKey, Vec<u8>) {
        self.until(|event| match event {
            NetEvent::Message { from, bytes } => Some((from, bytes)),
            _ => None,
        })
        .await
    }
}

/// Bytes that look random and depend on `seed` alone.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
