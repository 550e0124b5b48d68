//! A registration as the client keeps it up: refresh, 423, back-off, the way out (RFC 3261 §10.2).
//!
//! The machine owns no clock and sends nothing: the caller passes `now` in, sends what
//! [`Registration::handle_timeout`] asks for, and brings the answer back.

use std::time::{Duration, Instant};

use offhook_sip::{Response, StatusCode};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::wire;
use offhook_sip::HeaderName;

/// The wait after the first failure; it doubles up to [`LONGEST_WAIT`] (RFC 5626 §4.5).
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(1800);
/// The longest pause before a lost way is made anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A refresh leaves this much time for its own repeats.
const MARGIN: Duration = Duration::from_secs(32);

/// What the caller is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The Expires to ask for; zero takes the binding away.
    pub expires: Duration,
}

/// What an answer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The binding stands for so long; the machine refreshes it by itself.
    Registered {
        /// As the registrar granted it.
        expires: Duration,
    },
    /// Asked again at once, with another Expires.
    Again,
    /// Refused or unanswered.
    Failed {
        /// When it is tried again; `None`: not before [`Registration::refresh`].
        retry_in: Option<Duration>,
    },
    /// The binding is gone, and the machine with it.
    Unregistered,
}

/// One binding of one address of record.
#[derive(Debug)]
pub struct Registration {
    wanted: Duration,
    state: State,
    failures: u32,
    /// The registrar has taken it before.
    was_granted: bool,
    leaving: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A REGISTER is to be sent at this time.
    AwaitTime(Instant),
    /// A REGISTER is out (§10.2: no second one meanwhile).
    AwaitAnswer {
        /// Something else was wanted meanwhile: ask again at once.
        again: bool,
    },
    /// Nothing goes out by itself.
    AwaitApplication,
    /// Unregistered.
    Ended,
}

impl Registration {
    /// Registers for `wanted` as soon as it is asked, at `now`.
    #[must_use]
    pub fn new(now: Instant, wanted: Duration) -> Self {
        Self {
            wanted,
            state: State::AwaitTime(now),
            failures: 0,
            was_granted: false,
            leaving: false,
        }
    }

    /// Registers anew, at once.
    pub fn refresh(&mut self, now: Instant) {
        self.ask(now);
    }

    /// The way to the registrar is gone, which had granted the binding: it is asked for anew before long (RFC
    /// 5626 §4.5). Not at once, as a server that starts again loses all its phones in the same moment.
    pub fn lost(&mut self, now: Instant, rng: &mut StdRng) {
        if let State::AwaitTime(at) = self.state
            && self.failures == 0
        {
            let pause = rng.random_range(Duration::ZERO..=LONGEST_PAUSE);
            self.state = State::AwaitTime(at.min(now + pause));
        }
    }

    /// Takes the binding away (§10.2.2).
    pub fn unregister(&mut self, now: Instant) {
        self.leaving = true;
        self.ask(now);
    }

    fn ask(&mut self, now: Instant) {
        self.state = match self.state {
            State::AwaitAnswer { .. } => State::AwaitAnswer { again: true },
            State::Ended => State::Ended,
            State::AwaitTime(_) | State::AwaitApplication => State::AwaitTime(now),
        };
    }

    /// Tells whether a REGISTER is due; an early call is harmless and yields `None`.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Register> {
        match self.state {
            State::AwaitTime(at) if now >= at => {
                self.state = State::AwaitAnswer { again: false };
                Some(Register {
                    expires: if self.leaving {
                        Duration::ZERO
                    } else {
                        self.wanted
                    },
                })
            }
            _ => None,
        }
    }

    /// When [`Self::handle_timeout`] next has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::AwaitTime(at) => Some(at),
            _ => None,
        }
    }

    /// Whether the binding was given up.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The final response. `granted` is the Expires of our own Contact in it, or of the response.
    #[must_use]
    pub fn handle_response(
        &mut self,
        now: Instant,
        response: &Response,
        granted: Option<Duration>,
        rng: &mut StdRng,
    ) -> Progress {
        let State::AwaitAnswer { again } = self.state else {
            return Progress::Again;
        };
        let status = response.status();
        if self.leaving && !again {
            // Whatever the registrar says, we do not hold on to the binding.
            self.state = State::Ended;
            return Progress::Unregistered;
        }
        if status.is_success() {
            return self.granted(now, granted, again, rng);
        }
        let minimum = wire::seconds(response.headers(), HeaderName::MIN_EXPIRES);
        if status == StatusCode::INTERVAL_TOO_BRIEF
            && let Some(minimum) = minimum.filter(|minimum| *minimum > self.wanted)
        {
            // §10.2.8: ask again with at least that.
            self.wanted = minimum;
            self.state = State::AwaitTime(now);
            return Progress::Again;
        }
        let told = wire::seconds(response.headers(), HeaderName::RETRY_AFTER);
        // What was right before is not wrong in itself: it may have been garbled on the way, or the registrar
        // may be at fault for a while.
        let retry = self.was_granted || worth_trying_again(status);
        self.failed(now, again, told, retry, rng)
    }

    /// No response: a timeout, or a transport that failed.
    #[must_use]
    pub fn handle_failure(&mut self, now: Instant, rng: &mut StdRng) -> Progress {
        let State::AwaitAnswer { again } = self.state else {
            return Progress::Again;
        };
        if self.leaving && !again {
            self.state = State::Ended;
            return Progress::Unregistered;
        }
        self.failed(now, again, None, true, rng)
    }

    fn granted(
        &mut self,
        now: Instant,
        granted: Option<Duration>,
        again: bool,
        rng: &mut StdRng,
    ) -> Progress {
        self.failures = 0;
        self.was_granted = true;
        let expires = granted.unwrap_or(self.wanted);
        self.state = if again {
            State::AwaitTime(now)
        } else {
            State::AwaitTime(now + refresh_after(expires, rng))
        };
        Progress::Registered { expires }
    }

    fn failed(
        &mut self,
        now: Instant,
        again: bool,
        told: Option<Duration>,
        retry: bool,
        rng: &mut StdRng,
    ) -> Progress {
        if again {
            self.state = State::AwaitTime(now);
            return Progress::Failed {
                retry_in: Some(Duration::ZERO),
            };
        }
        if !retry && told.is_none() {
            self.state = State::AwaitApplication;
            return Progress::Failed { retry_in: None };
        }
        let wait = told.unwrap_or_else(|| self.back_off(rng));
        self.failures = self.failures.saturating_add(1);
        self.state = State::AwaitTime(now + wait);
        Progress::Failed {
            retry_in: Some(wait),
        }
    }

    /// RFC 5626 §4.5: between half and all of a wait that doubles with each failure.
    fn back_off(&self, rng: &mut StdRng) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.failures.min(8)));
        let upper = doubled.min(LONGEST_WAIT).as_millis();
        let upper = u64::try_from(upper).unwrap_or(u64::MAX);
        Duration::from_millis(rng.random_range(upper / 2..=upper))
    }
}

/// Before the end, and not all at once: a server that comes back would meet every phone in the
/// same second otherwise.
pub(crate) fn refresh_after(expires: Duration, rng: &mut StdRng) -> Duration {
    let latest = if expires > 4 * MARGIN {
        expires.saturating_sub(MARGIN)
    } else {
        expires * 3 / 4
    };
    let spread = latest / 8;
    let early = rng.random_range(0..=u64::try_from(spread.as_millis()).unwrap_or(0));
    latest
        .saturating_sub(Duration::from_millis(early))
        .max(Duration::from_secs(1))
}

/// Whether time alone may help. A wrong password stays wrong.
pub(crate) fn worth_trying_again(status: StatusCode) -> bool {
    matches!(status.get(), 408 | 430 | 480 | 500..=599)
}
