//! Who is connected now: whom bytes can be asked from, and how many peers there are.
use coordinator_free_scheduler::PeerKey;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The peers that are connected now, for those who want bytes from somebody.
#[derive(Clone, Default)]
pub struct Neighbours(Arc<Mutex<BTreeSet<PeerKey>>>);

impl Neighbours {
    /// `first` if they are not this node's own, then everybody else who is connected.
    pub fn sources(&self, me: PeerKey, first: &[PeerKey]) -> Vec<PeerKey> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = all.iter().filter(|peer| !first.contains(peer));
        first.iter().filter(|peer| **peer != me).chain(others).copied().collect()
    }

    /// Notes that a peer is connected now, or no longer.
    pub fn set(&self, peer: PeerKey, connected: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match connected {
            true => all.insert(peer),
            false => all.remove(&peer),
        };
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
