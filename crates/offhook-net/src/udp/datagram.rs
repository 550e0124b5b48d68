//! What a socket gives.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use bytes::Bytes;

/// The largest datagram there is.
pub(super) const DATAGRAM: usize = 65_536;

/// A datagram that came in.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    /// The address it was sent to, where the system tells.
    pub(super) to: Option<IpAddr>,
    /// When it reached this machine, where the system tells.
    pub(super) arrived: Option<SystemTime>,
    /// How many the socket has lost before it, its buffer being full; where the system tells.
    pub(super) lost: Option<u32>,
    pub(super) payload: Bytes,
}
