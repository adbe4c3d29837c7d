//! What the handle asks of the swarm task, done.
use super::super::blobs::AskError;
use super::super::book::peer_in;
use super::super::peer_id::{id_of, key_of};
use super::super::{Acceptance, GOSSIP_BYTES_MAX, GossipId, MESSAGE_BYTES_MAX, PeerInfo, Topic};
use super::{Command, Flow, Task};
use bytes::Bytes;
use coordinator_free_scheduler::PeerKey;
use libp2p::request_response::ResponseChannel;
use libp2p::{Multiaddr, PeerId, gossipsub};
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

impl Task {
    pub(super) fn handle_command(&mut self, command: Command) -> Flow {
        match command {
            Command::Publish(topic, bytes) => self.publish(topic, bytes),
            Command::Accept(id, verdict) => self.judge(id, verdict),
            Command::Send(to, bytes) => self.send(to, Bytes::from(bytes)),
            Command::AskForBlobs(from, request, answer) => {
                self.ask_for_blobs(from, request, answer)
            }
            Command::Peers(answer) => drop(answer.send(self.peers())),
            Command::Addresses(answer) => drop(answer.send(self.addresses())),
            Command::Dial(address) => self.dial(&address),
            Command::Disconnect(key) => self.send_away(key),
            Command::Block(key) => {
                if let Some(peer) = id_of(&key) {
                    self.swarm.behaviour_mut().blocked.block_peer(peer);
                }
                self.send_away(key);
            }
            Command::Stop(stopped) => return Flow::Stop(stopped),
        }
        Flow::Continue
    }

    pub(super) fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        let size = bytes.len();
        let topic = self.names.topic(topic);
        let sent = size <= GOSSIP_BYTES_MAX && {
            match self.swarm.behaviour_mut().gossip.publish(topic, bytes) {
                Ok(_) => true,
                // It went out before: nothing is lost.
                Err(gossipsub::PublishError::Duplicate) => return,
                Err(reason) => {
                    tracing::debug!(%reason, "gossip not published");
                    false
                }
            }
        };
        if sent {
            self.counters.gossip_bytes_out.fetch_add(size as u64, Ordering::Relaxed);
        } else {
            self.counters.gossip_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn judge(&mut self, id: GossipId, verdict: Acceptance) {
        let Some(source) = id_of(&id.from) else { return };
        let acceptance = match verdict {
            Acceptance::Forward => gossipsub::MessageAcceptance::Accept,
            Acceptance::Ignore => gossipsub::MessageAcceptance::Ignore,
            Acceptance::Reject => gossipsub::MessageAcceptance::Reject,
        };
        let message = gossipsub::MessageId::from(id.id.0);
        let found = self
            .swarm
            .behaviour_mut()
            .gossip
            .report_message_validation_result(&message, &source, acceptance);
        if found && verdict == Acceptance::Forward {
            self.counters.gossip_bytes_out.fetch_add(id.bytes as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn send(&mut self, to: PeerKey, message: Bytes) {
        let peer = id_of(&to).filter(|_| message.len() <= MESSAGE_BYTES_MAX);
        match peer {
            Some(peer) if self.outbox.push(&peer, message) => self.send_due(peer),
            _ => self.lose_messages(1),
        }
    }

    pub(super) fn send_due(&mut self, peer: PeerId) {
        let sync = &mut self.swarm.behaviour_mut().sync;
        self.outbox.send_due(&peer, |message| sync.send_request(&peer, message));
    }

    pub(super) fn lose_messages(&self, count: u64) {
        self.counters.messages_dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn ask_for_blobs(
        &mut self,
        from: PeerKey,
        request: Bytes,
        answer: oneshot::Sender<Result<Bytes, AskError>>,
    ) {
        match id_of(&from).filter(|peer| self.book.is_connected(peer)) {
            Some(peer) => {
                let id = self.swarm.behaviour_mut().blobs.send_request(&peer, request);
                self.asked.insert(id, answer);
            }
            None => drop(answer.send(Err(AskError::NotConnected))),
        }
    }

    pub(super) fn send_answer(&mut self, channel: ResponseChannel<Bytes>, answer: Bytes) {
        let bytes = answer.len() as u64;
        if self.swarm.behaviour_mut().blobs.send_response(channel, answer).is_ok() {
            self.counters.blob_bytes_out.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn peers(&self) -> Vec<PeerInfo> {
        let mut peers: Vec<PeerInfo> = Vec::new();
        for (peer, connected) in self.book.connected() {
            let Some(key) = key_of(peer) else { continue };
            let mut addrs: Vec<String> =
                self.book.addresses(peer).iter().map(Multiaddr::to_string).collect();
            if addrs.is_empty() {
                addrs.push(connected.at.to_string());
            }
            peers.push(PeerInfo {
                key,
                peer_id: peer.to_string(),
                addrs,
                connected_since: connected.since,
            });
        }
        peers.sort_by_key(|peer| peer.key);
        peers
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        let me = *self.swarm.local_peer_id();
        let all = self.swarm.external_addresses().chain(self.swarm.listeners());
        let named = all.filter_map(|address| address.clone().with_p2p(me).ok());
        let mut texts = Vec::new();
        for text in named.map(|address| address.to_string()) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    pub(super) fn dial(&mut self, text: &str) {
        match text.parse::<Multiaddr>() {
            Ok(address) => self.call(peer_in(&address), vec![address]),
            Err(reason) => {
                tracing::warn!(address = text, %reason, "not a multiaddress, not dialled")
            }
        }
    }
}
