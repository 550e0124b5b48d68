//! How a bridge ends: a leg is gone, nobody took the call, or the server is being stopped.

use offhook_sip::{Response, StatusCode};
use offhook_ua::{CallId, EndCause, IncomingCall};

use super::Bridge;
use crate::bridge::state::State;
use crate::cdr::{End, Outcome};
use crate::desk::Desk;
use crate::overload;
use crate::passing;

impl Bridge {
    /// One leg has ended; the others follow.
    pub(crate) fn ended(&mut self, desk: &mut Desk<'_>, call: CallId, cause: EndCause) {
        self.open.remove(&call);
        self.picker.take_if(|picker| picker.incoming.id() == call);
        if self.target_ended(desk, call, &cause) {
            return;
        }
        let Some(cause) = self.ended_in_transfer(desk, call, cause) else {
            return;
        };
        if self.ended_in_debt(desk, call) {
            return;
        }
        match std::mem::replace(&mut self.state, State::End) {
            State::Ports(_) => self
                .draft
                .ends(Outcome::Cancelled, passing::reason_text(&cause)),
            // Whoever answers is awaited by others.
            state @ State::Answer(_) if call == self.caller && is_promised(&state) => {
                self.state = state;
            }
            State::Answer(state) if call == self.caller => {
                self.draft
                    .ends(Outcome::Cancelled, passing::reason_text(&cause));
                for ringing in state.search.calls() {
                    desk.ua
                        .hang_up(desk.now, ringing, passing::reason_of(&cause));
                }
            }
            State::Picked(state) => self.ended_while_picked(desk, state, call, &cause),
            State::Answer(mut state) => {
                state.search.ended(desk, call, cause);
                self.state = State::Answer(state);
                self.hunt(desk);
            }
            State::Talking(talking) => match talking.side_of(call) {
                Some(side) => {
                    let ender = talking.spoilt_by();
                    let ender = ender.or_else(|| has_left(&cause).then_some(side));
                    let end = ender.map_or(End::Exchange, End::of);
                    self.draft
                        .ends(Outcome::Answered(end), passing::reason_text(&cause));
                    // A guest of another bridge is that one's affair.
                    if !self.lent {
                        talking.hang_up_other(desk, call, passing::reason_of(&cause));
                    }
                    talking.disband(desk);
                }
                None => self.state = State::Talking(talking),
            },
            State::Attended(attended) if call == self.caller => {
                self.attended_ended(desk, *attended, &cause);
            }
            state @ (State::Attended(_) | State::End) => self.state = state,
        }
    }

    /// Tells the caller why nobody took his call.
    pub(super) fn refuse(
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

    /// There is no room for the call: its phone may try again (RFC 3261 §21.5.4).
    pub(super) fn refuse_for_now(&mut self, desk: &mut Desk<'_>, incoming: IncomingCall) {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        self.draft.ends(Outcome::Failed(status), None);
        let refusal = overload::later(incoming.response(status));
        desk.ua.reject(desk.now, incoming, refusal);
        self.state = State::End;
    }

    /// Ends every leg, for a server that is being stopped.
    pub(crate) fn hang_up(&mut self, desk: &mut Desk<'_>) {
        match std::mem::replace(&mut self.state, State::End) {
            State::Ports(state) => {
                self.refuse(desk, state.incoming, StatusCode::SERVICE_UNAVAILABLE, None);
            }
            State::Answer(state) => {
                self.refuse(desk, state.incoming, StatusCode::SERVICE_UNAVAILABLE, None);
                for call in state.search.calls() {
                    desk.ua.hang_up(desk.now, call, passing::no_headers());
                }
            }
            State::Picked(state) => {
                self.not_picked(desk, *state, StatusCode::SERVICE_UNAVAILABLE);
            }
            State::Attended(attended) => self.stop_attending(desk, *attended),
            state @ (State::Talking(_) | State::End) => {
                if let State::Talking(talking) = state {
                    talking.disband(desk);
                }
                self.draft.ends(Outcome::Answered(End::Exchange), None);
                for call in &self.open {
                    desk.ua.hang_up(desk.now, *call, passing::no_headers());
                }
            }
        }
    }
}

fn is_promised(state: &State) -> bool {
    matches!(state, State::Answer(state) if state.promised.is_some())
}

/// Whether the party of a leg hung up. A 481 to a request of ours says so as well: its BYE was
/// challenged and overtaken, or lost. And so does a CANCEL of a caller whose 2xx was still waiting for his
/// PRACK (RFC 3262 §3).
fn has_left(cause: &EndCause) -> bool {
    match cause {
        EndCause::RemoteHangUp { .. } | EndCause::Cancelled { .. } => true,
        EndCause::DialogGone { status } => {
            *status == StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST
        }
        _ => false,
    }
}
