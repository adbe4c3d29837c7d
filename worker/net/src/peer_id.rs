//! Between our keys and libp2p's peer ids. Only Ed25519 has a place here.
use coordinator_free_scheduler::PeerKey;
use libp2p::PeerId;
use libp2p::identity::{PublicKey, ed25519};

/// The code of the multihash that holds a key itself instead of its hash.
const IDENTITY_MULTIHASH: u64 = 0;

/// The key inside a peer id; none if it names another kind of key.
pub fn key_of(peer: &PeerId) -> Option<PeerKey> {
    let multihash = peer.as_ref();
    if multihash.code() != IDENTITY_MULTIHASH {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(multihash.digest()).ok()?;
    Some(PeerKey(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The peer id of a key; none if its bytes are no point of the curve.
pub fn id_of(key: &PeerKey) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(&key.0).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}
