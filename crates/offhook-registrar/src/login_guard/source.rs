//! Where an attempt comes from, and the keys under which it is counted.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A network with a port: one place. With port 0: all of the network.
pub(super) type Source = (IpAddr, u16);

/// The place that an address of a packet stands for.
pub(super) fn place_of(address: SocketAddr) -> Source {
    (network(address.ip()), address.port())
}

/// One host of IPv4, one network of IPv6: a single subscriber has 2^64 addresses there.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

pub(super) fn pair(source: Source, user: &str) -> u64 {
    hash(&(source, user))
}

/// Names are kept as a hash, so that long ones take no room. It is the same in every run, as a simulation must be.
pub(super) fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
