//! What is kept of one subscription, on either side.

use std::time::{Duration, Instant};

use offhook_auth::ClientAuth;
use offhook_dialog::{Notifier, Subscription};
use offhook_sip::{HeaderName, Method, Request};
use offhook_transaction::Flow;

use crate::compose::{self, Draft};
use crate::outgoing::OutgoingSubscription;

/// A subscription of ours.
#[derive(Debug)]
pub(crate) struct Subscribed {
    pub(crate) machine: Subscription,
    pub(crate) config: OutgoingSubscription,
    /// How often one was begun: answers to an earlier one mean nothing to this.
    pub(crate) begun: u32,
    pub(crate) call_id: String,
    pub(crate) tag: Box<str>,
    /// Of the SUBSCRIBE that began it.
    pub(crate) cseq: u32,
    pub(crate) auth: Option<Box<ClientAuth>>,
    /// The way the notifier's messages come.
    pub(crate) flow: Option<Flow>,
    pub(crate) deadline: Option<Instant>,
}

impl Subscribed {
    /// The SUBSCRIBE that begins it (RFC 6665 §4.1.2.1).
    pub(crate) fn request(&self, expires: Duration) -> Request {
        let config = &self.config;
        let mut request = compose::request(&Draft {
            method: &Method::Subscribe,
            request_uri: &config.request_uri,
            from: &config.from,
            to: &config.to,
            tag: &self.tag,
            call_id: &self.call_id,
            cseq: self.cseq,
            max_forwards: 70,
            route: &config.route,
            headers: &config.headers,
            body: None,
        });
        self.name(&mut request, expires);
        request
    }

    /// What each SUBSCRIBE says of the subscription.
    pub(crate) fn name(&self, request: &mut Request, expires: Duration) {
        let headers = request.headers_mut();
        let event = self.machine.event().to_string();
        compose::set(headers, HeaderName::EVENT, &event);
        let seconds = expires.as_secs().to_string();
        compose::set(headers, HeaderName::EXPIRES, &seconds);
    }
}

/// A subscription that we gave.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) machine: Notifier,
    pub(crate) tag: Box<str>,
    /// The way the subscriber's messages come.
    pub(crate) flow: Flow,
    pub(crate) contact_user: Option<Box<str>>,
    pub(crate) secure: bool,
    pub(crate) deadline: Option<Instant>,
}
