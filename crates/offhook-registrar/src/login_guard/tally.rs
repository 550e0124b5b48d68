//! Failures by key, in a table of fixed size.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::limits::LoginLimits;

/// How often, and when last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) failures: u32,
    pub(super) last: Instant,
}

/// At most `size` keys; a full table forgets the one with the fewest failures.
#[derive(Debug)]
pub(super) struct Tally<K> {
    size: usize,
    forget_after: Duration,
    entries: HashMap<K, Entry>,
    fewest_first: BTreeSet<(u32, Instant, K)>,
    swept: Option<Instant>,
}

impl<K: Copy + Eq + Hash + Ord> Tally<K> {
    pub(super) fn new(limits: &LoginLimits) -> Self {
        Self {
            size: limits.table_size.max(1),
            forget_after: limits.forget_after,
            entries: HashMap::new(),
            fewest_first: BTreeSet::new(),
            swept: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, now: Instant, key: &K) -> Option<&Entry> {
        self.entries
            .get(key)
            .filter(|entry| self.is_fresh(now, entry.last))
    }

    pub(super) fn count(&mut self, now: Instant, key: K) {
        let before = self
            .remove(&key)
            .filter(|entry| self.is_fresh(now, entry.last));
        let failures = before.map_or(1, |entry| entry.failures.saturating_add(1));
        if self.entries.len() >= self.size {
            self.make_room(now);
        }
        self.fewest_first.insert((failures, now, key));
        self.entries.insert(
            key,
            Entry {
                failures,
                last: now,
            },
        );
    }

    /// Old entries go first, but looking for them costs a walk over the table: not for every newcomer.
    fn make_room(&mut self, now: Instant) {
        let pause = self.forget_after / 16;
        if self
            .swept
            .is_none_or(|swept| now.saturating_duration_since(swept) > pause)
        {
            self.swept = Some(now);
            let forget_after = self.forget_after;
            self.fewest_first
                .retain(|(_, last, _)| now.saturating_duration_since(*last) < forget_after);
            self.entries
                .retain(|_, entry| now.saturating_duration_since(entry.last) < forget_after);
        }
        if self.entries.len() >= self.size
            && let Some((_, _, least)) = self.fewest_first.pop_first()
        {
            self.entries.remove(&least);
        }
    }

    fn is_fresh(&self, now: Instant, last: Instant) -> bool {
        now.saturating_duration_since(last) < self.forget_after
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let entry = self.entries.remove(key)?;
        self.fewest_first
            .remove(&(entry.failures, entry.last, *key));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_keeps_those_who_failed_most() {
        for size in [1, 100] {
            let mut tally = Tally::new(&LoginLimits {
                table_size: size,
                ..LoginLimits::default()
            });
            #[allow(clippy::disallowed_methods)] // a start for virtual time
            let now = Instant::now();
            for _ in 0..20 {
                tally.count(now, 0);
            }
            for key in 1..10_000 {
                tally.count(now, key);
            }
            assert_eq!([tally.entries.len(), tally.fewest_first.len()], [size; 2]);
            if size > 1 {
                assert_eq!(tally.get(now, &0).map(|entry| entry.failures), Some(20));
            }
        }
    }
}
