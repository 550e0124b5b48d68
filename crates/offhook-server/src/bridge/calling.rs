//! A call is set up: ports for its voice, phones that ring, and the one that has it in the end.

use std::net::IpAddr;

use offhook_routing::hunt::BranchId;
use offhook_sip::{Response, StatusCode};
use offhook_ua::{Body, CallId, IncomingCall};

use super::Bridge;
use crate::bridge::awaiting::{Answer, AwaitingAnswer, AwaitingPorts, answer_at_source};
use crate::bridge::places::{Found, Invitation, Legs, Winner};
use crate::bridge::search::Search;
use crate::bridge::state::State;
use crate::bridge::transfer::{News, Promise};
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::in_call::{InCall, Leg};
use crate::media_anchor::Side;
use crate::passing;

impl Bridge {
    pub(super) fn ask_for_ports(&mut self, desk: &mut Desk<'_>, mut state: Box<AwaitingPorts>) {
        state.attempts += 1;
        let caller = state.incoming.flow().local.ip();
        let candidates = state.ringing.candidates.iter();
        let callees = candidates.map(|place| place.local_address(desk.settings, caller));
        let callee = callees.clone().find_map(Result::ok).unwrap_or(caller);
        let direct = state.ringing.direct.unwrap_or(desk.settings.direct_media);
        let alike = |own: &IpAddr| own.is_ipv4() == caller.is_ipv4();
        // Who speaks another version of IP cannot be reached but through us.
        if direct && callees.flatten().all(|own| alike(&own)) {
            self.anchor = Some(desk.anchors.direct(caller, callee));
            return self.ring(desk, state);
        }
        let ports = if state.attempts > desk.settings.port_attempts {
            None
        } else {
            desk.anchors.open(desk.now, caller, callee)
        };
        if let Some(anchor) = ports {
            self.anchor = Some(anchor);
            self.state = State::Ports(state);
        } else {
            desk.anchors.refused();
            self.refuse_for_now(desk, state.incoming);
        }
    }

    pub(super) fn ring(&mut self, desk: &mut Desk<'_>, state: Box<AwaitingPorts>) {
        let AwaitingPorts {
            incoming, ringing, ..
        } = *state;
        self.look_for_nat(desk, &incoming);
        let offer = match self.pass_body(desk, Side::Callee, Body::of_request(incoming.request())) {
            Ok(offer) => offer,
            Err(status) => return self.refuse(desk, incoming, status, None),
        };
        let invitation = Invitation {
            offer,
            headers: passing::no_headers(),
            here: incoming.flow().local.ip(),
        };
        let search = Search::new(desk, ringing, invitation);
        self.state = State::Answer(Box::new(AwaitingAnswer {
            incoming,
            search,
            promised: None,
        }));
        self.hunt(desk);
    }

    /// Where the caller speaks from somewhere else than his Contact says, his voice comes from there too.
    pub(super) fn look_for_nat(&mut self, desk: &mut Desk<'_>, incoming: &IncomingCall) {
        if let Some(source) = answer_at_source(desk, incoming)
            && let Some(anchor) = &mut self.anchor
        {
            anchor.move_in(Side::Caller, Some(source));
        }
    }

    /// Does what the hunt wants, and moves on when it is over.
    pub(super) fn hunt(&mut self, desk: &mut Desk<'_>) {
        let State::Answer(mut state) = std::mem::replace(&mut self.state, State::End) else {
            return;
        };
        let legs = Legs {
            from: &self.from,
            open: &mut self.open,
            draft: &mut self.draft,
            voice: self.anchor.as_mut().map(|anchor| (anchor, Side::Callee)),
        };
        let found = state.search.advance(desk, legs);
        self.news
            .extend(state.search.take_detours().into_iter().map(News::Detour));
        match found {
            Found::Nothing => self.state = State::Answer(state),
            Found::Attendant(service) => {
                self.attendant_answers(desk, state.incoming, state.promised, service);
            }
            Found::Winner(winner) => self.connect(desk, *state, *winner),
            Found::Nobody { status, refusal } => {
                self.break_promise(desk, state.promised, status);
                self.refuse(desk, state.incoming, status, refusal.as_ref());
            }
        }
    }

    /// One branch has the call.
    fn connect(&mut self, desk: &mut Desk<'_>, state: AwaitingAnswer, winner: Winner) {
        let callee = winner.leg();
        let Winner {
            candidate,
            answer,
            here,
            ..
        } = winner;
        if let Some(anchor) = &mut self.anchor {
            anchor.move_to(Side::Callee, here);
            desk.anchors.narrow(anchor, Side::Callee);
            if let Some(source) = candidate.nat_source() {
                anchor.move_in(Side::Callee, Some(source));
            }
        }
        let late_offer = state.search.asks_for_offers();
        self.answered_by(
            desk,
            Answer {
                incoming: state.incoming,
                promised: state.promised,
                callee,
                body: answer.as_ref().and_then(Body::of_response),
                late_offer,
            },
        );
    }

    /// The caller gets the answer of who has taken his call.
    pub(super) fn answered_by(&mut self, desk: &mut Desk<'_>, answer: Answer) {
        let Answer {
            incoming,
            promised,
            callee,
            body,
            late_offer,
        } = answer;
        // For a promise, which outlives a caller who goes without having answered.
        let offer = body.clone().filter(|_| late_offer && promised.is_some());
        let Ok(body) = self.pass_body(desk, Side::Caller, body) else {
            desk.ua
                .hang_up(desk.now, callee.call, passing::no_headers());
            self.break_promise(desk, promised, StatusCode::BAD_GATEWAY);
            return self.refuse(desk, incoming, StatusCode::BAD_GATEWAY, None);
        };
        self.draft.answers(desk.now, callee.account.clone());
        let caller = Leg::new(incoming.id(), Some(self.from.user.clone()));
        desk.ua
            .accept(desk.now, incoming, body, passing::no_headers());
        self.state = State::Talking(InCall::new(caller, callee, late_offer));
        if let Some(promise) = promised {
            self.keep_promise(desk, promise, late_offer, offer);
        }
    }

    /// Rewrites a description for the leg on `towards`; its sender is on the other side.
    fn pass_body(
        &mut self,
        desk: &mut Desk<'_>,
        towards: Side,
        body: Option<Body>,
    ) -> Result<Option<Body>, StatusCode> {
        match (&mut self.anchor, body) {
            (Some(anchor), Some(body)) => desk.anchors.pass(anchor, towards, &body).map(Some),
            _ => Ok(None),
        }
    }

    /// A callee's phone rings or plays early media.
    pub(crate) fn progress(&mut self, desk: &mut Desk<'_>, call: CallId, response: &Response) {
        let State::Answer(state) = &mut self.state else {
            return self.target_rings(desk, call, response.status());
        };
        if !state.search.tries(call) {
            return;
        }
        self.draft.rings(desk.now);
        let status = response.status();
        match &mut state.promised {
            Some(Promise::Conversation(to)) => self.news.push(News::Rings { to: *to, status }),
            Some(Promise::Service(invited)) => invited.report.tell(desk, status),
            None => {}
        }
        let mut ring = state.incoming.response(response.status());
        // Early media that cannot be relayed is left out; the ringing passes all the same.
        if let (Some(anchor), Some(body)) = (&mut self.anchor, Body::of_response(response))
            && let Ok(body) = desk.anchors.pass(anchor, Side::Caller, &body)
        {
            let _a_type_of_ours_fits = ring.set_body(&body.content_type, body.bytes);
        }
        desk.ua.ring(desk.now, &state.incoming, ring);
    }

    /// A callee answered: the first one has the call.
    pub(crate) fn answered(&mut self, desk: &mut Desk<'_>, call: CallId, response: Response) {
        if let State::Answer(state) = &mut self.state {
            state.search.answered(desk.now, call, response);
            return self.hunt(desk);
        }
        if self.is_target(call) {
            self.target_answered(desk, call, response);
        } else {
            // A loser's 2xx crossed our CANCEL: the call already belongs to another phone.
            desk.ua
                .hang_up(desk.now, call, passing::completed_elsewhere());
        }
    }

    /// The dial plan has said who is where a callee's redirect leads.
    pub(crate) fn detour_ends(
        &mut self,
        desk: &mut Desk<'_>,
        from: CallId,
        branch: BranchId,
        found: Result<Ringing, StatusCode>,
    ) {
        match &mut self.state {
            State::Answer(state) if state.search.tries(from) => {
                state.search.detour_ends(desk, branch, found);
                self.hunt(desk);
            }
            _ => self.target_detour_ends(desk, from, branch, found),
        }
    }
}
