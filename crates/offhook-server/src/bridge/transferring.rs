//! Transfers: one leg of a conversation is exchanged for somebody else (RFC 3515, 3891, 5589).
//!
//! The newcomer is called, or comes from another call, or calls with Replaces. In each case he is
//! known to agree before the leg that stays is asked by re-INVITE, and only when that one has
//! agreed too does the old leg end. Until then every failure leaves the conversation as it was.

use std::time::Duration;

use offhook_sdp::SessionDescription;
use offhook_sip::{Headers, Response, StatusCode};
use offhook_ua::{Body, CallId, EndCause, IncomingCall};

use super::Bridge;
use crate::bridge::awaiting::nat_source;
use crate::bridge::search::{Found, Invitation, Legs, Search, Winner};
use crate::bridge::state::{Parting, State};
use crate::bridge::transfer::{Guest, Newcomer, News, Report, Stage, Transfer, Way};
use crate::cdr::{BridgeId, End, Outcome};
use crate::desk::Desk;
use crate::dial_plan::{Candidate, Ringing};
use crate::identity::Caller;
use crate::in_call::Leg;
use crate::media_anchor::{Anchor, Side};
use crate::passing;

/// So long the transferor has to hang up by itself, as RFC 5589 §6.1 wants it to, once it has been
/// told that the transfer has succeeded.
const FAREWELL: Duration = Duration::from_secs(2);

impl Bridge {
    /// Whether a transfer of this leg may begin.
    pub(crate) fn may_transfer(&self, call: CallId) -> bool {
        matches!(&self.state, State::Talking(talk) if talk.side_of(call).is_some())
            && self.transfer.is_none()
            && !self.lent
    }

    /// Calls the target of a REFER; the conversation goes on meanwhile.
    pub(crate) fn refer(
        &mut self,
        desk: &mut Desk<'_>,
        mut report: Report,
        from: Caller,
        ringing: Ringing,
        headers: Headers,
    ) {
        // While its users were looked up another transfer may have begun.
        let place = self.place_of(report.call());
        let Some((side, anchor)) = place.filter(|_| self.may_transfer(report.call())) else {
            return report.tell(desk, StatusCode::REQUEST_PENDING);
        };
        if ringing.candidates.is_empty() {
            return report.tell(desk, StatusCode::NOT_IMPLEMENTED);
        }
        let fits = |candidate: &Candidate| {
            candidate
                .local_address()
                .is_none_or(|address| anchor.suits(side, address))
        };
        let offered = ringing
            .candidates
            .iter()
            .all(fits)
            .then(|| desk.anchors.offer_in_place(anchor, side));
        let Some(offered) = offered.flatten() else {
            return report.tell(desk, StatusCode::NOT_ACCEPTABLE_HERE);
        };
        let [caller, callee] = anchor.voice_ports();
        let invitation = Invitation {
            offer: Some(Body::sdp(offered.to_bytes())),
            headers,
            here: match side {
                Side::Caller => caller.ip(),
                Side::Callee => callee.ip(),
            },
        };
        let search = Search::new(desk, ringing, invitation);
        self.transfer = Some(Transfer {
            side,
            report: Some(report),
            stage: Stage::Ringing {
                search: Box::new(search),
                from,
                offered: Box::new(offered),
            },
        });
        self.search_on(desk);
    }

    /// Joins the far end of another call of the transferor.
    pub(crate) fn refer_to_guest(&mut self, desk: &mut Desk<'_>, mut report: Report, guest: Guest) {
        let offered = self.place_of(report.call()).and_then(|(side, anchor)| {
            let offered = desk.anchors.offer_in_place(anchor, side)?;
            anchor.suits(side, guest.address).then_some((side, offered))
        });
        self.open.insert(guest.leg.call);
        let Some((side, offered)) = offered else {
            report.tell(desk, StatusCode::NOT_ACCEPTABLE_HERE);
            return self.news.push(News::GoesBack {
                home: guest.home,
                leg: guest.leg,
                changed: false,
            });
        };
        // Its session goes on under the number that it knows (RFC 3264 §8).
        let offered = match &guest.told {
            Some(told) => offered.succeeding(told),
            None => offered,
        };
        let body = Body::sdp(offered.to_bytes());
        desk.ua.reoffer(desk.now, guest.leg.call, Some(body));
        self.transfer = Some(Transfer {
            side,
            report: Some(report),
            stage: Stage::Invited {
                newcomer: Box::new(Newcomer {
                    leg: guest.leg,
                    nat: guest.nat,
                    offered: Some(offered),
                    said: None,
                    way: Way::Lent(guest.home),
                }),
            },
        });
    }

    /// Another phone of the same user takes a call over (RFC 3891 §3).
    pub(crate) fn take_over(
        &mut self,
        desk: &mut Desk<'_>,
        replaced: CallId,
        incoming: IncomingCall,
        account: String,
    ) {
        let address = incoming.flow().local.ip();
        let place = self
            .place_of(replaced)
            .filter(|(side, anchor)| anchor.suits(*side, address))
            .map(|(side, _)| side);
        let Some(side) = place else {
            let refusal = incoming.response(StatusCode::NOT_ACCEPTABLE_HERE);
            return desk.ua.reject(desk.now, incoming, refusal);
        };
        let nat = nat_source(&incoming);
        if nat.is_some() {
            desk.ua.pin_flow(incoming.id(), true);
        }
        self.open.insert(incoming.id());
        let newcomer = Newcomer {
            leg: Leg {
                call: incoming.id(),
                account: Some(account),
            },
            nat,
            offered: None,
            said: Body::of_request(incoming.request()),
            way: Way::Calls(incoming),
        };
        self.transfer = Some(Transfer {
            side,
            report: None,
            stage: Stage::Willing {
                newcomer: Box::new(newcomer),
            },
        });
        self.pursue(desk);
    }

    fn place_of(&self, call: CallId) -> Option<(Side, &Anchor)> {
        let State::Talking(talk) = &self.state else {
            return None;
        };
        Some((talk.side_of(call)?, self.anchor.as_ref()?))
    }

    /// Does what the search for the target wants.
    pub(super) fn search_on(&mut self, desk: &mut Desk<'_>) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let Stage::Ringing {
            search,
            from,
            offered,
        } = &mut transfer.stage
        else {
            return;
        };
        let legs = Legs {
            from,
            open: &mut self.open,
            draft: &mut self.draft,
        };
        match search.advance(desk, legs) {
            Found::Nothing => {}
            Found::Winner(winner) => {
                let newcomer = Box::new(called(*winner, offered));
                transfer.stage = Stage::Willing { newcomer };
                self.pursue(desk);
            }
            // It joins no two legs.
            Found::Attendant(_) => self.transfer_failed(desk, StatusCode::NOT_IMPLEMENTED),
            Found::Nobody { status, .. } => self.transfer_failed(desk, status),
        }
    }

    /// A target's phone rings.
    pub(super) fn target_rings(&mut self, desk: &mut Desk<'_>, call: CallId, status: StatusCode) {
        if let Some(Transfer {
            report: Some(report),
            stage: Stage::Ringing { search, .. },
            ..
        }) = &mut self.transfer
            && search.tries(call)
        {
            report.tell(desk, status);
        }
    }

    /// Whether this call goes to the target of a transfer.
    pub(super) fn is_target(&self, call: CallId) -> bool {
        matches!(
            &self.transfer,
            Some(Transfer { stage: Stage::Ringing { search, .. }, .. }) if search.tries(call)
        )
    }

    /// A target's phone answered.
    pub(super) fn target_answered(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        response: Response,
    ) {
        if let Some(transfer) = &mut self.transfer
            && let Stage::Ringing { search, .. } = &mut transfer.stage
        {
            search.answered(desk.now, call, response);
            self.search_on(desk);
        }
    }

    /// Asks the leg that stays, once no other change of the session is open.
    pub(super) fn pursue(&mut self, desk: &mut Desk<'_>) {
        let (State::Talking(talk), Some(anchor), Some(transfer)) =
            (&mut self.state, &mut self.anchor, &mut self.transfer)
        else {
            return;
        };
        if !matches!(transfer.stage, Stage::Willing { .. }) || !talk.is_idle() {
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
        anchor.move_in(side, newcomer.nat);
        if let Some(offered) = newcomer.offered.clone() {
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
                return self.let_go_or(desk, side, |bridge, desk| bridge.tell_again(desk, kept));
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
            return self.tell_again(desk, kept);
        };
        if awaits_answer {
            talk.wait_for_ack(kept);
        }
        let Newcomer { leg, way, .. } = *newcomer;
        let newcomer = leg.call;
        let old = talk.replace(side, leg);
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
            self.parting = Some(Parting {
                leg: old,
                until: Some(desk.now + FAREWELL),
            });
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
            Stage::Invited { newcomer } => self.dismiss(desk, *newcomer, status, false),
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
        let Newcomer { leg, way, .. } = newcomer;
        let gone = !self.open.contains(&leg.call);
        match way {
            Way::Called => desk.ua.hang_up(desk.now, leg.call, passing::no_headers()),
            Way::Lent(home) if gone => self.news.push(News::Lost(home)),
            Way::Lent(home) => self.news.push(News::GoesBack { home, leg, changed }),
            Way::Calls(incoming) => {
                let refusal = incoming.response(status);
                desk.ua.reject(desk.now, incoming, refusal);
            }
        }
    }

    /// If the old leg has hung up meanwhile, nobody is left to talk to.
    fn let_go_or(
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

    /// A leg has agreed to what will not be: it is told again what holds.
    fn tell_again(&mut self, desk: &mut Desk<'_>, call: CallId) {
        let (State::Talking(talk), Some(anchor)) = (&mut self.state, &self.anchor) else {
            return;
        };
        talk.tell_again(desk, anchor, call, false);
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
            return None;
        }
        if talk.leg(transfer.side.other()).call == call {
            self.transfer_failed(desk, StatusCode::REQUEST_TERMINATED);
            return Some(cause);
        }
        match &mut transfer.stage {
            Stage::Ringing { search, .. } if search.tries(call) => {
                search.ended(desk, call, cause);
                self.search_on(desk);
                return None;
            }
            Stage::Invited { newcomer } | Stage::Willing { newcomer }
                if newcomer.leg.call == call =>
            {
                self.transfer_failed(desk, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            Stage::Joining { newcomer, before } if newcomer.leg.call == call => {
                let undoing = Stage::Undoing {
                    before: before.clone(),
                };
                let joining = std::mem::replace(&mut transfer.stage, undoing);
                if let Some(report) = &mut transfer.report {
                    report.tell(desk, StatusCode::TEMPORARILY_UNAVAILABLE);
                }
                if let Stage::Joining { newcomer, .. } = joining {
                    let status = StatusCode::REQUEST_TERMINATED;
                    self.dismiss(desk, *newcomer, status, true);
                }
            }
            _ => {}
        }
        None
    }

    /// Lends the far end of a call to the one that it is to be joined with.
    pub(crate) fn lend(
        &mut self,
        desk: &Desk<'_>,
        home: BridgeId,
        transferor: CallId,
    ) -> Option<Guest> {
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
            address: desk.ua.flow_of(leg.call)?.local.ip(),
            nat: anchor.nat_source(side),
            told: anchor.told(side).cloned(),
            leg,
        };
        if !self.open.remove(&guest.leg.call) {
            return None;
        }
        self.lent = true;
        Some(guest)
    }

    /// The guest has found another conversation, or has hung up: what is left here ends.
    pub(crate) fn hang_up_rest(&mut self, desk: &mut Desk<'_>) {
        self.draft.ends(Outcome::Answered(End::Exchange), None);
        for call in &self.open {
            desk.ua.hang_up(desk.now, *call, passing::no_headers());
        }
    }

    /// The guest is back: the conversation goes on.
    pub(crate) fn take_back(&mut self, desk: &mut Desk<'_>, leg: &Leg, changed: bool) {
        self.lent = false;
        self.open.insert(leg.call);
        if changed {
            self.tell_again(desk, leg.call);
        }
    }

    /// A leg belongs to another bridge now.
    pub(crate) fn release(&mut self, call: CallId) {
        self.open.remove(&call);
    }

    /// What other bridges must be told.
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Who must prove himself to change a leg that only a transfer knows.
    pub(super) fn account_in_transfer(&self, call: CallId) -> Option<&str> {
        let of = |leg: &'_ Leg| leg.call == call;
        if let Some(parting) = &self.parting
            && of(&parting.leg)
        {
            return parting.leg.account.as_deref();
        }
        match &self.transfer.as_ref()?.stage {
            Stage::Ringing { search, .. } => search.account(call),
            Stage::Invited { newcomer }
            | Stage::Willing { newcomer }
            | Stage::Joining { newcomer, .. } => newcomer
                .leg
                .account
                .as_deref()
                .filter(|_| of(&newcomer.leg)),
            Stage::Undoing { .. } => None,
        }
    }
}

fn called(winner: Winner, offered: &SessionDescription) -> Newcomer {
    Newcomer {
        leg: Leg {
            call: winner.call,
            account: winner.candidate.user.clone(),
        },
        nat: winner.candidate.nat_source(),
        offered: Some(offered.clone()),
        said: winner.answer.as_ref().and_then(Body::of_response),
        way: Way::Called,
    }
}
