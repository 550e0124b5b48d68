//! The part of a bridge that is a call which the exchange answers itself.

use std::sync::Arc;

use offhook_media::relay;
use offhook_sip::{Request, StatusCode};
use offhook_ua::{EndCause, IncomingCall, IncomingRequest, Reoffer};

use super::{Bridge, State};
use crate::attendant::{Attended, Service, Step};
use crate::cdr::{End, Outcome};
use crate::desk::Desk;
use crate::passing;

impl Bridge {
    /// The exchange takes the call itself.
    pub(super) fn attend(
        &mut self,
        desk: &mut Desk<'_>,
        incoming: IncomingCall,
        service: &Service,
    ) {
        // A relay that was to join two legs joins none.
        if let Some(anchor) = self.anchor.take() {
            desk.anchors.close(&anchor);
        }
        let (attended, step) = Attended::begin(desk, &mut self.anchor, incoming, service);
        self.follow(desk, Box::new(attended), step);
    }

    pub(super) fn attended_media(
        &mut self,
        desk: &mut Desk<'_>,
        mut attended: Box<Attended>,
        event: &relay::Event,
    ) {
        let step = attended.handle_media_event(desk, &mut self.anchor, event);
        self.follow(desk, attended, step);
    }

    /// The sound that was asked for has been read, or cannot be.
    pub(crate) fn handle_sound(&mut self, desk: &mut Desk<'_>, samples: Option<Arc<[i16]>>) {
        match std::mem::replace(&mut self.state, State::End) {
            State::Attended(mut attended) => {
                let step = attended.handle_sound(desk, &mut self.anchor, samples);
                self.follow(desk, attended, step);
            }
            state => self.state = state,
        }
    }

    fn follow(&mut self, desk: &mut Desk<'_>, attended: Box<Attended>, step: Step) {
        match step {
            Step::Wait => {}
            Step::Opening => {
                if let Some(incoming) = attended.incoming() {
                    self.look_for_nat(desk, incoming);
                }
            }
            Step::Answered => self.draft.answers(desk.now, None),
            Step::Refuse(incoming, status) => {
                attended.end(desk);
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    return self.refuse_for_now(desk, *incoming);
                }
                return self.refuse(desk, *incoming, status, None);
            }
            Step::Done => self.attended_is_over(desk),
        }
        self.state = State::Attended(attended);
    }

    /// The exchange has said or heard all that it was to.
    pub(crate) fn attended_is_done(&mut self, desk: &mut Desk<'_>) {
        if self.is_attended() {
            self.attended_is_over(desk);
        }
    }

    pub(super) fn attended_ended(
        &mut self,
        desk: &mut Desk<'_>,
        attended: Attended,
        cause: &EndCause,
    ) {
        let outcome = match cause {
            _ if !attended.is_answered() => Outcome::Cancelled,
            EndCause::RemoteHangUp { .. } => Outcome::Answered(End::Caller),
            _ => Outcome::Answered(End::Exchange),
        };
        self.draft.ends(outcome, passing::reason_text(cause));
        attended.end(desk);
    }

    pub(super) fn stop_attending(&mut self, desk: &mut Desk<'_>, attended: Attended) {
        if let Some(incoming) = attended.end(desk) {
            self.refuse(desk, incoming, StatusCode::SERVICE_UNAVAILABLE, None);
        } else {
            self.attended_is_over(desk);
        }
    }

    fn attended_is_over(&mut self, desk: &mut Desk<'_>) {
        self.draft.ends(Outcome::Answered(End::Exchange), None);
        desk.ua
            .hang_up(desk.now, self.caller, passing::no_headers());
    }

    /// Whether the exchange itself is at the other end.
    pub(crate) const fn is_attended(&self) -> bool {
        matches!(self.state, State::Attended(_))
    }

    /// The caller acknowledged a 2xx of ours.
    pub(crate) fn attended_confirmed(&mut self, desk: &mut Desk<'_>, ack: &Request) {
        if let (State::Attended(attended), Some(anchor)) = (&mut self.state, &self.anchor) {
            attended.confirmed(desk, anchor, ack);
        }
    }

    /// The caller offers another session.
    pub(crate) fn attended_reoffer(&mut self, desk: &mut Desk<'_>, reoffer: Reoffer) {
        if let (State::Attended(attended), Some(anchor)) = (&mut self.state, &self.anchor) {
            attended.reoffer(desk, anchor, reoffer);
        }
    }

    /// The caller wants something within the call.
    pub(crate) fn attended_request(desk: &mut Desk<'_>, request: IncomingRequest) {
        Attended::request(desk, request);
    }
}
