//! The part of a bridge that is a call which the exchange answers itself.

use std::sync::Arc;

use offhook_media::relay;
use offhook_sip::{Request, Response, StatusCode};
use offhook_ua::{EndCause, IncomingCall, IncomingRequest, Reoffer};

use super::{Bridge, State};
use crate::attendant::{Attended, Entrance, Step};
use crate::bridge::transfer::{Arrival, News};
use crate::cdr::{Draft, End, Outcome};
use crate::desk::Desk;
use crate::identity::Caller;
use crate::media_anchor::Side;
use crate::passing;
use crate::studio::Service;

impl Bridge {
    /// The exchange takes the call itself.
    pub(super) fn attend(&mut self, desk: &mut Desk<'_>, incoming: IncomingCall, service: Service) {
        // A relay that was to join two legs joins none, and says no more of ports.
        self.turn_picker_away(desk);
        if let Some(anchor) = self.anchor.take() {
            desk.anchors.close(&anchor);
        }
        let entrance = Entrance::Calls(Box::new(incoming));
        let (attended, step) = Attended::begin(desk, &mut self.anchor, entrance, service);
        self.follow(desk, Box::new(attended), step);
    }

    /// Takes somebody who is transferred here out of another call.
    pub(crate) fn arrive(
        desk: &mut Desk<'_>,
        arrival: Arrival,
        from: Caller,
        entrance: Entrance,
        service: Service,
        draft: Draft,
    ) -> Self {
        let mut bridge = Self::new(arrival.guest.leg.call, from, draft);
        bridge.arrival = Some(Box::new(arrival));
        let (attended, step) = Attended::begin(desk, &mut bridge.anchor, entrance, service);
        bridge.follow(desk, Box::new(attended), step);
        bridge
    }

    /// Who is transferred here agrees to that.
    pub(crate) fn attended_agreed(&mut self, desk: &mut Desk<'_>, response: &Response) {
        let state = std::mem::replace(&mut self.state, State::End);
        self.state = match (state, &self.anchor) {
            (State::Attended(mut attended), Some(anchor)) => {
                let step = attended.agreed(desk, anchor, response);
                return self.follow(desk, attended, step);
            }
            (state, _) => state,
        };
    }

    /// He does not.
    pub(crate) fn attended_refused(&mut self, desk: &mut Desk<'_>, status: StatusCode) {
        match std::mem::replace(&mut self.state, State::End) {
            State::Attended(attended) => {
                let step = attended.refused(status);
                self.follow(desk, attended, step);
            }
            state => self.state = state,
        }
    }

    /// What the caller of this one gets.
    pub(crate) fn service(&self) -> Option<&Service> {
        match &self.state {
            State::Attended(attended) => Some(attended.service()),
            _ => None,
        }
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
                } else if let (Some(arrival), Some(anchor)) = (&self.arrival, &mut self.anchor) {
                    anchor.move_in(Side::Caller, arrival.guest.nat);
                }
            }
            Step::Answered => {
                self.draft.answers(desk.now, None);
                if let Some(arrival) = self.arrival.take() {
                    let Arrival {
                        guest,
                        mut report,
                        also,
                    } = *arrival;
                    report.tell(desk, StatusCode::OK);
                    let left = [Some(guest.home), also];
                    self.news
                        .extend(left.into_iter().flatten().map(News::Parts));
                }
            }
            Step::Leaves(status) => return self.leaves(desk, *attended, status),
            Step::Refuse(incoming, status) => {
                attended.end(desk);
                if let Some(mut arrival) = self.arrival.take() {
                    arrival.report.tell(desk, status);
                }
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    return self.refuse_for_now(desk, *incoming);
                }
                return self.refuse(desk, *incoming, status, None);
            }
            Step::Done => self.attended_is_over(desk),
        }
        self.state = State::Attended(attended);
    }

    /// Who was to be transferred here goes back to where he was.
    fn leaves(&mut self, desk: &mut Desk<'_>, attended: Attended, status: StatusCode) {
        self.draft.ends(Outcome::Failed(status), None);
        if let Some(arrival) = self.arrival.take() {
            let Arrival {
                guest, mut report, ..
            } = *arrival;
            report.tell(desk, status);
            self.news.push(News::GoesBack {
                home: guest.home,
                leg: guest.leg,
                changed: attended.told().is_some(),
                told: attended.told().cloned().map(Box::new),
            });
        }
        attended.end(desk);
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
        if let Some(arrival) = self.arrival.take() {
            let Arrival {
                guest, mut report, ..
            } = *arrival;
            report.tell(desk, StatusCode::TEMPORARILY_UNAVAILABLE);
            self.news.push(News::Lost(guest.home));
        }
        attended.end(desk);
    }

    pub(super) fn stop_attending(&mut self, desk: &mut Desk<'_>, attended: Attended) {
        self.transfer_failed(desk, StatusCode::SERVICE_UNAVAILABLE);
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
