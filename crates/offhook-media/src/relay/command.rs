//! What the signalling side tells a relay, and what the relay tells it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use offhook_rtp::id::{PayloadType, Ssrc};

pub use super::port::{LegPorts, PortKey, PortKeys, RelayId};
pub use super::remote::{Encoding, Format, Remote};
pub use crate::stream_report::{Side, StreamReport};
use crate::tone::Segment;

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
    /// Take a leg's ports at an address of the other version of IP, too: the same numbers. What comes to either is
    /// the leg's, and what goes to its far end is sent from where that is reached. Answered by [`Event::Widened`] or
    /// [`Event::WidenFailed`]; a served call cannot be widened.
    Widen {
        /// The call.
        id: RelayId,
        /// Whose ports.
        side: Side,
        /// The second address.
        ip: IpAddr,
    },
    /// Keep only those ports of a widened leg that are at this version of IP; the others are closed at once.
    Narrow {
        /// The call.
        id: RelayId,
        /// Whose ports.
        side: Side,
        /// The address that is kept.
        ip: IpAddr,
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
            | Self::Widen { id, .. }
            | Self::Narrow { id, .. }
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
    /// The leg's ports are open at its second address, too.
    Widened {
        /// The call.
        id: RelayId,
        /// Whose ports.
        side: Side,
    },
    /// They could not be had there; those that the leg has stay as they are.
    WidenFailed {
        /// The call.
        id: RelayId,
        /// Whose ports.
        side: Side,
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
    /// The local port to send from; where it is open at two addresses, from the one in the version of IP of `to`.
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
