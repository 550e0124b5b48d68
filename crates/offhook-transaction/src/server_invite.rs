//! The INVITE server transaction: RFC 3261 §17.2.1 with the state Accepted of RFC 6026 §8.5.

use std::time::Instant;

use offhook_sip::StatusCode;

use crate::act::ServerAct;
use crate::timer::{Backoff, Timer, Timers, earlier};

/// What is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerInvite {
    Proceeding(Proceeding),
    Completed(Completed),
    Confirmed(Confirmed),
    Accepted(Accepted),
}

/// The user's final answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proceeding {
    /// When the machine itself sends a 100; none once anything was sent.
    trying_at: Option<Instant>,
}

/// The ACK of a failure response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    /// G; none on a reliable transport.
    resend: Option<Backoff>,
    /// H.
    give_up_at: Instant,
}

/// Repeats of the ACK, to absorb them (I).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmed {
    until: Instant,
}

/// Repeats of the INVITE, to absorb them, and more 2xx from the user (L).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    until: Instant,
}

/// The machine that follows, none if it has ended, and what is to be done.
pub(crate) type Step = (Option<ServerInvite>, ServerAct);

impl ServerInvite {
    /// An INVITE has just come.
    pub(crate) fn new(now: Instant, timers: &Timers) -> Self {
        Self::Proceeding(Proceeding {
            trying_at: Some(now + timers.duration(Timer::Trying, false)),
        })
    }

    /// The INVITE has come again.
    pub(crate) fn handle_repeat(self) -> ServerAct {
        match self {
            Self::Proceeding(Proceeding { trying_at: None }) | Self::Completed(_) => {
                ServerAct::Resend
            }
            Self::Proceeding(_) | Self::Confirmed(_) | Self::Accepted(_) => ServerAct::Nothing,
        }
    }

    /// An ACK has come.
    pub(crate) fn handle_ack(self, now: Instant, timers: &Timers, reliable: bool) -> Step {
        match self {
            Self::Completed(_) => {
                let stay = timers.duration(Timer::I, reliable);
                let next =
                    (!stay.is_zero()).then(|| Self::Confirmed(Confirmed { until: now + stay }));
                (next, ServerAct::Nothing)
            }
            Self::Accepted(_) => (Some(self), ServerAct::Deliver),
            Self::Proceeding(_) | Self::Confirmed(_) => (Some(self), ServerAct::Nothing),
        }
    }

    /// The user answers. `None`: a final answer was given before, and this one cannot follow it.
    pub(crate) fn respond(
        self,
        now: Instant,
        status: StatusCode,
        timers: &Timers,
        reliable: bool,
    ) -> Option<Self> {
        match self {
            Self::Proceeding(_) if status.is_provisional() => {
                Some(Self::Proceeding(Proceeding { trying_at: None }))
            }
            Self::Proceeding(_) if status.is_success() => Some(Self::Accepted(Accepted {
                until: now + timers.duration(Timer::L, reliable),
            })),
            Self::Proceeding(_) => {
                let gap = timers.duration(Timer::G, reliable);
                Some(Self::Completed(Completed {
                    resend: (!reliable).then(|| Backoff::start(now, gap)),
                    give_up_at: now + timers.duration(Timer::H, reliable),
                }))
            }
            Self::Accepted(_) if status.is_success() => Some(self),
            Self::Completed(_) | Self::Confirmed(_) | Self::Accepted(_) => None,
        }
    }

    /// Fires the timer that is due, if one is.
    pub(crate) fn handle_timeout(self, now: Instant, timers: &Timers) -> Step {
        let Some((_, timer)) = self.next_timer().filter(|(at, _)| *at <= now) else {
            return (Some(self), ServerAct::Nothing);
        };
        match (self, timer) {
            (Self::Proceeding(_), _) => {
                let next = Proceeding { trying_at: None };
                (Some(Self::Proceeding(next)), ServerAct::Trying)
            }
            (Self::Completed(completed), Timer::G) => {
                let next = Completed {
                    resend: completed
                        .resend
                        .map(|resend| resend.next(now, Some(timers.t2))),
                    ..completed
                };
                (Some(Self::Completed(next)), ServerAct::Resend)
            }
            (Self::Completed(_), _) => (None, ServerAct::AckMissing),
            (Self::Confirmed(_) | Self::Accepted(_), _) => (None, ServerAct::Nothing),
        }
    }

    /// When [`Self::handle_timeout`] next has something to do.
    pub(crate) fn poll_timeout(self) -> Option<Instant> {
        self.next_timer().map(|(at, _)| at)
    }

    /// Whether a final response may still be chosen.
    pub(crate) fn is_proceeding(self) -> bool {
        matches!(self, Self::Proceeding(_))
    }

    /// Whether the ACK of a failure response is awaited.
    pub(crate) fn is_completed(self) -> bool {
        matches!(self, Self::Completed(_))
    }

    fn next_timer(self) -> Option<(Instant, Timer)> {
        match self {
            Self::Proceeding(proceeding) => proceeding.trying_at.map(|at| (at, Timer::Trying)),
            Self::Completed(completed) => earlier([
                (Timer::H, Some(completed.give_up_at)),
                (Timer::G, completed.resend.map(|resend| resend.at)),
            ]),
            Self::Confirmed(confirmed) => Some((confirmed.until, Timer::I)),
            Self::Accepted(accepted) => Some((accepted.until, Timer::L)),
        }
    }
}
