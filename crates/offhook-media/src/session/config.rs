//! What was negotiated for a stream.

use std::net::SocketAddr;

use offhook_rtp::id::PayloadType;

use crate::jitter_buffer::Waiting;
use crate::latch::Latch;

/// Samples in a frame: 20 ms at 8000 Hz (RFC 3551 §4.2).
pub const FRAME: usize = 160;

/// The two codecs of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// Its static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> PayloadType {
        match self {
            Self::Pcmu => PayloadType::PCMU,
            Self::Pcma => PayloadType::PCMA,
        }
    }
}

/// What was negotiated for a stream.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where our voice goes, and where theirs should come from.
    pub remote: SocketAddr,
    /// Where RTCP goes; equal to `remote` when both share a port (RFC 5761).
    pub remote_rtcp: SocketAddr,
    /// Whether the far end's real address may be learned.
    pub latch: Latch,
    /// What we send.
    pub codec: Codec,
    /// The number the far end expects for it.
    pub send: PayloadType,
    /// The numbers the far end may use, each with its meaning.
    pub receive: Vec<(PayloadType, Codec)>,
    /// Telephone events (RFC 4733), where negotiated: the number to send, and the one to expect. Without them digits
    /// are sent as tones in the voice.
    pub telephone_event: Option<(PayloadType, PayloadType)>,
    /// The number that comfort noise comes under (RFC 3389).
    pub comfort_noise: Option<PayloadType>,
    /// Whether to listen for digits in the voice itself.
    pub in_band_digits: bool,
    /// How long received voice waits to be played; what was chosen first stays for the life of the stream.
    pub waiting: Waiting,
}

impl Config {
    /// A far end at `remote` with RTCP one port higher: `codec` both ways, the other of the two also understood, no
    /// telephone events, comfort noise under its static number.
    pub fn new(remote: SocketAddr, codec: Codec) -> Self {
        let control = SocketAddr::new(remote.ip(), remote.port().wrapping_add(1));
        Self {
            remote,
            remote_rtcp: control,
            latch: Latch::Never,
            codec,
            send: codec.payload_type(),
            receive: vec![
                (PayloadType::PCMU, Codec::Pcmu),
                (PayloadType::PCMA, Codec::Pcma),
            ],
            telephone_event: None,
            comfort_noise: Some(PayloadType::COMFORT_NOISE),
            in_band_digits: false,
            waiting: Waiting::default(),
        }
    }
}
