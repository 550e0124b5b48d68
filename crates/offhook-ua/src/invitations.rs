//! INVITEs that ask for a call (RFC 3261 §13.3), before and when a call is made of them.

use std::sync::Arc;
use std::time::Instant;

use offhook_dialog::{CallId, Context, InviteSession};
use offhook_sip::{HeaderName, Request, Response, StatusCode};
use offhook_transaction::{Flow, ServerTransactionId};

use crate::call::Call;
use crate::compose::{self, MethodSet};
use crate::event::Event;
use crate::incoming::{IncomingCall, Knock};
use crate::user_agent::UserAgent;

impl UserAgent {
    /// An INVITE without a To tag.
    pub(crate) fn invited(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        request: Arc<Request>,
        flow: Flow,
    ) {
        let replaces = match self.acceptable(&request) {
            Ok(replaces) => replaces,
            Err(response) => return self.send_response_once(transaction, *response),
        };
        let knock = Knock {
            transaction,
            request,
            flow,
            replaces,
        };
        if self.config.screen {
            self.event(Event::Knock(knock));
        } else if let Some(incoming) = self.open(now, knock) {
            self.event(Event::IncomingCall(incoming));
        }
    }

    /// Makes a call of an INVITE that was looked at. `None`: it has its answer, such as 487 since its
    /// caller has cancelled it meanwhile.
    pub fn receive(&mut self, now: Instant, knock: Knock) -> Option<IncomingCall> {
        if !self.layer.awaits_final(knock.transaction) {
            return None;
        }
        let incoming = self.open(now, knock);
        self.settle(now);
        incoming
    }

    /// Refuses the call of somebody who has not proved who he is: the response is sent once and
    /// nothing is kept of it, so that strangers take no room and a false source address gets
    /// no resends (RFC 3261 §8.2.7, §26.3.2.4). A repeat of the INVITE comes as a new one.
    pub fn dismiss(&mut self, now: Instant, knock: Knock, response: Response) {
        self.send_response_once(knock.transaction, response);
        self.settle(now);
    }

    fn open(&mut self, now: Instant, knock: Knock) -> Option<IncomingCall> {
        let Knock {
            transaction,
            request,
            flow,
            replaces,
        } = knock;
        let tag = self.layer.local_tag(transaction);
        let mut cx = Context {
            now,
            timers: &self.config.timers,
            config: &self.sessions,
            rng: &mut self.rng,
            steps: &mut self.scratch,
        };
        let session = match InviteSession::called(&mut cx, transaction, &request, &tag) {
            Ok(session) => session,
            Err(error) => {
                let response = request.response(error.status());
                self.send_response_once(transaction, response);
                return None;
            }
        };
        let id = CallId(self.number());
        let mut call = Call::new(session, tag);
        call.flow = Some(flow);
        call.contact_user = request.uri().user().map(Into::into);
        call.auth = self.credentials_for(&flow, request.uri().user());
        call.secure = compose::wants_security(&request);
        call.replaces = replaces;
        call.peer_allows = MethodSet::told(request.headers()).unwrap_or_default();
        self.by_tag.insert(tag, id);
        self.calls.insert(id, Box::new(call));
        self.invited.insert(transaction, id);
        // The invitation may expire.
        self.with_session(now, id, |_, _| ());
        Some(IncomingCall {
            call: id,
            request,
            flow,
            replaces,
        })
    }

    /// The call whose place it is to take, if any; or the response to what asks for too much.
    fn acceptable(&mut self, request: &Request) -> Result<Option<CallId>, Box<Response>> {
        if self.calls.len() >= self.config.limits.calls {
            self.event(Event::LimitReached { what: "calls" });
            let mut response = request.response(StatusCode::SERVICE_UNAVAILABLE);
            let wait = self.config.limits.retry_after.to_string();
            compose::set(response.headers_mut(), HeaderName::RETRY_AFTER, &wait);
            return Err(Box::new(response));
        }
        let replaces = self
            .replaced(request)
            .map_err(|status| Box::new(request.response(status)))?;
        if let Some(timer) = self.config.session_timer
            && let Err(short) = timer.decide(request.headers())
        {
            let mut response = request.response(StatusCode::SESSION_INTERVAL_TOO_SMALL);
            let least = short.min_se.as_secs().to_string();
            compose::set(response.headers_mut(), HeaderName::MIN_SE, &least);
            return Err(Box::new(response));
        }
        // §8.1.1.8: without a Contact a dialog would lead nowhere.
        if !request.headers().contains(HeaderName::CONTACT) {
            return Err(Box::new(request.response(StatusCode::BAD_REQUEST)));
        }
        Ok(replaces)
    }
}
