//! Datagrams that the system threw away because the server did not come to them in time.

use std::time::{Duration, Instant};

use offhook_net::Counters;
use tracing::warn;

/// Between two log lines.
const QUIET: Duration = Duration::from_secs(10);

/// How many they were.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    seen: u64,
    told: u64,
    told_at: Option<Instant>,
}

impl Losses {
    /// Whether there are more than before; the log is told now and then.
    pub(crate) fn grow(&mut self, now: Instant, counters: Counters) -> bool {
        let lost = counters.receive_buffer_full;
        let quiet = |at: Instant| now.saturating_duration_since(at) < QUIET;
        if lost > self.told && !self.told_at.is_some_and(quiet) {
            let more = lost - self.told;
            warn!(
                "overload: {more} datagram(s) lost, the receive buffer was full (net.core.rmem_max bounds it)"
            );
            (self.told, self.told_at) = (lost, Some(now));
        }
        std::mem::replace(&mut self.seen, lost) < lost
    }
}
