//! One stream: an `m=` line and what follows it (RFC 8866 §5.14).

use alloc::vec::Vec;
use core::fmt;

use crate::address::Connection;
use crate::attribute::{Attributes, Fmtp, Rtcp, RtpMap};
use crate::codec::Codec;
use crate::direction::Direction;
use crate::error::ValueError;
use crate::grammar::{ascii, fields, is_protocol, is_token, payload_type};
use crate::lines::Lines;
use crate::text::Text;

/// What a stream carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaKind {
    /// Voice, tones.
    Audio,
    /// Pictures that move.
    Video,
    /// Real-time text.
    Text,
    /// Data channels and the like.
    Application,
    /// MSRP and the like.
    Message,
    /// Fax.
    Image,
    /// Another registered or private one.
    Other(Text),
}

impl MediaKind {
    pub(crate) fn read(value: &[u8]) -> Result<Self, ValueError> {
        match value {
            b"audio" => Ok(Self::Audio),
            b"video" => Ok(Self::Video),
            b"text" => Ok(Self::Text),
            b"application" => Ok(Self::Application),
            b"message" => Ok(Self::Message),
            b"image" => Ok(Self::Image),
            other if is_token(other) => Ok(Self::Other(Text::verbatim(other))),
            _ => Err(ValueError),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Text => "text",
            Self::Application => "application",
            Self::Message => "message",
            Self::Image => "image",
            Self::Other(text) => ascii(text.as_bytes()),
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The transport of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// `RTP/AVP`: plain RTP (RFC 3551).
    RtpAvp,
    /// `RTP/AVPF`: plain RTP with early feedback (RFC 4585).
    RtpAvpf,
    /// Another one: `RTP/SAVP`, `UDP/TLS/RTP/SAVPF`, `udptl`, ...
    Other(Text),
}

impl Protocol {
    /// Reads `token *("/" token)`.
    ///
    /// # Errors
    /// [`ValueError`] when it is not of that form.
    pub fn new(value: &str) -> Result<Self, ValueError> {
        Self::read(value.as_bytes())
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, ValueError> {
        match value {
            b"RTP/AVP" => Ok(Self::RtpAvp),
            b"RTP/AVPF" => Ok(Self::RtpAvpf),
            other if is_protocol(other) => Ok(Self::Other(Text::verbatim(other))),
            _ => Err(ValueError),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpAvpf => "RTP/AVPF",
            Self::Other(text) => ascii(text.as_bytes()),
        }
    }

    /// RTP that is not encrypted.
    pub const fn is_plain_rtp(&self) -> bool {
        matches!(self, Self::RtpAvp | Self::RtpAvpf)
    }

    /// RTP in any profile: formats are payload types.
    pub fn is_rtp(&self) -> bool {
        self.as_str().split('/').any(|part| part == "RTP")
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One stream of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaDescription {
    pub(crate) kind: MediaKind,
    pub(crate) port: u16,
    pub(crate) port_count: Option<u32>,
    pub(crate) protocol: Protocol,
    pub(crate) formats: Text,
    pub(crate) information: Option<Text>,
    pub(crate) connection: Option<Connection>,
    pub(crate) more_connections: Vec<Connection>,
    pub(crate) bandwidth: Lines,
    pub(crate) key: Option<Text>,
    pub(crate) attributes: Attributes,
}

impl MediaDescription {
    /// A stream with its formats set apart by single spaces, and nothing else yet.
    ///
    /// # Errors
    /// [`ValueError`] when there is no format or one is no token.
    pub fn new(
        kind: MediaKind,
        port: u16,
        protocol: Protocol,
        formats: &str,
    ) -> Result<Self, ValueError> {
        let formats = formats.as_bytes();
        if fields(formats).next().is_none() || !fields(formats).all(is_token) {
            return Err(ValueError);
        }
        Ok(Self::bare(kind, port, protocol, Text::verbatim(formats)))
    }

    pub(crate) fn bare(kind: MediaKind, port: u16, protocol: Protocol, formats: Text) -> Self {
        Self {
            kind,
            port,
            port_count: None,
            protocol,
            formats,
            information: None,
            connection: None,
            more_connections: Vec::new(),
            bandwidth: Lines::default(),
            key: None,
            attributes: Attributes::default(),
        }
    }

    /// The same stream refused or switched off: port 0, its formats kept (RFC 3264 §6, §8.2).
    #[must_use]
    pub fn disabled(&self) -> Self {
        let formats = self.formats.clone();
        Self::bare(self.kind.clone(), 0, self.protocol.clone(), formats)
    }

    /// What it carries.
    pub const fn kind(&self) -> &MediaKind {
        &self.kind
    }

    /// Where it is taken; 0 when the stream is refused or switched off (RFC 3264 §6).
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the stream is refused or switched off.
    pub const fn is_disabled(&self) -> bool {
        self.port == 0
    }

    /// How many consecutive ports, when said (`m=video 49170/2 ...`).
    pub const fn port_count(&self) -> Option<u32> {
        self.port_count
    }

    /// Its transport.
    pub const fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Its formats in order of preference.
    pub fn formats(&self) -> impl Iterator<Item = &str> {
        fields(self.formats.as_bytes()).map(ascii)
    }

    /// Its formats that are payload types.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        fields(self.formats.as_bytes()).filter_map(payload_type)
    }

    /// `i=`: a title.
    pub const fn information(&self) -> Option<&Text> {
        self.information.as_ref()
    }

    /// Its own `c=`, if it has one; [`crate::SessionDescription::connection_of`] looks further.
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// All its `c=` lines; more than one only for layered multicast.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.connection.iter().chain(&self.more_connections)
    }

    /// Sets its own `c=`.
    pub fn set_connection(&mut self, connection: Option<Connection>) {
        self.connection = connection;
        self.more_connections.clear();
    }

    /// `b=` lines.
    pub const fn bandwidth(&self) -> &Lines {
        &self.bandwidth
    }

    /// `a=` lines.
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// `a=` lines, to be changed.
    pub const fn attributes_mut(&mut self) -> &mut Attributes {
        &mut self.attributes
    }

    /// The direction said for this stream; [`crate::SessionDescription::direction_of`] looks further.
    pub fn direction(&self) -> Option<Direction> {
        self.attributes.direction()
    }

    /// The `rtpmap` of a payload type; [`Self::codecs`] knows the static ones as well.
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap<'_>> {
        let mut maps = self
            .attributes
            .iter()
            .filter_map(|attribute| attribute.rtpmap());
        maps.find(|map| map.payload_type == payload_type)
    }

    /// The parameters of a format.
    pub fn fmtp(&self, format: &str) -> Option<&str> {
        let mut all = self
            .attributes
            .iter()
            .filter_map(|attribute| attribute.fmtp());
        all.find(|Fmtp { format: of, .. }| *of == format)
            .map(|fmtp| fmtp.parameters)
    }

    /// `ptime`: milliseconds of voice in a packet, as the other side wishes (RFC 8866 §6.4).
    pub fn ptime(&self) -> Option<u32> {
        self.attributes
            .get("ptime")
            .and_then(|attribute| attribute.milliseconds())
    }

    /// `maxptime`: the most milliseconds in a packet (RFC 8866 §6.5).
    pub fn max_ptime(&self) -> Option<u32> {
        self.attributes
            .get("maxptime")
            .and_then(|attribute| attribute.milliseconds())
    }

    /// `rtcp`: where RTCP is taken, when not on the next port (RFC 3605).
    pub fn rtcp(&self) -> Option<Rtcp> {
        self.attributes
            .get("rtcp")
            .and_then(|attribute| attribute.rtcp())
    }

    /// The number under which key presses are wanted (RFC 4733): of the first of [`Self::codecs`] that
    /// carries them.
    ///
    /// ```
    /// let text = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    ///     m=audio 49170 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    /// let session = offhook_sdp::SessionDescription::parse(text)?;
    /// assert_eq!(session.media()[0].telephone_event(), Some(101));
    /// # Ok::<(), offhook_sdp::SdpError>(())
    /// ```
    pub fn telephone_event(&self) -> Option<u8> {
        // Payload types are below 128: a set of them is a number, so that nothing is put aside for them.
        let bit = |number: u8| 1_u128.checked_shl(number.into()).unwrap_or_default();
        let listed = self
            .payload_types()
            .fold(0, |set, number| set | bit(number));
        let (mut named, mut events) = (0, 0);
        for map in self.attributes.iter().filter_map(|a| a.rtpmap()) {
            let number = bit(map.payload_type);
            if map.clock_rate == 0 || listed & number == 0 || named & number != 0 {
                continue;
            }
            named |= number;
            if map.encoding.eq_ignore_ascii_case("telephone-event") {
                events |= number;
            }
        }
        self.payload_types()
            .find(|number| events & bit(*number) != 0)
    }

    /// The codecs of an RTP stream in order of preference, each number once. A dynamic payload
    /// type without `rtpmap` means nothing and is left out.
    ///
    /// One pass over the attributes, whatever their number.
    pub fn codecs(&self) -> Vec<Codec> {
        let mut codecs = Vec::new();
        // Where in `codecs` a payload type stands; the list may name one twice.
        let mut place = [u8::MAX; 128];
        let mut named = [false; 128];
        for number in self.payload_types() {
            let slot = &mut place[usize::from(number)];
            if *slot == u8::MAX {
                *slot = u8::try_from(codecs.len()).unwrap_or(u8::MAX);
                codecs.push(Codec::of_static_payload_type(number));
            }
        }
        let mut parameters = Vec::new();
        for attribute in &self.attributes {
            if let Some(map) = attribute.rtpmap() {
                let number = usize::from(map.payload_type);
                let Some(slot) = codecs.get_mut(usize::from(place[number])) else {
                    continue;
                };
                if !named[number] && map.clock_rate > 0 {
                    named[number] = true;
                    let codec = Codec::known(map.encoding, map.clock_rate, map.payload_type);
                    *slot = Some(codec.with_channels(map.channels));
                }
            } else if let Some(fmtp) = attribute.fmtp()
                && let Some(number) = payload_type(fmtp.format.as_bytes())
            {
                parameters.push((number, fmtp.parameters));
            }
        }
        for (number, parameters) in parameters {
            let slot = codecs.get_mut(usize::from(place[usize::from(number)]));
            if let Some(codec) = slot.and_then(Option::as_mut) {
                codec.set_fmtp(parameters.as_bytes());
            }
        }
        codecs.into_iter().flatten().collect()
    }
}
