//! Where messages end on a connection (RFC 3261 §18.3), and keep-alives (RFC 5626 §3.5.1).

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{ErrorKind, ParseError};
use crate::header::name::{HeaderName, lookup};
use crate::limits::ParserConfig;

/// Cuts the octets of a connection into messages.
///
/// Push what was read, then take frames until there is none. What is kept is never more than one
/// message within [`Limits`](crate::Limits) and what was last pushed, and each octet is looked at
/// a constant number of times, whatever the peer sends and however it is cut.
///
/// ```
/// use offhook_sip::stream::{Frame, StreamDecoder};
/// use offhook_sip::{ParserConfig, parse_datagram};
///
/// let mut decoder = StreamDecoder::new(ParserConfig::STRICT);
/// decoder.push(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Le");
/// assert_eq!(decoder.next(), Ok(None));
/// decoder.push(b"ngth: 2\r\n\r\nhi\r\n");
/// let Some(Frame::Message(octets)) = decoder.next()? else { unreachable!() };
/// assert_eq!(parse_datagram(octets)?.body().as_ref(), b"hi");
/// assert_eq!(decoder.next(), Ok(Some(Frame::Pong)));
/// assert_eq!(decoder.next(), Ok(None));
/// # Ok::<(), offhook_sip::ParseError>(())
/// ```
#[derive(Debug)]
pub struct StreamDecoder {
    config: ParserConfig,
    buffer: BytesMut,
    /// Octets at the front of the buffer in which no head ends.
    scanned: usize,
    /// How long the message at the front is, once its head is known.
    length: Option<usize>,
    /// The frame before was the first half of a possible ping.
    half_ping: bool,
    failed: Option<ParseError>,
}

/// What a connection carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The octets of one message, for [`parse_datagram`](crate::parse_datagram).
    Message(Bytes),
    /// The second CRLF of a double one: the peer asks for a sign of life; answer one CRLF.
    Ping,
    /// One CRLF: the peer lives. It is told as soon as it is there, so the first half of a ping
    /// is told as a pong too, which is harmless.
    Pong,
}

impl StreamDecoder {
    /// A decoder for one connection.
    #[must_use]
    pub fn new(config: ParserConfig) -> Self {
        Self {
            config,
            buffer: BytesMut::new(),
            scanned: 0,
            length: None,
            half_ping: false,
            failed: None,
        }
    }

    /// Takes what was read. After an error it takes nothing.
    pub fn push(&mut self, octets: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// Octets that wait for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next frame; `None` when more octets are needed.
    ///
    /// After an error there is no telling where the next message begins: answer what
    /// [`ParseError::response`] says, and close the connection. The error stays.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would end at None"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, ParseError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.frame().map_err(|error| {
            let error = error.of_datagram(self.buffer.split().freeze());
            self.failed = Some(error.clone());
            error
        })
    }

    fn frame(&mut self) -> Result<Option<Frame>, ParseError> {
        if self.length.is_none() {
            if let Some(frame) = self.keep_alive()? {
                return Ok(Some(frame));
            }
            self.length = self.measure()?;
        }
        let Some(length) = self.length.filter(|&length| length <= self.buffer.len()) else {
            return Ok(None);
        };
        self.length = None;
        self.scanned = 0;
        self.half_ping = false;
        Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
    }

    /// A CRLF between messages.
    fn keep_alive(&mut self) -> Result<Option<Frame>, ParseError> {
        let length = match (self.buffer.first(), self.buffer.get(1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\n'), _) if self.config.lf_line_ends => 1,
            (Some(b'\r'), Some(_)) | (Some(b'\n'), _) => {
                return Err(ParseError::new(0, ErrorKind::LineEnd));
            }
            _ => return Ok(None),
        };
        self.buffer.advance(length);
        self.half_ping = !self.half_ping;
        Ok(Some(if self.half_ping {
            Frame::Pong
        } else {
            Frame::Ping
        }))
    }

    /// The length of the message at the front, if its head is complete.
    fn measure(&mut self) -> Result<Option<usize>, ParseError> {
        let limits = self.config.limits;
        let Some(head) = self.head_end() else {
            if self.buffer.len() > limits.head.min(limits.message) {
                return Err(ParseError::new(limits.head, ErrorKind::TooLarge));
            }
            return Ok(None);
        };
        if head > limits.head {
            return Err(ParseError::new(limits.head, ErrorKind::TooLarge));
        }
        let body = content_length(&self.buffer[..head])?;
        match head.checked_add(body) {
            Some(length) if length <= limits.message => Ok(Some(length)),
            _ => Err(ParseError::new(head, ErrorKind::BodyTooLarge)
                .in_header(HeaderName::CONTENT_LENGTH)),
        }
    }

    /// Where the head ends, looking only where it was not looked before.
    fn head_end(&mut self) -> Option<usize> {
        let octets = &self.buffer[..];
        let mut from = self.scanned;
        while let Some(found) = octets
            .get(from..)
            .and_then(|rest| memchr::memchr(b'\n', rest))
        {
            let at = from + found;
            match octets.get(at + 1..) {
                Some([b'\r', b'\n', ..]) => return Some(at + 3),
                Some([b'\n', ..]) if self.config.lf_line_ends => return Some(at + 2),
                // perhaps, when more has come
                Some([] | [b'\r']) | None => {
                    self.scanned = at;
                    return None;
                }
                Some(_) => from = at + 1,
            }
        }
        self.scanned = octets.len();
        None
    }
}

/// The Content-Length of a head; on a stream there must be one (RFC 3261 §18.3, §20.14).
fn content_length(head: &[u8]) -> Result<usize, ParseError> {
    let fault = |at, kind| ParseError::new(at, kind).in_header(HeaderName::CONTENT_LENGTH);
    let mut length = None;
    let mut at = 0;
    while at < head.len() {
        let mut end = line_end(head, at);
        // Only these two letters begin its names.
        if matches!(head[at], b'c' | b'C' | b'l' | b'L')
            && let Some(colon) = memchr::memchr(b':', &head[at..end])
            && lookup(head[at..at + colon].trim_ascii_end()) == HeaderName::CONTENT_LENGTH.number()
        {
            while matches!(head.get(end), Some(b' ' | b'\t')) {
                end = line_end(head, end);
            }
            let from = at + colon + 1;
            if length.is_some() {
                return Err(fault(from, ErrorKind::RepeatedHeader));
            }
            let number = number(&head[from..end]).ok_or(fault(from, ErrorKind::Number))?;
            length = Some(number);
        }
        at = end;
    }
    length.ok_or(fault(0, ErrorKind::MissingContentLength))
}

/// Where the next line begins.
fn line_end(head: &[u8], from: usize) -> usize {
    head.get(from..)
        .and_then(|rest| memchr::memchr(b'\n', rest))
        .map_or(head.len(), |found| from + found + 1)
}

fn number(octets: &[u8]) -> Option<usize> {
    let digits = octets.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_usize, |number, digit| {
        digit.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(usize::from(digit - b'0'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder() -> StreamDecoder {
        StreamDecoder::new(ParserConfig::STRICT)
    }

    #[test]
    fn a_ping_is_told_however_it_is_cut() {
        let mut whole = decoder();
        whole.push(b"\r\n\r\n");
        assert_eq!(whole.next(), Ok(Some(Frame::Pong)));
        assert_eq!(whole.next(), Ok(Some(Frame::Ping)));
        let mut cut = decoder();
        cut.push(b"\r");
        assert_eq!(cut.next(), Ok(None));
        cut.push(b"\n\r");
        assert_eq!(cut.next(), Ok(Some(Frame::Pong)));
        cut.push(b"\n");
        assert_eq!(cut.next(), Ok(Some(Frame::Ping)));
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_limit() {
        let mut decoder = decoder();
        decoder.push(b"OPTIONS sip:a@b SIP/2.0\r\n");
        for _ in 0..4000 {
            decoder.push(b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
            if decoder.next().is_err() {
                break;
            }
        }
        assert_eq!(
            decoder.next().map_err(|error| error.kind()),
            Err(ErrorKind::TooLarge)
        );
        decoder.push(&[0; 10_000]);
        assert_eq!(decoder.buffered(), 0);
    }

    #[test]
    fn a_length_that_is_missing_or_doubled_or_no_number_is_refused() {
        for (lines, kind) in [
            ("", ErrorKind::MissingContentLength),
            ("l: 1\r\nContent-Length: 1\r\n", ErrorKind::RepeatedHeader),
            ("Content-Length: -999\r\n", ErrorKind::Number),
            (
                "Content-Length: 99999999999999999999999999\r\n",
                ErrorKind::BodyTooLarge,
            ),
        ] {
            let mut decoder = decoder();
            decoder.push(b"OPTIONS sip:a@b SIP/2.0\r\n");
            decoder.push(lines.as_bytes());
            decoder.push(b"\r\n");
            assert_eq!(
                decoder.next().map_err(|error| error.kind()),
                Err(kind),
                "{lines}"
            );
        }
    }

    #[test]
    fn a_body_that_would_be_too_large_is_answered_before_it_comes() {
        let mut decoder = decoder();
        decoder.push(
            b"MESSAGE sip:a@b SIP/2.0\r\nv: SIP/2.0/TCP c;branch=z9hG4bK1\r\nf: <sip:c@d>;tag=1\r\n\
              t: <sip:a@b>\r\ni: 1\r\nCSeq: 1 MESSAGE\r\nl: 65536\r\n\r\n",
        );
        let answer = decoder.next().unwrap_err().response().unwrap();
        assert_eq!(answer.status().get(), 413);
    }
}
