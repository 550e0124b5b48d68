//! Reading a journal at start.

use core::fmt;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use offhook_routing::location::Binding;

use crate::error::JournalError;
use crate::files::{Names, at};
use crate::frame::{self, Entry, Frame, Key, MAGIC};

/// A journal was damaged; what could be read of it is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    set_aside: PathBuf,
    unreadable: usize,
    kept: usize,
    is_torn: bool,
}

impl Damage {
    /// Where the damaged file is now.
    #[must_use]
    pub fn set_aside(&self) -> &Path {
        &self.set_aside
    }

    /// How many octets could not be read.
    #[must_use]
    pub const fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// How many bindings were read.
    #[must_use]
    pub const fn kept(&self) -> usize {
        self.kept
    }

    /// Whether only its end was missing, as a crash leaves it.
    #[must_use]
    pub const fn is_torn(&self) -> bool {
        self.is_torn
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_torn {
            "was cut by a crash"
        } else {
            "is damaged"
        };
        write!(
            f,
            "the journal {what} ({} octets unreadable); it is set aside as {}, and {} bindings were read from it",
            self.unreadable,
            self.set_aside.display(),
            self.kept
        )
    }
}

/// The content of a journal.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    octets: Vec<u8>,
    /// Where the living records are, in the order of the file.
    living: Vec<core::ops::Range<usize>>,
    unreadable: usize,
    /// Whether something could be read after what could not.
    goes_on_after: bool,
}

impl Replay {
    /// Reads a file; none is an empty one.
    pub(crate) fn read(path: &Path) -> Result<Self, JournalError> {
        match std::fs::read(path) {
            Ok(octets) => Ok(Self::of(octets)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(at(path)(error)),
        }
    }

    fn of(octets: Vec<u8>) -> Self {
        let mut replay = Self::default();
        let mut living: Vec<Option<core::ops::Range<usize>>> = Vec::new();
        let mut by_key: HashMap<Key<'_>, usize> = HashMap::new();
        let mut position = if octets.starts_with(MAGIC) {
            MAGIC.len()
        } else {
            0
        };
        while let Some(rest) = octets.get(position..).filter(|rest| !rest.is_empty()) {
            let read = Frame::read(rest).and_then(|frame| Some((frame.len(), frame.entry()?)));
            let Some((length, entry)) = read else {
                // Of what follows a damaged place as much is read as can be found again.
                replay.unreadable += 1;
                position += 1;
                continue;
            };
            replay.goes_on_after |= replay.unreadable > 0;
            position += length;
            let (key, new) = match entry {
                Entry::Put(key, record) => (key, Some(position - record.len()..position)),
                Entry::Remove(key) => (key, None),
            };
            if let Some(old) = by_key.remove(&key).and_then(|index| living.get_mut(index)) {
                *old = None;
            }
            if new.is_some() {
                by_key.insert(key, living.len());
                living.push(new);
            }
        }
        drop(by_key);
        replay.living = living.into_iter().flatten().collect();
        replay.octets = octets;
        replay
    }

    /// What to tell the operator.
    pub(crate) fn damage(&self, names: &Names) -> Option<Damage> {
        (self.unreadable > 0).then(|| Damage {
            set_aside: if self.goes_on_after {
                names.damaged.clone()
            } else {
                names.torn.clone()
            },
            unreadable: self.unreadable,
            kept: self.living.len(),
            is_torn: !self.goes_on_after,
        })
    }

    /// The bindings, oldest first.
    pub(crate) fn bindings(&self) -> Vec<Binding> {
        self.records().filter_map(frame::binding).collect()
    }

    /// Their records.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.living
            .iter()
            .filter_map(|range| self.octets.get(range.clone()))
    }

    /// How long the file is.
    pub(crate) fn file_len(&self) -> u64 {
        u64::try_from(self.octets.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{removal, sample};
    use offhook_routing::location::Change;

    fn journal(changes: &[Change]) -> Vec<u8> {
        let mut octets = MAGIC.to_vec();
        for change in changes {
            frame::write(change, &mut octets);
        }
        octets
    }

    fn put(user: &str) -> Change {
        Change::Put(Box::new(sample(user, "sip:u@h")))
    }

    fn users(replay: &Replay) -> Vec<String> {
        replay
            .bindings()
            .iter()
            .map(|binding| binding.aor.to_string())
            .collect()
    }

    fn damage(replay: &Replay) -> Option<(usize, bool)> {
        let damage = replay.damage(&Names::new(Path::new("f")))?;
        Some((damage.unreadable(), damage.is_torn()))
    }

    #[test]
    fn the_last_word_counts_and_the_order_is_that_of_the_last_words() {
        let octets = journal(&[
            put("a"),
            put("b"),
            put("c"),
            removal(&sample("b", "sip:u@h")),
            put("a"),
            put("d"),
        ]);
        let replay = Replay::of(octets);
        assert_eq!(users(&replay), ["c", "a", "d"]);
        assert_eq!(damage(&replay), None);
    }

    #[test]
    fn a_file_cut_anywhere_gives_what_was_whole() {
        let changes = [put("a"), put("b"), put("c")];
        let ends: Vec<usize> = (0..=3)
            .map(|count| journal(&changes[..count]).len())
            .collect();
        let whole = journal(&changes);
        for length in ends[0]..=whole.len() {
            let replay = Replay::of(whole[..length].to_vec());
            let count = ends.iter().filter(|end| **end <= length).count() - 1;
            assert_eq!(users(&replay).len(), count, "{length}");
            let missing = length - ends[count];
            assert_eq!(damage(&replay), (missing > 0).then_some((missing, true)));
        }
    }

    #[test]
    fn damage_in_the_middle_costs_what_is_there_only() {
        let (first, second) = (
            journal(&[put("a")]).len(),
            journal(&[put("a"), put("b")]).len(),
        );
        for at in first..second {
            let mut octets = journal(&[put("a"), put("b"), put("c")]);
            octets[at] ^= 0x55;
            let replay = Replay::of(octets);
            assert_eq!(users(&replay), ["a", "c"], "{at}");
            assert_eq!(damage(&replay), Some((second - first, false)));
        }
    }

    #[test]
    fn what_is_no_journal_is_damage() {
        let replay = Replay::of(b"[general]\nfile=1\n".to_vec());
        assert!(users(&replay).is_empty());
        assert!(damage(&replay).is_some());
        assert_eq!(damage(&Replay::of(Vec::new())), None);
    }
}
