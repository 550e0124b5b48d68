//! REFER within a call: the exchange itself makes the call that the transferor asks for, as far as
//! he may make it, and joins it with the leg that stays (RFC 3515, RFC 5589).
//!
//! The REFER is never passed on: the phone at the other end sees a re-INVITE at most. What it names
//! is called under the transferor's own name and rights, through the same rules as any call.

use std::time::Instant;

use offhook_auth::Verified;
use offhook_sip::{HeaderName, Method, Request, StatusCode};
use offhook_ua::{CallId, IncomingRequest, ReferTarget, Replaces};

use super::Server;
use super::incoming::{dialled, hops_left};
use crate::bridge::{Bridge, Guest, Invited, Promise, Report};
use crate::cdr::BridgeId;
use crate::identity::Caller;
use crate::inquiries::{Purpose, Referral, RoutedCall};
use crate::passing;

impl Server {
    /// A party asks to be replaced in its conversation.
    pub(super) fn refer(&mut self, now: Instant, call: CallId, request: IncomingRequest) {
        let proof = self.referrer.take().filter(|(of, _)| *of == call);
        let verdict = self.judge(call, proof.as_ref().map(|(_, verified)| verified), &request);
        let (target, hops) = match verdict {
            Ok(accepted) => accepted,
            Err(status) => {
                let response = request.response(status);
                return self.ua.respond(now, request, response);
            }
        };
        let Some((_, by)) = proof else {
            return;
        };
        let flow = request.flow();
        let mut response = request.response(StatusCode::ACCEPTED);
        if without_reports(request.request()) {
            // RFC 4488 §4. The value is a word.
            let _always = response.headers_mut().set(HeaderName::REFER_SUB, "false");
        }
        let report = Report::new(call, request.referral());
        let parameters = self.parameters(&by, request.request(), flow);
        self.ua.respond(now, request, response);
        if let Some(replaces) = target.replaces {
            return self.refer_to_call(now, call, report, &by, &replaces);
        }
        let host = self.call_settings.host(flow.local.ip());
        let headers = passing::referred_by(by.username(), host);
        let called = dialled(&target.uri);
        let mut parameters = parameters;
        parameters.set("called", called.as_str());
        parameters.set("sip_uri", target.uri.as_str());
        let call = RoutedCall {
            caller: Caller::on_behalf_of(by.username(), hops),
            called,
            parameters,
            purpose: Purpose::Transfer(Referral { report, headers }),
        };
        let at = self.clock.moment(now);
        self.route(at, call);
    }

    /// Whether a REFER is taken; what it names, and how far a call that follows from it may go.
    fn judge(
        &mut self,
        call: CallId,
        by: Option<&Verified>,
        request: &IncomingRequest,
    ) -> Result<(ReferTarget, u8), StatusCode> {
        // A side without an account may call nobody, so it may send nobody anywhere.
        if by.is_none() {
            return Err(StatusCode::FORBIDDEN);
        }
        let target = ReferTarget::of(request.request()).ok_or(StatusCode::BAD_REQUEST)?;
        let other_method = target.uri.param("method").flatten();
        if other_method.is_some_and(|method| method != Method::Invite.as_str()) {
            return Err(StatusCode::FORBIDDEN);
        }
        let hops = hops_left(request.request())?;
        let waits = self.inquiries.as_ref();
        let waits = waits.is_some_and(|inquiries| inquiries.transfers(call));
        let bridge = self
            .bridges
            .of_call(call)
            .and_then(|id| self.bridges.get_mut(id));
        match bridge {
            Some(bridge) if bridge.may_transfer(call) && !waits => Ok((target, hops)),
            Some(_) => Err(StatusCode::REQUEST_PENDING),
            None => Err(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST),
        }
    }

    /// An attended transfer: Replaces names another call of the transferor with this exchange, and
    /// the far ends of both are joined. A dialog of anybody else is no dialog to him.
    fn refer_to_call(
        &mut self,
        now: Instant,
        call: CallId,
        mut report: Report,
        by: &Verified,
        replaces: &Replaces,
    ) {
        let here = self.bridges.of_call(call);
        let other = self
            .ua
            .find_call(&replaces.call_id, &replaces.to_tag, &replaces.from_tag)
            .and_then(|other| Some((other, self.bridges.of_call(other)?)))
            .filter(|(other, home)| {
                let bridge = self.bridges.get_mut(*home);
                let account = bridge.as_deref().and_then(|bridge| bridge.account(*other));
                Some(*home) != here && account == Some(by.username())
            });
        let status = match (other, here) {
            (Some(other), Some(here)) => {
                return self.join(now, (call, here), other, report, (by, replaces));
            }
            _ => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
        };
        self.on_call(now, call, |_, desk| report.tell(desk, status));
    }

    /// Joins the far ends of two calls of the transferor, whatever they are.
    fn join(
        &mut self,
        now: Instant,
        (call, here): (CallId, BridgeId),
        (other, home): (CallId, BridgeId),
        mut report: Report,
        (by, replaces): (&Verified, &Replaces),
    ) {
        let by = by.username();
        let mut service = |id| {
            let bridge = self.bridges.get_mut(id);
            bridge.and_then(|bridge| bridge.service().cloned())
        };
        let services = (service(here), service(home));
        let there = self.bridges.get_mut(home);
        let answered = there.is_some_and(|bridge| bridge.may_transfer(other));
        let status = match services {
            // RFC 3891 §3: it has been answered meanwhile.
            _ if answered && replaces.early_only => StatusCode::BUSY_HERE,
            // The exchange has nothing to say to itself.
            (Some(_), Some(_)) => StatusCode::NOT_IMPLEMENTED,
            (None, None) if answered => {
                return self.refer_to_guest(now, (other, home), here, report);
            }
            (None, Some(service)) if answered => {
                let also = Some(home);
                return self.serve_far_end(now, (call, here), report, (service, by), also);
            }
            (Some(service), None) if answered => {
                let also = Some(here);
                return self.serve_far_end(now, (other, home), report, (service, by), also);
            }
            (None, None) => {
                return self.wait_for(now, here, (other, home), report);
            }
            (Some(service), None) => {
                let by = by.to_owned();
                let from = here;
                let invited = Invited {
                    report,
                    service,
                    by,
                    from,
                };
                return self.invite_whoever_answers(now, (other, home), invited);
            }
            // A call that the exchange answers itself waits for its ports, not for a phone.
            (_, Some(_)) => StatusCode::REQUEST_PENDING,
        };
        self.on_call(now, call, |_, desk| report.tell(desk, status));
    }

    /// A conversation waits for whoever answers another call of the transferor's.
    fn wait_for(
        &mut self,
        now: Instant,
        here: BridgeId,
        (other, home): (CallId, BridgeId),
        mut report: Report,
    ) {
        let mut promised = None;
        self.with_bridge(now, home, |bridge, desk| {
            let promise = Promise::Conversation(here);
            promised = bridge.promise(desk, other, promise).ok();
        });
        self.with_bridge(now, here, |bridge, desk| match promised {
            Some(rings) => bridge.wait_for(desk, report, home, rings),
            None => report.tell(desk, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST),
        });
    }

    /// Whoever answers another call of the transferor's gets what this one has here.
    fn invite_whoever_answers(
        &mut self,
        now: Instant,
        (other, home): (CallId, BridgeId),
        invited: Invited,
    ) {
        self.with_bridge(now, home, |bridge, desk| {
            let promise = Promise::Service(Box::new(invited));
            if let Err(Promise::Service(mut invited)) = bridge.promise(desk, other, promise) {
                let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                invited.report.tell(desk, status);
            }
        });
    }

    /// Lends the far end of one call to the other.
    fn refer_to_guest(
        &mut self,
        now: Instant,
        (transferor, home): (CallId, BridgeId),
        to: BridgeId,
        report: Report,
    ) {
        let mut guest: Option<Guest> = None;
        self.with_bridge(now, home, |bridge, _| {
            guest = bridge.lend(home, transferor);
        });
        self.with_bridge(now, to, |bridge, desk| match guest {
            Some(guest) => bridge.refer_to_guest(desk, report, guest),
            None => bridge.nobody_joins(desk, report, StatusCode::REQUEST_PENDING),
        });
    }

    /// A call that a conversation waited for has been answered: whoever did it is asked to join.
    pub(super) fn redeem(&mut self, now: Instant, home: BridgeId, to: BridgeId) {
        let waiting = self.bridges.get_mut(to);
        let report = waiting.and_then(|bridge| bridge.redeem(home));
        let caller = self.bridges.get_mut(home).map(|bridge| bridge.caller());
        match (report, caller) {
            (Some(report), Some(caller)) => {
                self.refer_to_guest(now, (caller, home), to, report);
            }
            _ => self.with_bridge(now, home, Bridge::hang_up_alone),
        }
    }
}

/// `Refer-Sub: false`: the transferor wants no reports (RFC 4488 §4).
fn without_reports(refer: &Request) -> bool {
    refer
        .headers()
        .get(HeaderName::REFER_SUB)
        .is_some_and(|value| {
            let value = value.split(';').next().unwrap_or_default();
            value.trim().eq_ignore_ascii_case("false")
        })
}
