//! What a layer keeps of one transaction beside its machine: the bytes to send again.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use offhook_sip::{Headers, Method, Request, Response, StatusCode};

use crate::act::{ClientAct, ServerAct};
use crate::client_invite::ClientInvite;
use crate::client_non_invite::ClientNonInvite;
use crate::flow::Flow;
use crate::kept::Kept;
use crate::server_invite::ServerInvite;
use crate::server_non_invite::ServerNonInvite;
use crate::timer::Timers;
use crate::token::Token;

#[derive(Debug)]
pub(crate) enum Transaction {
    Client(Client),
    Server(Server),
}

/// A request of ours.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) machine: ClientMachine,
    /// The request until its final response, then the ACK of a failure, else nothing.
    pub(crate) bytes: Bytes,
    /// What few requests have.
    pub(crate) extra: Option<Box<Extra>>,
    /// How many Via values the request has, and so its responses.
    pub(crate) vias: u16,
    /// A CANCEL: the user asked for none of its events.
    pub(crate) silent: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientMachine {
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

/// What a request may need before its final response.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Further headers of a CANCEL that is held back (§9.1).
    pub(crate) cancel: Headers,
    /// Too large for UDP, so sent by TCP: what to do when that is refused (§18.1.1).
    pub(crate) fallback: Option<Fallback>,
}

impl Extra {
    pub(crate) fn falling_back(fallback: Fallback) -> Self {
        Self {
            cancel: Headers::new(),
            fallback: Some(fallback),
        }
    }
}

/// The same request on a datagram transport.
#[derive(Debug)]
pub(crate) struct Fallback {
    pub(crate) request: Request,
    /// What its branch is made of.
    pub(crate) token: Token,
    pub(crate) flow: Flow,
}

/// A request of the peer's.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) machine: ServerMachine,
    /// The last response, if it may have to be sent again.
    pub(crate) kept: Kept,
    /// The request, for the 100 that is sent if the user is silent for long.
    pub(crate) request: Option<Arc<Request>>,
    /// The To tag of the response where it is not the one that the layer would give.
    pub(crate) tag: Option<Box<str>>,
    /// The port that a new connection goes to if that of the request is gone (§18.2.2).
    pub(crate) reopen: Option<u16>,
    /// The To of the request has a tag.
    pub(crate) in_dialog: bool,
    pub(crate) cancelled: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerMachine {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

impl Transaction {
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Client(client) => match client.machine {
                ClientMachine::Invite(machine) => machine.poll_timeout(),
                ClientMachine::NonInvite(machine) => machine.poll_timeout(),
            },
            Self::Server(server) => match server.machine {
                ServerMachine::Invite(machine) => machine.poll_timeout(),
                ServerMachine::NonInvite(machine) => machine.poll_timeout(),
            },
        }
    }
}

impl Server {
    /// Keeps of a response what repeats of the request may need. `own_tag` is the user's To tag where
    /// it is another than `tag`, the layer's.
    pub(crate) fn keep(
        &mut self,
        response: &Response,
        payload: &Bytes,
        own_tag: Option<&str>,
        tag: &str,
    ) {
        let request = self.request.take();
        let is_invite = matches!(self.machine, ServerMachine::Invite(_));
        let in_dialog = self.in_dialog;
        let added = if in_dialog {
            ""
        } else {
            own_tag.unwrap_or(tag)
        };
        self.kept = match request {
            // The 2xx of an INVITE is the user's to repeat.
            _ if is_invite && response.status().is_success() => Kept::Nothing,
            Some(request) if !is_invite => Kept::beside(&request, added, payload),
            _ => Kept::whole(payload.clone()),
        };
        if own_tag.is_some() && (is_invite || !in_dialog) {
            self.tag = own_tag.map(Into::into);
        }
    }
}

impl ClientMachine {
    pub(crate) fn new(now: Instant, method: &Method, timers: &Timers, reliable: bool) -> Self {
        if *method == Method::Invite {
            Self::Invite(ClientInvite::new(now, timers, reliable))
        } else {
            Self::NonInvite(ClientNonInvite::new(now, timers, reliable))
        }
    }

    pub(crate) fn handle_response(
        self,
        now: Instant,
        status: StatusCode,
        timers: &Timers,
        reliable: bool,
    ) -> (Option<Self>, ClientAct) {
        match self {
            Self::Invite(machine) => {
                let (next, act) = machine.handle_response(now, status, timers, reliable);
                (next.map(Self::Invite), act)
            }
            Self::NonInvite(machine) => {
                let (next, act) = machine.handle_response(now, status, timers, reliable);
                (next.map(Self::NonInvite), act)
            }
        }
    }

    pub(crate) fn handle_timeout(self, now: Instant, timers: &Timers) -> (Option<Self>, ClientAct) {
        match self {
            Self::Invite(machine) => {
                let (next, act) = machine.handle_timeout(now, timers);
                (next.map(Self::Invite), act)
            }
            Self::NonInvite(machine) => {
                let (next, act) = machine.handle_timeout(now, timers);
                (next.map(Self::NonInvite), act)
            }
        }
    }

    /// Whether no response at all has come.
    pub(crate) fn is_unanswered(self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_calling(),
            Self::NonInvite(machine) => machine.is_trying(),
        }
    }

    /// Whether the final response has come.
    pub(crate) fn is_answered(self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_answered(),
            Self::NonInvite(machine) => machine.is_answered(),
        }
    }

    /// The same wish to cancel in a machine that starts anew.
    pub(crate) fn with_cancel_of(self, old: Self, now: Instant, timers: &Timers) -> Self {
        match (self, old) {
            (Self::Invite(fresh), Self::Invite(old)) if old.holds_cancel() => {
                let held = fresh.cancel(now, timers);
                Self::Invite(held.map_or(fresh, |(machine, _)| machine))
            }
            _ => self,
        }
    }
}

impl ServerMachine {
    pub(crate) fn handle_repeat(self) -> ServerAct {
        match self {
            Self::Invite(machine) => machine.handle_repeat(),
            Self::NonInvite(machine) => machine.handle_repeat(),
        }
    }

    pub(crate) fn handle_timeout(self, now: Instant, timers: &Timers) -> (Option<Self>, ServerAct) {
        match self {
            Self::Invite(machine) => {
                let (next, act) = machine.handle_timeout(now, timers);
                (next.map(Self::Invite), act)
            }
            Self::NonInvite(machine) => {
                let (next, act) = machine.handle_timeout(now);
                (next.map(Self::NonInvite), act)
            }
        }
    }

    /// Whether an INVITE still has no final response.
    pub(crate) fn is_open_invite(self) -> bool {
        matches!(self, Self::Invite(machine) if machine.is_proceeding())
    }

    /// Whether a final response may still be given.
    pub(crate) fn awaits_final(self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_proceeding(),
            Self::NonInvite(machine) => !matches!(machine, ServerNonInvite::Completed(_)),
        }
    }

    /// Whether the ACK of a failure response is awaited.
    pub(crate) fn awaits_ack(self) -> bool {
        matches!(self, Self::Invite(machine) if machine.is_completed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Entry;

    #[test]
    fn a_transaction_stays_small() {
        assert!(size_of::<Option<Entry<Transaction>>>() <= 224);
    }
}
