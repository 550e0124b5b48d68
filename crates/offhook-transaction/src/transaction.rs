//! What a layer keeps of one transaction beside its machine: the bytes to send again.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use offhook_sip::{Headers, Request, Response};

use crate::client_invite::ClientInvite;
use crate::client_non_invite::ClientNonInvite;
use crate::flow::Flow;
use crate::server_invite::ServerInvite;
use crate::server_non_invite::ServerNonInvite;

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
    /// Further headers of a CANCEL that is held back (§9.1).
    pub(crate) cancel: Option<Box<Headers>>,
    /// Too large for UDP, so sent by TCP: what to do when that is refused (§18.1.1).
    pub(crate) fallback: Option<Box<Fallback>>,
    /// A CANCEL: the user asked for none of its events.
    pub(crate) silent: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientMachine {
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

/// The same request on a datagram transport.
#[derive(Debug)]
pub(crate) struct Fallback {
    pub(crate) request: Request,
    pub(crate) branch: String,
    pub(crate) flow: Flow,
}

/// A request of the peer's.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) machine: ServerMachine,
    /// The last response, if it may have to be sent again.
    pub(crate) bytes: Bytes,
    /// The 100 that is sent if the user is silent for long.
    pub(crate) trying: Option<Box<Response>>,
    /// The To tag of the response where it is not the one that the layer would give.
    pub(crate) tag: Option<Box<str>>,
    /// Where a new connection goes if that of the request is gone (§18.2.2).
    pub(crate) reopen: Option<SocketAddr>,
    pub(crate) cancelled: bool,
    pub(crate) undeliverable: bool,
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

impl Client {
    /// Whether no response at all has come.
    pub(crate) fn is_unanswered(&self) -> bool {
        match self.machine {
            ClientMachine::Invite(machine) => machine.is_calling(),
            ClientMachine::NonInvite(machine) => machine.is_trying(),
        }
    }

    /// Whether the final response has come.
    pub(crate) fn is_answered(&self) -> bool {
        match self.machine {
            ClientMachine::Invite(machine) => machine.is_answered(),
            ClientMachine::NonInvite(machine) => machine.is_answered(),
        }
    }
}
