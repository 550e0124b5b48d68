//! What the user agent tells, and whom it concerns.

use std::time::Instant;

use offhook_sip::Method;
use offhook_ua::{CallId, IncomingRequest};

use super::Server;
use crate::event::{Event, Output};

impl Server {
    pub(super) fn handle_event(&mut self, now: Instant, event: offhook_ua::Event) {
        use offhook_ua::Event as Ua;
        match event {
            Ua::Knock(knock) => self.knock(now, knock),
            Ua::IncomingRequest(request) => self.incoming_request(now, request),
            Ua::Guarded(guarded) => self.guarded(now, guarded),
            Ua::Progress { call, response, .. } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.progress(desk, call, &response);
                });
            }
            Ua::Answered { call, response, .. } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.answered(desk, call, response);
                });
            }
            Ua::Ended { call, cause } => {
                if let Some(inquiries) = &mut self.inquiries {
                    inquiries.forget_call(call);
                }
                let cause = self.held_back(call, cause);
                self.on_call(now, call, |bridge, desk| bridge.ended(desk, call, cause));
            }
            Ua::LimitReached { what } => self
                .outputs
                .push_back(Output::Event(Event::LimitReached { what })),
            event => {
                if let Some(event) = self.attended(now, event) {
                    self.in_call(now, event);
                }
            }
        }
    }

    /// What happens within a conversation.
    fn in_call(&mut self, now: Instant, event: offhook_ua::Event) {
        use offhook_ua::Event as Ua;
        match event {
            Ua::Confirmed { call, ack } | Ua::ReofferConfirmed { call, ack } => {
                self.on_call(now, call, |bridge, desk| bridge.confirmed(desk, call, &ack));
            }
            Ua::Reoffer(reoffer) => {
                let call = reoffer.call();
                self.on_call(now, call, |bridge, desk| bridge.reoffer(desk, reoffer));
            }
            Ua::ReofferCancelled { call } => {
                self.on_call(now, call, |bridge, _| bridge.withdrawn(call));
            }
            Ua::ReofferAnswered {
                call,
                response,
                awaits_answer,
            } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.reoffer_answered(desk, call, &response, awaits_answer);
                });
            }
            Ua::ReofferFailed { call, failure } => {
                self.on_call(now, call, |bridge, desk| {
                    bridge.reoffer_failed(desk, call, &failure);
                });
            }
            Ua::InCallRequest { call, request } => self.in_call_request(now, call, request),
            Ua::Response { request, response } => self.request_ended(now, request, Ok(response)),
            Ua::RequestFailed { request, failure } => {
                self.request_ended(now, request, Err(failure));
            }
            _ => {}
        }
    }

    fn in_call_request(&mut self, now: Instant, call: CallId, request: IncomingRequest) {
        if *request.request().method() == Method::Refer {
            return self.refer(now, call, request);
        }
        let mut passed = None;
        self.on_call(now, call, |bridge, desk| {
            passed = bridge.request(desk, call, request);
        });
        if let (Some(passed), Some(bridge)) = (passed, self.bridges.of_call(call)) {
            self.bridges.expect_answer(passed, bridge);
        }
    }
}
