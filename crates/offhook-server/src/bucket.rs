//! How often something may happen.

use std::time::{Duration, Instant};

/// Between two reports of something that lasts.
const QUIET: Duration = Duration::from_secs(10);

/// A leaky bucket, kept as the time when it will have run empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket(Option<Instant>);

impl Bucket {
    /// Whether one more fits, which then is in it for `gap`; never more than `burst` ahead of time.
    pub(crate) fn take(&mut self, now: Instant, gap: Duration, burst: Duration) -> bool {
        let empty_at = self.0.map_or(now, |at| at.max(now)) + gap;
        let fits = empty_at.saturating_duration_since(now) <= burst.max(gap);
        if fits {
            self.0 = Some(empty_at);
        }
        fits
    }

    /// Whether the owner is told once more of something that lasts: he was not within [`QUIET`].
    pub(crate) fn takes_report(&mut self, now: Instant) -> bool {
        self.take(now, QUIET, QUIET)
    }

    pub(crate) fn give_back(&mut self, gap: Duration) {
        self.0 = self.0.and_then(|at| at.checked_sub(gap));
    }
}
