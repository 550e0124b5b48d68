//! Address translation: phones that share one public address.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// A router that translates addresses and ports, and lets in only those who were written to
/// (RFC 4787: endpoint-independent mapping, address and port-dependent filtering).
#[derive(Debug)]
pub(crate) struct Nat {
    public: IpAddr,
    inside: BTreeSet<IpAddr>,
    /// How long a mapping lives without a packet from inside.
    lifetime: Duration,
    by_inside: BTreeMap<SocketAddr, u16>,
    by_port: BTreeMap<u16, Mapping>,
    next_port: u16,
}

#[derive(Debug)]
struct Mapping {
    inside: SocketAddr,
    used_at: Instant,
    written_to: BTreeSet<SocketAddr>,
}

impl Nat {
    pub(crate) fn new(public: IpAddr, inside: &[IpAddr], lifetime: Duration) -> Self {
        Self {
            public,
            inside: inside.iter().copied().collect(),
            lifetime,
            by_inside: BTreeMap::new(),
            by_port: BTreeMap::new(),
            next_port: 1024,
        }
    }

    /// Whether a packet between these two passes the router outwards.
    pub(crate) fn is_outward(&self, from: IpAddr, to: IpAddr) -> bool {
        self.inside.contains(&from) && !self.inside.contains(&to)
    }

    pub(crate) fn is_public(&self, address: IpAddr) -> bool {
        self.public == address
    }

    /// The address that the world sees.
    pub(crate) fn outward(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        self.forget_old(now, from);
        let port = match self.by_inside.get(&from) {
            Some(port) => *port,
            None => self.map(now, from),
        };
        if let Some(mapping) = self.by_port.get_mut(&port) {
            mapping.used_at = now;
            mapping.written_to.insert(to);
        }
        SocketAddr::new(self.public, port)
    }

    /// The address inside that a packet goes to, if the router lets it in.
    pub(crate) fn inward(&self, now: Instant, from: SocketAddr, port: u16) -> Option<SocketAddr> {
        let mapping = self.by_port.get(&port)?;
        let alive = now.saturating_duration_since(mapping.used_at) <= self.lifetime;
        (alive && mapping.written_to.contains(&from)).then_some(mapping.inside)
    }

    /// A port for a connection that is opened from inside.
    pub(crate) fn stream(&mut self) -> SocketAddr {
        SocketAddr::new(self.public, self.new_port())
    }

    fn map(&mut self, now: Instant, inside: SocketAddr) -> u16 {
        let port = self.new_port();
        self.by_inside.insert(inside, port);
        let mapping = Mapping {
            inside,
            used_at: now,
            written_to: BTreeSet::new(),
        };
        self.by_port.insert(port, mapping);
        port
    }

    fn new_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(1024);
        port
    }

    fn forget_old(&mut self, now: Instant, inside: SocketAddr) {
        let port = self.by_inside.get(&inside).copied();
        let used_at = port
            .and_then(|port| self.by_port.get(&port))
            .map(|mapping| mapping.used_at);
        if let (Some(port), Some(used_at)) = (port, used_at)
            && now.saturating_duration_since(used_at) > self.lifetime
        {
            self.by_inside.remove(&inside);
            self.by_port.remove(&port);
        }
    }
}
