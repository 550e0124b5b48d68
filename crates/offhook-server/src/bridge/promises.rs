//! Semi-attended transfers: the transferor's other call still rings. Whoever answers it is then asked
//! to join, as in any attended transfer (RFC 5589 §7); until then it rings on, whether the transferor
//! stays, takes that call back or hangs up altogether.

use offhook_sip::StatusCode;
use offhook_ua::{Body, CallId, IncomingCall};

use super::Bridge;
use crate::bridge::state::State;
use crate::bridge::transfer::{News, Owed, Promise, Report, Stage, Transfer};
use crate::cdr::{BridgeId, Outcome};
use crate::desk::Desk;
use crate::media_anchor::{MediaAnchor, Side};
use crate::passing;
use crate::studio::Service;

impl Bridge {
    /// Promises whoever answers to another conversation, or to what the exchange gives. Whether
    /// somebody's phone rings already.
    ///
    /// # Errors
    /// This call cannot be waited for: nobody is being called, it is not the transferor who calls, or
    /// it has been promised already.
    pub(crate) fn promise(
        &mut self,
        desk: &mut Desk<'_>,
        caller: CallId,
        mut promise: Promise,
    ) -> Result<bool, Promise> {
        let promised = match &mut self.state {
            State::Answer(state) => &mut state.promised,
            State::Picked(state) => &mut state.promised,
            State::Ports(_) | State::Talking(_) | State::Attended(_) | State::End => {
                return Err(promise);
            }
        };
        if caller != self.caller || promised.is_some() {
            return Err(promise);
        }
        let rings = self.draft.has_rung();
        if let (true, Promise::Service(invited)) = (rings, &mut promise) {
            invited.report.tell(desk, StatusCode::RINGING);
        }
        *promised = Some(promise);
        Ok(rings)
    }

    /// Waits for whoever answers another call.
    pub(crate) fn wait_for(
        &mut self,
        desk: &mut Desk<'_>,
        mut report: Report,
        home: BridgeId,
        rings: bool,
    ) {
        let Some((side, _)) = self.place_of(report.call()) else {
            return self.news.push(News::Renounced(home));
        };
        if rings {
            report.tell(desk, StatusCode::RINGING);
        }
        self.transfer = Some(Transfer {
            side,
            report: Some(report),
            stage: Stage::Promised { home },
        });
    }

    fn waits_for(&self, awaited: BridgeId) -> bool {
        matches!(
            &self.transfer,
            Some(Transfer { stage: Stage::Promised { home }, .. }) if *home == awaited
        )
    }

    /// The phone that is waited for has said something.
    pub(crate) fn promised_rings(
        &mut self,
        desk: &mut Desk<'_>,
        home: BridgeId,
        status: StatusCode,
    ) {
        if self.waits_for(home)
            && let Some(Transfer {
                report: Some(report),
                ..
            }) = &mut self.transfer
        {
            report.tell(desk, status);
        }
    }

    /// The phone that is waited for will not answer.
    pub(crate) fn promise_fails(
        &mut self,
        desk: &mut Desk<'_>,
        home: BridgeId,
        status: StatusCode,
    ) {
        if self.waits_for(home) {
            self.transfer_failed(desk, status);
        }
    }

    /// It has been answered: whose transfer goes on now.
    pub(crate) fn redeem(&mut self, home: BridgeId) -> Option<Report> {
        if !self.waits_for(home) {
            return None;
        }
        self.transfer.take()?.report
    }

    /// Nobody waits for who answers any more. If the caller does not either, the phones stop ringing.
    pub(crate) fn renounce(&mut self, desk: &mut Desk<'_>) {
        self.owed = None;
        let caller = self.caller;
        let State::Answer(state) = &mut self.state else {
            return self.renounce_picker(desk);
        };
        state.promised = None;
        if self.open.contains(&caller) {
            return;
        }
        for ringing in state.search.calls() {
            desk.ua.hang_up(desk.now, ringing, passing::no_headers());
        }
        self.draft.ends(Outcome::Cancelled, None);
        self.state = State::End;
    }

    /// Whoever was to join does not. If the transferor has hung up, nobody is left to talk to.
    pub(crate) fn nobody_joins(
        &mut self,
        desk: &mut Desk<'_>,
        mut report: Report,
        status: StatusCode,
    ) {
        report.tell(desk, status);
        if let Some((side, _)) = self.place_of(report.call()) {
            self.let_go_or(desk, side, |_, _| {});
        }
    }

    /// The leg that called.
    pub(crate) const fn caller(&self) -> CallId {
        self.caller
    }

    /// Nobody answers.
    pub(super) fn break_promise(
        &mut self,
        desk: &mut Desk<'_>,
        promise: Option<Promise>,
        status: StatusCode,
    ) {
        match promise {
            Some(Promise::Conversation(to)) => self.news.push(News::Fails { to, status }),
            Some(Promise::Service(mut invited)) => invited.report.tell(desk, status),
            None => {}
        }
    }

    /// Somebody has answered. Where he made the offer he needs its answer first: from the caller, who
    /// has been offered it and is to be replaced afterwards, or, if he is gone, from the exchange,
    /// which can only bid him be silent until he is asked to join.
    pub(super) fn keep_promise(
        &mut self,
        desk: &mut Desk<'_>,
        promise: Promise,
        late_offer: bool,
        offer: Option<Body>,
    ) {
        if !late_offer {
            return self.redeem_promise(promise);
        }
        self.owed = Some(Box::new(Owed { promise, offer }));
        if !self.open.contains(&self.caller) {
            self.answer_for_caller(desk);
        }
    }

    fn redeem_promise(&mut self, promise: Promise) {
        self.news.push(match promise {
            Promise::Conversation(to) => News::Answers(to),
            Promise::Service(invited) => News::Invites(invited),
        });
    }

    /// The caller has acknowledged our 2xx.
    pub(super) fn caller_confirmed(&mut self, desk: &mut Desk<'_>, call: CallId) {
        let State::Talking(talk) = &self.state else {
            return;
        };
        if call != self.caller {
            return;
        }
        let spoilt = talk.spoilt_by().is_some();
        match self.owed.take().map(|owed| owed.promise) {
            Some(promise) if !spoilt => self.redeem_promise(promise),
            promise => self.break_promise(desk, promise, StatusCode::NOT_ACCEPTABLE_HERE),
        }
    }

    /// A leg has ended while an answer was owed. Whether the conversation goes on all the same.
    pub(super) fn ended_in_debt(&mut self, desk: &mut Desk<'_>, call: CallId) -> bool {
        if self.owed.is_none() {
            return false;
        }
        let (State::Talking(talk), caller) = (&self.state, self.caller) else {
            return false;
        };
        if talk.spoilt_by().is_none() && call == caller {
            self.answer_for_caller(desk);
            return true;
        }
        if talk.side_of(call).is_some() {
            let promise = self.owed.take().map(|owed| owed.promise);
            self.break_promise(desk, promise, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        false
    }

    /// The caller is gone without having answered an offer.
    fn answer_for_caller(&mut self, desk: &mut Desk<'_>) {
        let (State::Talking(talk), Some(anchor), Some(owed)) =
            (&mut self.state, &mut self.anchor, self.owed.take())
        else {
            return;
        };
        let Owed { promise, offer } = *owed;
        let callee = talk.leg(Side::Callee).call;
        let answer = offer.map(|offer| MediaAnchor::bridge_over(anchor, Side::Callee, &offer));
        if let Some(Ok(answer)) = answer {
            talk.no_longer_waits_for(callee);
            desk.ua.acknowledge(desk.now, callee, Some(answer));
            return self.redeem_promise(promise);
        }
        let status = StatusCode::NOT_ACCEPTABLE_HERE;
        desk.ua.acknowledge(desk.now, callee, None);
        desk.ua.hang_up(desk.now, callee, passing::no_headers());
        self.break_promise(desk, Some(promise), status);
    }

    /// The exchange itself takes the call. To a conversation that waits for whoever answers it is as
    /// good as anybody; to itself it has nothing to say.
    pub(super) fn attendant_answers(
        &mut self,
        desk: &mut Desk<'_>,
        incoming: IncomingCall,
        promised: Option<Promise>,
        service: Service,
    ) {
        match promised {
            Some(Promise::Conversation(to)) => self.news.push(News::Serves { to, service }),
            other => {
                self.break_promise(desk, other, StatusCode::NOT_IMPLEMENTED);
                if self.open.contains(&self.caller) {
                    return self.attend(desk, incoming, service);
                }
            }
        }
        let ended = StatusCode::REQUEST_TERMINATED;
        self.refuse(desk, incoming, ended, None);
    }
}
