//! What the network has to tell a machine.

use std::net::SocketAddr;
use std::time::SystemTime;

use bytes::Bytes;
use offhook_media::relay;
use offhook_routing::next_hop::DnsAnswer;
use offhook_transaction::{ConnectionId, Flow};

use crate::out_queue::OutQueue;

/// One thing that a machine is to be fed.
#[derive(Debug)]
pub enum Arrival {
    /// A whole SIP message: a datagram, or what the framing of a stream cut out
    /// (RFC 3261 §18.3).
    Packet {
        /// Where it came from; `local` is never a wildcard.
        flow: Flow,
        /// The message.
        payload: Bytes,
    },
    /// The flow carries nothing any more, or the last packet on it was lost for a reason that
    /// the system knows (RFC 3261 §18.4).
    ///
    /// Of a connection that could not be opened only the flow as transmitted is told: nothing has
    /// reached the peer. Of one that was lost its own flow, with its number, is told first.
    TransportError {
        /// The flow, as it was transmitted on.
        flow: Flow,
    },
    /// The answer to a [`resolve`](crate::Sockets::resolve).
    Dns(DnsAnswer),
    /// What a relay thread reports.
    Media(relay::Event),
    /// A packet on a plain media port.
    Rtp {
        /// Our port.
        port: u16,
        /// Its sender.
        from: SocketAddr,
        /// The RTP or RTCP packet.
        payload: Bytes,
    },
}

/// What the tasks tell the owner of the sockets.
#[derive(Debug)]
pub(crate) enum Note {
    Arrival(Arrival),
    /// A packet, and when it reached this machine.
    Datagram {
        flow: Flow,
        payload: Bytes,
        arrived: Option<SystemTime>,
    },
    /// Sent before the connection's first packet.
    Accepted {
        flow: Flow,
        queue: OutQueue,
    },
    /// A connection that we opened stands.
    Opened {
        connection: ConnectionId,
    },
    /// The last note of a connection.
    Gone {
        connection: ConnectionId,
    },
}
