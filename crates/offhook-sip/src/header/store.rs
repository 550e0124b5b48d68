//! Where the headers of a message are kept: an index over the text that came in, and a text that
//! takes what is added.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::header::name::{HeaderName, UNKNOWN};

/// One header: where its name and its value stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    name_start: u32,
    value_start: u32,
    value_end: u32,
    name_len: u16,
    number: u8,
    place: Place,
}

/// In which text a header stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Name and value in the message.
    Message,
    /// The name in the message, the value, unfolded, in [`Store::added`].
    Folded,
    /// Name and value in [`Store::added`].
    Added,
}

impl Entry {
    /// A header of the message text; offsets from its start.
    pub(crate) const fn in_message(
        number: u8,
        name_start: u32,
        name_len: u16,
        value_start: u32,
        value_end: u32,
    ) -> Self {
        Self {
            name_start,
            value_start,
            value_end,
            name_len,
            number,
            place: Place::Message,
        }
    }

    pub(crate) const fn number(self) -> u8 {
        self.number
    }

    /// The same header with the value that stands there in the message.
    pub(crate) const fn with_value(self, value_start: u32, value_end: u32) -> Self {
        Self {
            value_start,
            value_end,
            ..self
        }
    }

    /// The same header with the value that stands there in the added text.
    pub(crate) const fn folded(self, value_start: u32, value_end: u32) -> Self {
        Self {
            value_start,
            value_end,
            place: Place::Folded,
            ..self
        }
    }
}

/// The headers, in order. Values hold no CR and no LF: folded ones are kept unfolded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    text: ByteString,
    added: String,
    entries: Vec<Entry>,
}

impl Store {
    pub(crate) const fn new(text: ByteString, added: String, entries: Vec<Entry>) -> Self {
        Self {
            text,
            added,
            entries,
        }
    }

    pub(crate) const fn text(&self) -> &ByteString {
        &self.text
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    #[inline(always)]
    fn slice(&self, added: bool, start: u32, end: u32) -> &str {
        let text: &str = if added { &self.added } else { &self.text };
        text.get(start as usize..end as usize).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn name(&self, entry: &Entry) -> HeaderName<'_> {
        HeaderName::from_number(entry.number, self.written_name(entry))
    }

    fn written_name(&self, entry: &Entry) -> &str {
        let end = entry.name_start + u32::from(entry.name_len);
        self.slice(entry.place == Place::Added, entry.name_start, end)
    }

    #[inline(always)]
    pub(crate) fn value(&self, entry: &Entry) -> &str {
        self.slice(
            entry.place != Place::Message,
            entry.value_start,
            entry.value_end,
        )
    }

    /// About how many octets the headers take when they are printed.
    pub(crate) fn size(&self) -> usize {
        let line = |entry: &Entry| {
            usize::from(entry.name_len) + (entry.value_end - entry.value_start) as usize + 4
        };
        self.entries.iter().map(line).sum()
    }

    /// Where a line of the message stands that is written as it would be printed:
    /// `Name: value CRLF`, the name as the RFCs spell it.
    #[inline(always)]
    pub(crate) fn canonical_line(&self, entry: &Entry) -> Option<(usize, usize)> {
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
            && entry.place == Place::Message
            && value == name_end + 2
            && text.get(name_end..value) == Some(b": ")
            && text.get(end..end + 2) == Some(b"\r\n");
        canonical.then_some((start, end + 2))
    }

    /// Where the value stands in the message; the end of the name for one that was folded, 0 for
    /// one that was added.
    pub(crate) const fn message_offset(entry: &Entry) -> usize {
        match entry.place {
            Place::Message => entry.value_start as usize,
            Place::Folded => entry.name_start as usize + entry.name_len as usize,
            Place::Added => 0,
        }
    }

    #[inline]
    pub(crate) fn matches(&self, entry: &Entry, name: HeaderName<'_>) -> bool {
        entry.number == name.number()
            && (entry.number != UNKNOWN
                || self.written_name(entry).eq_ignore_ascii_case(name.as_str()))
    }

    pub(crate) fn position(&self, name: HeaderName<'_>) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| self.matches(entry, name))
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
            place: Place::Added,
        };
        let at = at.min(self.entries.len());
        self.entries.insert(at, entry);
    }

    /// The headers of some names that the RFCs define, name by name, sharing the text; with room for
    /// a few more.
    pub(crate) fn share(&self, names: &[HeaderName<'_>]) -> Self {
        let mut entries = Vec::with_capacity(SHARED_ENTRIES);
        let mut added = String::with_capacity(SHARED_TEXT);
        for name in names {
            let number = name.number();
            for entry in self.entries.iter().filter(|entry| entry.number == number) {
                if entry.place == Place::Message {
                    entries.push(*entry);
                    continue;
                }
                let name_start = length(&added);
                added.push_str(name.as_str());
                let value_start = length(&added);
                added.push_str(self.value(entry));
                entries.push(Entry {
                    name_start,
                    value_start,
                    value_end: length(&added),
                    name_len: u16::try_from(name.as_str().len()).unwrap_or(u16::MAX),
                    number,
                    place: Place::Added,
                });
            }
        }
        Self::new(self.text.clone(), added, entries)
    }

    /// Puts another value in the place of one.
    pub(crate) fn rewrite_with(&mut self, at: usize, write: impl FnOnce(&mut String)) {
        let Some(entry) = self.entries.get(at).copied() else {
            return;
        };
        let name = String::from(self.written_name(&entry));
        self.entries.remove(at);
        self.insert_with(at, HeaderName::from(&*name), write);
    }

    /// Adds a text behind a value.
    pub(crate) fn extend(&mut self, at: usize, text: &str) {
        let Self {
            text: message,
            added,
            entries,
        } = self;
        let Some(entry) = entries.get_mut(at) else {
            return;
        };
        let (name_start, name_end) = (
            entry.name_start as usize,
            entry.name_start as usize + usize::from(entry.name_len),
        );
        let value = entry.value_start as usize..entry.value_end as usize;
        let start = length(added);
        if entry.place != Place::Message && entry.value_end == start {
            added.push_str(text);
            entry.value_end = length(added);
            return;
        }
        if entry.place == Place::Added {
            added.extend_from_within(name_start..name_end);
        } else {
            added.push_str(message.get(name_start..name_end).unwrap_or_default());
        }
        let value_start = length(added);
        if entry.place == Place::Message {
            added.push_str(message.get(value).unwrap_or_default());
        } else {
            added.extend_from_within(value);
        }
        added.push_str(text);
        *entry = Entry {
            name_start: start,
            value_start,
            value_end: length(added),
            place: Place::Added,
            ..*entry
        };
    }

    pub(crate) fn remove(&mut self, at: usize) {
        if at < self.entries.len() {
            self.entries.remove(at);
        }
    }

    pub(crate) fn remove_all(&mut self, name: HeaderName<'_>) -> usize {
        let before = self.entries.len();
        let mut entries = core::mem::take(&mut self.entries);
        entries.retain(|entry| !self.matches(entry, name));
        self.entries = entries;
        before - self.entries.len()
    }
}

/// Room in what is shared for the headers of a usual response.
const SHARED_ENTRIES: usize = 16;
const SHARED_TEXT: usize = 256;

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
        let rest = store.entries.get(self.next..)?;
        let number = self.name.number();
        let found = if number == UNKNOWN {
            rest.iter()
                .position(|entry| store.matches(entry, self.name))
        } else {
            rest.iter().position(|entry| entry.number == number)
        };
        let entry = rest.get(found?)?;
        self.next += found? + 1;
        Some((store.value(entry), Store::message_offset(entry)))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_placed()?.0)
    }
}
