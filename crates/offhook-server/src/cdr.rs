//! One record a call: who called whom, how it ended, and what the voice was like.

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;
use std::time::Instant;

use offhook_auth::UnixTime;
use offhook_media::relay::{self, StreamReport};
use offhook_sip::StatusCode;

use crate::media_anchor::Side;
use crate::moment::Moment;
use crate::printable::Printable;

/// The number of one bridged call, unique in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId(pub(crate) u64);

impl fmt::Display for BridgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call-{}", self.0)
    }
}

/// Which end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The side that called.
    Caller,
    /// The side that was called.
    Callee,
    /// The exchange itself.
    Exchange,
}

impl End {
    pub(crate) const fn of_relay(side: relay::Side) -> Self {
        match side {
            relay::Side::A => Self::Caller,
            relay::Side::B => Self::Callee,
        }
    }

    pub(crate) const fn of(side: Side) -> Self {
        match side {
            Side::Caller => Self::Caller,
            Side::Callee => Self::Callee,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Exchange => "server",
        })
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, and this end hung up.
    Answered(End),
    /// The caller gave up before an answer.
    Cancelled,
    /// It never came to a conversation; the caller was told this status.
    Failed(StatusCode),
}

/// What is written down of one call when it has ended.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The call.
    pub call: BridgeId,
    /// The verified caller.
    pub caller: String,
    /// What was dialled.
    pub called: String,
    /// The user who answered.
    pub answered_by: Option<String>,
    /// When the INVITE came, seconds since 1970.
    pub began_at: UnixTime,
    /// From the INVITE to the first ringing.
    pub ringing_after: Option<Duration>,
    /// From the INVITE to the answer.
    pub answered_after: Option<Duration>,
    /// From the INVITE to the end.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The text of the Reason header that ended it (RFC 3326).
    pub reason: Option<String>,
    /// The Call-IDs of its legs, the caller's first.
    pub call_ids: Vec<String>,
    /// Where the exchange took voice, from the caller and from the callee.
    pub voice_ports: Option<[SocketAddr; 2]>,
    /// The voice streams that the relay received.
    pub streams: Vec<StreamReport>,
}

impl fmt::Display for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caller, called) = (Printable(&self.caller), Printable(&self.called));
        write!(f, "{} {caller} -> {called}: ", self.call)?;
        match &self.outcome {
            Outcome::Answered(end) => {
                let talked = self
                    .duration
                    .saturating_sub(self.answered_after.unwrap_or_default());
                write!(
                    f,
                    "answered, {:.3} s, ended by the {end}",
                    talked.as_secs_f64()
                )
            }
            Outcome::Cancelled => write!(f, "cancelled after {:.3} s", self.duration.as_secs_f64()),
            Outcome::Failed(status) => write!(f, "failed with {status}"),
        }?;
        self.streams.iter().try_for_each(|stream| {
            write!(
                f,
                "; voice of the {}: {} packets, {} lost, jitter {:.1} ms, MOS {:.2}",
                End::of_relay(stream.side),
                stream.packets,
                stream.lost,
                stream.jitter.as_secs_f64() * 1000.0,
                stream.mos,
            )?;
            match stream.round_trip {
                Some(time) => write!(f, ", round trip {:.0} ms", time.as_secs_f64() * 1000.0),
                None => Ok(()),
            }
        })
    }
}

/// A record in the making.
#[derive(Debug)]
pub(crate) struct Draft {
    call: BridgeId,
    caller: String,
    called: String,
    began_at: UnixTime,
    began: Instant,
    ringing: Option<Instant>,
    answered: Option<(Instant, Option<String>)>,
    outcome: Option<Outcome>,
    reason: Option<String>,
    call_ids: Vec<String>,
}

impl Draft {
    pub(crate) fn new(call: BridgeId, caller: String, called: String, at: Moment) -> Self {
        Self {
            call,
            caller,
            called,
            began_at: at.wall,
            began: at.now,
            ringing: None,
            answered: None,
            outcome: None,
            reason: None,
            // Nearly every call has two legs.
            call_ids: Vec::with_capacity(2),
        }
    }

    /// One more leg, by its Call-ID.
    pub(crate) fn leg(&mut self, call_id: &str) {
        self.call_ids.push(call_id.to_owned());
    }

    pub(crate) fn rings(&mut self, now: Instant) {
        self.ringing.get_or_insert(now);
    }

    /// Whether somebody's phone has rung.
    pub(crate) const fn has_rung(&self) -> bool {
        self.ringing.is_some()
    }

    pub(crate) fn answers(&mut self, now: Instant, user: Option<String>) {
        self.answered.get_or_insert((now, user));
    }

    /// The first cause counts: what follows is the tidying up of the other leg.
    pub(crate) fn ends(&mut self, outcome: Outcome, reason: Option<String>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.reason = reason;
        }
    }

    pub(crate) fn finish(
        self,
        now: Instant,
        voice_ports: Option<[SocketAddr; 2]>,
        streams: Vec<StreamReport>,
    ) -> CallRecord {
        let since = |then: Instant| then.saturating_duration_since(self.began);
        CallRecord {
            call: self.call,
            caller: self.caller,
            called: self.called,
            began_at: self.began_at,
            ringing_after: self.ringing.map(since),
            answered_after: self.answered.as_ref().map(|(at, _)| since(*at)),
            duration: since(now),
            answered_by: self.answered.and_then(|(_, user)| user),
            outcome: self
                .outcome
                .unwrap_or(Outcome::Failed(StatusCode::SERVER_INTERNAL_ERROR)),
            reason: self.reason,
            call_ids: self.call_ids,
            voice_ports,
            streams,
        }
    }
}
