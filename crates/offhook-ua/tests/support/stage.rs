//! One user agent, whose peer says what the test writes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_routing::next_hop::{Record, RecordKind};
use offhook_sip::{Headers, Message, Method, Request, Response, StatusCode};
use offhook_testkit::{Conditions, Network, Node, NodeId};
use offhook_transaction::{Flow, Transmit};
use offhook_ua::{CallId, Config, EndCause, Event, IncomingRequest, OutgoingCall};

use super::message::{ALICE, ANSWER, BOB, answer, to_bob, unasked};
use super::phone::{Phone, add, config};

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
        let mut outgoing = to_bob();
        change(&mut outgoing);
        let call = self
            .net
            .act(self.alice, |alice, now| alice.ua.call(now, outgoing));
        self.fly();
        call
    }

    /// What the peer does with an INVITE that it takes: the ACK of its 200.
    pub fn pick_up(&mut self, invite: &Request) -> Request {
        self.say(answer(invite, 200, "b", Some(ANSWER)));
        self.hear_request(&Method::Ack)
    }

    /// A call of Alice's up to the ACK, and its INVITE.
    pub fn answered(&mut self) -> (CallId, Request) {
        let call = self.call(|_| {});
        let invite = self.hear_request(&Method::Invite);
        let _ = self.pick_up(&invite);
        assert!(matches!(self.event(), Event::Answered { .. }));
        (call, invite)
    }

    /// Alice hangs up and the peer agrees: her BYE.
    pub fn part(&mut self, call: CallId) -> Request {
        self.hang_up(call);
        let bye = self.hear_request(&Method::Bye);
        self.say(answer(&bye, 200, "b", None));
        bye
    }

    pub fn hang_up(&mut self, call: CallId) {
        self.net.act(self.alice, |alice, now| {
            alice.ua.hang_up(now, call, Headers::new());
        });
        self.fly();
    }

    pub fn respond(&mut self, incoming: IncomingRequest, status: StatusCode) {
        let response = incoming.response(status);
        self.net.act(self.alice, |alice, now| {
            alice.ua.respond(now, incoming, response);
        });
        self.fly();
    }

    /// Answers what Alice has asked of DNS, until she asks no more.
    pub fn resolve(&mut self, mut records: impl FnMut(&str, RecordKind) -> Vec<Record>) {
        for _ in 0..12 {
            for question in std::mem::take(&mut self.net.node_mut(self.alice).questions) {
                let found = records(&question.name, question.kind);
                let answer = question.answer(Ok(found));
                self.net.act(self.alice, |alice, now| {
                    alice.ua.handle_dns_answer(now, answer);
                });
            }
        }
        self.fly();
    }

    /// Asks something from outside of any dialog, as [`unasked`] writes it.
    pub fn ask(&mut self, number: u32, method: &str, extra: &str, body: &str) {
        self.say_raw(5060, unasked(number, method, extra, body));
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

    pub fn ended(&mut self) -> EndCause {
        match self.event() {
            Event::Ended { cause, .. } => cause,
            other => panic!("the end was expected, not {other:?}"),
        }
    }

    /// The end of a call that the peer has refused: how.
    pub fn refused(&mut self) -> u16 {
        match self.ended() {
            EndCause::Rejected { response } => response.status().get(),
            other => panic!("a refusal was expected, not {other:?}"),
        }
    }

    pub fn nothing_left(&mut self) {
        self.net.run_for(Duration::from_secs(200));
        let counts = self.net.node(self.alice).ua.counts();
        assert!(counts.is_empty(), "left over: {counts:?}");
        assert_eq!(self.net.node(self.alice).ua.poll_timeout(), None);
    }
}
