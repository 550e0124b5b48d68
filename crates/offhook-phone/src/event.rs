//! What a phone wants done, and what it tells.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use offhook_media::session::Statistics;
use offhook_routing::next_hop::DnsQuestion;
use offhook_sip::{Response, StatusCode};
use offhook_trace::ladder::Ladder;
use offhook_transaction::Transmit;
use offhook_ua::EndCause;

use crate::account::AccountId;
use crate::audio::Frame;

/// Names one call of a phone; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a phone wants done.
#[derive(Debug)]
pub enum Output {
    /// Send a SIP message.
    Transmit(Transmit),
    /// Ask the DNS; the answer goes to `handle_dns_answer`.
    Resolve(DnsQuestion),
    /// Do something with a voice port.
    Media(MediaCommand),
    /// Play 20 ms.
    Audio {
        /// The call that they are heard in.
        call: CallId,
        /// What is heard.
        frame: Box<Frame>,
    },
    /// Tell the person.
    Event(Event),
}

/// What is to be done with a voice port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCommand {
    /// Open it, and tell `handle_media_opened` whether that worked.
    Open {
        /// The address and port.
        local: SocketAddr,
    },
    /// Send from it.
    Send {
        /// The port.
        port: u16,
        /// The far end.
        to: SocketAddr,
        /// The packet.
        payload: Bytes,
    },
    /// Close it.
    Close {
        /// The port.
        port: u16,
    },
}

/// What a phone tells.
#[derive(Debug)]
pub enum Event {
    /// We are logged in.
    Registered {
        /// The account.
        account: AccountId,
        /// For how long; it is renewed in time.
        expires: Duration,
    },
    /// Logging in, or staying so, failed.
    RegistrationFailed {
        /// The account.
        account: AccountId,
        /// Why, as a status: the server's, or 408, or 503.
        status: StatusCode,
        /// When it is tried again; `None`: not by itself.
        retry_in: Option<Duration>,
    },
    /// We are logged out.
    Unregistered {
        /// The account.
        account: AccountId,
    },
    /// Somebody calls. Answer or reject.
    Incoming {
        /// The call.
        call: CallId,
        /// Who says to be calling: the From header's address.
        from: String,
        /// Whom they called.
        to: String,
    },
    /// The far end says something of our call before it is answered: it rings, or is queued.
    Progress {
        /// The call.
        call: CallId,
        /// What it says.
        response: Response,
    },
    /// The call is answered, by either side.
    Answered {
        /// The call.
        call: CallId,
    },
    /// The first voice of the other side has arrived.
    Hearing {
        /// The call.
        call: CallId,
        /// From where.
        from: SocketAddr,
    },
    /// The other side pressed a key.
    Digit {
        /// The call.
        call: CallId,
        /// Which: `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
    },
    /// The other side holds the call, or takes it up again.
    Held {
        /// The call.
        call: CallId,
        /// Whether it does not want to hear us.
        held: bool,
    },
    /// We hold the call, or have taken it up again: the other side has agreed.
    Holding {
        /// The call.
        call: CallId,
        /// Whether we do not want to hear the other side.
        holding: bool,
    },
    /// The other side does not agree to being held, or taken up again: all is as before.
    NotHolding {
        /// The call.
        call: CallId,
        /// Why.
        status: StatusCode,
    },
    /// What becomes of a transfer: 1xx while it is tried, 2xx when the two are connected (the call
    /// then ends), anything else when it failed and the call goes on.
    Transfer {
        /// The call.
        call: CallId,
        /// How the new call does.
        status: StatusCode,
    },
    /// The call is over.
    Ended {
        /// The call.
        call: CallId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Nothing of the call is left: its last packets have come, its ports are closed.
    Cleared {
        /// The call.
        call: CallId,
        /// How the voice did; `None` if there was none.
        statistics: Option<Box<Statistics>>,
        /// The picture of it, if wanted.
        ladder: Option<Box<Ladder>>,
    },
}

/// How a call ended.
#[derive(Debug)]
pub struct Outcome {
    /// Whether anybody answered it.
    pub answered: bool,
    /// Why it ended.
    pub cause: Cause,
}

/// Why a call ended.
#[derive(Debug)]
pub enum Cause {
    /// As the user agent tells it.
    Signalled(EndCause),
    /// No voice port was to be had.
    NoPort,
    /// The two sides have no codec in common, or the other's description is broken.
    NoAgreement,
    /// We gave up before anything was sent.
    GivenUp,
}

impl Outcome {
    /// Whether it was answered and ended by one of the two people.
    pub const fn is_good(&self) -> bool {
        let by_people = matches!(
            self.cause,
            Cause::Signalled(EndCause::LocalHangUp | EndCause::RemoteHangUp { .. })
        );
        self.answered && by_people
    }

    /// The status that says why there was no call, or why it broke: the peer's own, or the one
    /// that stands for what happened. `None` when it ended as calls do.
    pub fn status(&self) -> Option<StatusCode> {
        match &self.cause {
            Cause::Signalled(cause) => match cause {
                EndCause::Rejected { response } => Some(response.status()),
                EndCause::LocalReject { status } | EndCause::DialogGone { status } => Some(*status),
                EndCause::TimedOut | EndCause::AckMissing | EndCause::SessionExpired => {
                    Some(StatusCode::REQUEST_TIMEOUT)
                }
                EndCause::TransportFailed | EndCause::Unresolved | EndCause::LimitReached => {
                    Some(StatusCode::SERVICE_UNAVAILABLE)
                }
                EndCause::Cancelled { .. } | EndCause::InvitationExpired => {
                    Some(StatusCode::REQUEST_TERMINATED)
                }
                EndCause::LocalHangUp if !self.answered => Some(StatusCode::REQUEST_TERMINATED),
                _ => None,
            },
            Cause::NoPort => Some(StatusCode::SERVICE_UNAVAILABLE),
            Cause::NoAgreement => Some(StatusCode::NOT_ACCEPTABLE_HERE),
            Cause::GivenUp => Some(StatusCode::REQUEST_TERMINATED),
        }
    }
}

impl fmt::Display for Outcome {
    /// In plain words: who ended it, or the status that says why there was nothing to end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Signalled(EndCause::Rejected { response }) => {
                write!(f, "{} {}", response.status(), response.reason())
            }
            Cause::Signalled(EndCause::RemoteHangUp { .. }) => {
                f.write_str("the other side hung up")
            }
            Cause::Signalled(EndCause::LocalHangUp) if self.answered => f.write_str("we hung up"),
            Cause::Signalled(EndCause::LocalHangUp) | Cause::GivenUp => f.write_str("we gave up"),
            Cause::Signalled(EndCause::Cancelled { .. } | EndCause::InvitationExpired) => {
                f.write_str("the caller gave up")
            }
            Cause::Signalled(EndCause::TimedOut) => f.write_str("408 no answer to our packets"),
            Cause::Signalled(EndCause::TransportFailed) => f.write_str("503 unreachable"),
            Cause::Signalled(EndCause::Unresolved) => f.write_str("503 the name leads nowhere"),
            Cause::NoPort => f.write_str("503 no voice port is free"),
            Cause::NoAgreement => f.write_str("488 no codec in common"),
            Cause::Signalled(_) => match self.status() {
                Some(status) => write!(f, "{status} {}", status.reason()),
                None => f.write_str("it was given to another call"),
            },
        }
    }
}
