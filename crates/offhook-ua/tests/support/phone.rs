//! A user agent as a node of the virtual network.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use offhook_routing::next_hop::DnsQuestion;
use offhook_sip::Transport;
use offhook_testkit::{Network, Node, NodeId};
use offhook_transaction::{Flow, Transmit};
use offhook_ua::{Config, Event, Local, Output, UserAgent};

/// A user agent whose events wait for the test.
pub struct Phone {
    pub ua: UserAgent,
    pub events: VecDeque<Event>,
    pub questions: Vec<DnsQuestion>,
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

pub fn add(net: &mut Network, at: &str, config: Config) -> NodeId<Phone> {
    let seed = net.seed32();
    let phone = Phone {
        ua: UserAgent::new(config, seed),
        events: VecDeque::new(),
        questions: Vec::new(),
    };
    net.add(at.parse().expect("an address"), phone)
}
