//! Values that go on over several lines, in one (RFC 3261 §7.3.1).

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use core::ops::Range;

use arrayvec::ArrayVec;

use crate::header::table::{CELL, Cell};
use crate::lanes::{LANES, Sixteen};

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// The text of folded values, unfolded, while nothing is allocated yet.
#[derive(Debug, Default)]
pub(crate) struct Unfolded {
    text: ArrayVec<u8, ROOM>,
}

/// Octets for the folded values of a message that is folded for its readers. What finds no room is
/// unfolded when it is known how much there is.
const ROOM: usize = 1024;

/// A line found no room.
#[derive(Debug)]
pub(crate) struct Full;

impl Unfolded {
    /// The values, each from the start of a cell on.
    pub(crate) fn cells(&self) -> &[Cell] {
        self.text.as_chunks().0
    }

    pub(crate) const fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
    }

    /// Adds text to the value that begins at a place, with a space before it if it is not the first.
    pub(crate) fn add(&mut self, value: usize, text: &[u8]) -> Result<(), Full> {
        if text.is_empty() {
            return Ok(());
        }
        if self.text.len() > value {
            self.text.try_push(b' ').map_err(|_| Full)?;
        }
        self.text.try_extend_from_slice(text).map_err(|_| Full)
    }

    /// Begins a value with the text of its first line, in steps, as it is short.
    #[inline(always)]
    pub(crate) fn begin(&mut self, octets: &[u8], text: &Range<usize>) -> Result<(), Full> {
        let (value, length) = (self.text.len(), text.len());
        let mut rest = octets.get(text.start..).unwrap_or_default();
        while self.text.len() < value + length {
            let (chunk, after) = rest.split_first_chunk::<LANES>().ok_or(Full)?;
            self.text.try_extend_from_slice(chunk).map_err(|_| Full)?;
            rest = after;
        }
        self.text.truncate(value + length);
        Ok(())
    }

    /// Adds the text of a line that goes on with the value that begins at a place, and tells where the
    /// next line begins; nothing where that is not plain to see.
    #[inline(always)]
    pub(crate) fn add_line(&mut self, value: usize, octets: &[u8], line: usize) -> Option<usize> {
        let before = self.text.len();
        let next = self.add_plain_line(value, octets, line);
        if next.is_none() {
            self.text.truncate(before);
        }
        next
    }

    #[inline(always)]
    fn add_plain_line(&mut self, value: usize, octets: &[u8], line: usize) -> Option<usize> {
        let before = self.text.len();
        if before > value {
            self.text.try_push(b' ').ok()?;
        }
        let start = self.text.len();
        let mut from = line + 1;
        while is_blank(*octets.get(from)?) {
            from += 1;
        }
        let end = from + self.copy(octets.get(from..)?)?;
        let (b"\r\n", _) = octets.get(end..)?.split_first_chunk()? else {
            return None;
        };
        while self.text.len() > start && self.text.last().is_some_and(|last| is_blank(*last)) {
            self.text.pop();
        }
        if self.text.len() == start {
            self.text.truncate(before);
        }
        Some(end + 2)
    }

    /// Copies what stands before the next control character; how much that is.
    #[inline(always)]
    fn copy(&mut self, octets: &[u8]) -> Option<usize> {
        let mut rest = octets;
        loop {
            let (chunk, after) = rest.split_first_chunk::<LANES>()?;
            self.text.try_extend_from_slice(chunk).ok()?;
            let found = Sixteen::new(*chunk).controls();
            if found != 0 {
                let length = found.trailing_zeros() as usize;
                self.text.truncate(self.text.len() - LANES + length);
                return Some(octets.len() - rest.len() + length);
            }
            rest = after;
        }
    }

    /// Ends a value: the next begins with a cell.
    pub(crate) fn end_value(&mut self) -> Result<(), Full> {
        let end = self.text.len().next_multiple_of(CELL);
        let padding = [0; CELL];
        let padding = padding.get(..end - self.text.len()).unwrap_or_default();
        self.text.try_extend_from_slice(padding).map_err(|_| Full)
    }

    /// [`clean`]s the value that begins at a place.
    pub(crate) fn clean(&mut self, value: usize) {
        let length = self.text.get_mut(value..).map_or(0, clean);
        self.text.truncate(value + length);
    }
}

/// Writes a folded value without its folds; how long it has become. CR and LF stand in it only where
/// a line ends.
pub(crate) fn unfold(value: &[u8], out: &mut [u8]) -> usize {
    let mut end = 0;
    for line in value.split(|&octet| octet == b'\n') {
        let mut text = line.strip_suffix(b"\r").unwrap_or(line);
        while let [b' ' | b'\t', shorter @ ..] | [shorter @ .., b' ' | b'\t'] = text {
            text = shorter;
        }
        if text.is_empty() {
            continue;
        }
        let start = if end > 0 { end + 1 } else { 0 };
        let Some(room) = out.get_mut(end..start + text.len()) else {
            break;
        };
        let (space, room) = room.split_at_mut(start - end);
        space.fill(b' ');
        room.copy_from_slice(text);
        end = start + text.len();
    }
    end
}

/// Puts a space in the place of each control character of an unfolded value that no quoted pair
/// holds; how long it is without white space at its ends.
pub(crate) fn clean(value: &mut [u8]) -> usize {
    let mut quoted = false;
    for octet in &mut *value {
        if !quoted && octet.is_ascii_control() && *octet != b'\t' {
            *octet = b' ';
        }
        quoted = !quoted && *octet == b'\\';
    }
    let Some(from) = value.iter().position(|&octet| !is_blank(octet)) else {
        return 0;
    };
    let to = value
        .iter()
        .rposition(|&octet| !is_blank(octet))
        .map_or(from, |last| last + 1);
    value.copy_within(from..to, 0);
    to - from
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn plainly(folded: &str) -> String {
        let lines = folded
            .split('\n')
            .map(|line| line.trim_matches(['\r', ' ', '\t']));
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    }

    const LINES: [&str; 9] = [
        "",
        " ",
        "  ",
        "a",
        " b  ",
        "c\u{e9} \\",
        "fifteen octets.",
        "sixteen octets..",
        "seventeen or more octets ",
    ];

    #[test]
    fn a_value_is_unfolded_at_once_as_it_is_in_the_end() {
        for (one, two) in LINES
            .iter()
            .flat_map(|one| LINES.map(|two| [*one, two]))
            .map(Into::into)
        {
            for three in LINES {
                for end in ["\r\n ", "\r\n   "] {
                    let value = [one, two, three].join(end);
                    let wanted = plainly(&value);
                    let mut out = alloc::vec![0xff; value.len()];
                    let length = unfold(value.as_bytes(), &mut out);
                    assert_eq!(&out[..length], wanted.as_bytes(), "{value:?}");

                    let octets = value + "\r\nVia: more of it\r\n\r\n";
                    let mut unfolded = Unfolded::default();
                    unfolded.add(0, b"before").unwrap();
                    unfolded.add(6, one.trim_matches(' ').as_bytes()).unwrap();
                    let mut at = one.len() + 2;
                    for _ in 0..2 {
                        at = unfolded.add_line(6, octets.as_bytes(), at).unwrap();
                    }
                    assert_eq!(&unfolded.text[6..], wanted.as_bytes(), "{octets:?}");
                    assert!(octets[at..].starts_with("Via"));
                }
            }
        }
    }

    #[test]
    fn lines_of_other_forms_are_left_alone() {
        for line in ["a\tb\r\n", "a\n", "a\r", "a\u{1}\r\n", "a"] {
            let mut unfolded = Unfolded::default();
            unfolded.add(0, b"x").unwrap();
            let octets = String::from(" ") + line + "               ";
            assert_eq!(unfolded.add_line(0, octets.as_bytes(), 0), None, "{line:?}");
            assert_eq!(&unfolded.text[..], b"x");
        }
        // too near to the end for a step
        assert_eq!(Unfolded::default().add_line(0, b" a\r\n\r\n", 0), None);
    }

    #[test]
    fn what_finds_no_room_is_told() {
        let mut unfolded = Unfolded::default();
        unfolded.add(0, &[b'a'; ROOM - 3]).unwrap();
        assert_eq!(unfolded.add_line(0, b" b\r\nVia: more of it\r\n", 0), None);
        assert_eq!(unfolded.len(), ROOM - 3);
        unfolded.add(0, b"bc").unwrap();
        assert!(unfolded.add(0, b"d").is_err());
        unfolded.truncate(ROOM - 3);
        assert!(unfolded.add(0, b"bcd").is_err());
    }

    #[test]
    fn control_characters_become_spaces_but_for_quoted_ones() {
        for (value, cleaned) in [
            ("", ""),
            ("\0", ""),
            ("\0a\u{1}b\u{7f} \t", "a b"),
            ("\"\\\u{1}\\\\\u{1}\"", "\"\\\u{1}\\\\ \""),
            ("a\tb", "a\tb"),
        ] {
            let mut octets = value.as_bytes().to_vec();
            let length = clean(&mut octets);
            assert_eq!(&octets[..length], cleaned.as_bytes());
        }
    }
}
