//! How bytes travel: TCP with Noise and Yamux, and QUIC; on a private network TCP behind the key.
use super::NetError;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, Transport, upgrade::Version};
use libp2p::identity::Keypair;
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::{PeerId, dns, metrics, noise, quic, tcp, yamux};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// A handshake that takes longer is given up.
pub const HANDSHAKE_S_MAX: u64 = 10;
/// Silence after which a QUIC connection is given up: longer than a frozen process usually stays so.
pub const QUIC_IDLE_MS_MAX: u32 = 30_000;

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// The transport of a public network, or of the private one that has `network_key`.
pub fn open(
    keypair: &Keypair,
    network_key: Option<[u8; 32]>,
    registry: &mut Registry,
) -> Result<Connections, NetError> {
    let reachable = match network_key {
        Some(key) => with_names(private_tcp(keypair, key)?)?,
        None => {
            let quic = quic::tokio::Transport::new(quic_config(keypair))
                .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
            let both = quic.or_transport(public_tcp(keypair)?).map(|either, _| either.into_inner());
            with_names(both.boxed())?
        }
    };
    let counted = metrics::BandwidthTransport::new(reachable, registry);
    Ok(counted.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed())
}

/// Resolves names in addresses; where the system names no resolver, only numbers work.
fn with_names(transport: Connections) -> Result<Connections, NetError> {
    // The first call only asks, since a failed one keeps what it was given.
    if dns::tokio::Transport::system(()).is_err() {
        tracing::warn!("no name resolver found: peers can be reached by number only");
        return Ok(transport);
    }
    match dns::tokio::Transport::system(transport) {
        Ok(resolving) => Ok(resolving.boxed()),
        Err(e) => Err(NetError::Stack { part: "the name resolver", reason: e.to_string() }),
    }
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.max_idle_timeout = QUIC_IDLE_MS_MAX;
    config
}

fn public_tcp(keypair: &Keypair) -> Result<Connections, NetError> {
    let noise = noise_config(keypair)?;
    Ok(secured(tcp_sockets(), noise))
}

/// Nobody without the key gets as far as the Noise handshake.
fn private_tcp(keypair: &Keypair, key: [u8; 32]) -> Result<Connections, NetError> {
    let noise = noise_config(keypair)?;
    let key = PnetConfig::new(PreSharedKey::new(key));
    Ok(secured(tcp_sockets().and_then(move |socket, _| key.handshake(socket)), noise))
}

fn tcp_sockets() -> tcp::tokio::Transport {
    tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
}

fn noise_config(keypair: &Keypair) -> Result<noise::Config, NetError> {
    noise::Config::new(keypair)
        .map_err(|e| NetError::Stack { part: "the Noise handshake", reason: e.to_string() })
}

fn secured<T>(sockets: T, noise: noise::Config) -> Connections
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send,
    T::ListenerUpgrade: Send,
{
    sockets
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .timeout(Duration::from_secs(HANDSHAKE_S_MAX))
        .boxed()
}
