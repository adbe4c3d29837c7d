//! Direct messages on their way out: a queue for each connected peer, a few in flight at a time.
//!
//! A message counts as delivered when the other side acknowledged it. What finds the queue full, or
//! is still here when the last connection goes, is dropped and counted.
use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::OutboundRequestId;
use std::collections::{HashMap, HashSet, VecDeque};

/// Messages that wait for one peer.
pub const WAITING_MAX: usize = 1024;
/// Bytes that wait for one peer.
pub const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Messages in flight to one peer.
pub const IN_FLIGHT_MAX: usize = 8;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    in_flight: HashSet<OutboundRequestId>,
}

/// The queues of all connected peers.
#[derive(Default)]
pub struct Outbox {
    queues: HashMap<PeerId, Queue>,
}

impl Outbox {
    /// The peer is there: it gets a queue.
    pub fn open(&mut self, peer: PeerId) {
        self.queues.entry(peer).or_default();
    }

    /// The peer is gone; says how many messages are lost.
    pub fn close(&mut self, peer: &PeerId) -> u64 {
        self.queues
            .remove(peer)
            .map_or(0, |queue| (queue.waiting.len() + queue.in_flight.len()) as u64)
    }

    /// Queues a message; says whether there was room.
    pub fn push(&mut self, peer: &PeerId, message: Bytes) -> bool {
        let Some(queue) = self.queues.get_mut(peer) else { return false };
        if queue.waiting.len() >= WAITING_MAX || queue.bytes + message.len() > WAITING_BYTES_MAX {
            return false;
        }
        queue.bytes += message.len();
        queue.waiting.push_back(message);
        true
    }

    /// Sends what may be sent now.
    pub fn send_due(&mut self, peer: &PeerId, mut send: impl FnMut(Bytes) -> OutboundRequestId) {
        let Some(queue) = self.queues.get_mut(peer) else { return };
        while queue.in_flight.len() < IN_FLIGHT_MAX
            && let Some(message) = queue.waiting.pop_front()
        {
            queue.bytes -= message.len();
            queue.in_flight.insert(send(message));
        }
    }

    /// A message is no longer in flight; false if it was given up before.
    pub fn settled(&mut self, peer: &PeerId, request: &OutboundRequestId) -> bool {
        self.queues.get_mut(peer).is_some_and(|queue| queue.in_flight.remove(request))
    }
}
