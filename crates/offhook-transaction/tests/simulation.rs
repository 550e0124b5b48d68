//! Two transaction layers and a network on which everything goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::{HeaderName, Headers, Method, Request, StatusCode, Transport};
use offhook_testkit::{Conditions, Network, Node, NodeId, for_each_seed};
use offhook_transaction::{
    ClientTransactionId, Config, Event, Flow, Layer, Local, Output, ServerTransactionId, Timers,
    Transmit,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};

const ALICE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const SECOND: Duration = Duration::from_secs(1);

/// How a request of Alice's ended, as she saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Answered(StatusCode),
    Failed,
}

/// A user of a layer that asks, answers and cancels at random.
struct Actor {
    layer: Layer,
    random: StdRng,
    /// When the next request is answered: by what, and to whom.
    answers: BTreeMap<(Instant, u64), (ServerTransactionId, Arc<Request>)>,
    count: u64,
    /// By Call-ID: how our requests ended, and what we finally answered to others.
    ends: BTreeMap<String, Vec<End>>,
    answered: BTreeMap<String, StatusCode>,
    asked: BTreeMap<ClientTransactionId, String>,
    over: BTreeSet<ClientTransactionId>,
    queue: VecDeque<Transmit>,
}

impl Actor {
    /// `count`: how many requests that address has sent before this life.
    fn new(address: IpAddr, seed: [u8; 32], count: u64) -> Self {
        let local = SocketAddr::new(address, 5060);
        let config = Config {
            locals: vec![
                Local::new(Transport::Udp, local),
                Local::new(Transport::Tcp, local),
            ],
            timers: Timers {
                c: Some(SECOND * 181),
                ..Timers::default()
            },
            ..Config::default()
        };
        Self {
            layer: Layer::new(config, seed),
            random: StdRng::from_seed(seed),
            answers: BTreeMap::new(),
            count,
            ends: BTreeMap::new(),
            answered: BTreeMap::new(),
            asked: BTreeMap::new(),
            over: BTreeSet::new(),
            queue: VecDeque::new(),
        }
    }

    fn ask(&mut self, now: Instant, from: IpAddr, to: IpAddr) -> ClientTransactionId {
        self.count += 1;
        let call_id = format!("{from}-{}", self.count);
        let methods = [Method::Invite, Method::Options, Method::Bye];
        let method = methods[self.random.random_range(0..3)].clone();
        let cseq = format!("1 {}", method.as_str());
        let mut request = Request::new(method, format!("sip:someone@{to}").parse().unwrap());
        let subject = "x".repeat(self.random.random_range(0..1500));
        for (name, value) in [
            (HeaderName::FROM, format!("<sip:one@{from}>;tag={call_id}")),
            (HeaderName::TO, format!("<sip:someone@{to}>")),
            (HeaderName::CALL_ID, call_id.clone()),
            (HeaderName::CSEQ, cseq),
            (HeaderName::MAX_FORWARDS, "70".into()),
            (HeaderName::CONTACT, format!("<sip:one@{from}>")),
            (HeaderName::SUBJECT, subject),
        ] {
            request.headers_mut().append(name, &value).unwrap();
        }
        let transport = [Transport::Udp, Transport::Tcp][self.random.random_range(0..2)];
        let flow = Flow {
            transport,
            local: SocketAddr::new(from, 5060),
            remote: SocketAddr::new(to, 5060),
            connection: None,
        };
        let id = self.layer.request(now, &request, flow).unwrap();
        self.asked.insert(id, call_id);
        id
    }

    fn learn(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request {
                transaction,
                request,
                ..
            } => {
                let wait = Duration::from_millis(self.random.random_range(0..20_000));
                self.count += 1;
                let key = (now + wait, self.count);
                self.answers.insert(key, (transaction, request));
            }
            Event::Cancelled { transaction, .. } => {
                let mut waiting = self.answers.iter();
                let found = waiting.find(|(_, (id, _))| *id == transaction);
                if let Some((key, _)) = found {
                    let (id, invite) = self.answers.remove(&key.clone()).unwrap();
                    self.respond(now, id, &invite, StatusCode::REQUEST_TERMINATED);
                }
            }
            Event::Response {
                transaction,
                response,
                ..
            } if response.status().is_final() => {
                let end = End::Answered(response.status());
                // The same 2xx may come again, by design.
                let ends = self.ends.entry(self.asked[&transaction].clone());
                let ends = ends.or_default();
                if ends.last() != Some(&end) {
                    ends.push(end);
                }
            }
            Event::TimedOut { transaction } | Event::TransportFailed { transaction } => {
                let ends = self.ends.entry(self.asked[&transaction].clone());
                ends.or_default().push(End::Failed);
            }
            Event::ClientEnded { transaction } => {
                assert!(self.over.insert(transaction), "ended twice");
            }
            _ => {}
        }
    }

    fn respond(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        request: &Request,
        status: StatusCode,
    ) {
        if self
            .layer
            .respond(now, id, request.response(status))
            .is_ok()
            && status.is_final()
        {
            let call_id = request.headers().get(HeaderName::CALL_ID).unwrap();
            self.answered.insert(call_id.to_owned(), status);
        }
    }
}

impl Node for Actor {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.layer.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.layer.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        while let Some(entry) = self
            .answers
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            let (id, request) = entry.remove();
            let statuses = [
                StatusCode::OK,
                StatusCode::BUSY_HERE,
                StatusCode::UNAUTHORIZED,
                StatusCode::DECLINE,
            ];
            if *request.method() == Method::Invite && self.random.random_bool(0.5) {
                self.respond(now, id, &request, StatusCode::RINGING);
            }
            let status = statuses[self.random.random_range(0..4)];
            self.respond(now, id, &request, status);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let answer = self.answers.first_key_value().map(|(key, _)| key.0);
        answer.into_iter().chain(self.layer.poll_timeout()).min()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Transmit(transmit) => self.queue.push_back(transmit),
                Output::Event(event) => self.learn(now, event),
            }
        }
        self.queue.pop_front()
    }
}

/// Who was started anew while something was open: what it had asked, nobody knows any more, but
/// what it had answered still counts.
type Lost = Vec<(NodeId<Actor>, Actor)>;

fn disturb(network: &mut Network, actors: [(IpAddr, NodeId<Actor>); 2], lost: &mut Lost) {
    match network.rng().random_range(0..13) {
        0 => network.partition(ALICE, BOB),
        1 => network.heal(),
        2 => network.reset_connections(actors[0].1),
        3 => network.refuse(BOB, Transport::Tcp),
        4 => network.unplug(BOB),
        5 => {
            let (address, id) = actors[network.rng().random_range(0..2)];
            let (seed, count) = (network.seed32(), network.node(id).count);
            let old = network.restart(id, Actor::new(address, seed, count));
            lost.push((id, old));
        }
        _ => network.plug(BOB),
    }
}

fn check(network: &Network, asker: NodeId<Actor>, other: NodeId<Actor>, lost: &Lost) {
    let earlier = lost.iter().filter(|(id, _)| *id == other);
    let answerers: Vec<&Actor> = earlier
        .map(|(_, old)| old)
        .chain([network.node(other)])
        .collect();
    let asker = network.node(asker);
    for (id, call_id) in &asker.asked {
        assert!(asker.over.contains(id), "{call_id} never ended");
        let ends = asker
            .ends
            .get(call_id)
            .unwrap_or_else(|| panic!("{call_id}: no word"));
        assert_eq!(ends.len(), 1, "{call_id}: {ends:?}");
        if let End::Answered(status) = &ends[0] {
            // Unless the packet was damaged on its way, it is what the other side said.
            let mut answers = answerers.iter().map(|other| other.answered.get(call_id));
            assert!(answers.any(|answer| answer == Some(status)), "{call_id}");
        }
    }
    assert!(
        asker.layer.counts().is_empty(),
        "{:?}",
        asker.layer.counts()
    );
}

fn run(seed: u64, conditions: Conditions) {
    let mut network = Network::new(seed, conditions);
    network.record(false);
    let actors = [ALICE, BOB].map(|address| {
        let seed = network.seed32();
        (address, network.add(address, Actor::new(address, seed, 0)))
    });
    let mut lost = Lost::new();
    for _ in 0..20 {
        let first = network.rng().random_range(0..2);
        let ((from, asker), (to, _)) = (actors[first], actors[1 - first]);
        let id = network.act(asker, |actor, now| actor.ask(now, from, to));
        let wait = Duration::from_millis(network.rng().random_range(0..3_000));
        network.run_for(wait);
        if network.rng().random_bool(0.3) {
            network.act(asker, |actor, now| {
                actor.layer.cancel(now, id, Headers::new());
            });
        }
        disturb(&mut network, actors, &mut lost);
    }
    network.heal();
    network.plug(BOB);
    assert!(
        network.run_until_idle(SECOND * 600),
        "something still moves"
    );
    check(&network, actors[0].1, actors[1].1, &lost);
    check(&network, actors[1].1, actors[0].1, &lost);
}

#[test]
fn every_request_ends_in_one_way_and_nothing_is_left() {
    for_each_seed(150, |seed| {
        let weather = Conditions {
            corruption: 0.0,
            ..Conditions::hostile()
        };
        run(seed, weather);
    });
}

#[test]
fn heavy_loss_changes_nothing_in_that() {
    for_each_seed(50, |seed| run(seed, Conditions::lossy(0.5)));
}

#[test]
fn corruption_leaves_nothing_behind_either() {
    for_each_seed(100, |seed| {
        let weather = Conditions {
            corruption: 0.3,
            ..Conditions::hostile()
        };
        let mut network = Network::new(seed, weather);
        network.record(false);
        let actors = [ALICE, BOB].map(|address| {
            let seed = network.seed32();
            (address, network.add(address, Actor::new(address, seed, 0)))
        });
        for _ in 0..20 {
            network.act(actors[0].1, |actor, now| actor.ask(now, ALICE, BOB));
            network.run_for(SECOND);
        }
        assert!(network.run_until_idle(SECOND * 600));
        for (_, id) in actors {
            let counts = network.node(id).layer.counts();
            assert!(counts.is_empty(), "{counts:?}");
        }
    });
}
