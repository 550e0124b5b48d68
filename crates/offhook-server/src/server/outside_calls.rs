//! Requests outside of any call: some are for the exchange itself, some for users.

use std::time::Instant;

use offhook_sip::{Method, Response, StatusCode};
use offhook_ua::{Failure, IncomingRequest, RequestId};

use super::Server;
use super::incoming::{dialled, hops_left};
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::event::{Event, Output};
use crate::identity::Caller;
use crate::inquiries::{Purpose, RoutedCall};
use crate::moment::Moment;
use crate::overload::later;
use crate::user_requests::UserRequests;

impl Server {
    /// A request outside of any call.
    pub(super) fn incoming_request(&mut self, now: Instant, incoming: IncomingRequest) {
        let request = incoming.request();
        let status = match request.method() {
            Method::Register => return self.register(now, incoming),
            Method::Message => return self.pass_on(now, incoming),
            // Without a user it is the exchange that is asked (RFC 3261 §11).
            Method::Options if request.uri().user().is_some_and(|user| !user.is_empty()) => {
                return self.pass_on(now, incoming);
            }
            Method::Options => StatusCode::OK,
            // RFC 3515 would allow it; but whom it moves is only known within a call.
            Method::Refer => StatusCode::FORBIDDEN,
            // These belong to calls (RFC 6086 §4.2.2 for INFO).
            Method::Info => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        // Whoever asks has not proved anything.
        let response = incoming.response(status);
        self.ua.respond_once(now, incoming, response);
    }

    /// MESSAGE (RFC 3428) or OPTIONS to a user: from whoever proves who he is, to where a call of
    /// his would go.
    fn pass_on(&mut self, now: Instant, incoming: IncomingRequest) {
        let at = self.clock.moment(now);
        let (flow, request) = (incoming.flow(), incoming.request());
        let proof = self.admission.prove(at, flow, request, &self.directory);
        let by = match proof {
            Ok(verified) => verified,
            Err(refusal) => {
                self.unauthorized(now, request, flow);
                let mut response = incoming.response(refusal.status());
                refusal.apply_to(&mut response);
                return self.ua.respond_once(now, incoming, response);
            }
        };
        let max_forwards = match hops_left(request) {
            Ok(hops) => hops,
            Err(status) => {
                let response = incoming.response(status);
                return self.ua.respond(now, incoming, response);
            }
        };
        let call = RoutedCall {
            caller: Caller::of_request(
                by.username(),
                max_forwards,
                request,
                flow.remote.ip(),
                &self.call_settings,
            ),
            called: dialled(request.uri()),
            parameters: self.parameters(&by, request, flow),
            purpose: Purpose::Request(incoming),
        };
        self.route(at, call);
    }

    /// It is known where the user is.
    pub(super) fn ask_users(
        &mut self,
        at: Moment,
        incoming: IncomingRequest,
        from: Caller,
        ringing: Ringing,
    ) {
        if ringing.candidates.is_empty() {
            // An announcement or a room takes neither.
            let response = incoming.response(StatusCode::NOT_IMPLEMENTED);
            return self.ua.respond(at.now, incoming, response);
        }
        if self.user_requests.is_full() {
            let what = "requests to users";
            self.outputs
                .push_back(Output::Event(Event::LimitReached { what }));
            let response = incoming.response(StatusCode::SERVICE_UNAVAILABLE);
            return self.ua.respond(at.now, incoming, later(response));
        }
        self.at_desk(at.now, |requests, desk| {
            requests.begin(desk, incoming, from, ringing);
        });
    }

    /// The outcome of a request of ours.
    pub(super) fn request_ended(
        &mut self,
        now: Instant,
        request: RequestId,
        outcome: Result<Response, Failure>,
    ) {
        let status = match &outcome {
            Ok(response) => response.status(),
            Err(failure) => failure.status(),
        };
        if let Some(id) = self.bridges.take_of_request(request) {
            return self.with_bridge(now, id, |bridge, desk| {
                bridge.request_answered(desk, request, status);
            });
        }
        self.at_desk(now, |requests, desk| {
            requests.answered(desk, request, outcome);
        });
    }

    pub(super) fn time_requests(&mut self, now: Instant) {
        self.at_desk(now, UserRequests::handle_timeout);
    }

    /// Lets the requests to users act, and looks up where redirects have sent them.
    pub(super) fn at_desk(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut UserRequests, &mut Desk<'_>),
    ) {
        let mut desk = Desk {
            now,
            ua: &mut self.ua,
            anchors: &mut self.anchors,
            tokens: &mut self.tokens,
            studio: &mut self.studio,
            settings: &self.call_settings,
        };
        act(&mut self.user_requests, &mut desk);
        self.look_up_requests(now);
    }
}
