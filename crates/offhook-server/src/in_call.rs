//! A conversation: what either party asks for is put to the other one, never answered on its behalf.

use std::time::{Duration, Instant};

use offhook_sip::{Method, Request, Response, StatusCode};
use offhook_ua::{Body, CallId, Failure, IncomingRequest, Reoffer, RequestId};

use crate::desk::Desk;
use crate::media_anchor::{Anchor, Checkpoint, MediaAnchor, Side};
use crate::passing;

/// One end of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) call: CallId,
    /// The user who must prove himself to change it; `None`: a side without an account.
    pub(crate) account: Option<String>,
    /// The user who has sent or connected it to a side without an account, and answers for it.
    pub(crate) answered_for: Option<String>,
}

impl Leg {
    /// Nobody has sent the call there but its caller.
    pub(crate) const fn new(call: CallId, account: Option<String>) -> Self {
        Self {
            call,
            account,
            answered_for: None,
        }
    }

    /// `user` answers for a side without an account, unless another one does.
    pub(crate) fn answered_for_by(&mut self, user: Option<&str>) {
        if self.account.is_none() && self.answered_for.is_none() {
            self.answered_for = user.map(str::to_owned);
        }
    }
}

/// Two legs in a conversation.
#[derive(Debug)]
pub(crate) struct InCall {
    caller: Leg,
    callee: Leg,
    /// The leg whose 2xx carried an offer: its ACK waits for the other leg's answer.
    unacknowledged: Option<CallId>,
    /// A re-INVITE or UPDATE that the other leg has been asked about.
    reoffer: Option<Box<Open>>,
    /// A leg that the exchange itself has asked for another session, because of a transfer.
    asked: Option<CallId>,
    passed: Vec<Passed>,
    /// The side that left an offer without an answer, which ended the call.
    spoilt_by: Option<Side>,
}

/// A change that one leg wants and the other one has been asked about.
#[derive(Debug)]
struct Open {
    /// The leg that wants it.
    by: CallId,
    /// `None`: it has been taken back meanwhile, or refused because the other leg was silent.
    reoffer: Option<Reoffer>,
    before: Checkpoint,
    /// Then an UPDATE is answered in any case (RFC 3311 §5.2). An INVITE has its 100, and waits.
    until: Option<Instant>,
}

/// A request that was passed on.
#[derive(Debug)]
struct Passed {
    on: RequestId,
    original: IncomingRequest,
    /// Then its sender is answered in any case.
    until: Instant,
}

/// How long a request waits for the other leg's answer. Its sender waits 64*T1, 32 s, and takes the
/// call for dead then (RFC 3261 §12.2.1.2); an answer that comes later is of no use (RFC 4320 §4).
const PATIENCE: Duration = Duration::from_secs(24);

/// How many requests within a call may wait for the other leg at a time.
const MOST_PASSED: usize = 8;

impl InCall {
    pub(crate) fn new(caller: Leg, callee: Leg, awaits_answer: bool) -> Self {
        Self {
            unacknowledged: awaits_answer.then_some(callee.call),
            caller,
            callee,
            reoffer: None,
            asked: None,
            passed: Vec::new(),
            spoilt_by: None,
        }
    }

    pub(crate) fn side_of(&self, call: CallId) -> Option<Side> {
        [Side::Caller, Side::Callee]
            .into_iter()
            .find(|side| self.leg(*side).call == call)
    }

    pub(crate) const fn leg(&self, side: Side) -> &Leg {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }

    pub(crate) const fn leg_mut(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    /// Somebody else talks from now on; the leg that does not is returned.
    pub(crate) const fn replace(&mut self, side: Side, leg: Leg) -> Leg {
        match side {
            Side::Caller => std::mem::replace(&mut self.caller, leg),
            Side::Callee => std::mem::replace(&mut self.callee, leg),
        }
    }

    /// The side that is to blame for the end that the exchange has made of the call.
    pub(crate) const fn spoilt_by(&self) -> Option<Side> {
        self.spoilt_by
    }

    /// Whether no change of the session is under way.
    pub(crate) const fn is_idle(&self) -> bool {
        self.unacknowledged.is_none() && self.reoffer.is_none() && self.asked.is_none()
    }

    /// Asks a leg for another session on the exchange's own account.
    pub(crate) fn ask(&mut self, desk: &mut Desk<'_>, call: CallId, offer: Option<Body>) {
        self.asked = Some(call);
        desk.ua.reoffer(desk.now, call, offer);
    }

    /// Whether this is the outcome of [`Self::ask`]; it is asked for once.
    pub(crate) fn takes_outcome(&mut self, call: CallId) -> bool {
        self.asked.take_if(|asked| *asked == call).is_some()
    }

    /// It does not wait any more.
    pub(crate) fn no_longer_waits_for(&mut self, call: CallId) {
        self.unacknowledged.take_if(|waiting| *waiting == call);
    }

    /// The ACK for this leg's 2xx waits for an answer of the other leg.
    pub(crate) const fn wait_for_ack(&mut self, call: CallId) {
        self.unacknowledged = Some(call);
    }

    /// The other leg, and its side; `None` for a leg that has left the conversation.
    fn other(&self, call: CallId) -> Option<(CallId, Side)> {
        let side = self.side_of(call)?.other();
        Some((self.leg(side).call, side))
    }

    /// The leg at the other end.
    pub(crate) fn opposite(&self, call: CallId) -> Option<CallId> {
        self.other(call).map(|(other, _)| other)
    }

    /// A leg is gone, and the other one stays: nothing waits for the first any more.
    pub(crate) fn forget(&mut self, desk: &mut Desk<'_>, anchor: &mut Anchor, gone: CallId) {
        self.asked.take_if(|asked| *asked == gone);
        self.unacknowledged.take_if(|waiting| *waiting == gone);
        if let Some(Open {
            reoffer, before, ..
        }) = self.take_reoffer(gone)
        {
            desk.anchors.roll_back(anchor, before);
            refuse(desk, reoffer, StatusCode::REQUEST_PENDING);
        }
        // What it has asked the leg that stays will be answered all the same.
        self.withdrawn(gone);
        // Nobody will answer what the leg that stays has offered.
        if let Some(kept) = self.unacknowledged.take() {
            self.tell_again(desk, anchor, kept, true);
        }
    }

    /// One leg is gone: the other one is told, with the reason that the first one gave.
    pub(crate) fn hang_up_other(
        &self,
        desk: &mut Desk<'_>,
        ended: CallId,
        reason: offhook_sip::Headers,
    ) {
        if let Some((other, _)) = self.other(ended) {
            desk.ua.hang_up(desk.now, other, reason);
        }
    }

    /// The conversation is over: what was passed on gets no other answer any more (RFC 3261 §15.1.2).
    pub(crate) fn disband(self, desk: &mut Desk<'_>) {
        for Passed { original, .. } in self.passed {
            let response = original.response(StatusCode::REQUEST_TERMINATED);
            desk.ua.respond(desk.now, original, response);
        }
    }

    /// A leg acknowledged our 2xx; an answer in it belongs to the leg that made the offer.
    pub(crate) fn confirmed(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Anchor,
        call: CallId,
        ack: &Request,
    ) {
        let Some((other, side)) = self.other(call) else {
            return;
        };
        if self.unacknowledged != Some(other) {
            return;
        }
        self.unacknowledged = None;
        let answer = Body::of_request(ack).map(|body| desk.anchors.pass(anchor, side, &body));
        if let Some(Ok(body)) = answer {
            desk.ua.acknowledge(desk.now, other, Some(body));
        } else {
            // RFC 3261 §13.2.1 wants the answer in the ACK; without one there is no session.
            self.spoilt_by = self.side_of(call);
            desk.ua.acknowledge(desk.now, other, None);
            desk.ua.hang_up(desk.now, other, passing::no_headers());
        }
    }

    /// One leg offers another session.
    pub(crate) fn reoffer(&mut self, desk: &mut Desk<'_>, anchor: &mut Anchor, reoffer: Reoffer) {
        let other = self.other(reoffer.call());
        let Some((other, side)) = other.filter(|_| self.is_idle()) else {
            // RFC 3261 §14.2: another offer is open, or a transfer is; it is tried again later.
            let pending = reoffer.response(StatusCode::REQUEST_PENDING);
            return desk.ua.reject_reoffer(desk.now, reoffer, pending);
        };
        let before = anchor.checkpoint();
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
        let is_update = *reoffer.request().method() == Method::Update;
        let by_update = is_update && desk.ua.peer_allows(other, &Method::Update);
        self.reoffer = Some(Box::new(Open {
            by: reoffer.call(),
            reoffer: Some(reoffer),
            before,
            until: is_update.then_some(desk.now + PATIENCE),
        }));
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
        let Some(Open {
            reoffer, before, ..
        }) = self.take_reoffer(call)
        else {
            return;
        };
        let Some(reoffer) = reoffer else {
            desk.anchors.roll_back(anchor, before);
            return self.tell_again(desk, anchor, call, awaits_answer);
        };
        let side = self.side_of(call).map_or(Side::Caller, Side::other);
        let body = Body::of_response(response).map(|body| desk.anchors.pass(anchor, side, &body));
        let Ok(body) = body.transpose() else {
            desk.anchors.roll_back(anchor, before);
            let refusal = reoffer.response(StatusCode::NOT_ACCEPTABLE_HERE);
            return desk.ua.reject_reoffer(desk.now, reoffer, refusal);
        };
        if awaits_answer {
            self.unacknowledged = Some(call);
        }
        desk.ua.accept_reoffer(desk.now, reoffer, body);
    }

    /// The other leg keeps the session as it is (RFC 3261 §14.1), and so does the relay.
    pub(crate) fn reoffer_failed(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Anchor,
        call: CallId,
        failure: &Failure,
    ) {
        if let Some(Open {
            reoffer, before, ..
        }) = self.take_reoffer(call)
        {
            desk.anchors.roll_back(anchor, before);
            refuse(desk, reoffer, passing::status_in_call(failure.status()));
        }
    }

    /// A leg takes its change back before the other one has answered.
    pub(crate) fn withdrawn(&mut self, call: CallId) {
        if let Some(open) = &mut self.reoffer
            && open.by == call
        {
            open.reoffer = None;
            open.until = None;
        }
    }

    /// A leg has agreed to what will not be: it is told again what holds.
    pub(crate) fn tell_again(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &Anchor,
        call: CallId,
        awaits_answer: bool,
    ) {
        let Some(side) = self.side_of(call) else {
            return;
        };
        let body = MediaAnchor::repeat(anchor, side);
        if awaits_answer {
            desk.ua.acknowledge(desk.now, call, body);
        } else {
            self.ask(desk, call, body);
        }
    }

    /// What the leg `call` was asked on behalf of the other one.
    fn take_reoffer(&mut self, call: CallId) -> Option<Open> {
        let (other, _) = self.other(call)?;
        let open = self.reoffer.take_if(|open| open.by == other)?;
        Some(*open)
    }

    /// INFO and MESSAGE pass to the other leg; its answer to what is returned passes back.
    pub(crate) fn request(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        request: IncomingRequest,
    ) -> Option<RequestId> {
        let method = request.request().method().clone();
        let other = self.other(call);
        let refusal = match (&method, other) {
            (Method::Options, _) => Some(StatusCode::OK),
            // Its conversation goes on without it.
            (_, None) => Some(StatusCode::FORBIDDEN),
            (Method::Info | Method::Message, _) if self.passed.len() < MOST_PASSED => None,
            (Method::Info | Method::Message, _) => Some(StatusCode::SERVICE_UNAVAILABLE),
            _ => Some(StatusCode::METHOD_NOT_ALLOWED),
        };
        let (None, Some((other, _))) = (refusal, other) else {
            let response = request.response(refusal.unwrap_or(StatusCode::FORBIDDEN));
            desk.ua.respond(desk.now, request, response);
            return None;
        };
        let body = Body::of_request(request.request());
        let headers = passing::in_call_headers(request.request());
        let on = desk
            .ua
            .request_in_call(desk.now, other, method, headers, body);
        self.passed.push(Passed {
            on,
            original: request,
            until: desk.now + PATIENCE,
        });
        Some(on)
    }

    /// The answer to a request that was passed on; `None` when it belongs to another bridge.
    pub(crate) fn request_answered(
        &mut self,
        desk: &mut Desk<'_>,
        request: RequestId,
        status: StatusCode,
    ) {
        let answers = |passed: &mut Passed| passed.on == request;
        self.answer_passed(desk, answers, status);
    }

    /// When a request that was passed on has waited long enough.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let update = self.reoffer.as_ref().and_then(|open| open.until);
        let passed = self.passed.iter().map(|passed| passed.until);
        passed.chain(update).min()
    }

    pub(crate) fn handle_timeout(&mut self, desk: &mut Desk<'_>) {
        let now = desk.now;
        if let Some(open) = &mut self.reoffer
            && open.until.take_if(|until| *until <= now).is_some()
        {
            refuse(desk, open.reoffer.take(), StatusCode::SERVER_TIMEOUT);
        }
        let overdue = |passed: &mut Passed| passed.until <= now;
        self.answer_passed(desk, overdue, StatusCode::REQUEST_TIMEOUT);
    }

    fn answer_passed(
        &mut self,
        desk: &mut Desk<'_>,
        which: impl FnMut(&mut Passed) -> bool,
        status: StatusCode,
    ) {
        for Passed { original, .. } in self.passed.extract_if(.., which) {
            let response = original.response(passing::status_in_call(status));
            desk.ua.respond(desk.now, original, response);
        }
    }
}

/// Tells a leg that the session stays as it is, if it still waits to be told.
fn refuse(desk: &mut Desk<'_>, reoffer: Option<Reoffer>, status: StatusCode) {
    if let Some(reoffer) = reoffer {
        let refusal = reoffer.response(status);
        desk.ua.reject_reoffer(desk.now, reoffer, refusal);
    }
}
