//! What the exchange tells its owner, and what it asks of it.

use core::fmt;
use std::net::{IpAddr, SocketAddr};

use offhook_media::relay;
use offhook_routing::Line;
use offhook_routing::location::{AddressOfRecord, Change, Question};
use offhook_routing::next_hop::DnsQuestion;
use offhook_transaction::{Flow, Transmit};

use crate::cdr::{BridgeId, CallRecord, End};
use crate::printable::Printable;
use crate::sound::SoundRequest;

/// One thing that [`Server::poll_output`](crate::server::Server::poll_output) wants done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send a SIP message.
    Transmit(Transmit),
    /// Ask the DNS; the answer returns by `handle_dns_answer`.
    Resolve(DnsQuestion),
    /// Ask the store of bindings that servers share; the answer returns by
    /// `handle_location_answer`. Only with `Config::shared_location`.
    Locate(Question),
    /// Bindings changed: what a store has to keep. May be dropped when nothing is stored.
    Store(Vec<Change>),
    /// A command to the voice relays; what they say returns by `handle_media_event`.
    Media(relay::Command),
    /// A sound in a file is to be read or written; what is read returns by `handle_sound`.
    Sound(SoundRequest),
    /// Something worth a log line.
    Event(Event),
}

/// What happened, for logs, call records and pictures.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A phone logged in, refreshed or logged out: its bindings now.
    Registered {
        /// The user.
        user: AddressOfRecord,
        /// How many contacts the user has now.
        contacts: usize,
    },
    /// A request was turned away for want of a proof. Told a few times a second at the most.
    Unauthorized {
        /// The method, as it stood in the request.
        method: String,
        /// Where the request came from.
        flow: Flow,
    },
    /// A call was offered to the callee's phones.
    CallStarted {
        /// The number of the call in this process.
        call: BridgeId,
        /// The verified caller.
        caller: String,
        /// What was dialled.
        called: String,
    },
    /// A party of a call pressed a key (RFC 4733); the other one, if there is one, has got it, too.
    Digit {
        /// The call.
        call: BridgeId,
        /// Who pressed it.
        end: End,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// A party of a call that is to speak has sent no voice for the media timeout; told once until
    /// voice comes again.
    VoiceMissing {
        /// The call.
        call: BridgeId,
        /// Who is silent.
        end: End,
    },
    /// A call ended, answered or not.
    CallEnded(Box<CallRecord>),
    /// The picture of a call that ended, when ladders are switched on.
    Ladder {
        /// The call.
        call: BridgeId,
        /// The picture, ready to print.
        picture: String,
    },
    /// A rule of the routing table has something to say: `echo`, `debug`, or a warning.
    Routing(Line),
    /// More comes than may be looked at: the requests refused or ignored since the last report,
    /// which is told every ten seconds at the most.
    Flood {
        /// Who was refused last.
        from: SocketAddr,
        /// How many requests.
        refused: u64,
    },
    /// More comes than the machine can do: the requests refused since the last report, which is told every
    /// ten seconds at the most.
    Overload {
        /// How many requests.
        refused: u64,
    },
    /// Somebody could not be called (488): no address of the exchange's own is known in his version of
    /// IP, at which it could take his voice. Told every ten seconds at the most.
    NoAddress {
        /// Where he is.
        there: IpAddr,
    },
    /// A table is full: what it holds was refused with 503.
    LimitReached {
        /// Which table.
        what: &'static str,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { user, contacts } => {
                let user = Printable(user.as_str());
                match contacts {
                    0 => write!(f, "{user} has logged out"),
                    _ => write!(f, "{user} is logged in at {contacts} place(s)"),
                }
            }
            Self::Unauthorized { method, flow } => {
                write!(f, "{method} from {} failed to log in", flow.remote)
            }
            Self::CallStarted {
                call,
                caller,
                called,
            } => write!(
                f,
                "{call}: {} calls {}",
                Printable(caller),
                Printable(called)
            ),
            Self::Digit { call, end, digit } => write!(f, "{call}: the {end} pressed {digit}"),
            Self::VoiceMissing { call, end } => write!(f, "{call}: no voice from the {end}"),
            Self::CallEnded(record) => write!(f, "{record}"),
            Self::Ladder { call, picture } => write!(f, "{call}\n{picture}"),
            Self::Routing(Line::Output(text) | Line::Debug(_, text)) => {
                write!(f, "routing: {}", Printable(text))
            }
            Self::Routing(Line::Warning(text)) => {
                write!(f, "routing: warning: {}", Printable(text))
            }
            Self::Flood { from, refused } => {
                write!(
                    f,
                    "flood: {refused} request(s) refused, the last from {from}"
                )
            }
            Self::Overload { refused } => {
                write!(f, "overload: {refused} new request(s) refused")
            }
            Self::NoAddress { there } => {
                let version = if there.is_ipv4() { 4 } else { 6 };
                write!(
                    f,
                    "no call to {there}: this server listens on no particular address of IPv{version}"
                )
            }
            Self::LimitReached { what } => write!(f, "no room for more {what}"),
        }
    }
}
