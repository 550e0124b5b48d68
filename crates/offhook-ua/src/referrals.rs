//! REFER within a call: the peer asks us to call somebody, and is told how that goes (RFC 3515).

use std::time::Instant;

use offhook_dialog::{CallId, Purpose, ReferReports};
use offhook_sip::{Method, Request, StatusCode};

use crate::compose;
use crate::incoming::IncomingRequest;
use crate::user_agent::UserAgent;

/// Which REFER of a call: its CSeq number (RFC 3515 §2.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferralId(pub(crate) u32);

/// So many reports at once are kept up in a call; no user transfers more.
const REFERRALS: usize = 8;

impl IncomingRequest {
    /// The number under which an accepted REFER is reported on.
    #[must_use]
    pub fn referral(&self) -> ReferralId {
        ReferralId(ReferReports::of(&self.request).id())
    }
}

impl UserAgent {
    /// Tells the peer how the call goes that it asked for by REFER: 100 to 199 while it goes on, then
    /// once a final status. The first report, 100, goes out by itself when a REFER is answered 2xx.
    pub fn report_referral(
        &mut self,
        now: Instant,
        call: CallId,
        referral: ReferralId,
        status: StatusCode,
    ) {
        self.notify_referral(now, call, referral, status);
        self.settle(now);
    }

    /// §2.4.4: an accepted REFER is a subscription, and is told of at once.
    pub(crate) fn begin_referral(&mut self, now: Instant, id: CallId, refer: &Request) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.referrals.len() < REFERRALS {
            let reports = ReferReports::of(refer);
            let referral = ReferralId(reports.id());
            call.referrals.push(reports);
            self.notify_referral(now, id, referral, StatusCode::TRYING);
        }
    }

    fn notify_referral(
        &mut self,
        now: Instant,
        id: CallId,
        referral: ReferralId,
        status: StatusCode,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(reports) = call.referrals.iter_mut().find(|of| of.id() == referral.0) else {
            return;
        };
        let Some((headers, body)) = reports.report(status) else {
            return;
        };
        call.referrals.retain(|of| !of.is_over());
        if let Some(mut request) = call.session.request(&Method::Notify) {
            compose::extend(request.headers_mut(), &headers);
            body.put_in_request(&mut request);
            self.send_in_call(now, id, request, Purpose::Notify);
        }
    }
}
