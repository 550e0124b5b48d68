//! What a layer tells its user, and the names of transactions.

use std::sync::Arc;

use offhook_sip::{ParseError, Request, Response};

use crate::flow::{Flow, Transmit};
use crate::table::Id;

/// Names a client transaction of one layer; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTransactionId(pub(crate) Id);

/// Names a server transaction of one layer; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTransactionId(pub(crate) Id);

/// What [`Layer::poll_output`](crate::Layer::poll_output) yields.
#[derive(Clone, Debug)]
#[must_use]
// Boxing the event would cost an allocation for each message that comes in.
#[allow(clippy::large_enum_variant)]
pub enum Output {
    /// Send this.
    Transmit(Transmit),
    /// Know this.
    Event(Event),
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::server_transactions`](crate::Limits::server_transactions).
    ServerTransactions,
}

/// What has happened to the transactions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new request, neither ACK nor CANCEL. Its top Via says already where it came from
    /// (`received`, `rport`). Answer it with [`Layer::respond`](crate::Layer::respond).
    Request {
        /// What to answer.
        transaction: ServerTransactionId,
        /// The request, shared with the transaction until it is answered.
        request: Arc<Request>,
        /// The way it came.
        flow: Flow,
    },
    /// An ACK for a 2xx (or one that belongs to nothing known); it is never answered.
    Ack {
        /// The ACK.
        request: Request,
        /// The way it came.
        flow: Flow,
    },
    /// The INVITE of this transaction is cancelled; the CANCEL itself has been answered 200.
    /// Answer the INVITE with 487 (RFC 3261 §9.2). Comes at most once a transaction, and not
    /// after its final response.
    Cancelled {
        /// The INVITE.
        transaction: ServerTransactionId,
        /// The CANCEL, with its Reason.
        cancel: Request,
        /// The way it came.
        flow: Flow,
    },
    /// A response: each provisional one, the final one, and for INVITE each further 2xx.
    Response {
        /// The request.
        transaction: ClientTransactionId,
        /// The response.
        response: Response,
        /// The way it came; on a stream it names the connection that is now open.
        flow: Flow,
    },
    /// A response to a request of ours that awaits none: a 2xx to an INVITE whose failure is told
    /// already, since another branch of a fork answered; or one to a transaction that is over.
    StrayResponse {
        /// The INVITE, while its transaction lives: its branch, which nobody can guess, says that
        /// the response is to it. To be acknowledged and ended (RFC 3261 §13.2.2.4).
        transaction: Option<ClientTransactionId>,
        /// The response.
        response: Response,
        /// The way it came.
        flow: Flow,
    },
    /// No final response came in time: to be taken as a 408 (RFC 3261 §8.1.3.1).
    TimedOut {
        /// The request.
        transaction: ClientTransactionId,
    },
    /// The request could not be sent: to be taken as a 503 (RFC 3261 §8.1.3.1).
    TransportFailed {
        /// The request.
        transaction: ClientTransactionId,
    },
    /// The ACK for a failure response did not come (timer H).
    AckMissing {
        /// The INVITE.
        transaction: ServerTransactionId,
    },
    /// A response could not be sent (RFC 3261 §17.2.4).
    Undeliverable {
        /// The request that it answered.
        transaction: ServerTransactionId,
    },
    /// The transaction is over: its last event.
    ClientEnded {
        /// The request.
        transaction: ClientTransactionId,
    },
    /// The transaction is over: its last event.
    ServerEnded {
        /// The request.
        transaction: ServerTransactionId,
    },
    /// A request was refused with 503.
    LimitReached {
        /// The limit.
        limit: Limit,
        /// The way the request came.
        flow: Flow,
    },
    /// A packet was no SIP message or a broken one; a request was answered where that is allowed.
    Malformed {
        /// What was wrong, and where.
        error: ParseError,
        /// The way it came.
        flow: Flow,
    },
}

/// What is alive in a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Client transactions.
    pub client: usize,
    /// Server transactions.
    pub server: usize,
    /// Timers that run.
    pub timers: usize,
    /// Keys that lead to a transaction.
    pub keys: usize,
    /// Peers with transactions that a transport error would concern.
    pub peers: usize,
}

impl Counts {
    /// Whether nothing is left over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
