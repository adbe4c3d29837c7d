//! What the room counts: our own atomics for the driver, and libp2p's registry as text.
//!
//! Gossip bytes are payloads, each counted once: `in` when it first reaches this node, `out` when
//! this node publishes or forwards it. Bytes on the wire are in libp2p's bandwidth counters.
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

/// Totals since the start.
#[derive(Default, Debug)]
pub struct Counters {
    /// Payload bytes of gossip that reached this node first.
    pub gossip_bytes_in: AtomicU64,
    /// Payload bytes of gossip that this node published or forwarded.
    pub gossip_bytes_out: AtomicU64,
    /// Gossip that was not sent: no peer on the topic, too large, or queues full.
    pub gossip_dropped: AtomicU64,
    /// Direct messages that were not delivered.
    pub messages_dropped: AtomicU64,
    /// Events that the driver was too slow to take.
    pub events_dropped: AtomicU64,
    /// Commands that the swarm task was too slow to take.
    pub commands_dropped: AtomicU64,
    /// Blob bytes that were fetched and verified.
    pub blob_bytes_in: AtomicU64,
    /// Blob bytes that were served, proofs included.
    pub blob_bytes_out: AtomicU64,
}

/// libp2p's metrics.
pub struct Registry(Mutex<prometheus_client::registry::Registry>);

impl Registry {
    /// Keeps a registry that all parts have registered with.
    pub fn new(registry: prometheus_client::registry::Registry) -> Registry {
        Registry(Mutex::new(registry))
    }

    /// The metrics as text, without the end mark, so that it can stand among other text.
    pub fn text(&self) -> String {
        let registry = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &registry).is_err() {
            text.clear();
        }
        text.truncate(text.trim_end_matches("# EOF\n").len());
        text
    }
}
