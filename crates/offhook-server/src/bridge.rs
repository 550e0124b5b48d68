//! One call through the exchange: the caller's leg, the callee's legs, and what passes between.
//!
//! A bridge is a state machine over the calls of the user agent. Each state is a struct named for
//! what it awaits; [`Bridge`] holds what all of them share. What crosses from one leg to the other
//! is listed in [`crate::passing`]; everything else of a leg stays on it.

mod attending;
mod awaiting;

use std::collections::BTreeSet;
use std::time::Instant;

use offhook_media::relay::{self, StreamReport};
use offhook_routing::hunt::{self, BranchId, Hunt};
use offhook_sip::header::Contact;
use offhook_sip::{Response, StatusCode};
use offhook_ua::{Body, CallId, EndCause, IncomingCall};

use crate::attendant::Attended;
use crate::bridge::awaiting::{AwaitingAnswer, AwaitingPorts, Branch, status_of};
use crate::cdr::{CallRecord, Draft, End, Outcome};
use crate::desk::{Caller, Desk};
use crate::dial_plan::{ATTENDANT, Candidate, Ringing, names};
use crate::in_call::InCall;
use crate::media_anchor::{Anchor, Side};
use crate::passing;

/// One call through the exchange.
#[derive(Debug)]
pub(crate) struct Bridge {
    caller: CallId,
    from: Caller,
    /// Calls of the user agent that have not ended; the bridge is over when none is left.
    open: BTreeSet<CallId>,
    anchor: Option<Anchor>,
    draft: Draft,
    state: State,
}

#[derive(Debug)]
enum State {
    Ports(AwaitingPorts),
    Answer(AwaitingAnswer),
    Talking(InCall),
    Attended(Box<Attended>),
    End,
}

impl Bridge {
    /// Takes a call whose caller is proven and whose candidates are known.
    pub(crate) fn begin(
        desk: &mut Desk<'_>,
        incoming: IncomingCall,
        from: Caller,
        ringing: Ringing,
        draft: Draft,
    ) -> Self {
        let mut bridge = Self {
            caller: incoming.id(),
            from,
            open: BTreeSet::from([incoming.id()]),
            anchor: None,
            draft,
            state: State::End,
        };
        if let (true, Some(service)) = (ringing.candidates.is_empty(), &ringing.attended) {
            bridge.attend(desk, incoming, service);
            return bridge;
        }
        bridge.ask_for_ports(
            desk,
            AwaitingPorts {
                incoming,
                ringing,
                attempts: 0,
            },
        );
        bridge
    }

    /// Whether every leg has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// The relay of this call.
    pub(crate) fn anchor(&self) -> Option<&Anchor> {
        self.anchor.as_ref()
    }

    /// The legs that have not ended.
    pub(crate) fn open_calls(&self) -> impl Iterator<Item = CallId> {
        self.open.iter().copied()
    }

    /// Whether this leg has not ended.
    pub(crate) fn is_open(&self, call: CallId) -> bool {
        self.open.contains(&call)
    }

    /// Writes the record of a call that is over.
    pub(crate) fn into_record(self, now: Instant, streams: Vec<StreamReport>) -> CallRecord {
        let voice_ports = self.anchor.as_ref().map(Anchor::voice_ports);
        self.draft.finish(now, voice_ports, streams)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Answer(state) => state.hunt.poll_timeout(),
            _ => None,
        }
    }

    /// The next phones have their turn, or nobody has answered in time.
    pub(crate) fn handle_timeout(&mut self, desk: &mut Desk<'_>) {
        if let State::Answer(state) = &mut self.state {
            state.hunt.handle_timeout(desk.now);
            self.hunt(desk);
        }
    }

    /// The relay says whether it has its ports.
    pub(crate) fn handle_media_event(&mut self, desk: &mut Desk<'_>, event: &relay::Event) {
        let state = std::mem::replace(&mut self.state, State::End);
        self.state = match (state, event) {
            (State::Ports(state), relay::Event::Opened { .. }) => return self.ring(desk, state),
            (State::Ports(state), relay::Event::OpenFailed { .. }) => {
                if let Some(anchor) = self.anchor.take() {
                    desk.anchors.forget(desk.now, &anchor);
                }
                return self.ask_for_ports(desk, state);
            }
            (State::Attended(attended), event) => {
                return self.attended_media(desk, attended, event);
            }
            (state, _) => state,
        };
    }

    fn ask_for_ports(&mut self, desk: &mut Desk<'_>, mut state: AwaitingPorts) {
        state.attempts += 1;
        let caller = state.incoming.flow().local.ip();
        let callee = state
            .ringing
            .candidates
            .first()
            .and_then(Candidate::local_address)
            .unwrap_or(caller);
        let ports = if state.attempts > desk.settings.port_attempts {
            None
        } else {
            desk.anchors.open(desk.now, caller, callee)
        };
        match ports {
            Some(anchor) => {
                self.anchor = Some(anchor);
                self.state = State::Ports(state);
            }
            None => self.refuse(desk, state.incoming, StatusCode::SERVICE_UNAVAILABLE, None),
        }
    }

    fn ring(&mut self, desk: &mut Desk<'_>, state: AwaitingPorts) {
        let AwaitingPorts {
            incoming, ringing, ..
        } = state;
        self.look_for_nat(desk, &incoming);
        let offer = match self.pass_body(desk, Side::Callee, Body::of_request(incoming.request())) {
            Ok(offer) => offer,
            Err(status) => return self.refuse(desk, incoming, status, None),
        };
        let mut hunt = Hunt::new(desk.now, ringing.order);
        let (patience, status) = ringing
            .give_up
            .unwrap_or((desk.settings.no_answer, StatusCode::TEMPORARILY_UNAVAILABLE));
        hunt.give_up_at(desk.now + patience, status);
        let branches = ringing.candidates.into_iter().map(Branch::new).collect();
        self.state = State::Answer(AwaitingAnswer {
            incoming,
            offer,
            hunt,
            branches,
            redirects: 0,
            attended: ringing.attended,
        });
        self.hunt(desk);
    }

    /// A caller whose Contact is not where he speaks from is answered where he speaks from.
    fn look_for_nat(&mut self, desk: &mut Desk<'_>, incoming: &IncomingCall) {
        let source = incoming.flow().remote;
        let contact = incoming
            .request()
            .headers()
            .typed::<Contact<'_>>()
            .ok()
            .flatten();
        if contact
            .and_then(|contact| contact.uri())
            .is_some_and(|uri| !names(uri, source))
        {
            desk.ua.pin_flow(incoming.id(), true);
            if let Some(anchor) = &mut self.anchor {
                anchor.set_behind_nat(Side::Caller, source.ip());
            }
        }
    }

    /// Does what the hunt wants, and moves on when it is over.
    fn hunt(&mut self, desk: &mut Desk<'_>) {
        let State::Answer(mut state) = std::mem::replace(&mut self.state, State::End) else {
            return;
        };
        let (mut answered, mut failed) = (None, None);
        while let Some(output) = state.hunt.poll_output() {
            match output {
                hunt::Output::Start(ATTENDANT) => {
                    state
                        .hunt
                        .handle_response(desk.now, ATTENDANT, StatusCode::OK);
                }
                hunt::Output::Start(branch) => {
                    if !self.call(desk, &mut state, branch) {
                        state.hunt.handle_response(
                            desk.now,
                            branch,
                            StatusCode::TEMPORARILY_UNAVAILABLE,
                        );
                    }
                }
                hunt::Output::Cancel(branch, why) | hunt::Output::HangUp(branch, why) => {
                    if let Some(call) = state.branch(branch).and_then(|branch| branch.call) {
                        desk.ua.hang_up(desk.now, call, passing::reason_why(why));
                    }
                }
                hunt::Output::Answered(branch) => answered = Some(branch),
                hunt::Output::Failed { status, branch } => failed = Some((status, branch)),
            }
        }
        match (answered, failed) {
            (Some(ATTENDANT), _) => {
                let AwaitingAnswer {
                    incoming, attended, ..
                } = state;
                if let Some(service) = attended {
                    self.attend(desk, incoming, &service);
                }
            }
            (Some(branch), _) => self.connect(desk, state, branch),
            (None, Some((status, branch))) => {
                let refusal = branch
                    .and_then(|branch| state.branch(branch))
                    .and_then(|branch| branch.refusal.take());
                self.refuse(desk, state.incoming, status, refusal.as_ref());
            }
            (None, None) => self.state = State::Answer(state),
        }
    }

    /// Calls one candidate; `false` when no leg can be made for it.
    fn call(&mut self, desk: &mut Desk<'_>, state: &mut AwaitingAnswer, branch: BranchId) -> bool {
        let here = state.incoming.flow().local.ip();
        let offer = state.offer.clone();
        let Some(branch) = state.branch(branch) else {
            return false;
        };
        let host = desk
            .settings
            .host(branch.candidate.local_address().unwrap_or(here));
        let Ok(mut leg) = branch.candidate.leg(&self.from.user, host) else {
            return false;
        };
        let call_id = desk.tokens.call_id();
        self.draft.leg(&call_id);
        leg.call_id = Some(call_id);
        leg.body = offer;
        leg.max_forwards = self.from.max_forwards;
        let call = desk.ua.call(desk.now, leg);
        branch.call = Some(call);
        self.open.insert(call);
        true
    }

    /// One branch has the call.
    fn connect(&mut self, desk: &mut Desk<'_>, mut state: AwaitingAnswer, branch: BranchId) {
        let Some(Branch {
            candidate,
            call: Some(call),
            refusal: answer,
        }) = state.branch(branch)
        else {
            return;
        };
        let (call, account, answer) = (*call, candidate.user.clone(), answer.take());
        if let (Some(anchor), Some(source)) = (&mut self.anchor, candidate.nat_source()) {
            anchor.set_behind_nat(Side::Callee, source);
        }
        let body = answer.as_ref().and_then(Body::of_response);
        let Ok(body) = self.pass_body(desk, Side::Caller, body) else {
            desk.ua.hang_up(desk.now, call, passing::no_headers());
            return self.refuse(desk, state.incoming, StatusCode::BAD_GATEWAY, None);
        };
        self.draft.answers(desk.now, account.clone());
        let caller = state.incoming.id();
        let late_offer = state.offer.is_none();
        desk.ua
            .accept(desk.now, state.incoming, body, passing::no_headers());
        self.state = State::Talking(InCall::new(caller, call, account, late_offer));
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
            return;
        };
        if state.branch_of(call).is_none() {
            return;
        }
        self.draft.rings(desk.now);
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
        let State::Answer(state) = &mut self.state else {
            // A loser's 2xx crossed our CANCEL: the call already belongs to another phone.
            return desk
                .ua
                .hang_up(desk.now, call, passing::completed_elsewhere());
        };
        let Some((id, _)) = state.branch_of(call) else {
            return;
        };
        let status = response.status();
        if let Some(branch) = state.branch(id) {
            branch.refusal = Some(response);
        }
        state.hunt.handle_response(desk.now, id, status);
        self.hunt(desk);
    }

    /// One leg has ended; the others follow.
    pub(crate) fn ended(&mut self, desk: &mut Desk<'_>, call: CallId, cause: EndCause) {
        self.open.remove(&call);
        match std::mem::replace(&mut self.state, State::End) {
            State::Ports(_) => self
                .draft
                .ends(Outcome::Cancelled, passing::reason_text(&cause)),
            State::Answer(state) if call == self.caller => {
                self.draft
                    .ends(Outcome::Cancelled, passing::reason_text(&cause));
                for ringing in state.branches.iter().filter_map(|branch| branch.call) {
                    desk.ua
                        .hang_up(desk.now, ringing, passing::reason_of(&cause));
                }
            }
            State::Answer(state) => {
                self.state = State::Answer(state);
                self.branch_ended(desk, call, cause);
            }
            State::Talking(talking) if talking.is_of(call) => {
                let end = match (&cause, call == self.caller) {
                    (EndCause::RemoteHangUp { .. }, true) => End::Caller,
                    (EndCause::RemoteHangUp { .. }, false) => End::Callee,
                    _ => End::Exchange,
                };
                self.draft
                    .ends(Outcome::Answered(end), passing::reason_text(&cause));
                talking.hang_up_other(desk, call, passing::reason_of(&cause));
            }
            State::Attended(attended) if call == self.caller => {
                self.attended_ended(desk, *attended, &cause);
            }
            state @ (State::Talking(_) | State::Attended(_) | State::End) => self.state = state,
        }
    }

    fn branch_ended(&mut self, desk: &mut Desk<'_>, call: CallId, cause: EndCause) {
        let State::Answer(state) = &mut self.state else {
            return;
        };
        let Some((id, _)) = state.branch_of(call) else {
            return;
        };
        let status = status_of(&cause);
        match cause {
            EndCause::Rejected { response } if status.is_redirection() => {
                let instead = state.redirected(desk.settings, &response);
                state
                    .hunt
                    .redirect(desk.now, id, StatusCode::TEMPORARILY_UNAVAILABLE, instead);
            }
            cause => {
                if let (EndCause::Rejected { response }, Some(branch)) = (cause, state.branch(id)) {
                    branch.refusal = Some(*response);
                }
                state.hunt.handle_response(desk.now, id, status);
            }
        }
        self.hunt(desk);
    }

    /// Tells the caller why nobody took his call.
    fn refuse(
        &mut self,
        desk: &mut Desk<'_>,
        incoming: IncomingCall,
        status: StatusCode,
        callee: Option<&Response>,
    ) {
        self.draft.ends(Outcome::Failed(status), None);
        let mut refusal = incoming.response(status);
        if let Some(response) = callee {
            passing::refusal_headers(response, &mut refusal);
        }
        desk.ua.reject(desk.now, incoming, refusal);
        self.state = State::End;
    }

    /// Ends every leg, for a server that is being stopped.
    pub(crate) fn hang_up(&mut self, desk: &mut Desk<'_>) {
        match std::mem::replace(&mut self.state, State::End) {
            State::Ports(AwaitingPorts { incoming, .. }) => {
                self.refuse(desk, incoming, StatusCode::SERVICE_UNAVAILABLE, None);
            }
            State::Answer(state) => {
                self.refuse(desk, state.incoming, StatusCode::SERVICE_UNAVAILABLE, None);
                for call in state.branches.iter().filter_map(|branch| branch.call) {
                    desk.ua.hang_up(desk.now, call, passing::no_headers());
                }
            }
            State::Attended(attended) => self.stop_attending(desk, *attended),
            State::Talking(_) | State::End => {
                self.draft.ends(Outcome::Answered(End::Exchange), None);
                for call in &self.open {
                    desk.ua.hang_up(desk.now, *call, passing::no_headers());
                }
            }
        }
    }

    /// Who must prove himself to change the leg `call`.
    pub(crate) fn account(&self, call: CallId) -> Option<&str> {
        if call == self.caller {
            return Some(&self.from.user);
        }
        match &self.state {
            State::Talking(talking) => talking.callee_account(),
            State::Answer(state) => state
                .branch_of(call)
                .and_then(|(_, branch)| branch.candidate.user.as_deref()),
            _ => None,
        }
    }

    /// The states of a conversation, and the means to act in it.
    pub(crate) fn talking(&mut self) -> Option<(&mut InCall, &mut Anchor)> {
        match (&mut self.state, &mut self.anchor) {
            (State::Talking(talking), Some(anchor)) => Some((talking, anchor)),
            _ => None,
        }
    }
}
