//! The index of the headers of a message: where each name and value stands.

#![allow(clippy::inline_always, reason = "the benches ask for it")]

use alloc::vec::Vec;
use core::ops::Range;

/// One header: where its name and its value stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(super) name_start: u32,
    pub(super) value_start: u32,
    pub(super) value_end: u32,
    pub(super) name_len: u16,
    pub(super) number: u8,
    pub(super) place: Place,
}

/// In which text a header stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u8);

impl Place {
    /// Name and value in the message.
    pub(super) const MESSAGE: Self = Self(0);
    /// The name in the message, the value in [`Table::unfolded`].
    pub(super) const FOLDED: Self = Self(1);
    /// Name and value in the text that takes what is added.
    pub(super) const ADDED: Self = Self(2);
    /// Name and value in the message, which is folded; in no table.
    const MISSED: Self = Self(3);
}

/// An [`Entry`] as a table keeps it, or so many octets of unfolded values.
pub(crate) type Cell = [u8; CELL];
pub(crate) const CELL: usize = 16;
/// Which octet of an entry's cell is the number of its name.
const NUMBER: usize = 14;

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
            place: Place::MESSAGE,
        }
    }

    #[inline(always)]
    pub(crate) const fn cell(self) -> Cell {
        let name = self.name_start.to_le_bytes();
        let from = self.value_start.to_le_bytes();
        let to = self.value_end.to_le_bytes();
        let [len, more_len] = self.name_len.to_le_bytes();
        let (number, place) = (self.number, self.place.0);
        [
            name[0], name[1], name[2], name[3], from[0], from[1], from[2], from[3], to[0], to[1],
            to[2], to[3], len, more_len, number, place,
        ]
    }

    #[inline(always)]
    pub(crate) const fn of(cell: &Cell) -> Self {
        Self {
            name_start: word(cell, 0),
            value_start: word(cell, 4),
            value_end: word(cell, 8),
            name_len: u16::from_le_bytes([cell[12], cell[13]]),
            number: cell[NUMBER],
            place: Place(cell[15]),
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

    /// The same header with a value that stands there among the unfolded ones.
    pub(crate) const fn folded(self, value_start: u32, value_end: u32) -> Self {
        Self {
            value_start,
            value_end,
            place: Place::FOLDED,
            ..self
        }
    }

    /// The same header with a value that stands there in the message and is yet to be unfolded.
    pub(crate) const fn missed(self, value_start: u32, value_end: u32) -> Self {
        Self {
            value_start,
            value_end,
            place: Place::MISSED,
            ..self
        }
    }
}

#[inline(always)]
const fn word(cell: &Cell, at: usize) -> u32 {
    u32::from_le_bytes([cell[at], cell[at + 1], cell[at + 2], cell[at + 3]])
}

/// The number of the name in an entry's cell.
#[inline(always)]
pub(super) const fn number(cell: &Cell) -> u8 {
    cell[NUMBER]
}

/// Entries, in order, and the values that had to be unfolded: both in one allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// The entries, and the text of the values behind them.
    cells: Vec<Cell>,
    /// How many entries there are.
    count: usize,
}

/// How many headers more a table that was parsed takes without another allocation.
const SPARE: usize = 4;

impl Table {
    pub(crate) const fn new() -> Self {
        Self {
            cells: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn with_capacity(entries: usize) -> Self {
        Self {
            cells: Vec::with_capacity(entries),
            count: 0,
        }
    }

    /// A table of the entries of a message and its unfolded values. `unfold` writes one that was
    /// missed, which it finds in the message, and says how long it has become; `missed` octets are
    /// room enough for all of these. Each value begins with a cell.
    pub(crate) fn of_message(
        entries: [&[Cell]; 2],
        unfolded: &[Cell],
        missed: usize,
        unfold: impl FnMut(Range<usize>, &mut [u8]) -> usize,
    ) -> Self {
        let [first, rest] = entries;
        let count = first.len() + rest.len();
        let text = unfolded.len() + missed.div_ceil(CELL);
        let mut cells = Vec::with_capacity(count + text + SPARE);
        cells.extend_from_slice(first);
        if count > first.len() {
            cells.extend_from_slice(rest);
        }
        if text > 0 {
            cells.extend_from_slice(unfolded);
        }
        if missed > 0 {
            cells.resize(count + text, [0; CELL]);
            if let Some((entries, text)) = cells.split_at_mut_checked(count) {
                unfold_missed(
                    entries,
                    text.as_flattened_mut(),
                    CELL * unfolded.len(),
                    unfold,
                );
            }
        }
        Self { cells, count }
    }

    #[inline(always)]
    pub(super) fn entries(&self) -> &[Cell] {
        self.cells.get(..self.count).unwrap_or_default()
    }

    /// An unfolded value: it was cut from text at places where only ASCII stands, so it is text.
    pub(super) fn unfolded(&self, Range { start, end }: Range<usize>) -> &str {
        let text = self.cells.get(self.count..).unwrap_or_default();
        // Whole cells are checked faster.
        let cells = text.get(start / CELL..end.div_ceil(CELL));
        let padded = core::str::from_utf8(cells.unwrap_or_default().as_flattened());
        let value = padded.unwrap_or_default().get(..end - start);
        value.unwrap_or_default()
    }

    /// Makes room for so many more headers, where there are none yet.
    pub(super) fn reserve(&mut self, entries: usize) {
        if self.cells.is_empty() {
            self.cells.reserve_exact(entries);
        }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.insert(self.count, entry);
    }

    /// Inserts a header at a place, or at the end if there are fewer.
    pub(super) fn insert(&mut self, at: usize, entry: Entry) {
        self.cells.insert(at.min(self.count), entry.cell());
        self.count += 1;
    }

    pub(super) fn replace(&mut self, at: usize, entry: Entry) {
        if let Some(cell) = self
            .cells
            .get_mut(..self.count)
            .and_then(|cells| cells.get_mut(at))
        {
            *cell = entry.cell();
        }
    }

    pub(super) fn remove(&mut self, at: usize) {
        if at < self.count {
            self.cells.remove(at);
            self.count -= 1;
        }
    }

    /// Keeps the entries that are wanted.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Cell) -> bool) {
        let (mut seen, mut kept) = (0, 0);
        self.cells.retain(|cell| {
            seen += 1;
            let keep = seen > self.count || wanted(cell);
            kept += usize::from(keep && seen <= self.count);
            keep
        });
        self.count = kept;
    }
}

/// Unfolds the values that were missed, behind those that were not.
#[cold]
fn unfold_missed(
    entries: &mut [Cell],
    text: &mut [u8],
    mut start: usize,
    mut unfold: impl FnMut(Range<usize>, &mut [u8]) -> usize,
) {
    for cell in entries {
        let entry = Entry::of(cell);
        if entry.place == Place::MISSED {
            let value = entry.value_start as usize..entry.value_end as usize;
            let room = text.get_mut(start..).unwrap_or_default();
            let end = start + unfold(value, room);
            if let Some(padding) = text.get_mut(end..end.next_multiple_of(CELL)) {
                padding.fill(0);
            }
            #[allow(clippy::cast_possible_truncation, reason = "shorter than the message")]
            let unfolded = entry.folded(start as u32, end as u32);
            *cell = unfolded.cell();
            start = end.next_multiple_of(CELL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name_start: u32) -> Entry {
        Entry::in_message(7, name_start, 2, 3, 4)
    }

    #[test]
    fn a_cell_keeps_all_of_an_entry() {
        let one = Entry::in_message(0xa1, 0xb1b2_b3b4, 0xc1c2, 0xd1d2_d3d4, 0xe1e2_e3e4);
        let added = Entry {
            place: Place::ADDED,
            ..one
        };
        for entry in [one, one.folded(1, u32::MAX), one.missed(2, 3), added] {
            let cell = entry.cell();
            assert_eq!(number(&cell), 0xa1);
            assert_eq!(
                alloc::format!("{:?}", Entry::of(&cell)),
                alloc::format!("{entry:?}")
            );
        }
    }

    #[test]
    fn edits_leave_the_text_behind_the_entries_alone() {
        let entries = [entry(1).missed(7, 10).cell(), entry(2).folded(0, 4).cell()];
        let mut table =
            Table::of_message([&entries, &[]], &[*b"fold............"], 3, |value, out| {
                assert_eq!(value, 7..10);
                out[..2].copy_from_slice(b"ab");
                2
            });
        table.insert(0, entry(0));
        table.insert(9, entry(3));
        table.push(entry(4));
        table.remove(9);
        table.remove(3);
        let starts = |table: &Table| -> Vec<u32> {
            let entries = table.entries().iter();
            entries.map(|cell| Entry::of(cell).name_start).collect()
        };
        assert_eq!(starts(&table), [0, 1, 2, 4]);
        let value = |at: usize| {
            let entry = Entry::of(&table.entries()[at]);
            table.unfolded(entry.value_start as usize..entry.value_end as usize)
        };
        assert_eq!((value(1), value(2)), ("ab", "fold"));
        table.retain(|cell| Entry::of(cell).name_start != 2);
        assert_eq!(starts(&table), [0, 1, 4]);
    }
}
