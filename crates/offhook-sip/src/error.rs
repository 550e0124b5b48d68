//! What can be wrong: with a value, with a header, with a message, with what a caller builds.
//!
//! Every error on input says where (an octet offset), what was expected there, and by which
//! status a server may answer it.

use core::fmt;

use bytes::Bytes;

use crate::header::name::HeaderName;
use crate::status::StatusCode;

/// What the grammar wanted at the place of an error, or which rule was broken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A token (RFC 3261 §25.1).
    Token,
    /// A method name.
    Method,
    /// A single space.
    Space,
    /// A request line or a status line (RFC 3261 §7.1, §7.2).
    StartLine,
    /// `SIP/2.0`; a request with another version is answered 505.
    Version,
    /// A status code from 100 to 699.
    Status,
    /// A reason phrase: UTF-8 text without control characters.
    ReasonPhrase,
    /// CRLF at the end of a line.
    LineEnd,
    /// A header name followed by a colon.
    HeaderName,
    /// A header section that is valid UTF-8 (RFC 3261 §25.1: TEXT-UTF8).
    Utf8,
    /// Text without control characters.
    Text,
    /// The empty line after the headers.
    EndOfHeaders,
    /// A URI.
    Uri,
    /// A URI scheme.
    Scheme,
    /// The user part of a URI.
    User,
    /// A domain name, an IPv4 address or an IPv6 reference.
    Host,
    /// A port from 0 to 65535.
    Port,
    /// A parameter.
    Parameter,
    /// The headers of a URI (`?name=value`).
    UriHeader,
    /// `%` and two hexadecimal digits.
    Escape,
    /// A quoted string that ends.
    QuotedString,
    /// A display name: tokens or a quoted string.
    DisplayName,
    /// A URI between `<` and `>`.
    BracketedUri,
    /// A number in the range that the header allows.
    Number,
    /// A certain mark, such as `=` or `;`.
    Separator,
    /// A date of RFC 1123.
    Date,
    /// The end of the value.
    EndOfValue,
    /// A value: it is empty.
    Value,
    /// This header must be there (RFC 3261 §8.1.1).
    MissingHeader,
    /// This header may be there but once.
    RepeatedHeader,
    /// The CSeq method and the method of the request must be the same (RFC 3261 §8.1.1.5).
    MethodMismatch,
    /// The body is shorter than Content-Length says (RFC 3261 §18.3).
    BodyTooShort,
    /// With the body that Content-Length announces the message would hold more than
    /// [`Limits`](crate::Limits) allow.
    BodyTooLarge,
    /// The message holds no more than [`Limits`](crate::Limits) allow.
    TooLarge,
    /// The Request-URI is longer than [`Limits`](crate::Limits) allow.
    UriTooLong,
    /// A stream cannot be framed without a Content-Length (RFC 3261 §18.3).
    MissingContentLength,
    /// A delimiter of a multipart body (RFC 2046 §5.1.1).
    Boundary,
    /// This header must not be taken from a URI (RFC 3261 §19.1.5).
    DangerousHeader,
    /// The server knows the method and does not answer it (RFC 3261 §8.2.1).
    MethodNotAllowed,
    /// The server does not know the method (RFC 3261 §8.2.1, §21.5.2).
    MethodUnknown,
    /// The server does not support the scheme of the Request-URI (RFC 3261 §8.2.2.1).
    SchemeNotSupported,
    /// The server does not support what the request requires (RFC 3261 §8.2.2.3).
    OptionNotSupported,
}

impl ErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Token => "a token was expected",
            Self::Method => "a method was expected",
            Self::Space => "a single space was expected",
            Self::StartLine => "a request line or a status line was expected",
            Self::Version => "SIP/2.0 was expected",
            Self::Status => "a status code was expected",
            Self::ReasonPhrase => "a reason phrase was expected",
            Self::LineEnd => "CRLF was expected",
            Self::HeaderName => "a header name and a colon were expected",
            Self::Utf8 => "UTF-8 was expected",
            Self::Text => "a control character stands in the text",
            Self::EndOfHeaders => "the empty line after the headers is missing",
            Self::Uri => "a URI was expected",
            Self::Scheme => "a URI scheme was expected",
            Self::User => "the user part of a URI was expected",
            Self::Host => "a host was expected",
            Self::Port => "a port was expected",
            Self::Parameter => "a parameter was expected",
            Self::UriHeader => "a URI header was expected",
            Self::Escape => "two hexadecimal digits were expected after %",
            Self::QuotedString => "a quoted string does not end",
            Self::DisplayName => "a display name was expected",
            Self::BracketedUri => "a URI in < and > was expected",
            Self::Number => "a number in range was expected",
            Self::Separator => "a separator was expected",
            Self::Date => "an RFC 1123 date was expected",
            Self::EndOfValue => "the value goes on where it should end",
            Self::Value => "the value is empty",
            Self::MissingHeader => "the header is missing",
            Self::RepeatedHeader => "the header stands more than once",
            Self::MethodMismatch => "CSeq names another method",
            Self::BodyTooShort => "the body is shorter than Content-Length",
            Self::BodyTooLarge => "the body is larger than the limit",
            Self::TooLarge => "the message is larger than the limit",
            Self::UriTooLong => "the Request-URI is longer than the limit",
            Self::MissingContentLength => "Content-Length is missing",
            Self::Boundary => "a delimiter of the multipart body was expected",
            Self::DangerousHeader => "the header must not be taken from a URI",
            Self::MethodNotAllowed => "the method is not allowed",
            Self::MethodUnknown => "the method is not known",
            Self::SchemeNotSupported => "the scheme of the Request-URI is not supported",
            Self::OptionNotSupported => "a required extension is not supported",
        }
    }

    /// By which status a server may answer a request that is at fault so (RFC 3261 §21.4, §21.5).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::VERSION_NOT_SUPPORTED,
            Self::BodyTooLarge => StatusCode::REQUEST_ENTITY_TOO_LARGE,
            Self::TooLarge => StatusCode::MESSAGE_TOO_LARGE,
            Self::UriTooLong => StatusCode::REQUEST_URI_TOO_LONG,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::MethodUnknown => StatusCode::NOT_IMPLEMENTED,
            Self::SchemeNotSupported => StatusCode::UNSUPPORTED_URI_SCHEME,
            Self::OptionNotSupported => StatusCode::BAD_EXTENSION,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A text is not what it should be: what was expected, and at which octet of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at octet {offset}")]
pub struct ValueError {
    offset: usize,
    kind: ErrorKind,
}

impl ValueError {
    /// An error at `offset` octets from the start of the text.
    #[must_use]
    pub const fn new(offset: usize, kind: ErrorKind) -> Self {
        Self { offset, kind }
    }

    /// Octets from the start of the text.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What was expected there.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error, seen from a text that begins `octets` earlier.
    #[must_use]
    pub const fn shifted(self, octets: usize) -> Self {
        Self::new(self.offset + octets, self.kind)
    }
}

/// A header that was asked for is missing or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {kind} at octet {offset} of the value")]
pub struct HeaderError {
    header: HeaderName<'static>,
    offset: usize,
    message_offset: usize,
    kind: ErrorKind,
}

impl HeaderError {
    pub(crate) const fn new(header: HeaderName<'static>, error: ValueError, base: usize) -> Self {
        Self {
            header,
            offset: error.offset,
            message_offset: base + error.offset,
            kind: error.kind,
        }
    }

    pub(crate) const fn missing(header: HeaderName<'static>) -> Self {
        Self::new(header, ValueError::new(0, ErrorKind::MissingHeader), 0)
    }

    /// Which header.
    #[must_use]
    pub const fn header(&self) -> HeaderName<'static> {
        self.header
    }

    /// Octets from the start of the header's value.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What was expected there.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// By which status a server may answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }
}

/// A message is malformed, or breaks a rule that every element checks (RFC 3261 §8.1.1, §8.2).
///
/// For a request, [`Self::status`] is the status to answer by, and [`Self::response`] that answer
/// when enough of the request was readable. A malformed response is dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    offset: usize,
    kind: ErrorKind,
    header: Option<HeaderName<'static>>,
    pub(crate) datagram: Bytes,
}

impl ParseError {
    pub(crate) const fn new(offset: usize, kind: ErrorKind) -> Self {
        Self {
            offset,
            kind,
            header: None,
            datagram: Bytes::new(),
        }
    }

    pub(crate) fn in_header(mut self, header: HeaderName<'static>) -> Self {
        self.header = Some(header);
        self
    }

    /// The header by its number in an index, if the RFCs define it.
    #[cold]
    pub(crate) fn in_known_header(mut self, number: u8) -> Self {
        self.header = HeaderName::from_number(number, "").known();
        self
    }

    pub(crate) fn shifted(mut self, octets: usize) -> Self {
        self.offset += octets;
        self
    }

    pub(crate) fn of_datagram(mut self, datagram: Bytes) -> Self {
        self.datagram = datagram;
        self
    }

    /// Octets from the start of the message.
    ///
    /// 0 when a header is missing; in a message that was built or edited, octets from the start
    /// of the header's value.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What was expected there, or which rule is broken.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The header that is at fault, when one is.
    #[must_use]
    pub const fn header(&self) -> Option<HeaderName<'static>> {
        self.header
    }

    /// By which status a server may answer, if the message is a request (RFC 3261 §21.4, §21.5).
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(header) = self.header {
            write!(f, "{header}: ")?;
        }
        write!(f, "{} at octet {}", self.kind, self.offset)
    }
}

impl From<HeaderError> for ParseError {
    fn from(error: HeaderError) -> Self {
        Self::new(error.message_offset, error.kind).in_header(error.header)
    }
}

/// What a caller wants to build cannot be written in SIP: the text does not fit the grammar.
///
/// CR and LF are always refused, so that no value can smuggle a header in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be written: {kind} at octet {offset}")]
pub struct BuildError {
    offset: usize,
    kind: ErrorKind,
}

impl BuildError {
    pub(crate) const fn new(offset: usize, kind: ErrorKind) -> Self {
        Self { offset, kind }
    }

    /// Octets from the start of the text that was refused.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<ValueError> for BuildError {
    fn from(error: ValueError) -> Self {
        Self::new(error.offset, error.kind)
    }
}

impl From<HeaderError> for BuildError {
    fn from(error: HeaderError) -> Self {
        Self::new(error.offset, error.kind)
    }
}
