//! Answering an offer (RFC 3264 §6).

use alloc::vec::Vec;
use core::net::IpAddr;

use super::error::NegotiationError;
use super::local::{Capabilities, Local, LocalStream};
use super::offer::describe;
use super::stream::{Halves, NegotiatedCodec, Stream};
use crate::address::Connection;
use crate::codec::Codec;
use crate::media::MediaDescription;
use crate::session::{Origin, SessionDescription};

/// An answer, and what it makes of each stream of the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// What to send back.
    pub answer: SessionDescription,
    /// One entry an `m=` line, in their order; `None` where the stream is refused or off.
    pub streams: Vec<Option<Stream>>,
}

/// Answers with one stream at our end: the first of the offer that fits is taken, the others are
/// refused in their places.
///
/// # Errors
/// [`NegotiationError::NotAcceptable`] (488) when streams are offered and none fits.
///
/// ```
/// use offhook_sdp::negotiation::{Capabilities, Local, answer};
/// use offhook_sdp::{Codec, SessionDescription};
///
/// let offer = SessionDescription::parse(
///     b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
///       m=audio 49170 RTP/AVP 18 8 0\r\nm=video 49180 RTP/AVP 31\r\n",
/// )?;
/// let local = Local::new("192.0.2.2".parse()?, 30000, 7);
/// let voice = Capabilities::audio([Codec::pcmu(), Codec::pcma()]);
/// let agreement = answer(&offer, &local, &voice)?;
/// let stream = agreement.streams[0].as_ref().unwrap();
/// assert_eq!(stream.codecs[0].codec.name(), "PCMA");
/// assert!(agreement.streams[1].is_none());
/// assert_eq!(agreement.answer.media()[1].port(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn answer(
    offer: &SessionDescription,
    local: &Local,
    capabilities: &Capabilities,
) -> Result<Agreement, NegotiationError> {
    answer_streams(
        offer,
        local.origin(),
        local.address,
        &[local.stream(capabilities)],
    )
}

/// Answers with several streams at our end, each of which takes the first stream of the offer that
/// fits it and is not taken yet.
///
/// # Errors
/// As [`answer`].
pub fn answer_streams(
    offer: &SessionDescription,
    origin: Origin,
    address: IpAddr,
    locals: &[LocalStream<'_>],
) -> Result<Agreement, NegotiationError> {
    let mut session = SessionDescription::new(origin);
    session.connection = Some(Connection::new(address));
    // "The t= line in the answer MUST equal that of the offer" (RFC 3264 §6).
    session.timing = offer.timing.clone();
    let mut free: Vec<&LocalStream<'_>> =
        locals.iter().filter(|local| local.rtp_port != 0).collect();
    let mut streams = Vec::with_capacity(offer.media.len());
    for offered in &offer.media {
        let accepted = free.iter().enumerate().find_map(|(index, local)| {
            accept(offer, offered, local).map(|(media, stream)| (index, media, stream))
        });
        let (media, stream) = match accepted {
            Some((index, media, stream)) => {
                free.remove(index);
                (media, Some(stream))
            }
            None => (offered.disabled(), None),
        };
        session.media.push(media);
        streams.push(stream);
    }
    let is_wanted = offer.media.iter().any(|offered| !offered.is_disabled());
    if is_wanted && streams.iter().all(Option::is_none) {
        return Err(NegotiationError::NotAcceptable);
    }
    Ok(Agreement {
        answer: session,
        streams,
    })
}

/// The stream as both can run it, if they can.
fn accept(
    session: &SessionDescription,
    offered: &MediaDescription,
    local: &LocalStream<'_>,
) -> Option<(MediaDescription, Stream)> {
    let capabilities = local.capabilities;
    if offered.is_disabled()
        || offered.kind != capabilities.kind
        || !capabilities.protocols.contains(&offered.protocol)
    {
        return None;
    }
    let common = common(&offered.codecs(), capabilities);
    // Key presses or comfort noise alone make no conversation, unless they are all we can.
    let is_main = |codec: &Codec| !codec.is_auxiliary();
    let needs_main = capabilities.codecs.iter().any(is_main);
    if common.is_empty() || needs_main && !common.iter().any(|(_, ours)| is_main(ours)) {
        return None;
    }
    let direction = session
        .direction_of(offered)
        .reversed()
        .and(capabilities.direction);
    let ours: Vec<Codec> = common.iter().map(|(_, ours)| ours.clone()).collect();
    let media = describe(local, offered.protocol.clone(), &ours, direction);
    let codecs = common.into_iter().map(|(codec, _)| NegotiatedCodec {
        send_payload_type: codec.payload_type(),
        receive_payload_type: codec.payload_type(),
        codec,
    });
    let halves = Halves {
        session,
        remote: offered,
        direction,
        ptime: capabilities.ptime,
        codecs: codecs.collect(),
    };
    Some((media, halves.stream()))
}

/// What both know, in the order of the offer: theirs, and ours under their number (RFC 3264 §6.1).
fn common(offered: &[Codec], capabilities: &Capabilities) -> Vec<(Codec, Codec)> {
    let mut taken = Vec::new();
    let mut pairs = Vec::new();
    for theirs in offered {
        let mut ours = capabilities.codecs.iter().enumerate();
        let found = ours.find(|(index, ours)| !taken.contains(index) && ours.is_same(theirs));
        if let Some((index, ours)) = found {
            taken.push(index);
            pairs.push((
                theirs.clone(),
                ours.clone().with_payload_type(theirs.payload_type()),
            ));
        }
    }
    if capabilities.one_codec {
        let main = pairs.iter().find(|(theirs, _)| !theirs.is_auxiliary());
        if let Some(rate) = main.map(|(theirs, _)| theirs.clock_rate()) {
            let mut has_main = false;
            pairs.retain(|(theirs, _)| {
                let is_main = !theirs.is_auxiliary();
                let keep = if is_main {
                    !has_main
                } else {
                    theirs.clock_rate() == rate
                };
                has_main |= is_main;
                keep
            });
        }
    }
    pairs
}
