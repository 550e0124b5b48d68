//! Octets to descriptions: RFC 8866 §5 and §9, in one pass over the lines.

use crate::address::{Address, Connection};
use crate::error::{SdpError, SdpErrorKind, ValueError};
use crate::grammar::{
    fields, is_token, is_typed_time, number, number_u16, number_u32, split_once, token_length,
};
use crate::lines::Lines;
use crate::media::{MediaDescription, MediaKind, Protocol};
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

/// One line of the input.
#[derive(Clone, Copy)]
struct Line<'a> {
    letter: u8,
    value: &'a [u8],
    offset: usize,
    number: usize,
    /// Offset of the line after this one, and whether this one ended in CRLF.
    end: usize,
    is_crlf: bool,
}

impl Line<'_> {
    fn error(&self, kind: SdpErrorKind) -> SdpError {
        SdpError::new(self.offset, self.number, kind)
    }

    fn malformed(&self) -> SdpError {
        self.error(SdpErrorKind::Malformed(char::from(self.letter)))
    }

    fn text(&self) -> Result<Text, SdpError> {
        if self.value.is_empty() {
            Err(self.malformed())
        } else {
            Ok(Text::verbatim(self.value))
        }
    }
}

/// Splits the input into lines, one ahead.
struct Reader<'a> {
    input: &'a [u8],
    offset: usize,
    number: usize,
    limit: usize,
    peeked: Option<Line<'a>>,
}

impl<'a> Reader<'a> {
    const fn new(input: &'a [u8], limit: usize) -> Self {
        Self {
            input,
            offset: 0,
            number: 0,
            limit,
            peeked: None,
        }
    }

    /// The next line without taking it; `None` at the end.
    fn peek(&mut self) -> Result<Option<Line<'a>>, SdpError> {
        if self.peeked.is_none() {
            self.peeked = self.read()?;
        }
        Ok(self.peeked)
    }

    fn take(&mut self) {
        if let Some(line) = self.peeked.take() {
            self.offset = line.end;
            self.number = line.number;
        }
    }

    /// Most lines of most descriptions are attributes with nothing wrong: goes over those that
    /// stand next. What it does not take is left to [`Self::read`], which knows what to say of it.
    fn skip_plain_attributes(&mut self) {
        self.peeked = None;
        while let Some(rest) = self.input.get(self.offset..) {
            let Some(length) = plain_attribute(rest).filter(|_| self.number < self.limit) else {
                break;
            };
            self.offset += length;
            self.number += 1;
        }
    }

    fn read(&mut self) -> Result<Option<Line<'a>>, SdpError> {
        let rest = self.input.get(self.offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let (offset, number) = (self.offset, self.number + 1);
        let error = |at: usize, kind| Err(SdpError::new(offset + at, number, kind));
        if number > self.limit {
            return error(0, SdpErrorKind::TooLarge);
        }
        let (length, terminator) = match memchr::memchr3(b'\n', b'\r', 0, rest) {
            None => (rest.len(), 0),
            Some(at) => match rest.get(at..) {
                Some([b'\n', ..]) => (at, 1),
                Some([b'\r', b'\n', ..]) => (at, 2),
                _ => return error(at, SdpErrorKind::ControlCharacter),
            },
        };
        let line = rest.get(..length).unwrap_or_default();
        match line {
            [letter, b'=', value @ ..] => Ok(Some(Line {
                letter: *letter,
                value,
                offset,
                number,
                end: offset + length + terminator,
                is_crlf: terminator == 2,
            })),
            [] if rest.iter().all(|octet| matches!(octet, b'\r' | b'\n')) => Ok(None),
            _ => error(0, SdpErrorKind::NotALine),
        }
    }
}

/// The octets of the line `a=token[:value]CRLF` that `rest` begins with, if it is one.
fn plain_attribute(rest: &[u8]) -> Option<usize> {
    let line = rest.strip_prefix(b"a=")?;
    let name = token_length(line);
    let value = line.get(name..).filter(|_| name > 0)?;
    let end = match value.first()? {
        b':' => memchr::memchr3(b'\n', b'\r', 0, value)?,
        _ => 0,
    };
    value
        .get(end..)?
        .starts_with(b"\r\n")
        .then_some(name + end + 4)
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

/// The same below an `m=` line.
const fn stream_rank(letter: u8) -> Option<u8> {
    match letter {
        b'i' => Some(0),
        b'c' => Some(1),
        b'b' => Some(2),
        b'k' => Some(3),
        b'a' => Some(4),
        b'm' => Some(5),
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
            let repeats = matches!(line.letter, b'e' | b'p' | b'b' | b't' | b'r' | b'z' | b'a');
            if this < rank || (this == rank && !repeats) {
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
            b'i' => session.information = Some(line.text()?),
            b'u' => session.uri = Some(line.text()?),
            b'e' => keep(&mut session.emails, &line, !line.value.is_empty())?,
            b'p' => keep(&mut session.phones, &line, !line.value.is_empty())?,
            b'c' => session.connection = Some(connection(&line)?),
            b'b' => keep(&mut session.bandwidth, &line, is_bandwidth(line.value))?,
            b't' => keep(&mut session.timing, &line, is_time(line.value))?,
            b'r' | b'z' => {
                // Both stand below a t= line only.
                let good = !session.timing.is_empty() && is_repeat(line.value);
                keep(&mut session.timing, &line, good)?;
            }
            b'k' => session.key = Some(line.text()?),
            _ => return self.attributes(|run| session.attributes.extend_verbatim(run)),
        }
        self.lines.take();
        Ok(())
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
            if this < rank {
                return Err(line.error(SdpErrorKind::OutOfOrder));
            }
            rank = this;
            match line.letter {
                b'i' if stream.information.is_none() => stream.information = Some(line.text()?),
                b'c' if stream.connection.is_none() => stream.connection = Some(connection(&line)?),
                b'c' => stream.more_connections.push(connection(&line)?),
                b'b' => keep(&mut stream.bandwidth, &line, is_bandwidth(line.value))?,
                b'k' if stream.key.is_none() => stream.key = Some(line.text()?),
                b'a' => {
                    self.attributes(|run| stream.attributes.extend_verbatim(run))?;
                    continue;
                }
                b'm' => break,
                _ => return Err(line.error(SdpErrorKind::OutOfOrder)),
            }
            self.lines.take();
        }
        Ok(())
    }

    /// Takes all `a=` lines that stand next and hands them on in runs, as they are to be kept.
    fn attributes(&mut self, mut keep: impl FnMut(&[u8])) -> Result<(), SdpError> {
        let input = self.lines.input;
        let mut start = self.lines.offset;
        loop {
            self.lines.skip_plain_attributes();
            let Some(line) = self.lines.peek()?.filter(|line| line.letter == b'a') else {
                break;
            };
            let name = split_once(line.value, b':').map_or(line.value, |(name, _)| name);
            if !is_token(name) {
                return Err(line.malformed());
            }
            self.lines.take();
            if !line.is_crlf {
                keep(input.get(start..line.offset).unwrap_or_default());
                keep(b"a=");
                keep(line.value);
                keep(b"\r\n");
                start = line.end;
            }
        }
        keep(input.get(start..self.lines.offset).unwrap_or_default());
        Ok(())
    }
}

fn keep(lines: &mut Lines, line: &Line<'_>, is_good: bool) -> Result<(), SdpError> {
    if !is_good {
        return Err(line.malformed());
    }
    lines.push(line.letter, line.value);
    Ok(())
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

/// `bwtype ":" bandwidth`.
fn is_bandwidth(value: &[u8]) -> bool {
    split_once(value, b':').is_some_and(|(kind, rate)| {
        is_token(kind) && !rate.is_empty() && rate.iter().all(u8::is_ascii_digit)
    })
}

/// `start-time SP stop-time`.
fn is_time(value: &[u8]) -> bool {
    let digits = |time: &[u8]| !time.is_empty() && time.iter().all(u8::is_ascii_digit);
    split_once(value.trim_ascii_end(), b' ')
        .is_some_and(|(start, stop)| digits(start) && digits(stop))
}

/// Typed times, two at least: the common form of `r=` and `z=`.
fn is_repeat(value: &[u8]) -> bool {
    fields(value).count() >= 2 && fields(value).all(is_typed_time)
}
