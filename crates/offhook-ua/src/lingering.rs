//! Dialogs of calls that have ended, in which something is still to be told: how a transfer goes
//! (RFC 3515 §2.4.4, RFC 5057 §4.1).

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_dialog::{Body, CallId, EventPackage, Purpose, ReferReports, ends_usage};
use offhook_sip::header::SubscriptionState;
use offhook_sip::{Headers, Method, Request, StatusCode};
use offhook_transaction::{ServerTransactionId, Token};

use crate::call::Call;
use crate::compose::{self, Face};
use crate::deadlines::Key;
use crate::event::Event;
use crate::exchange::Owner;
use crate::usages::{Lingering, Usages, is_last};
use crate::user_agent::UserAgent;

/// A report is waited for so long after the end of its call, unless the last one said how long.
const PATIENCE: Duration = Duration::from_secs(180);
/// Room for the repeats of a report.
const MARGIN: Duration = Duration::from_secs(32);

impl UserAgent {
    /// Keeps the dialog of a call that has ended if something is still to be told in it. The tag
    /// stays in the table then.
    pub(crate) fn linger(&mut self, now: Instant, id: CallId, call: &mut Call) {
        let Some(usages) = call.usages.take().filter(|usages| !usages.is_empty()) else {
            return;
        };
        let Some(dialog) = call.session.take_dialog() else {
            return;
        };
        if self.lingering.len() >= self.config.limits.calls {
            return;
        }
        let given = usages.given.iter().map(ReferReports::until).max();
        let patience = (!usages.awaited.is_empty()).then(|| now + PATIENCE + MARGIN);
        let until = given.into_iter().chain(patience).max();
        let mut lingering = Lingering {
            dialog,
            tag: call.tag,
            flow: call.flow,
            pinned: call.pinned,
            secure: call.secure,
            contact_user: call.contact_user.take(),
            usages,
            deadline: None,
        };
        self.deadlines
            .replace(Key::Lingering(id), &mut lingering.deadline, until);
        self.lingering.insert(id, lingering);
    }

    /// Whose dialog a message of a peer belongs to, of the calls that have ended.
    pub(crate) fn lingering_owner(&self, request: &Request) -> Option<CallId> {
        let (call_id, local, remote) = compose::dialog_of(request)?;
        let id = *self.by_tag.get(&Token::of(local)?)?;
        let lingering = self.lingering.get(&id)?;
        lingering.dialog.is(call_id, local, remote).then_some(id)
    }

    /// A request in the dialog of a call that has ended: only a report has business there.
    pub(crate) fn asked_late(
        &mut self,
        now: Instant,
        id: CallId,
        transaction: ServerTransactionId,
        request: Arc<Request>,
    ) {
        let status = self.report_heard(now, id, &request);
        let face = Face::asked_for(&request);
        self.send_response(now, transaction, request.response(status), face);
        if status.is_success() {
            self.event(Event::LateReport {
                call: id,
                notify: Arc::unwrap_or_clone(request),
            });
            self.let_go(id);
        }
    }

    fn report_heard(&mut self, now: Instant, id: CallId, request: &Request) -> StatusCode {
        let gone = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
        let Some(lingering) = self.lingering.get_mut(&id) else {
            return gone;
        };
        let known = lingering.usages.reported_by(request.headers());
        let (Method::Notify, Some(at)) = (request.method(), known) else {
            return gone;
        };
        let number = compose::cseq_number(request).unwrap_or_default();
        if let Err(error) = lingering.dialog.check_cseq(number) {
            return error.status();
        }
        lingering.dialog.take_remote_cseq(number);
        lingering.dialog.refresh_target(request.headers());
        if is_last(request) {
            lingering.usages.awaited.remove(at);
        } else if let Some(left) = time_left(request) {
            let until = lingering.deadline.max(Some(now + left + MARGIN));
            self.deadlines
                .replace(Key::Lingering(id), &mut lingering.deadline, until);
        }
        StatusCode::OK
    }

    /// Tells the peer in the dialog of a call that has ended.
    pub(crate) fn notify_late(
        &mut self,
        now: Instant,
        id: CallId,
        report: impl FnOnce(&mut Usages) -> Option<(Headers, Body)>,
    ) {
        let Some(lingering) = self.lingering.get_mut(&id) else {
            return;
        };
        if let Some((headers, body)) = report(&mut lingering.usages) {
            let mut request = lingering.dialog.request(&Method::Notify);
            compose::extend(request.headers_mut(), &headers);
            body.put_in_request(&mut request);
            let face = Face {
                user: lingering.contact_user.as_deref(),
                secure: lingering.secure,
            };
            let owner = Owner::Call {
                call: id,
                purpose: Purpose::Notify,
            };
            let way = (lingering.flow, lingering.pinned);
            let outgoing = compose::within_dialog(owner, request, way, face);
            lingering.usages.given.retain(|of| !of.is_over());
            self.send(now, outgoing);
        }
        self.let_go(id);
    }

    /// The time of what is left in an ended call's dialog has run out.
    pub(crate) fn lingering_due(&mut self, now: Instant, id: CallId) {
        while let Some(lingering) = self.lingering.get_mut(&id) {
            lingering.deadline = None;
            lingering.usages.awaited.clear();
            if lingering.usages.given.is_empty() {
                break;
            }
            // Whatever is left is said to be over, one after the other.
            self.notify_late(now, id, |usages| {
                let at = usages.given.len() - 1;
                let until = usages.given[at].until().max(now);
                let last = usages.given[at].expire(until);
                usages.given.truncate(at);
                last
            });
        }
        self.let_go(id);
    }

    /// The peer refused a report: it does not want to hear more (RFC 6665 §4.2.2).
    pub(crate) fn report_answered(&mut self, id: CallId, notify: &Request, status: StatusCode) {
        if !ends_usage(status) {
            return;
        }
        let event = EventPackage::of(notify.headers());
        let number = event.and_then(|event| event.id()?.parse::<u32>().ok());
        let call = self.calls.get_mut(&id);
        let usages = match call.and_then(|call| call.usages.as_deref_mut()) {
            Some(usages) => Some(usages),
            None => self.lingering.get_mut(&id).map(|late| &mut *late.usages),
        };
        if let Some(usages) = usages {
            usages.given.retain(|of| Some(of.id()) != number);
        }
        self.let_go(id);
    }

    /// Forgets the dialog of an ended call in which nothing more is told.
    fn let_go(&mut self, id: CallId) {
        let done = |lingering: &Lingering| lingering.usages.is_empty();
        if self.lingering.get(&id).is_some_and(done)
            && let Some(mut lingering) = self.lingering.remove(&id)
        {
            self.deadlines
                .replace(Key::Lingering(id), &mut lingering.deadline, None);
            self.by_tag.remove(&lingering.tag);
        }
    }
}

fn time_left(notify: &Request) -> Option<Duration> {
    let state = notify.headers().typed::<SubscriptionState<'_>>().ok()??;
    Some(Duration::from_secs(state.expires()?.into()))
}
