//! UPDATE within one dialog, early or confirmed: at most one open each way (RFC 3311 §5).

use std::sync::Arc;

use offhook_sip::{HeaderName, Method, Request, Response, StatusCode};
use offhook_transaction::ServerTransactionId;

use crate::body::Body;
use crate::dialog::Dialog;
use crate::invite_session::context::Context;
use crate::invite_session::step::{Failure, Purpose, Report};
use crate::session_timer::{Refresher, SessionTimer};
use crate::wire;

/// The open UPDATEs of a dialog.
#[derive(Debug, Default)]
pub(super) struct Updates {
    ours: Option<Ours>,
    theirs: Option<Box<Asked>>,
}

/// Our UPDATE that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Ours {
    /// The application asked for it; a refresh is our own affair.
    reported: bool,
    offered: bool,
    /// How often it has met a 491.
    glares: u8,
}

/// The peer's UPDATE in the application's hands.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) transaction: ServerTransactionId,
    pub(super) request: Arc<Request>,
}

/// What became of our UPDATE.
pub(super) enum Outcome {
    /// Nothing final yet, or not ours.
    None,
    /// The peer agreed.
    Agreed,
    /// It crossed another offer, for the time after so many: try again later.
    Glare(u8),
    /// The peer refused, or did not answer.
    Refused,
}

impl Updates {
    /// An offer of ours is open.
    pub(super) fn offer_out(&self) -> bool {
        self.ours.is_some_and(|ours| ours.offered)
    }

    pub(super) fn is_out(&self) -> bool {
        self.ours.is_some()
    }

    /// The peer's UPDATE waits for the application.
    pub(super) fn asked_in(&self) -> Option<ServerTransactionId> {
        self.theirs.as_ref().map(|asked| asked.transaction)
    }

    pub(super) fn send(
        &mut self,
        cx: &mut Context<'_>,
        dialog: &mut Dialog,
        body: Option<&Body>,
        reported: bool,
        timer: Option<&SessionTimer>,
    ) {
        let mut request = dialog.request(&Method::Update);
        if let Some(timer) = timer {
            cx.propose_timer(&mut request, Some(timer.terms().refresher));
        }
        if let Some(body) = body {
            body.put_in_request(&mut request);
        }
        self.ours = Some(Ours {
            reported,
            offered: body.is_some(),
            glares: 0,
        });
        cx.send(request, Purpose::Update);
    }

    /// Remembers how often the open UPDATE has met a 491 already.
    pub(super) fn set_glares(&mut self, glares: u8) {
        if let Some(ours) = &mut self.ours {
            ours.glares = glares;
        }
    }

    /// A request in order. `ours_open`: an offer of ours waits for its answer elsewhere in the dialog.
    pub(super) fn incoming(
        &mut self,
        cx: &mut Context<'_>,
        dialog: &mut Dialog,
        asked: Asked,
        ours_open: bool,
        timer: Option<&mut Option<SessionTimer>>,
    ) {
        let Asked {
            transaction,
            request,
        } = asked;
        if request.body().is_empty() {
            let Some(timer) = timer else {
                dialog.refresh_target(request.headers());
                cx.refuse(transaction, &request, StatusCode::OK);
                return;
            };
            if let Some(response) = cx.refresh_answer(&request, transaction, timer) {
                dialog.refresh_target(request.headers());
                cx.respond(transaction, response);
            }
            return;
        }
        if self.theirs.is_some() {
            cx.busy(transaction, &request);
            return;
        }
        if ours_open || self.offer_out() {
            cx.refuse(transaction, &request, StatusCode::REQUEST_PENDING);
            return;
        }
        self.theirs = Some(Box::new(Asked {
            transaction,
            request: Arc::clone(&request),
        }));
        cx.report(Report::Reoffer {
            transaction,
            request,
        });
    }

    /// The application agrees to the peer's UPDATE.
    pub(super) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        dialog: &mut Dialog,
        body: Option<&Body>,
        timer: Option<&mut Option<SessionTimer>>,
    ) {
        let Some(asked) = self.theirs.take() else {
            return;
        };
        dialog.refresh_target(asked.request.headers());
        let mut response = asked.request.response(StatusCode::OK);
        if let Some(body) = body {
            body.put_in_response(&mut response);
        }
        if let Some(timer) = timer {
            cx.answer_timer(&asked.request, &mut response, timer);
        }
        cx.respond(asked.transaction, response);
    }

    /// The application refuses the peer's UPDATE; the session stays as it was.
    pub(super) fn reject(&mut self, cx: &mut Context<'_>, response: Response) {
        if let Some(asked) = self.theirs.take() {
            cx.respond(asked.transaction, response);
        }
    }

    /// The call ends with the peer's UPDATE still open.
    pub(super) fn drop_asked(&mut self, cx: &mut Context<'_>) {
        if let Some(asked) = self.theirs.take() {
            cx.refuse(
                asked.transaction,
                &asked.request,
                StatusCode::REQUEST_TERMINATED,
            );
        }
    }

    /// A response to our UPDATE.
    pub(super) fn answered(
        &mut self,
        cx: &mut Context<'_>,
        dialog: &mut Dialog,
        response: Response,
    ) -> Outcome {
        let Some(ours) = self.ours else {
            return Outcome::None;
        };
        if response.status().is_provisional() {
            return Outcome::None;
        }
        if response.status() == StatusCode::REQUEST_PENDING && ours.reported {
            self.ours = None;
            return Outcome::Glare(ours.glares);
        }
        self.ours = None;
        if response.status().is_success() {
            dialog.refresh_target(response.headers());
            if ours.reported {
                cx.report(Report::ReofferAnswered {
                    response,
                    awaits_answer: false,
                });
            }
            return Outcome::Agreed;
        }
        if ours.reported {
            cx.report(Report::ReofferFailed(Failure::Rejected(response)));
        }
        Outcome::Refused
    }

    /// A response to our UPDATE in an early dialog, where nothing is tried again.
    pub(super) fn answered_early(
        &mut self,
        cx: &mut Context<'_>,
        dialog: &mut Dialog,
        response: Response,
    ) {
        let refused = response.clone();
        if let Outcome::Glare(_) = self.answered(cx, dialog, response) {
            cx.report(Report::ReofferFailed(Failure::Rejected(refused)));
        }
    }

    /// Our UPDATE got no response.
    pub(super) fn failed(&mut self, cx: &mut Context<'_>, failure: Failure) {
        if self.ours.take().is_some_and(|ours| ours.reported) {
            cx.report(Report::ReofferFailed(failure));
        }
    }
}

impl Context<'_> {
    /// Writes our wish for a session timer into a re-INVITE or UPDATE.
    pub(super) fn propose_timer(&self, request: &mut Request, refresher: Option<Refresher>) {
        if let Some(config) = self.config.session_timer {
            config.propose(request.headers_mut(), refresher);
        }
    }

    /// A 200 that restarts the session timer, or the 422 that was sent in its place.
    pub(super) fn refresh_answer(
        &mut self,
        request: &Request,
        transaction: ServerTransactionId,
        timer: &mut Option<SessionTimer>,
    ) -> Option<Response> {
        if let Some(config) = self.config.session_timer
            && let Err(short) = config.decide(request.headers())
        {
            self.too_short(transaction, request, short);
            return None;
        }
        let mut response = request.response(StatusCode::OK);
        self.answer_timer(request, &mut response, timer);
        Some(response)
    }

    /// Restarts the session timer with our 2xx to `request` (RFC 4028 §9).
    pub(super) fn answer_timer(
        &mut self,
        request: &Request,
        response: &mut Response,
        timer: &mut Option<SessionTimer>,
    ) {
        let Some(config) = self.config.session_timer else {
            return;
        };
        // Without Session-Expires a request within the call asks for no timer; ours, if we
        // refresh it, runs on.
        if wire::seconds(request.headers(), HeaderName::SESSION_EXPIRES).is_none()
            && timer.is_none()
        {
            return;
        }
        if let Ok(terms) = config.decide(request.headers()) {
            terms.put_in_answer(response.headers_mut());
            *timer = Some(SessionTimer::start(self.now, terms));
        }
    }
}
