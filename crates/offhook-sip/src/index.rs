//! The hot loop of the parser: where the lines of a head begin and end, which header each is, and
//! how long the body is (RFC 3261 §7.3.1, §18.3).
//!
//! Written by hand around `memchr`: `benches/README.md` tells what that gains over combinators.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use alloc::string::String;
use alloc::vec::Vec;

use crate::class::{self, is, span};
use crate::error::{ErrorKind, ParseError};
use crate::header::name::{HeaderName, UNKNOWN, lookup};
use crate::header::store::{Entry, unfold};
use crate::limits::ParserConfig;

/// What the loop over the lines finds.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) start_line_end: usize,
    pub(crate) head_end: usize,
    pub(crate) entries: Vec<Entry>,
    /// Unfolded values.
    pub(crate) added: String,
    /// The number and where it stands.
    pub(crate) content_length: Option<(usize, usize)>,
}

/// Octets of a short header line, to guess how many there are before any is read.
const SHORT_LINE: usize = 24;

/// Where a line ends, and where the next one begins. A CR that ends no line is refused: what comes
/// after it is another line to some (RFC 3261 §7.3.1 knows CRLF alone).
#[inline(always)]
fn line_end(
    config: &ParserConfig,
    octets: &[u8],
    from: usize,
) -> Result<(usize, usize), ParseError> {
    let Some(length) = memchr::memchr2(b'\r', b'\n', &octets[from..]) else {
        let end = octets.len();
        return if config.missing_final_crlf {
            Ok((end, end))
        } else {
            Err(ParseError::new(end, ErrorKind::EndOfHeaders))
        };
    };
    let end = from + length;
    match &octets[end..] {
        [b'\r', b'\n', ..] => Ok((end, end + 2)),
        [b'\n', ..] if config.lf_line_ends => Ok((end, end + 1)),
        _ => Err(ParseError::new(end, ErrorKind::LineEnd)),
    }
}

impl Index {
    /// The start line and the headers of a message.
    pub(crate) fn message(config: &ParserConfig, octets: &[u8]) -> Result<Self, ParseError> {
        if octets.is_empty() {
            return Err(ParseError::new(0, ErrorKind::StartLine));
        }
        let mut index = Self::default();
        let (end, next) = line_end(config, octets, 0)?;
        index.start_line_end = end;
        index.headers(config, octets, next)?;
        Ok(index)
    }

    /// The headers of a part of a body.
    pub(crate) fn part(config: &ParserConfig, octets: &[u8]) -> Result<Self, ParseError> {
        let mut index = Self::default();
        index.headers(config, octets, 0)?;
        Ok(index)
    }

    fn headers(
        &mut self,
        config: &ParserConfig,
        octets: &[u8],
        from: usize,
    ) -> Result<(), ParseError> {
        if u32::try_from(octets.len()).is_err() {
            return Err(ParseError::new(0, ErrorKind::TooLarge));
        }
        // One allocation is enough for any usual message.
        let guess = (octets.len() / SHORT_LINE).clamp(16, 128);
        self.entries.reserve_exact(guess.min(config.limits.headers));
        let mut at = from;
        loop {
            match &octets[at..] {
                [b'\r', b'\n', ..] => {
                    self.head_end = at + 2;
                    return Ok(());
                }
                [b'\n', ..] if config.lf_line_ends => {
                    self.head_end = at + 1;
                    return Ok(());
                }
                [] if config.missing_final_crlf => {
                    self.head_end = at;
                    return Ok(());
                }
                [] => return Err(ParseError::new(at, ErrorKind::EndOfHeaders)),
                _ => at = self.header(config, octets, at)?,
            }
        }
    }

    /// `header-name HCOLON header-value`, and where the next line begins.
    #[inline(always)]
    fn header(
        &mut self,
        config: &ParserConfig,
        octets: &[u8],
        start: usize,
    ) -> Result<usize, ParseError> {
        let Some(colon) = colon(octets, start) else {
            return Err(not_a_name(octets, start));
        };
        let mut name = octets.get(start..colon).unwrap_or_default();
        while let [shorter @ .., b' ' | b'\t'] = name {
            name = shorter;
        }
        let number = lookup(name);
        if number == UNKNOWN && !is_token(name) {
            return Err(not_a_name(octets, start));
        }
        let mut from = colon + 1;
        while matches!(octets.get(from), Some(b' ' | b'\t')) {
            from += 1;
        }
        let (mut to, mut next) = line_end(config, octets, from)?;
        // A line that begins with white space goes on with the one before (RFC 3261 §7.3.1).
        let folded = matches!(octets.get(next), Some(b' ' | b'\t'));
        if folded {
            (to, next) = fold(config, octets, next)?;
        }
        if next > config.limits.head || self.entries.len() >= config.limits.headers {
            return Err(ParseError::new(start, ErrorKind::TooLarge));
        }
        while to > from && matches!(octets.get(to - 1), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            to -= 1;
        }
        if name.len() > usize::from(u16::MAX) {
            return Err(ParseError::new(start, ErrorKind::TooLarge));
        }
        if folded {
            self.unfold(name, number, octets.get(from..to).unwrap_or_default());
        } else {
            #[allow(clippy::cast_possible_truncation, reason = "was compared")]
            let length = name.len() as u16;
            self.entries.push(Entry::in_message(
                number,
                small(start),
                length,
                small(from),
                small(to),
            ));
        }
        if number == HeaderName::CONTENT_LENGTH.number() {
            self.content_length(octets.get(from..to).unwrap_or_default(), from)?;
        }
        Ok(next)
    }

    #[cold]
    fn unfold(&mut self, name: &[u8], number: u8, value: &[u8]) {
        let entry = unfold(value, number, name, &mut self.added);
        self.entries.push(entry);
    }

    /// Content-Length may be there but once: two readings of where the body ends are an attack.
    fn content_length(&mut self, value: &[u8], at: usize) -> Result<(), ParseError> {
        let fault = |kind| ParseError::new(at, kind).in_header(HeaderName::CONTENT_LENGTH);
        if self.content_length.is_some() {
            return Err(fault(ErrorKind::RepeatedHeader));
        }
        if value.is_empty() {
            return Err(fault(ErrorKind::Number));
        }
        let mut length = 0_usize;
        for &digit in value {
            if !digit.is_ascii_digit() {
                return Err(fault(ErrorKind::Number));
            }
            length = length
                .saturating_mul(10)
                .saturating_add(usize::from(digit - b'0'));
        }
        self.content_length = Some((length, at));
        Ok(())
    }
}

/// The end of the last of the lines that go on with a header.
#[cold]
fn fold(config: &ParserConfig, octets: &[u8], from: usize) -> Result<(usize, usize), ParseError> {
    let (mut end, mut next) = line_end(config, octets, from)?;
    while next < octets.len() && is(octets[next], class::BLANK) {
        (end, next) = line_end(config, octets, next)?;
    }
    Ok((end, next))
}

/// What is wrong with a line that does not begin with a name and a colon.
#[cold]
fn not_a_name(octets: &[u8], start: usize) -> ParseError {
    let length = octets[start..]
        .iter()
        .position(|&octet| !is(octet, class::TOKEN));
    match length {
        Some(length) => ParseError::new(start + length, ErrorKind::HeaderName),
        None => ParseError::new(octets.len(), ErrorKind::EndOfHeaders),
    }
}

/// Where the next colon stands, eight octets at a time: names are short.
#[inline(always)]
fn colon(octets: &[u8], from: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut at = from;
    while let Some(eight) = octets.get(at..).and_then(|rest| rest.first_chunk()) {
        let differences = u64::from_le_bytes(*eight) ^ (ONES * u64::from(b':'));
        let zeros = differences.wrapping_sub(ONES) & !differences & (ONES << 7);
        if zeros != 0 {
            return Some(at + (zeros.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = octets.get(at..)?;
    Some(at + rest.iter().position(|&octet| octet == b':')?)
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && span(name, class::TOKEN) == name.len()
}

/// Offsets fit: [`Index::headers`] refuses what is longer.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "was compared")]
const fn small(offset: usize) -> u32 {
    offset as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_is_found_at_every_place() {
        for place in 0..20 {
            let mut octets = [b'x'; 24];
            octets[place] = b':';
            octets[20] = b':';
            assert_eq!(colon(&octets, 0), Some(place));
            assert_eq!(colon(&octets[..=place], 0), Some(place));
            assert_eq!(colon(&octets[..place], 0), None);
            assert_eq!(colon(&octets, place + 1), Some(20));
        }
        assert_eq!(
            colon(&[b':' ^ 0x80, b':' + 1, 0, 255, b':' - 1, 9, 9, 9, 9], 0),
            None
        );
    }
}
