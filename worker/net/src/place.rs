//! Where a peer is, as far as that says whose machine it may be: addresses of one network are cheap to have
//! many of.
use libp2p::{Multiaddr, multiaddr::Protocol};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A name of the network that an address is in: the /24 of IPv4, the /48 of IPv6, or the relay that leads
/// there. None of an address that is not public: behind one router or on one machine they say nothing.
pub fn network_of(address: &Multiaddr) -> Option<u64> {
    let relayed = address.iter().any(|part| part == Protocol::P2pCircuit);
    address.iter().find_map(|part| match part {
        Protocol::P2p(relay) if relayed => Some(tagged(15, &tail(&relay.to_bytes()))),
        Protocol::Ip4(ip) if !relayed => is_public(ip).then(|| tagged(4, &ip.octets()[..3])),
        Protocol::Ip6(ip) if !relayed => network_of_v6(ip),
        _ => None,
    })
}

/// A relay's id begins with the kind of its key; its end tells it from others.
fn tail(id: &[u8]) -> Vec<u8> {
    id[id.len().saturating_sub(7)..].to_vec()
}

fn network_of_v6(ip: Ipv6Addr) -> Option<u64> {
    if let Some(ip) = ip.to_ipv4_mapped() {
        return is_public(ip).then(|| tagged(4, &ip.octets()[..3]));
    }
    // Global unicast, RFC 4291.
    let public = ip.segments()[0] & 0xe000 == 0x2000;
    public.then(|| tagged(6, &ip.octets()[..6]))
}

/// Not private (RFC 1918), shared by a carrier's customers (RFC 6598), or of the machine or link itself.
fn is_public(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let shared = first == 100 && second & 0xc0 == 64;
    let local = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified();
    !shared && !local && !ip.is_multicast() && !ip.is_broadcast()
}

/// Up to seven bytes behind a tag.
fn tagged(tag: u8, bytes: &[u8]) -> u64 {
    bytes.iter().fold(u64::from(tag), |name, byte| name << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_networks_and_relays_have_names_and_others_none() {
        let of = |text: &str| network_of(&text.parse().expect("an address"));
        let relay = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
        let other = "12D3KooWHFrmLWTTDD4NodngtRMEVYgxrsDMp4F9iSwYntZ9WjHa";
        assert_eq!(of("/ip4/198.51.100.7/tcp/4001"), of("/ip4/198.51.100.9/udp/4001/quic-v1"));
        assert_ne!(of("/ip4/198.51.100.7/tcp/4001"), of("/ip4/198.51.101.7/tcp/4001"));
        assert_eq!(of("/ip4/198.51.100.7/tcp/1"), of("/ip6/::ffff:198.51.100.8/tcp/1"));
        assert_eq!(of("/ip6/2001:db8:1:2::1/tcp/1"), of("/ip6/2001:db8:1:3::9/tcp/1"));
        assert_ne!(of("/ip6/2001:db8:1::1/tcp/1"), of("/ip6/2001:db8:2::1/tcp/1"));
        let by = |relay: &str| format!("/ip4/198.51.100.7/tcp/1/p2p/{relay}/p2p-circuit");
        assert_eq!(of(&by(relay)), of(&format!("/ip4/203.0.113.1/tcp/1/p2p/{relay}/p2p-circuit")));
        assert!(of(&by(relay)).is_some() && of(&by(relay)) != of(&by(other)));
        for private in
            ["127.0.0.1", "10.1.2.3", "192.168.1.4", "172.16.0.1", "169.254.0.9", "100.64.1.1"]
        {
            assert_eq!(of(&format!("/ip4/{private}/tcp/1")), None, "{private}");
        }
        for private in ["::1", "fe80::1", "fd00::1"] {
            assert_eq!(of(&format!("/ip6/{private}/tcp/1")), None, "{private}");
        }
    }
}
