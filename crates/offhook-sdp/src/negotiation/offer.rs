//! Making an offer (RFC 3264 §5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::IpAddr;

use super::local::{Capabilities, Local, LocalStream};
use crate::address::Connection;
use crate::codec::Codec;
use crate::direction::Direction;
use crate::media::{MediaDescription, Protocol};
use crate::session::{Origin, SessionDescription};
use crate::text::Text;

/// First dynamic payload type (RFC 3551 §6).
const DYNAMIC: u8 = 96;

/// Offers one stream.
///
/// ```
/// use offhook_sdp::Codec;
/// use offhook_sdp::negotiation::{Capabilities, Local, offer};
///
/// let local = Local::new("192.0.2.1".parse()?, 49170, 7);
/// let voice = Capabilities::audio([Codec::pcmu(), Codec::telephone_event(101)]);
/// let text = offer(&local, &voice).to_string();
/// assert!(text.contains("m=audio 49170 RTP/AVP 0 101\r\n"));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
pub fn offer(local: &Local, capabilities: &Capabilities) -> SessionDescription {
    offer_streams(local.origin(), local.address, &[local.stream(capabilities)])
}

/// Offers several streams in that order.
pub fn offer_streams(
    origin: Origin,
    address: IpAddr,
    streams: &[LocalStream<'_>],
) -> SessionDescription {
    let mut session = SessionDescription::new(origin);
    session.connection = Some(Connection::new(address));
    session.media = streams
        .iter()
        .map(|stream| describe_offer(stream, &[]))
        .collect();
    session
}

/// The stream as we would offer it; codecs that `before` names keep the numbers they have there.
pub(super) fn describe_offer(stream: &LocalStream<'_>, before: &[Codec]) -> MediaDescription {
    let capabilities = stream.capabilities;
    let protocol = capabilities
        .protocols
        .first()
        .cloned()
        .unwrap_or(Protocol::RtpAvp);
    let codecs = numbered(&capabilities.codecs, before);
    describe(stream, protocol, &codecs, capabilities.direction)
}

/// The stream with exactly these codecs.
pub(super) fn describe(
    stream: &LocalStream<'_>,
    protocol: Protocol,
    codecs: &[Codec],
    direction: Direction,
) -> MediaDescription {
    let capabilities = stream.capabilities;
    let mut formats = String::new();
    for codec in codecs {
        let gap = if formats.is_empty() { "" } else { " " };
        // Writing to memory cannot fail.
        let _ = write!(formats, "{gap}{}", codec.payload_type());
    }
    // A stream without codecs is none; the line must still name a format (RFC 8866 §5.14).
    let (port, formats) = match formats.as_str() {
        "" => (0, "0"),
        formats => (stream.rtp_port, formats),
    };
    let formats = Text::verbatim(formats.as_bytes());
    let mut media = MediaDescription::bare(capabilities.kind.clone(), port, protocol, formats);
    if port == 0 {
        return media;
    }
    let attributes = &mut media.attributes;
    for codec in codecs {
        let (number, name, rate) = (codec.payload_type(), codec.name(), codec.clock_rate());
        match codec.channels() {
            1 => attributes.write(format_args!("rtpmap:{number} {name}/{rate}")),
            channels => attributes.write(format_args!("rtpmap:{number} {name}/{rate}/{channels}")),
        }
        if let Some(parameters) = codec.fmtp() {
            attributes.write(format_args!("fmtp:{number} {parameters}"));
        }
    }
    if let Some(ptime) = capabilities.ptime {
        attributes.write(format_args!("ptime:{ptime}"));
    }
    if let Some(max_ptime) = capabilities.max_ptime {
        attributes.write(format_args!("maxptime:{max_ptime}"));
    }
    if let Some(rtcp_port) = stream
        .rtcp_port
        .filter(|rtcp| Some(*rtcp) != port.checked_add(1))
    {
        attributes.write(format_args!("rtcp:{rtcp_port}"));
    }
    attributes.write(format_args!("{direction}"));
    media
}

/// Gives each codec a payload type of its own. Within a session a number never changes its meaning
/// (RFC 3264 §8.3.2), so numbers of `before` stay with their codecs.
fn numbered(codecs: &[Codec], before: &[Codec]) -> Vec<Codec> {
    let mut result: Vec<Codec> = Vec::with_capacity(codecs.len());
    for codec in codecs {
        let is_free = |number: u8| {
            !before
                .iter()
                .chain(&result)
                .any(|other| other.payload_type() == number)
        };
        let known = before
            .iter()
            .find(|other| other.is_same(codec))
            .map(Codec::payload_type);
        let number = known
            .filter(|number| !result.iter().any(|other| other.payload_type() == *number))
            .or_else(|| Some(codec.payload_type()).filter(|number| is_free(*number)))
            .or_else(|| (DYNAMIC..128).find(|number| is_free(*number)));
        if let Some(number) = number {
            result.push(codec.clone().with_payload_type(number));
        }
    }
    result
}
