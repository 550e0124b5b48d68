//! One call through the exchange: the caller's leg, the callee's legs, and what passes between.
//!
//! A bridge is a state machine over the calls of the user agent. Each state is a struct named for
//! what it awaits; [`Bridge`] holds what all of them share. What crosses from one leg to the other
//! is listed in [`crate::passing`]; everything else of a leg stays on it.

mod attending;
mod awaiting;
mod ending;
mod guests;
mod picking;
mod places;
mod promises;
mod search;
mod seeking;
mod silence;
mod state;
mod talking;
mod transfer;
mod transferring;
mod versions;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use offhook_media::relay::{self, StreamReport};
use offhook_routing::hunt::BranchId;
use offhook_sip::{Response, StatusCode};
use offhook_ua::{Body, CallId, IncomingCall};

pub(crate) use crate::bridge::places::Detour;
pub(crate) use crate::bridge::transfer::{
    Arrival, Arriving, Guest, Invited, News, Promise, Report,
};

use crate::bridge::awaiting::{Answer, AwaitingAnswer, AwaitingPorts, Picker, answer_at_source};
use crate::bridge::places::{Found, Invitation, Legs, Winner};
use crate::bridge::search::Search;
use crate::bridge::silence::Doubt;
use crate::bridge::state::{Parting, State};
use crate::bridge::transfer::{Owed, Transfer};
use crate::cdr::{CallRecord, Draft};
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::identity::Caller;
use crate::in_call::{InCall, Leg};
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
    /// Somebody is to take the place of a leg.
    transfer: Option<Transfer>,
    /// A leg that has left the conversation and is to hang up.
    parting: Option<Parting>,
    /// One of the legs is in another bridge, for it may be joined with a leg there.
    lent: bool,
    /// Its party is on the way here from another call.
    arrival: Option<Box<Arrival>>,
    news: Vec<News>,
    /// A promise that waits for the caller's ACK.
    owed: Option<Box<Owed>>,
    /// A BYE that was not proved.
    doubt: Option<Doubt>,
    /// Who picks the call up waits for ports in his version of IP.
    picker: Option<Box<Picker>>,
    /// The user whose transfer has connected those who talk.
    connected_by: Option<String>,
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
        let mut bridge = Self::new(incoming.id(), from, draft);
        if ringing.candidates.is_empty()
            && let Some(service) = ringing.attended
        {
            bridge.attend(desk, incoming, service);
            return bridge;
        }
        let awaiting = AwaitingPorts {
            incoming,
            ringing,
            attempts: 0,
        };
        bridge.ask_for_ports(desk, Box::new(awaiting));
        bridge
    }

    fn new(caller: CallId, from: Caller, draft: Draft) -> Self {
        Self {
            caller,
            from,
            open: BTreeSet::from([caller]),
            anchor: None,
            draft,
            state: State::End,
            transfer: None,
            parting: None,
            lent: false,
            arrival: None,
            news: Vec::new(),
            owed: None,
            doubt: None,
            picker: None,
            connected_by: None,
        }
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
        let relayed = self.anchor.filter(|anchor| anchor.relay().is_some());
        let voice_ports = relayed.as_ref().map(Anchor::voice_ports);
        self.draft.finish(now, voice_ports, streams)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Answer(state) => state.search.poll_timeout(),
            State::Talking(talk) => talk.poll_timeout(),
            State::Picked(state) => Some(state.until),
            State::Ports(_) | State::Attended(_) | State::End => None,
        };
        let others = [self.transfer_timeout(), self.doubt_timeout()];
        own.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// The next phones have their turn, or nobody has answered in time.
    pub(crate) fn handle_timeout(&mut self, desk: &mut Desk<'_>) {
        match &mut self.state {
            State::Answer(state) => {
                state.search.handle_timeout(desk.now);
                self.hunt(desk);
            }
            State::Talking(talk) => talk.handle_timeout(desk),
            State::Picked(_) => self.time_picker(desk),
            State::Ports(_) | State::Attended(_) | State::End => {}
        }
        self.time_transfer(desk);
        self.time_doubt(desk);
    }

    /// The relay says whether it has its ports.
    pub(crate) fn handle_media_event(&mut self, desk: &mut Desk<'_>, event: &relay::Event) {
        match event {
            relay::Event::Widened { side, .. } => return self.widened(desk, Side::of(*side), true),
            relay::Event::WidenFailed { side, .. } => {
                return self.widened(desk, Side::of(*side), false);
            }
            _ => {}
        }
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

    fn ask_for_ports(&mut self, desk: &mut Desk<'_>, mut state: Box<AwaitingPorts>) {
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

    fn ring(&mut self, desk: &mut Desk<'_>, state: Box<AwaitingPorts>) {
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
    fn look_for_nat(&mut self, desk: &mut Desk<'_>, incoming: &IncomingCall) {
        if let Some(source) = answer_at_source(desk, incoming)
            && let Some(anchor) = &mut self.anchor
        {
            anchor.move_in(Side::Caller, Some(source));
        }
    }

    /// Does what the hunt wants, and moves on when it is over.
    fn hunt(&mut self, desk: &mut Desk<'_>) {
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
        let Winner {
            call,
            candidate,
            answer,
            here,
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
                callee: Leg {
                    call,
                    account: candidate.user,
                },
                body: answer.as_ref().and_then(Body::of_response),
                late_offer,
            },
        );
    }

    /// The caller gets the answer of who has taken his call.
    fn answered_by(&mut self, desk: &mut Desk<'_>, answer: Answer) {
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
        let caller = Leg {
            call: incoming.id(),
            account: Some(self.from.user.clone()),
        };
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

    /// The users who are in this call.
    pub(crate) fn users(&self) -> Vec<String> {
        let accounts = self.open.iter().filter_map(|call| match &self.state {
            // Who only rings is in no call yet.
            State::Answer(_) if *call != self.caller => None,
            _ => self.account(*call),
        });
        let picker = self.picker.iter().map(|picker| picker.account.as_str());
        let mut users: Vec<_> = accounts.chain(picker).map(str::to_owned).collect();
        if users.is_empty() && !self.is_over() {
            // Places without accounts: who has brought them together answers for it.
            users.push(
                self.connected_by
                    .as_ref()
                    .unwrap_or(&self.from.user)
                    .clone(),
            );
        }
        users
    }

    /// Who must prove himself to change the leg `call`.
    pub(crate) fn account(&self, call: CallId) -> Option<&str> {
        match &self.state {
            State::Talking(talk) => match talk.side_of(call) {
                Some(side) => talk.leg(side).account.as_deref(),
                None => self.account_in_transfer(call),
            },
            State::Attended(attended) if call == self.caller => attended.owner(&self.from.user),
            _ if call == self.caller => Some(&self.from.user),
            State::Answer(state) => state.search.account(call),
            State::Picked(state) => state.account(call),
            State::Ports(_) | State::Attended(_) | State::End => None,
        }
    }
}
