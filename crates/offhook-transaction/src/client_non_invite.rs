//! The client transaction of every method but INVITE and ACK: RFC 3261 §17.1.2.

use std::time::Instant;

use offhook_sip::StatusCode;

use crate::act::ClientAct;
use crate::timer::{Backoff, Timer, Timers, earlier};

/// What is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientNonInvite {
    Trying(Pending),
    Proceeding(Pending),
    Completed(Completed),
}

/// A response; in Proceeding a final one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// E; none on a reliable transport.
    resend: Option<Backoff>,
    /// F.
    give_up_at: Instant,
}

/// Repeats of the final response, to hide them (K).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    until: Instant,
}

/// The machine that follows, none if it has ended, and what is to be done.
pub(crate) type Step = (Option<ClientNonInvite>, ClientAct);

impl ClientNonInvite {
    /// The request has just been sent.
    pub(crate) fn new(now: Instant, timers: &Timers, reliable: bool) -> Self {
        let gap = timers.duration(Timer::E, reliable);
        Self::Trying(Pending {
            resend: (!reliable).then(|| Backoff::start(now, gap)),
            give_up_at: now + timers.duration(Timer::F, reliable),
        })
    }

    /// A response has come.
    pub(crate) fn handle_response(
        self,
        now: Instant,
        status: StatusCode,
        timers: &Timers,
        reliable: bool,
    ) -> Step {
        match self {
            Self::Trying(pending) | Self::Proceeding(pending) if status.is_provisional() => {
                (Some(Self::Proceeding(pending)), ClientAct::Deliver)
            }
            Self::Trying(_) | Self::Proceeding(_) => {
                let stay = timers.duration(Timer::K, reliable);
                let next =
                    (!stay.is_zero()).then(|| Self::Completed(Completed { until: now + stay }));
                (next, ClientAct::Deliver)
            }
            Self::Completed(_) => (Some(self), ClientAct::Nothing),
        }
    }

    /// Fires the timer that is due, if one is.
    pub(crate) fn handle_timeout(self, now: Instant, timers: &Timers) -> Step {
        let Some((_, timer)) = self.next_timer().filter(|(at, _)| *at <= now) else {
            return (Some(self), ClientAct::Nothing);
        };
        match (self, timer) {
            (Self::Trying(pending), Timer::E) => {
                let next = pending.resent(now, timers, false);
                (Some(Self::Trying(next)), ClientAct::Resend)
            }
            (Self::Proceeding(pending), Timer::E) => {
                let next = pending.resent(now, timers, true);
                (Some(Self::Proceeding(next)), ClientAct::Resend)
            }
            (Self::Trying(_) | Self::Proceeding(_), _) => (None, ClientAct::TimedOut),
            (Self::Completed(_), _) => (None, ClientAct::Nothing),
        }
    }

    /// When [`Self::handle_timeout`] next has something to do.
    pub(crate) fn poll_timeout(self) -> Option<Instant> {
        self.next_timer().map(|(at, _)| at)
    }

    /// Whether no response has come yet.
    pub(crate) fn is_trying(self) -> bool {
        matches!(self, Self::Trying(_))
    }

    /// Whether the final response has come.
    pub(crate) fn is_answered(self) -> bool {
        matches!(self, Self::Completed(_))
    }

    fn next_timer(self) -> Option<(Instant, Timer)> {
        match self {
            Self::Trying(pending) | Self::Proceeding(pending) => earlier([
                (Timer::F, Some(pending.give_up_at)),
                (Timer::E, pending.resend.map(|resend| resend.at)),
            ]),
            Self::Completed(completed) => Some((completed.until, Timer::K)),
        }
    }
}

impl Pending {
    /// Once a provisional response is there, the gap is T2 from the next resend on (§17.1.2.2).
    fn resent(self, now: Instant, timers: &Timers, proceeding: bool) -> Self {
        let resend = if proceeding {
            self.resend.map(|_| Backoff::start(now, timers.t2))
        } else {
            self.resend.map(|resend| resend.next(now, Some(timers.t2)))
        };
        Self { resend, ..self }
    }
}
