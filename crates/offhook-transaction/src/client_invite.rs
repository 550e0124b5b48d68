//! The INVITE client transaction: RFC 3261 §17.1.1 with the state Accepted of RFC 6026 §8.4.
//!
//! The machine holds times and what it awaits, no message: the table keeps the bytes, and does
//! what a [`ClientAct`] says.

use std::time::Instant;

use offhook_sip::StatusCode;

use crate::act::ClientAct;
use crate::timer::{Backoff, Timer, Timers, earlier};

/// What is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientInvite {
    Calling(Calling),
    Proceeding(Proceeding),
    Completed(Completed),
    Accepted(Accepted),
}

/// Any response at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calling {
    /// A; none on a reliable transport.
    resend: Option<Backoff>,
    /// B.
    give_up_at: Instant,
    /// The user wants to cancel; §9.1 forbids it before a provisional response.
    cancel_wanted: bool,
}

/// A final response, for as long as it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proceeding {
    /// C, if it is on.
    silent_until: Option<Instant>,
    /// A CANCEL is out: when a final response is awaited no longer.
    abandon_at: Option<Instant>,
}

/// Repeats of a failure response, to acknowledge them again (D).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completed {
    until: Instant,
}

/// More 2xx responses, from other branches of a fork or repeated (M).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    until: Instant,
}

/// The machine that follows, none if it has ended, and what is to be done.
pub(crate) type Step = (Option<ClientInvite>, ClientAct);

impl ClientInvite {
    /// The INVITE has just been sent.
    pub(crate) fn new(now: Instant, timers: &Timers, reliable: bool) -> Self {
        let gap = timers.duration(Timer::A, reliable);
        Self::Calling(Calling {
            resend: (!reliable).then(|| Backoff::start(now, gap)),
            give_up_at: now + timers.duration(Timer::B, reliable),
            cancel_wanted: false,
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
            Self::Calling(calling) if status.is_provisional() => {
                let held = calling.cancel_wanted;
                let proceeding = Proceeding::new(now, timers, held);
                let act = if held {
                    ClientAct::DeliverAndCancel
                } else {
                    ClientAct::Deliver
                };
                (Some(Self::Proceeding(proceeding)), act)
            }
            Self::Proceeding(proceeding) if status.is_provisional() => {
                let mut next = proceeding;
                // A 100 comes from the next hop alone and does not count as life (§16.6, §16.7).
                if status != StatusCode::TRYING && next.abandon_at.is_none() {
                    next.silent_until = timer_c(now, timers);
                }
                (Some(Self::Proceeding(next)), ClientAct::Deliver)
            }
            Self::Calling(_) | Self::Proceeding(_) if status.is_success() => {
                let until = now + timers.duration(Timer::M, reliable);
                (Some(Self::Accepted(Accepted { until })), ClientAct::Deliver)
            }
            Self::Calling(_) | Self::Proceeding(_) => {
                let stay = timers.duration(Timer::D, reliable);
                let next =
                    (!stay.is_zero()).then(|| Self::Completed(Completed { until: now + stay }));
                (next, ClientAct::DeliverAndAck)
            }
            Self::Completed(_) if status.is_final() && !status.is_success() => {
                (Some(self), ClientAct::Ack)
            }
            Self::Accepted(_) if status.is_success() => (Some(self), ClientAct::Deliver),
            // A fork that answered in spite of the failure: the user has to end that call.
            Self::Completed(_) if status.is_success() => (Some(self), ClientAct::DeliverStray),
            Self::Completed(_) | Self::Accepted(_) => (Some(self), ClientAct::Nothing),
        }
    }

    /// The user wants the INVITE cancelled. `None`: it is answered already, nothing to cancel.
    pub(crate) fn cancel(self, now: Instant, timers: &Timers) -> Option<(Self, ClientAct)> {
        match self {
            Self::Calling(calling) => Some((
                Self::Calling(Calling {
                    cancel_wanted: true,
                    ..calling
                }),
                ClientAct::Nothing,
            )),
            Self::Proceeding(proceeding) if proceeding.abandon_at.is_none() => {
                let next = Proceeding::new(now, timers, true);
                Some((Self::Proceeding(next), ClientAct::Cancel))
            }
            Self::Proceeding(_) => Some((self, ClientAct::Nothing)),
            Self::Completed(_) | Self::Accepted(_) => None,
        }
    }

    /// Fires the timer that is due, if one is.
    pub(crate) fn handle_timeout(self, now: Instant, timers: &Timers) -> Step {
        let Some((_, timer)) = self.next_timer().filter(|(at, _)| *at <= now) else {
            return (Some(self), ClientAct::Nothing);
        };
        match (self, timer) {
            (Self::Calling(calling), Timer::A) => {
                let next = Calling {
                    resend: calling.resend.map(|resend| resend.next(now, None)),
                    ..calling
                };
                (Some(Self::Calling(next)), ClientAct::Resend)
            }
            (Self::Proceeding(_), Timer::C) => {
                let next = Proceeding::new(now, timers, true);
                (Some(Self::Proceeding(next)), ClientAct::Cancel)
            }
            (Self::Calling(_) | Self::Proceeding(_), _) => (None, ClientAct::TimedOut),
            (Self::Completed(_) | Self::Accepted(_), _) => (None, ClientAct::Nothing),
        }
    }

    /// When [`Self::handle_timeout`] next has something to do.
    pub(crate) fn poll_timeout(self) -> Option<Instant> {
        self.next_timer().map(|(at, _)| at)
    }

    /// Whether the user wants to cancel, and may not yet.
    pub(crate) fn holds_cancel(self) -> bool {
        matches!(self, Self::Calling(calling) if calling.cancel_wanted)
    }

    /// Whether no response has come yet.
    pub(crate) fn is_calling(self) -> bool {
        matches!(self, Self::Calling(_))
    }

    /// Whether the final response has come.
    pub(crate) fn is_answered(self) -> bool {
        matches!(self, Self::Completed(_) | Self::Accepted(_))
    }

    fn next_timer(self) -> Option<(Instant, Timer)> {
        match self {
            // B before A where both are due: at 64*T1 there is no further resend (§17.1.1.2).
            Self::Calling(calling) => earlier([
                (Timer::B, Some(calling.give_up_at)),
                (Timer::A, calling.resend.map(|resend| resend.at)),
            ]),
            Self::Proceeding(proceeding) => earlier([
                (Timer::Cancelled, proceeding.abandon_at),
                (Timer::C, proceeding.silent_until),
            ]),
            Self::Completed(completed) => Some((completed.until, Timer::D)),
            Self::Accepted(accepted) => Some((accepted.until, Timer::M)),
        }
    }
}

impl Proceeding {
    fn new(now: Instant, timers: &Timers, cancelled: bool) -> Self {
        Self {
            silent_until: if cancelled {
                None
            } else {
                timer_c(now, timers)
            },
            abandon_at: cancelled.then(|| now + timers.duration(Timer::Cancelled, false)),
        }
    }
}

fn timer_c(now: Instant, timers: &Timers) -> Option<Instant> {
    timers.c.and_then(|c| now.checked_add(c))
}
