//! Offer and answer (RFC 3264): what each side can do, and what both will.
//!
//! [`offer`], [`answer`] and [`complete`] are pure; [`Exchange`] remembers a session's descriptions
//! and keeps the rules between them.

mod answer;
mod complete;
mod exchange;
mod offer;
mod stream;

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::codec::Codec;
use crate::direction::Direction;
use crate::media::{MediaKind, Protocol};
use crate::session::Origin;

pub use answer::{Agreement, answer, answer_streams};
pub use complete::complete;
pub use exchange::Exchange;
pub use offer::{offer, offer_streams};
pub use stream::{NegotiatedCodec, Stream};

/// Milliseconds of voice in a packet when nobody says otherwise (RFC 3551 §4.5).
pub const DEFAULT_PTIME: u32 = 20;

/// What we can and want to do with one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// What it carries.
    pub kind: MediaKind,
    /// Transports we take; the first is the one we offer.
    pub protocols: Vec<Protocol>,
    /// Codecs, the most preferred first. Their payload types are used in offers; an answer uses
    /// the offerer's numbers (RFC 3264 §6.1).
    pub codecs: Vec<Codec>,
    /// The direction we want: [`Direction::SendOnly`] or [`Direction::Inactive`] to hold.
    pub direction: Direction,
    /// Milliseconds of voice in a packet we wish to receive.
    pub ptime: Option<u32>,
    /// The most milliseconds of voice in a packet we can take.
    pub max_ptime: Option<u32>,
    /// Answer with the first common codec (and its telephone-event) only, not with all of them.
    pub one_codec: bool,
}

impl Capabilities {
    /// Voice, both ways, in packets of 20 ms.
    pub fn audio(codecs: impl Into<Vec<Codec>>) -> Self {
        Self {
            kind: MediaKind::Audio,
            protocols: [Protocol::RtpAvp, Protocol::RtpAvpf].into(),
            codecs: codecs.into(),
            direction: Direction::SendRecv,
            ptime: Some(DEFAULT_PTIME),
            max_ptime: None,
            one_codec: false,
        }
    }

    /// The same in another direction: [`Direction::SendOnly`] holds, [`Direction::SendRecv`] resumes.
    #[must_use]
    pub fn with_direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }
}

/// Our end of a session with one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Where packets reach us.
    pub address: IpAddr,
    /// Where we take RTP.
    pub rtp_port: u16,
    /// Where we take RTCP, when it is not the port after RTP's.
    pub rtcp_port: Option<u16>,
    /// The session number for `o=`; any, the same for the whole session.
    pub session_id: u64,
    /// The version for `o=`: one more with each changed description.
    pub version: u64,
}

impl Local {
    /// An end with RTCP on the next port, and version 1.
    pub const fn new(address: IpAddr, rtp_port: u16, session_id: u64) -> Self {
        Self {
            address,
            rtp_port,
            rtcp_port: None,
            session_id,
            version: 1,
        }
    }

    fn origin(&self) -> Origin {
        Origin::new(self.session_id, self.version, self.address)
    }

    const fn stream<'a>(&self, capabilities: &'a Capabilities) -> LocalStream<'a> {
        LocalStream {
            rtp_port: self.rtp_port,
            rtcp_port: self.rtcp_port,
            capabilities,
        }
    }
}

/// One of several streams at our end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalStream<'a> {
    /// Where we take RTP; 0 switches the stream off.
    pub rtp_port: u16,
    /// Where we take RTCP, when it is not the port after RTP's.
    pub rtcp_port: Option<u16>,
    /// What we can do with it.
    pub capabilities: &'a Capabilities,
}

/// Why no agreement came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// None of the streams offered can be taken (RFC 3264 §6).
    #[error("no stream of the offer is acceptable")]
    NotAcceptable,
    /// The answer has not as many streams as the offer (RFC 3264 §6).
    #[error("the answer has another number of streams than the offer")]
    StreamCount,
    /// A stream of the answer, counted from 0, is not of the offered kind or transport.
    #[error("stream {0} of the answer is not the one offered")]
    StreamMismatch(usize),
    /// A stream of the answer, counted from 0, has none of the formats offered.
    #[error("stream {0} of the answer has no format of the offer")]
    NoCommonFormat(usize),
    /// A new offer has fewer streams than the session (RFC 3264 §8).
    #[error("the new offer leaves out streams of the session")]
    StreamRemoved,
    /// An offer is open: none may be made before it is answered or refused (RFC 3264 §4).
    #[error("another offer is open")]
    OfferPending,
    /// There is no offer to answer.
    #[error("no offer is open")]
    NoOffer,
    /// A stream cannot be anchored without telling something of the other party.
    #[error("stream {0} cannot be anchored")]
    NotAnchorable(usize),
}

impl NegotiationError {
    /// The SIP status that says it: 491 when two offers cross, 488 otherwise; 500 for our own
    /// misuse. A broken answer cannot be refused: acknowledge it and end the call.
    pub const fn status(self) -> u16 {
        match self {
            Self::OfferPending => 491,
            Self::NoOffer => 500,
            _ => 488,
        }
    }
}
