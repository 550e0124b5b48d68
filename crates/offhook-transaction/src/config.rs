//! What a transaction layer is told once: addresses, timers, limits, switches.

use core::fmt;
use std::net::SocketAddr;

use offhook_sip::header::Via;
use offhook_sip::{BuildError, Host, ParserConfig, Transport};

use crate::flow::Flow;
use crate::timer::Timers;

/// The host and port that a Via names as the place where responses can come
/// (RFC 3261 §18.1.1: "sent-by").
///
/// ```
/// use offhook_sip::Host;
/// use offhook_transaction::SentBy;
///
/// let bound: std::net::SocketAddr = "192.0.2.1:5060".parse()?;
/// assert_eq!(SentBy::from(bound).to_string(), "192.0.2.1:5060");
/// assert_eq!(SentBy::new(Host::Domain("pbx.example"), None)?.to_string(), "pbx.example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBy {
    host: Name,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Ip(std::net::IpAddr),
    Domain(Box<str>),
}

impl SentBy {
    /// A host with or without a port; without one the transport's default port is meant.
    ///
    /// # Errors
    ///
    /// When a Via cannot hold the domain name.
    pub fn new(host: Host<'_>, port: Option<u16>) -> Result<Self, BuildError> {
        Via::new(Transport::Udp, host, port)?;
        let host = match host {
            Host::Ip(address) => Name::Ip(address),
            Host::Domain(name) => Name::Domain(name.into()),
        };
        Ok(Self { host, port })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> Host<'_> {
        match &self.host {
            Name::Ip(address) => Host::Ip(*address),
            Name::Domain(name) => Host::Domain(name),
        }
    }

    /// The port, if it is named.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether a Via with this host and port means the same place; names compare without case.
    pub(crate) fn is(&self, transport: Transport, host: &Host<'_>, port: Option<u16>) -> bool {
        let default = transport.default_port();
        let same_host = match (self.host(), host) {
            (Host::Ip(ours), Host::Ip(theirs)) => ours == *theirs,
            (Host::Domain(ours), Host::Domain(theirs)) => ours.eq_ignore_ascii_case(theirs),
            _ => false,
        };
        same_host && self.port.unwrap_or(default) == port.unwrap_or(default)
    }
}

impl From<SocketAddr> for SentBy {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: Name::Ip(address.ip()),
            port: Some(address.port()),
        }
    }
}

impl fmt::Display for SentBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host()),
            None => write!(f, "{}", self.host()),
        }
    }
}

/// An address of ours, and what our Via says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The transport that listens there.
    pub transport: Transport,
    /// The address as bound; may be a wildcard.
    pub bound: SocketAddr,
    /// What the Via of our requests says. A wildcard address here stands for the local address of
    /// the flow.
    pub sent_by: SentBy,
}

impl Local {
    /// An address that the Via names as it is.
    #[must_use]
    pub fn new(transport: Transport, bound: SocketAddr) -> Self {
        Self {
            transport,
            bound,
            sent_by: SentBy::from(bound),
        }
    }
}

/// How many transactions may live, and what is said when there are more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Live client transactions; one more request is refused with
    /// [`RequestError::Full`](crate::RequestError::Full).
    pub client_transactions: usize,
    /// Live server transactions; one more request is answered 503. On UDP a finished one lives on
    /// for 32 s (timers J and L), in about 450 octets: 4,000,000, as by default, are 125,000
    /// requests a second and 1.8 GB.
    pub server_transactions: usize,
    /// Retry-After of that 503, in seconds.
    pub retry_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            client_transactions: 4_000_000,
            server_transactions: 4_000_000,
            retry_after: 5,
        }
    }
}

/// The settings of a [`Layer`](crate::Layer).
#[derive(Clone, Debug)]
pub struct Config {
    /// How long the timers run.
    pub timers: Timers,
    /// How much is held.
    pub limits: Limits,
    /// Our addresses. A flow whose local address is none of them is named by that address itself.
    pub locals: Vec<Local>,
    /// The number of the shard or node, carried in each token that is minted.
    pub owner: Option<u8>,
    /// Answers 100 to a non-INVITE request at once, as the Yate engine does (to a BYE). RFC 4320
    /// forbids it on UDP, so it is off by default.
    pub trying_to_non_invite_at_once: bool,
    /// Sends responses over UDP to the port that the request came from even where it did not ask
    /// for that with `rport` (RFC 3581). For phones behind NAT that know no `rport`; off by
    /// default, since §18.2.2 wants the port of the sent-by.
    pub answer_source_port: bool,
    /// Requests with more octets than this go by TCP instead of UDP (RFC 3261 §18.1.1: 1300 where
    /// the path MTU is unknown), if `locals` has a TCP address.
    pub datagram_limit: usize,
    /// Leniency of the parser that [`Layer::handle_packet`](crate::Layer::handle_packet) uses.
    pub parser: ParserConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timers: Timers::default(),
            limits: Limits::default(),
            locals: Vec::new(),
            owner: None,
            trying_to_non_invite_at_once: false,
            answer_source_port: false,
            datagram_limit: 1300,
            parser: ParserConfig::default(),
        }
    }
}

impl Config {
    /// What the Via of a request on `flow` says.
    ///
    /// The exact address wins over the same IP address (a connection's own port is not where we
    /// listen), and that over a wildcard.
    pub(crate) fn sent_by(&self, flow: &Flow) -> SentBy {
        let Some(local) = self.local(flow.transport, flow.local) else {
            return SentBy::from(flow.local);
        };
        match local.sent_by.host {
            Name::Ip(address) if address.is_unspecified() => SentBy {
                host: Name::Ip(flow.local.ip()),
                port: local.sent_by.port,
            },
            _ => local.sent_by.clone(),
        }
    }

    /// Our address of another transport that stands nearest to `near`.
    pub(crate) fn local(&self, transport: Transport, near: SocketAddr) -> Option<&Local> {
        let rank = |local: &Local| {
            if local.bound == near {
                Some(0)
            } else if local.bound.ip() == near.ip() {
                Some(1)
            } else if local.bound.is_ipv4() == near.is_ipv4()
                && (local.bound.ip().is_unspecified() || near.ip().is_unspecified())
            {
                Some(2)
            } else {
                None
            }
        };
        self.locals
            .iter()
            .filter(|local| local.transport == transport)
            .filter_map(|local| rank(local).map(|rank| (rank, local)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, local)| local)
    }

    /// Whether a response whose top Via says so is one to a request of ours (§18.1.2).
    pub(crate) fn is_ours(&self, flow: &Flow, host: &Host<'_>, port: Option<u16>) -> bool {
        let transport = flow.transport;
        self.locals
            .iter()
            .any(|local| local.transport == transport && local.sent_by.is(transport, host, port))
            || self.sent_by(flow).is(transport, host, port)
            || SentBy::from(flow.local).is(transport, host, port)
    }
}
