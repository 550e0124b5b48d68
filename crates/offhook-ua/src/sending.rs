//! Requests on their way out: from a target to a flow to a transaction, and on to the next when that fails.

use std::time::Instant;

use offhook_dialog::{CallId, Failure, Purpose};
use offhook_sip::{HeaderName, Method, Request};
use offhook_transaction::{ClientTransactionId, Flow, Outbound};

use crate::compose::{Face, leads};
use crate::event::Event;
use crate::exchange::{Exchange, Outgoing, Owner, Undelivered};
use crate::outgoing::Destination;
use crate::user_agent::UserAgent;

impl UserAgent {
    /// Finds the way and goes it; asks the DNS first if it must.
    pub(crate) fn send(&mut self, now: Instant, mut outgoing: Outgoing) {
        if let Owner::Call { call, .. } = &outgoing.owner
            && let Some(call) = self.calls.get_mut(call)
        {
            outgoing.pinned = call.pinned;
            outgoing.secure = call.secure;
            if self.config.authorize_early
                && let Some(auth) = call.auth.as_deref_mut()
            {
                // Nothing is put in before a nonce is known.
                let _ = auth.authorize(&mut outgoing.request);
            }
        }
        if let Destination::Flow(flow) = outgoing.destination {
            self.transmit(now, outgoing, flow);
            return;
        }
        if let Some(target) = outgoing.target() {
            self.look_up(now, outgoing, target.as_ref());
        }
    }

    /// A request within a call: to its flow if it is bound to that, else to its target.
    pub(crate) fn send_in_call(
        &mut self,
        now: Instant,
        id: CallId,
        request: Request,
        purpose: Purpose,
    ) {
        let owner = Owner::Call { call: id, purpose };
        self.send_within(now, id, request, owner);
    }

    pub(crate) fn send_within(&mut self, now: Instant, id: CallId, request: Request, owner: Owner) {
        let routed = request.headers().contains(HeaderName::ROUTE);
        let flow = self.calls.get(&id).and_then(|call| {
            // A proxy that recorded itself is where requests go, whatever the flow.
            let bound = !routed && (call.pinned || call.flow.is_some_and(|f| leads(&f, &request)));
            call.flow.filter(|_| bound)
        });
        let mut outgoing = Outgoing::new(
            owner,
            request,
            flow.map_or(Destination::Uri, Destination::Flow),
        );
        outgoing.by_habit = flow.is_some();
        self.send(now, outgoing);
    }

    /// Starts a transaction, or sends an ACK, on this flow.
    pub(crate) fn transmit(&mut self, now: Instant, mut outgoing: Outgoing, flow: Flow) {
        if let Owner::Ack { transaction, tag } = &outgoing.owner {
            let transmit = self.layer.send_ack(&outgoing.request, flow);
            if let Some(accepted) = self.accepted.get_mut(transaction) {
                accepted.acknowledged(tag, transmit);
            }
            return;
        }
        let call = match &outgoing.owner {
            Owner::Call { call, .. } => self.calls.get(call),
            _ => None,
        };
        let user = call.map_or(&outgoing.contact_user, |call| &call.contact_user);
        let face = Face {
            user: user.as_deref(),
            secure: outgoing.secure,
        };
        // What it says of us is said anew where it goes another way; of what a registration asks
        // nothing would be left to begin from.
        let registers = *outgoing.request.method() == Method::Register;
        let mut copy = registers.then(|| outgoing.request.clone());
        let request = copy.as_mut().unwrap_or(&mut outgoing.request);
        self.config.introduce(&self.abilities, request, &flow, face);
        let outbound = if outgoing.pinned {
            Outbound::pinned(flow)
        } else {
            Outbound::from(flow)
        };
        let Ok(transaction) = self.layer.request(now, request, outbound) else {
            self.event(Event::LimitReached {
                what: "client transactions",
            });
            self.undelivered.push_back(Undelivered {
                owner: outgoing.owner,
                failure: Failure::LimitReached,
            });
            return;
        };
        let flow = self.layer.client_flow(transaction).unwrap_or(flow);
        if let Owner::Call { call, purpose } = &outgoing.owner
            && let Some(call) = self.calls.get_mut(call)
        {
            call.flow.get_or_insert(flow);
            if matches!(purpose, Purpose::Invite | Purpose::Reinvite) {
                call.inviting = Some(transaction);
            }
        }
        let exchange = Exchange {
            outgoing,
            flow,
            heard: false,
        };
        self.exchanges.insert(transaction, Box::new(exchange));
    }

    /// No final response came (timers B and F).
    pub(crate) fn timed_out(&mut self, now: Instant, transaction: ClientTransactionId) {
        self.lost(now, transaction, Failure::TimedOut);
    }

    pub(crate) fn transport_failed(&mut self, now: Instant, transaction: ClientTransactionId) {
        self.lost(now, transaction, Failure::TransportFailed);
    }

    /// Tries the next address of the target, or tells the owner (RFC 3263 §4.3).
    fn lost(&mut self, now: Instant, transaction: ClientTransactionId, failure: Failure) {
        let Some(exchange) = self.exchanges.get(&transaction) else {
            return;
        };
        let owner = exchange.outgoing.owner.clone();
        let given_up = self.given_up(&owner);
        let Some(exchange) = self.exchanges.remove(&transaction) else {
            return;
        };
        if !exchange.heard && !given_up {
            if exchange.outgoing.hop.is_some() {
                self.fail_over(now, exchange.outgoing, failure);
                return;
            }
            if exchange.outgoing.by_habit && matches!(failure, Failure::TransportFailed) {
                self.follow_target(now, exchange.outgoing);
                return;
            }
        }
        self.undelivered.push_back(Undelivered { owner, failure });
    }

    /// The connection that a call came on is gone: its peer's Contact is what remains.
    fn follow_target(&mut self, now: Instant, mut outgoing: Outgoing) {
        if let Owner::Call { call, .. } = &outgoing.owner
            && let Some(call) = self.calls.get_mut(call)
        {
            call.flow = None;
        }
        outgoing.by_habit = false;
        outgoing.destination = Destination::Uri;
        self.send(now, outgoing);
    }

    /// The application has hung up, so that an INVITE is not tried again.
    pub(crate) fn given_up(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Call {
                call,
                purpose: Purpose::Invite | Purpose::Reinvite | Purpose::Update,
            } => self.calls.get(call).is_none_or(|call| call.hung_up),
            _ => false,
        }
    }

    /// Tells the owner that nothing will come.
    pub(crate) fn failed(&mut self, now: Instant, undelivered: Undelivered) {
        let Undelivered { owner, failure } = undelivered;
        match owner {
            Owner::Call { call, purpose } => {
                if let Purpose::Other(request) = purpose {
                    self.event(Event::RequestFailed {
                        request,
                        failure: failure.clone(),
                    });
                }
                self.with_session(now, call, |session, cx| {
                    session.handle_failure(cx, purpose, failure);
                });
            }
            Owner::Request(request) => self.event(Event::RequestFailed { request, failure }),
            Owner::Registration(id) => self.registration_failed(now, id, failure),
            Owner::Subscription { id, begun } => {
                self.subscription_failed(now, (id, begun), failure);
            }
            Owner::Subscriber(id) => self.notify_answered(now, id, failure.status()),
            Owner::Ack { .. } | Owner::Nobody => {}
        }
    }
}
