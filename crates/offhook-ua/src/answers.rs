//! Responses: which are ours, which are tried again, who is told.

use std::time::Instant;

use offhook_dialog::{CallId, Dialog, Failure, InviteSession, Purpose, Sent};
use offhook_sip::{HeaderName, Method, Request, Response, StatusCode};
use offhook_transaction::{ClientTransactionId, Flow};

use crate::accepted::Accepted;
use crate::compose::{self, MethodSet};
use crate::event::Event;
use crate::exchange::{Exchange, Outgoing, Owner, is_invite};
use crate::outgoing::Destination;
use crate::remedy;
use crate::user_agent::UserAgent;

/// So often a request is sent again for a 401, 407, 415, 416, 420 or 422.
const RETRIES: u8 = 4;

impl UserAgent {
    /// A response in one of our transactions.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        transaction: ClientTransactionId,
        response: Response,
        flow: Flow,
    ) {
        let Some(mut exchange) = self.exchanges.remove(&transaction) else {
            if let Some(accepted) = self.accepted.get_mut(&transaction) {
                accepted.flow = flow;
            }
            self.accepted_again(now, transaction, &response);
            return;
        };
        exchange.flow = flow;
        exchange.heard = true;
        let status = response.status();
        if status.is_success() && is_invite(&exchange.outgoing.request) {
            self.invite_succeeded(now, transaction, exchange, response);
            return;
        }
        if status.is_final() {
            let Some((exchange, response)) = self.tried_again(now, exchange, response) else {
                return;
            };
            self.deliver(now, transaction, &exchange, response);
        } else {
            self.deliver(now, transaction, &exchange, response);
            self.exchanges.insert(transaction, exchange);
        }
    }

    /// The first 2xx to an INVITE (§13.2.2.4).
    fn invite_succeeded(
        &mut self,
        now: Instant,
        transaction: ClientTransactionId,
        exchange: Box<Exchange>,
        response: Response,
    ) {
        let wanted = match &exchange.outgoing.owner {
            Owner::Call { call, .. } => self.calls.contains_key(call),
            _ => false,
        };
        if wanted {
            let tag = tag_of(&response).to_owned();
            self.deliver(now, transaction, &exchange, response);
            let mut accepted = Accepted::of(*exchange);
            accepted.expect_ack(tag);
            self.accepted.insert(transaction, Box::new(accepted));
        } else {
            let accepted = Accepted::of(*exchange);
            self.accepted.insert(transaction, Box::new(accepted));
            self.accepted_again(now, transaction, &response);
        }
    }

    /// A repeat of a 2xx, or that of another branch: its ACK, and for a branch that nobody wants BYE (§13.2.2.4).
    fn accepted_again(
        &mut self,
        now: Instant,
        transaction: ClientTransactionId,
        response: &Response,
    ) {
        let Some(accepted) = self.accepted.get_mut(&transaction) else {
            return;
        };
        if !response.status().is_success() {
            return;
        }
        let tag = tag_of(response);
        if let Some(ack) = accepted.ack_of(tag) {
            // It was lost, or waits for the application's answer.
            if let Some(ack) = ack {
                self.layer.resend(ack.clone());
            }
            return;
        }
        if !accepted.expect_ack(tag.to_owned()) {
            return;
        }
        if let Ok(dialog) = Dialog::of_caller(accepted.request(), response) {
            self.turn_away(now, transaction, dialog);
        }
    }

    /// A branch of a forked INVITE answered after another one's refusal had ended it for us: that
    /// call is up at the peer, and has to be ended there (§13.2.2.4).
    pub(crate) fn strayed(
        &mut self,
        now: Instant,
        transaction: ClientTransactionId,
        response: Response,
        flow: Flow,
    ) {
        if self.accepted.contains_key(&transaction) {
            self.accepted_again(now, transaction, &response);
            return;
        }
        let exchange = self.exchanges.remove(&transaction);
        let exchange = exchange.unwrap_or_else(|| {
            Box::new(Exchange {
                outgoing: Outgoing::new(Owner::Nobody, invite_of(&response), Destination::Uri),
                flow,
                heard: true,
            })
        });
        self.invite_succeeded(now, transaction, exchange, response);
    }

    /// ACK, then BYE: nobody wants this branch.
    fn turn_away(&mut self, now: Instant, transaction: ClientTransactionId, mut dialog: Dialog) {
        let Some(accepted) = self.accepted.get(&transaction) else {
            return;
        };
        let ack = dialog.ack(accepted.request());
        let routed = !dialog.route_set().is_empty();
        let destination = match accepted.pinned_to() {
            Some(flow) if !routed => Destination::Flow(flow),
            _ => Destination::Uri,
        };
        let owner = Owner::Ack {
            transaction,
            tag: dialog.remote_tag().to_owned(),
        };
        self.send(now, Outgoing::new(owner, ack, destination.clone()));
        let bye = dialog.request(&Method::Bye);
        self.send(now, Outgoing::new(Owner::Nobody, bye, destination));
    }

    /// Sends a refused request again where that may help; gives the response back where not.
    fn tried_again(
        &mut self,
        now: Instant,
        mut exchange: Box<Exchange>,
        response: Response,
    ) -> Option<(Box<Exchange>, Response)> {
        let outgoing = &mut exchange.outgoing;
        if self.given_up(&outgoing.owner) || outgoing.retries >= RETRIES {
            return Some((exchange, response));
        }
        let again = match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                self.authorize(outgoing, &response)
            }
            StatusCode::SESSION_INTERVAL_TOO_SMALL => remedy::lengthen(outgoing, &response),
            StatusCode::BAD_EXTENSION => remedy::do_without(outgoing, &response),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => remedy::take_apart(outgoing, &response),
            StatusCode::UNSUPPORTED_URI_SCHEME => remedy::rename(outgoing, &exchange.flow),
            StatusCode::SERVICE_UNAVAILABLE if outgoing.hop.is_some() => {
                // RFC 3263 §4.3: the next server of the set.
                self.fail_over(now, exchange.outgoing, Failure::Rejected(response));
                return None;
            }
            _ => false,
        };
        if !again {
            return Some((exchange, response));
        }
        let Exchange {
            mut outgoing, flow, ..
        } = *exchange;
        outgoing.retries += 1;
        let number = self.next_cseq(&outgoing);
        compose::renumber(&mut outgoing.request, number);
        // To the same server: another of the set would not know the nonce.
        self.transmit(now, outgoing, flow);
        None
    }

    /// Puts credentials in; `false`: there are none, or these were refused.
    fn authorize(&mut self, outgoing: &mut Outgoing, response: &Response) -> bool {
        let auth = match &outgoing.owner {
            Owner::Call { call, .. } => self
                .calls
                .get_mut(call)
                .and_then(|call| call.auth.as_deref_mut()),
            Owner::Registration(id) => self
                .registrations
                .get_mut(id)
                .and_then(|registered| registered.auth.as_deref_mut()),
            Owner::Subscription { id, .. } => self
                .subscriptions
                .get_mut(id)
                .and_then(|subscribed| subscribed.auth.as_deref_mut()),
            Owner::Subscriber(_) | Owner::Request(_) | Owner::Ack { .. } | Owner::Nobody => {
                outgoing.auth.as_deref_mut()
            }
        };
        auth.is_some_and(|auth| {
            auth.handle_challenge(response, &mut outgoing.request)
                .is_ok()
        })
    }

    /// §22.2: the CSeq grows by one, in its dialog if it has one.
    fn next_cseq(&mut self, outgoing: &Outgoing) -> u32 {
        let sent = cseq_of(outgoing);
        match &outgoing.owner {
            // The INVITE that asks for the call counts for itself: it has no To tag yet.
            Owner::Call { call, .. } => self
                .calls
                .get_mut(call)
                .and_then(|call| call.session.take_cseq(&outgoing.request))
                .unwrap_or(sent + 1),
            Owner::Registration(id) => self.registrations.get_mut(id).map_or(sent + 1, |of| {
                of.cseq += 1;
                of.cseq
            }),
            Owner::Subscription { id, .. } => {
                self.subscriptions.get_mut(id).map_or(sent + 1, |of| {
                    // The one that begins it counts for itself.
                    of.machine.take_cseq().unwrap_or_else(|| {
                        of.cseq = sent + 1;
                        of.cseq
                    })
                })
            }
            Owner::Subscriber(id) => self
                .subscribers
                .get_mut(id)
                .map_or(sent + 1, |of| of.machine.take_cseq()),
            Owner::Request(_) | Owner::Ack { .. } | Owner::Nobody => sent + 1,
        }
    }

    fn deliver(
        &mut self,
        now: Instant,
        transaction: ClientTransactionId,
        exchange: &Exchange,
        response: Response,
    ) {
        match &exchange.outgoing.owner {
            Owner::Call { call, purpose } => {
                if let Purpose::Other(request) = *purpose {
                    self.tell_response(request, response.clone());
                }
                self.remember(*call, exchange, &response);
                let status = response.status();
                if *purpose == Purpose::Notify && status.is_final() {
                    self.report_answered(*call, &exchange.outgoing.request, status);
                }
                let sent = Sent {
                    purpose: *purpose,
                    transaction,
                    request: &exchange.outgoing.request,
                };
                self.with_session(now, *call, |session: &mut InviteSession, cx| {
                    session.handle_response(cx, &sent, response);
                });
            }
            Owner::Request(request) => self.tell_response(*request, response),
            Owner::Registration(id) => self.registrar_answered(now, *id, exchange.flow, response),
            Owner::Subscription { id, begun } => {
                self.subscription_answered(now, (*id, *begun), exchange.flow, response);
            }
            Owner::Subscriber(id) => self.notify_answered(now, *id, response.status()),
            Owner::Ack { .. } | Owner::Nobody => {}
        }
    }

    fn tell_response(&mut self, request: offhook_dialog::RequestId, response: Response) {
        if response.status().is_final() {
            self.event(Event::Response { request, response });
        } else if response.status() != StatusCode::TRYING {
            self.event(Event::Provisional { request, response });
        }
    }

    /// What a response says of the peer: where it is, and what it takes.
    fn remember(&mut self, id: CallId, exchange: &Exchange, response: &Response) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.flow = Some(exchange.flow);
        if let Some(allows) = MethodSet::told(response.headers()) {
            call.peer_allows = allows;
        }
        let request = &exchange.outgoing.request;
        if response.status().is_final() && is_invite(request) {
            call.inviting = None;
        }
        // RFC 4488 §4: Refer-Sub: false in the answer, and nothing will be told.
        let told = response.headers().get("Refer-Sub");
        let silent = told.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        if *request.method() == Method::Refer && response.status().is_success() && !silent {
            call.usages.get_or_insert_default().expect(request);
        }
    }
}

/// As much of the INVITE as a dialog takes from it: its response repeats that (§8.2.6.2).
fn invite_of(response: &Response) -> Request {
    let mut invite = Request::new(Method::Invite, compose::nobody());
    for name in [HeaderName::FROM, HeaderName::CALL_ID, HeaderName::CSEQ] {
        let value = response.headers().get(name).unwrap_or_default();
        compose::append(invite.headers_mut(), name, value);
    }
    invite
}

fn tag_of(response: &Response) -> &str {
    response
        .headers()
        .get(HeaderName::TO)
        .and_then(offhook_sip::NameAddrRef::tag_in)
        .unwrap_or_default()
}

fn cseq_of(outgoing: &Outgoing) -> u32 {
    outgoing
        .request
        .headers()
        .typed::<offhook_sip::header::CSeq>()
        .ok()
        .flatten()
        .map_or(0, |cseq| cseq.number())
}
