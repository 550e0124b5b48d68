//! Where the lines of a head end (RFC 3261 §7.3.1), and what no line holds.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use core::ops::Range;

use crate::error::{ErrorKind, ParseError};
use crate::lanes::control;
use crate::limits::ParserConfig;

/// Where the start line ends, and where the next one begins. A CR that ends no line is refused: what
/// comes after it is another line to some (RFC 3261 §7.3.1 knows CRLF alone).
pub(crate) fn start_line_end(
    config: &ParserConfig,
    octets: &[u8],
) -> Result<(usize, usize), ParseError> {
    let end = memchr::memchr2(b'\r', b'\n', octets).unwrap_or(octets.len());
    ended(config, octets, end).unwrap_or(Err(ParseError::new(end, ErrorKind::LineEnd)))
}

/// Whether a line ends at a place, if no text goes on there.
fn ended(
    config: &ParserConfig,
    octets: &[u8],
    end: usize,
) -> Option<Result<(usize, usize), ParseError>> {
    Some(match octets.get(end..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok((end, end + 2)),
        [b'\n', ..] if config.lf_line_ends => Ok((end, end + 1)),
        [b'\r' | b'\n', ..] => Err(ParseError::new(end, ErrorKind::LineEnd)),
        [] if config.missing_final_crlf => Ok((end, end)),
        [] => Err(ParseError::new(end, ErrorKind::EndOfHeaders)),
        _ => return None,
    })
}

/// Where the line of a header value ends, and where the next one begins.
#[inline(always)]
pub(crate) fn value_end(
    config: &ParserConfig,
    octets: &[u8],
    from: usize,
) -> Result<(usize, usize), ParseError> {
    let end = next_control(octets, from);
    match octets.get(end..) {
        Some([b'\r', b'\n', ..]) => Ok((end, end + 2)),
        _ => other_value_end(config, octets, from, end),
    }
}

/// [`value_end`], if the first control character is no CRLF.
#[inline(never)]
fn other_value_end(
    config: &ParserConfig,
    octets: &[u8],
    from: usize,
    first: usize,
) -> Result<(usize, usize), ParseError> {
    let mut end = first;
    loop {
        if let Some(end) = ended(config, octets, end) {
            return end;
        }
        end = beyond_control(config, octets, from, end)?;
    }
}

fn next_control(octets: &[u8], from: usize) -> usize {
    from + octets.get(from..).map_or(0, control)
}

/// No text holds a control character other than HTAB, but a quoted pair may (RFC 3261 §25.1): the
/// place of the next one.
fn beyond_control(
    config: &ParserConfig,
    octets: &[u8],
    from: usize,
    at: usize,
) -> Result<usize, ParseError> {
    let before = octets.get(from..at).unwrap_or_default();
    let backslashes = before.iter().rev().take_while(|&&octet| octet == b'\\');
    if octets.get(at) == Some(&b'\t') || config.control_characters || backslashes.count() % 2 == 1 {
        Ok(next_control(octets, at + 1))
    } else {
        Err(ParseError::new(at, ErrorKind::Text))
    }
}

/// The text of a line that goes on with a header, and where the next line begins.
#[inline(always)]
pub(crate) fn continuation(
    config: &ParserConfig,
    octets: &[u8],
    start: usize,
) -> Result<(Range<usize>, usize), ParseError> {
    let mut from = start + 1;
    while matches!(octets.get(from), Some(b' ' | b'\t')) {
        from += 1;
    }
    let (mut to, next) = value_end(config, octets, from)?;
    while to > from && matches!(octets.get(to - 1), Some(b' ' | b'\t')) {
        to -= 1;
    }
    Ok((from..to, next))
}
