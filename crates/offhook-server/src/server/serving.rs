//! Transfers to the exchange itself: to a tone, an announcement, an echo or a room.
//!
//! Who stays in the conversation leaves it for a call of his own with the exchange, so that the record
//! tells of both. Until he has agreed the conversation can have him back.

use std::time::Instant;

use offhook_sip::StatusCode;
use offhook_ua::CallId;

use super::Server;
use crate::attendant::Entrance;
use crate::bridge::{Arrival, Arriving, Bridge, Guest, Invited, Report};
use crate::cdr::{BridgeId, Draft};
use crate::event::{Event, Output};
use crate::identity::Caller;
use crate::studio::Service;

/// Hops that are left to a call that goes nowhere else.
const NO_HOPS: u8 = 0;

impl Server {
    /// Connects who stays in the call of a transferor with what the exchange gives.
    pub(super) fn serve_who_stays(
        &mut self,
        now: Instant,
        home: BridgeId,
        report: Report,
        service: Service,
        by: &str,
    ) {
        let transferor = report.call();
        self.serve_far_end(now, (transferor, home), report, (service, by), None);
    }

    /// The call that a conversation waits for is answered by the exchange itself.
    pub(super) fn serve_instead(
        &mut self,
        now: Instant,
        home: BridgeId,
        to: BridgeId,
        service: Service,
    ) {
        let waiting = self.bridges.get_mut(to);
        let Some((report, by)) = waiting.and_then(|bridge| {
            let report = bridge.redeem(home)?;
            let by = bridge.account(report.call()).unwrap_or_default().to_owned();
            Some((report, by))
        }) else {
            return;
        };
        self.serve_who_stays(now, to, report, service, &by);
    }

    /// Somebody has answered a transferor's call: he gets what that one has in another call.
    pub(super) fn invite_in(&mut self, now: Instant, home: BridgeId, invited: Invited) {
        let Invited {
            report,
            service,
            by,
            from,
        } = invited;
        let caller = self.bridges.get_mut(home).map(|bridge| bridge.caller());
        if let Some(caller) = caller {
            let also = Some(from);
            self.serve_far_end(now, (caller, home), report, (service, &by), also);
            self.with_bridge(now, home, Bridge::hang_up_alone);
        }
    }

    /// Connects the far end of a transferor's call with what the exchange gives; `also` is another call
    /// of his, which is over by that.
    pub(super) fn serve_far_end(
        &mut self,
        now: Instant,
        (transferor, home): (CallId, BridgeId),
        report: Report,
        (service, by): (Service, &str),
        also: Option<BridgeId>,
    ) {
        let mut guest: Option<Guest> = None;
        self.with_bridge(now, home, |bridge, _| {
            guest = bridge.lend(home, transferor);
        });
        let Some(guest) = guest else {
            return self.with_bridge(now, home, |bridge, desk| {
                bridge.nobody_joins(desk, report, StatusCode::REQUEST_PENDING);
            });
        };
        let entrance = Entrance::Transferred {
            call: guest.leg.call,
            account: guest.leg.account.clone(),
            address: guest.address,
            told: guest.told.clone().map(Box::new),
        };
        let arrival = Arrival {
            guest,
            report,
            also,
        };
        self.arrive(now, arrival, entrance, service, by);
    }

    /// The target of a transfer out of a room has answered: it gets a call of its own with the exchange.
    pub(super) fn welcome(&mut self, now: Instant, home: BridgeId, arriving: Arriving) {
        let Arriving {
            leg,
            address,
            nat,
            offer,
            incoming,
            report,
            service,
            by,
        } = arriving;
        self.with_bridge(now, home, |bridge, _| bridge.release(leg.call));
        let entrance = match incoming {
            Some(incoming) => Entrance::Calls(incoming),
            None => Entrance::Called {
                call: leg.call,
                account: leg.account.clone(),
                address,
                offer,
            },
        };
        let guest = Guest {
            leg,
            home,
            address,
            nat,
            told: None,
        };
        let arrival = Arrival {
            guest,
            report,
            also: None,
        };
        self.arrive(now, arrival, entrance, service, &by);
    }

    fn arrive(
        &mut self,
        now: Instant,
        arrival: Arrival,
        entrance: Entrance,
        service: Service,
        by: &str,
    ) {
        let leg = &arrival.guest.leg;
        let id = self.bridges.next_id();
        let called = service.to_string();
        let caller = leg.account.as_deref().unwrap_or(by).to_owned();
        let mut draft = Draft::new(id, caller.clone(), called.clone(), self.clock.moment(now));
        if let Some(dialog) = self.ua.dialog_of(leg.call) {
            draft.leg(&dialog.call_id);
        }
        let started = Event::CallStarted {
            call: id,
            caller: caller.clone(),
            called,
        };
        self.outputs.push_back(Output::Event(started));
        let mut desk = self.desk(now);
        let from = Caller::on_behalf_of(&caller, NO_HOPS);
        let bridge = Bridge::arrive(&mut desk, arrival, from, entrance, service, draft);
        self.bridges.insert(id, bridge);
        self.spread_news(now, id);
        self.settle(now, id);
    }
}
