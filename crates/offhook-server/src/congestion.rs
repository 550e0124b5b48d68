//! When more comes than the machine can do: what begins something new is told to come later, in time.
//!
//! Packets wait in the socket while the machine is behind. Once they wait for long, or find no room
//! any more, it makes no sense to begin calls: each costs twenty packets, and a call of which some
//! are lost costs more, because they come again. So whoever wants to begin something is answered 503
//! with Retry-After at once, without a transaction, and what has begun gets the time. A short wait is
//! no reason (any machine is held up now and then), only one that does not end: as in `CoDel` (RFC 8289).

use std::time::{Duration, Instant};

use offhook_sip::{HeaderName, Request};

/// When an exchange is overloaded, and what it does then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverloadLimits {
    /// So long may a packet wait before it is handled.
    pub delay: Duration,
    /// It is no overload unless all wait longer for this time.
    pub patience: Duration,
    /// What the 503 says in its Retry-After, in seconds.
    pub retry_after: u32,
}

impl Default for OverloadLimits {
    /// Well below the half second after which a phone repeats itself (T1, RFC 3261 §17.1.1.1).
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(25),
            patience: Duration::from_millis(50),
            retry_after: 5,
        }
    }
}

/// So many times the delay that is allowed, and nothing new is begun at all.
const FAR_BEHIND: u32 = 4;
/// How long it counts that a packet was lost, or how long one had waited.
const MEMORY: Duration = Duration::from_millis(100);
/// Between two reports of an overload.
const QUIET: Duration = Duration::from_secs(10);

/// How far the machine is behind.
#[derive(Debug)]
pub(crate) struct Congestion {
    limits: OverloadLimits,
    waited: Duration,
    waited_at: Option<Instant>,
    /// Since when all packets have waited for too long.
    since: Option<Instant>,
    lost_at: Option<Instant>,
    refused: u64,
    told: Option<Instant>,
}

impl Congestion {
    pub(crate) fn new(limits: OverloadLimits) -> Self {
        Self {
            limits,
            waited: Duration::ZERO,
            waited_at: None,
            since: None,
            lost_at: None,
            refused: 0,
            told: None,
        }
    }

    /// What the 503 says in its Retry-After, in seconds.
    pub(crate) fn retry_after(&self) -> u32 {
        self.limits.retry_after
    }

    /// The packet that comes now has waited so long.
    pub(crate) fn waited(&mut self, now: Instant, waited: Duration) {
        self.waited = waited;
        self.waited_at = Some(now);
        if waited < self.limits.delay {
            self.since = None;
        } else {
            self.since.get_or_insert(now);
        }
    }

    /// Packets have found no room.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.lost_at = Some(now);
    }

    /// Whether a request that would begin something is refused. One that comes with credentials has
    /// cost a challenge already, and goes on as long as that helps.
    pub(crate) fn refuses(&self, now: Instant, request: &Request) -> bool {
        let age = |at: Instant| now.saturating_duration_since(at);
        let lately = |at: Option<Instant>| at.is_some_and(|at| age(at) < MEMORY);
        let waits = lately(self.waited_at)
            && self
                .since
                .is_some_and(|since| age(since) >= self.limits.patience);
        if !waits && !lately(self.lost_at) {
            return false;
        }
        let far_behind = waits && self.waited >= FAR_BEHIND * self.limits.delay;
        far_behind || !request.headers().contains(HeaderName::AUTHORIZATION)
    }

    /// One was refused. How many it were since the owner was told last, when that is due.
    pub(crate) fn refused(&mut self, now: Instant) -> Option<u64> {
        self.refused += 1;
        let due = self
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= QUIET);
        if !due {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.refused))
    }
}
