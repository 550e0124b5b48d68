//! Octets to messages (RFC 3261 §7, §18.3): the start line is read, the headers are indexed.
//!
//! The loop over the lines is in `index`.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::class::{self, all, is};
use crate::error::{ErrorKind, ParseError};
use crate::grammar::control;
use crate::header::map::Headers;
use crate::header::name::HeaderName;
use crate::header::store::Store;
use crate::index::Index;
use crate::limits::ParserConfig;
use crate::message::{Message, Request, Response};
use crate::method::Method;
use crate::status::StatusCode;
use crate::uri::owned::Uri;
use crate::uri::parts::parse_parts;

/// Reads the message in a datagram, strictly.
///
/// Octets after the body are dropped (RFC 3261 §18.3); without a Content-Length the body is all
/// that follows the headers.
///
/// ```
/// use bytes::Bytes;
/// use offhook_sip::header::Via;
/// use offhook_sip::{Message, Method, parse_datagram};
///
/// let octets = Bytes::from_static(
///     b"OPTIONS sip:bob@example.com SIP/2.0\r\n\
///       v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK74b\r\n\
///       Max-Forwards: 70\r\n\r\n",
/// );
/// let Message::Request(request) = parse_datagram(octets)? else { unreachable!() };
/// assert_eq!(request.method(), &Method::Options);
/// assert_eq!(request.headers().required::<Via>()?.branch(), Some("z9hG4bK74b"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn datagram(octets: Bytes) -> Result<Message, ParseError> {
    datagram_with(&ParserConfig::STRICT, octets)
}

/// Reads the message in a datagram, within limits and with the leniency asked for.
pub fn datagram_with(config: &ParserConfig, octets: Bytes) -> Result<Message, ParseError> {
    match read(config, &octets) {
        Ok(message) => Ok(message),
        Err(error) => Err(error.of_datagram(octets)),
    }
}

fn read(config: &ParserConfig, octets: &Bytes) -> Result<Message, ParseError> {
    if octets.len() > config.limits.message {
        return Err(ParseError::new(config.limits.message, ErrorKind::TooLarge));
    }
    if !matches!(octets.first(), Some(b'\r' | b'\n')) {
        return build(config, Index::message(config, octets)?, octets);
    }
    // Line ends before the start line are keep-alives (RFC 3261 §7.5).
    let start = octets
        .iter()
        .position(|octet| !matches!(octet, b'\r' | b'\n'))
        .unwrap_or(octets.len());
    let message = octets.slice(start..);
    Index::message(config, &message)
        .and_then(|index| build(config, index, &message))
        .map_err(|error| error.shifted(start))
}

fn build(config: &ParserConfig, index: Index, octets: &Bytes) -> Result<Message, ParseError> {
    let body_end = body_end(config, &index, octets.len())?;
    let Ok(head) = ByteString::try_from(octets.slice(..index.head_end)) else {
        return not_utf8(config, index.head_end, octets);
    };
    let start = start_line(config, &head, index.start_line_end)?;
    let body = if body_end > index.head_end {
        octets.slice(index.head_end..body_end)
    } else {
        Bytes::new()
    };
    let headers = Headers {
        store: Store::new(head, index.table),
    };
    Ok(match start {
        StartLine::Request { method, uri } => Message::Request(Request {
            method,
            uri,
            headers,
            body,
            untouched: true,
        }),
        StartLine::Status { status, reason } => Message::Response(Response {
            status,
            reason,
            headers,
            body,
            untouched: true,
        }),
    })
}

/// Where the body ends: where Content-Length says, or with the datagram (RFC 3261 §18.3).
fn body_end(config: &ParserConfig, index: &Index, end: usize) -> Result<usize, ParseError> {
    match index.content_length {
        Some((length, at)) if length > end - index.head_end => {
            if config.short_body {
                return Ok(end);
            }
            Err(ParseError::new(at, ErrorKind::BodyTooShort).in_header(HeaderName::CONTENT_LENGTH))
        }
        Some((length, _)) => Ok(index.head_end + length),
        None => Ok(end),
    }
}

/// Refuses a head that is not UTF-8, or reads it as Latin-1.
#[cold]
fn not_utf8(config: &ParserConfig, head_end: usize, octets: &Bytes) -> Result<Message, ParseError> {
    let (head, body) = octets.split_at(head_end);
    if config.latin1 {
        return latin1(config, head, body);
    }
    let valid = core::str::from_utf8(head).map_or_else(|error| error.valid_up_to(), str::len);
    Err(ParseError::new(valid, ErrorKind::Utf8))
}

/// Headers and body of a part of a multipart body. Without headers it begins with an empty line
/// (RFC 2046 §5.1).
pub(crate) fn part(octets: Bytes) -> Result<(Headers, Bytes), ParseError> {
    const CONFIG: ParserConfig = ParserConfig {
        lf_line_ends: true,
        missing_final_crlf: true,
        ..ParserConfig::STRICT
    };
    let index = Index::part(&CONFIG, &octets)?;
    let mut body = octets;
    let head = body.split_to(index.head_end);
    let head = ByteString::try_from(head).map_err(|_| ParseError::new(0, ErrorKind::Utf8))?;
    let store = Store::new(head, index.table);
    Ok((Headers { store }, body))
}

/// Reads a head in Latin-1 as UTF-8: the letters of octets over 127 take two octets.
fn latin1(config: &ParserConfig, head: &[u8], body: &[u8]) -> Result<Message, ParseError> {
    let text: String = head.iter().map(|&octet| char::from(octet)).collect();
    let mut octets = Vec::with_capacity(text.len() + body.len());
    octets.extend_from_slice(text.as_bytes());
    octets.extend_from_slice(body);
    let message = Bytes::from(octets);
    build(config, Index::message(config, &message)?, &message)
}

enum StartLine {
    Request {
        method: Method,
        uri: Uri,
    },
    Status {
        status: StatusCode,
        reason: ByteString,
    },
}

fn start_line(
    config: &ParserConfig,
    head: &ByteString,
    end: usize,
) -> Result<StartLine, ParseError> {
    let line = head.get(..end).unwrap_or_default();
    let line = if config.start_line_spaces {
        line.trim_end_matches([' ', '\t'])
    } else {
        line
    };
    if line.len() > 3 && line.as_bytes()[..4].eq_ignore_ascii_case(b"SIP/") {
        status_line(config, head, line)
    } else {
        request_line(config, head, line)
    }
}

/// The rest of a line after one space, or after several where that is forgiven.
fn space<'a>(config: &ParserConfig, line: &str, rest: &'a str) -> Result<&'a str, ParseError> {
    let after = rest
        .strip_prefix(' ')
        .ok_or(ParseError::new(line.len() - rest.len(), ErrorKind::Space))?;
    Ok(if config.start_line_spaces {
        after.trim_start_matches([' ', '\t'])
    } else {
        after
    })
}

fn is_version(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && all(part, class::DIGIT);
    text.as_bytes()
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
        && text[4..]
            .split_once('.')
            .is_some_and(|(major, minor)| number(major) && number(minor))
}

/// `Method SP Request-URI SP SIP-Version`
fn request_line(
    config: &ParserConfig,
    head: &ByteString,
    line: &str,
) -> Result<StartLine, ParseError> {
    let offset = |rest: &str| line.len() - rest.len();
    let method_end = line
        .bytes()
        .position(|octet| !is(octet, class::TOKEN))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(method_end);
    if name.is_empty() {
        return Err(ParseError::new(0, ErrorKind::StartLine));
    }
    let rest = space(config, line, rest)?;
    let uri_end = memchr::memrchr(b' ', rest.as_bytes())
        .ok_or(ParseError::new(line.len(), ErrorKind::StartLine))?;
    let (target, version) = (&rest[..uri_end], &rest[uri_end + 1..]);
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        let kind = if is_version(version) {
            ErrorKind::Version
        } else {
            ErrorKind::StartLine
        };
        return Err(ParseError::new(offset(version), kind));
    }
    let mut uri = target;
    if config.start_line_spaces {
        uri = uri.trim_end_matches([' ', '\t']);
    }
    if config.bracketed_request_uri {
        uri = uri
            .strip_prefix('<')
            .and_then(|inner| inner.strip_suffix('>'))
            .unwrap_or(uri);
    }
    if uri.len() > config.limits.uri {
        return Err(ParseError::new(
            offset(rest) + config.limits.uri,
            ErrorKind::UriTooLong,
        ));
    }
    let parts = parse_parts(uri)
        .map_err(|error| ParseError::new(offset(rest) + error.offset(), error.kind()))?;
    let mut method = Method::known(name);
    if method.is_none() && config.lower_case_method {
        method = Method::known_without_case(name);
    }
    Ok(StartLine::Request {
        method: method.unwrap_or_else(|| Method::from_shared(head.slice_ref(name))),
        uri: Uri::from_shared(head.slice_ref(uri), parts),
    })
}

/// `SIP-Version SP Status-Code SP Reason-Phrase`
fn status_line(
    config: &ParserConfig,
    head: &ByteString,
    line: &str,
) -> Result<StartLine, ParseError> {
    let offset = |rest: &str| line.len() - rest.len();
    let (version, _) = line.split_once(' ').unwrap_or((line, ""));
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(ParseError::new(0, ErrorKind::Version));
    }
    let rest = space(config, line, &line[version.len()..])?;
    let (code, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
    let status = (code.len() == 3 && all(code, class::DIGIT))
        .then(|| code.parse().ok().and_then(StatusCode::new))
        .flatten()
        .ok_or(ParseError::new(offset(rest), ErrorKind::Status))?;
    if code.len() == rest.len() && !config.start_line_spaces {
        return Err(ParseError::new(line.len(), ErrorKind::Space));
    }
    if let Some(at) = control(phrase) {
        return Err(ParseError::new(
            offset(phrase) + at,
            ErrorKind::ReasonPhrase,
        ));
    }
    Ok(StartLine::Status {
        status,
        reason: head.slice_ref(phrase),
    })
}
