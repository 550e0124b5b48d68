//! An honest phone: it does what its person wants, and keeps a ledger of how its calls ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::Credentials;
use offhook_sip::{HeaderName, Method, NameAddr, Request, StatusCode, Transport, Uri};
use offhook_testkit::Node;
use offhook_transaction::{Flow, Transmit};
use offhook_ua::{
    Body, CallId, Config, DialogId, Event, IncomingCall, IncomingRequest, Local, OutgoingCall,
    OutgoingRequest, Output, RegistrationConfig, RegistrationId, Reliable, Reoffer, RequestId,
    SessionTimerConfig, UserAgent,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::exchange::EXCHANGE;
use super::fate::{Ended, Fate, Role};
use super::talk::{Deed, Talk, perhaps_sharp};
use super::{description, one_of};

/// Who a phone is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Its place in the town.
    pub(crate) number: usize,
    pub(crate) user: String,
    pub(crate) at: IpAddr,
    pub(crate) transport: Transport,
}

/// A phone and its person.
pub(crate) struct Phone {
    pub(crate) ua: UserAgent,
    pub(crate) identity: Identity,
    /// Calls that are over, for the checker to take.
    pub(crate) ledger: Vec<Ended>,
    pub(super) rng: StdRng,
    start: Instant,
    todo: BTreeMap<(Instant, u64), (CallId, Deed)>,
    serial: u64,
    pub(super) talks: BTreeMap<CallId, Talk>,
    over: BTreeSet<CallId>,
    pub(super) asked: BTreeMap<RequestId, Instant>,
    login: Option<RegistrationId>,
    transmits: VecDeque<Transmit>,
}

fn configuration(identity: &Identity, rng: &mut StdRng) -> Config {
    let here = SocketAddr::new(identity.at, 5060);
    let locals = [Transport::Udp, Transport::Tcp].map(|transport| Local::new(transport, here));
    let interval = |seconds| SessionTimerConfig {
        expires: Duration::from_secs(seconds),
        min_se: Duration::from_secs(90),
    };
    Config {
        locals: locals.into(),
        reliable: one_of(
            rng,
            &[
                Reliable::Never,
                Reliable::WhenRequired,
                Reliable::WhenSupported,
            ],
        ),
        session_timer: one_of(
            rng,
            &[
                None,
                Some(interval(90)),
                Some(interval(600)),
                Some(interval(1800)),
            ],
        ),
        ..Config::default()
    }
}

fn server_uri(user: Option<&str>, transport: Transport) -> Uri {
    let user = user.map_or_else(String::new, |user| format!("{user}@"));
    let suffix = if transport == Transport::Tcp {
        ";transport=tcp"
    } else {
        ""
    };
    format!("sip:{user}{EXCHANGE}{suffix}").parse().unwrap()
}

impl Phone {
    pub(crate) fn new(start: Instant, identity: Identity, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let config = configuration(&identity, &mut rng);
        Self {
            ua: UserAgent::new(config, rng.random()),
            identity,
            ledger: Vec::new(),
            rng,
            start,
            todo: BTreeMap::new(),
            serial: 0,
            talks: BTreeMap::new(),
            over: BTreeSet::new(),
            asked: BTreeMap::new(),
            login: None,
            transmits: VecDeque::new(),
        }
    }

    fn credentials(&self) -> Credentials {
        let user = &self.identity.user;
        Credentials::new(user.clone(), format!("secret-{user}"))
    }

    fn own_name(&self) -> NameAddr {
        NameAddr::new(server_uri(Some(&self.identity.user), Transport::Udp))
    }

    pub(crate) fn log_in(&mut self, now: Instant) {
        let registrar = server_uri(None, self.identity.transport);
        let mut config = RegistrationConfig::new(registrar, self.own_name());
        config.contact_user = Some(self.identity.user.clone());
        config.credentials = Some(self.credentials());
        config.expires = Duration::from_secs(self.rng.random_range(3..6) * 3600);
        self.login = Some(self.ua.register(now, config));
    }

    pub(crate) fn log_out(&mut self, now: Instant) {
        if let Some(login) = self.login.take() {
            self.ua.unregister(now, login);
        }
    }

    /// Calls a number; all that comes of it follows from `seed`.
    pub(crate) fn dial(&mut self, now: Instant, number: &str, call_id: &str, seed: u64) {
        let rng = StdRng::seed_from_u64(seed);
        let mut talk = Talk::new(call_id.to_owned(), Role::Caller, rng, now);
        let uri = server_uri(Some(number), self.identity.transport);
        let mut outgoing = OutgoingCall::new(uri.clone(), self.own_name(), NameAddr::new(uri));
        outgoing.call_id = Some(call_id.to_owned());
        outgoing.credentials = Some(self.credentials());
        outgoing.contact_user = Some(self.identity.user.clone());
        if talk.rng.random_bool(0.9) {
            outgoing.body = Some(self.body(&mut talk));
        }
        let patience = talk.patience();
        let call = self.ua.call(now, outgoing);
        self.talks.insert(call, talk);
        self.plan(now + patience, call, Deed::HangUp);
    }

    /// A word to somebody, outside of any call.
    pub(crate) fn write_to(&mut self, now: Instant, number: &str, method: Method) {
        let uri = server_uri(Some(number), self.identity.transport);
        let to = NameAddr::new(uri.clone());
        let mut outgoing = OutgoingRequest::new(method, uri, self.own_name(), to);
        outgoing.credentials = Some(self.credentials());
        outgoing.contact_user = Some(self.identity.user.clone());
        if outgoing.method == Method::Message {
            outgoing.body = Some(Body::new("text/plain", Bytes::from_static(b"Lunch?")));
        }
        let id = self.ua.request(now, outgoing);
        self.asked.insert(id, now);
    }

    /// What one who listens in on this phone would know of one of its calls, and the phone's URI
    /// for the other side.
    pub(crate) fn overheard(&self) -> Option<DialogId> {
        let mut talking = self.talks.iter().filter(|(_, talk)| talk.talked);
        self.ua.dialog_of(*talking.next()?.0)
    }

    /// The Call-IDs of what goes on here.
    pub(crate) fn talks(&self) -> Vec<String> {
        let talks = self.talks.values();
        talks.map(|talk| talk.call_id.clone()).collect()
    }

    /// The phone has lost its power: what becomes of its calls.
    pub(crate) fn into_ledger(mut self, now: Instant) -> Vec<Ended> {
        for call in self.talks.keys().copied().collect::<Vec<_>>() {
            self.end(now, call, Fate::Lost("a restart"));
        }
        self.ledger
    }

    /// Requests that are still without an outcome, the oldest first.
    pub(crate) fn oldest_question(&self) -> Option<Instant> {
        self.asked.values().min().copied()
    }

    pub(super) fn plan(&mut self, at: Instant, call: CallId, deed: Deed) {
        self.serial += 1;
        self.todo.insert((at, self.serial), (call, deed));
    }

    pub(super) fn body(&self, talk: &mut Talk) -> Body {
        let text = description(self.identity.at, talk.version, talk.direction);
        talk.version += 1;
        Body::sdp(text)
    }

    /// The answer to an offer, or an offer where there is none.
    pub(super) fn reply(&mut self, call: CallId, offer: Option<Body>) -> Option<Body> {
        let mut talk = self.talks.remove(&call)?;
        let says = |direction: &str| {
            let line = format!("a={direction}");
            let offer = offer.as_ref().map(|offer| offer.bytes.clone());
            offer.is_some_and(|text| String::from_utf8_lossy(&text).contains(&line))
        };
        talk.direction = match talk.direction {
            _ if says("inactive") => "inactive",
            _ if says("sendonly") => "recvonly",
            _ if says("recvonly") => "sendonly",
            kept => kept,
        };
        let body = self.body(&mut talk);
        self.talks.insert(call, talk);
        Some(body)
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Transmit(transmit) => self.transmits.push_back(transmit),
                Output::Resolve(question) => {
                    let nothing = question.answer(Ok(Vec::new()));
                    self.ua.handle_dns_answer(now, nothing);
                }
                Output::Event(event) => self.hear(now, event),
            }
        }
    }

    fn hear(&mut self, now: Instant, event: Event) {
        match event {
            Event::IncomingCall(incoming) => self.rung(now, incoming),
            Event::Progress {
                call,
                response,
                awaits_answer,
            }
            | Event::ReofferAnswered {
                call,
                response,
                awaits_answer,
            } => self.owe(now, call, awaits_answer, Body::of_response(&response)),
            Event::Answered {
                call,
                response,
                awaits_answer,
            } => {
                self.owe(now, call, awaits_answer, Body::of_response(&response));
                self.converse(now, call);
            }
            Event::Confirmed { call, .. } => self.converse(now, call),
            Event::Reoffer(reoffer) => self.judge(now, reoffer),
            Event::InCallRequest { request, .. } | Event::IncomingRequest(request) => {
                self.respond(now, request);
            }
            Event::Response { request, .. } | Event::RequestFailed { request, .. } => {
                let asked = self.asked.remove(&request);
                assert!(asked.is_some(), "{request} has two outcomes");
            }
            Event::Ended { call, cause } => self.end(now, call, Fate::of(&cause)),
            _ => {}
        }
    }

    fn rung(&mut self, now: Instant, incoming: IncomingCall) {
        let call = incoming.id();
        let call_id = call_id_of(incoming.request());
        let rng = StdRng::from_seed(self.rng.random());
        let mut talk = Talk::new(call_id, Role::Callee, rng, now);
        talk.incoming = Some(incoming);
        let start = self.start;
        for (after, deed) in talk.reception() {
            let at = perhaps_sharp(&mut talk.rng, start, now + after);
            self.plan(at, call, deed);
        }
        self.talks.insert(call, talk);
    }

    fn owe(&mut self, now: Instant, call: CallId, awaits_answer: bool, offer: Option<Body>) {
        if awaits_answer {
            let answer = self.reply(call, offer);
            self.ua.acknowledge(now, call, answer);
        }
    }

    pub(super) fn converse(&mut self, now: Instant, call: CallId) {
        let start = self.start;
        let Some(talk) = self.talks.get_mut(&call) else {
            return;
        };
        talk.talked = true;
        if talk.role == Role::Caller {
            // The patience of one who is answered does not end.
            self.todo.retain(|_, (of, _)| *of != call);
        }
        let deeds = talk.conversation();
        for (after, deed) in deeds {
            let Some(talk) = self.talks.get_mut(&call) else {
                return;
            };
            let at = perhaps_sharp(&mut talk.rng, start, now + after);
            self.plan(at, call, deed);
        }
    }

    fn judge(&mut self, now: Instant, reoffer: Reoffer) {
        if self.rng.random_bool(0.1) {
            let no = reoffer.response(StatusCode::NOT_ACCEPTABLE_HERE);
            return self.ua.reject_reoffer(now, reoffer, no);
        }
        let offer = Body::of_request(reoffer.request());
        // An UPDATE without a description only keeps the session alive (RFC 4028 §7.4).
        let bare = offer.is_none() && *reoffer.request().method() == Method::Update;
        let answer = self.reply(reoffer.call(), offer).filter(|_| !bare);
        self.ua.accept_reoffer(now, reoffer, answer);
    }

    fn respond(&mut self, now: Instant, request: IncomingRequest) {
        let status = match request.request().method() {
            Method::Info | Method::Message | Method::Options | Method::Notify => StatusCode::OK,
            _ => StatusCode::DECLINE,
        };
        let response = request.response(status);
        self.ua.respond(now, request, response);
    }

    fn end(&mut self, now: Instant, call: CallId, fate: Fate) {
        assert!(self.over.insert(call), "{call} has ended twice");
        let talk = self.talks.remove(&call).expect("what ends has begun");
        self.todo.retain(|_, (of, _)| *of != call);
        self.ledger.push(Ended {
            call_id: talk.call_id,
            phone: self.identity.number,
            role: talk.role,
            fate,
            wanted: talk.wanted,
            talked: talk.talked,
            moved: talk.moved,
            began: talk.began,
            over: now,
        });
    }
}

pub(crate) fn call_id_of(request: &Request) -> String {
    let call_id = request.headers().get(HeaderName::CALL_ID);
    call_id.unwrap_or_default().trim().to_owned()
}

impl Node for Phone {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.ua.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.ua.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ua.handle_timeout(now);
        while let Some(entry) = self.todo.first_entry().filter(|next| next.key().0 <= now) {
            let (call, deed) = entry.remove();
            self.drain(now);
            self.act(now, call, deed);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let next = self.todo.keys().next().map(|(at, _)| *at);
        next.into_iter().chain(self.ua.poll_timeout()).min()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.drain(now);
        self.transmits.pop_front()
    }
}
