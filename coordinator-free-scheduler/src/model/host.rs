//! What a peer says of the machine that it is on, to the signers of audited jobs.
//!
//! Nobody can prove it. A wrong class of processors excuses a wrong answer from blame, and makes it no
//! more believed; who leaves out whose machine it is has no advantage that a stranger has not.
use crate::PeerKey;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What is signed before a node's key, so that no other statement can be taken for a link.
pub const LINK_CONTEXT: &[u8] = b"dugnad 1 link\0";

/// The machine of a peer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug, Default)]
pub struct Host {
    /// The class of its processor: on another class a module is compiled to other instructions, and if
    /// it is not exact comes to other answers. 0 if it is not known.
    pub arch: u8,
    /// Whose it is.
    pub link: Option<Link>,
}

/// A donor's word that a node is one of its own: then all of them together are one voter.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Link {
    /// The donor's own key.
    pub donor: PeerKey,
    /// The donor's, over [`LINK_CONTEXT`] and the key of the node: 64 bytes.
    pub signature: Vec<u8>,
}
