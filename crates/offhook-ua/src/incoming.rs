//! What a peer asks and the application must answer.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use offhook_dialog::{CallId, EventPackage};
use offhook_sip::{Request, Response, StatusCode};
use offhook_transaction::{Flow, ServerTransactionId};

/// What everything that must be answered tells of itself.
macro_rules! answerable {
    ($name:ident) => {
        impl $name {
            /// The request.
            #[must_use]
            pub fn request(&self) -> &Request {
                &self.request
            }

            /// The way it came.
            #[must_use]
            pub fn flow(&self) -> Flow {
                self.flow
            }

            /// A response to it, to be filled and handed back (RFC 3261 §8.2.6).
            #[must_use]
            pub fn response(&self, status: StatusCode) -> Response {
                self.request.response(status)
            }
        }
    };
}

macro_rules! asked {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a request must be answered"]
        pub struct $name {
            pub(crate) call: Option<CallId>,
            pub(crate) transaction: ServerTransactionId,
            pub(crate) request: Arc<Request>,
            pub(crate) flow: Flow,
        }

        answerable!($name);
    };
}

asked! {
    /// A request for the application: outside any call, or within one (INFO, MESSAGE, REFER, ...).
    IncomingRequest
}

asked! {
    /// A request within a call that has done nothing yet: [`UserAgent::admit`](crate::UserAgent::admit)
    /// it, or refuse it.
    Guarded
}

asked! {
    /// The peer asks to change the session, by re-INVITE or UPDATE.
    Reoffer
}

impl IncomingRequest {
    /// The call that it belongs to.
    #[must_use]
    pub fn call(&self) -> Option<CallId> {
        self.call
    }
}

/// `call()` of what cannot be without one.
macro_rules! within_call {
    ($name:ident) => {
        impl $name {
            /// The call that it belongs to.
            #[must_use]
            pub fn call(&self) -> CallId {
                // Both are made with a call only.
                self.call.unwrap_or(CallId(0))
            }
        }
    };
}

within_call!(Guarded);
within_call!(Reoffer);

/// Somebody wants to call, and nothing is kept of it yet. Moved into
/// [`UserAgent::receive`](crate::UserAgent::receive), which makes a call of it, or
/// [`UserAgent::dismiss`](crate::UserAgent::dismiss).
#[derive(Debug)]
#[must_use = "a call must be received or dismissed"]
pub struct Knock {
    pub(crate) transaction: ServerTransactionId,
    pub(crate) request: Arc<Request>,
    pub(crate) flow: Flow,
    pub(crate) replaces: Option<CallId>,
}

answerable!(Knock);

/// Somebody calls. Moved into [`UserAgent::accept`](crate::UserAgent::accept) or
/// [`UserAgent::reject`](crate::UserAgent::reject).
///
/// The call may end before that, by CANCEL for one; accepting it then does nothing.
#[must_use = "a call must be accepted or rejected"]
pub struct IncomingCall {
    pub(crate) call: CallId,
    pub(crate) request: Arc<Request>,
    pub(crate) flow: Flow,
    pub(crate) replaces: Option<CallId>,
}

impl IncomingCall {
    /// The number of the call.
    #[must_use]
    pub fn id(&self) -> CallId {
        self.call
    }

    /// The call whose place this one is to take (RFC 3891): one that is up, or one of ours that still
    /// rings. Accepting ends that call.
    #[must_use]
    pub fn replaces(&self) -> Option<CallId> {
        self.replaces
    }
}

answerable!(IncomingCall);

impl fmt::Debug for IncomingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingCall")
            .field("call", &self.call)
            .field("flow", &self.flow)
            .field("replaces", &self.replaces)
            .finish_non_exhaustive()
    }
}

/// Somebody subscribes (RFC 6665). Moved into
/// [`UserAgent::accept_subscription`](crate::UserAgent::accept_subscription) or
/// [`UserAgent::reject_subscription`](crate::UserAgent::reject_subscription).
#[derive(Debug)]
#[must_use = "a subscription must be accepted or rejected"]
pub struct IncomingSubscription {
    pub(crate) transaction: ServerTransactionId,
    pub(crate) request: Arc<Request>,
    pub(crate) flow: Flow,
    pub(crate) event: EventPackage,
    pub(crate) granted: Duration,
}

impl IncomingSubscription {
    /// What it is about: one of `Config::events`.
    #[must_use]
    pub fn event(&self) -> &EventPackage {
        &self.event
    }

    /// How long it will stand; zero: the state is asked for once.
    #[must_use]
    pub fn expires(&self) -> Duration {
        self.granted
    }
}

answerable!(IncomingSubscription);
