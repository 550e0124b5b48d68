//! One attended call, from the INVITE to its end.

use std::sync::Arc;
use std::time::Duration;

use offhook_media::relay;
use offhook_sdp::SessionDescription;
use offhook_sip::{Method, Request, Response, StatusCode};
use offhook_ua::{Body, CallId, IncomingCall, IncomingRequest, Reoffer};

use super::entrance::{Entrance, Owner, Step};
use super::session::Session;
use crate::desk::Desk;
use crate::media_anchor::{Anchor, is_session_description};
use crate::passing;
use crate::sound::SoundName;
use crate::studio::{Prepared, Seat, Service};

/// A call that the exchange answers itself.
#[derive(Debug)]
pub(crate) struct Attended {
    caller: CallId,
    owner: Owner,
    service: Service,
    seat: Option<Seat>,
    recording: Option<(SoundName, Duration)>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// For the sound that is to be played.
    Sound {
        entrance: Entrance,
        repeat: bool,
    },
    /// For its ports.
    Ports {
        entrance: Entrance,
        service: relay::Service,
        attempts: u8,
    },
    /// For the answer of who is transferred here.
    Asked {
        session: Box<Session>,
    },
    /// For its end.
    Talking {
        session: Box<Session>,
        /// Our 2xx made an offer, whose answer comes in the ACK.
        offered: bool,
    },
    Over,
}

impl Attended {
    /// Takes a party who is proven, or sent by somebody who is.
    pub(crate) fn begin(
        desk: &mut Desk<'_>,
        anchor: &mut Option<Anchor>,
        entrance: Entrance,
        service: Service,
    ) -> (Self, Step) {
        let prepared = desk.studio.prepare(entrance.call(), &service);
        let mut attended = Self {
            caller: entrance.call(),
            owner: entrance.owner(),
            service,
            seat: None,
            recording: None,
            stage: Stage::Over,
        };
        let service = match prepared {
            Err(status) => return (attended, entrance.turned_away(status)),
            Ok(Prepared::Sound { repeat }) => {
                attended.stage = Stage::Sound { entrance, repeat };
                return (attended, Step::Wait);
            }
            Ok(Prepared::Ready(service)) => service,
            Ok(Prepared::Seated(seat)) => {
                let room = seat.room();
                attended.seat = Some(seat);
                relay::Service::Room(room)
            }
            Ok(Prepared::Recording { name, most }) => {
                attended.recording = Some((name, most));
                relay::Service::Record { most }
            }
        };
        let step = attended.ask_for_ports(desk, anchor, entrance, service, 1);
        (attended, step)
    }

    /// The sound has been read; `None` when it could not be.
    pub(crate) fn handle_sound(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Option<Anchor>,
        samples: Option<Arc<[i16]>>,
    ) -> Step {
        match (core::mem::replace(&mut self.stage, Stage::Over), samples) {
            (Stage::Sound { entrance, repeat }, Some(samples)) => {
                let service = relay::Service::Play { samples, repeat };
                self.ask_for_ports(desk, anchor, entrance, service, 1)
            }
            (Stage::Sound { entrance, .. }, None) => entrance.turned_away(StatusCode::NOT_FOUND),
            (stage, _) => {
                self.stage = stage;
                Step::Wait
            }
        }
    }

    fn ask_for_ports(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Option<Anchor>,
        entrance: Entrance,
        service: relay::Service,
        attempts: u8,
    ) -> Step {
        let here = entrance.address();
        let ports = if attempts > desk.settings.port_attempts {
            None
        } else {
            desk.anchors.serve(desk.now, here, service.clone())
        };
        let Some(ports) = ports else {
            return entrance.turned_away(StatusCode::SERVICE_UNAVAILABLE);
        };
        *anchor = Some(ports);
        self.stage = Stage::Ports {
            entrance,
            service,
            attempts,
        };
        Step::Opening
    }

    /// What the relay says of this call.
    pub(crate) fn handle_media_event(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Option<Anchor>,
        event: &relay::Event,
    ) -> Step {
        match (core::mem::replace(&mut self.stage, Stage::Over), event) {
            (Stage::Ports { entrance, .. }, relay::Event::Opened { .. }) => {
                match (entrance, anchor.as_mut()) {
                    (Entrance::Calls(incoming), Some(anchor)) => {
                        self.answer(desk, anchor, incoming)
                    }
                    (Entrance::Transferred { told, .. }, Some(anchor)) => {
                        self.ask(desk, anchor, told)
                    }
                    (Entrance::Called { offer, .. }, Some(anchor)) => {
                        self.greet(desk, anchor, offer)
                    }
                    (entrance, None) => entrance.turned_away(StatusCode::SERVER_INTERNAL_ERROR),
                }
            }
            (
                Stage::Ports {
                    entrance,
                    service,
                    attempts,
                },
                relay::Event::OpenFailed { .. },
            ) => {
                if let Some(anchor) = anchor.take() {
                    desk.anchors.forget(desk.now, &anchor);
                }
                self.ask_for_ports(desk, anchor, entrance, service, attempts + 1)
            }
            // A caller who vanished would stay in his room for as long as the session timer lets him.
            (
                stage @ Stage::Talking { .. },
                relay::Event::PlayedOut { .. } | relay::Event::TimedOut { .. },
            ) => {
                self.stage = stage;
                Step::Done
            }
            (stage, _) => {
                self.stage = stage;
                Step::Wait
            }
        }
    }

    fn answer(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &mut Anchor,
        incoming: Box<IncomingCall>,
    ) -> Step {
        let (address, port, session_id) = anchor.served_at();
        let mut session = Session::new(address, port, session_id);
        let offer = Body::of_request(incoming.request());
        let answered = match &offer {
            Some(body) if !is_description(body) => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Some(body) => session
                .answer(&body.bytes)
                .map(|(answer, remote)| (answer, Some(remote))),
            None => session.offer().map(|offer| (offer, None)),
        };
        let (description, remote) = match answered {
            Ok(answered) => answered,
            Err(status) => return Step::Refuse(incoming, status),
        };
        self.record(desk, anchor);
        let offered = remote.is_none();
        if let Some(remote) = remote {
            desk.anchors.hear_attended(anchor, remote);
        }
        let body = Some(Body::sdp(description));
        desk.ua
            .accept(desk.now, *incoming, body, passing::no_headers());
        self.stage = Stage::Talking {
            session: Box::new(session),
            offered,
        };
        Step::Answered
    }

    fn record(&mut self, desk: &mut Desk<'_>, anchor: &Anchor) {
        if let (Some(relay), Some((name, most))) = (anchor.relay(), self.recording.take()) {
            desk.studio.record(relay, name, most);
        }
    }

    /// Asks who is transferred here to talk to the exchange.
    fn ask(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &Anchor,
        told: Option<Box<SessionDescription>>,
    ) -> Step {
        let (address, port, session_id) = anchor.served_at();
        let mut session = match told {
            Some(told) => Session::resume(address, port, *told),
            None => Session::new(address, port, session_id),
        };
        match session.offer() {
            Ok(offer) => {
                let body = Some(Body::sdp(offer));
                desk.ua.reoffer(desk.now, self.caller, body);
                let session = Box::new(session);
                self.stage = Stage::Asked { session };
                Step::Wait
            }
            Err(status) => Step::Leaves(status),
        }
    }

    /// Answers the offer of who was called.
    fn greet(&mut self, desk: &mut Desk<'_>, anchor: &Anchor, offer: Option<Body>) -> Step {
        let (address, port, session_id) = anchor.served_at();
        let mut session = Session::new(address, port, session_id);
        let offer = offer.filter(is_description);
        let offer = offer.ok_or(StatusCode::NOT_ACCEPTABLE_HERE);
        let (answer, remote) = match offer.and_then(|offer| session.answer(&offer.bytes)) {
            Ok(answered) => answered,
            Err(status) => {
                desk.ua.acknowledge(desk.now, self.caller, None);
                return Step::Leaves(status);
            }
        };
        let body = Some(Body::sdp(answer));
        desk.ua.acknowledge(desk.now, self.caller, body);
        desk.anchors.hear_attended(anchor, remote);
        self.record(desk, anchor);
        let (session, offered) = (Box::new(session), false);
        self.stage = Stage::Talking { session, offered };
        Step::Answered
    }

    /// He agrees.
    pub(crate) fn agreed(
        &mut self,
        desk: &mut Desk<'_>,
        anchor: &Anchor,
        response: &Response,
    ) -> Step {
        let Stage::Asked { session } = &mut self.stage else {
            return Step::Wait;
        };
        let answer = Body::of_response(response).filter(is_description);
        let Some(Ok(remote)) = answer.map(|body| session.handle_answer(&body.bytes)) else {
            return Step::Leaves(StatusCode::NOT_ACCEPTABLE_HERE);
        };
        desk.anchors.hear_attended(anchor, remote);
        if let Stage::Asked { session } = core::mem::replace(&mut self.stage, Stage::Over) {
            let offered = false;
            self.stage = Stage::Talking { session, offered };
        }
        self.record(desk, anchor);
        Step::Answered
    }

    /// He does not want to.
    pub(crate) const fn refused(&self, status: StatusCode) -> Step {
        match self.stage {
            Stage::Asked { .. } => Step::Leaves(status),
            _ => Step::Wait,
        }
    }

    /// What he was told here.
    pub(crate) fn told(&self) -> Option<&SessionDescription> {
        match &self.stage {
            Stage::Asked { session } | Stage::Talking { session, .. } => session.told(),
            _ => None,
        }
    }

    /// What he gets.
    pub(crate) const fn service(&self) -> &Service {
        &self.service
    }

    /// Who must prove himself to change the call, where `caller` has made it.
    pub(crate) fn owner<'a>(&'a self, caller: &'a str) -> Option<&'a str> {
        match &self.owner {
            Owner::Caller => Some(caller),
            Owner::Sent(account) => account.as_deref(),
        }
    }

    /// The caller acknowledged a 2xx of ours; where we made the offer, his answer is in it.
    pub(crate) fn confirmed(&mut self, desk: &mut Desk<'_>, anchor: &Anchor, ack: &Request) {
        let Stage::Talking { session, offered } = &mut self.stage else {
            return;
        };
        if !core::mem::take(offered) {
            return;
        }
        let answer = Body::of_request(ack).filter(is_description);
        match answer.map(|body| session.handle_answer(&body.bytes)) {
            Some(Ok(remote)) => desk.anchors.hear_attended(anchor, remote),
            // RFC 3261 §13.2.1 wants the answer in the ACK; without one there is no session.
            _ => desk
                .ua
                .hang_up(desk.now, self.caller, passing::no_headers()),
        }
    }

    /// The caller offers another session: hold, resume, another codec or address.
    pub(crate) fn reoffer(&mut self, desk: &mut Desk<'_>, anchor: &Anchor, reoffer: Reoffer) {
        let Stage::Talking { session, offered } = &mut self.stage else {
            // RFC 3261 §14.2: he is being asked himself.
            let pending = reoffer.response(StatusCode::REQUEST_PENDING);
            return desk.ua.reject_reoffer(desk.now, reoffer, pending);
        };
        let is_update = *reoffer.request().method() == Method::Update;
        let answered = match Body::of_request(reoffer.request()) {
            _ if *offered => Err(StatusCode::REQUEST_PENDING),
            Some(body) if !is_description(&body) => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Some(body) => session
                .answer(&body.bytes)
                .map(|(answer, remote)| (Some(answer), Some(remote))),
            // An UPDATE without an offer only keeps the session alive (RFC 4028 §7.4).
            None if is_update => Ok((None, None)),
            None => session.offer().map(|offer| (Some(offer), None)),
        };
        match answered {
            Ok((description, remote)) => {
                *offered = description.is_some() && remote.is_none();
                if let Some(remote) = remote {
                    desk.anchors.hear_attended(anchor, remote);
                }
                let body = description.map(Body::sdp);
                desk.ua.accept_reoffer(desk.now, reoffer, body);
            }
            Err(status) => {
                let refusal = reoffer.response(status);
                desk.ua.reject_reoffer(desk.now, reoffer, refusal);
            }
        }
    }

    /// A request within the call: keys by INFO are taken, and nothing else can be done here.
    pub(crate) fn request(desk: &mut Desk<'_>, request: IncomingRequest) {
        let status = match request.request().method() {
            Method::Info | Method::Options => StatusCode::OK,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let response = request.response(status);
        desk.ua.respond(desk.now, request, response);
    }

    /// The INVITE, while it waits.
    pub(crate) fn incoming(&self) -> Option<&IncomingCall> {
        match &self.stage {
            Stage::Sound { entrance, .. } | Stage::Ports { entrance, .. } => entrance.incoming(),
            Stage::Asked { .. } | Stage::Talking { .. } | Stage::Over => None,
        }
    }

    /// Whether the caller has been answered.
    pub(crate) const fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Talking { .. })
    }

    /// The call is over: gives back what it had, and the INVITE if it still waits.
    pub(crate) fn end(self, desk: &mut Desk<'_>) -> Option<IncomingCall> {
        if let Some(seat) = &self.seat {
            desk.studio.leave(seat);
        }
        match self.stage {
            Stage::Sound { entrance, .. } | Stage::Ports { entrance, .. } => {
                entrance.into_incoming()
            }
            Stage::Asked { .. } | Stage::Talking { .. } | Stage::Over => None,
        }
    }
}

fn is_description(body: &Body) -> bool {
    is_session_description(&body.content_type)
}
