//! The plain forms of Via and addresses, as nearly everybody writes them, read eight octets at a
//! time; `benches/README.md` tells what that gains.
//!
//! Nothing is decided here: what is not plain (white space, escapes, quotes in parameters, IPv6,
//! faults of any kind) is left to the grammar, and what is plain reads as the grammar reads it.
//! A test compares the two.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use crate::class::{HIGH, classify};

/// How far the last eight octets of a text are shifted to drop those before so many at the end.
const SHIFTS: [u32; 8] = [64, 56, 48, 40, 32, 24, 16, 8];

/// The places in a text that are no letter, digit, dot or hyphen, in order, and then its end.
pub(crate) struct Stops<'a> {
    octets: &'a [u8],
    /// Where the word of eight octets begins whose stops are in `found`.
    base: usize,
    found: u64,
    /// Dots and hyphens: whether the word before ended with one, and whether two are side by side.
    mark_before: u64,
    doubled: u64,
}

impl<'a> Stops<'a> {
    #[inline(always)]
    pub(crate) fn new(octets: &'a [u8], from: usize) -> Self {
        let mut stops = Self {
            octets,
            base: from,
            found: 0,
            mark_before: 0,
            doubled: 0,
        };
        stops.load();
        stops
    }

    #[inline(always)]
    fn load(&mut self) {
        let rest = self.octets.get(self.base..).unwrap_or_default();
        if let Some(eight) = rest.first_chunk() {
            self.take(u64::from_le_bytes(*eight));
        } else {
            self.load_last(rest);
        }
    }

    /// The word at the end, with its end as the last stop.
    #[inline(always)]
    fn load_last(&mut self, rest: &[u8]) {
        let left = rest.len() % 8;
        let mut word = 0;
        if let Some(eight) = self.octets.last_chunk() {
            word = u64::from_le_bytes(*eight)
                .checked_shr(SHIFTS[left])
                .unwrap_or(0);
        } else {
            for &octet in rest.iter().rev() {
                word = word << 8 | u64::from(octet);
            }
        }
        self.base = self.octets.len() - left;
        // The zeros after the end are stops too, so the first of them stands for the end.
        self.take(word);
    }

    #[inline(always)]
    fn take(&mut self, word: u64) {
        let (others, marks) = classify(word);
        self.found = others;
        self.doubled |= marks & (marks << 8 | self.mark_before);
        self.mark_before = marks >> 56;
    }

    /// The next stop; the end of the text again and again when there is none.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> usize {
        while self.found == 0 {
            self.base += 8;
            self.load();
        }
        let at = self.base + (self.found.trailing_zeros() / 8) as usize;
        self.found &= self.found - 1;
        at.min(self.octets.len())
    }

    /// What stands at a place; zero at the end.
    #[inline(always)]
    pub(crate) fn at(&self, place: usize) -> u8 {
        self.octets.get(place).copied().unwrap_or_default()
    }

    /// Whether four octets stand at a place.
    #[inline(always)]
    pub(crate) fn is(&self, place: usize, four: [u8; 4]) -> bool {
        self.octets.get(place..).and_then(|rest| rest.first_chunk()) == Some(&four)
    }

    /// Whether two dots or hyphens stand side by side in what was looked at so far.
    pub(crate) const fn has_doubled_marks(&self) -> bool {
        self.doubled & HIGH != 0
    }
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

/// `*( ";" name [ "=" value ] )`: the stop after them.
#[inline(always)]
pub(crate) fn params(stops: &mut Stops<'_>, from: usize) -> Option<usize> {
    let mut at = from;
    while stops.at(at) == b';' {
        let name = at + 1;
        at = stops.next();
        if at == name {
            return None;
        }
        if stops.at(at) == b'=' {
            let value = at + 1;
            at = stops.next();
            if at == value {
                return None;
            }
        }
    }
    Some(at)
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
        for length in 0..40 {
            for place in 0..length {
                let mut octets = alloc::vec![b'a'; length];
                octets[place] = b';';
                let mut stops = Stops::new(&octets, 0);
                assert_eq!(
                    (stops.next(), stops.next(), stops.next()),
                    (place, length, length)
                );
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
    fn doubled_marks_are_found_across_words() {
        for place in 0..20 {
            let mut octets = [b'a'; 24];
            octets[place] = b'.';
            octets[place + 1] = b'-';
            octets[23] = b';';
            let mut stops = Stops::new(&octets, 0);
            stops.next();
            assert!(stops.has_doubled_marks(), "{place}");
        }
    }
}
