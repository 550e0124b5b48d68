//! Our end of a session, and what it can do.

use crate::codec::Codec;
use crate::direction::Direction;
use crate::media::{MediaKind, Protocol};
use crate::session::Origin;
use alloc::vec::Vec;
use core::net::IpAddr;

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

    pub(super) fn origin(&self) -> Origin {
        Origin::new(self.session_id, self.version, self.address)
    }

    pub(super) const fn stream<'a>(&self, capabilities: &'a Capabilities) -> LocalStream<'a> {
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
