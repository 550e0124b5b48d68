//! Requests that begin something: a registration, a call, a change to a call. Each is judged first.

use std::time::Instant;

use offhook_auth::Verified;
use offhook_registrar::User;
use offhook_routing::Parameters;
use offhook_routing::location::Binding;
use offhook_sip::header::MaxForwards;
use offhook_sip::{HeaderName, Host, Method, Request, StatusCode, Uri};
use offhook_transaction::Flow;
use offhook_ua::{Guarded, IncomingCall, Knock};

use super::Server;
use crate::admission::Refusal;
use crate::bridge::Bridge;
use crate::cdr::Draft;
use crate::dial_plan::{Book, Plan, Ringing};
use crate::event::{Event, Output};
use crate::identity::Caller;
use crate::inquiries::{Errand, Purpose, Referral, RoutedCall};
use crate::moment::Moment;
use crate::overload;

/// RFC 3261 §16.3: what a request without Max-Forwards is taken to have.
const USUAL_MAX_FORWARDS: u8 = 70;

/// The number in a Request-URI or in a Refer-To.
pub(super) fn dialled(uri: &Uri) -> String {
    uri.user_decoded().unwrap_or_default().into_owned()
}

/// Max-Forwards of what follows from a request: one lower (RFC 3261 §16.6 step 3).
pub(super) fn hops_left(request: &Request) -> Result<u8, StatusCode> {
    let hops = request.headers().typed::<MaxForwards>();
    let hops = hops.map_err(|error| error.status())?;
    hops.map_or(USUAL_MAX_FORWARDS, MaxForwards::get)
        .checked_sub(1)
        .ok_or(StatusCode::TOO_MANY_HOPS)
}

/// How many calls a user may be in by his parameter; a number that is none allows none, so that it
/// is noticed.
fn calls_of_his_own(user: &User) -> Option<usize> {
    let mut parameters = user.parameters().iter();
    let (_, most) = parameters.find(|(name, _)| name == "maxcalls")?;
    Some(most.trim().parse().unwrap_or(0))
}

/// Whether a user may be in so many calls only.
pub(super) fn limits_his_calls(user: &User) -> bool {
    calls_of_his_own(user).is_some()
}

impl Server {
    /// Somebody wants to call: who is it? Nothing is kept of it until that is proved.
    pub(super) fn knock(&mut self, now: Instant, knock: Knock) {
        let at = self.clock.moment(now);
        let flow = knock.flow();
        match self
            .admission
            .prove(at, flow, knock.request(), &self.directory)
        {
            Ok(verified) => {
                if let Some(incoming) = self.ua.receive(now, knock) {
                    self.incoming_call(at, incoming, &verified);
                }
            }
            Err(refusal) => {
                self.unauthorized(now, knock.request(), flow);
                let mut response = knock.response(refusal.status());
                refusal.apply_to(&mut response);
                self.ua.dismiss(now, knock, response);
            }
        }
    }

    /// A call comes in: where does it go, who rings.
    fn incoming_call(&mut self, at: Moment, incoming: IncomingCall, verified: &Verified) {
        let (now, flow) = (at.now, incoming.flow());
        self.call_settings.found_at(flow.local.ip());
        let max_forwards = match hops_left(incoming.request()) {
            Ok(hops) => hops,
            Err(status) => return self.reject(now, incoming, status, None),
        };
        if let Some(replaced) = incoming.replaces() {
            return self.take_over(now, incoming, replaced, verified);
        }
        if self.bridges.len() >= self.max_calls {
            self.outputs
                .push_back(Output::Event(Event::LimitReached { what: "calls" }));
            let refusal = overload::later(incoming.response(StatusCode::SERVICE_UNAVAILABLE));
            return self.ua.reject(now, incoming, refusal);
        }
        let caller = Caller::of_request(
            verified.username(),
            max_forwards,
            incoming.request(),
            flow.remote.ip(),
            &self.call_settings,
        );
        let called = dialled(incoming.request().uri());
        let parameters = self.parameters(verified, incoming.request(), flow);
        let call = RoutedCall {
            caller,
            called,
            parameters,
            purpose: Purpose::Call(incoming),
        };
        self.route(at, call);
    }

    /// Asks the rules where something goes that a proven user wants.
    pub(super) fn route(&mut self, at: Moment, mut call: RoutedCall) {
        if self.call_settings.never_route.contains(&call.called) {
            let status = StatusCode::FORBIDDEN;
            return self.turn_down(at.now, call.purpose, status, None);
        }
        if self.is_engaged(&call.caller.user) && matches!(call.purpose, Purpose::Call(_)) {
            let status = StatusCode::BUSY_HERE;
            return self.turn_down(at.now, call.purpose, status, None);
        }
        let parameters = std::mem::take(&mut call.parameters);
        let book = Book {
            routes: &self.routes,
            directory: &self.directory,
        };
        let plan = book.before_users(&mut self.routing, at, parameters);
        self.follow(at, call, plan);
    }

    /// Whether a user is in as many calls as he may be.
    pub(super) fn is_engaged(&self, user: &str) -> bool {
        if !self.bridges.counts_users() {
            return false;
        }
        let own = self.directory.user(user).and_then(calls_of_his_own);
        let most = own.or(self.call_settings.calls_a_user);
        most.is_some_and(|most| self.bridges.calls_of(user) >= most)
    }

    /// What the rules may ask about a request.
    pub(super) fn parameters(
        &self,
        caller: &Verified,
        request: &Request,
        flow: Flow,
    ) -> Parameters {
        let user = caller.username();
        let parameters = Parameters::of_call(Some(user), request, flow.transport, flow.remote);
        self.with_his_own(parameters, user)
    }

    /// A user's own parameters, from his section.
    pub(super) fn with_his_own(&self, mut parameters: Parameters, user: &str) -> Parameters {
        if let Some(user) = self.directory.user(user) {
            for (name, value) in user.parameters() {
                let value = parameters.expand(value);
                parameters.set(name.clone(), value);
            }
        }
        parameters
    }

    /// Does what was decided for a call.
    fn follow(&mut self, at: Moment, mut call: RoutedCall, plan: Plan) {
        while let Some(line) = self.routing.poll_line() {
            self.outputs.push_back(Output::Event(Event::Routing(line)));
        }
        match plan {
            Plan::Ring(ringing) => self.reach(at, call, ringing),
            Plan::Users { users, parameters } => {
                call.parameters = parameters;
                self.locate(at, users, Errand::Call(Box::new(call)));
            }
            Plan::Refuse { status, reason } => {
                self.turn_down(at.now, call.purpose, status, reason.as_deref());
            }
        }
    }

    fn reach(&mut self, at: Moment, call: RoutedCall, ringing: Ringing) {
        let RoutedCall {
            caller,
            called,
            purpose,
            ..
        } = call;
        match purpose {
            Purpose::Call(incoming) => self.begin(at, incoming, caller, called, ringing),
            Purpose::Request(incoming) => self.ask_users(at, incoming, caller, ringing),
            Purpose::Transfer(Referral { report, headers }) => {
                self.on_call(at.now, report.call(), |bridge, desk| {
                    bridge.refer(desk, report, caller, ringing, headers);
                });
            }
            Purpose::Detour(turn) => self.turn_ends(at.now, &turn, Ok(ringing)),
        }
    }

    /// It does not go anywhere.
    pub(super) fn turn_down(
        &mut self,
        now: Instant,
        purpose: Purpose,
        status: StatusCode,
        reason: Option<&str>,
    ) {
        match purpose {
            Purpose::Call(incoming) => self.reject(now, incoming, status, reason),
            Purpose::Request(incoming) => {
                let response = incoming.response(status);
                self.ua.respond(now, incoming, response);
            }
            Purpose::Transfer(Referral { mut report, .. }) => {
                self.on_call(now, report.call(), |_, desk| report.tell(desk, status));
            }
            Purpose::Detour(turn) => self.turn_ends(now, &turn, Err(status)),
        }
    }

    /// It is known where the called users are.
    pub(super) fn callees_located(
        &mut self,
        at: Moment,
        mut call: RoutedCall,
        mut bindings: Vec<Binding>,
    ) {
        if !call.purpose.disturbs_nobody() && !bindings.is_empty() {
            bindings.retain(|binding| !self.is_engaged(binding.aor.as_str()));
            if bindings.is_empty() {
                let status = StatusCode::BUSY_HERE;
                return self.turn_down(at.now, call.purpose, status, None);
            }
        }
        let parameters = std::mem::take(&mut call.parameters);
        let book = Book {
            routes: &self.routes,
            directory: &self.directory,
        };
        let plan = match Ringing::of(bindings, self.edge.as_ref(), &parameters) {
            Some(ringing) => Plan::Ring(ringing),
            // Rules that come after the users may know another place (a mailbox).
            None => book.after_users(&mut self.routing, at, parameters, true),
        };
        self.follow(at, call, plan);
    }

    fn begin(
        &mut self,
        at: Moment,
        incoming: IncomingCall,
        caller: Caller,
        called: String,
        ringing: Ringing,
    ) {
        let id = self.bridges.next_id();
        let started = Event::CallStarted {
            call: id,
            caller: caller.user.clone(),
            called: called.clone(),
        };
        self.outputs.push_back(Output::Event(started));
        let mut draft = Draft::new(id, caller.user.clone(), called, at);
        let call_id = incoming.request().headers().get(HeaderName::CALL_ID);
        draft.leg(call_id.unwrap_or_default());
        let mut desk = self.desk(at.now);
        let bridge = Bridge::begin(&mut desk, incoming, caller, ringing, draft);
        self.bridges.insert(id, bridge);
        self.settle(at.now, id);
    }

    pub(super) fn reject(
        &mut self,
        now: Instant,
        incoming: IncomingCall,
        status: StatusCode,
        reason: Option<&str>,
    ) {
        let response = incoming.response(status);
        // A phrase that cannot stand in a status line is left out; the status says enough.
        let response = match reason.map(|phrase| response.clone().with_reason(phrase)) {
            Some(Ok(phrased)) => phrased,
            Some(Err(_)) | None => response,
        };
        self.ua.reject(now, incoming, response);
    }

    pub(super) fn unauthorized(&mut self, now: Instant, request: &Request, flow: Flow) {
        // A first request without credentials is the ordinary way to get a challenge.
        if request.headers().contains(HeaderName::AUTHORIZATION) {
            let method = request.method().as_str().to_owned();
            self.alarm(now, Event::Unauthorized { method, flow });
        }
    }

    /// A side without an account cannot prove itself: it is held to the address where it is.
    fn guarded_by_address(&mut self, now: Instant, guarded: Guarded) {
        let (call, source) = (guarded.call(), guarded.flow().remote.ip().to_canonical());
        let spoken_from = self.ua.flow_of(call).map(|flow| flow.remote.ip());
        let said = self.ua.target_of(call).and_then(Uri::host);
        let said = match said {
            Some(Host::Ip(ip)) => Some(ip),
            Some(Host::Domain(_)) | None => None,
        };
        let own = [spoken_from, said]
            .into_iter()
            .flatten()
            .any(|own| own.to_canonical() == source);
        if own {
            return self.ua.admit(now, guarded);
        }
        let response = guarded.response(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
        self.ua.refuse(now, guarded, response);
    }

    /// Notes a BYE without credentials that comes from the leg's own address: its phone may not
    /// know how to answer the challenge.
    fn doubt(&mut self, now: Instant, guarded: &Guarded, refusal: &Refusal) {
        let call = guarded.call();
        let own = self.ua.flow_of(call).map(|flow| flow.remote.ip());
        let is_bye = *guarded.request().method() == Method::Bye;
        if is_bye
            && matches!(refusal, Refusal::Challenge(_))
            && own == Some(guarded.flow().remote.ip())
            && let Some(id) = self.bridges.of_call(call)
        {
            self.with_bridge(now, id, |bridge, _| bridge.doubts(now, call));
        }
    }

    /// A request that would change a call: whoever owns the side that it claims must prove it.
    pub(super) fn guarded(&mut self, now: Instant, guarded: Guarded) {
        let account = self.bridges.account(guarded.call());
        // What makes a phone ring is proved in any case.
        let refers = *guarded.request().method() == Method::Refer;
        let Some(account) = account else {
            return self.guarded_by_address(now, guarded);
        };
        if !(self.challenge_in_call || refers) {
            return self.ua.admit(now, guarded);
        }
        let at = self.clock.moment(now);
        let flow = guarded.flow();
        let refusal = match self
            .admission
            .prove(at, flow, guarded.request(), &self.directory)
        {
            Ok(verified) if verified.username() == account => {
                if refers {
                    self.referrer = Some((guarded.call(), verified));
                }
                return self.ua.admit(now, guarded);
            }
            Ok(_) => Refusal::Status(StatusCode::FORBIDDEN),
            Err(refusal) => {
                self.doubt(now, &guarded, &refusal);
                refusal
            }
        };
        let mut response = guarded.response(refusal.status());
        refusal.apply_to(&mut response);
        self.ua.refuse(now, guarded, response);
    }
}
