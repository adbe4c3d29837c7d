//! Peers that do not keep to the rules: raw swarms with a codec that writes what it is told.
use super::super::blobs::wire::{self, Request};
use super::super::{blobs::proof, peer_id, transport};
use bao_tree::BlockSize;
use bao_tree::io::outboard::PreOrderMemOutboard;
use bytes::Bytes;
use coordinator_free_scheduler::{Hash, PeerKey};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Codec, Event, Message, ProtocolSupport};
use libp2p::swarm::{Config, SwarmEvent, dummy};
use libp2p::{Multiaddr, StreamProtocol, Swarm};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Writes bytes as they are, without a length; reads all there is.
#[derive(Clone)]
struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Bytes> {
        let mut length = [0; 4];
        io.read_exact(&mut length).await?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        io.read_exact(&mut frame).await?;
        Ok(frame.into())
    }
    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<Bytes> {
        let mut all = Vec::new();
        io.read_to_end(&mut all).await?;
        Ok(all.into())
    }
    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Bytes,
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }
    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Bytes,
    ) -> io::Result<()> {
        io.write_all(&bytes).await
    }
}

fn raw_swarm(seed: u8, protocol: &'static str) -> Swarm<request_response::Behaviour<Raw>> {
    let keypair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    let transport = transport::open(&keypair, None, &mut Default::default()).unwrap();
    let protocols = [(StreamProtocol::new(protocol), ProtocolSupport::Full)];
    let behaviour = request_response::Behaviour::with_codec(Raw, protocols, Default::default());
    let config =
        Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(600));
    Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config)
}

/// Calls a node with another key, or none, and waits until that has failed.
pub async fn stranger_fails_to_reach(address: &str, network_key: Option<[u8; 32]>) {
    let keypair = Keypair::ed25519_from_bytes([99; 32]).unwrap();
    let transport = transport::open(&keypair, network_key, &mut Default::default()).unwrap();
    let mut swarm = Swarm::new(
        transport,
        dummy::Behaviour,
        keypair.public().to_peer_id(),
        Config::with_tokio_executor(),
    );
    swarm.dial(address.parse::<Multiaddr>().unwrap()).unwrap();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => panic!("a stranger got in"),
            SwarmEvent::OutgoingConnectionError { .. } => return,
            _ => {}
        }
    }
}

/// Sends each of `frames` on a stream of `protocol` and waits until the node has dealt with all.
pub async fn pester(address: &str, protocol: &'static str, frames: Vec<Vec<u8>>) {
    let mut swarm = raw_swarm(98, protocol);
    let address: Multiaddr = address.parse().unwrap();
    let node = super::super::book::peer_in(&address).unwrap();
    swarm.dial(address).unwrap();
    while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
    let mut open = frames.len();
    for frame in frames {
        swarm.behaviour_mut().send_request(&node, Bytes::from(frame));
    }
    while open > 0 {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(Event::Message { message: Message::Response { .. }, .. })
            | SwarmEvent::Behaviour(Event::OutboundFailure { .. }) => open -= 1,
            _ => {}
        }
    }
}

/// How a liar spoils the blob that it serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Ranges from this offset on have a wrong byte.
    BytesFrom(u64),
    /// The size is off by this much.
    Size(i64),
    /// Small blobs have a wrong byte.
    Small,
    /// It says of every blob that it is large.
    Large,
    /// Its answers are no frames of the protocol.
    Garbage,
}

/// A liar that serves one blob; it notes the offsets that it was asked for.
pub struct Liar {
    pub key: PeerKey,
    pub address: String,
    pub asked: Arc<Mutex<Vec<u64>>>,
}

impl Liar {
    pub async fn start(seed: u8, blob: Vec<u8>, lie: Lie) -> Liar {
        let mut swarm = raw_swarm(seed, "/dugnad/test/blobs/1");
        let key = peer_id::key_of(swarm.local_peer_id()).unwrap();
        swarm.listen_on(super::grid::QUIC.parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address.with_p2p(*swarm.local_peer_id()).unwrap().to_string();
            }
        };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        tokio::spawn(async move {
            let outboard = PreOrderMemOutboard::create(&blob, BlockSize::from_chunk_log(4)).data;
            loop {
                let event = swarm.select_next_some().await;
                if let SwarmEvent::Behaviour(Event::Message {
                    message: Message::Request { request, channel, .. },
                    ..
                }) = event
                {
                    let answer =
                        spoiled(&blob, &outboard, Request::decode(request).unwrap(), lie, &noted);
                    let _ = swarm.behaviour_mut().send_response(channel, answer);
                }
            }
        });
        Liar { key, address, asked }
    }
}

fn spoiled(
    blob: &[u8],
    outboard: &[u8],
    request: Request,
    lie: Lie,
    noted: &Mutex<Vec<u64>>,
) -> Bytes {
    let (hash, size) = (Hash::of(blob), blob.len() as u64);
    let slice = |range: std::ops::Range<u64>| {
        let bytes = blob[range.start as usize..range.end as usize].to_vec();
        proof::cut(hash, size, outboard, &range, bytes).unwrap()
    };
    let frame = match (request, lie) {
        (_, Lie::Garbage) => return Bytes::from_static(&[0xff; 64]),
        (Request::Small(asked), Lie::Small) => {
            small(&asked, |_| wire::Small::Blob(Bytes::from_static(b"not it")))
        }
        (Request::Small(asked), _) => small(&asked, |_| wire::Small::Large),
        (Request::Tail(_), Lie::Size(off)) => {
            wire::put_slice(size.wrapping_add_signed(off), &slice(proof::tail(size)))
        }
        (Request::Tail(_), _) => wire::put_slice(size, &slice(proof::tail(size))),
        (Request::Range { offset, bytes, .. }, lie) => {
            noted.lock().unwrap().push(offset);
            let mut slice = slice(offset..(offset + u64::from(bytes)).min(size));
            if matches!(lie, Lie::BytesFrom(from) if offset >= from) {
                *slice.last_mut().unwrap() ^= 1;
            }
            wire::put_slice(size, &slice)
        }
    };
    let mut framed = (frame.len() as u32).to_be_bytes().to_vec();
    framed.extend_from_slice(&frame);
    Bytes::from(framed)
}

fn small(asked: &[Hash], answer: impl Fn(&Hash) -> wire::Small) -> Bytes {
    let mut frame = Vec::new();
    asked.iter().all(|hash| wire::put_small(&mut frame, &answer(hash)));
    Bytes::from(frame)
}
