//! Events on their way to the driver: when it is slow they wait here, and when too many wait,
//! payloads are refused. Connections are always told: their number is limited elsewhere.
use super::NetEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Payloads that may wait.
pub const EVENTS_WAITING_MAX: usize = 4096;
/// Payload bytes that may wait.
pub const EVENT_BYTES_WAITING_MAX: usize = 64 * 1024 * 1024;

/// The events that wait for the driver.
pub struct Inbox {
    driver: mpsc::Sender<NetEvent>,
    waiting: VecDeque<NetEvent>,
    bytes: usize,
}

impl Inbox {
    /// An empty inbox before the driver's channel.
    pub fn new(driver: mpsc::Sender<NetEvent>) -> Inbox {
        Inbox { driver, waiting: VecDeque::new(), bytes: 0 }
    }

    /// Takes the event, or says that there is no room.
    pub fn push(&mut self, event: NetEvent) -> bool {
        let bytes = payload_bytes(&event);
        let full = self.waiting.len() >= EVENTS_WAITING_MAX
            || self.bytes + bytes > EVENT_BYTES_WAITING_MAX;
        if bytes > 0 && full {
            return false;
        }
        self.bytes += bytes;
        self.waiting.push_back(event);
        self.pass_on();
        true
    }

    /// Waits until the driver takes another event; for ever if none waits. Safe to abandon.
    pub async fn progress(&mut self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        match self.driver.reserve().await {
            Ok(room) => {
                if let Some(event) = self.waiting.pop_front() {
                    self.bytes -= payload_bytes(&event);
                    room.send(event);
                }
            }
            Err(_nobody_listens) => {
                self.waiting.clear();
                self.bytes = 0;
            }
        }
    }

    fn pass_on(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            let bytes = payload_bytes(&event);
            if let Err(mpsc::error::TrySendError::Full(event)) = self.driver.try_send(event) {
                self.waiting.push_front(event);
                return;
            }
            self.bytes -= bytes;
        }
    }
}

fn payload_bytes(event: &NetEvent) -> usize {
    match event {
        NetEvent::Gossip { bytes, .. } | NetEvent::Message { bytes, .. } => bytes.len().max(1),
        NetEvent::Listening(_)
        | NetEvent::Connected(_)
        | NetEvent::Network { .. }
        | NetEvent::Disconnected(_)
        | NetEvent::Lied { .. } => 0,
    }
}
