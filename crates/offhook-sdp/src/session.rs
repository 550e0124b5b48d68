//! A whole description: the session and its streams (RFC 8866 §5).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::address::{Address, Connection};
use crate::attribute::Attributes;
use crate::direction::Direction;
use crate::error::ValueError;
use crate::lines::Lines;
use crate::media::MediaDescription;
use crate::text::Text;

/// `o=`: who made this description, and which version of it this is (RFC 8866 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub(crate) username: Text,
    pub(crate) session_id: u64,
    pub(crate) version: u64,
    pub(crate) address: Address,
}

impl Origin {
    /// An origin without a user name (`-`).
    pub fn new(session_id: u64, version: u64, address: IpAddr) -> Self {
        Self {
            username: Text::verbatim(b"-"),
            session_id,
            version,
            address: address.into(),
        }
    }

    /// With a user name.
    ///
    /// # Errors
    /// [`ValueError`] when it is empty or has a space or a control character in it.
    pub fn with_username(mut self, username: &str) -> Result<Self, ValueError> {
        if username.is_empty() || username.contains(' ') {
            return Err(ValueError);
        }
        self.username = Text::new(username)?;
        Ok(self)
    }

    /// The user name; `-` when the host has no such thing.
    pub const fn username(&self) -> &Text {
        &self.username
    }

    /// The number of the session, of its maker's choice.
    pub const fn session_id(&self) -> u64 {
        self.session_id
    }

    /// The version: one more with each change (RFC 3264 §8).
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The maker's machine.
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

/// A session description, as offered or answered.
///
/// ```
/// use offhook_sdp::{Direction, SessionDescription};
///
/// let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
///             m=audio 49170 RTP/AVP 0\r\na=sendonly\r\n";
/// let session = SessionDescription::parse(text.as_bytes())?;
/// let audio = &session.media()[0];
/// assert_eq!(audio.port(), 49170);
/// assert_eq!(session.direction_of(audio), Direction::SendOnly);
/// assert_eq!(session.to_string(), text);
/// # Ok::<(), offhook_sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDescription {
    pub(crate) origin: Origin,
    pub(crate) name: Text,
    pub(crate) information: Option<Text>,
    pub(crate) uri: Option<Text>,
    pub(crate) emails: Lines,
    pub(crate) phones: Lines,
    pub(crate) connection: Option<Connection>,
    pub(crate) bandwidth: Lines,
    pub(crate) timing: Lines,
    pub(crate) key: Option<Text>,
    pub(crate) attributes: Attributes,
    pub(crate) media: Vec<MediaDescription>,
}

impl SessionDescription {
    /// A description without streams: no name (`s=-`), not bounded in time (`t=0 0`).
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            name: Text::verbatim(b"-"),
            information: None,
            uri: None,
            emails: Lines::default(),
            phones: Lines::default(),
            connection: None,
            bandwidth: Lines::default(),
            timing: Lines::unbounded_time(),
            key: None,
            attributes: Attributes::default(),
            media: Vec::new(),
        }
    }

    /// `o=`.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Replaces `o=`.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// `s=`; `-` or one space when there is no name.
    pub const fn session_name(&self) -> &Text {
        &self.name
    }

    /// Replaces `s=`.
    ///
    /// # Errors
    /// [`ValueError`] when it is empty (RFC 8866 §5.3).
    pub fn set_session_name(&mut self, name: Text) -> Result<(), ValueError> {
        if name.is_empty() {
            return Err(ValueError);
        }
        self.name = name;
        Ok(())
    }

    /// `i=`: a title.
    pub const fn information(&self) -> Option<&Text> {
        self.information.as_ref()
    }

    /// `u=`.
    pub const fn uri(&self) -> Option<&Text> {
        self.uri.as_ref()
    }

    /// `e=` lines.
    pub const fn emails(&self) -> &Lines {
        &self.emails
    }

    /// `p=` lines.
    pub const fn phones(&self) -> &Lines {
        &self.phones
    }

    /// The session's `c=`, which holds for the streams without one of their own.
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Sets the session's `c=`.
    pub fn set_connection(&mut self, connection: Option<Connection>) {
        self.connection = connection;
    }

    /// `b=` lines of the session.
    pub const fn bandwidth(&self) -> &Lines {
        &self.bandwidth
    }

    /// `t=`, `r=` and `z=` lines.
    pub const fn timing(&self) -> &Lines {
        &self.timing
    }

    /// `a=` lines of the session.
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// `a=` lines of the session, to be changed.
    pub const fn attributes_mut(&mut self) -> &mut Attributes {
        &mut self.attributes
    }

    /// The streams in order.
    pub fn media(&self) -> &[MediaDescription] {
        &self.media
    }

    /// The streams, to be changed. In a session under way none may be taken out or moved
    /// (RFC 3264 §8): switch it off with [`MediaDescription::disabled`].
    pub const fn media_mut(&mut self) -> &mut Vec<MediaDescription> {
        &mut self.media
    }

    /// Where `stream` is to be sent: its own `c=`, or the session's (RFC 8866 §5.7).
    pub fn connection_of<'a>(&'a self, stream: &'a MediaDescription) -> Option<&'a Connection> {
        stream.connection().or(self.connection.as_ref())
    }

    /// The direction of `stream`: its own, or the session's, or both ways (RFC 8866 §6.7).
    pub fn direction_of(&self, stream: &MediaDescription) -> Direction {
        stream
            .direction()
            .or_else(|| self.attributes.direction())
            .unwrap_or_default()
    }

    /// Whether the side that made this description asks to hear nothing on any stream that is on:
    /// hold as RFC 3264 §8.4 has it (`sendonly`, `inactive`) or as RFC 2543 had it (`c=0.0.0.0`).
    pub fn is_hold(&self) -> bool {
        let mut streams = self
            .media
            .iter()
            .filter(|stream| !stream.is_disabled())
            .peekable();
        streams.peek().is_some() && streams.all(|stream| !self.listens(stream))
    }

    /// Whether the side that made this description wants to hear `stream`.
    pub fn listens(&self, stream: &MediaDescription) -> bool {
        let address = self.connection_of(stream).map(Connection::address);
        !stream.is_disabled()
            && self.direction_of(stream).receives()
            && address.is_some_and(|address| !address.is_black_hole())
    }

    /// Where RTP of `stream` is to be sent. `None` where nothing may be sent: the stream is off, on hold
    /// in the old style (`c=0.0.0.0`), or its address is a name.
    pub fn rtp_address_of(&self, stream: &MediaDescription) -> Option<SocketAddr> {
        let ip = self
            .connection_of(stream)?
            .address()
            .ip()
            .filter(|ip| !ip.is_unspecified())?;
        (stream.port != 0).then(|| SocketAddr::new(ip, stream.port))
    }

    /// Where RTCP of `stream` is to be sent: where `a=rtcp` says (RFC 3605), or the port after RTP's.
    /// `None` as for RTP, or when there is no such port.
    pub fn rtcp_address_of(&self, stream: &MediaDescription) -> Option<SocketAddr> {
        let rtp = self.rtp_address_of(stream);
        let Some(said) = stream.rtcp() else {
            let rtp = rtp?;
            return Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?));
        };
        let ip = match &said.address {
            Some(address) => address.ip().filter(|ip| !ip.is_unspecified())?,
            None => rtp?.ip(),
        };
        (said.port != 0 && stream.port != 0).then(|| SocketAddr::new(ip, said.port))
    }

    /// This description as the next one of a session: the origin of `previous`, and its version
    /// plus one if anything else differs (RFC 3264 §8).
    #[must_use]
    pub fn succeeding(mut self, previous: &Self) -> Self {
        self.origin = previous.origin.clone();
        if self != *previous {
            self.origin.version = previous.origin.version.wrapping_add(1);
        }
        self
    }
}
