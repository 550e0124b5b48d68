//! Responses to what we sent within an answered call.

use offhook_sip::{HeaderName, Method, Response, StatusCode};

use crate::invite_session::context::{Context, Sent};
use crate::invite_session::established::{Established, Talk};
use crate::invite_session::exchange::{AwaitFinal, AwaitOurAnswer, Exchange, Wanted};
use crate::invite_session::step::{EndCause, Failure, Purpose, Report};
use crate::invite_session::update::Outcome;
use crate::reliable_provisional::{Arrival, RAckValue, rseq_of};
use crate::wire;

impl Established {
    /// A response to our re-INVITE.
    pub(super) fn reinvite_answered(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        sent: &Sent<'_>,
        response: Response,
    ) -> Talk {
        let Exchange::AwaitFinal(waiting) = core::mem::take(&mut self.exchange) else {
            return Talk::Established(self);
        };
        let status = response.status();
        if status.is_provisional() {
            self.reinvite_progress(cx, waiting, &response);
            return Talk::Established(self);
        }
        if !status.is_success() {
            self.refresh_refused(cx);
        }
        if status.is_success() {
            self.reinvite_agreed(cx, sent, &waiting, response);
        } else if status == StatusCode::REQUEST_PENDING {
            self.want_again(
                cx,
                Wanted {
                    update: false,
                    body: waiting.offer,
                    refresh: waiting.refresh,
                    glares: waiting.glares,
                    not_before: cx.now,
                },
            );
        } else if let Some(cause) = gone(status) {
            if !waiting.refresh {
                cx.report(Report::ReofferFailed(Failure::Rejected(response)));
            }
            return self.dialog_gone(cx, status, cause);
        } else if !waiting.refresh {
            cx.report(Report::ReofferFailed(Failure::Rejected(response)));
        }
        self.pursue(cx);
        Talk::Established(self)
    }

    /// A reliable 1xx to a re-INVITE must be acknowledged like any other (RFC 3262 §4).
    fn reinvite_progress(
        &mut self,
        cx: &mut Context<'_>,
        mut waiting: AwaitFinal,
        response: &Response,
    ) {
        if let Some(rseq) = rseq_of(response)
            && waiting.received.arrival(rseq) == Arrival::Next
        {
            let mut prack = self.dialog.request(&Method::Prack);
            let rack = RAckValue::of_response(rseq, response).to_string();
            wire::append(prack.headers_mut(), HeaderName::RACK, &rack);
            cx.send(prack, Purpose::Prack);
        }
        self.exchange = Exchange::AwaitFinal(waiting);
    }

    fn reinvite_agreed(
        &mut self,
        cx: &mut Context<'_>,
        sent: &Sent<'_>,
        waiting: &AwaitFinal,
        response: Response,
    ) {
        self.dialog.refresh_target(response.headers());
        self.restart_timer(cx, &response);
        let ack = self.dialog.ack(sent.request);
        let awaits_answer = waiting.offer.is_none() && !response.body().is_empty();
        if awaits_answer && !waiting.refresh {
            self.exchange = Exchange::AwaitOurAnswer(Box::new(AwaitOurAnswer {
                transaction: sent.transaction,
                ack,
            }));
        } else {
            cx.ack(sent.transaction, self.dialog.remote_tag(), ack);
            self.describe(waiting.offer.as_deref());
        }
        if !waiting.refresh {
            cx.report(Report::ReofferAnswered {
                response,
                awaits_answer,
            });
        }
    }

    /// A response to our UPDATE.
    pub(super) fn update_answered(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        sent: &Sent<'_>,
        response: Response,
    ) -> Talk {
        let status = response.status();
        if status.is_success() {
            self.restart_timer(cx, &response);
        } else if status.is_final() {
            self.refresh_refused(cx);
        }
        if let Some(cause) = gone(status).filter(|_| self.was_known(sent, status)) {
            let _ = self.updates.answered(cx, &mut self.dialog, response);
            return self.dialog_gone(cx, status, cause);
        }
        if status == StatusCode::METHOD_NOT_ALLOWED || status == StatusCode::NOT_IMPLEMENTED {
            self.peer_updates = false;
        }
        if let Outcome::Glare(glares) = self.updates.answered(cx, &mut self.dialog, response) {
            let body = crate::body::Body::of_request(sent.request).map(Box::new);
            self.want_again(
                cx,
                Wanted {
                    update: true,
                    body,
                    refresh: false,
                    glares,
                    not_before: cx.now,
                },
            );
        }
        self.pursue(cx);
        Talk::Established(self)
    }

    /// A response to a request of the application: does the call survive it (§12.2.1.2)?
    pub(super) fn other_answered(
        self: Box<Self>,
        cx: &mut Context<'_>,
        sent: &Sent<'_>,
        status: StatusCode,
    ) -> Talk {
        // RFC 5057 §5.1: a 481 to a NOTIFY, SUBSCRIBE or REFER is about the subscription.
        let of_subscription = matches!(
            sent.request.method(),
            Method::Notify | Method::Subscribe | Method::Refer
        );
        match gone(status) {
            Some(cause) if !of_subscription && self.was_known(sent, status) => {
                self.dialog_gone(cx, status, cause)
            }
            _ => Talk::Established(self),
        }
    }

    /// A request of ours within the call got no response at all: as a 408 or a 503 (§8.1.3.1).
    pub(super) fn failed(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        purpose: Purpose,
        failure: Failure,
    ) -> Talk {
        let status = failure.status();
        match purpose {
            Purpose::Reinvite => {
                if let Exchange::AwaitFinal(waiting) = core::mem::take(&mut self.exchange)
                    && !waiting.refresh
                {
                    cx.report(Report::ReofferFailed(failure));
                }
            }
            Purpose::Update => self.updates.failed(cx, failure),
            _ => {}
        }
        if let Some(cause) = gone(status) {
            return self.dialog_gone(cx, status, cause);
        }
        self.pursue(cx);
        Talk::Established(self)
    }

    fn refresh_refused(&mut self, cx: &Context<'_>) {
        if let Some(timer) = &mut self.timer {
            timer.refused(cx.now);
        }
    }

    /// Whether the peer had our 2xx when it answered this request. A request that came before it, or
    /// while it was lost, belonged to no dialog yet: a 481 to that says nothing of the call.
    fn was_known(&self, sent: &Sent<'_>, status: StatusCode) -> bool {
        let number = wire::cseq_number(sent.request.headers()).unwrap_or_default();
        let early = self.exchange.is_unconfirmed() || number <= self.early_cseq;
        status != StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST || !early
    }

    /// The peer knows the call no more, or does not answer: it is over (§12.2.1.2).
    fn dialog_gone(
        self: Box<Self>,
        cx: &mut Context<'_>,
        status: StatusCode,
        cause: EndCause,
    ) -> Talk {
        let reason = format!("SIP;cause={};text=\"{}\"", status.get(), status.reason());
        self.give_up(cx, wire::reason(&reason), cause)
    }
}

/// The statuses that end a dialog, §12.2.1.2.
fn gone(status: StatusCode) -> Option<EndCause> {
    (status == StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST
        || status == StatusCode::REQUEST_TIMEOUT)
        .then_some(EndCause::DialogGone { status })
}
