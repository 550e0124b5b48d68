//! One attended call, from the INVITE to its end.

use std::sync::Arc;
use std::time::Duration;

use offhook_media::relay;
use offhook_sip::{Method, Request, StatusCode};
use offhook_ua::{Body, CallId, IncomingCall, IncomingRequest, Reoffer};

use super::rooms::Seat;
use super::service::Service;
use super::session::Session;
use super::studio::Prepared;
use crate::desk::Desk;
use crate::media_anchor::{Anchor, is_session_description};
use crate::passing;
use crate::sound::SoundName;

/// What the bridge has to do next.
#[derive(Debug)]
#[must_use]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Look for the caller's NAT: his relay is being opened.
    Opening,
    /// The caller has been answered.
    Answered,
    /// The caller is to be told this.
    Refuse(Box<IncomingCall>, StatusCode),
    /// The call has done what it was for.
    Done,
}

/// A call that the exchange answers itself.
#[derive(Debug)]
pub(crate) struct Attended {
    caller: CallId,
    seat: Option<Seat>,
    recording: Option<(SoundName, Duration)>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// For the sound that is to be played.
    Sound {
        incoming: Box<IncomingCall>,
        repeat: bool,
    },
    /// For its ports.
    Ports {
        incoming: Box<IncomingCall>,
        service: relay::Service,
        attempts: u8,
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
    /// Takes a call whose caller is proven.
    pub(crate) fn begin(
        desk: &mut Desk<'_>,
        anchor: &mut Option<Anchor>,
        incoming: IncomingCall,
        service: &Service,
    ) -> (Self, Step) {
        let incoming = Box::new(incoming);
        let mut attended = Self {
            caller: incoming.id(),
            seat: None,
            recording: None,
            stage: Stage::Over,
        };
        let service = match desk.studio.prepare(attended.caller, service) {
            Err(status) => return (attended, Step::Refuse(incoming, status)),
            Ok(Prepared::Sound { repeat }) => {
                attended.stage = Stage::Sound { incoming, repeat };
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
        let step = attended.ask_for_ports(desk, anchor, incoming, service, 1);
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
            (Stage::Sound { incoming, repeat }, Some(samples)) => {
                let service = relay::Service::Play { samples, repeat };
                self.ask_for_ports(desk, anchor, incoming, service, 1)
            }
            (Stage::Sound { incoming, .. }, None) => Step::Refuse(incoming, StatusCode::NOT_FOUND),
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
        incoming: Box<IncomingCall>,
        service: relay::Service,
        attempts: u8,
    ) -> Step {
        let here = incoming.flow().local.ip();
        let ports = if attempts > desk.settings.port_attempts {
            None
        } else {
            desk.anchors.serve(desk.now, here, service.clone())
        };
        let Some(ports) = ports else {
            return Step::Refuse(incoming, StatusCode::SERVICE_UNAVAILABLE);
        };
        *anchor = Some(ports);
        self.stage = Stage::Ports {
            incoming,
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
            (Stage::Ports { incoming, .. }, relay::Event::Opened { .. }) => {
                self.answer(desk, anchor.as_mut(), incoming)
            }
            (
                Stage::Ports {
                    incoming,
                    service,
                    attempts,
                },
                relay::Event::OpenFailed { .. },
            ) => {
                if let Some(anchor) = anchor.take() {
                    desk.anchors.forget(desk.now, &anchor);
                }
                self.ask_for_ports(desk, anchor, incoming, service, attempts + 1)
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
        anchor: Option<&mut Anchor>,
        incoming: Box<IncomingCall>,
    ) -> Step {
        let Some(anchor) = anchor else {
            return Step::Refuse(incoming, StatusCode::SERVER_INTERNAL_ERROR);
        };
        let (address, port, session_id) = anchor.served_at();
        let mut session = Session::new(address, port, session_id);
        let offer = Body::of_request(incoming.request());
        let answered = match &offer {
            Some(body) if !is_session_description(&body.content_type) => {
                Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Some(body) => session
                .answer(&body.bytes)
                .map(|(answer, remote)| (answer, Some(remote))),
            None => session.offer().map(|offer| (offer, None)),
        };
        let (description, remote) = match answered {
            Ok(answered) => answered,
            Err(status) => return Step::Refuse(incoming, status),
        };
        if let (Some(relay), Some((name, most))) = (anchor.relay(), self.recording.take()) {
            desk.studio.record(relay, name, most);
        }
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

    /// The caller acknowledged a 2xx of ours; where we made the offer, his answer is in it.
    pub(crate) fn confirmed(&mut self, desk: &mut Desk<'_>, anchor: &Anchor, ack: &Request) {
        let Stage::Talking { session, offered } = &mut self.stage else {
            return;
        };
        if !core::mem::take(offered) {
            return;
        }
        let answer =
            Body::of_request(ack).filter(|body| is_session_description(&body.content_type));
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
            let gone = reoffer.response(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
            return desk.ua.reject_reoffer(desk.now, reoffer, gone);
        };
        let is_update = *reoffer.request().method() == Method::Update;
        let answered = match Body::of_request(reoffer.request()) {
            _ if *offered => Err(StatusCode::REQUEST_PENDING),
            Some(body) if !is_session_description(&body.content_type) => {
                Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
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
            Stage::Sound { incoming, .. } | Stage::Ports { incoming, .. } => Some(incoming),
            Stage::Talking { .. } | Stage::Over => None,
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
            Stage::Sound { incoming, .. } | Stage::Ports { incoming, .. } => Some(*incoming),
            Stage::Talking { .. } | Stage::Over => None,
        }
    }
}
