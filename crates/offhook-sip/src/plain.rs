//! The usual forms of Via and addresses, as nearly everybody writes them, read by their stops, with
//! the letters between them passed over sixteen at a time; `benches/README.md` tells what that gains.
//!
//! Nothing is decided here: what is not usual (passwords, URI headers, IPv6, faults of any kind) is
//! left to the grammar, and what is usual reads as the grammar reads it. Tests compare the two.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use crate::class::{self, is};
use crate::lanes::{LANES, Sixteen, sixteen};

/// The places in a text that are no letter, digit, dot or hyphen, in order, and then its end.
pub(crate) struct Stops<'a> {
    octets: &'a [u8],
    /// Where the octets begin whose stops are in `found`.
    base: usize,
    found: u64,
}

/// For how many octets the stops are found at once.
const WINDOW: usize = 64;

/// The stops among the first octets of a text; all that is beyond its end is one.
#[inline]
fn window(octets: &[u8]) -> u64 {
    let Some(last) = octets.last_chunk() else {
        let found = Sixteen::new(sixteen(octets, 0)).stops();
        return u64::from(found) | u64::MAX << octets.len();
    };
    let (mut rest, mut at, mut found) = (octets, 0, 0);
    while let Some((chunk, after)) = rest.split_first_chunk() {
        found |= u64::from(Sixteen::new(*chunk).stops()) << at;
        at += LANES;
        rest = after;
        if at == WINDOW {
            return found;
        }
    }
    // The last sixteen octets begin among those that were looked at.
    found |= u64::from(Sixteen::new(*last).stops()) << (octets.len() - LANES);
    found | u64::MAX << octets.len()
}

impl<'a> Stops<'a> {
    #[inline(always)]
    pub(crate) fn new(octets: &'a [u8], from: usize) -> Self {
        Self {
            octets,
            base: from,
            found: window(octets.get(from..).unwrap_or_default()),
        }
    }

    #[cold]
    #[inline(never)]
    fn beyond_window(octets: &[u8], base: usize) -> u64 {
        window(octets.get(base..).unwrap_or_default())
    }

    /// The next stop; what is over the end when there is none.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> usize {
        while self.found == 0 {
            self.base += WINDOW;
            self.found = Self::beyond_window(self.octets, self.base);
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        at
    }

    /// What stands at a place; zero at the end.
    #[inline(always)]
    pub(crate) fn at(&self, place: usize) -> u8 {
        self.octets.get(place).copied().unwrap_or_default()
    }

    /// What stands between two places.
    #[inline(always)]
    pub(crate) fn text(&self, start: usize, end: usize) -> &'a [u8] {
        self.octets.get(start..end).unwrap_or_default()
    }

    #[inline(always)]
    fn is_blank(&self, place: usize) -> bool {
        is(self.at(place), class::BLANK)
    }

    /// Whether four octets stand at a place.
    #[inline(always)]
    pub(crate) fn is(&self, place: usize, four: [u8; 4]) -> bool {
        self.octets.get(place..).and_then(|rest| rest.first_chunk()) == Some(&four)
    }

    /// The stop after white space, if there is any at a stop; none where text follows it.
    #[inline(always)]
    pub(crate) fn beyond_blanks(&mut self, stop: usize) -> Option<usize> {
        let mut at = stop;
        while self.is_blank(at) {
            let next = self.next();
            if next != at + 1 {
                return None;
            }
            at = next;
        }
        Some(at)
    }

    /// Where a text begins after a stop and white space, and its first stop.
    #[inline(always)]
    pub(crate) fn text_after(&mut self, stop: usize) -> (usize, usize) {
        let (mut start, mut at) = (stop + 1, self.next());
        while at == start && self.is_blank(at) {
            start += 1;
            at = self.next();
        }
        (start, at)
    }

    /// The first stop from one on that is not of a class.
    #[inline(always)]
    fn beyond(&mut self, stop: usize, class: u16) -> usize {
        let mut at = stop;
        while is(self.at(at), class) {
            at = self.next();
        }
        at
    }

    /// Like [`Self::beyond`], with `%` HEX HEX besides.
    #[inline(always)]
    fn beyond_escaped(&mut self, stop: usize, class: u16) -> usize {
        let mut at = self.beyond(stop, class);
        while self.at(at) == b'%' {
            let digits = self.octets.get(at + 1..at + 3).unwrap_or_default();
            if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
                break;
            }
            at = self.next();
            at = self.beyond(at, class);
        }
        at
    }

    /// The stop after a quoted string that begins at a stop; none where text follows it.
    #[inline]
    pub(crate) fn beyond_quoted(&mut self, quote: usize) -> Option<usize> {
        debug_assert_eq!(self.at(quote), b'"');
        loop {
            let at = self.next();
            match self.at(at) {
                b'"' => return (self.next() == at + 1).then_some(at + 1),
                b'\\' => {
                    let escaped = self.at(at + 1);
                    if !escaped.is_ascii() || matches!(escaped, b'\r' | b'\n' | 0) {
                        return None;
                    }
                    if !is_word(escaped) {
                        self.next();
                    }
                }
                b'\t' => {}
                ..b' ' | 0x7f => return None,
                _ => {}
            }
        }
    }
}

/// What no stop is.
const fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-')
}

/// A host and a port: where the host ends, the port, and the stop after them.
#[inline(always)]
pub(crate) fn host_port(
    stops: &mut Stops<'_>,
    start: usize,
    end: usize,
) -> Option<(usize, Option<u16>, usize)> {
    let is_mark = |octet| matches!(octet, b'.' | b'-');
    if end == start || is_mark(stops.at(start)) || is_mark(stops.at(end - 1)) {
        return None;
    }
    if has_doubled_marks(stops.octets, start, end) {
        return None;
    }
    if stops.at(end) != b':' {
        return Some((end, None, end));
    }
    let after = stops.next();
    let digits = stops.octets.get(end + 1..after)?;
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    let mut port = 0_u32;
    for octet in digits {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        port = port * 10 + u32::from(digit);
    }
    Some((end, Some(u16::try_from(port).ok()?), after))
}

/// Whether two dots or hyphens stand side by side.
#[inline(always)]
fn has_doubled_marks(octets: &[u8], start: usize, end: usize) -> bool {
    let (mut at, mut before) = (start, 0);
    while at < end {
        let beyond = u32::MAX.checked_shl(u32::try_from(end - at).unwrap_or(u32::MAX));
        let marks = Sixteen::new(sixteen(octets, at)).marks() & !beyond.unwrap_or_default();
        if marks & (marks << 1 | before) != 0 {
            return true;
        }
        before = marks >> (LANES - 1);
        at += LANES;
    }
    false
}

/// `user "@"`, if it is there, from a place and its first stop on: where the user part ends, which is
/// the place itself where there is none.
#[inline(always)]
pub(crate) fn user(stops: &mut Stops<'_>, start: usize, stop: usize) -> Option<usize> {
    let end = match stops.at(stop) {
        b'@' => stop,
        // perhaps a host
        b':' | b';' | b'>' | b',' | b'?' | b' ' | b'\t' | 0 => return Some(start),
        _ => stops.beyond_escaped(stop, class::PASSWORD_MARKS),
    };
    (end > start && stops.at(end) == b'@').then_some(end)
}

/// `*( ";" pname [ "=" pvalue ] )` of a URI: the stop after them.
#[inline(always)]
pub(crate) fn uri_params(stops: &mut Stops<'_>, from: usize) -> Option<usize> {
    let mut at = from;
    while stops.at(at) == b';' {
        let name = at + 1;
        at = stops.next();
        at = stops.beyond_escaped(at, class::URI_PARAM);
        if at == name {
            return None;
        }
        if stops.at(at) == b'=' {
            let value = at + 1;
            at = stops.next();
            at = stops.beyond_escaped(at, class::URI_PARAM);
            if at == value {
                return None;
            }
        }
    }
    Some(at)
}

/// `*( SEMI generic-param )`: where they end, and the stop after white space behind them.
#[inline(always)]
pub(crate) fn params(stops: &mut Stops<'_>, from: usize) -> Option<(usize, usize)> {
    let mut end = from;
    let mut at = stops.beyond_blanks(from)?;
    while stops.at(at) == b';' {
        let (name, stop) = stops.text_after(at);
        end = stops.beyond(stop, class::TOKEN);
        if end == name {
            return None;
        }
        at = stops.beyond_blanks(end)?;
        if stops.at(at) == b'=' {
            let (value, stop) = stops.text_after(at);
            end = if stop == value && stops.at(stop) == b'"' {
                stops.beyond_quoted(stop)?
            } else {
                stops.beyond(stop, class::GEN_VALUE)
            };
            if end == value {
                return None;
            }
            at = stops.beyond_blanks(end)?;
        }
    }
    Some((end, at))
}

/// Whether a value ends at a place: with its text, or at a comma.
#[inline(always)]
pub(crate) fn ends(stops: &Stops<'_>, at: usize) -> bool {
    at == stops.octets.len() || stops.at(at) == b','
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn stops_are_found_at_every_place_of_every_length() {
        for length in 0..150 {
            for place in 0..length {
                let mut octets = alloc::vec![b'a'; length];
                octets[place] = b';';
                let mut stops = Stops::new(&octets, 0);
                assert_eq!((stops.next(), stops.next()), (place, length));
                octets[place] = 0;
                let mut stops = Stops::new(&octets, 0);
                assert_eq!((stops.next(), stops.next()), (place, length));
            }
        }
    }

    #[test]
    fn stops_begin_where_they_are_asked_to() {
        let octets = b"a;b;c;d;e;f;g;h;i;j";
        for from in 0..octets.len() {
            let mut stops = Stops::new(octets, from);
            let places: Vec<_> = core::iter::repeat_with(|| stops.next())
                .take_while(|&at| at < octets.len())
                .collect();
            let expected: Vec<_> = (from..octets.len()).filter(|at| at % 2 == 1).collect();
            assert_eq!(places, expected);
        }
    }

    #[test]
    fn doubled_marks_are_found_at_every_place() {
        for place in 0..40 {
            let mut octets = [b'a'; 60];
            octets[place] = b'.';
            octets[place + 1] = b'-';
            for end in 0..octets.len() {
                let found = has_doubled_marks(&octets, 0, end);
                assert_eq!(found, end > place + 1, "{place} {end}");
            }
            assert!(!has_doubled_marks(&octets, place + 1, 60));
        }
    }
}
