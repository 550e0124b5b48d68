//! Attended transfers: the far end of one call is lent to another one, stays there or comes back.

use offhook_sdp::SessionDescription;
use offhook_sip::{Response, StatusCode};
use offhook_ua::{Body, CallId};

use super::Bridge;
use crate::bridge::state::State;
use crate::bridge::transfer::{Guest, Newcomer, News, Report, Stage, Transfer, Way};
use crate::cdr::{BridgeId, End, Outcome};
use crate::desk::Desk;
use crate::in_call::Leg;
use crate::passing;

impl Bridge {
    /// Joins the far end of another call of the transferor.
    pub(crate) fn refer_to_guest(&mut self, desk: &mut Desk<'_>, mut report: Report, guest: Guest) {
        let side = self.place_of(report.call()).map(|(side, _)| side);
        self.open.insert(guest.leg.call);
        let Some(side) = side else {
            report.tell(desk, StatusCode::NOT_ACCEPTABLE_HERE);
            return self.news.push(News::GoesBack {
                home: guest.home,
                leg: guest.leg,
                changed: false,
                told: None,
            });
        };
        let newcomer = Box::new(Newcomer {
            leg: guest.leg,
            nat: guest.nat,
            here: guest.address,
            knew: guest.told,
            offered: None,
            said: None,
            until: None,
            way: Way::Lent(guest.home),
        });
        self.receive(desk, side, Some(report), newcomer);
    }

    /// The guest agrees to join; `false`: it is no guest.
    pub(super) fn guest_agreed(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        response: &Response,
    ) -> bool {
        let Some(transfer) = &mut self.transfer else {
            return false;
        };
        let Stage::Invited { newcomer } = &mut transfer.stage else {
            return false;
        };
        if newcomer.leg.call != call {
            return false;
        }
        newcomer.said = Body::of_response(response);
        let waiting = Stage::Undoing {
            before: Box::default(),
        };
        if let Stage::Invited { newcomer } = std::mem::replace(&mut transfer.stage, waiting) {
            transfer.stage = Stage::Willing { newcomer };
        }
        self.pursue(desk);
        true
    }

    /// The guest does not want to; `false`: it is no guest.
    pub(super) fn guest_refused(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        status: StatusCode,
    ) -> bool {
        let is_guest = matches!(
            &self.transfer,
            Some(Transfer { stage: Stage::Invited { newcomer }, .. }) if newcomer.leg.call == call
        );
        if is_guest {
            self.transfer_failed(desk, status);
        }
        is_guest
    }

    /// Lends the far end of a call to the one that it is to be joined with.
    pub(crate) fn lend(&mut self, home: BridgeId, transferor: CallId) -> Option<Guest> {
        let State::Talking(talk) = &self.state else {
            return None;
        };
        if self.transfer.is_some() || self.lent || !talk.is_idle() {
            return None;
        }
        let side = talk.side_of(transferor)?.other();
        let leg = talk.leg(side).clone();
        let anchor = self.anchor.as_ref()?;
        let guest = Guest {
            home,
            address: anchor.here(side),
            nat: anchor.nat_source(side),
            told: anchor.told(side),
            leg,
        };
        if !self.open.remove(&guest.leg.call) {
            return None;
        }
        self.lent = true;
        if self.open.is_empty() {
            self.draft.ends(Outcome::Answered(End::Caller), None);
        }
        Some(guest)
    }

    /// The guest has found another conversation, or has hung up: what is left here ends.
    pub(crate) fn hang_up_rest(&mut self, desk: &mut Desk<'_>) {
        if self.is_attended() {
            return;
        }
        self.draft.ends(Outcome::Answered(End::Exchange), None);
        for call in &self.open {
            desk.ua.hang_up(desk.now, *call, passing::no_headers());
        }
    }

    /// The guest is back: the conversation goes on.
    pub(crate) fn take_back(
        &mut self,
        desk: &mut Desk<'_>,
        leg: &Leg,
        changed: bool,
        told: Option<&SessionDescription>,
    ) {
        self.lent = false;
        self.open.insert(leg.call);
        if !matches!(self.state, State::Talking(_)) {
            // It was called for a room or the like, where it could not stay.
            return desk.ua.hang_up(desk.now, leg.call, passing::no_headers());
        }
        if let (Some(told), State::Talking(talk), Some(anchor)) =
            (told, &self.state, &mut self.anchor)
            && let Some(side) = talk.side_of(leg.call)
        {
            anchor.succeed(side, told);
        }
        if changed {
            self.tell_again(desk, leg.call, false);
        }
    }

    /// The transfer that its party has asked for has succeeded: what is left here ends. A phone hangs
    /// up by itself when it is told (RFC 5589 §6.1).
    pub(crate) fn part(&mut self, desk: &mut Desk<'_>) {
        let stays = |call: &&CallId| match &self.state {
            State::Talking(talk) => talk.side_of(**call).is_some(),
            _ => **call == self.caller,
        };
        let left = self.open.iter().find(stays).copied();
        if let Some(call) = left {
            let account = self.account(call).map(str::to_owned);
            self.see_off(desk, Leg::new(call, account));
        }
    }

    /// A leg belongs to another bridge now.
    pub(crate) fn release(&mut self, call: CallId) {
        self.open.remove(&call);
    }

    /// Nobody is left to talk to a leg that has answered for somebody else.
    pub(crate) fn hang_up_alone(&mut self, desk: &mut Desk<'_>) {
        if !self.open.contains(&self.caller) {
            self.hang_up_rest(desk);
        }
    }

    /// What other bridges must be told.
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }
}
