//! The caller before the final answer: early dialogs, reliable provisionals, CANCEL (RFC 3261 §13.2).

use std::sync::Arc;

use offhook_sip::{HeaderName, Headers, Method, Request, Response, StatusCode};
use offhook_transaction::ServerTransactionId;

use crate::body::Body;
use crate::dialog::Dialog;
use crate::invite_session::context::{Context, Sent};
use crate::invite_session::ending::{AwaitByeAnswer, Ended};
use crate::invite_session::established::Established;
use crate::invite_session::step::{EndCause, Failure, Purpose, Report, Step};
use crate::invite_session::update::{Asked, Updates};
use crate::reliable_provisional::{Arrival, RAckValue, ReceivedInOrder, rseq_of};
use crate::wire;

/// So many branches of one INVITE are followed until one answers: whoever is called makes up as many tags
/// as he likes, and each would take room for as long as he rings.
const MOST_EARLY: usize = 32;

/// An INVITE of ours is out and waits for its final response.
#[derive(Debug)]
pub(super) struct AwaitFinal {
    /// The INVITE carried the offer.
    offered: bool,
    early: Vec<EarlyDialog>,
    /// The application has hung up; the CANCEL is with the transaction layer.
    hung_up: Option<Headers>,
}

/// What becomes of a call that we make.
#[derive(Debug)]
pub(super) enum Calling {
    AwaitFinal(Box<AwaitFinal>),
    Established(Box<Established>),
    AwaitByeAnswer(Box<AwaitByeAnswer>),
    Ended(Ended),
}

/// One branch of a forked INVITE that has shown itself (§12.1).
#[derive(Debug)]
struct EarlyDialog {
    dialog: Dialog,
    received: ReceivedInOrder,
    /// A reliable provisional with an offer that the application must answer in the PRACK.
    awaits_answer: Option<RAckValue>,
    updates: Updates,
}

impl AwaitFinal {
    pub(super) fn new(offered: bool) -> Self {
        Self {
            offered,
            early: Vec::new(),
            hung_up: None,
        }
    }

    pub(super) fn dialogs(&self) -> impl Iterator<Item = &Dialog> {
        self.early.iter().map(|early| &early.dialog)
    }

    pub(super) fn provisional(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        sent: &Sent<'_>,
        response: Response,
    ) -> Calling {
        if response.status().get() == 100 {
            return Calling::AwaitFinal(self);
        }
        let Some(at) = self.early_dialog(sent, &response) else {
            // Without a tag there is no dialog, but there is something to hear.
            self.report_progress(cx, response, false);
            return Calling::AwaitFinal(self);
        };
        let mut awaits_answer = false;
        if let Some(rseq) = rseq_of(&response) {
            let early = &mut self.early[at];
            if early.received.arrival(rseq) == Arrival::Ignore {
                return Calling::AwaitFinal(self);
            }
            let rack = RAckValue::of_response(rseq, &response);
            if !self.offered && !response.body().is_empty() && self.hung_up.is_none() {
                early.awaits_answer = Some(rack);
                awaits_answer = true;
            } else {
                early.prack(cx, &rack, None);
            }
        }
        self.report_progress(cx, response, awaits_answer);
        Calling::AwaitFinal(self)
    }

    fn report_progress(&self, cx: &mut Context<'_>, response: Response, awaits_answer: bool) {
        if self.hung_up.is_none() {
            cx.report(Report::Progress {
                response,
                awaits_answer,
            });
        }
    }

    /// The place of the response's early dialog, made now if it is new; `None` when it has no tag, or
    /// there are too many.
    fn early_dialog(&mut self, sent: &Sent<'_>, response: &Response) -> Option<usize> {
        let tag = wire::to_tag(response.headers())?;
        if let Some(at) = self.early.iter().position(|e| e.dialog.remote_tag() == tag) {
            return Some(at);
        }
        if self.early.len() >= MOST_EARLY {
            return None;
        }
        let dialog = Dialog::of_caller(sent.request, response).ok()?;
        self.early.push(EarlyDialog {
            dialog,
            received: ReceivedInOrder::default(),
            awaits_answer: None,
            updates: Updates::default(),
        });
        Some(self.early.len() - 1)
    }

    pub(super) fn success(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        sent: &Sent<'_>,
        response: Response,
    ) -> Calling {
        let tag = wire::to_tag(response.headers()).unwrap_or_default();
        let known = self.early.iter().position(|e| e.dialog.remote_tag() == tag);
        let dialog = if let Some(at) = known {
            let mut dialog = self.early.swap_remove(at).dialog;
            dialog.confirm(&response);
            dialog
        } else {
            match Dialog::of_caller(sent.request, &response) {
                Ok(dialog) => dialog,
                Err(_) => return Calling::Ended(Ended::new(cx, EndCause::TransportFailed)),
            }
        };
        if let Some(headers) = self.hung_up {
            // The answer crossed our CANCEL: take the call, then end it (§9.1, §15).
            cx.ack(
                sent.transaction,
                dialog.remote_tag(),
                dialog.ack(sent.request),
            );
            let cause = EndCause::LocalHangUp;
            let bye = AwaitByeAnswer::start(cx, dialog, &headers, cause);
            return Calling::AwaitByeAnswer(bye);
        }
        let answered = Established::answered(cx, sent, dialog, response, self.offered);
        Calling::Established(answered)
    }

    pub(super) fn refused(self: Box<Self>, cx: &mut Context<'_>, response: Response) -> Calling {
        let cause = match self.hung_up {
            Some(_) => EndCause::LocalHangUp,
            None => EndCause::Rejected {
                response: Box::new(response),
            },
        };
        Calling::Ended(Ended::new(cx, cause))
    }

    pub(super) fn failed(self: Box<Self>, cx: &mut Context<'_>, failure: Failure) -> Calling {
        let cause = match (self.hung_up, failure) {
            (Some(_), _) => EndCause::LocalHangUp,
            (None, Failure::Rejected(response)) => EndCause::Rejected {
                response: Box::new(response),
            },
            (None, Failure::Unresolved) => EndCause::Unresolved,
            (None, Failure::LimitReached) => EndCause::LimitReached,
            (None, Failure::TransportFailed) => EndCause::TransportFailed,
            (None, Failure::TimedOut | Failure::CallEnded | Failure::Pending) => EndCause::TimedOut,
        };
        Calling::Ended(Ended::new(cx, cause))
    }

    pub(super) fn hang_up(mut self: Box<Self>, cx: &mut Context<'_>, headers: Headers) -> Calling {
        if self.hung_up.is_none() {
            cx.steps.push_back(Step::CancelInvite {
                headers: headers.clone(),
            });
            self.hung_up = Some(headers);
        }
        Calling::AwaitFinal(self)
    }

    /// The answer to an offer that came in a reliable provisional (RFC 3262 §5).
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_>, body: Option<&Body>) {
        if let Some(early) = self.early.iter_mut().find(|e| e.awaits_answer.is_some())
            && let Some(rack) = early.awaits_answer.take()
        {
            early.prack(cx, &rack, body);
            self.offered = true;
        }
    }

    /// A request of the peer within an early dialog.
    pub(super) fn request(
        &mut self,
        cx: &mut Context<'_>,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) {
        let tag = wire::from_tag(request.headers()).unwrap_or_default();
        let offered = self.offered;
        let Some(early) = self.early.iter_mut().find(|e| e.dialog.remote_tag() == tag) else {
            cx.refuse(
                transaction,
                &request,
                StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            );
            return;
        };
        if !cx.in_order(&mut early.dialog, transaction, &request) {
            return;
        }
        match *request.method() {
            // §15.1.1: a callee sends no BYE on an early dialog. It gets its answer; the INVITE decides.
            Method::Bye => cx.refuse(transaction, &request, StatusCode::OK),
            Method::Invite | Method::Prack => {
                cx.refuse(transaction, &request, StatusCode::REQUEST_PENDING);
            }
            // RFC 3311 §5.2: an offer while ours is open.
            Method::Update => {
                let ours_open = offered && early.received_nothing();
                let asked = Asked {
                    transaction,
                    request,
                };
                let dialog = &mut early.dialog;
                early.updates.incoming(cx, dialog, asked, ours_open, None);
            }
            _ => cx.report(Report::Request {
                transaction,
                request,
            }),
        }
    }

    /// The early dialog that an application's request goes into: the one that was heard last.
    pub(super) fn latest(&mut self) -> Option<(&mut Dialog, &mut Updates)> {
        let early = self.early.last_mut()?;
        Some((&mut early.dialog, &mut early.updates))
    }

    pub(super) fn updates_of(&mut self, tag: &str) -> Option<(&mut Dialog, &mut Updates)> {
        let early = self
            .early
            .iter_mut()
            .find(|e| e.dialog.remote_tag() == tag)?;
        Some((&mut early.dialog, &mut early.updates))
    }

    pub(super) fn updates_of_transaction(
        &mut self,
        transaction: ServerTransactionId,
    ) -> Option<(&mut Dialog, &mut Updates)> {
        let early = self
            .early
            .iter_mut()
            .find(|e| e.updates.asked_in() == Some(transaction))?;
        Some((&mut early.dialog, &mut early.updates))
    }
}

impl EarlyDialog {
    fn received_nothing(&self) -> bool {
        self.received.is_new()
    }

    fn prack(&mut self, cx: &mut Context<'_>, rack: &RAckValue, body: Option<&Body>) {
        let mut request = self.dialog.request(&Method::Prack);
        wire::append(request.headers_mut(), HeaderName::RACK, &rack.to_string());
        if let Some(body) = body {
            body.put_in_request(&mut request);
        }
        cx.send(request, Purpose::Prack);
    }
}
