//! What can be put on the virtual network.

use core::any::Any;
use core::fmt;
use core::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use offhook_transaction::{Flow, Transmit};

/// A datagram that is not SIP, such as RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The port that it leaves from; its address is one of the node's own.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// What it carries.
    pub payload: Bytes,
}

/// A machine on the virtual network, with whatever actor drives it.
///
/// The network calls one of the `handle_` methods, then polls until there is nothing more, and
/// comes back when the time of [`poll_timeout`](Self::poll_timeout) is reached. An implementation
/// drains its machine's `poll_output` in [`poll_transmit`](Self::poll_transmit), returns what is
/// to be sent and keeps, or acts on, the events.
pub trait Node: Any {
    /// A SIP datagram, or one whole message of a stream.
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes);

    /// Something sent on `flow` could not be delivered, or its connection is gone.
    fn handle_transport_error(&mut self, now: Instant, flow: Flow);

    /// The time of [`poll_timeout`](Self::poll_timeout) has come.
    fn handle_timeout(&mut self, now: Instant);

    /// When the node has something to do by itself.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next SIP message to send.
    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit>;

    /// A datagram that another node sent as a [`Datagram`].
    fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        payload: Bytes,
    ) {
        let _ = (now, local, from, payload);
    }

    /// The next datagram to send that is not SIP.
    fn poll_datagram(&mut self, now: Instant) -> Option<Datagram> {
        let _ = now;
        None
    }
}

/// Names a node of type `T` on a [`Network`](crate::Network).
pub struct NodeId<T> {
    pub(crate) index: usize,
    node: PhantomData<fn() -> T>,
}

impl<T> NodeId<T> {
    pub(crate) const fn new(index: usize) -> Self {
        Self {
            index,
            node: PhantomData,
        }
    }
}

impl<T> Clone for NodeId<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for NodeId<T> {}

impl<T> PartialEq for NodeId<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<T> Eq for NodeId<T> {}

impl<T> fmt::Debug for NodeId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.index)
    }
}
