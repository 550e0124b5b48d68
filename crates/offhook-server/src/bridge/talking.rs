//! What happens within a conversation, and whose affair it is: the parties' own, or a transfer's.

use offhook_sip::{Request, Response, StatusCode};
use offhook_ua::{Body, CallId, Failure, IncomingRequest, Reoffer, RequestId};

use super::Bridge;
use crate::bridge::state::State;
use crate::bridge::transfer::Stage;
use crate::desk::Desk;
use crate::in_call::InCall;
use crate::media_anchor::{Anchor, MediaAnchor};

impl Bridge {
    /// The conversation, and the means to act in it.
    fn talk(&mut self) -> Option<(&mut InCall, &mut Anchor)> {
        match (&mut self.state, &mut self.anchor) {
            (State::Talking(talk), Some(anchor)) => Some((talk, anchor)),
            _ => None,
        }
    }

    /// A leg acknowledged our 2xx.
    pub(crate) fn confirmed(&mut self, desk: &mut Desk<'_>, call: CallId, ack: &Request) {
        self.picker_confirmed(desk, call, ack);
        if let Some((talk, anchor)) = self.talk() {
            talk.confirmed(desk, anchor, call, ack);
        }
        self.caller_confirmed(desk, call);
        self.pursue(desk);
    }

    /// The conversation, if the other end of this leg is there.
    fn talk_with(&mut self, call: CallId) -> Option<(&mut InCall, &mut Anchor)> {
        let State::Talking(talk) = &self.state else {
            return None;
        };
        let there = talk
            .opposite(call)
            .is_none_or(|other| self.open.contains(&other));
        self.talk().filter(|_| there)
    }

    /// A leg offers another session.
    pub(crate) fn reoffer(&mut self, desk: &mut Desk<'_>, reoffer: Reoffer) {
        if let Some((talk, anchor)) = self.talk_with(reoffer.call()) {
            return talk.reoffer(desk, anchor, reoffer);
        }
        if let Some(body) = self.answer_to_refresh(desk, &reoffer) {
            return desk.ua.accept_reoffer(desk.now, reoffer, Some(body));
        }
        // Before the answer, or while nobody is there: it may be tried again (RFC 3311 §5.2).
        let pending = reoffer.response(StatusCode::REQUEST_PENDING);
        desk.ua.reject_reoffer(desk.now, reoffer, pending);
    }

    /// What a leg is answered that only keeps its session alive (RFC 4028 §10) while it waits for somebody
    /// to take the place of who has left: a target may ring for longer than the session interval.
    fn answer_to_refresh(&mut self, desk: &mut Desk<'_>, reoffer: &Reoffer) -> Option<Body> {
        let (talk, anchor) = self.talk()?;
        let side = talk.side_of(reoffer.call()).filter(|_| talk.is_idle())?;
        match Body::of_request(reoffer.request()) {
            Some(offer) => desk.anchors.answer_to_refresh(anchor, side, &offer),
            // It asks what is offered to it, which is what holds.
            None => MediaAnchor::repeat(anchor, side),
        }
    }

    /// A leg took what it was offered, by the other leg or by us.
    pub(crate) fn reoffer_answered(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        response: &Response,
        awaits_answer: bool,
    ) {
        if self.guest_agreed(desk, call, response) || self.picker_agreed(desk, call, response) {
            return;
        }
        let Some((talk, anchor)) = self.talk() else {
            return;
        };
        if talk.takes_outcome(call) {
            self.kept_agreed(desk, response, awaits_answer);
        } else {
            talk.reoffer_answered(desk, anchor, call, response, awaits_answer);
        }
        self.pursue(desk);
    }

    /// A leg keeps the session as it is.
    pub(crate) fn reoffer_failed(&mut self, desk: &mut Desk<'_>, call: CallId, failure: &Failure) {
        let status = failure.status();
        if self.guest_refused(desk, call, status) || self.picker_refused(desk, call, status) {
            return;
        }
        let Some((talk, anchor)) = self.talk() else {
            return;
        };
        if talk.takes_outcome(call) {
            self.kept_refused(desk, failure.status());
        } else {
            talk.reoffer_failed(desk, anchor, call, failure);
        }
        self.pursue(desk);
    }

    /// A leg takes back what it offered.
    pub(crate) fn withdrawn(&mut self, call: CallId) {
        if let Some((talk, _)) = self.talk() {
            talk.withdrawn(call);
        }
    }

    /// A request within the conversation; what is returned was passed on, and its answer is awaited.
    pub(crate) fn request(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        request: IncomingRequest,
    ) -> Option<RequestId> {
        if let Some((talk, _)) = self.talk_with(call) {
            return talk.request(desk, call, request);
        }
        let response = request.response(StatusCode::TEMPORARILY_UNAVAILABLE);
        desk.ua.respond(desk.now, request, response);
        None
    }

    /// The other leg's answer to a request that was passed on.
    pub(crate) fn request_answered(
        &mut self,
        desk: &mut Desk<'_>,
        request: RequestId,
        status: StatusCode,
    ) {
        if let Some((talk, _)) = self.talk() {
            talk.request_answered(desk, request, status);
        }
    }

    /// When a transfer has something to do by itself.
    pub(super) fn transfer_timeout(&self) -> Option<std::time::Instant> {
        let search = match self.transfer.as_ref().map(|transfer| &transfer.stage) {
            Some(Stage::Ringing { search, .. }) => search.poll_timeout(),
            _ => None,
        };
        let farewell = self.parting.as_ref().and_then(|parting| parting.until);
        let waited = self.newcomer_timeout();
        search.into_iter().chain(farewell).chain(waited).min()
    }

    /// The target's next phones have their turn, or the transferor has not hung up by itself.
    pub(super) fn time_transfer(&mut self, desk: &mut Desk<'_>) {
        if let Some(transfer) = &mut self.transfer
            && let Stage::Ringing { search, .. } = &mut transfer.stage
        {
            search.handle_timeout(desk.now);
            self.search_on(desk);
        }
        self.time_newcomer(desk);
        if let Some(parting) = &mut self.parting
            && parting.until.take_if(|until| *until <= desk.now).is_some()
        {
            let call = parting.leg.call;
            desk.ua
                .hang_up(desk.now, call, crate::passing::no_headers());
        }
    }
}
