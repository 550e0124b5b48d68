//! Octets to lines: RFC 8866 §5, `type=value` with CRLF, or LF alone.

use crate::error::{SdpError, SdpErrorKind};
use crate::grammar::token_length;
use crate::text::Text;

/// One line of the input; small, as it is handed about a lot.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) value: &'a [u8],
    pub(crate) offset: u32,
    pub(crate) number: u32,
    pub(crate) letter: u8,
    /// Octets of its end: 2 for CRLF, 1 for LF, 0 at the end of the input.
    pub(crate) terminator: u8,
}

impl Line<'_> {
    pub(crate) fn error(&self, kind: SdpErrorKind) -> SdpError {
        SdpError::new(wide(self.offset), wide(self.number), kind)
    }

    fn length(&self) -> usize {
        2 + self.value.len() + usize::from(self.terminator)
    }

    pub(crate) fn malformed(&self) -> SdpError {
        self.error(SdpErrorKind::Malformed(char::from(self.letter)))
    }

    pub(crate) fn text(&self) -> Result<Text, SdpError> {
        if self.value.is_empty() {
            Err(self.malformed())
        } else {
            Ok(Text::verbatim(self.value))
        }
    }
}

/// Splits the input into lines, one ahead.
pub(crate) struct Reader<'a> {
    pub(crate) input: &'a [u8],
    pub(crate) offset: usize,
    pub(crate) number: usize,
    limit: usize,
    peeked: Option<Line<'a>>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8], limit: usize) -> Self {
        Self {
            input,
            offset: 0,
            number: 0,
            limit,
            peeked: None,
        }
    }

    /// The next line without taking it; `None` at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Option<Line<'a>>, SdpError> {
        if self.peeked.is_none() {
            self.peeked = self.read()?;
        }
        Ok(self.peeked)
    }

    #[inline]
    pub(crate) fn take(&mut self) {
        if let Some(line) = self.peeked.take() {
            self.offset += line.length();
            self.number += 1;
        }
    }

    /// Most lines of most descriptions are attributes with nothing wrong: goes over those that
    /// stand next. What it does not take is left to [`Self::read`], which knows what to say of it.
    pub(crate) fn skip_plain_attributes(&mut self) {
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
            None => (rest.len(), 0_u8),
            Some(at) => match rest.get(at..) {
                Some([b'\n', ..]) => (at, 1),
                Some([b'\r', b'\n', ..]) => (at, 2),
                _ => return error(at, SdpErrorKind::ControlCharacter),
            },
        };
        let line = rest.get(..length).unwrap_or_default();
        match line {
            [letter, b'=', value @ ..] => Ok(Some(Line {
                value,
                offset: narrow(offset),
                number: narrow(number),
                letter: *letter,
                terminator,
            })),
            [] if rest.iter().all(|octet| matches!(octet, b'\r' | b'\n')) => Ok(None),
            _ => error(0, SdpErrorKind::NotALine),
        }
    }
}

/// Descriptions are shorter than 4 GiB.
fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn wide(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
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
