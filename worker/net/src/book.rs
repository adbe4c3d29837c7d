//! Whom to call, and when: bootstrap addresses, peers heard of, peers connected.
//!
//! Bootstrap addresses are called for as long as there is no connection to them. Peers heard of are
//! called while there are fewer than [`NEIGHBOURS_WANTED`], and forgotten after a run of vain calls.
//! Every wait doubles up to a limit. Time is an argument; nothing is called from here.
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

/// A node looks for neighbours until it has this many: small grids become a full mesh.
pub const NEIGHBOURS_WANTED: usize = 32;
/// Peers heard of that are remembered.
pub const KNOWN_MAX: usize = 1024;
/// Addresses remembered for one peer.
pub const ADDRESSES_PER_PEER_MAX: usize = 8;
/// Vain calls after which a peer is forgotten until it is heard of again.
pub const VAIN_CALLS_MAX: u32 = 12;
/// The first wait between two calls.
pub const CALL_WAIT_MS_MIN: u64 = 250;
/// The longest wait between two calls.
pub const CALL_WAIT_MS_MAX: u64 = 30_000;
/// How long a peer that was sent away is not called.
pub const QUIET_S: u64 = 300;

/// A call to make.
#[derive(PartialEq, Eq, Debug)]
pub struct Call {
    /// Whom, if known.
    pub peer: Option<PeerId>,
    /// Where, in order of preference.
    pub addresses: Vec<Multiaddr>,
}

/// A connected peer.
pub struct Connected {
    /// Since when.
    pub since: SystemTime,
    /// Where it called from, or was called.
    pub at: Multiaddr,
    connections: HashSet<ConnectionId>,
}

/// What a changed number of connections means.
#[derive(PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing: there are others.
    None,
    /// The first connection stands, or the last is gone.
    Peer,
}

struct BackOff {
    next: Instant,
    wait_ms: u64,
}

struct Known {
    addresses: Vec<Multiaddr>,
    back_off: BackOff,
    vain_calls: u32,
}

struct Bootstrap {
    address: Multiaddr,
    peer: Option<PeerId>,
    back_off: BackOff,
}

/// All of it.
pub struct Book {
    me: PeerId,
    bootstrap: Vec<Bootstrap>,
    known: HashMap<PeerId, Known>,
    connected: HashMap<PeerId, Connected>,
}

impl BackOff {
    fn new(now: Instant) -> BackOff {
        BackOff { next: now, wait_ms: CALL_WAIT_MS_MIN }
    }

    /// Whether it is time; if so, the next time is further away.
    fn due(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + Duration::from_millis(self.wait_ms);
            self.wait_ms = (self.wait_ms * 2).min(CALL_WAIT_MS_MAX);
        }
        due
    }
}

impl Book {
    /// A book that holds only the bootstrap addresses.
    pub fn new(me: PeerId, bootstrap: Vec<Multiaddr>, now: Instant) -> Book {
        let entry = |address: Multiaddr| Bootstrap {
            peer: peer_in(&address),
            address,
            back_off: BackOff::new(now),
        };
        let bootstrap = bootstrap.into_iter().map(entry).collect();
        Book { me, bootstrap, known: HashMap::new(), connected: HashMap::new() }
    }

    /// Somebody says that `peer` is found at `addresses`.
    pub fn heard_of(
        &mut self,
        peer: PeerId,
        addresses: impl IntoIterator<Item = Multiaddr>,
        now: Instant,
    ) {
        if peer == self.me || (!self.known.contains_key(&peer) && self.known.len() >= KNOWN_MAX) {
            return;
        }
        let known = self.known.entry(peer).or_insert_with(|| Known {
            addresses: Vec::new(),
            back_off: BackOff::new(now),
            vain_calls: 0,
        });
        for address in addresses {
            let Ok(address) = address.with_p2p(peer) else { continue };
            // The newest first: it is the likeliest to answer.
            known.addresses.retain(|held| *held != address);
            known.addresses.insert(0, address);
        }
        known.addresses.truncate(ADDRESSES_PER_PEER_MAX);
    }

    /// The calls that are due. Each is taken as made.
    pub fn due(&mut self, now: Instant) -> Vec<Call> {
        let mut calls = Vec::new();
        for entry in &mut self.bootstrap {
            let there = entry
                .peer
                .is_some_and(|peer| peer == self.me || self.connected.contains_key(&peer));
            if !there && entry.back_off.due(now) {
                calls.push(Call { peer: entry.peer, addresses: vec![entry.address.clone()] });
            }
        }
        let mut room = NEIGHBOURS_WANTED.saturating_sub(self.connected.len() + calls.len());
        for (peer, known) in &mut self.known {
            let there = self.connected.contains_key(peer) || known.addresses.is_empty();
            if room > 0 && !there && known.back_off.due(now) {
                room -= 1;
                known.vain_calls += 1;
                calls.push(Call { peer: Some(*peer), addresses: known.addresses.clone() });
            }
        }
        self.known.retain(|_, known| known.vain_calls < VAIN_CALLS_MAX);
        calls
    }

    /// A connection stands. `called` says that this node opened it.
    pub fn opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        at: Multiaddr,
        called: bool,
        now: Instant,
    ) -> Change {
        for entry in &mut self.bootstrap {
            if called && entry.peer.is_none() && same_place(&entry.address, &at) {
                entry.peer = Some(peer);
            }
            if entry.peer == Some(peer) {
                entry.back_off = BackOff::new(now);
            }
        }
        if called {
            self.heard_of(peer, [at.clone()], now);
        }
        if let Some(known) = self.known.get_mut(&peer) {
            known.back_off = BackOff::new(now);
            known.vain_calls = 0;
        }
        let entry = self.connected.entry(peer).or_insert_with(|| Connected {
            since: SystemTime::now(),
            at,
            connections: HashSet::new(),
        });
        entry.connections.insert(connection);
        if entry.connections.len() == 1 { Change::Peer } else { Change::None }
    }

    /// A connection is gone.
    pub fn closed(&mut self, peer: PeerId, connection: ConnectionId) -> Change {
        let Some(entry) = self.connected.get_mut(&peer) else { return Change::None };
        entry.connections.remove(&connection);
        if !entry.connections.is_empty() {
            return Change::None;
        }
        self.connected.remove(&peer);
        Change::Peer
    }

    /// The peer is not called for a while.
    pub fn send_away(&mut self, peer: PeerId, now: Instant) {
        let quiet = BackOff { next: now + Duration::from_secs(QUIET_S), wait_ms: CALL_WAIT_MS_MAX };
        let known = Known { addresses: Vec::new(), back_off: quiet, vain_calls: 0 };
        self.known.insert(peer, known);
    }

    /// Whether a connection to the peer stands.
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.connected.contains_key(peer)
    }

    /// Who is connected.
    pub fn connected(&self) -> &HashMap<PeerId, Connected> {
        &self.connected
    }

    /// Where a peer is said to listen.
    pub fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.known.get(peer).map_or(&[], |known| &known.addresses)
    }
}

/// The peer that an address ends in.
pub fn peer_in(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// Whether two addresses differ at most by the peer they end in.
fn same_place(a: &Multiaddr, b: &Multiaddr) -> bool {
    let place = |address: &Multiaddr| -> Vec<u8> {
        let parts = address.iter().filter(|part| !matches!(part, Protocol::P2p(_)));
        parts.collect::<Multiaddr>().to_vec()
    };
    place(a) == place(b)
}
