//! Two user agents who call each other.

use std::net::IpAddr;
use std::time::Duration;

use offhook_sip::{Headers, Message, Method, StatusCode};
use offhook_testkit::{Conditions, Network, NodeId};
use offhook_ua::{
    Body, CallId, Config, EndCause, Event, IncomingCall, IncomingRequest, OutgoingCall, Reoffer,
};

use super::message::{ALICE, ANSWER, BOB, sdp, short, to_bob};
use super::phone::{Phone, add, config};

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
        let mut outgoing = to_bob();
        change(&mut outgoing);
        self.net
            .act(self.alice, |alice, now| alice.ua.call(now, outgoing))
    }

    /// Alice's call has come to Bob.
    pub fn called(&mut self) -> (CallId, IncomingCall) {
        self.called_with(|_| {})
    }

    pub fn called_with(
        &mut self,
        change: impl FnOnce(&mut OutgoingCall),
    ) -> (CallId, IncomingCall) {
        let out = self.call_with(change);
        self.fly();
        (out, self.incoming(self.bob))
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

    /// Bob's phone rings.
    pub fn ring(&mut self, incoming: &IncomingCall) {
        let ringing = incoming.response(StatusCode::RINGING);
        self.net
            .act(self.bob, |bob, now| bob.ua.ring(now, incoming, ringing));
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

    pub fn asked(&mut self, of: NodeId<Phone>) -> Reoffer {
        match self.event(of) {
            Event::Reoffer(asked) => asked,
            other => panic!("a re-offer was expected, not {other:?}"),
        }
    }

    pub fn agree(&mut self, of: NodeId<Phone>, asked: Reoffer, body: Option<Body>) {
        self.net.act(of, |phone, now| {
            phone.ua.accept_reoffer(now, asked, body);
        });
    }

    /// Alice asks Bob, in their call, to call somebody else.
    pub fn refer(&mut self, call: CallId, to: &str) {
        let mut headers = Headers::new();
        headers.append("Refer-To", to).expect("a Refer-To");
        self.net.act(self.alice, |alice, now| {
            alice
                .ua
                .request_in_call(now, call, Method::Refer, headers, None)
        });
        self.fly();
    }

    /// A request within a call.
    pub fn request(&mut self, of: NodeId<Phone>) -> IncomingRequest {
        match self.event(of) {
            Event::InCallRequest { request, .. } => request,
            other => panic!("a request was expected, not {other:?}"),
        }
    }

    /// A whole call up to the ACK: the numbers at both ends.
    pub fn established(&mut self) -> (CallId, CallId) {
        let (out, incoming) = self.called();
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
