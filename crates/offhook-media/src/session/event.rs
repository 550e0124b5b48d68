//! What a stream wants done, and what it tells.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_rtp::id::Ssrc;
use offhook_rtp::telephone_event::EventCode;

use crate::jitter_buffer::Counts;
use crate::stream_report::StreamReport;

/// What a [`Session`](super::Session) wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a datagram from the stream's RTP port (`rtcp: false`) or RTCP port.
    Transmit {
        /// From which of the two ports.
        rtcp: bool,
        /// The far end.
        to: SocketAddr,
        /// The datagram.
        payload: Bytes,
    },
    /// Tell the phone.
    Event(Event),
}

/// What a [`Session`](super::Session) tells the phone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The far end's first voice packet came.
    FirstPacket {
        /// From where.
        from: SocketAddr,
    },
    /// The far end pressed a key.
    DigitBegan {
        /// Which: `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// The far end let a key go.
    DigitEnded {
        /// Which.
        digit: char,
        /// How long it was down, as far as known.
        duration: Duration,
    },
    /// A telephone event that is no key, such as the hook flash.
    TelephoneEvent {
        /// Its number (RFC 4733 §7).
        event: EventCode,
    },
    /// The far end said goodbye (RTCP BYE).
    Left,
}

/// How a digit goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitSent {
    /// As telephone events.
    AsEvent,
    /// As a tone in the voice, for telephone events were not negotiated.
    InBand,
    /// Not at all: it is no key.
    NotADigit,
}

/// What is known of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Our source.
    pub ssrc: Ssrc,
    /// Packets sent.
    pub sent_packets: u64,
    /// Payload octets sent.
    pub sent_octets: u64,
    /// Every stream received, in the order of their beginning.
    pub received: Vec<StreamReport>,
    /// What the jitter buffer did.
    pub playout: Counts,
    /// How long packets wait in it now.
    pub playout_delay: Duration,
    /// To the far end and back, once RTCP told.
    pub round_trip: Option<Duration>,
    /// What the far end lost of our packets since its report before, in 0.0 to 1.0.
    pub remote_loss: Option<f32>,
    /// The jitter of our packets at the far end.
    pub remote_jitter: Option<Duration>,
    /// How it sounds here: a mean opinion score of 1.0 to 4.5 by the E-model, late packets counted as lost.
    pub mos: f32,
}
