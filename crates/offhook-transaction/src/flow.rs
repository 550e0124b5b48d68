//! Where a message came from and where it goes: the only thing a machine knows of a socket.

use core::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use offhook_sip::Transport;

/// One accepted or opened connection, numbered by the network layer; never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// The path between one local and one remote address.
///
/// On a stream transport `connection` names the connection that a packet came in on. A flow
/// without one asks the network layer for a connection to `remote`: the one that is open, or a
/// new one (RFC 3261 §18.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// The transport protocol.
    pub transport: Transport,
    /// Our own address, as bound (never a wildcard in an arrival).
    pub local: SocketAddr,
    /// The peer's address, as seen on the packet.
    pub remote: SocketAddr,
    /// The connection of a stream transport, if one is open.
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// A datagram flow.
    #[must_use]
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            transport: Transport::Udp,
            local,
            remote,
            connection: None,
        }
    }

    /// Whether the transport itself resends what is lost (RFC 3261 §17: "reliable transport").
    #[must_use]
    pub const fn is_reliable(&self) -> bool {
        self.transport.is_reliable()
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.transport, self.local, self.remote)
    }
}

/// A packet that a machine wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The path to send it on.
    pub flow: Flow,
    /// The whole message, ready for the wire.
    pub payload: Bytes,
}
