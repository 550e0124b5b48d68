//! A callee's redirect to a number of this very exchange: it goes through the dial plan like any call,
//! with the rights of the user whose phone redirects, and never leaves the machine.

use std::time::Instant;

use offhook_routing::Parameters;
use offhook_sip::{Response, Scheme, StatusCode, Uri};
use offhook_ua::{CallId, EndCause};

use super::Server;
use super::incoming::dialled;
use crate::bridge::Detour;
use crate::cdr::BridgeId;
use crate::dial_plan::Ringing;
use crate::identity::Caller;
use crate::inquiries::{Purpose, RoutedCall, Turn};
use crate::restrictions::Redirects;
use crate::user_requests::Sent;

impl Server {
    /// Asks the rules who is where a redirect of a call leads.
    pub(super) fn look_up_detour(&mut self, now: Instant, bridge: BridgeId, detour: Detour) {
        let Detour {
            from,
            branch,
            place,
            by,
            max_forwards,
        } = detour;
        let turn = Turn::Call {
            bridge,
            from,
            branch,
        };
        self.take_turn(now, turn, &place, &by, max_forwards);
    }

    /// The same for the redirects of MESSAGEs and OPTIONS.
    pub(super) fn look_up_requests(&mut self, now: Instant) {
        while let Some(sent) = self.user_requests.poll_sent() {
            let Sent {
                request,
                branch,
                place,
                by,
                max_forwards,
            } = sent;
            let turn = Turn::Request { request, branch };
            self.take_turn(now, turn, &place, &by, max_forwards);
        }
    }

    /// The end of a leg; one by the redirect of a user who is in as many calls as he may be is that of a
    /// busy phone, for he would answer for the call that follows.
    pub(super) fn held_back(&mut self, call: CallId, cause: EndCause) -> EndCause {
        let follows = self.call_settings.redirects == Redirects::Follow;
        let redirects = matches!(&cause, EndCause::Rejected { response }
            if follows && response.status().is_redirection());
        if redirects && self.may_not_send_on(call) {
            let busy = Response::new(StatusCode::BUSY_HERE);
            return EndCause::Rejected {
                response: Box::new(busy),
            };
        }
        cause
    }

    fn may_not_send_on(&mut self, call: CallId) -> bool {
        let bridge = self.bridges.of_call(call);
        let Some(bridge) = bridge.and_then(|id| self.bridges.get_mut(id)) else {
            return false;
        };
        let Some(user) = bridge.account(call).map(str::to_owned) else {
            return false;
        };
        // In this one he is already.
        !bridge.users().contains(&user) && self.is_engaged(&user)
    }

    fn take_turn(&mut self, now: Instant, turn: Turn, place: &Uri, by: &str, max_forwards: u8) {
        let called = number(place);
        let mut parameters = Parameters::new(Some(by));
        for (name, value) in [
            ("called", called.as_str()),
            ("caller", by),
            ("diverter", by),
            ("module", "sip"),
            ("sip_uri", place.as_str()),
        ] {
            parameters.set(name, value);
        }
        parameters.set("antiloop", max_forwards.to_string());
        let call = RoutedCall {
            parameters: self.with_his_own(parameters, by),
            caller: Caller::on_behalf_of(by, max_forwards),
            called,
            purpose: Purpose::Detour(turn),
        };
        let at = self.clock.moment(now);
        self.route(at, call);
    }

    /// It is known who is there.
    pub(super) fn turn_ends(
        &mut self,
        now: Instant,
        turn: &Turn,
        found: Result<Ringing, StatusCode>,
    ) {
        match *turn {
            Turn::Call {
                bridge,
                from,
                branch,
            } => self.with_bridge(now, bridge, |bridge, desk| {
                bridge.detour_ends(desk, from, branch, found);
            }),
            Turn::Request { request, branch } => self.at_desk(now, |requests, desk| {
                requests.turn_ends(desk, request, branch, found);
            }),
        }
    }
}

fn number(place: &Uri) -> String {
    if place.scheme() == Scheme::Tel {
        let number = place.as_ref().opaque().split(';').next();
        return number.unwrap_or_default().to_owned();
    }
    dialled(place)
}
