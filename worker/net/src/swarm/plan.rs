//! The configuration as it was understood: whatever cannot work is refused here, before anything opens.
use super::super::behaviour::Names;
use super::super::{NETWORK_NAME_BYTES_MAX, NetConfig, NetError};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, multiaddr::Protocol};

/// A configuration that was understood.
pub struct Plan {
    pub keypair: Keypair,
    pub names: Names,
    pub listen: Vec<Multiaddr>,
    pub bootstrap: Vec<Multiaddr>,
    pub network_key: Option<[u8; 32]>,
    pub mdns: bool,
}

impl Plan {
    /// Reads the configuration.
    ///
    /// # Errors
    /// What cannot work.
    pub fn check(config: &NetConfig) -> Result<Plan, NetError> {
        let name = &config.network;
        let fits = (1..=NETWORK_NAME_BYTES_MAX).contains(&name.len());
        if !fits || !name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Err(NetError::BadNetworkName(name.clone()));
        }
        let keypair = Keypair::ed25519_from_bytes(config.secret)
            .map_err(|e| NetError::Stack { part: "with this secret key", reason: e.to_string() })?;
        let private = config.network_key.is_some();
        Ok(Plan {
            keypair,
            names: Names::new(name),
            listen: addresses("listen", &config.listen, private)?,
            bootstrap: addresses("bootstrap", &config.bootstrap, private)?,
            network_key: config.network_key,
            mdns: config.mdns,
        })
    }
}

fn addresses(
    role: &'static str,
    texts: &[String],
    private: bool,
) -> Result<Vec<Multiaddr>, NetError> {
    let read = |text: &String| {
        let address: Multiaddr = text.parse().map_err(|e: libp2p::multiaddr::Error| {
            NetError::BadAddress { role, text: text.clone(), reason: e.to_string() }
        })?;
        let quic = address.iter().any(|part| matches!(part, Protocol::Quic | Protocol::QuicV1));
        if quic && private {
            return Err(NetError::QuicWithNetworkKey { role, text: text.clone() });
        }
        Ok(address)
    };
    texts.iter().map(read).collect()
}
