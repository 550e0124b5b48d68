//! REFER within a call: the peer asks us to call somebody, and is told how that goes (RFC 3515).

use std::time::Instant;

use offhook_dialog::{CallId, Purpose, ReferReports};
use offhook_sip::{Method, Request, StatusCode};

use crate::compose;
use crate::incoming::IncomingRequest;
use crate::usages::{USAGES, Usages};
use crate::user_agent::UserAgent;

/// Which REFER of a call: its CSeq number (RFC 3515 §2.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferralId(pub(crate) u32);

impl IncomingRequest {
    /// The number under which an accepted REFER is reported on.
    #[must_use]
    pub fn referral(&self) -> ReferralId {
        ReferralId(compose::cseq_number(&self.request).unwrap_or_default())
    }
}

impl UserAgent {
    /// Tells the peer how the call goes that it asked for by REFER: 100 to 199 while it goes on, then
    /// once a final status. The first report, 100, goes out by itself when a REFER is answered 2xx.
    /// Reports outlive the call in which they were asked for (RFC 5057 §4.1); one without news for
    /// 180 s after that is over.
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
        let usages = call.usages.get_or_insert_default();
        if usages.given.len() < USAGES {
            let reports = ReferReports::of(now, refer);
            let referral = ReferralId(reports.id());
            usages.given.push(reports);
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
        let report = |usages: &mut Usages| {
            let of = usages.given.iter_mut().find(|of| of.id() == referral.0)?;
            of.report(now, status)
        };
        let Some(call) = self.calls.get_mut(&id) else {
            self.notify_late(now, id, report);
            return;
        };
        let Some(usages) = call.usages.as_deref_mut() else {
            return;
        };
        let Some((headers, body)) = report(usages) else {
            return;
        };
        usages.given.retain(|of| !of.is_over());
        if let Some(mut request) = call.session.request(&Method::Notify) {
            compose::extend(request.headers_mut(), &headers);
            body.put_in_request(&mut request);
            self.send_in_call(now, id, request, Purpose::Notify);
        }
    }
}
