//! Pick-up: somebody else answers a call that rings, by an INVITE with Replaces that names the leg to a
//! phone that rings (RFC 3891 §3, RFC 5359 §2.16).
//!
//! He has the call from the moment when he is accepted, and all phones stop ringing. Two that offer
//! cannot answer each other: so the picker's call is put up first, silent, and then he is asked by
//! re-INVITE for what the phones were asked. His answer is the caller's.

use std::time::Duration;

use offhook_sdp::SessionDescription;
use offhook_sip::{HeaderName, Request, Response, StatusCode};
use offhook_ua::{Body, CallId, EndCause, IncomingCall};

use super::Bridge;
use crate::bridge::awaiting::{
    Answer, Asked, AwaitingAnswer, AwaitingPicker, Picker, answer_at_source, nat_source,
};
use crate::bridge::search::Search;
use crate::bridge::state::State;
use crate::bridge::transfer::{Arriving, Join, News, Stage, Transfer};
use crate::cdr::Outcome;
use crate::desk::Desk;
use crate::in_call::Leg;
use crate::media_anchor::{MediaAnchor, Reach, Side};
use crate::passing;

/// 64*T1, as long as his ACK is waited for (RFC 3261 §13.3.1.4). A re-INVITE that has had a provisional
/// response would be waited for without end, and no phone rings meanwhile.
const PATIENCE: Duration = Duration::from_secs(32);

impl Bridge {
    /// Whether this leg goes to a phone that has not answered, and nobody else has.
    pub(crate) fn is_to_answer(&self, call: CallId) -> bool {
        match &self.state {
            State::Answer(state) => state.search.tries(call),
            _ => self.is_target(call),
        }
    }

    /// The users whose phones ring with that leg.
    pub(crate) fn rung(&self) -> Vec<&str> {
        let search = match (&self.state, &self.transfer) {
            (State::Answer(state), _) => Some(&state.search),
            (_, Some(transfer)) => match &transfer.stage {
                Stage::Ringing { search, .. } => Some(&**search),
                _ => None,
            },
            _ => None,
        };
        search.into_iter().flat_map(Search::users).collect()
    }

    /// Gives the call to who picks it up.
    pub(crate) fn pick_up(
        &mut self,
        desk: &mut Desk<'_>,
        ringing: CallId,
        incoming: IncomingCall,
        account: String,
    ) {
        if self.is_target(ringing) && self.is_attended() {
            return self.pick_up_service(desk, incoming, account);
        }
        let side = match &self.transfer {
            Some(transfer) if self.is_target(ringing) => transfer.side,
            _ => Side::Callee,
        };
        let here = incoming.flow().local.ip();
        let anchor = self.anchor.as_mut();
        match anchor.map_or(Reach::Never, |anchor| {
            desk.anchors.reach(anchor, side, here)
        }) {
            Reach::Ready => {}
            Reach::Awaited if self.picker.is_none() => {
                self.open.insert(incoming.id());
                self.picker = Some(Box::new(Picker {
                    ringing,
                    incoming,
                    account,
                }));
                return;
            }
            Reach::Awaited | Reach::Never => {
                return desk.turn_away(incoming, StatusCode::NOT_ACCEPTABLE_HERE);
            }
        }
        match std::mem::replace(&mut self.state, State::End) {
            State::Answer(state) if state.search.tries(ringing) => {
                self.pick_up_call(desk, state, incoming, account);
            }
            state => {
                self.state = state;
                self.pick_up_target(desk, incoming, account);
            }
        }
    }

    /// There are ports for who picks up, or there will be none.
    pub(super) fn let_pick_up(&mut self, desk: &mut Desk<'_>, opened: bool) {
        let Some(picker) = self.picker.take() else {
            return;
        };
        let Picker {
            ringing,
            incoming,
            account,
        } = *picker;
        if !opened {
            desk.turn_away(incoming, StatusCode::SERVICE_UNAVAILABLE);
        } else if self.is_to_answer(ringing) {
            self.pick_up(desk, ringing, incoming, account);
        } else {
            let gone = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            desk.turn_away(incoming, gone);
        }
    }

    fn pick_up_call(
        &mut self,
        desk: &mut Desk<'_>,
        state: Box<AwaitingAnswer>,
        incoming: IncomingCall,
        account: String,
    ) {
        let before = self.anchor.as_ref().map(|anchor| anchor.here(Side::Callee));
        let here = incoming.flow().local.ip();
        if let Some(anchor) = &mut self.anchor {
            anchor.move_to(Side::Callee, here);
        }
        let (body, asked) = match self.welcome_of(&state, &incoming) {
            Ok(welcome) => welcome,
            Err(status) => {
                if let (Some(anchor), Some(before)) = (&mut self.anchor, before) {
                    anchor.move_to(Side::Callee, before);
                }
                self.state = State::Answer(state);
                return desk.turn_away(incoming, status);
            }
        };
        let AwaitingAnswer {
            incoming: caller,
            search,
            promised,
        } = *state;
        search.lose(desk);
        let nat = answer_at_source(desk, &incoming);
        if let Some(anchor) = &mut self.anchor {
            desk.anchors.narrow(anchor, Side::Callee);
            anchor.move_in(Side::Callee, nat);
        }
        self.open.insert(incoming.id());
        let call_id = incoming.request().headers().get(HeaderName::CALL_ID);
        self.draft.leg(call_id.unwrap_or_default());
        let streams = search
            .offer()
            .and_then(|offer| SessionDescription::parse(&offer.bytes).ok());
        self.state = State::Picked(Box::new(AwaitingPicker {
            incoming: caller,
            promised,
            picker: Leg::new(incoming.id(), Some(account)),
            asked,
            streams: streams.map(|offer| offer.media().len()),
            until: desk.now + PATIENCE,
        }));
        desk.ua
            .accept(desk.now, incoming, Some(body), passing::no_headers());
    }

    /// What a picker is answered, and what he is asked by that or after it.
    ///
    /// # Errors
    /// Why he cannot have the call; the phones ring on.
    fn welcome_of(
        &mut self,
        state: &AwaitingAnswer,
        picker: &IncomingCall,
    ) -> Result<(Body, Asked), StatusCode> {
        let here = picker.flow().local.ip();
        let anchor = self.anchor.as_mut();
        let anchor = anchor.ok_or(StatusCode::NOT_ACCEPTABLE_HERE)?;
        let offer = state.search.offer();
        let offer = offer.map(|offer| MediaAnchor::offer_from(anchor, Side::Callee, here, offer));
        match (Body::of_request(picker.request()), offer) {
            (None, Some(offer)) => Ok((offer, Asked::InOur2xx)),
            (None, None) => {
                let body = MediaAnchor::bridge_over_without_offer(anchor, Side::Callee);
                Ok((body, Asked::AfterAck(None)))
            }
            (Some(said), offer) => {
                let body = MediaAnchor::bridge_over(anchor, Side::Callee, &said)?;
                let next =
                    offer.and_then(|offer| MediaAnchor::offer_after(anchor, Side::Callee, &offer));
                Ok((body, Asked::AfterAck(next)))
            }
        }
    }

    /// Gives the place in a conversation to who picks up in place of the target of a transfer.
    fn pick_up_target(&mut self, desk: &mut Desk<'_>, incoming: IncomingCall, account: String) {
        let joins = matches!(
            &self.transfer,
            Some(Transfer {
                stage: Stage::Ringing {
                    join: Join::Leg(_),
                    ..
                },
                ..
            })
        );
        if !joins {
            return desk.turn_away(incoming, StatusCode::NOT_ACCEPTABLE_HERE);
        }
        let newcomer = self.newcomer(desk, incoming, account);
        if let Some(transfer) = &mut self.transfer
            && let Stage::Ringing { search, .. } =
                std::mem::replace(&mut transfer.stage, Stage::Willing { newcomer })
        {
            search.lose(desk);
        }
        self.pursue(desk);
    }

    /// Gives who picks up in place of the target of a transfer out of a room what is given there.
    fn pick_up_service(&mut self, desk: &mut Desk<'_>, incoming: IncomingCall, account: String) {
        let Some(Transfer {
            report: Some(report),
            stage: Stage::Ringing { search, from, join },
            ..
        }) = self.transfer.take()
        else {
            return desk.turn_away(incoming, StatusCode::REQUEST_PENDING);
        };
        search.lose(desk);
        let Join::Service(service) = join else {
            return desk.turn_away(incoming, StatusCode::REQUEST_PENDING);
        };
        self.open.insert(incoming.id());
        self.news.push(News::Arrives(Box::new(Arriving {
            leg: Leg::new(incoming.id(), Some(account)),
            address: incoming.flow().local.ip(),
            nat: nat_source(&incoming),
            offer: None,
            incoming: Some(Box::new(incoming)),
            report,
            service,
            by: from.user,
        })));
    }

    /// The picker has acknowledged that he has the call.
    pub(super) fn picker_confirmed(&mut self, desk: &mut Desk<'_>, call: CallId, ack: &Request) {
        let State::Picked(state) = &mut self.state else {
            return;
        };
        if state.picker.call != call {
            return;
        }
        match std::mem::replace(&mut state.asked, Asked::InReinvite) {
            Asked::InOur2xx => match Body::of_request(ack) {
                Some(answer) => self.picker_answers(desk, Some(answer)),
                // RFC 3261 §13.2.1 wants the answer in the ACK; without one there is no session.
                None => self.drop_picker(desk, StatusCode::TEMPORARILY_UNAVAILABLE),
            },
            Asked::AfterAck(offer) => desk.ua.reoffer(desk.now, call, offer),
            Asked::InReinvite => {}
        }
    }

    /// He agrees to what he was asked; `false`: it is nobody who picks up.
    pub(super) fn picker_agreed(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        response: &Response,
    ) -> bool {
        let picks = self.is_picked_by(call);
        if picks {
            self.picker_answers(desk, Body::of_response(response));
        }
        picks
    }

    /// He does not; `false`: it is nobody who picks up.
    pub(super) fn picker_refused(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        status: StatusCode,
    ) -> bool {
        let picks = self.is_picked_by(call);
        if picks {
            self.drop_picker(desk, status);
        }
        picks
    }

    fn is_picked_by(&self, call: CallId) -> bool {
        matches!(&self.state, State::Picked(state) if state.picker.call == call)
    }

    fn picker_answers(&mut self, desk: &mut Desk<'_>, body: Option<Body>) {
        match std::mem::replace(&mut self.state, State::End) {
            State::Picked(state) => {
                let AwaitingPicker {
                    incoming,
                    promised,
                    picker,
                    streams,
                    ..
                } = *state;
                let body = match streams {
                    Some(streams) => body.map(|body| MediaAnchor::answer_of(body, streams)),
                    None => body,
                };
                let answer = Answer {
                    incoming,
                    promised,
                    callee: picker,
                    body,
                    late_offer: streams.is_none(),
                };
                self.answered_by(desk, answer);
            }
            state => self.state = state,
        }
    }

    /// He takes too long.
    pub(super) fn time_picker(&mut self, desk: &mut Desk<'_>) {
        if matches!(&self.state, State::Picked(state) if state.until <= desk.now) {
            self.drop_picker(desk, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
    }

    /// What he waits for will not come: the call is somebody else's.
    pub(super) fn turn_picker_away(&mut self, desk: &mut Desk<'_>) {
        if let Some(picker) = self.picker.take() {
            let gone = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            desk.turn_away(picker.incoming, gone);
        }
    }

    /// He and the caller do not come together, and no phone rings any more.
    fn drop_picker(&mut self, desk: &mut Desk<'_>, status: StatusCode) {
        match std::mem::replace(&mut self.state, State::End) {
            State::Picked(state) => self.not_picked(desk, *state, status),
            state => self.state = state,
        }
    }

    pub(super) fn not_picked(
        &mut self,
        desk: &mut Desk<'_>,
        state: AwaitingPicker,
        status: StatusCode,
    ) {
        desk.ua
            .hang_up(desk.now, state.picker.call, passing::no_headers());
        self.break_promise(desk, state.promised, status);
        self.refuse(desk, state.incoming, status, None);
    }

    /// A leg has ended before the caller could be answered.
    pub(super) fn ended_while_picked(
        &mut self,
        desk: &mut Desk<'_>,
        state: Box<AwaitingPicker>,
        call: CallId,
        cause: &EndCause,
    ) {
        if call == state.picker.call {
            return self.not_picked(desk, *state, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        if call == self.caller && state.promised.is_none() {
            let reason = passing::reason_of(cause);
            desk.ua.hang_up(desk.now, state.picker.call, reason);
            return self
                .draft
                .ends(Outcome::Cancelled, passing::reason_text(cause));
        }
        self.state = State::Picked(state);
    }

    /// Nobody waits for the picker any more, as in [`Self::renounce`].
    pub(super) fn renounce_picker(&mut self, desk: &mut Desk<'_>) {
        let State::Picked(state) = &mut self.state else {
            return;
        };
        state.promised = None;
        if self.open.contains(&self.caller) {
            return;
        }
        desk.ua
            .hang_up(desk.now, state.picker.call, passing::no_headers());
        self.draft.ends(Outcome::Cancelled, None);
        self.state = State::End;
    }
}
