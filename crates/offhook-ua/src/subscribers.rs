//! Subscriptions that we give: who wants to know, and what they are told (RFC 6665 §4.2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_dialog::{Body, EventPackage, Notifier, Termination};
use offhook_sip::{HeaderName, Method, Request, Response, StatusCode};
use offhook_transaction::{Flow, ServerTransactionId};

use crate::compose::{self, Face};
use crate::deadlines::Key;
use crate::event::{Event, SubscriptionId};
use crate::exchange::Owner;
use crate::incoming::IncomingSubscription;
use crate::subscribed::Subscriber;
use crate::user_agent::UserAgent;

impl UserAgent {
    /// Takes a subscription: 200, and at once a NOTIFY with the state (§4.2.1.2). `pending`: whether
    /// it is allowed is still to be found out, and nothing is told until [`Self::notify`].
    pub fn accept_subscription(
        &mut self,
        now: Instant,
        incoming: IncomingSubscription,
        pending: bool,
        body: Option<Body>,
    ) -> SubscriptionId {
        let id = SubscriptionId(self.number());
        let IncomingSubscription {
            transaction,
            request,
            flow,
            event,
            granted,
        } = incoming;
        let tag = self.layer.local_tag(transaction);
        let face = Face::asked_for(&request);
        match Notifier::new(now, &request, event, &tag, granted, pending) {
            Ok(mut machine) => {
                let response = granting(&request, granted);
                self.send_response(now, transaction, response, face);
                machine.put(body);
                let subscriber = Subscriber {
                    machine,
                    tag: tag.as_str().into(),
                    flow,
                    contact_user: face.user.map(Into::into),
                    secure: face.secure,
                    deadline: None,
                };
                self.subscription_tags.insert(subscriber.tag.clone(), id);
                self.subscribers.insert(id, subscriber);
                self.subscriber_due(now, id);
            }
            Err(error) => {
                let response = request.response(error.status());
                self.send_response(now, transaction, response, face);
                self.event(Event::SubscriberGone { id });
            }
        }
        self.settle(now);
        id
    }

    /// Turns a subscription away with a response made by [`IncomingSubscription::response`].
    pub fn reject_subscription(
        &mut self,
        now: Instant,
        incoming: IncomingSubscription,
        response: Response,
    ) {
        self.answer(now, incoming.transaction, response, &incoming.request);
        self.settle(now);
    }

    /// Tells a subscriber the state. While a NOTIFY waits for its answer the next one is held back,
    /// and says only what is the state then.
    pub fn notify(&mut self, now: Instant, id: SubscriptionId, body: Option<Body>) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.machine.notify(body);
        }
        self.subscriber_due(now, id);
        self.settle(now);
    }

    /// Ends a subscription that we gave, with a last NOTIFY.
    pub fn end_subscription(&mut self, now: Instant, id: SubscriptionId, reason: Termination) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.machine.end(reason);
        }
        self.subscriber_due(now, id);
        self.settle(now);
    }

    /// A SUBSCRIBE outside of any dialog (§4.2.1.1).
    pub(crate) fn subscribed_to(
        &mut self,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        let Some(event) = EventPackage::of(request.headers()) else {
            let response = request.response(StatusCode::BAD_REQUEST);
            self.send_response_once(transaction, response);
            return;
        };
        let known = |known: &String| known.eq_ignore_ascii_case(event.name());
        if !self.config.events.iter().any(known) {
            let mut response = request.response(StatusCode::BAD_EVENT);
            let events = self.config.events.join(", ");
            compose::set(response.headers_mut(), HeaderName::ALLOW_EVENTS, &events);
            self.send_response_once(transaction, response);
            return;
        }
        let granted = match self.grant(&request) {
            Ok(granted) => granted,
            Err(response) => {
                self.send_response_once(transaction, *response);
                return;
            }
        };
        if self.subscriptions_full() {
            self.event(Event::LimitReached {
                what: "subscriptions",
            });
            let mut response = request.response(StatusCode::SERVICE_UNAVAILABLE);
            let wait = self.config.limits.retry_after.to_string();
            compose::set(response.headers_mut(), HeaderName::RETRY_AFTER, &wait);
            self.send_response_once(transaction, response);
            return;
        }
        self.event(Event::IncomingSubscription(IncomingSubscription {
            transaction,
            request,
            flow,
            event,
            granted,
        }));
    }

    /// How long a SUBSCRIBE gets, or the 423 that it gets instead.
    fn grant(&self, request: &Request) -> Result<Duration, Box<Response>> {
        let (least, most) = self.config.subscription_bounds;
        let asked = request
            .headers()
            .get(HeaderName::EXPIRES)
            .and_then(|value| value.trim().parse::<u32>().ok())
            .map_or(most, |seconds| Duration::from_secs(seconds.into()));
        if asked.is_zero() || asked >= least {
            return Ok(asked.min(most));
        }
        let mut response = request.response(StatusCode::INTERVAL_TOO_BRIEF);
        let least = least.as_secs().to_string();
        compose::set(response.headers_mut(), HeaderName::MIN_EXPIRES, &least);
        Err(Box::new(response))
    }

    /// A request with the tag of a subscription that we gave: a SUBSCRIBE that refreshes or ends
    /// it, or nothing that we know.
    pub(crate) fn resubscribed(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        let asked = self.grant(&request);
        let Some(subscriber) = self.subscribers.get_mut(&id) else {
            return;
        };
        let ours = compose::dialog_of(&request).is_some_and(|(call_id, local, remote)| {
            subscriber.machine.dialog().is(call_id, local, remote)
        });
        let checked = if ours && *request.method() == Method::Subscribe {
            subscriber.machine.check(&request)
        } else {
            Err(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST)
        };
        let response = match (checked, asked) {
            (Err(status), _) => request.response(status),
            (Ok(()), Err(response)) => *response,
            (Ok(()), Ok(granted)) => {
                subscriber.machine.refresh(now, &request, granted);
                subscriber.flow = flow;
                granting(&request, granted)
            }
        };
        self.send_response(now, transaction, response, Face::asked_for(&request));
        self.subscriber_due(now, id);
    }

    /// Our NOTIFY has its final response, or the status that stands for none.
    pub(crate) fn notify_answered(&mut self, now: Instant, id: SubscriptionId, status: StatusCode) {
        if let Some(subscriber) = self.subscribers.get_mut(&id)
            && status.is_final()
        {
            subscriber.machine.handle_response(status);
            self.subscriber_due(now, id);
        }
    }

    pub(crate) fn subscriber_due(&mut self, now: Instant, id: SubscriptionId) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else {
            return;
        };
        subscriber.machine.handle_timeout(now);
        let notify = subscriber.machine.poll_notify(now);
        let over = subscriber.machine.is_over();
        let next = subscriber.machine.poll_timeout().filter(|_| !over);
        self.deadlines
            .replace(Key::Subscriber(id), &mut subscriber.deadline, next);
        if let Some(request) = notify {
            let face = Face {
                user: subscriber.contact_user.as_deref(),
                secure: subscriber.secure,
            };
            let way = (Some(subscriber.flow), false);
            let outgoing = compose::within_dialog(Owner::Subscriber(id), request, way, face);
            self.send(now, outgoing);
        }
        if over && let Some(subscriber) = self.subscribers.remove(&id) {
            self.subscription_tags.remove(&subscriber.tag);
            self.event(Event::SubscriberGone { id });
        }
    }
}

/// A 200 that says for how long.
fn granting(subscribe: &Request, granted: Duration) -> Response {
    let mut response = subscribe.response(StatusCode::OK);
    let seconds = granted.as_secs().to_string();
    compose::set(response.headers_mut(), HeaderName::EXPIRES, &seconds);
    response
}
