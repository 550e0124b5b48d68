//! Why listening failed.

use std::io;
use std::net::SocketAddr;

use offhook_sip::Transport;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refused.
    #[error("cannot listen on {transport} {address}: {source}")]
    Refused {
        /// The transport.
        transport: Transport,
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The transport is not built in.
    #[error("cannot listen on {transport} {address}: this transport is not built in")]
    Unsupported {
        /// The transport.
        transport: Transport,
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// There is no telling which name servers to ask.
    #[error("cannot set up the resolver: {source}")]
    Resolver {
        /// What the system said.
        source: io::Error,
    },
    /// The threads that relay voice could not be started.
    #[error("cannot start the voice relay: {source}")]
    Relay {
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    /// Whether the port is taken by somebody else.
    #[must_use]
    pub fn is_port_taken(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}
