//! When each transaction next has something to do: a heap that knows where each entry stands.
//!
//! Moving or removing a deadline costs a few steps up or down the heap, never a search, and no
//! stale entry stays behind: 100,000 transactions that end early leave nothing.

use std::time::Instant;

/// Four children a node: a shallower heap than a binary one, with the children in one cache line.
const ARITY: usize = 4;
const ABSENT: u32 = u32::MAX;

/// The earliest deadline of each slot of a table.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<(Instant, u32)>,
    /// Where the deadline of a slot stands in `heap`, or [`ABSENT`].
    position: Vec<u32>,
}

impl Deadlines {
    /// The earliest deadline and its slot.
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }

    /// How many slots wait for a deadline.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Sets, moves or (with `None`) removes the deadline of `slot`.
    pub(crate) fn set(&mut self, slot: u32, at: Option<Instant>) {
        let index = slot as usize;
        if self.position.len() <= index {
            if at.is_none() {
                return;
            }
            self.position.resize(index + 1, ABSENT);
        }
        let place = self.position[index];
        match at {
            Some(at) if place == ABSENT => {
                self.heap.push((at, slot));
                self.rise(self.heap.len() - 1);
            }
            Some(at) => {
                let place = place as usize;
                let before = self.heap[place];
                self.heap[place] = (at, slot);
                if (at, slot) < before {
                    self.rise(place);
                } else {
                    self.sink(place);
                }
            }
            None if place == ABSENT => {}
            None => self.remove(place as usize),
        }
    }

    /// Gives memory back that a burst has left behind.
    pub(crate) fn shrink(&mut self, slots: usize) {
        self.position.truncate(slots);
        self.position.shrink_to(slots);
        self.heap.shrink_to(slots);
    }

    fn remove(&mut self, place: usize) {
        let (_, slot) = self.heap.swap_remove(place);
        self.position[slot as usize] = ABSENT;
        if place < self.heap.len() {
            self.rise(place);
            self.sink(place);
        }
    }

    fn rise(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let first = place * ARITY + 1;
            let last = (first + ARITY).min(self.heap.len());
            let Some(child) = (first..last).min_by_key(|&child| self.heap[child]) else {
                break;
            };
            if entry <= self.heap[child] {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: (Instant, u32)) {
        self.heap[place] = entry;
        // A heap of more than 2^32 entries would need slots beyond u32.
        #[allow(clippy::cast_possible_truncation)]
        let narrow = place as u32;
        self.position[entry.1 as usize] = narrow;
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::collections::BTreeMap;
    use std::sync::OnceLock;

    use proptest::prelude::*;

    use super::*;

    fn base() -> Instant {
        static BASE: OnceLock<Instant> = OnceLock::new();
        #[allow(clippy::disallowed_methods)] // any instant serves as the origin of a test
        *BASE.get_or_init(Instant::now)
    }

    proptest! {
        #[test]
        fn the_first_is_the_earliest_of_all(
            changes in prop::collection::vec((0_u32..40, prop::option::of(0_u64..1000)), 0..400)
        ) {
            let mut deadlines = Deadlines::default();
            let mut model = BTreeMap::new();
            for (slot, at) in changes {
                let at = at.map(|at| base() + Duration::from_millis(at));
                deadlines.set(slot, at);
                match at {
                    Some(at) => { model.insert(slot, at); }
                    None => { model.remove(&slot); }
                }
                let expected = model.iter().map(|(slot, at)| (*at, *slot)).min();
                prop_assert_eq!(deadlines.first(), expected);
                prop_assert_eq!(deadlines.len(), model.len());
            }
        }
    }
}
