//! An honest phone: it does what its person wants, and keeps a ledger of how its calls ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::{HeaderName, Headers, NameAddr, Request};
use offhook_testkit::Node;
use offhook_transaction::{Flow, Transmit};
use offhook_ua::{
    Body, CallId, DialogId, OutgoingCall, Output, RegistrationConfig, RegistrationId, RequestId,
    UserAgent,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::description;
use super::fate::{Ended, Fate, Role};
use super::identity::Identity;
use super::letters::Note;
use super::numbers::{Behind, behind};
use super::talk::{Deed, Talk};
use super::tally::Tally;

/// A phone and its person.
pub(crate) struct Phone {
    pub(crate) ua: UserAgent,
    pub(crate) identity: Identity,
    /// Calls that are over, for the checker to take.
    pub(crate) ledger: Vec<Ended>,
    pub(crate) tally: Tally,
    /// What it knows of words outside of calls, for the checker to take.
    pub(crate) letters: Vec<Note>,
    /// The town's telephone book.
    pub(super) book: Rc<[Identity]>,
    pub(super) rng: StdRng,
    pub(super) start: Instant,
    pub(super) todo: BTreeMap<(Instant, u64), (CallId, Deed)>,
    pub(super) serial: u64,
    pub(super) talks: BTreeMap<CallId, Talk>,
    over: BTreeSet<CallId>,
    /// Requests without an outcome: since when, and what it is called when it is granted.
    pub(super) asked: BTreeMap<RequestId, (Instant, &'static str)>,
    /// Those of them that were letters.
    pub(super) written: BTreeMap<RequestId, String>,
    /// Transfers that were asked for, by the call in which they were.
    pub(super) transfers: BTreeMap<CallId, &'static str>,
    login: Option<RegistrationId>,
    transmits: VecDeque<Transmit>,
}

impl Phone {
    /// The phone that has this place in the book.
    pub(crate) fn new(start: Instant, number: usize, book: Rc<[Identity]>, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let identity = book[number].clone();
        let config = identity.configuration(&mut rng);
        Self {
            ua: UserAgent::new(config, rng.random()),
            identity,
            ledger: Vec::new(),
            tally: Tally::default(),
            letters: Vec::new(),
            book,
            rng,
            start,
            todo: BTreeMap::new(),
            serial: 0,
            talks: BTreeMap::new(),
            over: BTreeSet::new(),
            asked: BTreeMap::new(),
            written: BTreeMap::new(),
            transfers: BTreeMap::new(),
            login: None,
            transmits: VecDeque::new(),
        }
    }

    pub(crate) fn log_in(&mut self, now: Instant) {
        let identity = &self.identity;
        let mut config = RegistrationConfig::new(identity.server(None), identity.name());
        config.contact_user = Some(identity.user.clone());
        config.credentials = Some(identity.credentials());
        let hours = if identity.dead {
            6
        } else {
            self.rng.random_range(3..6)
        };
        config.expires = Duration::from_secs(hours * 3600);
        self.login = Some(self.ua.register(now, config));
    }

    /// Logs in once more, because the network was away.
    pub(crate) fn log_in_again(&mut self, now: Instant) {
        match self.login {
            Some(login) => self.ua.refresh(now, login),
            None => self.log_in(now),
        }
    }

    pub(crate) fn log_out(&mut self, now: Instant) {
        if let Some(login) = self.login.take() {
            self.ua.unregister(now, login);
        }
    }

    /// Calls a number; all that comes of it follows from `seed`.
    pub(crate) fn dial(&mut self, now: Instant, number: &str, call_id: &str, seed: u64) -> CallId {
        self.dial_with(now, number, call_id, seed, Headers::new())
    }

    pub(super) fn dial_with(
        &mut self,
        now: Instant,
        number: &str,
        call_id: &str,
        seed: u64,
        mut headers: Headers,
    ) -> CallId {
        let rng = StdRng::seed_from_u64(seed);
        let mut talk = Talk::new(call_id.to_owned(), Role::Caller, rng, now);
        // RFC 3262 §4: every ringing is to be acknowledged.
        if talk.rng.random_bool(0.1) {
            headers.append("Require", "100rel").unwrap();
        }
        talk.served = behind(number) == Behind::Service;
        let uri = self.identity.server(Some(number));
        let to = NameAddr::new(uri.clone());
        let mut outgoing = OutgoingCall::new(uri, self.identity.name(), to);
        outgoing.call_id = Some(call_id.to_owned());
        outgoing.credentials = Some(self.identity.credentials());
        outgoing.contact_user = Some(self.identity.user.clone());
        outgoing.headers = headers;
        if talk.rng.random_bool(0.9) {
            outgoing.body = Some(self.body(&mut talk));
        }
        let patience = talk.patience();
        let call = self.ua.call(now, outgoing);
        self.talks.insert(call, talk);
        self.plan(now + patience, call, Deed::HangUp);
        call
    }

    /// What one who listens in on this phone would know of one of its calls.
    pub(crate) fn overheard(&self) -> Option<DialogId> {
        let own = |talk: &Talk| talk.talked && !talk.direct;
        let mut talking = self.talks.iter().filter(|(_, talk)| own(talk));
        self.ua.dialog_of(*talking.next()?.0)
    }

    /// Whether somebody is talking here.
    pub(crate) fn is_talking(&self) -> bool {
        self.talks.values().any(|talk| talk.talked)
    }

    /// The Call-IDs of what goes on here.
    pub(crate) fn talks(&self) -> Vec<String> {
        let talks = self.talks.values();
        talks.map(|talk| talk.call_id.clone()).collect()
    }

    /// The phone has lost its power: what becomes of its calls.
    pub(crate) fn lose_power(&mut self, now: Instant) {
        if self.is_talking() {
            self.tally.note("a phone lost its power in a call");
        }
        for call in self.talks.keys().copied().collect::<Vec<_>>() {
            self.end(now, call, Fate::Lost("a restart"));
        }
    }

    /// Requests that are still without an outcome, the oldest first.
    pub(crate) fn oldest_question(&self) -> Option<Instant> {
        self.asked.values().map(|(since, _)| *since).min()
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
                Output::Transmit(transmit) => {
                    self.count_said(&transmit.payload);
                    self.transmits.push_back(transmit);
                }
                Output::Resolve(question) => {
                    let nothing = question.answer(Ok(Vec::new()));
                    self.ua.handle_dns_answer(now, nothing);
                }
                Output::Event(event) => self.hear(now, event),
            }
        }
    }

    fn count_said(&mut self, payload: &[u8]) {
        if payload.starts_with(b"PRACK ") {
            self.tally.note("PRACK by the caller");
        } else if payload.starts_with(b"UPDATE ") && payload.ends_with(b"\r\n\r\n") {
            self.tally.note("the session was kept alive");
        }
    }

    pub(super) fn end(&mut self, now: Instant, call: CallId, fate: Fate) {
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
            sent_on: talk.sent_on,
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
        if payload.starts_with(b"SIP/2.0 491") {
            self.tally.note("491");
        } else if payload.starts_with(b"PRACK ") {
            self.tally.note("PRACK by the exchange");
        }
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
