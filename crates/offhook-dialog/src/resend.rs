//! When to repeat what the transaction layer does not repeat: a 2xx until its ACK (RFC 3261
//! §13.3.1.4) and a reliable 1xx until its PRACK (RFC 3262 §3).
//!
//! The schedule owns no clock and sends nothing: the caller passes `now` in and obeys [`Due`].

use std::time::{Duration, Instant};

use offhook_transaction::Timers;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send it once more.
    Resend,
    /// 64*T1 have passed: nobody will acknowledge it.
    GiveUp,
}

/// Doubling gaps from T1, over every transport, for 64*T1.
#[derive(Clone, Copy, Debug)]
pub struct Resend {
    gap: Duration,
    cap: Option<Duration>,
    next_at: Instant,
    give_up_at: Instant,
}

impl Resend {
    /// The schedule of a 2xx sent at `now`: gaps double up to T2.
    #[must_use]
    pub fn of_answer(now: Instant, timers: &Timers) -> Self {
        Self::new(now, timers, Some(timers.t2))
    }

    /// The schedule of a reliable provisional sent at `now`: RFC 3262 has no upper bound of the gap.
    #[must_use]
    pub fn of_provisional(now: Instant, timers: &Timers) -> Self {
        Self::new(now, timers, None)
    }

    fn new(now: Instant, timers: &Timers, cap: Option<Duration>) -> Self {
        Self {
            gap: timers.t1,
            cap,
            next_at: now + timers.t1,
            give_up_at: now + 64 * timers.t1,
        }
    }

    /// Tells what is due at `now`; an early call is harmless and yields `None`.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if now >= self.give_up_at {
            return Some(Due::GiveUp);
        }
        if now < self.next_at {
            return None;
        }
        self.gap = self.cap.map_or(2 * self.gap, |cap| cap.min(2 * self.gap));
        self.next_at = now + self.gap;
        Some(Due::Resend)
    }

    /// When [`Self::handle_timeout`] next has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next_at.min(self.give_up_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(mut schedule: Resend, start: Instant) -> (Vec<u128>, u128) {
        let mut resends = Vec::new();
        loop {
            let now = schedule.poll_timeout();
            match schedule.handle_timeout(now) {
                Some(Due::Resend) => resends.push((now - start).as_millis()),
                Some(Due::GiveUp) => return (resends, (now - start).as_millis()),
                None => panic!("poll_timeout named a time with nothing to do"),
            }
        }
    }

    // checklist: R3261-79
    #[test]
    fn a_2xx_is_repeated_with_gaps_up_to_t2_for_64_t1() {
        #[allow(clippy::disallowed_methods)]
        let start = Instant::now();
        let (resends, end) = gaps(Resend::of_answer(start, &Timers::default()), start);
        assert_eq!(
            resends,
            [
                500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
            ]
        );
        assert_eq!(end, 32_000);
    }

    // checklist: R3262-03
    #[test]
    fn a_reliable_provisional_is_repeated_without_a_cap() {
        #[allow(clippy::disallowed_methods)]
        let start = Instant::now();
        let (resends, end) = gaps(Resend::of_provisional(start, &Timers::default()), start);
        assert_eq!(resends, [500, 1500, 3500, 7500, 15_500, 31_500]);
        assert_eq!(end, 32_000);
    }
}
