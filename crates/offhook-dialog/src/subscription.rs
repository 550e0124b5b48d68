//! A subscription as the subscriber keeps it: asked for, refreshed, ended, begun anew (RFC 6665 §4.1).
//!
//! The machine owns no clock and sends nothing: the caller passes `now` in, sends what
//! [`Subscription::handle_timeout`] asks for, and brings answers and NOTIFYs back.

use std::time::{Duration, Instant};

use offhook_sip::header::SubscriptionState;
use offhook_sip::{HeaderName, Method, Request, Response, StatusCode};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::dialog::Dialog;
use crate::error::DialogError;
use crate::event_package::EventPackage;
use crate::invite_session::Failure;
use crate::registration::{refresh_after, worth_trying_again};
use crate::wire;

/// The wait after the second end in short order; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(1800);
/// A subscription that stood for so long is no failure when it ends.
const STOOD: Duration = Duration::from_secs(60);
/// A refresh that was refused for now is tried again after at least this.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);

/// What the caller is to do.
#[derive(Debug)]
pub enum SubscriptionDue {
    /// Send a SUBSCRIBE outside of any dialog, with a new Call-ID and tag.
    Begin {
        /// The Expires to ask for.
        expires: Duration,
    },
    /// Send this SUBSCRIBE of the dialog.
    Refresh {
        /// Complete but for Via, Contact, Event and Expires.
        request: Request,
        /// The Expires to ask for; zero ends the subscription.
        expires: Duration,
    },
    /// Tell the application.
    Over(SubscriptionOver),
}

/// The end of a subscription.
#[derive(Debug)]
pub struct SubscriptionOver {
    /// How it ended.
    pub end: SubscriptionEnd,
    /// When the machine begins a new one by itself; `None`: never, and the machine is done.
    pub retry_in: Option<Duration>,
}

/// How a subscription ended.
#[derive(Clone, Debug)]
pub enum SubscriptionEnd {
    /// As we wished.
    Unsubscribed,
    /// The notifier ended it (RFC 6665 §4.1.3).
    Terminated {
        /// The reason that it gave, in lower case; may be empty.
        reason: String,
    },
    /// The SUBSCRIBE was refused or got no answer.
    Failed(Failure),
    /// No NOTIFY followed the SUBSCRIBE in 64*T1 (timer N).
    NoNotify,
    /// Its time ran out without a refresh.
    Expired,
}

/// One subscription; begun anew for as long as that makes sense.
#[derive(Debug)]
pub struct Subscription {
    event: EventPackage,
    wanted: Duration,
    /// 64*T1.
    timer_n: Duration,
    state: State,
    /// How often in a row it ended in short order.
    failures: u32,
    leaving: bool,
}

#[derive(Debug)]
enum State {
    /// A SUBSCRIBE is to be sent at this time.
    AwaitTime(Instant),
    /// It is out, and the NOTIFY that makes the dialog must come by then.
    AwaitNotify(Instant),
    Standing(Box<Standing>),
    Ended,
}

/// The dialog that the first NOTIFY made.
#[derive(Debug)]
struct Standing {
    dialog: Dialog,
    since: Instant,
    expires_at: Instant,
    /// When a SUBSCRIBE is due.
    refresh_at: Option<Instant>,
    /// A SUBSCRIBE is out.
    asking: bool,
    /// The NOTIFY that must follow a SUBSCRIBE (timer N).
    notify_by: Option<Instant>,
    /// The SUBSCRIBE that ends it has gone out.
    left: bool,
}

impl Subscription {
    /// Subscribes to `event` for `wanted` as soon as it is asked, at `now`; zero fetches the state
    /// once (§4.4.3). `t1` is the timer of that name.
    #[must_use]
    pub fn new(now: Instant, event: EventPackage, wanted: Duration, t1: Duration) -> Self {
        Self {
            event,
            wanted,
            timer_n: 64 * t1,
            state: State::AwaitTime(now),
            failures: 0,
            leaving: wanted.is_zero(),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn event(&self) -> &EventPackage {
        &self.event
    }

    /// Ends it: by a SUBSCRIBE with Expires 0, whose NOTIFY is the last (§4.1.2.3).
    pub fn unsubscribe(&mut self, now: Instant) {
        self.leaving = true;
        match &mut self.state {
            // What never began is over as soon as anybody looks.
            State::AwaitTime(at) => *at = now,
            State::Standing(standing) if !standing.asking && !standing.left => {
                standing.refresh_at = Some(now);
            }
            State::AwaitNotify(_) | State::Standing(_) | State::Ended => {}
        }
    }

    /// Whether it is over and is not begun anew.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The dialog, once a NOTIFY has made it.
    #[must_use]
    pub fn dialog(&self) -> Option<&Dialog> {
        match &self.state {
            State::Standing(standing) => Some(&standing.dialog),
            State::AwaitTime(_) | State::AwaitNotify(_) | State::Ended => None,
        }
    }

    /// The next CSeq for a SUBSCRIBE of the dialog that goes out again with credentials.
    #[must_use]
    pub fn take_cseq(&mut self) -> Option<u32> {
        match &mut self.state {
            State::Standing(standing) => Some(standing.dialog.take_cseq()),
            State::AwaitTime(_) | State::AwaitNotify(_) | State::Ended => None,
        }
    }

    /// Tells what is due; an early call is harmless and yields `None`.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant, rng: &mut StdRng) -> Option<SubscriptionDue> {
        let (leaving, fetch) = (self.leaving, self.wanted.is_zero());
        match &mut self.state {
            State::AwaitTime(at) if now >= *at => {
                if leaving && !fetch {
                    let end = SubscriptionEnd::Unsubscribed;
                    return Some(SubscriptionDue::Over(self.over(now, end, None, rng)));
                }
                self.state = State::AwaitNotify(now + self.timer_n);
                Some(SubscriptionDue::Begin {
                    expires: self.wanted,
                })
            }
            State::AwaitNotify(until) if now >= *until => Some(self.lost(now, rng)),
            State::Standing(standing) => {
                if standing.notify_by.is_some_and(|by| now >= by) {
                    return Some(self.lost(now, rng));
                }
                if now >= standing.expires_at {
                    let over = self.over(now, SubscriptionEnd::Expired, Some(Wait::None), rng);
                    return Some(SubscriptionDue::Over(over));
                }
                standing.refresh_at.take_if(|at| now >= *at)?;
                standing.asking = true;
                standing.left = leaving;
                standing.notify_by = Some(now + self.timer_n);
                Some(SubscriptionDue::Refresh {
                    request: standing.dialog.request(&Method::Subscribe),
                    expires: if leaving { Duration::ZERO } else { self.wanted },
                })
            }
            State::AwaitTime(_) | State::AwaitNotify(_) | State::Ended => None,
        }
    }

    /// When [`Self::handle_timeout`] next has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::AwaitTime(at) | State::AwaitNotify(at) => Some(*at),
            State::Standing(standing) => [
                Some(standing.expires_at),
                standing.refresh_at,
                standing.notify_by,
            ]
            .into_iter()
            .flatten()
            .min(),
            State::Ended => None,
        }
    }

    /// The final response to our SUBSCRIBE; `Some`: the subscription is over.
    #[must_use]
    pub fn handle_response(
        &mut self,
        now: Instant,
        response: Response,
        rng: &mut StdRng,
    ) -> Option<SubscriptionOver> {
        let status = response.status();
        if status.is_success() {
            let granted = wire::seconds(response.headers(), HeaderName::EXPIRES);
            self.granted(now, granted, rng);
            return None;
        }
        let minimum = wire::seconds(response.headers(), HeaderName::MIN_EXPIRES);
        let told = wire::seconds(response.headers(), HeaderName::RETRY_AFTER);
        let longer = minimum
            .filter(|minimum| status == StatusCode::INTERVAL_TOO_BRIEF && *minimum > self.wanted);
        if let Some(minimum) = longer
            && !self.leaving
        {
            // §4.2.1.1: ask again with at least that.
            self.wanted = minimum;
        }
        match &mut self.state {
            State::AwaitNotify(_) if longer.is_some() && !self.leaving => {
                self.state = State::AwaitTime(now);
                None
            }
            State::AwaitNotify(_) => {
                let wait = worth_trying_again(status)
                    .then_some(told)
                    .map(Wait::from_told)
                    .or(told.map(Wait::For));
                let failure = Failure::Rejected(response);
                Some(self.over(now, SubscriptionEnd::Failed(failure), wait, rng))
            }
            State::Standing(standing) if ends_usage(status) => {
                // A notifier that knows the subscription no more may take a new one.
                let gone = status == StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                let left = standing.left;
                let end = if left {
                    SubscriptionEnd::Unsubscribed
                } else {
                    SubscriptionEnd::Failed(Failure::Rejected(response))
                };
                Some(self.over(now, end, gone.then_some(Wait::None), rng))
            }
            State::Standing(standing) => {
                // §4.1.2.2: what was granted before still stands.
                let half = standing.expires_at.saturating_duration_since(now) / 2;
                let wait = told.unwrap_or(half).max(SHORTEST_WAIT);
                standing.asking = false;
                standing.notify_by = None;
                standing.left = false;
                standing.refresh_at = Some(if longer.is_some() { now } else { now + wait });
                None
            }
            State::AwaitTime(_) | State::Ended => None,
        }
    }

    /// No response: a timeout, or a transport that failed.
    #[must_use]
    pub fn handle_failure(
        &mut self,
        now: Instant,
        failure: Failure,
        rng: &mut StdRng,
    ) -> Option<SubscriptionOver> {
        match &self.state {
            State::AwaitNotify(_) | State::Standing(_) => {
                let end = SubscriptionEnd::Failed(failure);
                Some(self.over(now, end, Some(Wait::BackOff), rng))
            }
            State::AwaitTime(_) | State::Ended => None,
        }
    }

    /// A NOTIFY with our Call-ID and tag. `cseq` is the number of our last SUBSCRIBE outside of a
    /// dialog. `Ok(Some(..))`: the subscription is over with it.
    ///
    /// # Errors
    ///
    /// The status to answer it with: 489 to another event, 400 without Subscription-State, 481 to
    /// one of another dialog (§4.4.1: another branch of a forked SUBSCRIBE), 500 out of order.
    pub fn handle_notify(
        &mut self,
        now: Instant,
        notify: &Request,
        cseq: u32,
        rng: &mut StdRng,
    ) -> Result<Option<SubscriptionOver>, StatusCode> {
        let headers = notify.headers();
        if !self.event.is_of(headers) {
            return Err(StatusCode::BAD_EVENT);
        }
        let Ok(Some(told)) = headers.typed::<SubscriptionState<'_>>() else {
            return Err(StatusCode::BAD_REQUEST);
        };
        let expires = told.expires().map(|left| Duration::from_secs(left.into()));
        match &mut self.state {
            State::AwaitNotify(_) => {
                let dialog = Dialog::of_notify(notify, cseq).map_err(DialogError::status)?;
                let left = expires.unwrap_or(self.wanted);
                self.state = State::Standing(Box::new(Standing {
                    dialog,
                    since: now,
                    expires_at: now + left,
                    refresh_at: Some(now + refresh_after(left, rng)),
                    asking: false,
                    notify_by: None,
                    left: self.wanted.is_zero(),
                }));
            }
            State::Standing(standing) => {
                let dialog = &mut standing.dialog;
                if wire::from_tag(headers).unwrap_or_default() != dialog.remote_tag() {
                    return Err(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
                }
                let number = wire::cseq_number(headers).unwrap_or_default();
                dialog.check_cseq(number).map_err(DialogError::status)?;
                dialog.take_remote_cseq(number);
                dialog.refresh_target(headers);
                // What a NOTIFY says of the time left counts (§4.1.3).
                if let Some(left) = expires {
                    standing.expires_at = now + left;
                    if !standing.asking {
                        standing.refresh_at = Some(now + refresh_after(left, rng));
                    }
                }
                if !standing.left {
                    standing.notify_by = None;
                }
            }
            State::AwaitTime(_) | State::Ended => {
                return Err(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
            }
        }
        if told.is_terminated() {
            return Ok(Some(self.terminated(now, &told, rng)));
        }
        self.go_on(now);
        Ok(None)
    }

    /// The last NOTIFY: what its reason means for us (§4.1.3).
    fn terminated(
        &mut self,
        now: Instant,
        told: &SubscriptionState<'_>,
        rng: &mut StdRng,
    ) -> SubscriptionOver {
        if self.leaving {
            return self.over(now, SubscriptionEnd::Unsubscribed, None, rng);
        }
        let reason = told.reason().unwrap_or_default().to_ascii_lowercase();
        let after = told
            .retry_after()
            .map(|wait| Duration::from_secs(wait.into()));
        let wait = match reason.as_str() {
            "deactivated" | "timeout" => Some(Wait::None),
            "rejected" | "noresource" | "invariant" => None,
            _ => Some(Wait::from_told(after)),
        };
        self.over(now, SubscriptionEnd::Terminated { reason }, wait, rng)
    }

    /// The application wants to leave, and could not say so before the dialog stood.
    fn go_on(&mut self, now: Instant) {
        if let State::Standing(standing) = &mut self.state
            && self.leaving
            && !standing.left
            && !standing.asking
        {
            standing.refresh_at = Some(now);
        }
    }

    fn granted(&mut self, now: Instant, granted: Option<Duration>, rng: &mut StdRng) {
        let left = granted.unwrap_or(self.wanted);
        if let State::Standing(standing) = &mut self.state {
            if standing.asking && !standing.left {
                standing.expires_at = now + left;
                standing.refresh_at = Some(now + refresh_after(left, rng));
            }
            standing.asking = false;
        }
        self.go_on(now);
    }

    /// Timer N.
    fn lost(&mut self, now: Instant, rng: &mut StdRng) -> SubscriptionDue {
        let (end, wait) = if self.leaving {
            (SubscriptionEnd::Unsubscribed, None)
        } else {
            (SubscriptionEnd::NoNotify, Some(Wait::BackOff))
        };
        SubscriptionDue::Over(self.over(now, end, wait, rng))
    }

    fn over(
        &mut self,
        now: Instant,
        end: SubscriptionEnd,
        wait: Option<Wait>,
        rng: &mut StdRng,
    ) -> SubscriptionOver {
        if let State::Standing(standing) = &self.state
            && now - standing.since >= STOOD
        {
            self.failures = 0;
        }
        let retry_in = wait.filter(|_| !self.leaving).map(|wait| match wait {
            Wait::For(told) => told,
            // At once, but not for ever at once.
            Wait::None if self.failures == 0 => Duration::ZERO,
            Wait::None | Wait::BackOff => self.back_off(rng),
        });
        self.failures = self.failures.saturating_add(1);
        self.state = match retry_in {
            Some(wait) => State::AwaitTime(now + wait),
            None => State::Ended,
        };
        SubscriptionOver { end, retry_in }
    }

    /// Between half and all of a wait that doubles with each failure.
    fn back_off(&self, rng: &mut StdRng) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.failures.min(8)));
        let upper = doubled.min(LONGEST_WAIT).as_millis();
        let upper = u64::try_from(upper).unwrap_or(u64::MAX);
        Duration::from_millis(rng.random_range(upper / 2..=upper))
    }
}

/// How long until a new subscription is tried.
#[derive(Clone, Copy, Debug)]
enum Wait {
    None,
    For(Duration),
    BackOff,
}

impl Wait {
    fn from_told(told: Option<Duration>) -> Self {
        told.map_or(Self::BackOff, Self::For)
    }
}

/// Whether a status to a SUBSCRIBE or a NOTIFY ends the subscription (RFC 6665 §4.1.2.2, RFC 5057).
#[must_use]
pub fn ends_usage(status: StatusCode) -> bool {
    matches!(
        status.get(),
        404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604
    )
}
