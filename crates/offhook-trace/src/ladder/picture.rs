//! What a ladder consists of.

use std::fmt;
use std::net::{AddrParseError, IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// What is drawn of a call, or of the legs of a bridged one, on one time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The calls in it: Call-ID, caller and callee as From and To of the first message name them.
    pub calls: Vec<Title>,
    /// Who takes part, the caller first.
    pub columns: Vec<Column>,
    /// What happened, in the order of time.
    pub rows: Vec<Row>,
    /// Messages that were too many to be kept.
    pub left_out: u64,
}

/// Which call a ladder shows. Control characters are replaced, long texts cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// Its Call-ID.
    pub call_id: String,
    /// The URI in From of its first message.
    pub from: String,
    /// The URI in To of its first message.
    pub to: String,
}

/// One who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// What the place among the columns makes of it.
    pub role: Role,
    /// Its first signalling address.
    pub address: SocketAddr,
}

/// What one who takes part does in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sent the first request.
    Caller,
    /// Stands between the first and the last.
    Server,
    /// The last one asked.
    Callee,
}

/// One line of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Since the first row.
    pub at: Duration,
    /// The column of the sender.
    pub from: usize,
    /// The column of the receiver.
    pub to: usize,
    /// What was sent.
    pub event: Event,
}

/// What a row shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message.
    Message {
        /// The method, or the status with its reason.
        name: String,
        /// Whether it carries a session description.
        has_sdp: bool,
        /// Whether the same octets went the same way before.
        is_resend: bool,
    },
    /// A voice stream, at the time of its first packet; of one moment (50 ms), after the messages.
    Voice(Voice),
}

/// One direction of voice. Packets after the BYE that ended the call are not counted: each end
/// stops listening at a moment of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// Where it came from.
    pub from: SocketAddr,
    /// Where it went.
    pub to: SocketAddr,
    /// The codec as people call it.
    pub codec: String,
    /// Who sent it (RFC 3550 §3).
    pub ssrc: u32,
    /// Packets seen.
    pub packets: u64,
    /// Packets that are missing in the sequence.
    pub lost: u64,
    /// How it sounded, where that was measured.
    pub quality: Option<Quality>,
    /// From the first packet to the last.
    pub duration: Duration,
}

/// How a voice stream sounded to one who measured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Interarrival jitter (RFC 3550 §A.8).
    pub jitter: Duration,
    /// From where it was measured to the sender and back.
    pub round_trip: Option<Duration>,
    /// The mean opinion score by the E-model (ITU-T G.107), in hundredths: 100 to 450.
    pub mos: u16,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "jitter {:.1} ms", milliseconds(self.jitter))?;
        if let Some(round_trip) = self.round_trip {
            write!(f, ", round trip {:.0} ms", milliseconds(round_trip))?;
        }
        write!(f, ", MOS {}.{:02}", self.mos / 100, self.mos % 100)
    }
}

/// One machine, or one port of it: shows only what goes in and out there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub ip: IpAddr,
    /// Its signalling port, if several of one machine are to be told apart.
    pub port: Option<u16>,
}

impl Host {
    /// Whether `address` is of it.
    pub fn is(&self, address: SocketAddr) -> bool {
        self.ip == address.ip() && self.port.is_none_or(|port| port == address.port())
    }
}

impl FromStr for Host {
    type Err = AddrParseError;

    /// Reads `192.0.2.1`, `192.0.2.1:5060`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:5060`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                ip: address.ip(),
                port: Some(address.port()),
            });
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        Ok(Self {
            ip: bare.unwrap_or(text).parse()?,
            port: None,
        })
    }
}

impl Row {
    /// The row in words, without times and counts, which two witnesses of one call never have
    /// quite alike: `INVITE SDP`, `200 OK SDP (resent)`, `RTP G.711 mu-law`.
    pub fn label(&self) -> String {
        match &self.event {
            Event::Message {
                name,
                has_sdp,
                is_resend,
            } => {
                let sdp = if *has_sdp { " SDP" } else { "" };
                let again = if *is_resend { " (resent)" } else { "" };
                format!("{name}{sdp}{again}")
            }
            Event::Voice(voice) => format!("RTP {}", voice.codec),
        }
    }

    /// What stands beside the arrow of a voice stream.
    pub(super) fn remark(&self) -> Option<String> {
        let Event::Voice(voice) = &self.event else {
            return None;
        };
        let (ssrc, seconds) = (voice.ssrc, voice.duration.as_secs_f64());
        let (packets, lost) = (voice.packets, voice.lost);
        let ports = if self.from <= self.to {
            format!("{} -> {}", voice.from.port(), voice.to.port())
        } else {
            format!("{} <- {}", voice.to.port(), voice.from.port())
        };
        let noun = if packets == 1 { "packet" } else { "packets" };
        let quality = voice
            .quality
            .map_or_else(String::new, |quality| format!(", {quality}"));
        Some(format!(
            "{packets} {noun}, {seconds:.3} s, SSRC {ssrc:08X}, {lost} lost{quality} ({ports})"
        ))
    }
}

impl Role {
    /// The word over the column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Server => "server",
            Self::Callee => "callee",
        }
    }
}
