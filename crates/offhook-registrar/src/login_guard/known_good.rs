//! Who logged in where of late.

use std::time::{Duration, Instant};

use super::limits::LoginLimits;

/// The pairs of a user and a place, in a table of fixed size: one of two pairs that meet in a place is forgotten.
#[derive(Debug)]
pub(super) struct KnownGood {
    remember: Duration,
    places: Vec<Option<(u64, Instant)>>,
}

impl KnownGood {
    pub(super) fn new(limits: &LoginLimits) -> Self {
        Self {
            remember: limits.forget_after,
            places: vec![None; limits.table_size.max(1)],
        }
    }

    pub(super) fn contains(&self, now: Instant, pair: u64) -> bool {
        let known = self.places.get(self.place(pair)).copied().flatten();
        known.is_some_and(|(known, last)| {
            known == pair && now.saturating_duration_since(last) < self.remember
        })
    }

    pub(super) fn note(&mut self, now: Instant, pair: u64) {
        let index = self.place(pair);
        if let Some(place) = self.places.get_mut(index) {
            *place = Some((pair, now));
        }
    }

    fn place(&self, pair: u64) -> usize {
        let size = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        usize::try_from(pair % size).unwrap_or_default()
    }
}
