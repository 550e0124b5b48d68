//! Two user agents and a raw peer on a virtual network.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]
#![allow(clippy::unnecessary_wraps, reason = "as the verbs want it")]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::{
    HeaderName, Headers, Message, Method, NameAddr, Request, Response, StatusCode, Transport, Uri,
};
use offhook_testkit::{Conditions, Network, Node, NodeId};
use offhook_transaction::{Flow, Transmit};
use offhook_ua::{
    Body, CallId, Config, Destination, EndCause, Event, IncomingCall, IncomingRequest, Local,
    OutgoingCall, Output, UserAgent,
};

pub const ALICE: &str = "10.0.0.1";
pub const BOB: &str = "10.0.0.2";
pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n";

pub fn sdp(text: &'static str) -> Option<Body> {
    Some(Body::sdp(Bytes::from_static(text.as_bytes())))
}

pub fn uri(text: &str) -> Uri {
    text.parse().expect("a URI")
}

pub fn address(text: &str) -> NameAddr {
    NameAddr::new(uri(text))
}

/// A user agent whose events wait for the test.
pub struct Phone {
    pub ua: UserAgent,
    pub events: VecDeque<Event>,
    pub questions: Vec<offhook_routing::next_hop::DnsQuestion>,
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
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ua.poll_timeout()
    }

    fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Transmit(transmit) => return Some(transmit),
                Output::Resolve(question) => self.questions.push(question),
                Output::Event(event) => self.events.push_back(event),
            }
        }
        None
    }
}

pub fn config(address: &str) -> Config {
    let bound = SocketAddr::new(address.parse().expect("an address"), 5060);
    Config {
        locals: vec![
            Local::new(Transport::Udp, bound),
            Local::new(Transport::Tcp, bound),
        ],
        session_timer: None,
        ..Config::default()
    }
}

pub struct World {
    pub net: Network,
    pub alice: NodeId<Phone>,
    pub bob: NodeId<Phone>,
}

impl World {
    pub fn new() -> Self {
        Self::with(config(ALICE), config(BOB))
    }

    pub fn with(alice: Config, bob: Config) -> Self {
        let mut net = Network::new(7, Conditions::perfect());
        let alice = add(&mut net, ALICE, alice);
        let bob = add(&mut net, BOB, bob);
        Self { net, alice, bob }
    }

    /// Alice calls Bob with an offer.
    pub fn call(&mut self) -> CallId {
        self.call_with(|_| {})
    }

    pub fn call_with(&mut self, change: impl FnOnce(&mut OutgoingCall)) -> CallId {
        let mut outgoing = OutgoingCall::new(
            uri("sip:bob@10.0.0.2"),
            address("sip:alice@10.0.0.1"),
            address("sip:bob@10.0.0.2"),
        );
        outgoing.body = sdp(OFFER);
        change(&mut outgoing);
        self.net
            .act(self.alice, |alice, now| alice.ua.call(now, outgoing))
    }

    /// Lets packets fly; timers beyond a second stay where they are.
    pub fn fly(&mut self) {
        self.net.run_for(Duration::from_millis(100));
    }

    pub fn sleep(&mut self, seconds: u64) {
        self.net.run_for(Duration::from_secs(seconds));
    }

    pub fn event(&mut self, of: NodeId<Phone>) -> Event {
        self.net
            .node_mut(of)
            .events
            .pop_front()
            .expect("an event was expected")
    }

    pub fn events(&mut self, of: NodeId<Phone>) -> Vec<Event> {
        self.net.node_mut(of).events.drain(..).collect()
    }

    pub fn no_event(&mut self, of: NodeId<Phone>) {
        let events = &self.net.node(of).events;
        assert!(events.is_empty(), "no event was expected: {events:?}");
    }

    pub fn incoming(&mut self, of: NodeId<Phone>) -> IncomingCall {
        match self.event(of) {
            Event::IncomingCall(incoming) => incoming,
            other => panic!("an incoming call was expected, not {other:?}"),
        }
    }

    pub fn ended(&mut self, of: NodeId<Phone>, call: CallId) -> EndCause {
        match self.event(of) {
            Event::Ended { call: ended, cause } if ended == call => cause,
            other => panic!("the end of {call} was expected, not {other:?}"),
        }
    }

    pub fn accept(&mut self, of: NodeId<Phone>, incoming: IncomingCall, body: Option<Body>) {
        self.net.act(of, |phone, now| {
            phone.ua.accept(now, incoming, body, Headers::new());
        });
    }

    pub fn hang_up(&mut self, of: NodeId<Phone>, call: CallId) {
        self.net
            .act(of, |phone, now| phone.ua.hang_up(now, call, Headers::new()));
    }

    pub fn respond(&mut self, of: NodeId<Phone>, incoming: IncomingRequest, status: StatusCode) {
        let response = incoming.response(status);
        self.net
            .act(of, |phone, now| phone.ua.respond(now, incoming, response));
    }

    /// A whole call up to the ACK: the numbers at both ends.
    pub fn established(&mut self) -> (CallId, CallId) {
        let out = self.call();
        self.fly();
        let incoming = self.incoming(self.bob);
        let into = incoming.id();
        self.accept(self.bob, incoming, sdp(ANSWER));
        self.fly();
        assert!(matches!(self.event(self.alice), Event::Answered { .. }));
        assert!(matches!(self.event(self.bob), Event::Confirmed { .. }));
        (out, into)
    }

    /// First lines of what was sent, in order, as `A INVITE`, `B 200 INVITE`.
    pub fn wire(&self) -> Vec<String> {
        self.net
            .sightings()
            .iter()
            .map(|seen| {
                let who = if seen.from.ip() == ALICE.parse::<IpAddr>().expect("an address") {
                    "A"
                } else {
                    "B"
                };
                format!("{who} {}", short(&seen.payload))
            })
            .collect()
    }

    /// The messages that were sent, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.net
            .sightings()
            .iter()
            .filter_map(|seen| offhook_sip::parse_datagram(seen.payload.clone()).ok())
            .collect()
    }

    /// After all timers: nothing is left over anywhere.
    pub fn nothing_left(&mut self) {
        self.sleep(200);
        for node in [self.alice, self.bob] {
            let counts = self.net.node(node).ua.counts();
            assert!(counts.is_empty(), "left over: {counts:?}");
            assert_eq!(self.net.node(node).ua.poll_timeout(), None);
        }
    }
}

pub fn add(net: &mut Network, at: &str, config: Config) -> NodeId<Phone> {
    let seed = net.seed32();
    let phone = Phone {
        ua: UserAgent::new(config, seed),
        events: VecDeque::new(),
        questions: Vec::new(),
    };
    net.add(at.parse().expect("an address"), phone)
}

pub fn short(payload: &Bytes) -> String {
    match offhook_sip::parse_datagram(payload.clone()) {
        Ok(Message::Request(request)) => request.method().as_str().to_owned(),
        Ok(Message::Response(response)) => {
            let cseq = header(response.headers(), HeaderName::CSEQ).to_owned();
            let method = cseq.split(' ').next_back().unwrap_or_default().to_owned();
            format!("{} {method}", response.status())
        }
        Err(_) => "?".to_owned(),
    }
}

pub fn header<'a>(headers: &'a Headers, name: HeaderName<'_>) -> &'a str {
    headers.get(name).unwrap_or_default()
}

pub fn requests(messages: &[Message], method: &Method) -> Vec<Request> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Request(request) if request.method() == method => Some(request.clone()),
            _ => None,
        })
        .collect()
}

/// A peer that says what the test writes and keeps what it hears.
pub struct Script {
    pub heard: VecDeque<(Flow, Message)>,
    pub say: VecDeque<Transmit>,
}

impl Node for Script {
    fn handle_packet(&mut self, _now: Instant, flow: Flow, payload: Bytes) {
        if let Ok(message) = offhook_sip::parse_datagram(payload) {
            self.heard.push_back((flow, message));
        }
    }

    fn handle_transport_error(&mut self, _now: Instant, _flow: Flow) {}

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_transmit(&mut self, _now: Instant) -> Option<Transmit> {
        self.say.pop_front()
    }
}

/// Alice, whose peer is played by the test.
pub struct Stage {
    pub net: Network,
    pub alice: NodeId<Phone>,
    pub peer: NodeId<Script>,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(config(ALICE))
    }

    pub fn with(config: Config) -> Self {
        let mut net = Network::new(11, Conditions::perfect());
        let alice = add(&mut net, ALICE, config);
        let peer = net.add(
            BOB.parse().expect("an address"),
            Script {
                heard: VecDeque::new(),
                say: VecDeque::new(),
            },
        );
        Self { net, alice, peer }
    }

    pub fn fly(&mut self) {
        self.net.run_for(Duration::from_millis(20));
    }

    pub fn sleep(&mut self, milliseconds: u64) {
        self.net.run_for(Duration::from_millis(milliseconds));
    }

    pub fn call(&mut self, change: impl FnOnce(&mut OutgoingCall)) -> CallId {
        let mut outgoing = OutgoingCall::new(
            uri("sip:bob@10.0.0.2"),
            address("sip:alice@10.0.0.1"),
            address("sip:bob@10.0.0.2"),
        );
        outgoing.body = sdp(OFFER);
        change(&mut outgoing);
        let call = self
            .net
            .act(self.alice, |alice, now| alice.ua.call(now, outgoing));
        self.fly();
        call
    }

    pub fn hang_up(&mut self, call: CallId) {
        self.net.act(self.alice, |alice, now| {
            alice.ua.hang_up(now, call, Headers::new());
        });
        self.fly();
    }

    /// Says something from the peer's port 5060.
    pub fn say(&mut self, message: impl Into<Message>) {
        self.say_from(5060, message);
    }

    pub fn say_from(&mut self, port: u16, message: impl Into<Message>) {
        let payload = match message.into() {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        };
        self.say_raw(port, payload);
    }

    pub fn say_raw(&mut self, port: u16, payload: Bytes) {
        let local = SocketAddr::new(BOB.parse().expect("an address"), port);
        let remote = SocketAddr::new(ALICE.parse().expect("an address"), 5060);
        self.net.act(self.peer, |peer, _| {
            peer.say.push_back(Transmit {
                flow: Flow::udp(local, remote),
                payload,
            });
        });
        self.fly();
    }

    pub fn hear(&mut self) -> Message {
        self.net
            .node_mut(self.peer)
            .heard
            .pop_front()
            .expect("the peer expected a message")
            .1
    }

    pub fn hear_request(&mut self, method: &Method) -> Request {
        match self.hear() {
            Message::Request(request) if request.method() == method => request,
            other => panic!("{method} was expected, not {other:?}"),
        }
    }

    pub fn hear_response(&mut self, status: u16) -> Response {
        match self.hear() {
            Message::Response(response) if response.status().get() == status => response,
            other => panic!("{status} was expected, not {other:?}"),
        }
    }

    pub fn silence(&mut self) {
        let heard = &self.net.node(self.peer).heard;
        assert!(heard.is_empty(), "silence was expected: {heard:?}");
    }

    pub fn forget(&mut self) {
        self.net.node_mut(self.peer).heard.clear();
    }

    pub fn event(&mut self) -> Event {
        self.net
            .node_mut(self.alice)
            .events
            .pop_front()
            .expect("an event was expected")
    }

    pub fn no_event(&mut self) {
        let events = &self.net.node(self.alice).events;
        assert!(events.is_empty(), "no event was expected: {events:?}");
    }

    pub fn nothing_left(&mut self) {
        self.net.run_for(Duration::from_secs(200));
        let counts = self.net.node(self.alice).ua.counts();
        assert!(counts.is_empty(), "left over: {counts:?}");
        assert_eq!(self.net.node(self.alice).ua.poll_timeout(), None);
    }
}

/// A response as a peer with this tag and Contact gives it.
pub fn answer(request: &Request, status: u16, tag: &str, body: Option<&'static str>) -> Response {
    let mut response = request.response(StatusCode::new(status).expect("a status"));
    let to = header(request.headers(), HeaderName::TO).to_owned();
    let headers = response.headers_mut();
    if status > 100 {
        let tagged = if to.contains(";tag=") {
            to
        } else {
            format!("{to};tag={tag}")
        };
        headers.set(HeaderName::TO, &tagged).expect("a To");
    }
    headers
        .set(HeaderName::CONTACT, "<sip:bob@10.0.0.2:5060>")
        .expect("a Contact");
    if let Some(body) = body {
        response
            .set_body("application/sdp", Bytes::from_static(body.as_bytes()))
            .expect("a body");
    }
    response
}

/// A request of the peer within the dialog that `invite` (of Alice) and the tag made.
pub fn within(invite: &Request, tag: &str, method: &Method, cseq: u32) -> Request {
    let contact = header(invite.headers(), HeaderName::CONTACT);
    let target = contact.trim_matches(['<', '>']);
    let mut request = Request::new(method.clone(), uri(target));
    let to = header(invite.headers(), HeaderName::TO).to_owned();
    let headers = request.headers_mut();
    let mut put = |name: HeaderName<'static>, value: &str| {
        headers.append(name, value).expect("a header");
    };
    let call_id = header(invite.headers(), HeaderName::CALL_ID);
    put(
        HeaderName::VIA,
        &format!("SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{method}{cseq}{call_id};rport"),
    );
    put(HeaderName::MAX_FORWARDS, "70");
    put(HeaderName::FROM, &format!("{to};tag={tag}"));
    put(HeaderName::TO, header(invite.headers(), HeaderName::FROM));
    put(
        HeaderName::CALL_ID,
        header(invite.headers(), HeaderName::CALL_ID),
    );
    put(HeaderName::CSEQ, &format!("{cseq} {method}"));
    put(HeaderName::CONTACT, "<sip:bob@10.0.0.2:5060>");
    put(HeaderName::CONTENT_LENGTH, "0");
    request
}

pub fn flow_to(port: u16) -> Destination {
    let local = SocketAddr::new(ALICE.parse().expect("an address"), 5060);
    let remote = SocketAddr::new(BOB.parse().expect("an address"), port);
    Destination::Flow(Flow::udp(local, remote))
}
