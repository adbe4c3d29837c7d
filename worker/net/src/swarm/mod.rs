//! The swarm task: the one loop that owns the connections.
//!
//! It waits for the first of: something on the network, a command, a blob answer that is ready to
//! leave, room for an event, the next look into the book. Nothing in it blocks; disks are read and
//! hashes computed elsewhere.
mod commands;
mod events;
mod plan;

use super::behaviour::{self, Behaviour, Names};
use super::blobs::{Answer, AskError, Shop};
use super::book::{self, Book};
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::peer_id::id_of;
use super::{
    Acceptance, BlobShelf, Counters, GossipId, NetError, NetEvent, PeerInfo, Topic, transport,
};
use bytes::Bytes;
use coordinator_free_scheduler::PeerKey;
use futures::StreamExt;
use libp2p::metrics::Metrics;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{Config, DialError};
use libp2p::{Multiaddr, PeerId, Swarm, TransportError};
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

pub use plan::Plan;

/// Time between two looks into the book.
pub const BOOK_TICK_MS: u64 = 250;
/// The shortest and longest wait between two searches for peers by Kademlia.
pub const SEARCH_WAIT_MS_MIN: u64 = 500;
/// See [`SEARCH_WAIT_MS_MIN`].
pub const SEARCH_WAIT_MS_MAX: u64 = 60_000;
/// Connections among peers are kept; this only ends those that nothing used for a day.
pub const IDLE_CONNECTION_S: u64 = 24 * 3600;
/// How long goodbyes may take.
pub const GOODBYE_MS_MAX: u64 = 500;
/// Streams that one connection may negotiate at once.
pub const NEGOTIATING_STREAMS_MAX: usize = 256;

/// What the handle asks of the task.
pub enum Command {
    Publish(Topic, Vec<u8>),
    Accept(GossipId, Acceptance),
    Send(PeerKey, Vec<u8>),
    AskForBlobs(PeerKey, Bytes, oneshot::Sender<Result<Bytes, AskError>>),
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    Addresses(oneshot::Sender<Vec<String>>),
    Dial(String),
    Disconnect(PeerKey),
    Block(PeerKey),
    Stop(oneshot::Sender<()>),
}

/// When to search for peers next.
struct Search {
    next: Instant,
    wait_ms: u64,
}

impl Search {
    /// Something changed: search soon, and then less and less often.
    fn soon(now: Instant) -> Search {
        Search {
            next: now + Duration::from_millis(SEARCH_WAIT_MS_MIN),
            wait_ms: SEARCH_WAIT_MS_MIN,
        }
    }
}

enum Flow {
    Continue,
    Stop(oneshot::Sender<()>),
}

/// The state of the loop.
pub struct Task {
    swarm: Swarm<Behaviour>,
    names: Names,
    metrics: Metrics,
    counters: Arc<Counters>,
    book: Book,
    search: Search,
    inbox: Inbox,
    outbox: Outbox,
    shop: Shop,
    asked: HashMap<OutboundRequestId, oneshot::Sender<Result<Bytes, AskError>>>,
    answers: mpsc::Receiver<Answer>,
}

impl Task {
    /// Builds the swarm and opens the listen addresses.
    ///
    /// # Errors
    /// A listen address or a part of the stack that cannot be opened.
    pub fn open(
        plan: Plan,
        registry: &mut Registry,
        shelf: Arc<dyn BlobShelf>,
        events: mpsc::Sender<NetEvent>,
        counters: Arc<Counters>,
    ) -> Result<Task, NetError> {
        let me = plan.keypair.public().to_peer_id();
        let transport = transport::open(&plan.keypair, plan.network_key, registry)?;
        let behaviour = behaviour::build(&plan.keypair, &plan.names, plan.mdns, registry)?;
        let config = Config::with_tokio_executor()
            .with_idle_connection_timeout(Duration::from_secs(IDLE_CONNECTION_S))
            .with_max_negotiating_inbound_streams(NEGOTIATING_STREAMS_MAX);
        let mut swarm = Swarm::new(transport, behaviour, me, config);
        for address in plan.listen {
            swarm.listen_on(address.clone()).map_err(|e| NetError::Listen {
                address: address.to_string(),
                reason: why_not(e),
            })?;
        }
        let (shop, answers) = Shop::open(shelf);
        let now = Instant::now();
        Ok(Task {
            swarm,
            names: plan.names,
            metrics: Metrics::new(registry),
            counters,
            book: Book::new(me, plan.bootstrap, now),
            search: Search::soon(now),
            inbox: Inbox::new(events),
            outbox: Outbox::default(),
            shop,
            asked: HashMap::new(),
            answers,
        })
    }

    /// Runs until a stop command, or until the last handle is gone.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut tick = tokio::time::interval(Duration::from_millis(BOOK_TICK_MS));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopped = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = commands.recv() => match command.map(|command| self.handle_command(command)) {
                    Some(Flow::Continue) => {}
                    Some(Flow::Stop(stopped)) => break Some(stopped),
                    None => break None,
                },
                Some((channel, answer)) = self.answers.recv() => self.send_answer(channel, answer),
                () = self.inbox.progress() => {}
                _ = tick.tick() => self.look_into_book(Instant::now()),
            }
        };
        self.say_goodbye().await;
        drop(self);
        if let Some(stopped) = stopped {
            // Who asked may have gone meanwhile.
            let _ = stopped.send(());
        }
    }

    /// Closes all connections so that the peers know at once.
    async fn say_goodbye(&mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let all_closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(GOODBYE_MS_MAX), all_closed).await;
    }

    fn call(&mut self, peer: Option<PeerId>, addresses: Vec<Multiaddr>) {
        let options = match (peer, addresses.first()) {
            (Some(peer), _) => DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses)
                .build(),
            (None, Some(address)) => DialOpts::unknown_peer_id().address(address.clone()).build(),
            (None, None) => return,
        };
        match self.swarm.dial(options) {
            // Already connected or about to be.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(reason) => tracing::debug!(%reason, "cannot dial"),
        }
    }

    fn send_away(&mut self, key: PeerKey) {
        let Some(peer) = id_of(&key) else { return };
        self.book.send_away(peer, Instant::now());
        // An error only says that there is no connection.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    fn look_into_book(&mut self, now: Instant) {
        for call in self.book.due(now) {
            self.call(call.peer, call.addresses);
        }
        let wanted = self.book.connected().len() < book::NEIGHBOURS_WANTED;
        if wanted && now >= self.search.next {
            self.search.wait_ms = (self.search.wait_ms * 2).min(SEARCH_WAIT_MS_MAX);
            self.search.next = now + Duration::from_millis(self.search.wait_ms);
            // Any place will do: the answers name peers, whatever lies there.
            let place = self.search_place();
            self.swarm.behaviour_mut().kad.get_closest_peers(place);
        }
    }

    /// The first searches look around ourselves, so that those around us learn of us.
    fn search_place(&self) -> Vec<u8> {
        let me = self.swarm.local_peer_id().to_bytes();
        let mut place = vec![0; 32];
        let far =
            self.search.wait_ms > 4 * SEARCH_WAIT_MS_MIN && getrandom::fill(&mut place).is_ok();
        if far { place } else { me }
    }
}

/// libp2p prints nothing for the errors of the system.
fn why_not(error: TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => "it is neither /tcp/ nor /quic-v1".to_owned(),
        TransportError::Other(error) => error.to_string(),
    }
}
