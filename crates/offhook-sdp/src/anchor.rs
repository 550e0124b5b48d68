//! Rewriting a description for the other leg of a bridged call, whose voice we relay.
//!
//! The other leg must learn nothing of who made the description, so everything is left out that is
//! not known to be harmless.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::{Address, Connection};
use crate::attribute::Attribute;
use crate::direction::Direction;
use crate::grammar::{fields, number};
use crate::lines::Lines;
use crate::media::{MediaDescription, MediaKind, Protocol};
use crate::negotiation::error::NegotiationError;
use crate::session::{Origin, SessionDescription};
use crate::text::Text;

/// Where the relay stands for one leg, and how it signs there.
///
/// [`Self::apply`] writes a new description of which this comes from the first party:
///
/// - of each `m=` line the kind, the transport and the formats; streams stay in their places, and
///   those that are off stay off. Streams that the relay cannot carry without keys or certificates
///   of the first party (`RTP/SAVP`, `UDP/TLS/...`, TCP) are switched off.
/// - the direction, always written below the stream. `c=0.0.0.0`, hold in the old style, becomes
///   hold in the new style.
/// - `b=` lines of the types `AS`, `CT`, `TIAS`, `RS`, `RR`;
/// - these attributes: `rtpmap`, `fmtp`, `ptime`, `maxptime`, `minptime`, `framerate`, `quality`,
///   `rtcp-fb`, `imageattr`, `framesize`, `silenceSupp`, `content`, `ecan`, `gpmd`, `sqn`,
///   `cdsc`, `cpar`, `maxprate`, and T.38's (`T38...`);
/// - other attributes that have no value, or a value of small numbers only;
/// - those whose names were given to [`Self::passing`].
///
/// None of these passes if its value holds the user name or an address of the first party, or
/// anything that looks like an address. So there is no `o=` of the first party, no `s=`, `i=`,
/// `u=`, `e=`, `p=`, `k=`, no `c=`, no `rtcp`, no ICE candidate, no `crypto`, `fingerprint`,
/// `setup`, `ssrc` (a `cname` names a host), `msid`, `mid`, `group` or `extmap`.
///
/// ```
/// use offhook_sdp::{Anchor, SessionDescription};
///
/// let from_caller = SessionDescription::parse(
///     b"v=0\r\no=alice 1 1 IN IP4 192.0.2.7\r\ns=alice's phone\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
///       m=audio 49170 RTP/AVP 8 0\r\na=rtcp:49171 IN IP4 192.0.2.7\r\na=ptime:20\r\n",
/// )?;
/// let anchor = Anchor::new("203.0.113.1".parse()?, [30000], 7, 1);
/// assert_eq!(
///     anchor.apply(&from_caller)?.to_string(),
///     "v=0\r\no=- 7 1 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n\
///      m=audio 30000 RTP/AVP 8 0\r\na=ptime:20\r\na=sendrecv\r\n",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    address: IpAddr,
    ports: Ports,
    session_id: u64,
    version: u64,
    passing: Vec<String>,
}

/// Which ports of the relay the streams have.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ports {
    /// In the order of the streams.
    Each(Vec<u16>),
    /// Of the stream at one place; all others are off.
    Only { place: usize, port: u16 },
}

impl Ports {
    fn of(&self, stream: usize) -> u16 {
        match self {
            Self::Each(ports) => ports.get(stream).copied().unwrap_or_default(),
            Self::Only { place, port } if *place == stream => *port,
            Self::Only { .. } => 0,
        }
    }
}

/// Attributes whose values describe a codec or a fax, and nothing else.
const HARMLESS: [&str; 17] = [
    "fmtp",
    "ptime",
    "maxptime",
    "minptime",
    "framerate",
    "quality",
    "rtcp-fb",
    "imageattr",
    "framesize",
    "silenceSupp",
    "content",
    "ecan",
    "gpmd",
    "sqn",
    "cdsc",
    "cpar",
    "maxprate",
];

/// Attributes that have no value, or a plain number, and yet only mean something between two ends
/// that see each other: they are dropped, also when they look harmless.
const END_TO_END: [&str; 16] = [
    "rtcp",
    "rtcp-mux",
    "rtcp-mux-only",
    "rtcp-rsize",
    "ice-lite",
    "ice-mismatch",
    "ice-pacing",
    "end-of-candidates",
    "bundle-only",
    "extmap-allow-mixed",
    "mid",
    "ssrc",
    "ssrc-group",
    "connection",
    "label",
    "sctp-port",
];

impl Anchor {
    /// The relay's address on the leg that the result goes to, its RTP port for each `m=` line in
    /// order (RTCP on the next one; 0, or none, switches the stream off), and the session's number
    /// and version for `o=` on that leg.
    pub fn new(address: IpAddr, ports: impl Into<Vec<u16>>, session_id: u64, version: u64) -> Self {
        Self::with(address, Ports::Each(ports.into()), session_id, version)
    }

    /// The same for a relay that carries one stream, the one of that number counted from 0: all others
    /// are switched off.
    ///
    /// ```
    /// # use offhook_sdp::{Anchor, SessionDescription};
    /// let offer = SessionDescription::parse(
    ///     b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
    ///       m=video 4000 RTP/AVP 34\r\nm=audio 4002 RTP/AVP 8\r\n",
    /// )?;
    /// let told = Anchor::of_stream("203.0.113.1".parse()?, 1, 30000, 7, 1).apply(&offer)?;
    /// let ports: Vec<u16> = told.media().iter().map(|stream| stream.port()).collect();
    /// assert_eq!(ports, [0, 30000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn of_stream(
        address: IpAddr,
        stream: usize,
        port: u16,
        session_id: u64,
        version: u64,
    ) -> Self {
        let place = stream;
        Self::with(address, Ports::Only { place, port }, session_id, version)
    }

    const fn with(address: IpAddr, ports: Ports, session_id: u64, version: u64) -> Self {
        Self {
            address,
            ports,
            session_id,
            version,
            passing: Vec::new(),
        }
    }

    /// Lets attributes of this name pass as well, if they hold no address.
    #[must_use]
    pub fn passing(mut self, name: &str) -> Self {
        self.passing.push(name.to_owned());
        self
    }

    /// Writes the description for the other leg. For a later one of the same leg, follow with
    /// [`SessionDescription::succeeding`], which keeps the version right.
    ///
    /// # Errors
    /// [`NegotiationError::NotAcceptable`] (488) when streams are on and none of them can be
    /// relayed; [`NegotiationError::NotAnchorable`] (488) when the kind or transport of a stream,
    /// which must be repeated, might itself name somebody.
    pub fn apply(
        &self,
        session: &SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        let identity = Identity::of(session).ok_or(NegotiationError::NotAcceptable)?;
        let origin = Origin::new(self.session_id, self.version, self.address);
        let mut result = SessionDescription::new(origin);
        result.connection = Some(Connection::new(self.address));
        result.bandwidth = bandwidth(&session.bandwidth);
        result.media.reserve_exact(session.media.len());
        for (index, stream) in session.media.iter().enumerate() {
            if !is_plain_kind(&stream.kind) || !is_plain_protocol(&stream.protocol) {
                return Err(NegotiationError::NotAnchorable(index));
            }
            let port = self.ports.of(index);
            result
                .media
                .push(self.stream(session, stream, port, &identity));
        }
        let is_on = |stream: &MediaDescription| !stream.is_disabled();
        if session.media.iter().any(is_on) && !result.media.iter().any(is_on) {
            return Err(NegotiationError::NotAcceptable);
        }
        Ok(result)
    }

    fn stream(
        &self,
        session: &SessionDescription,
        stream: &MediaDescription,
        port: u16,
        identity: &Identity<'_>,
    ) -> MediaDescription {
        let is_on = !stream.is_disabled() && port != 0 && is_carried(&stream.protocol);
        let port = if is_on { port } else { 0 };
        let mut result = MediaDescription::bare(
            stream.kind.clone(),
            port,
            stream.protocol.clone(),
            formats(stream),
        );
        if !is_on {
            return result;
        }
        result.bandwidth = bandwidth(&stream.bandwidth);
        // All of them, and `a=sendrecv`.
        let room = stream.attributes.as_bytes().len() + 12;
        result.attributes.reserve(room);
        for attribute in stream
            .attributes
            .iter()
            .filter(|a| self.passes(*a, identity))
        {
            result.attributes.copy(attribute);
        }
        let black_hole = session.connection_of(stream).map(Connection::address);
        let is_heard = !black_hole.is_some_and(Address::is_black_hole);
        let direction = session
            .direction_of(stream)
            .and(Direction::new(true, is_heard));
        result.attributes.set_direction(direction);
        result
    }

    fn passes(&self, attribute: Attribute<'_>, identity: &Identity<'_>) -> bool {
        let name = attribute.name();
        let value = attribute.value_bytes();
        if name == "rtpmap" {
            // A user may be called like a codec; the line must pass all the same.
            return attribute.rtpmap().is_some() && !value.is_some_and(looks_like_address);
        }
        if name.contains('.') || identity.is_in(attribute.line()) {
            return false;
        }
        if self.passing.iter().any(|passing| passing == name) {
            return !value.is_some_and(looks_like_address);
        }
        if HARMLESS.contains(&name) || name.starts_with("T38") {
            return !value.is_some_and(looks_like_address);
        }
        !END_TO_END.contains(&name) && value.is_none_or(is_small_numbers)
    }
}

/// Names and addresses of the first party that are looked for: one a stream is plenty.
const MOST_NAMES: usize = 128;

/// What the first party's description says about who and where it is.
struct Identity<'a> {
    words: Vec<&'a [u8]>,
    /// The one that it signs with, which mostly is its only one.
    own: Option<IpAddr>,
    addresses: Vec<IpAddr>,
}

impl<'a> Identity<'a> {
    /// `None` when it names more than anyone needs: each attribute is compared with all of it.
    fn of(session: &'a SessionDescription) -> Option<Self> {
        let mut identity = Self {
            words: Vec::new(),
            own: session.origin.address.ip(),
            addresses: Vec::new(),
        };
        identity.word(session.origin.username.as_bytes());
        identity.address(&session.origin.address);
        let streams = session.media.iter().flat_map(MediaDescription::connections);
        for connection in session.connection.iter().chain(streams) {
            identity.address(connection.address());
            if identity.len() > MOST_NAMES {
                return None;
            }
        }
        Some(identity)
    }

    fn address(&mut self, address: &'a Address) {
        match address {
            Address::Ip(ip) if self.has(*ip) => {}
            Address::Ip(ip) => self.addresses.push(*ip),
            Address::Name { name, .. } => {
                // A machine's own name is told without its domain too.
                let own = name.as_bytes().split(|octet| *octet == b'.').next();
                self.word(name.as_bytes());
                self.word(own.unwrap_or_default());
            }
            Address::Other(text) => {
                for word in fields(text.as_bytes()).skip(2) {
                    self.word(word);
                }
            }
        }
    }

    fn len(&self) -> usize {
        self.words.len() + usize::from(self.own.is_some()) + self.addresses.len()
    }

    fn has(&self, ip: IpAddr) -> bool {
        self.own == Some(ip) || self.addresses.contains(&ip)
    }

    /// Short words say little and would be found everywhere: `-`, `0`, `sip`.
    fn word(&mut self, word: &'a [u8]) {
        if word.len() > 3 && !self.words.contains(&word) {
            self.words.push(word);
        }
    }

    fn is_in(&self, line: &[u8]) -> bool {
        let has_word = |word: &&[u8]| {
            line.windows(word.len())
                .any(|window| window.eq_ignore_ascii_case(word))
        };
        let is_own = |text: &str| text.parse().is_ok_and(|ip| self.has(ip));
        self.words.iter().any(has_word) || address_like(line).any(is_own)
    }
}

/// Runs of the characters that literal addresses are made of.
fn address_like(line: &[u8]) -> impl Iterator<Item = &str> {
    line.split(|octet| !octet.is_ascii_hexdigit() && *octet != b'.' && *octet != b':')
        .filter_map(|run| core::str::from_utf8(run).ok())
        .filter(|run| run.len() > 1)
}

/// An `@`, a literal address, or a name with dots that is no decimal number.
fn looks_like_address(value: &[u8]) -> bool {
    // Without any of these it is none; the values of codecs seldom have one.
    if !value.iter().any(|octet| b"@.:".contains(octet)) {
        return false;
    }
    let is_dotted = |word: &[u8]| {
        let parts = || {
            word.split(|octet| *octet == b'.')
                .filter(|part| !part.is_empty())
        };
        let is_decimal =
            parts().count() <= 2 && parts().all(|part| part.iter().all(u8::is_ascii_digit));
        parts().count() >= 2 && !is_decimal
    };
    let mut words = value.split(|octet| !octet.is_ascii_alphanumeric() && !b".-_".contains(octet));
    value.contains(&b'@')
        || words.any(is_dotted)
        || address_like(value).any(|run| run.parse::<IpAddr>().is_ok())
}

/// Numbers of at most six digits: no address, no telephone number.
fn is_small_numbers(value: &[u8]) -> bool {
    let mut parts = value.split(|octet| matches!(octet, b' ' | b',' | b';' | b'/' | b'=' | b'-'));
    parts.all(|part| part.is_empty() || (part.len() <= 6 && number(part).is_some()))
}

fn bandwidth(lines: &Lines) -> Lines {
    let mut kept = Vec::new();
    for (_, value) in lines.iter() {
        let kind = value
            .split(|octet| *octet == b':')
            .next()
            .unwrap_or_default();
        if [&b"AS"[..], b"CT", b"TIAS", b"RS", b"RR"].contains(&kind) {
            kept.extend_from_slice(b"b=");
            kept.extend_from_slice(value);
            kept.extend_from_slice(b"\r\n");
        }
    }
    Lines::verbatim(&kept)
}

/// Transports that one socket can pass on as they are: plain RTP, and fax over UDP (T.38 Annex D).
fn is_carried(protocol: &Protocol) -> bool {
    protocol.is_plain_rtp() || protocol.as_str().eq_ignore_ascii_case("udptl")
}

fn is_plain_kind(kind: &MediaKind) -> bool {
    match kind {
        MediaKind::Other(name) => name.as_bytes().iter().all(u8::is_ascii_alphabetic),
        _ => true,
    }
}

fn is_plain_protocol(protocol: &Protocol) -> bool {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'/' || octet == b'-';
    protocol.as_str().bytes().all(plain)
}

/// The formats that are payload types or well known words; one at least (RFC 3264 §6).
fn formats(stream: &MediaDescription) -> Text {
    let is_known = |format: &[u8]| {
        matches!(format, b"t38" | b"webrtc-datachannel" | b"*")
            || (format.len() <= 3 && number(format).is_some())
    };
    let all = stream.formats.as_bytes();
    // Set apart by one space each.
    if all.split(|octet| *octet == b' ').all(is_known) {
        return stream.formats.clone();
    }
    let mut known = Vec::with_capacity(all.len());
    for format in fields(all).filter(|format| is_known(format)) {
        if !known.is_empty() {
            known.push(b' ');
        }
        known.extend_from_slice(format);
    }
    if known.is_empty() {
        Text::verbatim(b"0")
    } else {
        Text::verbatim(&known)
    }
}
