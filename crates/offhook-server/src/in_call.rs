//! A conversation: what either party asks for is put to the other one, never answered on its behalf.

use offhook_sip::{Method, Request, Response, StatusCode};
use offhook_ua::{Body, CallId, Failure, IncomingRequest, Reoffer, RequestId};

use crate::desk::Desk;
use crate::media_anchor::{Anchor, Side};
use crate::passing;

/// Two legs in a conversation.
#[derive(Debug)]
pub(crate) struct InCall {
    caller: CallId,
    callee: CallId,
    callee_account: Option<String>,
    /// The leg whose 2xx carried an offer: its ACK waits for the other leg's answer.
    unacknowledged: Option<CallId>,
    /// A re-INVITE or UPDATE that the other leg has been asked about.
    reoffer: Option<Reoffer>,
    /// Requests passed on, each with the one it answers.
    passed: Vec<(RequestId, IncomingRequest)>,
}

/// How many requests within a call may wait for the other leg at a time.
const MOST_PASSED: usize = 8;

impl InCall {
    pub(crate) fn new(
        caller: CallId,
        callee: CallId,
        callee_account: Option<String>,
        awaits_answer: bool,
    ) -> Self {
        Self {
            caller,
            callee,
            callee_account,
            unacknowledged: awaits_answer.then_some(callee),
            reoffer: None,
            passed: Vec::new(),
        }
    }

    pub(crate) fn is_of(&self, call: CallId) -> bool {
        call == self.caller || call == self.callee
    }

    pub(crate) fn callee_account(&self) -> Option<&str> {
        self.callee_account.as_deref()
    }

    fn other(&self, call: CallId) -> (CallId, Side) {
        if call == self.caller {
            (self.callee, Side::Callee)
        } else {
            (self.caller, Side::Caller)
        }
    }

    /// One leg is gone: the other one is told, with the reason that the first one gave.
    pub(crate) fn hang_up_other(
        self,
        desk: &mut Desk<'_>,
        ended: CallId,
        reason: offhook_sip::Headers,
    ) {
        let (other, _) = self.other(ended);
        desk.ua.hang_up(desk.now, other, reason);
    }

    /// A leg acknowledged our 2xx; an answer in it belongs to the leg that made the offer.
    pub(crate) fn confirmed(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Anchor,
        call: CallId,
        ack: &Request,
    ) {
        let (other, side) = self.other(call);
        if self.unacknowledged != Some(other) {
            return;
        }
        self.unacknowledged = None;
        let answer = Body::of_request(ack).map(|body| desk.anchors.pass(anchor, side, &body));
        if let Some(Ok(body)) = answer {
            desk.ua.acknowledge(desk.now, other, Some(body));
        } else {
            // RFC 3261 §13.2.1 wants the answer in the ACK; without one there is no session.
            desk.ua.acknowledge(desk.now, other, None);
            desk.ua.hang_up(desk.now, other, passing::no_headers());
        }
    }

    /// One leg offers another session.
    pub(crate) fn reoffer(&mut self, desk: &mut Desk<'_>, anchor: &mut Anchor, reoffer: Reoffer) {
        let (other, side) = self.other(reoffer.call());
        if self.reoffer.is_some() || self.unacknowledged.is_some() {
            let pending = reoffer.response(StatusCode::REQUEST_PENDING);
            return desk.ua.reject_reoffer(desk.now, reoffer, pending);
        }
        let body = match Body::of_request(reoffer.request())
            .map(|body| desk.anchors.pass(anchor, side, &body))
        {
            None => None,
            Some(Ok(body)) => Some(body),
            Some(Err(status)) => {
                let refusal = reoffer.response(status);
                return desk.ua.reject_reoffer(desk.now, reoffer, refusal);
            }
        };
        let by_update = *reoffer.request().method() == Method::Update
            && desk.ua.peer_allows(other, &Method::Update);
        self.reoffer = Some(reoffer);
        if by_update {
            desk.ua.update(desk.now, other, body);
        } else {
            desk.ua.reoffer(desk.now, other, body);
        }
    }

    /// The other leg has taken what was offered.
    pub(crate) fn reoffer_answered(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Anchor,
        call: CallId,
        response: &Response,
        awaits_answer: bool,
    ) {
        let Some(reoffer) = self.reoffer.take() else {
            return;
        };
        let (_, side) = self.other(call);
        let body = Body::of_response(response).map(|body| desk.anchors.pass(anchor, side, &body));
        let Ok(body) = body.transpose() else {
            let refusal = reoffer.response(StatusCode::NOT_ACCEPTABLE_HERE);
            return desk.ua.reject_reoffer(desk.now, reoffer, refusal);
        };
        if awaits_answer {
            self.unacknowledged = Some(call);
        }
        desk.ua.accept_reoffer(desk.now, reoffer, body);
    }

    /// The other leg keeps the session as it is.
    pub(crate) fn reoffer_failed(&mut self, desk: &mut Desk<'_>, failure: &Failure) {
        if let Some(reoffer) = self.reoffer.take() {
            let refusal = reoffer.response(failure.status());
            desk.ua.reject_reoffer(desk.now, reoffer, refusal);
        }
    }

    /// INFO and MESSAGE pass to the other leg; its answer to what is returned passes back.
    pub(crate) fn request(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        request: IncomingRequest,
    ) -> Option<RequestId> {
        let (other, _) = self.other(call);
        let method = request.request().method().clone();
        let refusal = match method {
            Method::Info | Method::Message if self.passed.len() < MOST_PASSED => None,
            Method::Info | Method::Message => Some(StatusCode::SERVICE_UNAVAILABLE),
            Method::Options => Some(StatusCode::OK),
            _ => Some(StatusCode::METHOD_NOT_ALLOWED),
        };
        if let Some(status) = refusal {
            let response = request.response(status);
            desk.ua.respond(desk.now, request, response);
            return None;
        }
        let body = Body::of_request(request.request());
        let headers = passing::in_call_headers(request.request());
        let passed = desk
            .ua
            .request_in_call(desk.now, other, method, headers, body);
        self.passed.push((passed, request));
        Some(passed)
    }

    /// The answer to a request that was passed on; `None` when it belongs to another bridge.
    pub(crate) fn request_answered(
        &mut self,
        desk: &mut Desk<'_>,
        request: RequestId,
        status: StatusCode,
    ) {
        if let Some(place) = self
            .passed
            .iter()
            .position(|(passed, _)| *passed == request)
        {
            let (_, original) = self.passed.swap_remove(place);
            let response = original.response(status);
            desk.ua.respond(desk.now, original, response);
        }
    }
}
