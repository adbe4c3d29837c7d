//! The protocols that a node speaks, with their settings and limits. Nothing happens here.
use super::frames::Frames;
use super::{GOSSIP_BYTES_MAX, MESSAGE_BYTES_MAX, NetError, TOPICS_AT_START, Topic, blobs};
use coordinator_free_scheduler::Hash;
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, behaviour::toggle::Toggle};
use libp2p::{
    PeerId, StreamProtocol, allow_block_list, connection_limits, gossipsub, identify, kad, mdns,
    memory_connection_limits, ping,
};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Connections with one peer; two arise when both call at once, and a third may replace a dying one.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// Connections that others opened.
pub const CONNECTIONS_IN_MAX: u32 = 128;
/// Connections that this node opened.
pub const CONNECTIONS_OUT_MAX: u32 = 64;
/// Handshakes under way that others began.
pub const CONNECTIONS_PENDING_IN_MAX: u32 = 64;
/// Calls under way.
pub const CONNECTIONS_PENDING_OUT_MAX: u32 = 64;
/// Share of the machine's memory this process may hold before it refuses new connections.
pub const MEMORY_SHARE_MAX: f64 = 0.75;
/// Streams of one request protocol on one connection.
pub const STREAMS_MAX: usize = 128;
/// A direct message that is not acknowledged by then is lost.
pub const MESSAGE_S_MAX: u64 = 20;
/// A blob answer that has not arrived by then is given up.
pub const BLOB_ANSWER_S_MAX: u64 = 60;
/// Time between two rounds of mesh upkeep.
pub const GOSSIP_HEARTBEAT_MS: u64 = 250;
/// Heartbeats for which a payload can still be judged and forwarded: 10 s.
const GOSSIP_HISTORY: usize = 40;
/// Heartbeats for which payloads are announced to peers outside the mesh.
const GOSSIP_ANNOUNCED: usize = 6;
/// Room for protobuf and addressing around a gossip payload.
const GOSSIP_ENVELOPE_BYTES: usize = 1024;
/// Gossip that waits for one neighbour.
pub const GOSSIP_QUEUE_MAX: usize = 512;
/// The largest Kademlia packet.
const KAD_PACKET_BYTES_MAX: usize = 16 * 1024;

/// Everything a connection is used for. The limits come first, so that they refuse first.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub blocked: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    pub kad: kad::Behaviour<kad::store::MemoryStore>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    pub gossip: Gossip,
    pub sync: request_response::Behaviour<Frames>,
    pub blobs: request_response::Behaviour<Frames>,
}

type Gossip =
    gossipsub::Behaviour<gossipsub::IdentityTransform, gossipsub::WhitelistSubscriptionFilter>;

/// The names of a network's protocols and topics.
#[derive(Clone)]
pub struct Names {
    network: String,
}

impl Names {
    /// The names on `network`, which was checked.
    pub fn new(network: &str) -> Names {
        Names { network: network.to_owned() }
    }

    /// What identify tells about the network; peers of another one are of no use.
    pub fn version(&self) -> String {
        format!("/dugnad/{}/1", self.network)
    }

    /// The gossipsub topic of a topic.
    pub fn topic(&self, topic: Topic) -> gossipsub::IdentTopic {
        let network = &self.network;
        gossipsub::IdentTopic::new(match topic {
            Topic::Jobs => format!("/dugnad/1/{network}/jobs"),
            Topic::Shard(shard) => format!("/dugnad/1/{network}/s/{shard}"),
        })
    }

    /// The topic that a gossipsub topic stands for; none if it is not one of this network.
    pub fn topic_of(&self, topic: &gossipsub::TopicHash) -> Option<Topic> {
        let name = topic.as_str().strip_prefix("/dugnad/1/")?.strip_prefix(&self.network)?;
        match name.strip_prefix("/s/") {
            Some(shard) => shard.parse().ok().map(Topic::Shard),
            None => (name == "/jobs").then_some(Topic::Jobs),
        }
    }

    fn protocol(&self, name: &str) -> Result<StreamProtocol, NetError> {
        StreamProtocol::try_from_owned(format!("/dugnad/{}/{name}/1", self.network))
            .map_err(|_| NetError::BadNetworkName(self.network.clone()))
    }
}

/// The behaviour of a node, subscribed to [`TOPICS_AT_START`].
pub fn build(
    keypair: &Keypair,
    names: &Names,
    mdns: bool,
    registry: &mut Registry,
) -> Result<Behaviour, NetError> {
    let me = keypair.public().to_peer_id();
    let identify = identify::Config::new(names.version(), keypair.public())
        .with_agent_version(concat!("dugnad/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_push_listen_addr_updates(true);
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(connection_limits()),
        memory: memory_connection_limits::Behaviour::with_max_percentage(MEMORY_SHARE_MAX),
        blocked: allow_block_list::Behaviour::default(),
        ping: ping::Behaviour::default(),
        identify: identify::Behaviour::new(identify),
        kad: kademlia(me, names)?,
        mdns: Toggle::from(if mdns { Some(local_discovery(me)?) } else { None }),
        gossip: gossip(names, registry)?,
        sync: requests(names.protocol("sync")?, MESSAGE_BYTES_MAX, 0, MESSAGE_S_MAX),
        blobs: requests(
            names.protocol("blobs")?,
            blobs::REQUEST_BYTES_MAX,
            blobs::ANSWER_BYTES_MAX,
            BLOB_ANSWER_S_MAX,
        ),
    })
}

fn connection_limits() -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
        .with_max_established_incoming(Some(CONNECTIONS_IN_MAX))
        .with_max_established_outgoing(Some(CONNECTIONS_OUT_MAX))
        .with_max_pending_incoming(Some(CONNECTIONS_PENDING_IN_MAX))
        .with_max_pending_outgoing(Some(CONNECTIONS_PENDING_OUT_MAX))
}

/// Kademlia finds peers; records of others are not kept.
fn kademlia(
    me: PeerId,
    names: &Names,
) -> Result<kad::Behaviour<kad::store::MemoryStore>, NetError> {
    let mut config = kad::Config::new(names.protocol("kad")?);
    config
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_max_packet_size(KAD_PACKET_BYTES_MAX);
    let mut kad = kad::Behaviour::with_config(me, kad::store::MemoryStore::new(me), config);
    kad.set_mode(Some(kad::Mode::Server));
    Ok(kad)
}

fn local_discovery(me: PeerId) -> Result<mdns::tokio::Behaviour, NetError> {
    mdns::tokio::Behaviour::new(mdns::Config::default(), me).map_err(|e| NetError::Stack {
        part: "mDNS (--no-mdns does without)",
        reason: e.to_string(),
    })
}

fn requests(
    name: StreamProtocol,
    request_bytes_max: usize,
    answer_bytes_max: usize,
    answer_s_max: u64,
) -> request_response::Behaviour<Frames> {
    let config = request_response::Config::default()
        .with_request_timeout(Duration::from_secs(answer_s_max))
        .with_max_concurrent_streams(STREAMS_MAX);
    let frames = Frames { request_bytes_max, answer_bytes_max };
    request_response::Behaviour::with_codec(frames, [(name, ProtocolSupport::Full)], config)
}

/// Unsigned messages named by their content: authors sign their payloads themselves.
fn gossip(names: &Names, registry: &mut Registry) -> Result<Gossip, NetError> {
    let failed = |reason: String| NetError::Stack { part: "gossip", reason };
    let config = gossip_config().map_err(|e| failed(e.to_string()))?;
    let topics = TOPICS_AT_START.map(|topic| names.topic(topic));
    let known =
        gossipsub::WhitelistSubscriptionFilter(topics.iter().map(|topic| topic.hash()).collect());
    let mut gossip = Gossip::new_with_subscription_filter(
        gossipsub::MessageAuthenticity::Anonymous,
        config,
        known,
    )
    .map_err(|e| failed(e.to_owned()))?
    .with_metrics(
        registry.sub_registry_with_prefix("gossipsub"),
        gossipsub::MetricsConfig::default(),
    );
    for topic in &topics {
        gossip.subscribe(topic).map_err(|e| failed(e.to_string()))?;
    }
    Ok(gossip)
}

fn content_id(message: &gossipsub::Message) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(message.topic.as_str().as_bytes()).update(&message.data);
    Hash(*hasher.finalize().as_bytes())
}

/// A mesh that works with one neighbour and stays sparse with many.
fn gossip_config() -> Result<gossipsub::Config, gossipsub::ConfigBuilderError> {
    gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| gossipsub::MessageId::from(content_id(message).0))
        .heartbeat_initial_delay(Duration::from_millis(GOSSIP_HEARTBEAT_MS))
        .heartbeat_interval(Duration::from_millis(GOSSIP_HEARTBEAT_MS))
        .history_length(GOSSIP_HISTORY)
        .history_gossip(GOSSIP_ANNOUNCED)
        .duplicate_cache_time(Duration::from_secs(120))
        .mesh_outbound_min(1)
        .mesh_n_low(4)
        .mesh_n(6)
        .mesh_n_high(10)
        .flood_publish(true)
        .prune_backoff(Duration::from_secs(10))
        .graft_flood_threshold(Duration::from_secs(1))
        .max_transmit_size(GOSSIP_BYTES_MAX + GOSSIP_ENVELOPE_BYTES)
        .connection_handler_queue_len(GOSSIP_QUEUE_MAX)
        .publish_queue_duration(Duration::from_secs(5))
        .forward_queue_duration(Duration::from_secs(3))
        .build()
}
