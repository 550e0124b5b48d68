//! What a session wants done and what it reports.

use std::collections::VecDeque;
use std::sync::Arc;

use offhook_sip::{Headers, Request, Response, StatusCode};
use offhook_transaction::{ClientTransactionId, ServerTransactionId};

use crate::id::{CallId, RequestId};

/// What a request of a session is for; its responses come back under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// The INVITE that asks for the call.
    Invite,
    /// An INVITE within the call.
    Reinvite,
    /// An UPDATE, with or without an offer.
    Update,
    /// The acknowledgement of a reliable provisional response.
    Prack,
    /// The end.
    Bye,
    /// A report of how a REFER goes; a refusal ends the reports, not the call (RFC 5057 §5.1).
    Notify,
    /// A request of the application.
    Other(RequestId),
}

/// Why a request of ours got no good answer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The peer refused.
    Rejected(Response),
    /// Nothing came in 64*T1: as a 408 (RFC 3261 §8.1.3.1).
    TimedOut,
    /// The transport failed: as a 503.
    TransportFailed,
    /// No address was found for the target.
    Unresolved,
    /// A limit of ours was reached.
    LimitReached,
    /// The call had ended, or never was.
    CallEnded,
    /// Another offer is open: as a 491.
    Pending,
}

impl Failure {
    /// The status that stands for it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Rejected(response) => response.status(),
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::TransportFailed | Self::Unresolved | Self::LimitReached => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::CallEnded => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            Self::Pending => StatusCode::REQUEST_PENDING,
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug)]
pub enum EndCause {
    /// We hung up, before or after the answer.
    LocalHangUp,
    /// The peer's BYE, with its Reason.
    RemoteHangUp {
        /// The BYE.
        request: Arc<Request>,
    },
    /// The peer refused our INVITE.
    Rejected {
        /// The final response, 300 to 699.
        response: Box<Response>,
    },
    /// The peer gave up before we answered.
    Cancelled {
        /// The CANCEL, with its Reason.
        request: Arc<Request>,
    },
    /// The time that the INVITE's Expires gave us to answer is over (RFC 3261 §13.3.1).
    InvitationExpired,
    /// Nobody answered within 64*T1.
    TimedOut,
    /// The transport failed before an answer.
    TransportFailed,
    /// No address was found for the target.
    Unresolved,
    /// Our 2xx was never acknowledged (RFC 3261 §13.3.1.4).
    AckMissing,
    /// The session interval passed without a refresh (RFC 4028 §10).
    SessionExpired,
    /// We refused the peer's INVITE.
    LocalReject {
        /// With this status.
        status: StatusCode,
    },
    /// Another call took its place (RFC 3891).
    Replaced {
        /// That call.
        by: CallId,
    },
    /// A limit of ours was reached.
    LimitReached,
    /// The peer answered a request within the call with 481, or not at all (RFC 3261 §12.2.1.2).
    DialogGone {
        /// 481 or 408.
        status: StatusCode,
    },
}

/// What a session tells the application.
#[derive(Debug)]
pub enum Report {
    /// 101 to 199 to our INVITE.
    Progress {
        /// The response.
        response: Response,
        /// It carries an offer that [`InviteSession::acknowledge`](crate::InviteSession::acknowledge) must answer.
        awaits_answer: bool,
    },
    /// The first 2xx to our INVITE.
    Answered {
        /// The response.
        response: Response,
        /// It carries an offer that `acknowledge` must answer.
        awaits_answer: bool,
    },
    /// The ACK to our 2xx came.
    Confirmed(Request),
    /// A PRACK with a body came.
    ProgressConfirmed(Request),
    /// The peer asks to change the session.
    Reoffer {
        /// To be answered here.
        transaction: ServerTransactionId,
        /// INVITE or UPDATE.
        request: Arc<Request>,
    },
    /// The peer took its re-INVITE back, or ended the call, before it was answered.
    ReofferCancelled,
    /// The peer agreed to our change.
    ReofferAnswered {
        /// The 2xx.
        response: Response,
        /// It carries an offer that `acknowledge` must answer.
        awaits_answer: bool,
    },
    /// The session stays as it was.
    ReofferFailed(Failure),
    /// The ACK to our 2xx to a re-INVITE came.
    ReofferConfirmed(Request),
    /// Another request within the call, for the application.
    Request {
        /// To be answered here.
        transaction: ServerTransactionId,
        /// INFO, MESSAGE, REFER, ...
        request: Arc<Request>,
    },
    /// The end; nothing follows.
    Ended(EndCause),
}

/// What a session wants done, in this order.
#[derive(Debug)]
pub enum Step {
    /// Send a request in a transaction of its own.
    Send {
        /// Complete but for Via and Contact.
        request: Request,
        /// Its name in the session.
        purpose: Purpose,
    },
    /// Send the ACK for a 2xx, and again each time the 2xx comes again.
    Ack {
        /// The INVITE's transaction.
        transaction: ClientTransactionId,
        /// The tag of the peer that it is for.
        remote_tag: String,
        /// Complete but for Via.
        request: Request,
    },
    /// Cancel the INVITE that asks for the call.
    CancelInvite {
        /// Extra headers, such as Reason.
        headers: Headers,
    },
    /// Answer a request; a 2xx to an INVITE comes several times.
    Respond {
        /// The request's transaction.
        transaction: ServerTransactionId,
        /// Complete but for Contact.
        response: Response,
    },
    /// Tell the application.
    Report(Report),
}

/// The steps of one call of a session, first in first out.
pub type Steps = VecDeque<Step>;
