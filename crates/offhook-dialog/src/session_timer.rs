//! Session timers: who refreshes a call, and when a silent one is ended (RFC 4028).

use std::time::{Duration, Instant};

use offhook_sip::{HeaderName, Headers};

use crate::wire;

/// The shortest interval that RFC 4028 §4 lets anybody ask for.
pub const SHORTEST: Duration = Duration::from_secs(90);

/// What we ask for and what we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimerConfig {
    /// The interval we propose.
    pub expires: Duration,
    /// The shortest we accept; 90 s at least.
    pub min_se: Duration,
}

impl Default for SessionTimerConfig {
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(1800),
            min_se: SHORTEST,
        }
    }
}

impl SessionTimerConfig {
    fn floor(&self) -> Duration {
        self.min_se.max(SHORTEST)
    }

    /// Writes Session-Expires and Min-SE into a request that may change the session (§7.1).
    ///
    /// `refresher` is named only within a call, where it must not change by itself (§7.4).
    pub fn propose(&self, request: &mut Headers, refresher: Option<Refresher>) {
        let expires = self.expires.max(self.floor()).as_secs();
        let suffix = match refresher {
            Some(Refresher::Us) => ";refresher=uac",
            Some(Refresher::Peer) => ";refresher=uas",
            None => "",
        };
        let floor = self.floor().as_secs();
        let _ = request.set_fmt(
            HeaderName::SESSION_EXPIRES,
            format_args!("{expires}{suffix}"),
        );
        let _ = request.set_fmt(HeaderName::MIN_SE, format_args!("{floor}"));
    }

    /// What holds after a 2xx without Session-Expires to our INVITE: the peer runs no timer, so
    /// that we refresh by ourselves.
    ///
    /// §7.2 does not ask for it. Without it nobody would notice that such a peer has vanished.
    #[must_use]
    pub fn alone(&self) -> Terms {
        Terms {
            interval: self.expires.max(self.floor()),
            refresher: Refresher::Us,
            alone: true,
        }
    }

    /// Decides as the side that answers (§9).
    ///
    /// # Errors
    ///
    /// [`TooShort`], to be answered 422 with its Min-SE.
    pub fn decide(&self, request: &Headers) -> Result<Terms, TooShort> {
        let knows_timer = wire::lists_option(request, HeaderName::SUPPORTED, "timer");
        let floor = self
            .floor()
            .max(wire::seconds(request, HeaderName::MIN_SE).unwrap_or_default());
        let Some(asked) = wire::seconds(request, HeaderName::SESSION_EXPIRES) else {
            let mut terms = self.alone();
            terms.interval = terms.interval.max(floor);
            return Ok(terms);
        };
        if asked < self.floor() && knows_timer {
            return Err(TooShort {
                min_se: self.floor(),
            });
        }
        let refresher = match wire::refresher(request, HeaderName::SESSION_EXPIRES).as_deref() {
            Some("uas") => Refresher::Us,
            // §9 table 2: without a wish of the caller's either side may; one that asked for a
            // timer refreshes it.
            _ if knows_timer => Refresher::Peer,
            _ => Refresher::Us,
        };
        Ok(Terms {
            interval: asked.min(self.expires).max(floor),
            refresher,
            alone: !knows_timer,
        })
    }
}

/// Who sends the refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// We do.
    Us,
    /// The peer does.
    Peer,
}

/// A Session-Expires below our floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort {
    /// What to write into the 422's Min-SE.
    pub min_se: Duration,
}

/// What both sides agreed on, or what we do alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The session interval.
    pub interval: Duration,
    /// Who refreshes.
    pub refresher: Refresher,
    /// The peer knows no session timer.
    alone: bool,
}

impl Terms {
    /// Writes the agreement into our 2xx (§9).
    pub fn put_in_answer(&self, response: &mut Headers) {
        let refresher = match self.refresher {
            Refresher::Us => "uas",
            Refresher::Peer => "uac",
        };
        let interval = self.interval.as_secs();
        let _ = response.set_fmt(
            HeaderName::SESSION_EXPIRES,
            format_args!("{interval};refresher={refresher}"),
        );
        if !self.alone && self.refresher == Refresher::Peer {
            wire::append(response, HeaderName::REQUIRE, "timer");
        }
    }

    /// Reads the agreement from the peer's 2xx (§7.2); `None`: the peer runs no timer.
    #[must_use]
    pub fn of_answer(response: &Headers) -> Option<Self> {
        let interval = wire::seconds(response, HeaderName::SESSION_EXPIRES)?;
        let refresher = match wire::refresher(response, HeaderName::SESSION_EXPIRES).as_deref() {
            Some("uas") => Refresher::Peer,
            _ => Refresher::Us,
        };
        Some(Self {
            interval: interval.max(SHORTEST),
            refresher,
            alone: false,
        })
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionDue {
    /// Send the refresh.
    Refresh,
    /// Nobody refreshed: send BYE.
    Expired,
}

/// The running timer of one call.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimer {
    terms: Terms,
    refresh_at: Option<Instant>,
    bye_at: Instant,
}

impl SessionTimer {
    /// Starts, or starts anew after a refresh, at the time of the 2xx (§10).
    #[must_use]
    pub fn start(now: Instant, terms: Terms) -> Self {
        // §10: the BYE goes min(32 s, a third of the interval) before the end.
        let margin = Duration::from_secs(32).min(terms.interval / 3);
        Self {
            terms,
            refresh_at: (terms.refresher == Refresher::Us).then(|| now + terms.interval / 2),
            bye_at: now + terms.interval.saturating_sub(margin),
        }
    }

    /// What was agreed.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Tells what is due; each refresh is told once.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<SessionDue> {
        if now >= self.bye_at {
            return Some(SessionDue::Expired);
        }
        if self.refresh_at.is_some_and(|at| now >= at) {
            self.refresh_at = None;
            return Some(SessionDue::Refresh);
        }
        None
    }

    /// A refresh of ours was refused, by a 500 to a request that was overtaken for one. The session
    /// stands until its end (§10): another refresh is due when half of the rest has passed.
    ///
    /// A peer that knows no session timer has agreed on no end: by refusing he shows that he is there.
    pub fn refused(&mut self, now: Instant) {
        if self.terms.alone {
            *self = Self::start(now, self.terms);
            return;
        }
        let rest = self.bye_at.saturating_duration_since(now);
        let ours = self.terms.refresher == Refresher::Us;
        if ours && self.refresh_at.is_none() && rest > Duration::from_secs(2) {
            self.refresh_at = Some(now + rest / 2);
        }
    }

    /// When [`Self::handle_timeout`] next has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.refresh_at.unwrap_or(self.bye_at).min(self.bye_at)
    }
}
