//! What the user agent tells, turned into what a phone does and tells.

use std::time::Instant;

use offhook_sip::{Method, Response, StatusCode};
use offhook_ua::{
    Body, EndCause, Event as Signal, IncomingRequest, RegistrationId, RegistrationState, Reoffer,
};

use super::Phone;

use crate::call::{Call, Stage};
use crate::event::{Cause, Event};
use crate::voice::is_description;

impl Phone {
    pub(super) fn handle_signal(&mut self, now: Instant, signal: Signal) {
        match signal {
            Signal::IncomingCall(incoming) => self.begin_incoming(now, incoming),
            Signal::InCallRequest { call, request }
                if *request.request().method() == Method::Notify =>
            {
                self.notified(now, call, request);
            }
            Signal::IncomingRequest(request) | Signal::InCallRequest { request, .. } => {
                self.respond(now, request);
            }
            Signal::Response { request, response } => {
                self.referral_answered(request, response.status());
            }
            Signal::RequestFailed { request, failure } => {
                self.referral_answered(request, failure.status());
            }
            // Asked for only when the configuration says so; a phone trusts its dialogs.
            Signal::Guarded(guarded) => self.user_agent.admit(now, guarded),
            Signal::Progress { call, response, .. } => self.progress(now, call, response),
            Signal::Answered { call, response, .. } => self.answered(now, call, &response),
            Signal::Confirmed { call, ack } => self.answer_came(now, call, Body::of_request(&ack)),
            Signal::Reoffer(reoffer) => self.reoffered(now, reoffer),
            Signal::ReofferAnswered { call, response, .. } => {
                self.answer_came(now, call, Body::of_response(&response));
                self.holding_answered(call);
            }
            Signal::ReofferConfirmed { call, ack } => {
                self.answer_came(now, call, Body::of_request(&ack));
            }
            Signal::ReofferFailed { call, failure } => self.holding_refused(call, failure.status()),
            Signal::Registration { id, state } => self.registration(id, state),
            Signal::Ended { call, cause } => self.ended(now, call, cause),
            _ => {}
        }
    }

    pub(super) fn call_of(&mut self, id: offhook_ua::CallId) -> Option<&mut Call> {
        let mut calls = self.calls.values_mut();
        calls.find(|call| call.stage.user_agent_id() == Some(id))
    }

    /// OPTIONS asks whether we live; INFO may carry what we do not use yet.
    fn respond(&mut self, now: Instant, request: IncomingRequest) {
        let status = match request.request().method() {
            Method::Options | Method::Info => StatusCode::OK,
            _ => StatusCode::NOT_IMPLEMENTED,
        };
        let response = request.response(status);
        self.user_agent.respond(now, request, response);
    }

    fn progress(&mut self, now: Instant, id: offhook_ua::CallId, response: Response) {
        let body = Body::of_response(&response).filter(is_description);
        let Some(call) = self.call_of(id) else { return };
        if let Some(body) = body {
            // Sound before the answer is a courtesy: a broken one is not worth the call.
            let _ = call.voice.handle_early_answer(now, &body.bytes);
        }
        let call = call.id;
        self.tell(Event::Progress { call, response });
    }

    fn answered(&mut self, now: Instant, id: offhook_ua::CallId, response: &Response) {
        let body = Body::of_response(response).filter(is_description);
        let Some(call) = self.call_of(id) else { return };
        let agreed = match body {
            Some(body) => call.voice.handle_answer(now, &body.bytes).is_ok(),
            // The answer may have come in a reliable 1xx (RFC 3261 §13.2.1).
            None => call.voice.has_stream(),
        };
        call.answered = true;
        if let Stage::Calling(_) = call.stage {
            call.stage = Stage::Talking(id);
        }
        let call = call.id;
        self.tell(Event::Answered { call });
        if !agreed {
            self.hang_up_disagreeing(now, id);
        }
    }

    /// An answer to an offer of ours came in a message of its own.
    fn answer_came(&mut self, now: Instant, id: offhook_ua::CallId, body: Option<Body>) {
        let Some(body) = body.filter(is_description) else {
            return;
        };
        let Some(call) = self.call_of(id) else { return };
        let agreed = call.voice.handle_answer(now, &body.bytes).is_ok();
        if !agreed {
            self.hang_up_disagreeing(now, id);
        }
    }

    /// An answer that is none cannot be refused: the call ends (RFC 3261 §13.2.2.4).
    fn hang_up_disagreeing(&mut self, now: Instant, id: offhook_ua::CallId) {
        self.user_agent
            .hang_up(now, id, offhook_sip::Headers::default());
        if let Some(call) = self.call_of(id) {
            call.answered = false;
            call.stage = Stage::Ending(id);
        }
    }

    fn reoffered(&mut self, now: Instant, reoffer: Reoffer) {
        let body = Body::of_request(reoffer.request()).filter(is_description);
        let Some(call) = self.call_of(reoffer.call()) else {
            let response = reoffer.response(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
            self.user_agent.reject_reoffer(now, reoffer, response);
            return;
        };
        let was_held = call.voice.is_held();
        let description = match &body {
            Some(body) => call.voice.answer(now, &body.bytes),
            None => call.voice.offer(),
        };
        let (call, held) = (call.id, call.voice.is_held());
        match description {
            Ok(description) => {
                let body = Some(Body::sdp(description));
                self.user_agent.accept_reoffer(now, reoffer, body);
                if held != was_held {
                    self.tell(Event::Held { call, held });
                }
            }
            Err(refusal) => {
                let response = reoffer.response(refusal.status);
                self.user_agent.reject_reoffer(now, reoffer, response);
            }
        }
    }

    fn registration(&mut self, id: RegistrationId, state: RegistrationState) {
        let entry = self
            .accounts
            .iter_mut()
            .find(|(_, entry)| entry.registration == Some(id));
        let Some((&account, entry)) = entry else {
            return;
        };
        let event = match state {
            RegistrationState::Registered { expires, .. } => Event::Registered { account, expires },
            RegistrationState::Failed { failure, retry_in } => {
                let status = failure.status();
                Event::RegistrationFailed {
                    account,
                    status,
                    retry_in,
                }
            }
            RegistrationState::Unregistered => {
                entry.registration = None;
                Event::Unregistered { account }
            }
        };
        self.tell(event);
    }

    fn ended(&mut self, now: Instant, id: offhook_ua::CallId, cause: EndCause) {
        let Some(call) = self.call_of(id).map(|call| call.id) else {
            return;
        };
        self.end(now, call, Cause::Signalled(cause));
    }
}
