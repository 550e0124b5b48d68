//! What an honest phone hears, and what its person makes of it.

use std::time::Instant;

use offhook_sip::{Method, StatusCode};
use offhook_ua::{Body, CallId, EndCause, Event, IncomingCall, IncomingRequest, Reoffer};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fate::{Fate, Role};
use super::identity::DIRECT;
use super::phone::{Phone, call_id_of};
use super::talk::{Talk, perhaps_sharp};

impl Phone {
    pub(super) fn hear(&mut self, now: Instant, event: Event) {
        match event {
            Event::IncomingCall(incoming) => self.rung(now, incoming),
            Event::Progress {
                call,
                response,
                awaits_answer,
            } => {
                self.owe(now, call, awaits_answer, Body::of_response(&response));
                self.consulted_rings(now, call);
            }
            Event::ReofferAnswered {
                call,
                response,
                awaits_answer,
            } => {
                self.done(call);
                self.owe(now, call, awaits_answer, Body::of_response(&response));
            }
            Event::ReofferFailed { call, .. } => self.undone(call),
            Event::Answered {
                call,
                response,
                awaits_answer,
            } => {
                self.owe(now, call, awaits_answer, Body::of_response(&response));
                if self.talks.get(&call).is_some_and(|talk| talk.takes_over) {
                    self.tally.note("a call was taken over by another phone");
                }
                self.converse(now, call);
                self.consulted_answers(now, call);
            }
            Event::Confirmed { call, .. } => self.converse(now, call),
            Event::Reoffer(reoffer) => self.judge(now, reoffer),
            Event::InCallRequest { request, .. } | Event::IncomingRequest(request) => {
                self.respond(now, request);
            }
            Event::LateReport { call, notify } => self.reported(now, call, &notify),
            Event::Response { request, response } => {
                let asked = self.asked.remove(&request);
                let (_, what) = asked.expect("one outcome");
                self.told(now, request, Some(response.status()));
                if response.status().is_success() && !what.is_empty() {
                    self.tally.note(what);
                }
            }
            Event::RequestFailed { request, .. } => {
                let asked = self.asked.remove(&request);
                assert!(asked.is_some(), "{request} has two outcomes");
                self.told(now, request, None);
            }
            Event::Ended { call, cause } => {
                self.count_end(call, &cause);
                self.end(now, call, Fate::of(&cause));
            }
            _ => {}
        }
    }

    fn count_end(&mut self, call: CallId, cause: &EndCause) {
        let talk = self.talks.get(&call);
        let picks_up = talk.is_some_and(|talk| talk.role == Role::Picker);
        match cause {
            EndCause::Rejected { response }
                if picks_up && response.status() == StatusCode::FORBIDDEN =>
            {
                self.tally.note("a stranger was not let pick up");
            }
            EndCause::Rejected { response } if response.status() == StatusCode::NOT_FOUND => {
                self.tally.note("refused: not found");
            }
            EndCause::Cancelled { request }
                if request.to_string().contains("Call completed elsewhere") =>
            {
                self.tally.note("completed elsewhere");
            }
            _ => {}
        }
    }

    fn rung(&mut self, now: Instant, incoming: IncomingCall) {
        let call = incoming.id();
        let call_id = call_id_of(incoming.request());
        let rng = StdRng::from_seed(self.rng.random());
        let mut talk = Talk::new(call_id, Role::Callee, rng, now);
        talk.direct = incoming.request().uri().user() == Some(DIRECT);
        talk.incoming = Some(incoming);
        let start = self.start;
        for (after, deed) in talk.reception() {
            let at = perhaps_sharp(&mut talk.rng, start, now + after);
            self.plan(at, call, deed);
        }
        self.talks.insert(call, talk);
    }

    fn owe(&mut self, now: Instant, call: CallId, awaits_answer: bool, offer: Option<Body>) {
        if awaits_answer {
            let answer = self.reply(call, offer);
            self.ua.acknowledge(now, call, answer);
        }
    }

    pub(super) fn converse(&mut self, now: Instant, call: CallId) {
        let start = self.start;
        let Some(talk) = self.talks.get_mut(&call) else {
            return;
        };
        talk.talked = true;
        if talk.role != Role::Callee {
            // The patience of one who is answered does not end.
            self.todo.retain(|_, (of, _)| *of != call);
        }
        let deeds = talk.conversation();
        for (after, deed) in deeds {
            let Some(talk) = self.talks.get_mut(&call) else {
                return;
            };
            let at = perhaps_sharp(&mut talk.rng, start, now + after);
            self.plan(at, call, deed);
        }
    }

    fn judge(&mut self, now: Instant, reoffer: Reoffer) {
        if self.rng.random_bool(0.1) {
            let no = reoffer.response(StatusCode::NOT_ACCEPTABLE_HERE);
            return self.ua.reject_reoffer(now, reoffer, no);
        }
        let offer = Body::of_request(reoffer.request());
        // An UPDATE without a description only keeps the session alive (RFC 4028 §7.4).
        let bare = offer.is_none() && *reoffer.request().method() == Method::Update;
        let answer = self.reply(reoffer.call(), offer).filter(|_| !bare);
        self.ua.accept_reoffer(now, reoffer, answer);
    }

    fn respond(&mut self, now: Instant, request: IncomingRequest) {
        let call = request.call();
        if let (Method::Notify, Some(call)) = (request.request().method(), call) {
            self.reported(now, call, request.request());
        }
        let method = request.request().method();
        if call.is_none() && matches!(method, Method::Message | Method::Options) {
            let response = self.read(now, &request);
            return self.ua.respond(now, request, response);
        }
        let status = match method {
            Method::Info | Method::Message | Method::Options | Method::Notify => StatusCode::OK,
            _ => StatusCode::DECLINE,
        };
        let response = request.response(status);
        self.ua.respond(now, request, response);
    }

    /// A change of the session that this phone asked for has come about.
    fn done(&mut self, call: CallId) {
        let what = self
            .talks
            .get_mut(&call)
            .and_then(|talk| talk.changing.take());
        if let Some(what) = what {
            self.tally.note(what);
        }
    }

    fn undone(&mut self, call: CallId) {
        let what = self
            .talks
            .get_mut(&call)
            .and_then(|talk| talk.changing.take());
        if what.is_some() {
            self.tally.note("a change was refused");
        }
    }
}
