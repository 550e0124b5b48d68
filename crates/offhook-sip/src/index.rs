//! The hot loop of the parser: where the lines of a head begin and end, which header each is, and
//! how long the body is (RFC 3261 §7.3.1, §18.3).
//!
//! Written by hand around `memchr`: `benches/README.md` tells what that gains over combinators.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use alloc::vec::Vec;
use core::ops::Range;

use arrayvec::ArrayVec;

use crate::class::{self, is, span};
use crate::error::{ErrorKind, ParseError};
use crate::fold::{Unfolded, clean, unfold};
use crate::header::name::{HeaderName, UNKNOWN, lookup, lookup_in_line};
use crate::header::table::{CELL, Cell, Entry, Table};
use crate::lanes::{LANES, Sixteen, control, sixteen};
use crate::limits::{Limits, ParserConfig};
use crate::line::{continuation, start_line_end, value_end};

/// What is found in a head.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) start_line_end: usize,
    pub(crate) head_end: usize,
    pub(crate) table: Table,
    /// The number and where it stands.
    pub(crate) content_length: Option<(usize, usize)>,
}

/// For how many headers there is room before anything is allocated: then their table takes the one
/// allocation, of the size that it needs.
const FEW: usize = Limits::DEFAULT.headers;

/// What the loop over the lines has found.
#[derive(Debug)]
struct Lines {
    few: ArrayVec<Cell, FEW>,
    /// What more there are, where limits are larger.
    more: Vec<Cell>,
    /// How many may stand in `few`.
    room: usize,
    unfolded: Unfolded,
    /// Octets of the values that found no room there.
    missed: usize,
    content_length: Option<(usize, usize)>,
}

impl Index {
    /// The start line and the headers of a message.
    pub(crate) fn message(config: &ParserConfig, octets: &[u8]) -> Result<Self, ParseError> {
        if octets.is_empty() {
            return Err(ParseError::new(0, ErrorKind::StartLine));
        }
        let (end, next) = start_line_end(config, octets)?;
        Self::headers(config, octets, end, next)
    }

    /// The headers of a part of a body.
    pub(crate) fn part(config: &ParserConfig, octets: &[u8]) -> Result<Self, ParseError> {
        Self::headers(config, octets, 0, 0)
    }

    fn headers(
        config: &ParserConfig,
        octets: &[u8],
        start_line_end: usize,
        from: usize,
    ) -> Result<Self, ParseError> {
        if u32::try_from(octets.len()).is_err() {
            return Err(ParseError::new(0, ErrorKind::TooLarge));
        }
        let mut lines = Lines::new(config);
        let head_end = lines.all(config, octets, from)?;
        Ok(Self {
            start_line_end,
            head_end,
            table: lines.table(config, octets),
            content_length: lines.content_length,
        })
    }
}

impl Lines {
    fn new(config: &ParserConfig) -> Self {
        Self {
            few: ArrayVec::new(),
            more: Vec::new(),
            room: config.limits.headers.min(FEW),
            unfolded: Unfolded::default(),
            missed: 0,
            content_length: None,
        }
    }

    #[inline(always)]
    fn push(&mut self, entry: Entry) {
        if let Err(full) = self.few.try_push(entry.cell()) {
            self.push_more(full.element());
        }
    }

    #[cold]
    fn push_more(&mut self, cell: Cell) {
        self.more.push(cell);
    }

    /// The headers, folded ones unfolded.
    fn table(&self, config: &ParserConfig, octets: &[u8]) -> Table {
        let (entries, unfolded) = ([&*self.few, &*self.more], self.unfolded.cells());
        Table::of_message(entries, unfolded, self.missed, |value, out| {
            let length = unfold(octets.get(value).unwrap_or_default(), out);
            match out.get_mut(..length) {
                Some(value) if config.control_characters => clean(value),
                _ => length,
            }
        })
    }

    /// All headers, and where the head ends.
    fn all(
        &mut self,
        config: &ParserConfig,
        octets: &[u8],
        from: usize,
    ) -> Result<usize, ParseError> {
        let mut at = from;
        loop {
            if let Some(next) = self.plain(config, octets, at) {
                at = next;
                continue;
            }
            match octets.get(at..).unwrap_or_default() {
                [b'\r', b'\n', ..] => return Ok(at + 2),
                [b'\n', ..] if config.lf_line_ends => return Ok(at + 1),
                [] if config.missing_final_crlf => return Ok(at),
                [] => return Err(ParseError::new(at, ErrorKind::EndOfHeaders)),
                _ => at = self.header(config, octets, at)?,
            }
        }
    }

    /// A header without what needs a closer look, and where the next line begins; all else, faults too,
    /// is left to [`Self::header`].
    #[inline(always)]
    fn plain(&mut self, config: &ParserConfig, octets: &[u8], at: usize) -> Option<usize> {
        let rest = octets.get(at..)?;
        let line = rest.first_chunk::<LANES>()?;
        let colons = Sixteen::new(*line).equal(b':');
        let (colon, name, number) = if colons == 0 {
            long_name(rest)?
        } else {
            let colon = colons.trailing_zeros() as usize;
            let mut name = colon;
            while name > 0 && matches!(line[(name - 1) % LANES], b' ' | b'\t') {
                name -= 1;
            }
            (colon, name, lookup_in_line(*line, name))
        };
        if number == UNKNOWN && !is_token(rest.get(..name)?) {
            return None;
        }
        let mut from = colon + 1;
        while matches!(rest.get(from), Some(b' ' | b'\t')) {
            from += 1;
        }
        let value = rest.get(from..)?;
        let mut to = from + control(value);
        let [b'\r', b'\n', after, ..] = rest.get(to..)? else {
            return None;
        };
        let next = at + to + 2;
        while to > from && matches!(rest.get(to - 1), Some(b' ')) {
            to -= 1;
        }
        if next > config.limits.head || self.few.len() >= self.room {
            return None;
        }
        let entry = Entry::in_message(
            number,
            small(at),
            small_name(name),
            small(at + from),
            small(at + to),
        );
        if matches!(after, b' ' | b'\t') {
            return self
                .folded(config, octets, entry, at + from..at + to, next)
                .ok();
        }
        if number == HeaderName::CONTENT_LENGTH.number() {
            let value = rest.get(from..to)?;
            self.content_length(value, at + from).ok()?;
        }
        self.push(entry);
        Some(next)
    }

    /// `header-name HCOLON header-value`, and where the next line begins.
    fn header(
        &mut self,
        config: &ParserConfig,
        octets: &[u8],
        start: usize,
    ) -> Result<usize, ParseError> {
        let line = sixteen(octets, start);
        let Some(colon) = colon(octets, start, line) else {
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
        let (mut to, mut next) =
            value_end(config, octets, from).map_err(|error| error.in_known_header(number))?;
        if next > config.limits.head
            || self.few.len() + self.more.len() >= config.limits.headers
            || name.len() > usize::from(u16::MAX)
        {
            return Err(ParseError::new(start, ErrorKind::TooLarge));
        }
        while to > from && matches!(octets.get(to - 1), Some(b' ' | b'\t')) {
            to -= 1;
        }
        #[allow(clippy::cast_possible_truncation, reason = "was compared")]
        let length = name.len() as u16;
        let entry = Entry::in_message(number, small(start), length, small(from), small(to));
        let controls = config.control_characters && has_control(&octets[from..to]);
        if controls || goes_on(octets, next) {
            next = self
                .folded(config, octets, entry, from..to, next)
                .map_err(|error| error.in_known_header(number))?;
            return Ok(next);
        }
        self.push(entry);
        if number == HeaderName::CONTENT_LENGTH.number() {
            self.content_length(octets.get(from..to).unwrap_or_default(), from)?;
        }
        Ok(next)
    }

    /// Takes the lines that go on with a header; where the next header begins. Their text is put
    /// together when all headers are known.
    fn folded(
        &mut self,
        config: &ParserConfig,
        octets: &[u8],
        entry: Entry,
        first: Range<usize>,
        mut next: usize,
    ) -> Result<usize, ParseError> {
        let is_length = entry.number() == HeaderName::CONTENT_LENGTH.number();
        let too_large = || ParseError::new(first.start, ErrorKind::TooLarge);
        if first.is_empty() && !config.control_characters && !is_length {
            // Most such values stand on the next line whole.
            let (value, after) = continuation(config, octets, next)?;
            if !goes_on(octets, after) {
                if after > config.limits.head {
                    return Err(too_large());
                }
                self.push(entry.with_value(small(value.start), small(value.end)));
                return Ok(after);
            }
        }
        let start = self.unfolded.len();
        let mut full = self.unfolded.begin(octets, &first).is_err();
        while goes_on(octets, next) {
            if !full && let Some(after) = self.unfolded.add_line(start, octets, next) {
                next = after;
                continue;
            }
            let text;
            (text, next) = continuation(config, octets, next)?;
            let text = octets.get(text).unwrap_or_default();
            full = full || self.unfolded.add(start, text).is_err();
        }
        if next > config.limits.head {
            return Err(too_large());
        }
        if is_length {
            let value = octets.get(first.start..next).unwrap_or_default();
            self.content_length(without_ends(value), first.start)?;
        }
        if config.control_characters && !full {
            self.unfolded.clean(start);
        }
        let end = self.unfolded.len();
        if full || self.unfolded.end_value().is_err() {
            self.unfolded.truncate(start);
            self.missed += (next - first.start).next_multiple_of(CELL);
            self.push(entry.missed(small(first.start), small(next)));
        } else {
            self.push(entry.folded(small(start), small(end)));
        }
        Ok(next)
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

/// A name that the first octets of a line do not hold: its colon, its length and its number.
fn long_name(rest: &[u8]) -> Option<(usize, usize, u8)> {
    let more = rest.get(LANES..)?.first_chunk::<LANES>()?;
    let colons = Sixteen::new(*more).equal(b':');
    let colon = LANES + colons.trailing_zeros() as usize;
    if colons == 0 || is(rest[colon - 1], class::BLANK) {
        return None;
    }
    Some((colon, colon, lookup(rest.get(..colon)?)))
}

/// Where the next colon stands; names are short, so it is among the first octets of the line.
#[inline(always)]
fn colon(octets: &[u8], start: usize, line: [u8; LANES]) -> Option<usize> {
    let colons = Sixteen::new(line).equal(b':');
    if colons != 0 {
        return Some(start + colons.trailing_zeros() as usize);
    }
    let from = start + LANES;
    Some(from + memchr::memchr(b':', octets.get(from..)?)?)
}

/// A line that begins with white space goes on with the one before (RFC 3261 §7.3.1).
fn goes_on(octets: &[u8], next: usize) -> bool {
    matches!(octets.get(next), Some(b' ' | b'\t'))
}

/// A number without folds and control characters at its ends. In it there may be none.
fn without_ends(value: &[u8]) -> &[u8] {
    let is_end = |octet: &u8| *octet == b' ' || octet.is_ascii_control();
    let from = value.iter().position(|octet| !is_end(octet));
    let to = value.iter().rposition(|octet| !is_end(octet));
    from.zip(to)
        .and_then(|(from, to)| value.get(from..=to))
        .unwrap_or_default()
}

fn has_control(value: &[u8]) -> bool {
    value
        .iter()
        .any(|&octet| octet.is_ascii_control() && octet != b'\t')
}

fn is_token(name: &[u8]) -> bool {
    // letters, digits and hyphens, as nearly all names
    let mut rest = name;
    while let Some((chunk, after)) = rest.split_first_chunk() {
        if Sixteen::new(*chunk).stops() != 0 {
            break;
        }
        rest = after;
    }
    !name.is_empty() && span(rest, class::TOKEN) == rest.len()
}

/// Offsets fit: [`Index::headers`] refuses what is longer.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "was compared")]
const fn small(offset: usize) -> u32 {
    offset as u32
}

/// Names of plain lines end within the first octets of a line.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "less than twice LANES")]
const fn small_name(length: usize) -> u16 {
    length as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_is_found_at_every_place() {
        let find = |octets: &[u8], start| colon(octets, start, sixteen(octets, start));
        for place in 0..40 {
            let mut octets = [b'x'; 48];
            octets[place] = b':';
            octets[40] = b':';
            assert_eq!(find(&octets, 0), Some(place));
            assert_eq!(find(&octets[..=place], 0), Some(place));
            assert_eq!(find(&octets[..place], 0), None);
            assert_eq!(find(&octets, place + 1), Some(40));
        }
    }

    fn by_header_alone(config: &ParserConfig, octets: &[u8]) -> Result<Index, ParseError> {
        let (mut lines, mut at) = (Lines::new(config), 0);
        while !octets[at..].starts_with(b"\r\n") {
            at = lines.header(config, octets, at)?;
        }
        Ok(Index {
            start_line_end: 0,
            head_end: at + 2,
            table: lines.table(config, octets),
            content_length: lines.content_length,
        })
    }

    #[test]
    fn what_is_plain_is_indexed_as_all_else_is() {
        const NAMES: [&str; 12] = [
            "v",
            "To",
            "max-FORWARDS",
            "Content-Length",
            "l",
            "X-Own",
            "Call\rID",
            "a b",
            "Session-Expires",
            "Proxy-Authorization",
            "Proxy-Authorizatiom",
            "X-A-Name-That-Is-Longer-Than-Two-Steps",
        ];
        const COLONS: [&str; 6] = [":", ": ", " :", "\t : \t", ":\r\n ", ""];
        const VALUES: [&str; 11] = [
            "",
            "1",
            "1 ",
            "a\tb",
            "\"\\\u{1}\"",
            "\u{7f}",
            "a\r\n b",
            " \r\n\t\r\n c ",
            "a longer one, over sixteen octets",
            "a\rb",
            "caf\u{e9}",
        ];
        let mut config = ParserConfig::STRICT;
        config.limits.headers = 2;
        config.limits.head = 50;
        for config in [ParserConfig::STRICT, ParserConfig::LENIENT, config] {
            for name in NAMES {
                for colon in COLONS {
                    for value in VALUES {
                        let text = alloc::format!(
                            "{name}{colon}{value}\r\nf: x\r\n{name}{colon}{value}\r\n\r\n"
                        );
                        let one = Index::part(&config, text.as_bytes());
                        let two = by_header_alone(&config, text.as_bytes());
                        assert_eq!(alloc::format!("{one:?}"), alloc::format!("{two:?}"));
                    }
                }
            }
        }
    }
}
