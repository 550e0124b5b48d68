//! The calls: what the application wants of them.

use std::time::Instant;

use offhook_auth::ClientAuth;
use offhook_dialog::{
    Body, CallId, Context, DialogId, EndCause, Failure, InviteSession, Purpose, RequestId,
};
use offhook_sip::{HeaderName, Headers, Method, Response, StatusCode, Uri};
use offhook_transaction::{Flow, Token};
use rand::RngExt;

use crate::call::Call;
use crate::compose::{self, Draft};
use crate::deadlines::Key;
use crate::event::Event;
use crate::exchange::{Outgoing, Owner, Undelivered};
use crate::incoming::{Guarded, IncomingCall, IncomingRequest, Reoffer};
use crate::outgoing::OutgoingCall;
use crate::user_agent::UserAgent;

impl UserAgent {
    /// Calls somebody. Every call ends with exactly one [`Event::Ended`], this one too if a limit
    /// forbids it.
    pub fn call(&mut self, now: Instant, outgoing: OutgoingCall) -> CallId {
        let id = CallId(self.number());
        if self.calls.len() >= self.config.limits.calls {
            self.event(Event::LimitReached { what: "calls" });
            self.event(Event::Ended {
                call: id,
                cause: EndCause::LimitReached,
            });
            return id;
        }
        let tag = self.layer.tokens().tag();
        let call_id = outgoing
            .call_id
            .unwrap_or_else(|| self.layer.tokens().call_id());
        let offered = outgoing.body.is_some();
        let mut request = compose::request(&Draft {
            method: &Method::Invite,
            request_uri: &outgoing.request_uri,
            from: &outgoing.from,
            to: &outgoing.to,
            tag: &tag,
            call_id: &call_id,
            cseq: self.rng.random_range(1..0x4000_0000),
            max_forwards: outgoing.max_forwards,
            route: &outgoing.route,
            headers: &outgoing.headers,
            body: outgoing.body.as_ref(),
        });
        if let Some(timer) = self.config.session_timer {
            timer.propose(request.headers_mut(), None);
        }
        let mut call = Call::new(InviteSession::calling(offered), tag);
        call.pinned = outgoing.pin_flow;
        call.only = outgoing.only;
        call.secure = compose::is_secure(&request);
        call.contact_user = outgoing.contact_user.map(Into::into);
        call.auth = outgoing
            .credentials
            .map(|credentials| Box::new(ClientAuth::new(credentials, self.rng.random())));
        self.by_tag.insert(tag, id);
        self.calls.insert(id, Box::new(call));
        let owner = Owner::Call {
            call: id,
            purpose: Purpose::Invite,
        };
        let mut sent = Outgoing::new(owner, request, outgoing.destination);
        sent.avoid = outgoing.avoid.into();
        self.send(now, sent);
        self.settle(now);
        id
    }

    /// Sends a provisional response (101 to 199) made by [`IncomingCall::response`]; the user agent
    /// adds the tag, Contact, and RSeq where the response is to be reliable.
    pub fn ring(&mut self, now: Instant, incoming: &IncomingCall, response: Response) {
        self.with_session(now, incoming.call, |session, cx| session.ring(cx, response));
        self.settle(now);
    }

    /// Answers a call with 200. The call it replaces, if any, ends.
    pub fn accept(
        &mut self,
        now: Instant,
        incoming: IncomingCall,
        body: Option<Body>,
        headers: Headers,
    ) {
        self.with_session(now, incoming.call, |session, cx| {
            session.accept(cx, body.as_ref(), &headers);
        });
        let taken = self
            .calls
            .get_mut(&incoming.call)
            .and_then(|call| call.replaces.take());
        if let Some(replaced) = taken {
            let cause = EndCause::Replaced { by: incoming.call };
            self.end(now, replaced, Headers::new(), cause);
        }
        self.settle(now);
    }

    /// Refuses a call, 300 to 699, with a response made by [`IncomingCall::response`].
    pub fn reject(&mut self, now: Instant, incoming: IncomingCall, response: Response) {
        self.with_session(now, incoming.call, |session, cx| {
            session.reject(cx, response);
        });
        self.settle(now);
    }

    /// Answers an offer that came in a 2xx or in a reliable provisional response: where an event
    /// said `awaits_answer`.
    pub fn acknowledge(&mut self, now: Instant, call: CallId, body: Option<Body>) {
        self.with_session(now, call, |session, cx| {
            session.acknowledge(cx, body.as_ref());
        });
        self.settle(now);
    }

    /// Ends a call the way that fits: CANCEL, BYE, or 480. `headers` may hold a Reason.
    ///
    /// [`Event::Ended`] follows when the peer has answered, or when time is up.
    pub fn hang_up(&mut self, now: Instant, call: CallId, headers: Headers) {
        self.end(now, call, headers, EndCause::LocalHangUp);
        self.settle(now);
    }

    fn end(&mut self, now: Instant, id: CallId, headers: Headers, cause: EndCause) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.hung_up = true;
        let waiting = self.resolving.withdraw(id);
        self.with_session(now, id, |session, cx| session.end(cx, headers, cause));
        if let Some(owner) = waiting {
            self.undelivered.push_back(Undelivered {
                owner,
                failure: Failure::CallEnded,
            });
        }
    }

    /// Sends INFO, MESSAGE, REFER, NOTIFY, OPTIONS, ... within a call. The outcome comes as
    /// [`Event::Response`] or [`Event::RequestFailed`].
    pub fn request_in_call(
        &mut self,
        now: Instant,
        call: CallId,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> RequestId {
        let id = self.next_request_id();
        let ours = matches!(
            method,
            Method::Invite
                | Method::Ack
                | Method::Bye
                | Method::Cancel
                | Method::Prack
                | Method::Update
        );
        let request = self
            .calls
            .get_mut(&call)
            .filter(|_| !ours)
            .and_then(|call| call.session.request(&method));
        match request {
            Some(mut request) => {
                compose::extend(request.headers_mut(), &headers);
                if let Some(body) = body {
                    body.put_in_request(&mut request);
                }
                let purpose = Purpose::Other(id);
                self.send_in_call(now, call, request, purpose);
            }
            None => self.event(Event::RequestFailed {
                request: id,
                failure: Failure::CallEnded,
            }),
        }
        self.settle(now);
        id
    }

    /// Asks the peer by re-INVITE to change the session; without a body, to make an offer itself.
    /// The outcome is [`Event::ReofferAnswered`] or [`Event::ReofferFailed`]. A 491 is tried again.
    pub fn reoffer(&mut self, now: Instant, call: CallId, body: Option<Body>) {
        self.change(now, call, false, body);
    }

    /// As [`Self::reoffer`], by UPDATE (RFC 3311), which works before the answer too.
    pub fn update(&mut self, now: Instant, call: CallId, body: Option<Body>) {
        self.change(now, call, true, body);
    }

    fn change(&mut self, now: Instant, call: CallId, update: bool, body: Option<Body>) {
        if self.calls.contains_key(&call) {
            self.with_session(now, call, |session, cx| session.reoffer(cx, update, body));
        } else {
            self.event(Event::ReofferFailed {
                call,
                failure: Failure::CallEnded,
            });
        }
        self.settle(now);
    }

    /// Agrees to the peer's change with 200.
    pub fn accept_reoffer(&mut self, now: Instant, reoffer: Reoffer, body: Option<Body>) {
        self.with_session(now, reoffer.call(), |session, cx| {
            session.accept_reoffer(cx, reoffer.transaction, body.as_ref());
        });
        self.settle(now);
    }

    /// Refuses the peer's change, usually with 488; the session stays as it was.
    pub fn reject_reoffer(&mut self, now: Instant, reoffer: Reoffer, response: Response) {
        self.with_session(now, reoffer.call(), |session, cx| {
            session.reject_reoffer(cx, reoffer.transaction, response);
        });
        self.settle(now);
    }

    /// Lets a request within a call do its work.
    pub fn admit(&mut self, now: Instant, guarded: Guarded) {
        let (call, flow) = (guarded.call(), guarded.flow);
        self.let_in(now, call, guarded.transaction, guarded.request, flow);
        self.settle(now);
    }

    /// Answers a request within a call, such as with 401; nothing else happens to the call.
    pub fn refuse(&mut self, now: Instant, guarded: Guarded, response: Response) {
        self.answer(now, guarded.transaction, response, &guarded.request);
        self.settle(now);
    }

    /// Answers a request; the user agent adds the tag, Server, and to a 200 for OPTIONS what we can.
    pub fn respond(&mut self, now: Instant, incoming: IncomingRequest, response: Response) {
        // RFC 4488 §4: who agrees to send no reports says so in the 2xx.
        let agreed = response.status().is_success()
            && response.headers().get(HeaderName::REFER_SUB) != Some("false");
        self.answer(now, incoming.transaction, response, &incoming.request);
        if let Some(call) = incoming.call
            && agreed
            && *incoming.request.method() == Method::Refer
        {
            self.begin_referral(now, call, &incoming.request);
        }
        self.settle(now);
    }

    /// Answers the request of somebody who has not proved who he is, once and for good: see
    /// [`Self::dismiss`].
    pub fn respond_once(
        &mut self,
        now: Instant,
        incoming: IncomingRequest,
        mut response: Response,
    ) {
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            self.abilities.tell_allow(response.headers_mut());
        }
        self.send_response_once(incoming.transaction, response);
        self.settle(now);
    }

    /// The call whose dialog has this Call-ID and these tags, as Replaces names one (RFC 3891).
    #[must_use]
    pub fn find_call(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<CallId> {
        let id = *self.by_tag.get(&Token::of(local_tag)?)?;
        let call = self.calls.get(&id)?;
        call.session
            .owns(call_id, local_tag, remote_tag)
            .then_some(id)
    }

    /// The dialog of a call; of several early ones the first.
    #[must_use]
    pub fn dialog_of(&self, call: CallId) -> Option<DialogId> {
        Some(self.calls.get(&call)?.session.dialog()?.id())
    }

    /// Where the peer said that it is reached (RFC 3261 §12.1): the Contact of its last message.
    #[must_use]
    pub fn target_of(&self, call: CallId) -> Option<&Uri> {
        let dialog = self.calls.get(&call)?.session.dialog()?;
        Some(dialog.remote_target())
    }

    /// The way the peer's messages come.
    #[must_use]
    pub fn flow_of(&self, call: CallId) -> Option<Flow> {
        self.calls.get(&call)?.flow
    }

    /// Whether the peer's Allow lists a method.
    #[must_use]
    pub fn peer_allows(&self, call: CallId, method: &Method) -> bool {
        self.calls
            .get(&call)
            .is_some_and(|call| call.peer_allows.contains(method))
    }

    /// Sends requests within the call to where its messages come from, not to the peer's Contact:
    /// the peer sits behind NAT. Calls over streams do so by themselves.
    pub fn pin_flow(&mut self, call: CallId, pinned: bool) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.pinned = pinned;
        }
    }

    /// Gives a session its turn, keeps its steps and its next deadline.
    pub(crate) fn with_session(
        &mut self,
        now: Instant,
        id: CallId,
        turn: impl FnOnce(&mut InviteSession, &mut Context<'_>),
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let mut cx = Context {
            now,
            timers: &self.config.timers,
            config: &self.sessions,
            rng: &mut self.rng,
            steps: &mut self.scratch,
        };
        turn(&mut call.session, &mut cx);
        let next = call.session.poll_timeout();
        self.deadlines
            .replace(Key::Call(id), &mut call.deadline, next);
        self.steps
            .extend(self.scratch.drain(..).map(|step| (id, step)));
    }
}
