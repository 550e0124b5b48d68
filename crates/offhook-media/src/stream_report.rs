//! What was received of one stream.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_rtp::id::{PayloadType, Ssrc};

/// One of the two legs of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The first leg, usually the caller's.
    A,
    /// The second leg.
    B,
}

impl Side {
    /// The opposite leg.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What was received from one source of a leg.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamReport {
    /// The leg that sent it.
    pub side: Side,
    /// The address it came from.
    pub from: SocketAddr,
    /// The source.
    pub ssrc: Ssrc,
    /// The payload type of its first packet.
    pub payload_type: PayloadType,
    /// Packets received.
    pub packets: u64,
    /// Payload octets received, without headers.
    pub octets: u64,
    /// Packets expected less received (RFC 3550 §A.3); negative with duplicates.
    pub lost: i32,
    /// Interarrival jitter at the end (RFC 3550 §A.8).
    pub jitter: Duration,
    /// From here to the phone and back, as far as RTCP told.
    pub round_trip: Option<Duration>,
    /// How it sounds: a mean opinion score of 1.0 to 4.5 by the E-model, of loss, jitter and round trip.
    pub mos: f32,
    /// When the first packet came.
    pub first: Instant,
    /// When the last packet came.
    pub last: Instant,
}
