//! One call through the exchange: the caller's leg, the callee's legs, and what passes between.
//!
//! A bridge is a state machine over the calls of the user agent. Each state is a struct named for
//! what it awaits; [`Bridge`] holds what all of them share. What crosses from one leg to the other
//! is listed in [`crate::passing`]; everything else of a leg stays on it.

mod attending;
mod awaiting;
mod calling;
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
use std::time::Instant;

use offhook_media::relay::{self, StreamReport};
use offhook_ua::{CallId, IncomingCall};

pub(crate) use crate::bridge::places::Detour;
pub(crate) use crate::bridge::transfer::{
    Arrival, Arriving, Guest, Invited, News, Promise, Report,
};

use crate::bridge::awaiting::{AwaitingPorts, Picker};
use crate::bridge::state::{Doubt, Parting, State};
use crate::bridge::transfer::{Owed, Transfer};
use crate::cdr::{CallRecord, Draft};
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::identity::Caller;
use crate::media_anchor::{Anchor, Side};

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
    parting: Option<Box<Parting>>,
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

    /// The users who are in this call.
    pub(crate) fn users(&self) -> Vec<String> {
        let accounts = self.open.iter().filter_map(|call| match &self.state {
            // Who only rings is in no call yet.
            State::Answer(_) if *call != self.caller => None,
            _ => self.account(*call),
        });
        let picker = self.picker.iter().map(|picker| picker.account.as_str());
        let mut users: Vec<_> = accounts.chain(picker).map(str::to_owned).collect();
        // Places without accounts: who has sent or connected the call there answers for it.
        for user in self.open.iter().filter_map(|call| self.answered_for(*call)) {
            if !users.iter().any(|other| other == user) {
                users.push(user.to_owned());
            }
        }
        if users.is_empty() && !self.is_over() {
            users.push(self.from.user.clone());
        }
        users
    }

    /// Who answers for a leg without an account, if not the caller.
    fn answered_for(&self, call: CallId) -> Option<&str> {
        match &self.state {
            State::Answer(state) => state.search.answered_for(call),
            State::Talking(talk) => match talk.side_of(call) {
                Some(side) => talk.leg(side).answered_for.as_deref(),
                None => self.answered_for_in_transfer(call),
            },
            _ => None,
        }
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
