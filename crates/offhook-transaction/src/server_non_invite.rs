//! The server transaction of every method but INVITE and ACK: RFC 3261 §17.2.2, RFC 4320.

use std::time::Instant;

use offhook_sip::StatusCode;

use crate::act::ServerAct;
use crate::timer::{Timer, Timers, earlier};

/// What is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerNonInvite {
    Trying(Trying),
    Proceeding(Proceeding),
    Completed(Completed),
}

/// Any answer of the user's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trying {
    /// When the machine itself sends a 100 (RFC 4320 §4.1).
    trying_at: Instant,
    /// F of the client: nobody listens to an answer after it.
    stale_at: Instant,
}

/// The user's final answer; a 100 is out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proceeding {
    stale_at: Instant,
}

/// Repeats of the request, to answer them again (J).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    until: Instant,
}

/// The machine that follows, none if it has ended, and what is to be done.
pub(crate) type Step = (Option<ServerNonInvite>, ServerAct);

impl ServerNonInvite {
    /// A request has just come. `at_once`: the 100 is due immediately, against RFC 4320.
    pub(crate) fn new(now: Instant, timers: &Timers, reliable: bool, at_once: bool) -> Self {
        let patience = if at_once {
            core::time::Duration::ZERO
        } else {
            timers.trying_to_non_invite()
        };
        Self::Trying(Trying {
            trying_at: now + patience,
            stale_at: now + timers.duration(Timer::F, reliable),
        })
    }

    /// The request has come again.
    pub(crate) fn handle_repeat(self) -> ServerAct {
        match self {
            Self::Trying(_) => ServerAct::Nothing,
            Self::Proceeding(_) | Self::Completed(_) => ServerAct::Resend,
        }
    }

    /// The user answers: `None` if a final answer was given before, `Some(None)` if the machine
    /// ends with this one.
    #[allow(clippy::option_option)]
    pub(crate) fn respond(
        self,
        now: Instant,
        status: StatusCode,
        timers: &Timers,
        reliable: bool,
    ) -> Option<Option<Self>> {
        let stale_at = match self {
            Self::Trying(trying) => trying.stale_at,
            Self::Proceeding(proceeding) => proceeding.stale_at,
            Self::Completed(_) => return None,
        };
        if status.is_provisional() {
            return Some(Some(Self::Proceeding(Proceeding { stale_at })));
        }
        let stay = timers.duration(Timer::J, reliable);
        Some((!stay.is_zero()).then(|| Self::Completed(Completed { until: now + stay })))
    }

    /// Fires the timer that is due, if one is.
    pub(crate) fn handle_timeout(self, now: Instant) -> Step {
        let Some((_, timer)) = self.next_timer().filter(|(at, _)| *at <= now) else {
            return (Some(self), ServerAct::Nothing);
        };
        match (self, timer) {
            (Self::Trying(trying), Timer::Trying) => {
                let stale_at = trying.stale_at;
                let next = Self::Proceeding(Proceeding { stale_at });
                (Some(next), ServerAct::Trying)
            }
            // Never a 408: the client has timed out by itself (RFC 4320 §4.2).
            (Self::Trying(_) | Self::Proceeding(_) | Self::Completed(_), _) => {
                (None, ServerAct::Nothing)
            }
        }
    }

    /// When [`Self::handle_timeout`] next has something to do.
    pub(crate) fn poll_timeout(self) -> Option<Instant> {
        self.next_timer().map(|(at, _)| at)
    }

    fn next_timer(self) -> Option<(Instant, Timer)> {
        match self {
            Self::Trying(trying) => earlier([
                (Timer::F, Some(trying.stale_at)),
                (Timer::Trying, Some(trying.trying_at)),
            ]),
            Self::Proceeding(proceeding) => Some((proceeding.stale_at, Timer::F)),
            Self::Completed(completed) => Some((completed.until, Timer::J)),
        }
    }
}
