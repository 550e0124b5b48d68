//! Where a request goes, and whether its size may change the transport.

use crate::flow::Flow;

/// The way of a request.
///
/// ```
/// use offhook_transaction::{Flow, Outbound};
///
/// let flow = Flow::udp("192.0.2.1:5060".parse()?, "192.0.2.9:5060".parse()?);
/// assert!(!Outbound::from(flow).pinned);
/// assert!(Outbound::pinned(flow).pinned);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// The way.
    pub flow: Flow,
    /// Whether the request stays on this way whatever its size: a peer behind NAT that registered
    /// by UDP can be reached by UDP alone.
    pub pinned: bool,
}

impl Outbound {
    /// This way and no other.
    #[must_use]
    pub const fn pinned(flow: Flow) -> Self {
        Self { flow, pinned: true }
    }
}

impl From<Flow> for Outbound {
    /// A request too large for UDP goes by TCP (RFC 3261 §18.1.1).
    fn from(flow: Flow) -> Self {
        Self {
            flow,
            pinned: false,
        }
    }
}
