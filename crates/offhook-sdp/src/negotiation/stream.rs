//! What was agreed about one stream.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::local::DEFAULT_PTIME;
use crate::codec::Codec;
use crate::direction::Direction;
use crate::media::{MediaDescription, MediaKind};
use crate::session::SessionDescription;

/// A codec both sides take. Payload types are per direction (RFC 3264 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedCodec {
    /// The codec, with the parameters the other side gave.
    pub codec: Codec,
    /// The number to send it under: the other side's.
    pub send_payload_type: u8,
    /// The number it arrives under: ours.
    pub receive_payload_type: u8,
}

/// A stream that both sides take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What it carries.
    pub kind: MediaKind,
    /// Where to send RTP; `None` when nothing may be sent (`c=0.0.0.0`) or when the other side gave
    /// a host name, which stands in its description.
    pub remote: Option<SocketAddr>,
    /// Where to send RTCP; `None` as for RTP.
    pub remote_rtcp: Option<SocketAddr>,
    /// The codecs of this stream, the one to send with first. Empty only in a stream of events.
    pub codecs: Vec<NegotiatedCodec>,
    /// Key presses, at the clock rate of the first codec if there is a choice.
    pub telephone_event: Option<NegotiatedCodec>,
    /// Comfort noise, redundancy and the like.
    pub auxiliary: Vec<NegotiatedCodec>,
    /// Which way it flows, seen from us; never sending when nothing may be sent.
    pub direction: Direction,
    /// Milliseconds of voice to put in a packet.
    pub ptime: u32,
    /// The other side does not want to hear us: hold of either style (RFC 3264 §8.4).
    pub is_held: bool,
}

/// The two descriptions of one stream, and ours of it.
pub(super) struct Halves<'a> {
    pub(super) session: &'a SessionDescription,
    pub(super) remote: &'a MediaDescription,
    /// Our direction as it stands in the descriptions.
    pub(super) direction: Direction,
    /// The packet length we would like ourselves.
    pub(super) ptime: Option<u32>,
    pub(super) codecs: Vec<NegotiatedCodec>,
}

impl Halves<'_> {
    pub(super) fn stream(self) -> Stream {
        let remote = self.session.rtp_address_of(self.remote);
        let remote_rtcp = self.session.rtcp_address_of(self.remote);
        let listens = self.session.listens(self.remote);
        let direction = self.direction.and(Direction::new(listens, true));
        let (mut events, rest): (Vec<_>, Vec<_>) = self
            .codecs
            .into_iter()
            .partition(|codec| codec.codec.is_telephone_event());
        let (auxiliary, codecs): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|codec| codec.codec.is_auxiliary());
        let rate = codecs.first().map(|codec| codec.codec.clock_rate());
        let fit = events
            .iter()
            .position(|event| Some(event.codec.clock_rate()) == rate);
        let telephone_event =
            (!events.is_empty()).then(|| events.swap_remove(fit.unwrap_or_default()));
        let ptime = self.remote.ptime().or(self.ptime).unwrap_or(DEFAULT_PTIME);
        let most = self.remote.max_ptime().unwrap_or(u32::MAX);
        Stream {
            kind: self.remote.kind().clone(),
            remote,
            remote_rtcp,
            codecs,
            telephone_event,
            auxiliary,
            direction,
            ptime: ptime.min(most),
            is_held: !listens,
        }
    }
}
