//! What a user agent says.

use std::time::Duration;

use offhook_dialog::{CallId, EndCause, Failure, RequestId, SubscriptionOver};
use offhook_routing::next_hop::DnsQuestion;
use offhook_sip::{Request, Response};
use offhook_transaction::Transmit;

use crate::incoming::{
    Guarded, IncomingCall, IncomingRequest, IncomingSubscription, Knock, Reoffer,
};

/// One queue, one enum.
#[derive(Debug)]
#[must_use]
pub enum Output {
    /// Send this packet.
    Transmit(Transmit),
    /// Ask the DNS; the answer comes back by `handle_dns_answer`.
    Resolve(DnsQuestion),
    /// For the application.
    Event(Event),
}

/// The number of a registration within one user agent; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistrationId(pub u64);

/// The number of a subscription within one user agent, ours or one that we gave; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub u64);

/// News of a subscription of ours.
#[derive(Debug)]
pub enum SubscriptionState {
    /// The notifier tells the state; the NOTIFY has its 200. Its Subscription-State says whether
    /// the subscription is active, pending (the state may be missing) or terminated.
    Notified {
        /// The NOTIFY.
        notify: Request,
    },
    /// The subscription is over. With a time, another one is begun then under the same number;
    /// without, this is the last that is heard of it.
    Over(SubscriptionOver),
}

/// How a registration stands.
#[derive(Debug)]
pub enum RegistrationState {
    /// The binding stands; it is refreshed before it ends.
    Registered {
        /// As the registrar granted it.
        expires: Duration,
        /// The 200.
        response: Response,
    },
    /// The registrar refused, or nothing came.
    Failed {
        /// Why.
        failure: Failure,
        /// When it is tried again; `None`: not before `refresh`.
        retry_in: Option<Duration>,
    },
    /// The binding is given up; the registration is no more.
    Unregistered,
}

/// What the application hears.
#[derive(Debug)]
pub enum Event {
    /// Somebody calls.
    IncomingCall(IncomingCall),
    /// With `Config::screen`: somebody wants to call.
    Knock(Knock),
    /// A request outside any call.
    IncomingRequest(IncomingRequest),
    /// With `Config::guard`: a request within a call that has done nothing yet.
    Guarded(Guarded),
    /// 101 to 199 to our INVITE.
    Progress {
        /// The call.
        call: CallId,
        /// The response.
        response: Response,
        /// It carries an offer that `acknowledge` must answer.
        awaits_answer: bool,
    },
    /// The first 2xx to our INVITE. Its ACK has gone out, unless it waits for our answer.
    Answered {
        /// The call.
        call: CallId,
        /// The response.
        response: Response,
        /// It carries an offer that `acknowledge` must answer.
        awaits_answer: bool,
    },
    /// The ACK to our 2xx came.
    Confirmed {
        /// The call.
        call: CallId,
        /// The ACK; it holds the answer when the offer was in our 2xx.
        ack: Request,
    },
    /// The PRACK to a provisional of ours brought a body.
    ProgressConfirmed {
        /// The call.
        call: CallId,
        /// The PRACK.
        prack: Request,
    },
    /// The peer asks to change the session.
    Reoffer(Reoffer),
    /// The peer took that back before it was answered.
    ReofferCancelled {
        /// The call.
        call: CallId,
    },
    /// The peer agreed to our change.
    ReofferAnswered {
        /// The call.
        call: CallId,
        /// The 2xx.
        response: Response,
        /// It carries an offer that `acknowledge` must answer.
        awaits_answer: bool,
    },
    /// The session stays as it was.
    ReofferFailed {
        /// The call.
        call: CallId,
        /// Why.
        failure: Failure,
    },
    /// The ACK to our 2xx to a re-INVITE came.
    ReofferConfirmed {
        /// The call.
        call: CallId,
        /// The ACK.
        ack: Request,
    },
    /// INFO, MESSAGE, REFER, ... within a call.
    InCallRequest {
        /// The call.
        call: CallId,
        /// To be answered by `respond`.
        request: IncomingRequest,
    },
    /// 101 to 199 to a request of the application.
    Provisional {
        /// The request.
        request: RequestId,
        /// The response.
        response: Response,
    },
    /// The final response to a request of the application.
    Response {
        /// The request.
        request: RequestId,
        /// The response.
        response: Response,
    },
    /// A request of the application got no response.
    RequestFailed {
        /// The request.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// News of a registration.
    Registration {
        /// Which.
        id: RegistrationId,
        /// How it stands.
        state: RegistrationState,
    },
    /// News of a subscription of ours.
    Subscription {
        /// Which.
        id: SubscriptionId,
        /// What.
        state: SubscriptionState,
    },
    /// Somebody subscribes to one of `Config::events`.
    IncomingSubscription(IncomingSubscription),
    /// A subscription that we gave is over: ended by us, by the subscriber, by time, or because the
    /// subscriber cannot be told any more. Once a subscription.
    SubscriberGone {
        /// Which.
        id: SubscriptionId,
    },
    /// How a transfer goes that was asked for in a call which has ended since. The NOTIFY has its
    /// 200; `refer_report` reads it. The one event that may follow [`Event::Ended`].
    LateReport {
        /// The call in which the REFER was sent.
        call: CallId,
        /// The NOTIFY.
        notify: Request,
    },
    /// A call has ended: exactly once a call, and its last event but for [`Event::LateReport`].
    Ended {
        /// The call.
        call: CallId,
        /// How.
        cause: EndCause,
    },
    /// Something was refused because a limit was reached.
    LimitReached {
        /// Which one.
        what: &'static str,
    },
}
