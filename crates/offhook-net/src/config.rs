//! What to listen on and how much to hold at most.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use offhook_media::relay;
use offhook_sip::{ParserConfig, Transport};

/// What to do when a port that was asked for is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortTaken {
    /// Report it: right for a server, whose clients know the port.
    #[default]
    Fail,
    /// Try the ports above it, this many of them.
    TryNext {
        /// How many further ports to try.
        tries: u16,
    },
    /// Take any free port: right for a phone, which tells its port to everyone it talks to.
    AnyFree,
}

/// What a set of sockets is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// The addresses to listen on; port 0 takes a free one. IPv6 sockets take IPv6 only, so that
    /// `0.0.0.0` and `[::]` can stand side by side.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// What to do when a port is taken. Listeners that asked for the same address move together.
    pub port_taken: PortTaken,
    /// The threads that relay voice; `None` for none (a phone needs none).
    pub relay: Option<RelayConfig>,
    /// The name servers to ask; empty: those of the system. Only with the feature `dns`.
    #[cfg(feature = "dns")]
    pub name_servers: Vec<SocketAddr>,
    /// How strictly streams are cut into messages, and how long these may be.
    pub parser: ParserConfig,
    /// What is held at most.
    pub limits: Limits,
}

impl Config {
    /// Listens on `listen`, fails when a port is taken, relays no voice.
    #[must_use]
    pub fn new(listen: Vec<(Transport, SocketAddr)>) -> Self {
        Self {
            listen,
            port_taken: PortTaken::default(),
            relay: None,
            #[cfg(feature = "dns")]
            name_servers: Vec::new(),
            parser: ParserConfig::default(),
            limits: Limits::default(),
        }
    }
}

/// The threads that relay voice.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// How many; as many as the machine has cores is the most that helps.
    pub threads: NonZeroUsize,
    /// What each thread's relay is to do; its limit of calls is for one thread.
    pub relay: relay::Config,
    /// Unguessable; each thread derives its own from it.
    pub seed: [u8; 32],
}

/// The numbers that bound every table and queue of this crate.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open stream connections, accepted and opened; a further one is closed at once. On Unix it
    /// is lowered at start to half of the process's limit of descriptors, the rest being voice.
    pub connections: usize,
    /// Accepted connections of one source: an IPv4 address or an IPv6 /64 network.
    pub connections_per_source: usize,
    /// Bytes that wait to be written on one connection; a peer that reads slower is cut off.
    pub stream_queue: usize,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long an accepted connection may go without a first whole message, and how long any
    /// message may take to arrive once its first byte has come.
    pub message_timeout: Duration,
    /// How long a connection may be silent. It has to outlive the pause between two
    /// registrations, for a call reaches a phone over the connection it registered on.
    pub idle_timeout: Duration,
    /// Arrivals that wait for the machine; when it falls behind, the sockets' own buffers fill.
    pub arrivals: usize,
    /// DNS questions under way; a further one is answered at once as unanswerable.
    pub dns_questions: usize,
    /// Receive buffer asked of the system for each UDP listener, in bytes.
    pub udp_receive_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_source: 256,
            stream_queue: 256 * 1024,
            connect_timeout: Duration::from_secs(5),
            message_timeout: Duration::from_secs(32),
            idle_timeout: Duration::from_secs(3_900),
            arrivals: 1_024,
            dns_questions: 256,
            udp_receive_buffer: 4 * 1024 * 1024,
        }
    }
}
