//! What the signalling side tells a relay, and what the relay tells it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use offhook_rtp::id::{PayloadType, Ssrc};

use crate::latch::Latch;
pub use crate::stream_report::{Side, StreamReport};
use crate::tone::Segment;

/// Names one relayed call; chosen by the signalling side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(u64);

impl RelayId {
    /// The bit that tells served calls from relayed ones.
    const SERVED: u64 = 1 << 63;

    /// A relayed call's: any number below 2^63; it must not be in use.
    pub const fn new(value: u64) -> Self {
        Self(value & !Self::SERVED)
    }

    /// A [served](Command::Serve) call's: any number below 2^63; it must not be in use.
    ///
    /// Where several relays share the work, all served calls belong to one of them, so that those who meet in a
    /// room do.
    pub const fn served(value: u64) -> Self {
        Self(value | Self::SERVED)
    }

    /// Whether it was made by [`Self::served`].
    pub const fn is_served(self) -> bool {
        self.0 & Self::SERVED != 0
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The local ports of one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegPorts {
    /// The local address that the ports are opened on.
    pub ip: IpAddr,
    /// Where RTP is received and sent from.
    pub rtp: u16,
    /// Where RTCP is received and sent from; equal to `rtp` when both share a port (RFC 5761).
    pub rtcp: u16,
}

impl LegPorts {
    /// An even port and the odd one after it (RFC 3550 §11).
    pub const fn pair(ip: IpAddr, rtp: u16) -> Self {
        Self {
            ip,
            rtp,
            rtcp: rtp.saturating_add(1),
        }
    }

    /// One port for both (RFC 5761).
    pub const fn muxed(ip: IpAddr, port: u16) -> Self {
        Self {
            ip,
            rtp: port,
            rtcp: port,
        }
    }

    /// Whether RTP and RTCP share the port.
    pub const fn is_muxed(self) -> bool {
        self.rtp == self.rtcp
    }
}

/// One open port of a relay: a small number that a network layer can index its sockets by.
///
/// It is valid from [`Event::Opened`] to [`Event::Released`] of its call, and then given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortKey(u32);

impl PortKey {
    pub(super) const fn new(slot: u32, side: Side, rtcp: bool) -> Self {
        Self(slot << 2 | (side as u32) << 1 | rtcp as u32)
    }

    /// The number: four to a call, dense.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The same call's other leg.
    pub(super) const fn across(self, rtcp: bool) -> Self {
        Self((self.0 ^ 2) & !1 | rtcp as u32)
    }

    pub(super) const fn slot(self) -> usize {
        (self.0 >> 2) as usize
    }

    /// The leg that the port belongs to.
    pub const fn side(self) -> Side {
        if self.0 & 2 == 0 { Side::A } else { Side::B }
    }

    /// Whether it carries RTCP alone.
    pub const fn is_rtcp(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The keys of a call's ports. Where a leg's RTCP shares the RTP port, only the RTP key is ever used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortKeys {
    /// RTP of leg A.
    pub a_rtp: PortKey,
    /// RTCP of leg A.
    pub a_rtcp: PortKey,
    /// RTP of leg B.
    pub b_rtp: PortKey,
    /// RTCP of leg B.
    pub b_rtcp: PortKey,
}

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
    /// under it are told as [`Event::Digit`], and passed on as all else.
    pub telephone_event: Option<PayloadType>,
    /// Whether it is to send now: without voice or RTCP from it for the media timeout, [`Event::TimedOut`] follows.
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

/// What answers a call that is not relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// Says what it hears.
    Echo,
    /// Plays a cadence again and again; see [`Country::cadence`](crate::tone::Country::cadence).
    Tone(Vec<Segment>),
    /// Plays 8000 samples a second.
    Play {
        /// The sound; shared, so that a thousand callers on hold hear one copy.
        samples: Arc<[i16]>,
        /// From the beginning again at the end; otherwise [`Event::PlayedOut`], and silence.
        repeat: bool,
    },
    /// Hears, and hands on what it heard: [`Event::Recorded`].
    Record {
        /// Then it stops hearing.
        most: Duration,
    },
    /// Joins all calls with the same number: everybody hears all the others.
    Room(u64),
}

/// What the signalling side tells a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take these ports for a call. Answered by [`Event::Opened`] or [`Event::OpenFailed`]; the latter comes from the
    /// network layer where a port cannot be opened, and from the relay where it is full.
    Open {
        /// The new call.
        id: RelayId,
        /// Ports of leg A.
        a: LegPorts,
        /// Ports of leg B.
        b: LegPorts,
    },
    /// Take these ports for a call that is answered here. Answered as `Open`; the far end is side A, and
    /// [`Event::Released`] names the ports as both legs'.
    Serve {
        /// The new call, made by [`RelayId::served`].
        id: RelayId,
        /// Its ports.
        ports: LegPorts,
        /// What answers it.
        service: Service,
    },
    /// Let something else answer a served call from now on.
    SetService {
        /// The call.
        id: RelayId,
        /// What answers it.
        service: Service,
    },
    /// The far end of a leg is known, or has changed (a new answer, hold, a transfer).
    SetRemote {
        /// The call.
        id: RelayId,
        /// Whose far end.
        side: Side,
        /// What is known of it.
        remote: Remote,
    },
    /// Tell how the call's streams do. Answered by [`Event::Report`].
    Report {
        /// The call.
        id: RelayId,
    },
    /// The call is over. [`Event::Closed`] follows at once, [`Event::Released`] after the linger time.
    Close {
        /// The call.
        id: RelayId,
    },
}

impl Command {
    /// The call that the command is about.
    pub const fn id(&self) -> RelayId {
        match self {
            Self::Open { id, .. }
            | Self::Serve { id, .. }
            | Self::SetService { id, .. }
            | Self::SetRemote { id, .. }
            | Self::Report { id }
            | Self::Close { id } => *id,
        }
    }
}

/// What a relay tells the signalling side.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The call's ports are open.
    Opened {
        /// The call.
        id: RelayId,
    },
    /// The call's ports could not be had; it does not exist, and needs no `Close`.
    OpenFailed {
        /// The call.
        id: RelayId,
        /// The port that failed.
        port: u16,
    },
    /// A leg's first voice packet was accepted; told again when the far end is another one than before.
    FirstPacket {
        /// The call.
        id: RelayId,
        /// From which leg.
        side: Side,
        /// From where it really comes.
        from: SocketAddr,
        /// The source.
        ssrc: Ssrc,
        /// What it sends.
        payload_type: PayloadType,
    },
    /// A leg that is to send has sent neither voice nor RTCP for the media timeout; told once until it does again.
    TimedOut {
        /// The call.
        id: RelayId,
        /// Which leg is silent.
        side: Side,
    },
    /// A phone sent a key as a telephone event (RFC 4733); the caller of a served call by tones, too.
    Digit {
        /// The call.
        id: RelayId,
        /// Who pressed it.
        side: Side,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A served call's sound came to its end.
    PlayedOut {
        /// The call.
        id: RelayId,
    },
    /// The next piece of what a served call records, at least once a second.
    Recorded {
        /// The call.
        id: RelayId,
        /// 8000 samples a second.
        samples: Vec<i16>,
    },
    /// What [`Command::Report`] asked for.
    Report {
        /// The call.
        id: RelayId,
        /// As in [`Event::Closed`].
        streams: Vec<StreamReport>,
    },
    /// The call is closed: nothing is forwarded any more. Its ports stay open, deaf and silent, for the linger time.
    Closed {
        /// The call.
        id: RelayId,
        /// Every stream that was received, in the order of their beginning, side A first.
        streams: Vec<StreamReport>,
    },
    /// The linger time is over: the ports are closed and may be used again.
    Released {
        /// The call.
        id: RelayId,
        /// Ports of leg A.
        a: LegPorts,
        /// Ports of leg B.
        b: LegPorts,
    },
}

/// Where a packet goes on to; its octets were changed in place where they had to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// The local port to send from.
    pub from: PortKey,
    /// The far end.
    pub to: SocketAddr,
}

/// What [`Relay::poll_output`](crate::relay::Relay::poll_output) yields.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a packet of the relay's own.
    Transmit {
        /// The local port to send from.
        from: PortKey,
        /// The far end.
        to: SocketAddr,
        /// The datagram.
        payload: Bytes,
    },
    /// From now on nobody but this peer is heard on the port (`Some`), or others may be again (`None`): a hint for a
    /// network layer that connects its sockets, which then drops just what the relay would have dropped.
    Peer {
        /// The leg's RTP port.
        port: PortKey,
        /// The far end that the description named, once it has spoken from there.
        peer: Option<SocketAddr>,
    },
    /// Tell the signalling side.
    Event(Event),
}
