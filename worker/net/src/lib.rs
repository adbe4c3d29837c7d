//! The net room: peers, gossip, direct messages and blobs over libp2p.
//!
//! One task owns the swarm; a [`Net`] is a cheap handle that sends it commands, and what happens on
//! the network leaves as [`NetEvent`]s through the channel given to [`Net::start`]. Payloads are
//! opaque bytes here: signatures and meaning belong to the driver. The one thing this room vouches
//! for is that a blob it puts on the shelf has the hash it was asked for by.
//!
//! Invariant: every queue, frame and map fed by a peer has a named limit, and what exceeds it is
//! dropped with a counter. Gossip and messages are hints that may be lost; who needs them repairs
//! the loss by pairwise exchange.
//!
//! What it is not: it stores nothing (see [`BlobShelf`]), judges nobody, and no libp2p type leaves it.
mod behaviour;
mod blobs;
mod book;
mod counters;
mod frames;
mod inbox;
mod outbox;
mod peer_id;
mod place;
mod swarm;
#[cfg(test)]
mod tests;
mod transport;

use coordinator_free_scheduler::{Hash, PeerKey};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot};

pub use blobs::FetchError;
pub use counters::Counters;

/// The largest gossip payload.
pub const GOSSIP_BYTES_MAX: usize = 64 * 1024;
/// The largest direct message.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Blobs up to this size are sent whole; larger ones in ranges with proofs.
pub const BLOB_SMALL_BYTES_MAX: u64 = 16 * 1024;
/// The longest network name.
pub const NETWORK_NAME_BYTES_MAX: usize = 32;
/// Commands that wait for the swarm task; more are dropped with a counter.
pub const COMMANDS_MAX: usize = 8192;

/// How a node takes part in the network.
#[derive(Clone)]
pub struct NetConfig {
    /// The Ed25519 secret key of this node.
    pub secret: [u8; 32],
    /// Multiaddresses to listen on.
    pub listen: Vec<String>,
    /// Multiaddresses of peers to stay in touch with.
    pub bootstrap: Vec<String>,
    /// The pre-shared key of a private network: TCP only.
    pub network_key: Option<[u8; 32]>,
    /// The name in topics and protocols: lower-case letters, digits and `-`.
    pub network: String,
    /// Whether to look for peers on the local network by mDNS.
    pub mdns: bool,
}

/// What happens on the network.
#[derive(Debug)]
pub enum NetEvent {
    /// This node can be reached here; the address ends in `/p2p/ID`.
    Listening(String),
    /// The first connection to a peer stands.
    Connected(PeerKey),
    /// A connection to a peer comes from a public network, by this name.
    Network {
        /// Who.
        peer: PeerKey,
        /// Where: the same for all of one /24 (IPv4), /48 (IPv6) or relay.
        network: u64,
    },
    /// The last connection to a peer is gone.
    Disconnected(PeerKey),
    /// A gossip payload that was not seen before; it is not forwarded until [`Net::accept`].
    Gossip {
        /// Where it was published.
        topic: Topic,
        /// Its name for the verdict.
        id: GossipId,
        /// The neighbour that passed it on, not its author.
        from: PeerKey,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// A direct message.
    Message {
        /// Its sender.
        from: PeerKey,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// A peer served bytes that are not the blob it was asked for.
    Lied {
        /// Who.
        from: PeerKey,
        /// About which blob.
        blob: Hash,
    },
}

/// A peer's id as libp2p prints it; the key in hexadecimal if it is none.
pub fn peer_id(key: PeerKey) -> String {
    peer_id::id_of(&key).map_or_else(|| key.to_string(), |id| id.to_string())
}

/// The key of a peer's id as libp2p prints it; none if it is no such id.
pub fn peer_key(id: &str) -> Option<PeerKey> {
    peer_id::key_of(&id.parse().ok()?)
}

/// Where gossip is published.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    /// Signed manifests.
    Jobs,
    /// Statement batches of the gossip lots that fall into this shard.
    Shard(u16),
}

/// The topics that a node hears from the start.
pub const TOPICS_AT_START: [Topic; 2] = [Topic::Jobs, Topic::Shard(0)];

/// Names a received gossip payload and the neighbour it came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GossipId {
    id: Hash,
    from: PeerKey,
    bytes: u32,
}

/// The driver's verdict on a gossip payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acceptance {
    /// Good and new: pass it on.
    Forward,
    /// Not wrong, not worth passing on.
    Ignore,
    /// Wrong: the neighbour should not have passed it on.
    Reject,
}

/// A connected peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerInfo {
    /// Its public key.
    pub key: PeerKey,
    /// The same as libp2p prints it.
    pub peer_id: String,
    /// Where it says that it listens, or else where it called from.
    pub addrs: Vec<String>,
    /// Since when a connection stands.
    pub connected_since: SystemTime,
}

/// Why the network did not start. Nothing was opened that is not closed again.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Not a multiaddress.
    #[error(
        "{role} address {text:?} is not a multiaddress ({reason}); write it like /ip4/192.0.2.1/tcp/4001"
    )]
    BadAddress {
        /// `listen` or `bootstrap`.
        role: &'static str,
        /// What was given.
        text: String,
        /// What libp2p says.
        reason: String,
    },
    /// QUIC cannot carry the pre-shared key.
    #[error(
        "{role} address {text} is QUIC, but a network key is set, and the key protects TCP only; use a /tcp/ address or drop the key"
    )]
    QuicWithNetworkKey {
        /// `listen` or `bootstrap`.
        role: &'static str,
        /// What was given.
        text: String,
    },
    /// The network's name cannot be part of a protocol name.
    #[error(
        "network name {0:?} must have 1 to {NETWORK_NAME_BYTES_MAX} characters out of a-z, 0-9 and -"
    )]
    BadNetworkName(String),
    /// A listen address could not be opened.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// A part of the network stack did not start.
    #[error("cannot start {part}: {reason}")]
    Stack {
        /// Which part.
        part: &'static str,
        /// What it says.
        reason: String,
    },
}

/// What the room needs of the store. All calls may block; they are made on blocking threads.
pub trait BlobShelf: Send + Sync + 'static {
    /// The size of a complete blob.
    fn size(&self, hash: Hash) -> Option<u64>;
    /// Whether a peer may know that this blob is here. Whoever may not is answered as if it were not.
    fn shows(&self, hash: Hash, to: PeerKey) -> bool;
    /// Up to `bytes` bytes of a complete blob from `offset`; fewer only at its end.
    fn read(&self, hash: Hash, offset: u64, bytes: usize) -> io::Result<Vec<u8>>;
    /// The hash pairs of a complete blob above [`BLOB_SMALL_BYTES_MAX`] as `bao-tree` writes them in
    /// pre-order, for 16 KiB chunk groups, without a size prefix.
    fn outboard(&self, hash: Hash) -> io::Result<Vec<u8>>;
    /// Keeps small blobs. Their hashes were checked.
    fn put(&self, blobs: Vec<Vec<u8>>) -> io::Result<()>;
    /// How many leading bytes of an incomplete large blob are held; they were verified when appended.
    fn partial(&self, hash: Hash) -> io::Result<u64>;
    /// Keeps verified bytes at `offset`, which is at most [`BlobShelf::partial`]; bytes already held
    /// from there on are replaced.
    fn append(&self, hash: Hash, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// All bytes are there: checks the whole and makes the blob complete.
    fn finish(&self, hash: Hash) -> io::Result<()>;
}

/// A handle on the running network; clones share it.
#[derive(Clone)]
pub struct Net {
    commands: mpsc::Sender<swarm::Command>,
    counters: Arc<Counters>,
    registry: Arc<counters::Registry>,
    fetcher: blobs::Fetcher,
}

impl Net {
    /// Opens the listen addresses and starts the swarm task.
    ///
    /// # Errors
    /// A configuration that cannot work is refused before anything is opened.
    pub async fn start(
        config: NetConfig,
        shelf: Arc<dyn BlobShelf>,
        events: mpsc::Sender<NetEvent>,
    ) -> Result<Net, NetError> {
        let plan = swarm::Plan::check(&config)?;
        let counters = Arc::new(Counters::default());
        let (commands, inbound) = mpsc::channel(COMMANDS_MAX);
        let mut registry = prometheus_client::registry::Registry::default();
        let task = swarm::Task::open(
            plan,
            &mut registry,
            shelf.clone(),
            events.clone(),
            counters.clone(),
        )?;
        tokio::spawn(task.run(inbound));
        Ok(Net {
            fetcher: blobs::Fetcher::new(commands.clone(), shelf, events, counters.clone()),
            commands,
            counters,
            registry: Arc::new(counters::Registry::new(registry)),
        })
    }

    /// Publishes a payload of up to [`GOSSIP_BYTES_MAX`].
    pub fn publish(&self, topic: Topic, bytes: Vec<u8>) {
        self.command(swarm::Command::Publish(topic, bytes));
    }

    /// Says what becomes of a gossip payload; within 10 s, or it is not forwarded.
    pub fn accept(&self, message: GossipId, verdict: Acceptance) {
        self.command(swarm::Command::Accept(message, verdict));
    }

    /// Sends a direct message of up to [`MESSAGE_BYTES_MAX`]; delivered as long as the peer stays
    /// connected and its queue has room, else dropped with a counter.
    pub fn send(&self, to: PeerKey, bytes: Vec<u8>) {
        self.command(swarm::Command::Send(to, bytes));
    }

    /// Puts the wanted blobs on the shelf, asking the sources in turn; `bytes_max` bounds each blob.
    /// An abandoned call leaves large blobs partial; the next one resumes there.
    pub async fn fetch(
        &self,
        wanted: Vec<Hash>,
        from: Vec<PeerKey>,
        bytes_max: u64,
    ) -> Vec<(Hash, Result<(), FetchError>)> {
        self.fetcher.fetch(wanted, from, bytes_max).await
    }

    /// The connected peers, by key.
    pub async fn peers(&self) -> Vec<PeerInfo> {
        self.ask(swarm::Command::Peers).await
    }

    /// Where this node can be reached, each ending in `/p2p/ID`.
    pub async fn addresses(&self) -> Vec<String> {
        self.ask(swarm::Command::Addresses).await
    }

    /// Tries to reach a peer once, now.
    pub fn dial(&self, address: String) {
        self.command(swarm::Command::Dial(address));
    }

    /// Closes the connections to a peer and does not call it again for a while; it may call back.
    pub fn disconnect(&self, peer: PeerKey) {
        self.command(swarm::Command::Disconnect(peer));
    }

    /// Closes the connections to a peer and refuses new ones for the life of this process.
    pub fn block(&self, peer: PeerKey) {
        self.command(swarm::Command::Block(peer));
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// libp2p's own metrics in the text format, to append to other metrics.
    pub fn metrics_text(&self) -> String {
        self.registry.text()
    }

    /// Says goodbye to the peers and ends the swarm task.
    pub async fn stop(self) {
        self.ask(swarm::Command::Stop).await
    }

    fn command(&self, command: swarm::Command) {
        if self.commands.try_send(command).is_err() {
            self.counters.commands_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A question to the swarm task; the default once that has ended.
    async fn ask<T: Default>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> swarm::Command,
    ) -> T {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(question(answer)).await.is_err() {
            return T::default();
        }
        answered.await.unwrap_or_default()
    }
}
