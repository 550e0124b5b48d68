//! A request of ours: who wants to know of it, where it goes, and what became of it.

use std::net::IpAddr;

use offhook_auth::ClientAuth;
use offhook_dialog::{CallId, Failure, Purpose, RequestId};
use offhook_routing::next_hop::NextHop;
use offhook_sip::{Method, Request, Uri};
use offhook_transaction::{ClientTransactionId, Flow};

use crate::event::{RegistrationId, SubscriptionId};
use crate::outgoing::Destination;

/// Who wants to know what becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Call {
        call: CallId,
        purpose: Purpose,
    },
    Request(RequestId),
    Registration(RegistrationId),
    /// Our SUBSCRIBE; of those that begin one, which.
    Subscription {
        id: SubscriptionId,
        begun: u32,
    },
    /// Our NOTIFY.
    Subscriber(SubscriptionId),
    /// The ACK for a 2xx with this tag of that transaction.
    Ack {
        transaction: ClientTransactionId,
        tag: String,
    },
    /// A BYE to a fork branch that nobody wants.
    Nobody,
}

/// A request that waits for an address or for its answer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) owner: Owner,
    /// Without Via, and with the Contact of the flow that it went by last.
    pub(crate) request: Request,
    pub(crate) destination: Destination,
    /// A flow that came from a connection; when that is gone, the URI is followed.
    pub(crate) by_habit: bool,
    /// Whatever its size, it stays on its transport: a binding behind NAT.
    pub(crate) pinned: bool,
    /// Our Contact is a sips URI, whatever this request's own say.
    pub(crate) secure: bool,
    /// Outside calls.
    pub(crate) contact_user: Option<Box<str>>,
    /// Of a request outside calls and registrations.
    pub(crate) auth: Option<Box<ClientAuth>>,
    /// Finds further addresses of the same target, under the number of its questions.
    pub(crate) hop: Option<Box<(u64, NextHop)>>,
    /// Where none of them may be.
    pub(crate) avoid: Box<[IpAddr]>,
    /// How often it has been sent again for another answer.
    pub(crate) retries: u8,
}

impl Outgoing {
    pub(crate) fn new(owner: Owner, request: Request, destination: Destination) -> Self {
        Self {
            owner,
            request,
            destination,
            by_habit: false,
            pinned: false,
            secure: false,
            contact_user: None,
            auth: None,
            hop: None,
            avoid: Box::default(),
            retries: 0,
        }
    }

    /// Whether it may not be sent there, though a name leads there.
    pub(crate) fn avoids(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.avoid.iter().any(|one| one.to_canonical() == address)
    }

    /// The URI whose address it goes to (§8.1.2).
    pub(crate) fn target(&self) -> Option<Uri> {
        match &self.destination {
            Destination::Proxy(uri) => Some(uri.clone()),
            Destination::Uri => Some(next_hop(&self.request)),
            Destination::Flow(_) => None,
        }
    }
}

fn next_hop(request: &Request) -> Uri {
    request
        .headers()
        .typed::<offhook_sip::header::Route<'_>>()
        .ok()
        .flatten()
        .map_or_else(|| request.uri().clone(), |route| route.uri().to_owned())
}

/// What a live client transaction is for.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) outgoing: Outgoing,
    pub(crate) flow: Flow,
    pub(crate) heard: bool,
}

/// A request that got no answer.
#[derive(Debug)]
pub(crate) struct Undelivered {
    pub(crate) owner: Owner,
    pub(crate) failure: Failure,
}

/// Whether a request makes an INVITE transaction.
pub(crate) fn is_invite(request: &Request) -> bool {
    *request.method() == Method::Invite
}
