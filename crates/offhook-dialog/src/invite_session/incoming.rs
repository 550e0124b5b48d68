//! What the peer asks within an answered call.

use std::sync::Arc;

use offhook_sip::{Headers, Method, Request, StatusCode};
use offhook_transaction::ServerTransactionId;

use crate::invite_session::context::Context;
use crate::invite_session::ending::{AwaitByeAnswer, Ended};
use crate::invite_session::established::{Established, Talk};
use crate::invite_session::exchange::{AwaitDecision, Exchange};
use crate::invite_session::step::{EndCause, Report};
use crate::invite_session::update::Asked;
use crate::reliable_provisional::RAckValue;
use crate::wire;

impl Established {
    /// A request of this dialog that was let in.
    pub(super) fn request(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) -> Talk {
        if !cx.in_order(&mut self.dialog, transaction, &request) {
            return if *request.method() == Method::Bye {
                self.overtaken_bye(cx, request)
            } else {
                Talk::Established(self)
            };
        }
        match *request.method() {
            Method::Bye => return self.bye(cx, transaction, request),
            Method::Invite => self.reinvite(cx, transaction, request),
            Method::Update => {
                let ours_open = match &self.exchange {
                    Exchange::AwaitFinal(waiting) => waiting.offer.is_some(),
                    Exchange::AwaitOurAnswer(_) => true,
                    // The peer offers while its own offer, or ours in the 2xx, is still open.
                    Exchange::AwaitAck(waiting) => !waiting.response.body().is_empty(),
                    Exchange::AwaitDecision(_) | Exchange::Idle => false,
                };
                if matches!(self.exchange, Exchange::AwaitDecision(_)) && !request.body().is_empty()
                {
                    cx.busy(transaction, &request);
                } else {
                    let asked = Asked {
                        transaction,
                        request,
                    };
                    let timer = Some(&mut self.timer);
                    self.updates
                        .incoming(cx, &mut self.dialog, asked, ours_open, timer);
                }
            }
            Method::Prack => {
                let rack = RAckValue::of_prack(&request);
                let late = self
                    .late_prack
                    .take_if(|late| rack.as_ref() == Some(&**late));
                let status = match late {
                    Some(_) => StatusCode::OK,
                    None => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                };
                cx.refuse(transaction, &request, status);
            }
            _ => cx.report(Report::Request {
                transaction,
                request,
            }),
        }
        Talk::Established(self)
    }

    /// A re-INVITE, and what it may cross (§14.2).
    fn reinvite(
        &mut self,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) {
        match &self.exchange {
            Exchange::AwaitFinal(_) | Exchange::AwaitOurAnswer(_) | Exchange::AwaitAck(_) => {
                cx.refuse(transaction, &request, StatusCode::REQUEST_PENDING);
                return;
            }
            Exchange::AwaitDecision(_) => {
                cx.busy(transaction, &request);
                return;
            }
            Exchange::Idle => {}
        }
        if self.updates.asked_in().is_some() {
            cx.busy(transaction, &request);
            return;
        }
        if self.updates.offer_out() {
            cx.refuse(transaction, &request, StatusCode::REQUEST_PENDING);
            return;
        }
        if let Some(config) = cx.config.session_timer
            && let Err(short) = config.decide(request.headers())
        {
            cx.too_short(transaction, &request, short);
            return;
        }
        if let Some(allows) = wire::allows_if_told(request.headers(), &Method::Update) {
            self.peer_updates = allows;
        }
        self.exchange = Exchange::AwaitDecision(Box::new(AwaitDecision {
            transaction,
            request: Arc::clone(&request),
        }));
        cx.report(Report::Reoffer {
            transaction,
            request,
        });
    }

    /// A BYE that a later request of the peer has overtaken, as UDP may have it, has got its 500
    /// (§12.2.2). The peer is gone all the same (§15.1.1), so this side leaves with a BYE of its own.
    fn overtaken_bye(self: Box<Self>, cx: &mut Context<'_>, request: Arc<Request>) -> Talk {
        self.leave(cx, &Headers::new(), EndCause::RemoteHangUp { request })
    }

    /// The end, by the peer (§15.1.2).
    fn bye(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) -> Talk {
        cx.refuse(transaction, &request, StatusCode::OK);
        match core::mem::take(&mut self.exchange) {
            Exchange::AwaitDecision(asked) => cx.refuse(
                asked.transaction,
                &asked.request,
                StatusCode::REQUEST_TERMINATED,
            ),
            // The peer hung up before we answered its offer; its 2xx still wants an ACK.
            Exchange::AwaitOurAnswer(waiting) => waiting.send(cx, self.dialog.remote_tag(), None),
            Exchange::Idle | Exchange::AwaitAck(_) | Exchange::AwaitFinal(_) => {}
        }
        self.updates.drop_asked(cx);
        let cause = EndCause::RemoteHangUp { request };
        Talk::Ended(Ended::with(cx, self.dialog, cause))
    }

    /// The peer takes back a re-INVITE that the application has not answered (§9.2).
    pub(super) fn cancelled(&mut self, cx: &mut Context<'_>, transaction: ServerTransactionId) {
        match core::mem::take(&mut self.exchange) {
            Exchange::AwaitDecision(asked) if asked.transaction == transaction => {
                cx.refuse(
                    asked.transaction,
                    &asked.request,
                    StatusCode::REQUEST_TERMINATED,
                );
                cx.report(Report::ReofferCancelled);
            }
            other => self.exchange = other,
        }
        self.pursue(cx);
    }

    /// An ACK of this dialog.
    pub(super) fn ack(mut self: Box<Self>, cx: &mut Context<'_>, ack: Request) -> Talk {
        let cseq = wire::cseq_number(ack.headers()).unwrap_or_default();
        if self.exchange.is_unconfirmed() {
            self.early_cseq = self.dialog.local_cseq();
        }
        if self.exchange.acknowledged(cx, cseq, ack)
            && let Some(headers) = self.bye_wanted.take()
        {
            let cause = EndCause::LocalHangUp;
            let bye = AwaitByeAnswer::start(cx, self.dialog, &headers, cause);
            return Talk::AwaitByeAnswer(bye);
        }
        self.pursue(cx);
        Talk::Established(self)
    }
}
