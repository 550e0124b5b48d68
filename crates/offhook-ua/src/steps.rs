//! What sessions want done, done.

use std::time::Instant;

use offhook_dialog::{CallId, EndCause, Report, Step};
use offhook_sip::{HeaderName, Method, Request, Response, StatusCode};
use offhook_transaction::{ClientTransactionId, ServerTransactionId};

use crate::compose::{self, Face};
use crate::deadlines::Key;
use crate::event::Event;
use crate::exchange::Owner;
use crate::incoming::{IncomingRequest, Reoffer};
use crate::user_agent::UserAgent;

impl UserAgent {
    pub(crate) fn perform(&mut self, now: Instant, call: CallId, step: Step) {
        match step {
            Step::Send { request, purpose } => self.send_in_call(now, call, request, purpose),
            Step::Ack {
                transaction,
                remote_tag,
                request,
            } => self.acknowledge_success(now, call, transaction, remote_tag, request),
            Step::CancelInvite { headers } => {
                let inviting = self.calls.get(&call).and_then(|call| call.inviting);
                if let Some(transaction) = inviting {
                    self.layer.cancel(now, transaction, headers);
                }
            }
            Step::Respond {
                transaction,
                mut response,
            } => {
                let call = self.calls.get(&call);
                let face = Face {
                    user: call.and_then(|call| call.contact_user.as_deref()),
                    secure: call.is_some_and(|call| call.secure),
                };
                self.finish_response(transaction, &mut response, face);
                // Gone or final already: the peer has its answer.
                let _ = self.layer.respond(now, transaction, response);
            }
            Step::Report(report) => self.report(now, call, report),
        }
    }

    fn acknowledge_success(
        &mut self,
        now: Instant,
        call: CallId,
        transaction: ClientTransactionId,
        tag: String,
        ack: Request,
    ) {
        let owner = Owner::Ack { transaction, tag };
        self.send_within(now, call, ack, owner);
    }

    fn report(&mut self, now: Instant, call: CallId, report: Report) {
        let event = match report {
            Report::Progress {
                response,
                awaits_answer,
            } => Event::Progress {
                call,
                response,
                awaits_answer,
            },
            Report::Answered {
                response,
                awaits_answer,
            } => Event::Answered {
                call,
                response,
                awaits_answer,
            },
            Report::Confirmed(ack) => Event::Confirmed { call, ack },
            Report::ProgressConfirmed(prack) => Event::ProgressConfirmed { call, prack },
            Report::Reoffer {
                transaction,
                request,
            } => Event::Reoffer(Reoffer {
                call: Some(call),
                flow: self.way_of(transaction, call),
                transaction,
                request,
            }),
            Report::ReofferCancelled => Event::ReofferCancelled { call },
            Report::ReofferAnswered {
                response,
                awaits_answer,
            } => Event::ReofferAnswered {
                call,
                response,
                awaits_answer,
            },
            Report::ReofferFailed(failure) => Event::ReofferFailed { call, failure },
            Report::ReofferConfirmed(ack) => Event::ReofferConfirmed { call, ack },
            Report::Request {
                transaction,
                request,
            } => Event::InCallRequest {
                call,
                request: IncomingRequest {
                    call: Some(call),
                    flow: self.way_of(transaction, call),
                    transaction,
                    request,
                },
            },
            Report::Ended(cause) => {
                self.forget(now, call, cause);
                return;
            }
        };
        self.event(event);
    }

    fn way_of(&self, transaction: ServerTransactionId, call: CallId) -> offhook_transaction::Flow {
        let fallback = || self.calls.get(&call).and_then(|call| call.flow);
        self.layer
            .server_flow(transaction)
            .or_else(fallback)
            .unwrap_or_else(nowhere)
    }

    /// The call is over: nothing of it stays but what its transactions still need.
    fn forget(&mut self, now: Instant, id: CallId, cause: EndCause) {
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        self.deadlines
            .replace(Key::Call(id), &mut call.deadline, None);
        self.linger(now, id, &mut call);
        if !self.lingering.contains_key(&id) {
            self.by_tag.remove(&call.tag);
        }
        if let Some(transaction) = call.inviting {
            // A re-INVITE that the peer will not answer any more must not wait for ever.
            self.layer
                .cancel(now, transaction, offhook_sip::Headers::new());
        }
        // Tables that once held many calls give the memory back.
        if self.calls.capacity() > 1024 && self.calls.len() * 8 < self.calls.capacity() {
            self.calls.shrink_to_fit();
            self.by_tag.shrink_to_fit();
        }
        self.event(Event::Ended { call: id, cause });
    }

    /// Finishes a response and sends it. A transaction that is gone needs none.
    pub(crate) fn send_response(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        mut response: Response,
        face: Face<'_>,
    ) {
        self.finish_response(transaction, &mut response, face);
        // Gone or final already: the peer has its answer.
        let _ = self.layer.respond(now, transaction, response);
    }

    /// The same for a response that is to be forgotten, as one to a stranger (RFC 3261 §8.2.7).
    pub(crate) fn send_response_once(
        &mut self,
        transaction: ServerTransactionId,
        mut response: Response,
    ) {
        self.finish_response(transaction, &mut response, Face::default());
        let _ = self.layer.respond_once(transaction, response);
    }

    /// Adds what our responses say of us.
    fn finish_response(
        &self,
        transaction: ServerTransactionId,
        response: &mut Response,
        face: Face<'_>,
    ) {
        let status = response.status();
        let method = response
            .headers()
            .typed::<offhook_sip::header::CSeq>()
            .ok()
            .flatten()
            .map(|cseq| cseq.method().clone());
        if status != StatusCode::TRYING {
            if makes_dialog(method.as_ref(), status)
                && let Some(flow) = self.layer.server_flow(transaction)
            {
                let (headers, config) = (response.headers_mut(), &self.config);
                config.put_contact(headers, &flow, face.user, face.secure);
            }
            if !self.config.product.is_empty() && !response.headers().contains(HeaderName::SERVER) {
                compose::append(
                    response.headers_mut(),
                    HeaderName::SERVER,
                    &self.config.product,
                );
            }
            if status.is_success() && matches!(method, Some(Method::Invite | Method::Options)) {
                self.abilities.tell(response.headers_mut());
            }
            if status.is_success() && matches!(method, Some(Method::Options)) {
                self.tell_accept(response.headers_mut());
            }
        }
    }

    pub(crate) fn tell_accept(&self, headers: &mut offhook_sip::Headers) {
        if !headers.contains(HeaderName::ACCEPT) {
            compose::append(headers, HeaderName::ACCEPT, &self.config.accept.join(", "));
        }
    }
}

/// Responses that make a dialog or move its target carry our Contact (RFC 3261 §12.1.1, RFC 3311 §5.2).
fn makes_dialog(method: Option<&Method>, status: StatusCode) -> bool {
    match method {
        Some(Method::Invite) => status.get() > 100 && status.get() < 300,
        Some(Method::Update | Method::Subscribe | Method::Notify | Method::Refer) => {
            status.is_success()
        }
        _ => false,
    }
}

/// For a call whose peer was never heard; nothing is sent there.
fn nowhere() -> offhook_transaction::Flow {
    let address = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    offhook_transaction::Flow::udp(address, address)
}
