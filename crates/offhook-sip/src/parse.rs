//! Octets to messages (RFC 3261 §7, §18.3): the start line is read, the headers are indexed.
//!
//! The loop over the lines is written by hand around `memchr`; the grammar of what stands in them
//! is nom's.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::error::{ErrorKind, ParseError};
use crate::grammar::{all, class, control, is};
use crate::header::map::Headers;
use crate::header::name::{HeaderName, lookup};
use crate::header::store::{Entry, Store, unfold};
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
    // Line ends before the start line are keep-alives (RFC 3261 §7.5).
    let start = octets
        .iter()
        .position(|octet| !matches!(octet, b'\r' | b'\n'))
        .unwrap_or(octets.len());
    let message = octets.slice(start..);
    let mut index = Index::default();
    index
        .lines(config, &message)
        .and_then(|()| index.build(config, message))
        .map_err(|error| error.shifted(start))
}

/// What the loop over the lines finds.
#[derive(Default)]
struct Index {
    start_line_end: usize,
    head_end: usize,
    entries: Vec<Entry>,
    /// Unfolded values.
    added: String,
    content_length: Option<(usize, usize)>,
}

/// A line: where it ends, and where the next one begins.
struct Line {
    end: usize,
    next: usize,
}

fn line(config: &ParserConfig, octets: &[u8], from: usize) -> Result<Line, ParseError> {
    let found = octets
        .get(from..)
        .and_then(|rest| memchr::memchr2(b'\r', b'\n', rest));
    let Some(found) = found else {
        let end = octets.len();
        return if config.missing_final_crlf {
            Ok(Line { end, next: end })
        } else {
            Err(ParseError::new(end, ErrorKind::EndOfHeaders))
        };
    };
    let end = from + found;
    match octets.get(end..) {
        Some([b'\r', b'\n', ..]) => Ok(Line { end, next: end + 2 }),
        Some([b'\n', ..]) if config.lf_line_ends => Ok(Line { end, next: end + 1 }),
        _ => Err(ParseError::new(end, ErrorKind::LineEnd)),
    }
}

impl Index {
    /// The start line and the headers.
    fn lines(&mut self, config: &ParserConfig, octets: &[u8]) -> Result<(), ParseError> {
        if octets.is_empty() {
            return Err(ParseError::new(0, ErrorKind::StartLine));
        }
        let first = line(config, octets, 0)?;
        self.start_line_end = first.end;
        self.entries.reserve(16);
        self.headers(config, octets, first.next)
    }

    /// The headers, to the empty line.
    fn headers(
        &mut self,
        config: &ParserConfig,
        octets: &[u8],
        from: usize,
    ) -> Result<(), ParseError> {
        let mut at = from;
        loop {
            if at >= octets.len() {
                if config.missing_final_crlf {
                    self.head_end = octets.len();
                    return Ok(());
                }
                return Err(ParseError::new(octets.len(), ErrorKind::EndOfHeaders));
            }
            let mut here = line(config, octets, at)?;
            if here.end == at {
                self.head_end = here.next;
                return Ok(());
            }
            if here.next > config.limits.head || self.entries.len() >= config.limits.headers {
                return Err(ParseError::new(at, ErrorKind::TooLarge));
            }
            let mut folded = false;
            // A line that begins with white space goes on with the one before (RFC 3261 §7.3.1).
            while matches!(octets.get(here.next), Some(b' ' | b'\t')) {
                here = line(config, octets, here.next)?;
                folded = true;
            }
            self.header(octets, at, here.end, folded)?;
            at = here.next;
        }
    }

    /// `header-name HCOLON header-value`
    fn header(
        &mut self,
        octets: &[u8],
        start: usize,
        end: usize,
        folded: bool,
    ) -> Result<(), ParseError> {
        let line = &octets[start..end];
        let name_len = line
            .iter()
            .position(|&octet| !is(octet, class::TOKEN))
            .unwrap_or(line.len());
        let mut colon = name_len;
        while matches!(line.get(colon), Some(b' ' | b'\t')) {
            colon += 1;
        }
        if name_len == 0 || line.get(colon) != Some(&b':') {
            return Err(ParseError::new(start + colon, ErrorKind::HeaderName));
        }
        let name_octets = &line[..name_len];
        let value = trim(line, colon + 1);
        let name = core::str::from_utf8(name_octets).unwrap_or_default();
        let number = lookup(name);
        let (from, to) = (start + value.0, start + value.1);
        if folded {
            let value = text(&octets[from..to]);
            let entry = unfold(&value, number, name, &mut self.added);
            self.entries.push(entry);
        } else {
            let length =
                u16::try_from(name_len).map_err(|_| ParseError::new(start, ErrorKind::TooLarge))?;
            self.entries.push(Entry::in_message(
                number,
                small(start),
                length,
                small(from),
                small(to),
            ));
        }
        if number == HeaderName::CONTENT_LENGTH.number() {
            self.content_length(octets, from, to)?;
        }
        Ok(())
    }

    /// Content-Length may be there but once: two readings of where the body ends are an attack.
    fn content_length(&mut self, octets: &[u8], from: usize, to: usize) -> Result<(), ParseError> {
        let fault = |at, kind| ParseError::new(at, kind).in_header(HeaderName::CONTENT_LENGTH);
        if self.content_length.is_some() {
            return Err(fault(from, ErrorKind::RepeatedHeader));
        }
        let digits = octets[from..to].trim_ascii();
        if digits.is_empty() {
            return Err(fault(from, ErrorKind::Number));
        }
        let mut length = 0_usize;
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return Err(fault(from, ErrorKind::Number));
            }
            length = length
                .saturating_mul(10)
                .saturating_add(usize::from(digit - b'0'));
        }
        self.content_length = Some((length, from));
        Ok(())
    }

    fn build(self, config: &ParserConfig, message: Bytes) -> Result<Message, ParseError> {
        let mut body = message;
        let head = body.split_to(self.head_end);
        let start_line_end = self.start_line_end;
        let (head, entries) = match ByteString::try_from(head.clone()) {
            Ok(head) => (head, self.entries),
            Err(_) if config.latin1 => return latin1(config, &head, &body),
            Err(_) => {
                let valid =
                    core::str::from_utf8(&head).map_or_else(|error| error.valid_up_to(), str::len);
                return Err(ParseError::new(valid, ErrorKind::Utf8));
            }
        };
        let start = start_line(config, &head, start_line_end)?;
        if let Some((length, at)) = self.content_length {
            if length > body.len() {
                if !config.short_body {
                    return Err(ParseError::new(at, ErrorKind::BodyTooShort)
                        .in_header(HeaderName::CONTENT_LENGTH));
                }
            } else {
                body.truncate(length);
            }
        }
        let headers = Headers {
            store: Store::new(head, self.added, entries),
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
}

/// Headers and body of a part of a multipart body. Without headers it begins with an empty line
/// (RFC 2046 §5.1).
pub(crate) fn part(octets: Bytes) -> Result<(Headers, Bytes), ParseError> {
    const CONFIG: ParserConfig = ParserConfig {
        lf_line_ends: true,
        missing_final_crlf: true,
        ..ParserConfig::STRICT
    };
    let mut index = Index::default();
    index.headers(&CONFIG, &octets, 0)?;
    let mut body = octets;
    let head = body.split_to(index.head_end);
    let head = ByteString::try_from(head).map_err(|_| ParseError::new(0, ErrorKind::Utf8))?;
    let store = Store::new(head, index.added, index.entries);
    Ok((Headers { store }, body))
}

/// Reads a head in Latin-1 as UTF-8: the letters of octets over 127 take two octets.
fn latin1(config: &ParserConfig, head: &[u8], body: &[u8]) -> Result<Message, ParseError> {
    let text: String = head.iter().map(|&octet| char::from(octet)).collect();
    let mut octets = Vec::with_capacity(text.len() + body.len());
    octets.extend_from_slice(text.as_bytes());
    octets.extend_from_slice(body);
    let message = Bytes::from(octets);
    let mut index = Index::default();
    index.lines(config, &message)?;
    index.build(config, message)
}

fn text(octets: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(octets)
}

/// Offsets fit: a message is far smaller than 4 GiB, and `Limits` say so.
fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// Where the value stands without white space (folds too) around it.
fn trim(line: &[u8], from: usize) -> (usize, usize) {
    let blank = |octet: u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let (mut start, mut end) = (from, line.len());
    while start < end && blank(line[start]) {
        start += 1;
    }
    while end > start && blank(line[end - 1]) {
        end -= 1;
    }
    (start, end)
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
