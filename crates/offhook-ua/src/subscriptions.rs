//! Subscriptions of ours: the state of somebody or something, told by NOTIFY (RFC 6665 §4.1).

use std::sync::Arc;
use std::time::Instant;

use offhook_auth::ClientAuth;
use offhook_dialog::{Failure, Subscription, SubscriptionDue, SubscriptionEnd, SubscriptionOver};
use offhook_sip::{Method, Request, Response, StatusCode};
use offhook_transaction::{Flow, ServerTransactionId};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::compose::{self, Face};
use crate::deadlines::Key;
use crate::event::{Event, SubscriptionId, SubscriptionState};
use crate::exchange::{Outgoing, Owner};
use crate::outgoing::OutgoingSubscription;
use crate::subscribed::Subscribed;
use crate::user_agent::UserAgent;

impl UserAgent {
    /// Subscribes, refreshes, and begins anew where that makes sense (RFC 6665 §4.1.3), until
    /// [`Self::unsubscribe`] or [`SubscriptionState::Over`] without another try.
    pub fn subscribe(&mut self, now: Instant, config: OutgoingSubscription) -> SubscriptionId {
        let id = SubscriptionId(self.number());
        if self.subscriptions_full() {
            self.event(Event::LimitReached {
                what: "subscriptions",
            });
            let over = SubscriptionOver {
                end: SubscriptionEnd::Failed(Failure::LimitReached),
                retry_in: None,
            };
            self.event(Event::Subscription {
                id,
                state: SubscriptionState::Over(over),
            });
            return id;
        }
        let auth = config
            .credentials
            .clone()
            .map(|credentials| Box::new(ClientAuth::new(credentials, self.rng.random())));
        let (event, expires) = (config.event.clone(), config.expires);
        let subscribed = Subscribed {
            machine: Subscription::new(now, event, expires, self.config.timers.t1),
            config,
            begun: 0,
            call_id: String::new(),
            tag: "".into(),
            cseq: 0,
            auth,
            flow: None,
            deadline: None,
        };
        self.subscriptions.insert(id, subscribed);
        self.subscription_due(now, id);
        self.settle(now);
        id
    }

    /// Ends a subscription of ours; [`SubscriptionState::Over`] follows when the notifier has told
    /// its last.
    pub fn unsubscribe(&mut self, now: Instant, id: SubscriptionId) {
        if let Some(subscribed) = self.subscriptions.get_mut(&id) {
            subscribed.machine.unsubscribe(now);
        }
        self.subscription_due(now, id);
        self.settle(now);
    }

    pub(crate) fn subscriptions_full(&self) -> bool {
        let held = self.subscriptions.len() + self.subscribers.len();
        held >= self.config.limits.subscriptions
    }

    pub(crate) fn subscription_due(&mut self, now: Instant, id: SubscriptionId) {
        while let Some(subscribed) = self.subscriptions.get_mut(&id) {
            let due = subscribed.machine.handle_timeout(now, &mut self.rng);
            let next = subscribed.machine.poll_timeout();
            self.deadlines
                .replace(Key::Subscription(id), &mut subscribed.deadline, next);
            match due {
                Some(SubscriptionDue::Begin { expires }) => {
                    self.subscription_tags.remove(&subscribed.tag);
                    subscribed.begun += 1;
                    subscribed.call_id = self.layer.tokens().call_id();
                    subscribed.tag = self.layer.tokens().tag().as_str().into();
                    subscribed.cseq = self.rng.random_range(1..0x4000_0000);
                    self.subscription_tags.insert(subscribed.tag.clone(), id);
                    let request = subscribed.request(expires);
                    let destination = subscribed.config.destination.clone();
                    let begun = subscribed.begun;
                    let owner = Owner::Subscription { id, begun };
                    let mut outgoing = Outgoing::new(owner, request, destination);
                    let user = subscribed.config.contact_user.as_deref();
                    outgoing.contact_user = user.map(Into::into);
                    self.send(now, outgoing);
                }
                Some(SubscriptionDue::Refresh {
                    mut request,
                    expires,
                }) => {
                    compose::extend(request.headers_mut(), &subscribed.config.headers);
                    subscribed.name(&mut request, expires);
                    let face = Face {
                        user: subscribed.config.contact_user.as_deref(),
                        secure: false,
                    };
                    let begun = subscribed.begun;
                    let owner = Owner::Subscription { id, begun };
                    let way = (subscribed.flow, false);
                    let outgoing = compose::within_dialog(owner, request, way, face);
                    self.send(now, outgoing);
                }
                Some(SubscriptionDue::Over(over)) => self.subscription_over(id, over),
                None => return,
            }
        }
    }

    /// The final response to our SUBSCRIBE.
    pub(crate) fn subscription_answered(
        &mut self,
        now: Instant,
        sent: (SubscriptionId, u32),
        flow: Flow,
        response: Response,
    ) {
        if response.status().is_provisional() {
            return;
        }
        self.subscribe_outcome(now, sent, |subscribed, rng| {
            subscribed.flow = Some(flow);
            subscribed.machine.handle_response(now, response, rng)
        });
    }

    pub(crate) fn subscription_failed(
        &mut self,
        now: Instant,
        sent: (SubscriptionId, u32),
        failure: Failure,
    ) {
        self.subscribe_outcome(now, sent, |subscribed, rng| {
            subscribed.machine.handle_failure(now, failure, rng)
        });
    }

    /// What came of the SUBSCRIBE with this number, unless another one has been begun since.
    fn subscribe_outcome(
        &mut self,
        now: Instant,
        (id, begun): (SubscriptionId, u32),
        tell: impl FnOnce(&mut Subscribed, &mut StdRng) -> Option<SubscriptionOver>,
    ) {
        let subscribed = self.subscriptions.get_mut(&id);
        let Some(subscribed) = subscribed.filter(|subscribed| subscribed.begun == begun) else {
            return;
        };
        if let Some(over) = tell(subscribed, &mut self.rng) {
            self.subscription_over(id, over);
        }
        self.subscription_due(now, id);
    }

    /// A request with the tag of a subscription of ours: its NOTIFY, or nothing that we know.
    pub(crate) fn notified(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        let Some(subscribed) = self.subscriptions.get_mut(&id) else {
            return;
        };
        let ours = compose::dialog_of(&request)
            .is_some_and(|(call_id, _, _)| call_id == subscribed.call_id);
        let heard = if ours && *request.method() == Method::Notify {
            let cseq = subscribed.cseq;
            let machine = &mut subscribed.machine;
            machine.handle_notify(now, &request, cseq, &mut self.rng)
        } else {
            Err(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST)
        };
        let status = heard.as_ref().err().copied().unwrap_or(StatusCode::OK);
        if status.is_success() {
            subscribed.flow = Some(flow);
        }
        let response = request.response(status);
        self.send_response(now, transaction, response, Face::asked_for(&request));
        if let Ok(over) = heard {
            self.event(Event::Subscription {
                id,
                state: SubscriptionState::Notified {
                    notify: Arc::unwrap_or_clone(request),
                },
            });
            if let Some(over) = over {
                self.subscription_over(id, over);
            }
        }
        self.subscription_due(now, id);
    }

    fn subscription_over(&mut self, id: SubscriptionId, over: SubscriptionOver) {
        if over.retry_in.is_none()
            && let Some(mut subscribed) = self.subscriptions.remove(&id)
        {
            self.deadlines
                .replace(Key::Subscription(id), &mut subscribed.deadline, None);
            self.subscription_tags.remove(&subscribed.tag);
        }
        self.event(Event::Subscription {
            id,
            state: SubscriptionState::Over(over),
        });
    }
}
