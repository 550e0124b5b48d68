//! Octets to descriptions: RFC 8866 §5 and §9, in one pass over the lines.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::address::{Address, Connection};
use crate::error::{SdpError, SdpErrorKind, ValueError};
use crate::grammar::{fields, is_token, is_typed_time, number, number_u16, number_u32, split_once};
use crate::lines::Lines;
use crate::media::{MediaDescription, MediaKind, Protocol};
use crate::reader::{Line, Reader};
use crate::session::{Origin, SessionDescription};
use crate::text::Text;

/// How much of a description is taken from a stranger. More is [`SdpErrorKind::TooLarge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the whole.
    pub octets: usize,
    /// Lines of the whole.
    pub lines: usize,
    /// Streams.
    pub streams: usize,
    /// Formats of one stream.
    pub formats: usize,
}

impl Default for Limits {
    /// 64 KiB, 4,096 lines, 64 streams, 256 formats a stream.
    fn default() -> Self {
        Self {
            octets: 65_536,
            lines: 4096,
            streams: 64,
            formats: 256,
        }
    }
}

impl SessionDescription {
    /// Reads a description within the default [`Limits`].
    ///
    /// Taken beyond the letter of the RFC: lines that end in LF alone (RFC 8866 §5 asks for that),
    /// a last line without an end, and empty lines after the last (scenarios of `SIPp` end so).
    ///
    /// # Errors
    /// [`SdpError`] with offset, line and the SIP status to answer with.
    pub fn parse(input: &[u8]) -> Result<Self, SdpError> {
        Self::parse_within(&Limits::default(), input)
    }

    /// Reads a description within other limits.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_within(limits: &Limits, input: &[u8]) -> Result<Self, SdpError> {
        if input.is_empty() {
            return Err(SdpError::new(0, 1, SdpErrorKind::Empty));
        }
        if input.len() > limits.octets {
            return Err(SdpError::new(limits.octets, 1, SdpErrorKind::TooLarge));
        }
        Parser {
            limits,
            lines: Reader::new(input, limits.lines),
        }
        .session()
    }
}

/// Where a line of the session level has its place (RFC 8866 §5); `t`, `r` and `z` share one.
const fn session_rank(letter: u8) -> Option<u8> {
    match letter {
        b'v' => Some(0),
        b'o' => Some(1),
        b's' => Some(2),
        b'i' => Some(3),
        b'u' => Some(4),
        b'e' => Some(5),
        b'p' => Some(6),
        b'c' => Some(7),
        b'b' => Some(8),
        b't' | b'r' | b'z' => Some(9),
        b'k' => Some(10),
        b'a' => Some(11),
        b'm' => Some(12),
        _ => None,
    }
}

/// The same below an `m=` line, whose own place is 0.
const fn stream_rank(letter: u8) -> Option<u8> {
    match letter {
        b'i' => Some(1),
        b'c' => Some(2),
        b'b' => Some(3),
        b'k' => Some(4),
        b'a' => Some(5),
        b'm' => Some(6),
        _ => None,
    }
}

struct Parser<'a> {
    limits: &'a Limits,
    lines: Reader<'a>,
}

impl<'a> Parser<'a> {
    fn session(mut self) -> Result<SessionDescription, SdpError> {
        let version = self.required(b'v')?;
        match number(version.value) {
            Some(0) => {}
            Some(_) => return Err(version.error(SdpErrorKind::Version)),
            None => return Err(version.malformed()),
        }
        let line = self.required(b'o')?;
        let mut session = SessionDescription::new(origin(&line)?);
        let line = self.required(b's')?;
        session.name = line.text()?;
        session.timing = Lines::default();
        let mut rank = 2;
        while let Some(line) = self.lines.peek()? {
            let this = session_rank(line.letter);
            let this = this.ok_or_else(|| line.error(SdpErrorKind::UnknownType))?;
            if this <= rank {
                return Err(line.error(SdpErrorKind::OutOfOrder));
            }
            rank = this;
            if line.letter == b'm' {
                break;
            }
            self.session_line(&mut session, line)?;
        }
        if session.timing.is_empty() {
            let (offset, number) = (self.lines.offset, self.lines.number + 1);
            return Err(SdpError::new(offset, number, SdpErrorKind::Missing('t')));
        }
        self.streams(&mut session)?;
        Ok(session)
    }

    fn required(&mut self, letter: u8) -> Result<Line<'a>, SdpError> {
        let missing = SdpErrorKind::Missing(char::from(letter));
        match self.lines.peek()? {
            Some(line) if line.letter == letter => {
                self.lines.take();
                Ok(line)
            }
            Some(line) if session_rank(line.letter).is_none() => {
                Err(line.error(SdpErrorKind::UnknownType))
            }
            Some(line) => Err(line.error(missing)),
            None => Err(SdpError::new(
                self.lines.offset,
                self.lines.number + 1,
                missing,
            )),
        }
    }

    fn session_line(
        &mut self,
        session: &mut SessionDescription,
        line: Line<'a>,
    ) -> Result<(), SdpError> {
        match line.letter {
            b'i' => session.information = Some(self.single(line).text()?),
            b'u' => session.uri = Some(self.single(line).text()?),
            b'e' => session.emails = Lines::verbatim(&self.run(b"e", is_text)?),
            b'p' => session.phones = Lines::verbatim(&self.run(b"p", is_text)?),
            b'b' => session.bandwidth = Lines::verbatim(&self.run(b"b", is_bandwidth)?),
            b't' => session.timing = Lines::verbatim(&self.run(b"trz", is_timing)?),
            // Both stand below a t= line only.
            b'r' | b'z' => return Err(line.malformed()),
            b'a' => session
                .attributes
                .extend_verbatim(&self.run(b"a", is_attribute)?),
            b'c' => session.connection = Some(connection(&self.single(line))?),
            _ => session.key = Some(self.single(line).text()?),
        }
        Ok(())
    }

    /// Takes a line that stands alone.
    fn single(&mut self, line: Line<'a>) -> Line<'a> {
        self.lines.take();
        line
    }

    fn streams(&mut self, session: &mut SessionDescription) -> Result<(), SdpError> {
        while let Some(head) = self.lines.peek()? {
            if session.media.len() >= self.limits.streams {
                return Err(head.error(SdpErrorKind::TooLarge));
            }
            self.lines.take();
            let mut stream = self.stream_head(&head)?;
            self.stream_body(&mut stream)?;
            // RFC 8866 §5.7; a stream that is off needs no address.
            if stream.port != 0 && stream.connection.is_none() && session.connection.is_none() {
                return Err(head.error(SdpErrorKind::MissingConnection));
            }
            if session.media.is_empty() {
                session.media.reserve_exact(1);
            }
            session.media.push(stream);
        }
        Ok(())
    }

    fn stream_head(&self, line: &Line<'_>) -> Result<MediaDescription, SdpError> {
        let malformed = |_: ValueError| line.malformed();
        let mut parts = line.value.splitn(4, |octet| *octet == b' ');
        let (Some(kind), Some(port), Some(protocol), Some(formats)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(line.malformed());
        };
        let (port, count) = match split_once(port, b'/') {
            Some((port, count)) => {
                let count = number_u32(count).filter(|count| *count > 0);
                (port, Some(count.ok_or_else(|| line.malformed())?))
            }
            None => (port, None),
        };
        let formats = formats.trim_ascii_end();
        let mut how_many = 0;
        for format in fields(formats) {
            how_many += 1;
            if !is_token(format) {
                return Err(line.malformed());
            }
        }
        if how_many == 0 {
            return Err(line.malformed());
        }
        if how_many > self.limits.formats {
            return Err(line.error(SdpErrorKind::TooLarge));
        }
        let mut stream = MediaDescription::bare(
            MediaKind::read(kind).map_err(malformed)?,
            number_u16(port).ok_or_else(|| line.malformed())?,
            Protocol::read(protocol).map_err(malformed)?,
            Text::verbatim(formats),
        );
        stream.port_count = count;
        Ok(stream)
    }

    fn stream_body(&mut self, stream: &mut MediaDescription) -> Result<(), SdpError> {
        let mut rank = 0;
        while let Some(line) = self.lines.peek()? {
            let Some(this) = stream_rank(line.letter) else {
                let kind = match session_rank(line.letter) {
                    Some(_) => SdpErrorKind::OutOfOrder,
                    None => SdpErrorKind::UnknownType,
                };
                return Err(line.error(kind));
            };
            // Only c= may stand below a stream more than once (RFC 8866 §5.7, layered multicast).
            if this < rank || (this == rank && line.letter != b'c') {
                return Err(line.error(SdpErrorKind::OutOfOrder));
            }
            rank = this;
            match line.letter {
                b'm' => break,
                b'i' => stream.information = Some(self.single(line).text()?),
                b'c' => {
                    let connection = connection(&self.single(line))?;
                    match stream.connection {
                        None => stream.connection = Some(connection),
                        Some(_) => stream.more_connections.push(connection),
                    }
                }
                b'b' => stream.bandwidth = Lines::verbatim(&self.run(b"b", is_bandwidth)?),
                b'k' => stream.key = Some(self.single(line).text()?),
                _ => stream
                    .attributes
                    .extend_verbatim(&self.run(b"a", is_attribute)?),
            }
        }
        Ok(())
    }

    /// Takes the lines of these letters that stand next, as they are to be kept: whole, each with
    /// CRLF at its end.
    fn run(
        &mut self,
        letters: &[u8],
        is_good: impl Fn(&Line<'_>) -> bool,
    ) -> Result<Cow<'a, [u8]>, SdpError> {
        let start = self.lines.offset;
        let mut is_crlf = true;
        loop {
            if letters == b"a" {
                self.lines.skip_plain_attributes();
            }
            let next = self.lines.peek()?;
            let Some(line) = next.filter(|line| letters.contains(&line.letter)) else {
                break;
            };
            if !is_good(&line) {
                return Err(line.malformed());
            }
            is_crlf &= line.terminator == 2;
            self.lines.take();
        }
        let run = self
            .lines
            .input
            .get(start..self.lines.offset)
            .unwrap_or_default();
        if is_crlf {
            return Ok(Cow::Borrowed(run));
        }
        let mut lines = Vec::with_capacity(run.len() + 2);
        for line in run.split_inclusive(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            lines.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            lines.extend_from_slice(b"\r\n");
        }
        Ok(Cow::Owned(lines))
    }
}

fn connection(line: &Line<'_>) -> Result<Connection, SdpError> {
    Connection::read(line.value).map_err(|_| line.malformed())
}

fn origin(line: &Line<'_>) -> Result<Origin, SdpError> {
    let read = || {
        let mut parts = line.value.splitn(6, |octet| *octet == b' ');
        let username = parts.next().filter(|name| !name.is_empty())?;
        let session_id = number(parts.next()?)?;
        let version = number(parts.next()?)?;
        let (network, kind, address) = (parts.next()?, parts.next()?, parts.next()?);
        let address = Address::read(network, kind, address.trim_ascii_end()).ok()?;
        Some(Origin {
            username: Text::verbatim(username),
            session_id,
            version,
            address,
        })
    };
    read().ok_or_else(|| line.malformed())
}

fn is_text(line: &Line<'_>) -> bool {
    !line.value.is_empty()
}

fn is_attribute(line: &Line<'_>) -> bool {
    is_token(split_once(line.value, b':').map_or(line.value, |(name, _)| name))
}

/// `bwtype ":" bandwidth`.
fn is_bandwidth(line: &Line<'_>) -> bool {
    split_once(line.value, b':').is_some_and(|(kind, rate)| is_token(kind) && is_digits(rate))
}

/// `start-time SP stop-time`, or below it repeats and shifts of the zone: typed times, at least two.
fn is_timing(line: &Line<'_>) -> bool {
    if line.letter == b't' {
        return split_once(line.value.trim_ascii_end(), b' ')
            .is_some_and(|(start, stop)| is_digits(start) && is_digits(stop));
    }
    fields(line.value).count() >= 2 && fields(line.value).all(is_typed_time)
}

fn is_digits(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}
