//! The timers of RFC 3261 §17 and RFC 6026 by their names, and how long each one runs.

use core::time::Duration;
use std::time::Instant;

/// A timer of a transaction, named as in RFC 3261 (table 4) and RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// INVITE client: the request is resent (unreliable transports; doubles each time).
    A,
    /// INVITE client: no response came.
    B,
    /// INVITE client: nothing but silence since the last provisional response.
    C,
    /// INVITE client: repeats of a failure response are still acknowledged.
    D,
    /// Non-INVITE client: the request is resent (unreliable transports).
    E,
    /// Non-INVITE client: no final response came. On the server side of such a transaction: the
    /// client has given up by now, and no answer is of use any more (RFC 4320 §3).
    F,
    /// INVITE server: a failure response is resent (unreliable transports).
    G,
    /// INVITE server: the ACK for a failure response did not come.
    H,
    /// INVITE server: repeats of the ACK are still absorbed.
    I,
    /// Non-INVITE server: repeats of the request are still answered.
    J,
    /// Non-INVITE client: repeats of the final response are still absorbed.
    K,
    /// INVITE server: repeats of an accepted INVITE are still absorbed (RFC 6026 §7.1).
    L,
    /// INVITE client: further 2xx responses are still passed up (RFC 6026 §7.2).
    M,
    /// A server's 100: after 200 ms for INVITE (§17.2.1), when the client's timer E reaches T2
    /// for all else (RFC 4320 §4.1).
    Trying,
    /// INVITE client: a CANCEL went out 64*T1 ago and no final response came (§9.1).
    Cancelled,
}

/// The durations that all timers follow from.
///
/// ```
/// use offhook_transaction::{Timer, Timers};
///
/// let timers = Timers::default();
/// assert_eq!(timers.t1.as_millis(), 500);
/// assert_eq!(timers.duration(Timer::B, false).as_secs(), 32);
/// assert_eq!(timers.duration(Timer::J, true).as_secs(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// T1: the round-trip estimate, 500 ms (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// T2: the longest gap between resends, 4 s.
    pub t2: Duration,
    /// T4: how long a message may stay in the network, 5 s.
    pub t4: Duration,
    /// Timer D on unreliable transports, at least 32 s (§17.1.1.2).
    pub d: Duration,
    /// How long the user of an INVITE server transaction may be silent before a 100 goes out,
    /// 200 ms (§17.2.1).
    pub trying: Duration,
    /// Timer C: an INVITE client transaction whose last provisional response is that old is
    /// cancelled and then reported as timed out. Off by default: only proxies must have it
    /// (§16.6), and a user agent may let it ring for ever (§17.1.1.2).
    pub c: Option<Duration>,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            d: Duration::from_secs(32),
            trying: Duration::from_millis(200),
            c: None,
        }
    }
}

impl Timers {
    /// How long `timer` runs at first: on a transport that resends by itself (`reliable`) or not.
    ///
    /// A timer that is off (C by default) runs for [`Duration::MAX`].
    #[must_use]
    pub fn duration(&self, timer: Timer, reliable: bool) -> Duration {
        match timer {
            Timer::A | Timer::E | Timer::G => self.t1,
            Timer::C => self.c.unwrap_or(Duration::MAX),
            Timer::D | Timer::I | Timer::J | Timer::K if reliable => Duration::ZERO,
            Timer::D => self.d,
            Timer::I | Timer::K => self.t4,
            Timer::B | Timer::F | Timer::H | Timer::J | Timer::L | Timer::M | Timer::Cancelled => {
                self.whole()
            }
            Timer::Trying => self.trying,
        }
    }

    /// 64*T1: the life of a transaction.
    #[must_use]
    pub fn whole(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long after the first request a client's timer E is reset to T2: the earliest moment of
    /// a 100 to a non-INVITE request (RFC 4320 §4.1). With the defaults 3.5 s: E fires after 0.5,
    /// 1 and 2 seconds and is then set to 4.
    #[must_use]
    pub fn trying_to_non_invite(&self) -> Duration {
        let mut gap = self.t1;
        let mut passed = Duration::ZERO;
        while gap < self.t2 && !gap.is_zero() && passed < self.whole() {
            passed = passed.saturating_add(gap);
            gap = gap.saturating_mul(2);
        }
        passed
    }
}

const SHORTEST_GAP: Duration = Duration::from_millis(1);

/// When to resend next; the gap doubles each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) at: Instant,
    /// In microseconds: half the room of a [`Duration`].
    gap: u32,
}

impl Backoff {
    /// The first resend is one `gap` from `now`.
    pub(crate) fn start(now: Instant, gap: Duration) -> Self {
        // Never at once again, even where a timer is set to nothing.
        let gap = gap.max(SHORTEST_GAP);
        Self {
            at: now + gap,
            gap: u32::try_from(gap.as_micros()).unwrap_or(u32::MAX),
        }
    }

    /// After a resend at `now`: the next gap is twice the last one, up to `cap`.
    ///
    /// Counted from `now`, so that a late wake-up does not end in a burst.
    #[must_use]
    pub(crate) fn next(self, now: Instant, cap: Option<Duration>) -> Self {
        let doubled = Duration::from_micros(u64::from(self.gap) * 2);
        let gap = cap.map_or(doubled, |cap| doubled.min(cap));
        Self::start(now, gap)
    }
}

/// The earlier of two timers, if any is set.
pub(crate) fn earlier<const N: usize>(
    timers: [(Timer, Option<Instant>); N],
) -> Option<(Instant, Timer)> {
    let mut first: Option<(Instant, Timer)> = None;
    for (timer, at) in timers {
        if let Some(at) = at
            && first.is_none_or(|(earliest, _)| at < earliest)
        {
            first = Some((at, timer));
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    // checklist: R3261-99
    #[test]
    fn defaults_are_those_of_the_rfc() {
        let timers = Timers::default();
        assert_eq!(timers.t1, Duration::from_millis(500));
        assert_eq!(timers.t2, Duration::from_secs(4));
        assert_eq!(timers.t4, Duration::from_secs(5));
        for timer in [Timer::B, Timer::F, Timer::H, Timer::J, Timer::L, Timer::M] {
            assert_eq!(timers.duration(timer, false), Duration::from_secs(32));
        }
        assert_eq!(timers.duration(Timer::D, false), Duration::from_secs(32));
        assert_eq!(timers.duration(Timer::I, false), timers.t4);
        assert_eq!(timers.duration(Timer::K, false), timers.t4);
        for timer in [Timer::D, Timer::I, Timer::J, Timer::K] {
            assert_eq!(timers.duration(timer, true), Duration::ZERO);
        }
        let halved = Timers {
            t1: Duration::from_millis(250),
            ..timers
        };
        assert_eq!(halved.duration(Timer::B, true), Duration::from_secs(16));
    }

    #[test]
    fn trying_waits_until_timer_e_reaches_t2() {
        assert_eq!(
            Timers::default().trying_to_non_invite(),
            Duration::from_millis(3500)
        );
        let degenerate = Timers {
            t1: Duration::ZERO,
            ..Timers::default()
        };
        assert_eq!(degenerate.trying_to_non_invite(), Duration::ZERO);
    }
}
