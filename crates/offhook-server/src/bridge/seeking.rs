//! The beginnings of a transfer: the target of a REFER is called, or somebody calls with Replaces.

use offhook_routing::hunt::BranchId;
use offhook_sdp::SessionDescription;
use offhook_sip::{Headers, Response, StatusCode};
use offhook_ua::{Body, CallId, EndCause, IncomingCall};

use super::Bridge;
use crate::bridge::awaiting::answer_at_source;
use crate::bridge::places::{Found, Invitation, Legs, Winner};
use crate::bridge::search::Search;
use crate::bridge::transfer::{Arriving, Join, Newcomer, News, Report, Stage, Transfer, Way};
use crate::desk::Desk;
use crate::dial_plan::Ringing;
use crate::identity::Caller;
use crate::in_call::Leg;
use crate::media_anchor::Side;
use crate::studio::Service;

impl Bridge {
    /// Calls the target of a REFER; the conversation goes on meanwhile.
    pub(crate) fn refer(
        &mut self,
        desk: &mut Desk<'_>,
        mut report: Report,
        from: Caller,
        ringing: Ringing,
        headers: Headers,
    ) {
        if self.is_attended() {
            return self.refer_to_service(desk, report, from, ringing, headers);
        }
        // While its users were looked up another transfer may have begun.
        let place = self.place_of(report.call());
        let Some((side, anchor)) = place.filter(|_| self.may_transfer(report.call())) else {
            return report.tell(desk, StatusCode::REQUEST_PENDING);
        };
        if ringing.candidates.is_empty()
            && let Some(service) = ringing.attended
        {
            let by = from.user;
            return self.news.push(News::Serve {
                report,
                service,
                by,
            });
        }
        let here = anchor.here(side);
        let Some(offered) = desk.anchors.offer_in_place(anchor, side) else {
            return report.tell(desk, StatusCode::NOT_ACCEPTABLE_HERE);
        };
        let invitation = Invitation {
            offer: Some(Body::sdp(offered.to_bytes())),
            headers,
            here,
        };
        let search = Search::new(desk, ringing, invitation);
        self.transfer = Some(Transfer {
            side,
            report: Some(report),
            stage: Stage::Ringing {
                search: Box::new(search),
                from: Box::new(from),
                join: Join::Leg(Box::new(offered)),
            },
        });
        self.search_on(desk);
    }

    /// Calls who is to take a party's place with the exchange itself: in a room, say.
    fn refer_to_service(
        &mut self,
        desk: &mut Desk<'_>,
        mut report: Report,
        from: Caller,
        ringing: Ringing,
        headers: Headers,
    ) {
        let here = desk.ua.flow_of(report.call()).map(|flow| flow.local.ip());
        let ready = self.may_transfer(report.call());
        let service = self.service().filter(|_| ready).cloned();
        let (Some(here), Some(service)) = (here, service) else {
            return report.tell(desk, StatusCode::REQUEST_PENDING);
        };
        if ringing.candidates.is_empty() {
            // The exchange has nothing to say to itself.
            return report.tell(desk, StatusCode::NOT_IMPLEMENTED);
        }
        let invitation = Invitation {
            offer: None,
            headers,
            here,
        };
        let search = Search::new(desk, ringing, invitation);
        self.transfer = Some(Transfer {
            side: Side::Caller,
            report: Some(report),
            stage: Stage::Ringing {
                search: Box::new(search),
                from: Box::new(from),
                join: Join::Service(service),
            },
        });
        self.search_on(desk);
    }

    /// The target has answered: it gets a call of its own with the exchange.
    fn target_arrives(
        &mut self,
        desk: &mut Desk<'_>,
        winner: Winner,
        service: Service,
        by: String,
    ) {
        let report = self.transfer.take().and_then(|transfer| transfer.report);
        let flow = desk.ua.flow_of(winner.call);
        let (Some(report), Some(flow)) = (report, flow) else {
            return;
        };
        let offer = winner.answer.as_ref().and_then(Body::of_response);
        let nat = winner.candidate.nat_source();
        let leg = winner.leg();
        self.news.push(News::Arrives(Box::new(Arriving {
            leg,
            address: flow.local.ip(),
            nat,
            offer,
            incoming: None,
            report,
            service,
            by,
        })));
    }

    /// Does what the search for the target wants.
    pub(super) fn search_on(&mut self, desk: &mut Desk<'_>) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let side = transfer.side;
        let Stage::Ringing { search, from, join } = &mut transfer.stage else {
            return;
        };
        let voice = self.anchor.as_mut().map(|anchor| (anchor, side));
        let legs = Legs {
            from,
            open: &mut self.open,
            draft: &mut self.draft,
            voice: voice.filter(|_| matches!(join, Join::Leg(_))),
        };
        let found = search.advance(desk, legs);
        self.news
            .extend(search.take_detours().into_iter().map(News::Detour));
        match found {
            Found::Nothing => {}
            Found::Winner(winner) => match join {
                Join::Leg(offered) => {
                    let mut offered = offered.as_ref().clone();
                    if let Some(anchor) = &self.anchor {
                        offered = anchor.as_told(side, winner.here, offered);
                    }
                    let newcomer = Box::new(called(*winner, offered));
                    transfer.stage = Stage::Willing { newcomer };
                    self.pursue(desk);
                }
                Join::Service(service) => {
                    let (service, by) = (service.clone(), from.user.clone());
                    self.target_arrives(desk, *winner, service, by);
                }
            },
            Found::Attendant(service) => {
                let by = from.user.clone();
                if let Some(anchor) = &mut self.anchor {
                    desk.anchors.narrow(anchor, side);
                }
                let report = self.transfer.take().and_then(|transfer| transfer.report);
                let serve = report.map(|report| News::Serve {
                    report,
                    service,
                    by,
                });
                self.news.extend(serve);
            }
            Found::Nobody { status, .. } => self.transfer_failed(desk, status),
        }
    }

    /// It is known who is where a target's redirect leads.
    pub(super) fn target_detour_ends(
        &mut self,
        desk: &mut Desk<'_>,
        from: CallId,
        branch: BranchId,
        found: Result<Ringing, StatusCode>,
    ) {
        if let Some(transfer) = &mut self.transfer
            && let Stage::Ringing { search, .. } = &mut transfer.stage
            && search.tries(from)
        {
            search.detour_ends(desk, branch, found);
            self.search_on(desk);
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

    /// A target's phone does not answer; `false`: it is no target's.
    pub(super) fn target_ended(
        &mut self,
        desk: &mut Desk<'_>,
        call: CallId,
        cause: &EndCause,
    ) -> bool {
        if let Some(transfer) = &mut self.transfer
            && let Stage::Ringing { search, .. } = &mut transfer.stage
            && search.tries(call)
        {
            search.ended(desk, call, cause.clone());
            self.search_on(desk);
            return true;
        }
        false
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

    /// Another phone of the same user takes a call over (RFC 3891 §3).
    pub(crate) fn take_over(
        &mut self,
        desk: &mut Desk<'_>,
        replaced: CallId,
        incoming: IncomingCall,
        account: String,
    ) {
        let Some((side, _)) = self.place_of(replaced) else {
            return desk.turn_away(incoming, StatusCode::NOT_ACCEPTABLE_HERE);
        };
        let newcomer = self.newcomer(desk, incoming, account);
        self.receive(desk, side, None, newcomer);
    }

    /// Whoever calls to take a place.
    pub(super) fn newcomer(
        &mut self,
        desk: &mut Desk<'_>,
        incoming: IncomingCall,
        account: String,
    ) -> Box<Newcomer> {
        let nat = answer_at_source(desk, &incoming);
        self.open.insert(incoming.id());
        Box::new(Newcomer {
            leg: Leg::new(incoming.id(), Some(account)),
            nat,
            here: incoming.flow().local.ip(),
            knew: None,
            offered: None,
            said: Body::of_request(incoming.request()),
            until: None,
            way: Way::Calls(incoming),
        })
    }
}

fn called(winner: Winner, offered: SessionDescription) -> Newcomer {
    Newcomer {
        leg: winner.leg(),
        nat: winner.candidate.nat_source(),
        here: winner.here,
        knew: None,
        offered: Some(offered),
        said: winner.answer.as_ref().and_then(Body::of_response),
        until: None,
        way: Way::Called,
    }
}
