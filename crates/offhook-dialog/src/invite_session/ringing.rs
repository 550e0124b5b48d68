//! The callee before its final answer: provisionals, reliable or not, and the decision (RFC 3261 §13.3).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_sip::header::Expires;
use offhook_sip::{HeaderName, Headers, Method, Request, Response, StatusCode};
use offhook_transaction::ServerTransactionId;
use rand::RngExt;

use crate::body::Body;
use crate::dialog::Dialog;
use crate::invite_session::context::Context;
use crate::invite_session::ending::Ended;
use crate::invite_session::established::Established;
use crate::invite_session::exchange::AwaitAck;
use crate::invite_session::step::{EndCause, Report};
use crate::invite_session::update::{Asked, Updates};
use crate::reliable_provisional::RAckValue;
use crate::resend::{Due, Resend};
use crate::session_timer::SessionTimer;
use crate::wire;

/// A provisional is repeated so that proxies do not give up (§13.3.1.1).
const REPEAT: Duration = Duration::from_secs(60);
/// More unacknowledged provisionals than this are not kept waiting.
const WAITING: usize = 8;

/// The peer's INVITE waits for the application's final answer.
#[derive(Debug)]
pub(super) struct AwaitDecision {
    transaction: ServerTransactionId,
    invite: Arc<Request>,
    pub(super) dialog: Dialog,
    updates: Updates,
    last: Option<Response>,
    repeat_at: Option<Instant>,
    /// When the caller's patience is over, if it says so: its CANCEL may never come.
    expires_at: Option<Instant>,
    reliable: bool,
    rseq: u32,
    await_prack: Option<AwaitPrack>,
    /// Provisionals behind the one that waits for its PRACK (RFC 3262 §3: one at a time).
    queue: VecDeque<Response>,
    /// A 2xx that waits because an offer or answer is not acknowledged yet.
    answer: Option<Response>,
}

/// What becomes of a call that we are asked to take.
#[derive(Debug)]
pub(super) enum Ringing {
    AwaitDecision(Box<AwaitDecision>),
    Established(Box<Established>),
    Ended(Ended),
}

/// A reliable provisional that waits for its PRACK.
#[derive(Debug)]
struct AwaitPrack {
    rack: RAckValue,
    response: Response,
    resend: Resend,
}

impl AwaitDecision {
    pub(super) fn new(
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        invite: Arc<Request>,
        dialog: Dialog,
    ) -> Self {
        Self {
            transaction,
            expires_at: expiry(cx.now, &invite),
            reliable: cx.config.reliable.applies(invite.headers()),
            // RFC 3262 §3: 1 to 2^31 - 1.
            rseq: cx.rng.random_range(1..0x7fff_0000),
            invite,
            dialog,
            updates: Updates::default(),
            last: None,
            repeat_at: None,
            await_prack: None,
            queue: VecDeque::new(),
            answer: None,
        }
    }

    pub(super) fn ring(&mut self, cx: &mut Context<'_>, response: Response) {
        if self.answer.is_some() || !response.status().is_provisional() {
            return;
        }
        let mut response = self.dialog_response(response);
        if response.status() == StatusCode::TRYING {
            cx.respond(self.transaction, response);
            return;
        }
        if !self.reliable {
            self.last = Some(response.clone());
            self.repeat_at = Some(cx.now + REPEAT);
            cx.respond(self.transaction, response);
            return;
        }
        wire::append(response.headers_mut(), HeaderName::REQUIRE, "100rel");
        if self.await_prack.is_some() {
            if self.queue.len() < WAITING {
                self.queue.push_back(response);
            }
        } else {
            self.send_reliably(cx, response);
        }
    }

    fn send_reliably(&mut self, cx: &mut Context<'_>, mut response: Response) {
        self.rseq += 1;
        wire::set(
            response.headers_mut(),
            HeaderName::RSEQ,
            &self.rseq.to_string(),
        );
        self.await_prack = Some(AwaitPrack {
            rack: RAckValue::of_response(self.rseq, &response),
            response: response.clone(),
            resend: Resend::of_provisional(cx.now, cx.timers),
        });
        cx.respond(self.transaction, response);
    }

    /// To tag and Record-Route, which every dialog-making response has (§12.1.1).
    fn dialog_response(&self, mut response: Response) -> Response {
        if response.status() == StatusCode::TRYING {
            return response;
        }
        let headers = response.headers_mut();
        wire::set(headers, HeaderName::TO, self.dialog.local_value());
        headers.remove(HeaderName::RECORD_ROUTE);
        wire::copy(self.invite.headers(), headers, HeaderName::RECORD_ROUTE);
        response
    }

    pub(super) fn accept(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        body: Option<&Body>,
        extra: &Headers,
    ) -> Ringing {
        if self.answer.is_some() {
            return Ringing::AwaitDecision(self);
        }
        let mut response = self.dialog_response(self.invite.response(StatusCode::OK));
        wire::extend(response.headers_mut(), extra);
        if let Some(body) = body {
            body.put_in_response(&mut response);
        }
        self.queue.clear();
        let open_offer = self
            .await_prack
            .as_ref()
            .is_some_and(|waiting| !waiting.response.body().is_empty());
        if open_offer {
            // RFC 3262 §3: no 2xx while a provisional with a description is unacknowledged.
            self.answer = Some(response);
            return Ringing::AwaitDecision(self);
        }
        self.answer_with(cx, response)
    }

    fn answer_with(mut self: Box<Self>, cx: &mut Context<'_>, mut response: Response) -> Ringing {
        let mut timer: Option<SessionTimer> = None;
        if let Some(config) = cx.config.session_timer
            && let Ok(terms) = config.decide(self.invite.headers())
        {
            terms.put_in_answer(response.headers_mut());
            timer = Some(SessionTimer::start(cx.now, terms));
        }
        self.updates.drop_asked(cx);
        let cseq = wire::cseq_number(self.invite.headers()).unwrap_or_default();
        let body = Body::of_response(&response);
        let exchange = AwaitAck::start(cx, self.transaction, response, cseq, true);
        let peer_updates = wire::allows(self.invite.headers(), &Method::Update);
        let mut established =
            Established::accepted(self.dialog, exchange, timer, peer_updates, body.as_ref());
        established.late_prack = self.await_prack.map(|waiting| Box::new(waiting.rack));
        Ringing::Established(Box::new(established))
    }

    pub(super) fn reject(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        response: Response,
        cause: EndCause,
    ) -> Ringing {
        self.updates.drop_asked(cx);
        let response = self.dialog_response(response);
        cx.respond(self.transaction, response);
        Ringing::Ended(Ended::new(cx, cause))
    }

    /// The final response that we choose ourselves.
    pub(super) fn refuse(
        self: Box<Self>,
        cx: &mut Context<'_>,
        status: StatusCode,
        cause: EndCause,
    ) -> Ringing {
        let response = self.invite.response(status);
        self.reject(cx, response, cause)
    }

    pub(super) fn cancelled(self: Box<Self>, cx: &mut Context<'_>, cancel: Request) -> Ringing {
        let cause = EndCause::Cancelled {
            request: Arc::new(cancel),
        };
        self.refuse(cx, StatusCode::REQUEST_TERMINATED, cause)
    }

    /// A request of the caller before the final answer.
    pub(super) fn request(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) -> Ringing {
        if !cx.in_order(&mut self.dialog, transaction, &request) {
            return Ringing::AwaitDecision(self);
        }
        match *request.method() {
            // §15: the caller may end an early dialog by BYE.
            Method::Bye => {
                cx.refuse(transaction, &request, StatusCode::OK);
                let cause = EndCause::RemoteHangUp { request };
                return self.refuse(cx, StatusCode::REQUEST_TERMINATED, cause);
            }
            Method::Prack => return self.prack(cx, transaction, request),
            // §14.2: a second INVITE before the first is final.
            Method::Invite => cx.busy(transaction, &request),
            Method::Update => {
                // The caller's offer in the INVITE is open until we answered it reliably.
                let open = !self.invite.body().is_empty() && self.last_reliable_body().is_none();
                if open && !request.body().is_empty() {
                    cx.busy(transaction, &request);
                } else {
                    let dialog = &mut self.dialog;
                    let asked = Asked {
                        transaction,
                        request,
                    };
                    self.updates.incoming(cx, dialog, asked, false, None);
                }
            }
            _ => cx.report(Report::Request {
                transaction,
                request,
            }),
        }
        Ringing::AwaitDecision(self)
    }

    fn last_reliable_body(&self) -> Option<&Response> {
        self.last
            .as_ref()
            .filter(|response| self.reliable && !response.body().is_empty())
    }

    /// RFC 3262 §3: matched by RAck, 481 otherwise.
    fn prack(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) -> Ringing {
        let rack = RAckValue::of_prack(&request);
        let matched = self
            .await_prack
            .take_if(|waiting| rack.as_ref() == Some(&waiting.rack));
        let Some(waiting) = matched else {
            cx.refuse(
                transaction,
                &request,
                StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            );
            return Ringing::AwaitDecision(self);
        };
        cx.refuse(transaction, &request, StatusCode::OK);
        self.last = Some(waiting.response);
        if !request.body().is_empty() {
            cx.report(Report::ProgressConfirmed(Arc::unwrap_or_clone(request)));
        }
        if let Some(response) = self.answer.take() {
            return self.answer_with(cx, response);
        }
        if let Some(next) = self.queue.pop_front() {
            self.send_reliably(cx, next);
        }
        Ringing::AwaitDecision(self)
    }

    pub(super) fn handle_timeout(mut self: Box<Self>, cx: &mut Context<'_>) -> Ringing {
        if let Some(waiting) = &mut self.await_prack {
            match waiting.resend.handle_timeout(cx.now) {
                Some(Due::Resend) => {
                    let response = waiting.response.clone();
                    cx.respond(self.transaction, response);
                }
                // RFC 3262 §3: the caller cannot hear us; refuse with a 5xx.
                Some(Due::GiveUp) => {
                    let status = StatusCode::SERVER_TIMEOUT;
                    return self.refuse(cx, status, EndCause::AckMissing);
                }
                None => {}
            }
        }
        // A 2xx that waits for a PRACK is an answer already.
        if self.answer.is_none() && self.expires_at.is_some_and(|at| cx.now >= at) {
            let status = StatusCode::REQUEST_TERMINATED;
            return self.refuse(cx, status, EndCause::InvitationExpired);
        }
        if self.repeat_at.is_some_and(|at| cx.now >= at)
            && let Some(last) = &self.last
        {
            cx.respond(self.transaction, last.clone());
            self.repeat_at = Some(cx.now + REPEAT);
        }
        Ringing::AwaitDecision(self)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let prack = self.await_prack.as_ref().map(|w| w.resend.poll_timeout());
        let expires_at = self.expires_at.filter(|_| self.answer.is_none());
        let others = self.repeat_at.into_iter().chain(expires_at);
        prack.into_iter().chain(others).min()
    }

    pub(super) fn updates(&mut self) -> (&mut Dialog, &mut Updates) {
        (&mut self.dialog, &mut self.updates)
    }

    pub(super) fn transaction(&self) -> ServerTransactionId {
        self.transaction
    }
}

/// When the invitation expires (§13.3.1, point 1): a value that cannot be read says nothing.
fn expiry(now: Instant, invite: &Request) -> Option<Instant> {
    let expires = invite.headers().typed::<Expires>().ok()??;
    now.checked_add(Duration::from_secs(expires.0.into()))
}
