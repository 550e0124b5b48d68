//! Transfers: one leg of a conversation is exchanged for somebody else (RFC 3515, 3891, 5589).
//!
//! The newcomer is called, or comes from another call, or calls with Replaces. In each case he is
//! known to agree before the leg that stays is asked by re-INVITE, and only when that one has
//! agreed too does the old leg end. Until then every failure leaves the conversation as it was.

use std::time::{Duration, Instant};

use offhook_sip::{Response, StatusCode};
use offhook_ua::{Body, CallId, EndCause};

use super::Bridge;
use crate::bridge::state::{Parting, State};
use crate::bridge::transfer::{Newcomer, News, Report, Stage, Transfer, Way};
use crate::cdr::{End, Outcome};
use crate::desk::Desk;
use crate::in_call::Leg;
use crate::media_anchor::{Anchor, Side};
use crate::passing;

/// So long the transferor has to hang up by itself, as RFC 5589 §6.1 wants it to, once it has been
/// told that the transfer has succeeded.
const FAREWELL: Duration = Duration::from_secs(2);

/// So long somebody waits for the leg that stays, whose phone answers by itself if it is there. Two others
/// can change nothing meanwhile, and of the shortest sessions 15 s are left when a refresh is due (RFC 4028
/// §10: half of 90 s, and 30 s before their end).
const PATIENCE: Duration = Duration::from_secs(12);

impl Bridge {
    /// Whether a transfer of this leg may begin.
    pub(crate) fn may_transfer(&self, call: CallId) -> bool {
        let talks = match &self.state {
            State::Talking(talk) => talk.side_of(call).is_some(),
            State::Attended(attended) => attended.is_answered() && self.parting.is_none(),
            _ => false,
        };
        talks && self.transfer.is_none() && !self.lent
    }

    /// The side of a leg of the conversation, and the relay.
    pub(super) fn place_of(&self, call: CallId) -> Option<(Side, &Anchor)> {
        let State::Talking(talk) = &self.state else {
            return None;
        };
        Some((talk.side_of(call)?, self.anchor.as_ref()?))
    }

    /// Asks the leg that stays, once no other change of the session is open.
    pub(super) fn pursue(&mut self, desk: &mut Desk<'_>) {
        let (State::Talking(talk), Some(anchor), Some(transfer)) =
            (&mut self.state, &mut self.anchor, &mut self.transfer)
        else {
            return;
        };
        let Stage::Willing { newcomer } = &mut transfer.stage else {
            return;
        };
        newcomer.until.get_or_insert(desk.now + PATIENCE);
        if !talk.is_idle() {
            return;
        }
        let before = Box::new(anchor.checkpoint());
        let undoing = Stage::Undoing {
            before: before.clone(),
        };
        let Stage::Willing { newcomer } = std::mem::replace(&mut transfer.stage, undoing) else {
            return;
        };
        let side = transfer.side;
        anchor.move_to(side, newcomer.here);
        anchor.move_in(side, newcomer.nat);
        if let Some(offered) = &newcomer.offered {
            anchor.note(side, offered);
        }
        let offer = newcomer
            .said
            .as_ref()
            .map(|said| desk.anchors.pass(anchor, side.other(), said))
            .transpose();
        let wants_offer = matches!(newcomer.way, Way::Calls(_));
        transfer.stage = Stage::Joining { newcomer, before };
        match offer {
            Ok(None) if !wants_offer => {
                self.transfer_failed(desk, StatusCode::NOT_ACCEPTABLE_HERE);
            }
            Ok(offer) => talk.ask(desk, talk.leg(side.other()).call, offer),
            Err(status) => self.transfer_failed(desk, status),
        }
    }

    /// The leg that stays agrees to what it was asked on our own account.
    pub(super) fn kept_agreed(
        &mut self,
        desk: &mut Desk<'_>,
        response: &Response,
        awaits_answer: bool,
    ) {
        let (State::Talking(talk), Some(anchor), Some(transfer)) =
            (&mut self.state, &mut self.anchor, self.transfer.take())
        else {
            return;
        };
        let side = transfer.side;
        let kept = talk.leg(side.other()).call;
        let (newcomer, before) = match transfer.stage {
            Stage::Joining { newcomer, before } => (newcomer, before),
            Stage::Undoing { before } => {
                desk.anchors.roll_back(anchor, *before);
                desk.anchors.narrow(anchor, side);
                return self.let_go_or(desk, side, |bridge, desk| {
                    bridge.tell_again(desk, kept, awaits_answer);
                });
            }
            stage => {
                self.transfer = Some(Transfer { stage, ..transfer });
                return;
            }
        };
        let answer = Body::of_response(response)
            .map(|body| desk.anchors.pass(anchor, side, &body))
            .transpose();
        let Ok(answer) = answer else {
            self.transfer = Some(Transfer {
                stage: Stage::Joining { newcomer, before },
                ..transfer
            });
            self.transfer_failed(desk, StatusCode::NOT_ACCEPTABLE_HERE);
            return self.tell_again(desk, kept, awaits_answer);
        };
        if awaits_answer {
            talk.wait_for_ack(kept);
        }
        desk.anchors.narrow(anchor, side);
        let Newcomer { mut leg, way, .. } = *newcomer;
        let newcomer = leg.call;
        let by = talk.leg(side).account.clone();
        talk.leg_mut(side.other()).answered_for_by(by.as_deref());
        leg.answered_for_by(by.as_deref());
        let old = talk.replace(side, leg);
        // Whom the exchange called is in the record already.
        if !matches!(way, Way::Called)
            && let Some(dialog) = desk.ua.dialog_of(newcomer)
        {
            self.draft.leg(&dialog.call_id);
        }
        if !anchor.is_settled(side) && !matches!(way, Way::Calls(_)) {
            // It may send what the leg that stays does not take: it is told what that one said.
            talk.ask(desk, newcomer, answer.clone());
        }
        self.joined(desk, way, answer, old, transfer.report);
    }

    /// Both agree: the old leg parts.
    fn joined(
        &mut self,
        desk: &mut Desk<'_>,
        way: Way,
        answer: Option<Body>,
        old: Leg,
        report: Option<Report>,
    ) {
        match way {
            // The user agent ends the call that this one replaces.
            Way::Calls(incoming) => {
                desk.ua
                    .accept(desk.now, incoming, answer, passing::no_headers());
            }
            Way::Lent(home) => self.news.push(News::Stays(home)),
            Way::Called => {}
        }
        if let Some(mut report) = report {
            report.tell(desk, StatusCode::OK);
        }
        if self.open.contains(&old.call) {
            self.see_off(desk, old);
        }
    }

    /// A leg has left the conversation, and is to hang up by itself. One that has left before and has
    /// not done so yet has no more time.
    pub(super) fn see_off(&mut self, desk: &mut Desk<'_>, leg: Leg) {
        let parting = Parting {
            leg,
            until: Some(desk.now + FAREWELL),
        };
        let before = self.parting.replace(Box::new(parting));
        let before = before.filter(|before| before.until.is_some());
        if let Some(before) = before
            && self.open.contains(&before.leg.call)
        {
            desk.ua
                .hang_up(desk.now, before.leg.call, passing::no_headers());
        }
    }

    /// The leg that stays does not want to.
    pub(super) fn kept_refused(&mut self, desk: &mut Desk<'_>, status: StatusCode) {
        let stage = self.transfer.as_ref().map(|transfer| &transfer.stage);
        if matches!(stage, Some(Stage::Joining { .. } | Stage::Undoing { .. })) {
            self.transfer_failed(desk, status);
        }
    }

    /// Nobody takes the place: everything stays as it was, and who asked is told.
    pub(super) fn transfer_failed(&mut self, desk: &mut Desk<'_>, status: StatusCode) {
        let Some(transfer) = self.transfer.take() else {
            return;
        };
        let Transfer {
            side,
            report,
            stage,
        } = transfer;
        match stage {
            Stage::Ringing { search, .. } => {
                for call in search.calls() {
                    desk.ua.hang_up(desk.now, call, passing::no_headers());
                }
            }
            Stage::Promised { home } => self.news.push(News::Renounced(home)),
            Stage::Opening { newcomer } | Stage::Invited { newcomer } => {
                self.dismiss(desk, *newcomer, status, false);
            }
            Stage::Willing { newcomer } => self.dismiss(desk, *newcomer, status, true),
            Stage::Joining { newcomer, before } => {
                if let Some(anchor) = &mut self.anchor {
                    desk.anchors.roll_back(anchor, *before);
                }
                self.dismiss(desk, *newcomer, status, true);
            }
            Stage::Undoing { before } => {
                if let Some(anchor) = &mut self.anchor {
                    desk.anchors.roll_back(anchor, *before);
                }
            }
        }
        if let Some(anchor) = &mut self.anchor {
            desk.anchors.narrow(anchor, side);
        }
        if let Some(mut report) = report {
            report.tell(desk, status);
        }
        self.let_go_or(desk, side, |_, _| {});
    }

    /// The newcomer goes where he came from.
    fn dismiss(
        &mut self,
        desk: &mut Desk<'_>,
        newcomer: Newcomer,
        status: StatusCode,
        changed: bool,
    ) {
        let Newcomer {
            leg, way, offered, ..
        } = newcomer;
        let gone = !self.open.contains(&leg.call);
        match way {
            Way::Called => desk.ua.hang_up(desk.now, leg.call, passing::no_headers()),
            Way::Lent(home) if gone => self.news.push(News::Lost(home)),
            Way::Lent(home) => self.news.push(News::GoesBack {
                home,
                leg,
                changed,
                told: offered.map(Box::new),
            }),
            Way::Calls(incoming) => desk.turn_away(incoming, status),
        }
    }

    /// If the old leg has hung up meanwhile, nobody is left to talk to.
    pub(super) fn let_go_or(
        &mut self,
        desk: &mut Desk<'_>,
        side: Side,
        otherwise: impl FnOnce(&mut Self, &mut Desk<'_>),
    ) {
        let State::Talking(talk) = &self.state else {
            return;
        };
        if self.open.contains(&talk.leg(side).call) {
            return otherwise(self, desk);
        }
        let kept = talk.leg(side.other()).call;
        let end = match side {
            Side::Caller => End::Caller,
            Side::Callee => End::Callee,
        };
        self.draft.ends(Outcome::Answered(end), None);
        desk.ua.hang_up(desk.now, kept, passing::no_headers());
    }

    /// A leg has agreed to what will not be: it is told again what holds, in the ACK where that must answer
    /// its offer (RFC 3261 §13.2.1).
    pub(super) fn tell_again(&mut self, desk: &mut Desk<'_>, call: CallId, awaits_answer: bool) {
        let (State::Talking(talk), Some(anchor)) = (&mut self.state, &self.anchor) else {
            return;
        };
        talk.tell_again(desk, anchor, call, awaits_answer);
    }

    /// A call has ended while a transfer goes on; the cause is given back where that ends more.
    pub(super) fn ended_in_transfer(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        cause: EndCause,
    ) -> Option<EndCause> {
        let (State::Talking(talk), Some(transfer)) = (&mut self.state, &mut self.transfer) else {
            return Some(cause);
        };
        if talk.leg(transfer.side).call == call {
            // The transferor need not wait for the outcome (RFC 5589 §6.1).
            if let Some(anchor) = &mut self.anchor {
                talk.forget(desk, anchor, call);
            }
            self.pursue(desk);
            self.stop_undoing(desk);
            return None;
        }
        if talk.leg(transfer.side.other()).call == call {
            self.transfer_failed(desk, StatusCode::REQUEST_TERMINATED);
            return Some(cause);
        }
        let newcomer = transfer.stage.newcomer();
        if newcomer.is_some_and(|newcomer| newcomer.leg.call == call) {
            self.newcomer_lost(desk, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        None
    }

    /// The newcomer does not join after all. What the leg that stays is being asked by then must be taken back.
    fn newcomer_lost(&mut self, desk: &mut Desk<'_>, status: StatusCode) {
        let Some(mut transfer) = self.transfer.take() else {
            return;
        };
        let Stage::Joining { newcomer, before } = transfer.stage else {
            self.transfer = Some(transfer);
            return self.transfer_failed(desk, status);
        };
        if let Some(report) = &mut transfer.report {
            report.tell(desk, status);
        }
        transfer.stage = Stage::Undoing { before };
        self.transfer = Some(transfer);
        self.dismiss(desk, *newcomer, StatusCode::REQUEST_TERMINATED, true);
        self.stop_undoing(desk);
    }

    /// When the newcomer has waited long enough.
    pub(super) fn newcomer_timeout(&self) -> Option<Instant> {
        let newcomer = self.transfer.as_ref()?.stage.newcomer();
        newcomer.and_then(|newcomer| newcomer.until)
    }

    /// The leg that stays says nothing: it has vanished, or its connection has.
    pub(super) fn time_newcomer(&mut self, desk: &mut Desk<'_>) {
        if self.newcomer_timeout().is_none_or(|until| desk.now < until) {
            return;
        }
        self.newcomer_lost(desk, StatusCode::REQUEST_TIMEOUT);
    }

    /// Once the newcomer and the old leg are both gone, nothing that the leg that stays may still answer
    /// makes a conversation; it need not answer at all.
    fn stop_undoing(&mut self, desk: &mut Desk<'_>) {
        let (State::Talking(talk), Some(transfer)) = (&self.state, &self.transfer) else {
            return;
        };
        let old = talk.leg(transfer.side).call;
        if matches!(transfer.stage, Stage::Undoing { .. }) && !self.open.contains(&old) {
            self.transfer_failed(desk, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
    }

    /// Who answers for a leg without an account that only a transfer knows.
    pub(super) fn answered_for_in_transfer(&self, call: CallId) -> Option<&str> {
        match &self.transfer.as_ref()?.stage {
            Stage::Ringing { search, .. } => search.answered_for(call),
            _ => None,
        }
    }

    /// Who must prove himself to change a leg that only a transfer knows.
    pub(super) fn account_in_transfer(&self, call: CallId) -> Option<&str> {
        let of = |leg: &'_ Leg| leg.call == call;
        if let Some(parting) = &self.parting
            && of(&parting.leg)
        {
            return parting.leg.account.as_deref();
        }
        let stage = &self.transfer.as_ref()?.stage;
        if let Stage::Ringing { search, .. } = stage {
            return search.account(call);
        }
        let newcomer = stage.newcomer().filter(|newcomer| of(&newcomer.leg))?;
        newcomer.leg.account.as_deref()
    }
}
