//! A subscription as the notifier keeps it: granted, reported on, ended (RFC 6665 §4.2).
//!
//! The machine owns no clock and sends nothing: the caller passes `now` in, sends the NOTIFYs that
//! come out of the verbs, and brings their answers back.

use std::time::{Duration, Instant};

use offhook_sip::{HeaderName, Method, Request, StatusCode};

use crate::body::Body;
use crate::dialog::Dialog;
use crate::error::DialogError;
use crate::event_package::EventPackage;
use crate::subscription::ends_usage;
use crate::wire;

/// Why a notifier ends a subscription, and so what the subscriber is to do (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termination {
    /// Subscribe again at once: it moves elsewhere.
    Deactivated,
    /// Subscribe again later.
    Probation,
    /// It is not allowed.
    Rejected,
    /// Its time ran out.
    Timeout,
    /// Whether it is allowed was not told in time.
    GiveUp,
    /// What it is about is gone.
    NoResource,
    /// What it is about will not change any more.
    Invariant,
}

impl Termination {
    fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
        }
    }
}

/// One subscriber. At most one NOTIFY is open at a time, so that none can overtake another; what
/// happens meanwhile is said by the next one, once.
#[derive(Debug)]
pub struct Notifier {
    dialog: Dialog,
    event: EventPackage,
    expires_at: Instant,
    pending: bool,
    body: Option<Box<Body>>,
    /// Why, once it is to end.
    ending: Option<Termination>,
    /// There is something that the last NOTIFY did not say.
    news: bool,
    turn: Turn,
}

/// Where its NOTIFYs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// None is open.
    Free,
    /// One waits for its answer.
    Open,
    /// The last one waits for its answer.
    LastOpen,
    /// None is sent any more.
    Over,
}

impl Notifier {
    /// The subscription that a SUBSCRIBE asks for and that is answered 2xx with `local_tag`; zero
    /// `granted` is a fetch, told of once. `pending`: whether it is allowed is not known yet.
    ///
    /// # Errors
    ///
    /// [`DialogError`] when there is nowhere to send the NOTIFYs.
    pub fn new(
        now: Instant,
        subscribe: &Request,
        event: EventPackage,
        local_tag: &str,
        granted: Duration,
        pending: bool,
    ) -> Result<Self, DialogError> {
        let mut this = Self {
            dialog: Dialog::of_callee(subscribe, local_tag)?,
            event,
            expires_at: now,
            pending,
            body: None,
            ending: None,
            news: false,
            turn: Turn::Free,
        };
        this.grant(now, granted);
        Ok(this)
    }

    /// What it is about.
    #[must_use]
    pub fn event(&self) -> &EventPackage {
        &self.event
    }

    /// The dialog of the subscription.
    #[must_use]
    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    /// The next CSeq for a NOTIFY that goes out again with credentials.
    #[must_use]
    pub fn take_cseq(&mut self) -> u32 {
        self.dialog.take_cseq()
    }

    /// Whether nothing is to be sent or awaited any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.turn == Turn::Over
    }

    /// A SUBSCRIBE of the dialog, in order and about this event, is answered 2xx: it is refreshed,
    /// or ended by zero. The state is told again in any case (§4.2.1.2).
    pub fn refresh(&mut self, now: Instant, subscribe: &Request, granted: Duration) {
        let number = wire::cseq_number(subscribe.headers()).unwrap_or_default();
        self.dialog.take_remote_cseq(number);
        self.dialog.refresh_target(subscribe.headers());
        self.grant(now, granted);
    }

    fn grant(&mut self, now: Instant, granted: Duration) {
        self.expires_at = now + granted;
        self.news = true;
        if granted.is_zero() {
            self.ending.get_or_insert(Termination::Timeout);
        }
    }

    /// The state has changed; the subscription is active from now on.
    pub fn notify(&mut self, body: Option<Body>) {
        self.pending = false;
        self.put(body);
    }

    /// Keeps a state to be told while the subscription is what it is.
    pub fn put(&mut self, body: Option<Body>) {
        self.body = body.map(Box::new);
        self.news = true;
    }

    /// Ends it with a last NOTIFY that gives this reason (§4.2.2).
    pub fn end(&mut self, reason: Termination) {
        self.ending.get_or_insert(reason);
        self.news = true;
    }

    /// Ends it when its time has run out; an early call is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.expires_at && self.ending.is_none() {
            self.end(Termination::Timeout);
        }
    }

    /// When [`Self::handle_timeout`] next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.ending.is_none().then_some(self.expires_at)
    }

    /// The NOTIFY to send now, if there is news and none is open. Complete but for Via and Contact.
    #[must_use]
    pub fn poll_notify(&mut self, now: Instant) -> Option<Request> {
        if !self.news || self.turn != Turn::Free {
            return None;
        }
        self.news = false;
        self.turn = if self.ending.is_some() {
            Turn::LastOpen
        } else {
            Turn::Open
        };
        let mut request = self.dialog.request(&Method::Notify);
        let headers = request.headers_mut();
        wire::append(headers, HeaderName::EVENT, &self.event.to_string());
        let left = self.expires_at.saturating_duration_since(now).as_secs();
        let state = match self.ending {
            Some(reason) => format!("terminated;reason={}", reason.as_str()),
            None if self.pending => format!("pending;expires={left}"),
            None => format!("active;expires={left}"),
        };
        wire::append(headers, HeaderName::SUBSCRIPTION_STATE, &state);
        if let Some(body) = &self.body
            && !self.pending
        {
            body.put_in_request(&mut request);
        }
        Some(request)
    }

    /// The final response to our NOTIFY, or the status that stands for none (§4.2.2).
    pub fn handle_response(&mut self, status: StatusCode) {
        self.turn = if self.turn != Turn::Open || ends_usage(status) {
            Turn::Over
        } else {
            Turn::Free
        };
    }

    /// Whether a SUBSCRIBE of the dialog comes in order.
    ///
    /// # Errors
    ///
    /// The status to answer it with: 500 out of order, 489 to another event, 481 once it is over.
    pub fn check(&self, subscribe: &Request) -> Result<(), StatusCode> {
        let number = wire::cseq_number(subscribe.headers()).unwrap_or_default();
        self.dialog
            .check_cseq(number)
            .map_err(DialogError::status)?;
        if !self.event.is_of(subscribe.headers()) {
            return Err(StatusCode::BAD_EVENT);
        }
        if self.ending.is_some() {
            return Err(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
        }
        Ok(())
    }
}
