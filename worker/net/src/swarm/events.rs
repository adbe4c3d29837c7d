//! What happens on the network, told to the book, the boxes and the driver.
use super::super::behaviour::BehaviourEvent;
use super::super::blobs::AskError;
use super::super::book::{ADDRESSES_PER_PEER_MAX, Change};
use super::super::peer_id::key_of;
use super::super::place::network_of;
use super::super::{GossipId, NetEvent};
use super::{Search, Task};
use bytes::Bytes;
use coordinator_free_scheduler::Hash;
use libp2p::core::ConnectedPoint;
use libp2p::metrics::Recorder;
use libp2p::request_response::{Event as RequestEvent, Message as RequestMessage};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, gossipsub, identify, kad, mdns, ping};
use std::sync::atomic::Ordering;
use std::time::Instant;

type Requests = RequestEvent<Bytes, Bytes>;

impl Task {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        self.metrics.record(&event);
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connection_opened(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "connection closed");
                self.on_connection_closed(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                tracing::debug!(peer = ?peer_id, %error, "call failed");
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "caller refused");
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listening failed"),
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::warn!(?addresses, ?reason, "no longer listening");
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Ping(event) => {
                self.metrics.record(&event);
                self.on_ping(&event);
            }
            BehaviourEvent::Identify(event) => {
                self.metrics.record(&event);
                self.on_identify(event);
            }
            BehaviourEvent::Kad(event) => {
                self.metrics.record(&event);
                self.on_kad(event);
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.book.heard_of(peer, [address], Instant::now());
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Expired(_)) => {}
            BehaviourEvent::Gossip(event) => {
                self.metrics.record(&event);
                self.on_gossip(event);
            }
            BehaviourEvent::Sync(event) => self.on_sync(event),
            BehaviourEvent::Blobs(event) => self.on_blobs(event),
            BehaviourEvent::Limits(never)
            | BehaviourEvent::Memory(never)
            | BehaviourEvent::Blocked(never) => match never {},
        }
    }

    fn on_listening(&mut self, address: Multiaddr) {
        let me = *self.swarm.local_peer_id();
        if let Ok(address) = address.with_p2p(me) {
            self.tell(NetEvent::Listening(address.to_string()));
        }
    }

    fn on_connection_opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let Some(key) = key_of(&peer) else {
            tracing::debug!(%peer, "not an Ed25519 key, sent away");
            let _ = self.swarm.disconnect_peer_id(peer);
            return;
        };
        let (at, now) = (endpoint.get_remote_address().clone(), Instant::now());
        if let Some(network) = network_of(&at) {
            self.tell(NetEvent::Network { peer: key, network });
        }
        match self.book.opened(peer, connection, at, endpoint.is_dialer(), now) {
            Change::None => {}
            Change::Peer => {
                self.outbox.open(peer);
                self.search = Search::soon(now);
                self.tell(NetEvent::Connected(key));
            }
        }
    }

    fn on_connection_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        match self.book.closed(peer, connection) {
            Change::None => {}
            Change::Peer => {
                let lost = self.outbox.close(&peer);
                self.lose_messages(lost);
                self.search = Search::soon(Instant::now());
                if let Some(key) = key_of(&peer) {
                    self.tell(NetEvent::Disconnected(key));
                }
            }
        }
    }

    /// A peer whose machine went away says no goodbye: the silence ends the connection.
    fn on_ping(&mut self, event: &ping::Event) {
        if let Err(ping::Failure::Timeout) = event.result {
            tracing::debug!(peer = %event.peer, "no answer to a ping, connection closed");
            self.swarm.close_connection(event.connection);
        }
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        if info.protocol_version != self.names.version() {
            tracing::info!(peer = %peer_id, network = info.protocol_version, "a peer of another network, sent away");
            self.book.send_away(peer_id, Instant::now());
            let _ = self.swarm.disconnect_peer_id(peer_id);
            return;
        }
        let addresses: Vec<Multiaddr> =
            info.listen_addrs.into_iter().take(ADDRESSES_PER_PEER_MAX).collect();
        for address in &addresses {
            self.swarm.behaviour_mut().kad.add_address(&peer_id, address.clone());
        }
        self.book.heard_of(peer_id, addresses, Instant::now());
    }

    fn on_kad(&mut self, event: kad::Event) {
        let now = Instant::now();
        match event {
            kad::Event::RoutingUpdated { peer, addresses, .. } => {
                self.book.heard_of(peer, addresses.into_vec(), now)
            }
            kad::Event::OutboundQueryProgressed {
                result: kad::QueryResult::GetClosestPeers(found),
                ..
            } => {
                let peers = match found {
                    Ok(found) => found.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                for found in peers {
                    self.book.heard_of(found.peer_id, found.addrs, now);
                }
            }
            _ => {}
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source, message_id, message } = event else {
            return;
        };
        let topic = self.names.topic_of(&message.topic);
        let id = <[u8; 32]>::try_from(message_id.0.as_slice()).ok().map(Hash);
        let (Some(topic), Some(id), Some(from)) = (topic, id, key_of(&propagation_source)) else {
            return;
        };
        let bytes = message.data;
        self.counters.gossip_bytes_in.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let id = GossipId { id, from, bytes: bytes.len() as u32 };
        if !self.tell(NetEvent::Gossip { topic, id, from, bytes }) {
            self.judge(id, super::super::Acceptance::Ignore);
        }
    }

    fn on_sync(&mut self, event: Requests) {
        match event {
            RequestEvent::Message {
                peer,
                message: RequestMessage::Request { request, channel, .. },
                ..
            } => {
                let Some(from) = key_of(&peer) else { return };
                // Without an answer the sender knows that the message is lost.
                if self.tell(NetEvent::Message { from, bytes: request.into() }) {
                    let _ = self.swarm.behaviour_mut().sync.send_response(channel, Bytes::new());
                }
            }
            RequestEvent::Message {
                peer,
                message: RequestMessage::Response { request_id, .. },
                ..
            } => {
                self.outbox.settled(&peer, &request_id);
                self.send_due(peer);
            }
            RequestEvent::OutboundFailure { peer, request_id, error, .. } => {
                tracing::debug!(%peer, %error, "message lost");
                if self.outbox.settled(&peer, &request_id) {
                    self.lose_messages(1);
                }
                self.send_due(peer);
            }
            RequestEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "bad message")
            }
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    fn on_blobs(&mut self, event: Requests) {
        match event {
            RequestEvent::Message {
                peer,
                message: RequestMessage::Request { request, channel, .. },
                ..
            } => {
                // Whose id is no key is nobody that bytes are for.
                if let Some(from) = key_of(&peer) {
                    self.shop.serve(from, request, channel);
                }
            }
            RequestEvent::Message {
                message: RequestMessage::Response { request_id, response },
                ..
            } => {
                if let Some(asker) = self.asked.remove(&request_id) {
                    // The asker may have given up.
                    let _ = asker.send(Ok(response));
                }
            }
            RequestEvent::OutboundFailure { request_id, error, .. } => {
                if let Some(asker) = self.asked.remove(&request_id) {
                    let _ = asker.send(Err(AskError::Failed(error.to_string())));
                }
            }
            RequestEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "blobs not served")
            }
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    /// Hands an event on to the driver; false if there was no room for its payload.
    fn tell(&mut self, event: NetEvent) -> bool {
        let room = self.inbox.push(event);
        if !room {
            self.counters.events_dropped.fetch_add(1, Ordering::Relaxed);
        }
        room
    }
}
