//! What is known of the far end of a leg.

use std::net::SocketAddr;

use offhook_rtp::id::PayloadType;

use crate::latch::Latch;

/// What a payload is, as far as a relay must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    /// G.711 mu-law at 8000 Hz.
    Pcmu,
    /// G.711 A-law at 8000 Hz.
    Pcma,
    /// Telephone events (RFC 4733).
    TelephoneEvent,
    /// Comfort noise (RFC 3389).
    ComfortNoise,
    /// Anything else, by its encoding name: passed on where both legs have it.
    Other(String),
}

impl Encoding {
    /// By the encoding name of `a=rtpmap`, in any letter case.
    pub fn from_name(name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("PCMU") {
            Self::Pcmu
        } else if is("PCMA") {
            Self::Pcma
        } else if is("telephone-event") {
            Self::TelephoneEvent
        } else if is("CN") {
            Self::ComfortNoise
        } else {
            Self::Other(name.to_ascii_lowercase())
        }
    }
}

/// One negotiated format of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// What it is.
    pub encoding: Encoding,
    /// Timestamp units a second.
    pub clock_rate: u32,
    /// The number the far end expects in what it receives.
    pub send: PayloadType,
    /// The number the far end uses in what it sends.
    pub receive: PayloadType,
}

impl Format {
    /// A format with the same number both ways.
    pub const fn new(encoding: Encoding, clock_rate: u32, payload_type: PayloadType) -> Self {
        Self {
            encoding,
            clock_rate,
            send: payload_type,
            receive: payload_type,
        }
    }
}

/// What is known of the far end of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where it wants voice.
    pub rtp: SocketAddr,
    /// Where it wants RTCP; equal to `rtp` when it shares the port.
    pub rtcp: SocketAddr,
    /// Whether its real address may be learned.
    pub latch: Latch,
    /// The negotiated formats, the preferred one first. Empty: everything is passed unchanged.
    pub formats: Vec<Format>,
    /// The number under which it wants telephone events, as its description says: those of the other leg that come
    /// under it are told as [`Event::Digit`](crate::relay::Event::Digit), and passed on as all else.
    pub telephone_event: Option<PayloadType>,
    /// Whether it is to send now: without voice or RTCP from it for the media timeout, [`Event::TimedOut`](crate::relay::Event::TimedOut) follows.
    /// `false` while the leg is on hold or not yet answered.
    pub sends: bool,
}

impl Remote {
    /// A far end at `rtp` with RTCP one port higher, no learning, no formats, expected to send.
    pub const fn new(rtp: SocketAddr) -> Self {
        let mut control = rtp;
        control.set_port(rtp.port().wrapping_add(1));
        Self {
            rtp,
            rtcp: control,
            latch: Latch::Never,
            formats: Vec::new(),
            telephone_event: None,
            sends: true,
        }
    }
}
