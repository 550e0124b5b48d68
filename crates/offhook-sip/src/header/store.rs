//! Where the headers of a message are kept: an index over the text that came in, and a text that
//! takes what is added.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use alloc::string::String;

use bytestring::ByteString;

use crate::header::name::{HeaderName, UNKNOWN};
use crate::header::table::{Cell, Entry, Place, Table, number};

/// Room for the text of lines that are added to a message: most add more than one.
const ADDED: usize = 256;
/// Room for these lines.
const ADDED_ENTRIES: usize = 8;

/// The headers, in order. Values hold no CR and no LF: folded ones are kept unfolded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    text: ByteString,
    added: String,
    table: Table,
}

impl Store {
    pub(crate) const fn new(text: ByteString, table: Table) -> Self {
        Self {
            text,
            added: String::new(),
            table,
        }
    }

    pub(crate) const fn text(&self) -> &ByteString {
        &self.text
    }

    pub(crate) fn len(&self) -> usize {
        self.table.entries().len()
    }

    pub(crate) fn entries(
        &self,
    ) -> impl DoubleEndedIterator<Item = Entry> + ExactSizeIterator + use<'_> {
        self.table.entries().iter().map(Entry::of)
    }

    /// The value of the header at a place.
    pub(crate) fn value_at(&self, at: usize) -> Option<&str> {
        let cell = self.table.entries().get(at)?;
        Some(self.value(Entry::of(cell)))
    }

    #[inline(always)]
    pub(crate) fn name(&self, entry: Entry) -> HeaderName<'_> {
        HeaderName::from_number(entry.number, self.written_name(entry))
    }

    fn written_name(&self, entry: Entry) -> &str {
        let end = entry.name_start + u32::from(entry.name_len);
        let text: &str = if entry.place == Place::ADDED {
            &self.added
        } else {
            &self.text
        };
        text.get(entry.name_start as usize..end as usize)
            .unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn value(&self, entry: Entry) -> &str {
        self.placed_value(entry).0
    }

    /// The value and where it stands in the message; the end of the name for one that was folded,
    /// 0 for one that was added.
    #[inline(always)]
    fn placed_value(&self, entry: Entry) -> (&str, usize) {
        if entry.place != Place::MESSAGE {
            return self.moved_value(entry);
        }
        let (start, end) = (entry.value_start as usize, entry.value_end as usize);
        (self.text.get(start..end).unwrap_or_default(), start)
    }

    /// [`Self::placed_value`] of one that does not stand in the message as it is.
    #[cold]
    #[inline(never)]
    fn moved_value(&self, entry: Entry) -> (&str, usize) {
        let value = entry.value_start as usize..entry.value_end as usize;
        if entry.place == Place::ADDED {
            return (self.added.get(value).unwrap_or_default(), 0);
        }
        let name_end = entry.name_start as usize + usize::from(entry.name_len);
        (self.table.unfolded(value), name_end)
    }

    /// How many octets the lines take when they are printed, names as the RFCs spell them and without
    /// Content-Length, which follows from the body.
    pub(crate) fn size(&self) -> usize {
        let line = |entry: Entry| {
            let value = (entry.value_end - entry.value_start) as usize;
            self.name(entry).as_str().len() + value + ": \r\n".len()
        };
        let length = HeaderName::CONTENT_LENGTH.number();
        let printed = self.entries().filter(|entry| entry.number != length);
        printed.map(line).sum()
    }

    /// Where a line of the message stands that is written as it would be printed:
    /// `Name: value CRLF`, the name as the RFCs spell it.
    #[inline(always)]
    pub(crate) fn canonical_line(&self, entry: Entry) -> Option<(usize, usize)> {
        let text = self.text.as_bytes();
        let (start, value) = (entry.name_start as usize, entry.value_start as usize);
        let (name_end, end) = (
            start + usize::from(entry.name_len),
            entry.value_end as usize,
        );
        // An unknown name is canonical as it is.
        let spelled = entry.number == UNKNOWN
            || text.get(start..name_end) == Some(self.name(entry).as_str().as_bytes());
        let canonical = spelled
            && entry.place == Place::MESSAGE
            && value == name_end + 2
            && text.get(name_end..value) == Some(b": ")
            && text.get(end..end + 2) == Some(b"\r\n");
        canonical.then_some((start, end + 2))
    }

    #[inline]
    fn matches(&self, cell: &Cell, name: HeaderName<'_>) -> bool {
        let number = number(cell);
        number == name.number()
            && (number != UNKNOWN
                || self
                    .written_name(Entry::of(cell))
                    .eq_ignore_ascii_case(name.as_str()))
    }

    pub(crate) fn position(&self, name: HeaderName<'_>) -> Option<usize> {
        self.position_from(0, name)
    }

    /// The place of the first header of a name, counted from a place on.
    #[inline(always)]
    fn position_from(&self, from: usize, name: HeaderName<'_>) -> Option<usize> {
        let mut cells = self.table.entries().get(from..)?.iter();
        match name.number() {
            UNKNOWN => cells.position(|cell| self.matches(cell, name)),
            wanted => cells.position(|cell| number(cell) == wanted),
        }
    }

    /// The names that the RFCs define and that stand on more than one line.
    pub(crate) fn repeated(&self) -> Repeated {
        let (mut seen, mut repeated) = (0, 0);
        for cell in self.table.entries() {
            let name = bit(number(cell));
            repeated |= seen & name;
            seen |= name;
        }
        Repeated(repeated)
    }

    #[inline(always)]
    pub(crate) const fn lines<'a>(&'a self, name: HeaderName<'a>) -> Lines<'a> {
        Lines {
            store: self,
            name,
            next: 0,
        }
    }

    /// Inserts a header whose name and value are known to be clean; `write` adds the value.
    pub(crate) fn insert_with(
        &mut self,
        at: usize,
        name: HeaderName<'_>,
        write: impl FnOnce(&mut String),
    ) {
        if self.added.is_empty() {
            // What a message of ours adds, for the most part: one piece instead of growing to it.
            self.added.reserve(ADDED);
            self.table.reserve(ADDED_ENTRIES);
        }
        let name_start = length(&self.added);
        self.added.push_str(name.as_str());
        let value_start = length(&self.added);
        write(&mut self.added);
        let entry = Entry {
            name_start,
            value_start,
            value_end: length(&self.added),
            name_len: u16::try_from(name.as_str().len()).unwrap_or(u16::MAX),
            number: name.number(),
            place: Place::ADDED,
        };
        self.table.insert(at, entry);
    }

    /// The headers of some names that the RFCs define, name by name, sharing the text; with room for
    /// a few more.
    pub(crate) fn share(&self, names: &[HeaderName<'_>]) -> Self {
        let mut table = Table::with_capacity(SHARED_ENTRIES);
        let mut added = String::with_capacity(SHARED_TEXT);
        for name in names {
            let number = name.number();
            for entry in self.entries().filter(|entry| entry.number == number) {
                table.push(if entry.place == Place::MESSAGE {
                    entry
                } else {
                    added_line(&mut added, *name, self.value(entry))
                });
            }
        }
        Self {
            text: self.text.clone(),
            added,
            table,
        }
    }

    /// The headers of some names that the RFCs define, in a text of their own and in just the room
    /// that they take.
    pub(crate) fn only(&self, names: &[HeaderName<'_>]) -> Self {
        let bits = names.iter().map(|name| bit(name.number()));
        let wanted = bits.fold(0, core::ops::BitOr::bitor);
        let (mut lines, mut octets) = (0, 0);
        let kept = || {
            self.entries()
                .filter(|entry| bit(entry.number) & wanted != 0)
        };
        for entry in kept() {
            lines += 1;
            octets += self.name(entry).as_str().len() + self.value(entry).len();
        }
        let mut added = String::with_capacity(octets);
        let mut table = Table::with_capacity(lines);
        for entry in kept() {
            table.push(added_line(&mut added, self.name(entry), self.value(entry)));
        }
        Self {
            text: ByteString::new(),
            added,
            table,
        }
    }

    /// Puts another value in the place of one.
    pub(crate) fn rewrite_with(&mut self, at: usize, write: impl FnOnce(&mut String)) {
        let Some(cell) = self.table.entries().get(at) else {
            return;
        };
        let name = String::from(self.written_name(Entry::of(cell)));
        self.table.remove(at);
        self.insert_with(at, HeaderName::from(&*name), write);
    }

    /// Adds a text behind a value.
    pub(crate) fn extend(&mut self, at: usize, text: &str) {
        let Self {
            text: message,
            added,
            table,
        } = self;
        let Some(mut entry) = table.entries().get(at).map(Entry::of) else {
            return;
        };
        let (name_start, name_end) = (
            entry.name_start as usize,
            entry.name_start as usize + usize::from(entry.name_len),
        );
        let value = entry.value_start as usize..entry.value_end as usize;
        let start = length(added);
        if entry.place == Place::ADDED && entry.value_end == start {
            added.push_str(text);
            entry.value_end = length(added);
            table.replace(at, entry);
            return;
        }
        if entry.place == Place::ADDED {
            added.extend_from_within(name_start..name_end);
        } else {
            added.push_str(message.get(name_start..name_end).unwrap_or_default());
        }
        entry.value_start = length(added);
        match entry.place {
            Place::MESSAGE => added.push_str(message.get(value).unwrap_or_default()),
            Place::ADDED => added.extend_from_within(value),
            _ => added.push_str(table.unfolded(value)),
        }
        added.push_str(text);
        entry.name_start = start;
        entry.value_end = length(added);
        entry.place = Place::ADDED;
        table.replace(at, entry);
    }

    pub(crate) fn remove(&mut self, at: usize) {
        self.table.remove(at);
    }

    pub(crate) fn remove_all(&mut self, name: HeaderName<'_>) -> usize {
        let before = self.len();
        let mut table = core::mem::take(&mut self.table);
        table.retain(|cell| !self.matches(cell, name));
        self.table = table;
        before - self.len()
    }
}

/// A set of names that the RFCs define.
#[derive(Clone, Copy)]
pub(crate) struct Repeated(u128);

impl Repeated {
    pub(crate) fn contains(self, name: HeaderName<'static>) -> bool {
        self.0 & bit(name.number()) != 0
    }
}

/// A name's place in a set; an unknown name has none.
fn bit(number: u8) -> u128 {
    1_u128.checked_shl(number.into()).unwrap_or_default()
}

/// Room in what is shared for the headers of a usual response.
const SHARED_ENTRIES: usize = 16;
const SHARED_TEXT: usize = 256;

/// Adds a name and a value to a text.
fn added_line(text: &mut String, name: HeaderName<'_>, value: &str) -> Entry {
    let name_start = length(text);
    text.push_str(name.as_str());
    let value_start = length(text);
    text.push_str(value);
    Entry {
        name_start,
        value_start,
        value_end: length(text),
        name_len: u16::try_from(name.as_str().len()).unwrap_or(u16::MAX),
        number: name.number(),
        place: Place::ADDED,
    }
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// The values of all header lines of one name, in order, as they were written but unfolded.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    store: &'a Store,
    name: HeaderName<'a>,
    next: usize,
}

impl<'a> Lines<'a> {
    /// The next value and where it stands in the message.
    #[inline(always)]
    pub(crate) fn next_placed(&mut self) -> Option<(&'a str, usize)> {
        let store = self.store;
        let at = self.next + store.position_from(self.next, self.name)?;
        let entry = Entry::of(store.table.entries().get(at)?);
        self.next = at + 1;
        Some(store.placed_value(entry))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_placed()?.0)
    }
}
