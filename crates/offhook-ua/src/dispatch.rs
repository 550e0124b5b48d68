//! What peers ask: which requests are looked at, whose they are, and who is told (RFC 3261 §8.2, §12.2.2).

use std::sync::Arc;
use std::time::Instant;

use offhook_dialog::{CallId, Step};
use offhook_sip::{Method, Request, Response, StatusCode};
use offhook_transaction::{Flow, ServerTransactionId};

use crate::compose::{self, Face, MethodSet};
use crate::event::Event;
use crate::incoming::{Guarded, IncomingRequest};
use crate::user_agent::UserAgent;

impl UserAgent {
    /// Whether a request belongs to a call or to a transaction that lives. A guard against floods
    /// lets such requests pass.
    #[must_use]
    pub fn is_known(&self, flow: &Flow, request: &Request) -> bool {
        self.dialog_owner(request).is_some() || self.layer.knows(flow, request)
    }

    /// Like [`Self::is_known`], of a request that says itself by its To tag that it is of a call.
    #[must_use]
    pub fn is_known_within(&self, flow: &Flow, request: &Request) -> bool {
        compose::dialog_of(request).is_some_and(|dialog| {
            self.owner_of(dialog).is_some() || self.layer.knows(flow, request)
        })
    }

    /// Answers a request 503 with a Retry-After of so many seconds instead of handling it; nothing
    /// is kept of it. An ACK is not answered.
    pub fn refuse_busy(&mut self, now: Instant, flow: Flow, request: Request, retry_after: u32) {
        self.layer.refuse_busy(flow, request, retry_after);
        self.settle(now);
    }

    /// A request that is neither ACK nor CANCEL.
    ///
    /// What is refused here is refused whoever sent it, so nothing is kept of it.
    pub(crate) fn asked(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        if let Err(response) = self.inspect(&request) {
            self.send_response_once(transaction, *response);
            return;
        }
        match compose::dialog_of(&request) {
            Some(dialog) => {
                let owner = self.owner_of(dialog);
                self.asked_within(now, owner, transaction, request, flow);
            }
            None if *request.method() == Method::Invite => {
                self.invited(now, transaction, request, flow);
            }
            // §15.1.2: a BYE without a dialog; and PRACK, UPDATE likewise.
            None if matches!(
                request.method(),
                Method::Bye | Method::Prack | Method::Update
            ) =>
            {
                let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                self.send_response_once(transaction, request.response(status));
            }
            None if *request.method() == Method::Subscribe && !self.config.events.is_empty() => {
                self.subscribed_to(transaction, request, flow);
            }
            None => self.event(Event::IncomingRequest(IncomingRequest {
                call: None,
                transaction,
                request,
                flow,
            })),
        }
    }

    /// A request with a To tag: of one of our dialogs, by Call-ID and both tags, or of none (§12.2.2).
    fn asked_within(
        &mut self,
        now: Instant,
        owner: Option<CallId>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        let Some(id) = owner else {
            self.asked_beside(now, transaction, request, flow);
            return;
        };
        let checked = self.calls.get(&id).map(|call| call.session.check(&request));
        if let Some(Err(error)) = checked {
            self.send_response(
                now,
                transaction,
                request.response(error.status()),
                Face::default(),
            );
            return;
        }
        if *request.method() == Method::Invite {
            self.invited.insert(transaction, id);
        }
        if self.config.guard {
            self.event(Event::Guarded(Guarded {
                call: Some(id),
                transaction,
                request,
                flow,
            }));
        } else {
            self.let_in(now, id, transaction, request, flow);
        }
    }

    /// A request with a To tag that is of no call: of a subscription, or of a call that has ended
    /// but for a transfer, or of nothing.
    fn asked_beside(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        let tag = compose::dialog_of(&request).map(|(_, local, _)| local);
        let subscription = tag.and_then(|tag| self.subscription_tags.get(tag).copied());
        if let Some(id) = subscription {
            if self.subscriptions.contains_key(&id) {
                self.notified(now, id, transaction, request, flow);
            } else {
                self.resubscribed(now, id, transaction, request, flow);
            }
        } else if let Some(id) = self.lingering_owner(&request) {
            self.asked_late(now, id, transaction, request);
        } else {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            self.send_response_once(transaction, request.response(status));
        }
    }

    /// A request within a call does its work.
    pub(crate) fn let_in(
        &mut self,
        now: Instant,
        id: CallId,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        let invite = *request.method() == Method::Invite;
        if invite && !self.invited.contains_key(&transaction) {
            return; // Cancelled while it was being looked at.
        }
        let Some(call) = self.calls.get_mut(&id) else {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            self.send_response(now, transaction, request.response(status), Face::default());
            return;
        };
        call.flow = Some(flow);
        if let Some(allows) = MethodSet::told(request.headers()) {
            call.peer_allows = allows;
        }
        if *request.method() == Method::Notify
            && let Some(usages) = call.usages.as_deref_mut()
        {
            usages.heard(&request);
        }
        self.with_session(now, id, |session, cx| {
            session.handle_request(cx, transaction, request);
        });
    }

    /// The ACK for a 2xx of ours.
    pub(crate) fn acked(&mut self, now: Instant, ack: Request, flow: Flow) {
        let _ = flow;
        if let Some(id) = self.dialog_owner(&ack) {
            self.with_session(now, id, |session, cx| session.handle_ack(cx, ack));
        }
    }

    /// A peer takes its INVITE back; the CANCEL has its 200 (§9.2).
    pub(crate) fn cancelled(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        cancel: Request,
    ) {
        let Some(id) = self.invited.remove(&transaction) else {
            return self.terminate(now, transaction);
        };
        self.with_session(now, id, |session, cx| {
            session.handle_cancel(cx, transaction, cancel);
        });
        let answered = self.steps.iter().any(
            |(_, step)| matches!(step, Step::Respond { transaction: of, .. } if *of == transaction),
        );
        if !answered {
            self.terminate(now, transaction);
        }
    }

    /// Answers an INVITE that nobody but us has seen: it is with the application, unadmitted. The
    /// CANCEL would not do to make the response of, for it has the topmost Via only (§9.1).
    fn terminate(&mut self, now: Instant, transaction: ServerTransactionId) {
        let terminated = StatusCode::REQUEST_TERMINATED;
        let invite = self.layer.unanswered(transaction);
        if let Some(response) = invite.map(|invite| invite.response(terminated)) {
            self.send_response(now, transaction, response, Face::default());
        }
    }

    /// Whose dialog a message of a peer belongs to: Call-ID and both tags, nothing less.
    fn dialog_owner(&self, request: &Request) -> Option<CallId> {
        self.owner_of(compose::dialog_of(request)?)
    }

    fn owner_of(&self, (call_id, local, remote): (&str, &str, &str)) -> Option<CallId> {
        self.find_call(call_id, local, remote)
    }

    /// Answers a request of a peer for the application.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        mut response: Response,
        request: &Request,
    ) {
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            self.abilities.tell_allow(response.headers_mut());
        }
        let face = Face::asked_for(request);
        self.send_response(now, transaction, response, face);
    }
}
