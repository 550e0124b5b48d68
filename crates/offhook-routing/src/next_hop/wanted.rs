//! What a message is to be sent to, and with what this element could do it.

use std::net::IpAddr;

use offhook_sip::{Host, Scheme, Transport, UriRef};

/// A kind of IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What this element can use, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// The transports.
    pub transports: Vec<Transport>,
    /// The kinds of addresses.
    pub families: Vec<Family>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            transports: vec![Transport::Udp, Transport::Tcp],
            families: vec![Family::V4, Family::V6],
        }
    }
}

/// What a message is to be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// An address, or the name of a host or domain.
    pub host: String,
    /// The port, if one was written.
    pub port: Option<u16>,
    /// The transport, if one was written or is needed.
    pub transport: Option<Transport>,
    /// Whether only secure transports will do (sips).
    pub secure: bool,
}

impl Wanted {
    /// The target of a URI: the first Route, or the Request-URI (RFC 3263 §4, RFC 3261 §8.1.2).
    ///
    /// # Errors
    ///
    /// When the URI has no host, or wants sips over a transport that cannot be secure.
    pub fn of_uri(uri: UriRef<'_>) -> Result<Self, NextHopError> {
        let secure = match uri.scheme() {
            Scheme::Sip => false,
            Scheme::Sips => true,
            _ => return Err(NextHopError::NoHost),
        };
        let host = match uri.param("maddr").flatten() {
            Some(address) => address.to_owned(),
            None => match uri.host().ok_or(NextHopError::NoHost)? {
                Host::Ip(address) => address.to_string(),
                Host::Domain(name) => name.to_owned(),
            },
        };
        let transport = match (uri.param("transport"), uri.transport_param()) {
            (None, _) => None,
            (Some(_), None) => return Err(NextHopError::Transport),
            (Some(_), Some(named)) => Some(named),
        };
        let transport = match (transport, secure) {
            (Some(Transport::Udp), true) => return Err(NextHopError::Transport),
            (Some(Transport::Tcp), true) => Some(Transport::Tls),
            (Some(Transport::Ws), true) => Some(Transport::Wss),
            (other, _) => other,
        };
        Ok(Self {
            host,
            port: uri.port(),
            transport,
            secure,
        })
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        let host = self.host.strip_prefix('[').unwrap_or(&self.host);
        host.strip_suffix(']').unwrap_or(host).parse().ok()
    }
}

/// Nothing can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NextHopError {
    /// The URI names no host (tel, for one).
    #[error("the URI names no host")]
    NoHost,
    /// The transport is not known, not secure where it must be, or not among ours.
    #[error("the URI asks for a transport that cannot be used")]
    Transport,
}
