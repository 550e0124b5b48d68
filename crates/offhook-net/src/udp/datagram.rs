//! What a socket gives.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

/// The largest datagram there is.
pub(super) const DATAGRAM: usize = 65_536;

/// A datagram that came in.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    /// The address it was sent to, where the system tells.
    pub(super) to: Option<IpAddr>,
    pub(super) payload: Bytes,
}
