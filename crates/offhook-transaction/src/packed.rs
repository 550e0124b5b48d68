//! A flow in little room: a busy server keeps some million finished transactions.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use offhook_sip::Transport;

use crate::flow::{ConnectionId, Flow};

/// Stands for a flow without a connection.
const NO_CONNECTION: u64 = u64::MAX;

/// A [`Flow`] in 56 octets instead of 88. Of an IPv6 address the flow label is not kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedFlow {
    local: [u8; 16],
    remote: [u8; 16],
    connection: u64,
    local_scope: u32,
    remote_scope: u32,
    local_port: u16,
    remote_port: u16,
    transport: Transport,
    is_ipv4: Families,
}

#[derive(Clone, Copy, Debug)]
struct Families {
    local: bool,
    remote: bool,
}

impl PackedFlow {
    pub(crate) fn unpack(&self) -> Flow {
        let Families { local, remote } = self.is_ipv4;
        Flow {
            transport: self.transport,
            local: address(self.local, self.local_port, self.local_scope, local),
            remote: address(self.remote, self.remote_port, self.remote_scope, remote),
            connection: (self.connection != NO_CONNECTION).then_some(ConnectionId(self.connection)),
        }
    }
}

impl From<Flow> for PackedFlow {
    fn from(flow: Flow) -> Self {
        Self {
            local: octets(flow.local),
            remote: octets(flow.remote),
            connection: flow.connection.map_or(NO_CONNECTION, |id| id.0),
            local_scope: scope(flow.local),
            remote_scope: scope(flow.remote),
            local_port: flow.local.port(),
            remote_port: flow.remote.port(),
            transport: flow.transport,
            is_ipv4: Families {
                local: flow.local.is_ipv4(),
                remote: flow.remote.is_ipv4(),
            },
        }
    }
}

fn octets(address: SocketAddr) -> [u8; 16] {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        SocketAddr::V6(address) => address.ip().octets(),
    }
}

fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    }
}

fn address(octets: [u8; 16], port: u16, scope: u32, is_ipv4: bool) -> SocketAddr {
    if is_ipv4 {
        let [a, b, c, d, ..] = octets;
        return SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port));
    }
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(octets), port, 0, scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flow_comes_back() {
        assert_eq!(size_of::<PackedFlow>(), 56);
        for (local, remote, connection) in [
            ("192.0.2.1:5060", "198.51.100.7:61000", None),
            ("[2001:db8::1]:5060", "[fe80::7%3]:5062", Some(0)),
            ("[::ffff:192.0.2.1]:5060", "192.0.2.1:1", Some(u64::MAX - 1)),
        ] {
            let flow = Flow {
                transport: Transport::Tcp,
                local: local.parse().unwrap(),
                remote: remote.parse().unwrap(),
                connection: connection.map(ConnectionId),
            };
            assert_eq!(PackedFlow::from(flow).unpack(), flow);
        }
    }
}
