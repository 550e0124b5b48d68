//! What a layer answers by itself and without a transaction: a repeat gets the same again.

use offhook_sip::header::{CSeq, RetryAfter, Via};
use offhook_sip::{Method, ParseError, Request, Response, StatusCode};

use crate::event::{Event, Limit};
use crate::flow::Flow;
use crate::incoming::{Top, WayBack, mark_source};
use crate::key::Key;
use crate::layer::Layer;
use crate::layer::server::{add_to_tag, to_tag};

impl Layer {
    /// A packet that the parser refused: answered if enough of it could be read, never if it may
    /// be an ACK (§17: nothing answers an ACK).
    pub fn handle_broken(&mut self, flow: Flow, error: ParseError) {
        if let Some(response) = error.response()
            && !is_to_ack(&response)
        {
            self.send_stateless(flow, response, Key::NONE);
        }
        self.report(Event::Malformed { error, flow });
    }

    /// A request that lacks what every request must have (§8.1.1).
    pub(super) fn refuse_invalid(&mut self, flow: Flow, request: Request, error: ParseError) {
        self.refuse(flow, request, error.status(), Key::NONE);
        self.report(Event::Malformed { error, flow });
    }

    /// Answers a request 503 with a Retry-After of so many seconds, before anything is kept of it:
    /// for a guard against floods. An ACK is not answered.
    pub fn refuse_busy(&mut self, flow: Flow, mut request: Request, retry_after: u32) {
        if *request.method() == Method::Ack {
            return;
        }
        mark_source(&mut request, &flow);
        let mut response = request.response(StatusCode::SERVICE_UNAVAILABLE);
        response
            .headers_mut()
            .append_typed(&RetryAfter::new(retry_after));
        self.send_stateless(flow, response, Key::NONE);
    }

    /// One more than the limit allows.
    pub(super) fn refuse_full(&mut self, flow: Flow, mut request: Request, key: Key) {
        mark_source(&mut request, &flow);
        let mut response = request.response(StatusCode::SERVICE_UNAVAILABLE);
        let retry_after = RetryAfter::new(self.config.limits.retry_after);
        response.headers_mut().append_typed(&retry_after);
        self.send_stateless(flow, response, key);
        let limit = Limit::ServerTransactions;
        self.report(Event::LimitReached { limit, flow });
    }

    /// Answers, but never an ACK.
    pub(super) fn refuse(
        &mut self,
        flow: Flow,
        mut request: Request,
        status: StatusCode,
        key: Key,
    ) {
        if *request.method() == Method::Ack {
            return;
        }
        mark_source(&mut request, &flow);
        let response = request.response(status);
        self.send_stateless(flow, response, key);
    }

    /// Sends a response; where its To has no tag, one that follows from `key` (§8.2.7).
    pub(super) fn send_stateless(&mut self, flow: Flow, mut response: Response, key: Key) {
        let to = match response.headers().typed::<Via>() {
            Ok(Some(via)) => {
                WayBack::of(&Top::of(&via), &flow, self.config.answer_source_port).flow
            }
            // A Via that cannot be read is no reason for silence: back to where it came from.
            Err(_) => flow,
            // Without one the peer could not tell what is answered.
            Ok(None) => return,
        };
        if to_tag(&response).is_none() {
            add_to_tag(&mut response, self.tag_of(key).as_str());
        }
        self.transmit(to, response.to_bytes());
    }
}

fn is_to_ack(response: &Response) -> bool {
    match response.headers().typed::<CSeq>() {
        Ok(Some(cseq)) => *cseq.method() == Method::Ack,
        _ => false,
    }
}
