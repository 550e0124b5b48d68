//! Accounts: logging in and out, staying so, and calls that a server challenges.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_auth::{Authenticator, Role, Secret, UnixTime, Verdict};
use offhook_phone::{Account, AccountId, Event, Server, Target};
use offhook_sip::{HeaderName, Method, Request, Response, StatusCode};
use offhook_testkit::{Conditions, Network, Node, NodeId};
use offhook_transaction::{Config, Event as Heard, Flow, Layer, Output, Transmit};
use support::{ALICE, Handset, LONG_ENOUGH, Manner, add, config};

const DESK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 50));
const EXPIRES: u64 = 600;

/// A server that knows one user, has everybody prove who they are, and finds everybody busy.
struct Desk {
    layer: Layer,
    gate: Authenticator,
    start: Instant,
    secret: Secret,
    /// What was proven, oldest first.
    proven: Vec<Request>,
    /// Is out of order.
    broken: bool,
}

impl Desk {
    fn new(network: &mut Network) -> Self {
        let gate = offhook_auth::Config::new("desk", network.seed32());
        Self {
            layer: Layer::new(Config::default(), network.seed32()),
            gate: Authenticator::new(gate),
            start: network.now(),
            secret: Secret::Password("secret1".to_owned()),
            proven: Vec::new(),
            broken: false,
        }
    }

    fn answer(&mut self, now: Instant, request: Request) -> Response {
        if self.broken {
            return request.response(StatusCode::SERVICE_UNAVAILABLE);
        }
        let wall = UnixTime::from_secs(1_795_000_000 + (now - self.start).as_secs());
        let secret = &self.secret;
        let users = |name: &str| (name == "u1").then_some(secret);
        match self.gate.verify(wall, Role::UserAgent, &request, users) {
            Verdict::Challenge(challenge) => {
                let mut response = request.response(challenge.status());
                challenge.apply_to(&mut response).unwrap();
                response
            }
            Verdict::Refused(status) => request.response(status),
            Verdict::Verified(_) => {
                let response = if *request.method() == Method::Register {
                    let contact = request.headers().get(HeaderName::CONTACT).unwrap();
                    let mut response = request.response(StatusCode::OK);
                    let asked = request.headers().get(HeaderName::EXPIRES).unwrap();
                    if asked != "0" {
                        let contact = format!("{contact};expires={EXPIRES}");
                        response
                            .headers_mut()
                            .append(HeaderName::CONTACT, &contact)
                            .unwrap();
                    }
                    response
                } else {
                    request.response(StatusCode::BUSY_HERE)
                };
                self.proven.push(request);
                response
            }
        }
    }

    /// Each proven registration: when it was to expire.
    fn registrations(&self) -> Vec<&str> {
        let of_register = self
            .proven
            .iter()
            .filter(|r| *r.method() == Method::Register);
        of_register
            .map(|r| r.headers().get(HeaderName::EXPIRES).unwrap())
            .collect()
    }
}

impl Node for Desk {
    fn handle_packet(&mut self, now: Instant, flow: Flow, payload: Bytes) {
        self.layer.handle_packet(now, flow, payload);
    }

    fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        self.layer.handle_transport_error(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.layer.poll_timeout()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        loop {
            match self.layer.poll_output()? {
                Output::Transmit(transmit) => return Some(transmit),
                Output::Event(Heard::Request {
                    transaction,
                    request,
                    ..
                }) => {
                    let response = self.answer(now, Arc::unwrap_or_clone(request));
                    self.layer.respond(now, transaction, response).unwrap();
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn set_up(user: &str, password: &str) -> (Network, NodeId<Desk>, NodeId<Handset>, AccountId) {
    let mut network = Network::new(1, Conditions::perfect());
    let desk = Desk::new(&mut network);
    let desk = network.add(DESK, desk);
    let alice = add(&mut network, ALICE, config(ALICE), Manner::LetsRing, 700.0);
    let server: Server = SocketAddr::new(DESK, 5060).to_string().parse().unwrap();
    let account = Account::new(user, server, Some(password));
    let account = network.node_mut(alice).phone.add_account(account);
    (network, desk, alice, account)
}

#[test]
fn it_logs_in_stays_so_and_logs_out() {
    let (mut network, desk, alice, account) = set_up("u1", "secret1");
    network.act(alice, |alice, now| {
        alice.phone.register(now, account).unwrap();
    });
    network.run_for(Duration::from_secs(1));
    let told = network.node(alice).events.last();
    let expires = Duration::from_secs(EXPIRES);
    assert!(matches!(told, Some(Event::Registered { expires: told, .. }) if *told == expires));
    network.run_for(3 * expires);
    let registrations = network.node(desk).registrations().len();
    assert!((4..=8).contains(&registrations), "{registrations}");

    network.act(alice, |alice, now| {
        alice.phone.unregister(now, account).unwrap();
    });
    assert!(
        network.run_until_idle(LONG_ENOUGH),
        "nothing is renewed any more"
    );
    let told = network.node(alice).events.last();
    assert!(matches!(told, Some(Event::Unregistered { .. })), "{told:?}");
    assert_eq!(network.node(desk).registrations().last(), Some(&"0"));
    network.node(alice).assert_nothing_left();
}

#[test]
fn a_wrong_password_is_told_and_not_tried_for_ever() {
    for (user, password) in [("u1", "wrong"), ("nobody", "secret1")] {
        let (mut network, desk, alice, account) = set_up(user, password);
        network.act(alice, |alice, now| {
            alice.phone.register(now, account).unwrap();
        });
        network.run_for(Duration::from_secs(5));
        let told = network.node(alice).events.last();
        let Some(Event::RegistrationFailed { status, .. }) = told else {
            panic!("{told:?}")
        };
        assert_eq!(*status, StatusCode::UNAUTHORIZED);
        assert!(network.node(desk).proven.is_empty());
        let tries = network
            .sightings()
            .iter()
            .filter(|s| s.to.ip() == DESK)
            .count();
        assert!(tries <= 3, "{tries} tries");
    }
}

#[test]
fn a_server_out_of_order_is_tried_again() {
    let (mut network, desk, alice, account) = set_up("u1", "secret1");
    network.node_mut(desk).broken = true;
    network.act(alice, |alice, now| {
        alice.phone.register(now, account).unwrap();
    });
    network.run_for(Duration::from_secs(1));
    let told = network.node(alice).events.last();
    let Some(Event::RegistrationFailed {
        retry_in: Some(_), ..
    }) = told
    else {
        panic!("{told:?}")
    };
    network.node_mut(desk).broken = false;
    network.run_for(Duration::from_secs(1_800));
    let registered = |event: &Event| matches!(event, Event::Registered { .. });
    assert!(network.node(alice).events.iter().any(registered));
}

#[test]
fn a_challenged_call_is_made_again_with_proof() {
    let (mut network, desk, alice, account) = set_up("u1", "secret1");
    let server: Server = "192.0.2.50".parse().unwrap();
    let two = Target::parse("2", Some(&server)).unwrap();
    network.act(alice, |alice, now| {
        alice.phone.call(now, &two, Some(account)).unwrap();
    });
    assert!(network.run_until_idle(LONG_ENOUGH));
    let phone = network.node(alice);
    assert_eq!(phone.outcome().status(), Some(StatusCode::BUSY_HERE));
    phone.assert_nothing_left();
    let [invite] = &network.node(desk).proven[..] else {
        panic!("proven once")
    };
    assert_eq!(invite.uri().as_str(), "sip:2@192.0.2.50");
    let from = invite.headers().get(HeaderName::FROM).unwrap();
    assert!(from.starts_with("<sip:u1@192.0.2.50>;tag="), "{from}");
    assert_eq!(
        invite.headers().get(HeaderName::TO),
        Some("<sip:2@192.0.2.50>")
    );
    let contact = invite.headers().get(HeaderName::CONTACT).unwrap();
    assert!(contact.contains("sip:u1@192.0.2.1:5060"), "{contact}");
}

#[test]
fn a_call_with_a_wrong_password_is_refused() {
    let (mut network, desk, alice, account) = set_up("u1", "wrong");
    let server: Server = "192.0.2.50".parse().unwrap();
    let two = Target::parse("2", Some(&server)).unwrap();
    network.act(alice, |alice, now| {
        alice.phone.call(now, &two, Some(account)).unwrap();
    });
    assert!(network.run_until_idle(LONG_ENOUGH));
    let phone = network.node(alice);
    assert_eq!(phone.outcome().status(), Some(StatusCode::UNAUTHORIZED));
    assert!(network.node(desk).proven.is_empty());
    phone.assert_nothing_left();
}

#[test]
fn several_accounts_are_logged_in_and_out_by_themselves() {
    let (mut network, desk, alice, first) = set_up("u1", "secret1");
    let other: std::net::IpAddr = "192.0.2.60".parse().unwrap();
    let second_desk = Desk::new(&mut network);
    let second_desk = network.add(other, second_desk);
    let mut add_account = |user: &str, host: &str, password: &str| {
        let server: Server = host.parse().unwrap();
        let account = Account::new(user, server, Some(password));
        network.node_mut(alice).phone.add_account(account)
    };
    let second = add_account("u1", "192.0.2.60", "secret1");
    let wrong = add_account("u1", "192.0.2.50", "wrong");
    for account in [first, second, wrong] {
        network.act(alice, |alice, now| {
            alice.phone.register(now, account).unwrap();
        });
    }
    network.run_for(Duration::from_secs(2));
    let told = &network.node(alice).events;
    let registered = |id| {
        let is_it =
            |event: &&Event| matches!(event, Event::Registered { account, .. } if *account == id);
        told.iter().filter(is_it).count()
    };
    assert_eq!([first, second, wrong].map(registered), [1, 1, 0]);
    let failed = told.iter().any(
        |event| matches!(event, Event::RegistrationFailed { account, .. } if *account == wrong),
    );
    assert!(failed, "{told:?}");

    network.act(alice, |alice, now| {
        alice.phone.unregister(now, first).unwrap();
    });
    network.run_for(Duration::from_secs(1));
    assert_eq!(network.node(desk).registrations().last(), Some(&"0"));
    let kept_up = network.node(second_desk).registrations().len();
    network.run_for(Duration::from_secs(2 * EXPIRES));
    assert_eq!(
        network.node(desk).registrations().last(),
        Some(&"0"),
        "stays out"
    );
    let later = network.node(second_desk).registrations().len();
    assert!(later > kept_up, "{later}");
    network.act(alice, |alice, now| {
        alice.phone.unregister(now, second).unwrap();
    });
    assert!(network.run_until_idle(LONG_ENOUGH));
}

#[test]
fn a_server_that_restarts_is_found_again_and_nobody_notices() {
    let (mut network, desk, alice, account) = set_up("u1", "secret1");
    network.act(alice, |alice, now| {
        alice.phone.register(now, account).unwrap();
    });
    network.run_for(Duration::from_secs(5));
    assert_eq!(network.node(desk).registrations().len(), 1);
    // It knows of nothing any more, and its nonces are new ones.
    let fresh = Desk::new(&mut network);
    network.restart(desk, fresh);
    network.run_for(Duration::from_secs(EXPIRES));
    assert!(!network.node(desk).registrations().is_empty());
    let failed = |event: &Event| matches!(event, Event::RegistrationFailed { .. });
    assert!(!network.node(alice).events.iter().any(failed));
}

#[test]
fn a_nat_is_kept_open_from_registration_to_registration() {
    let (mut network, desk, alice, account) = set_up("u1", "secret1");
    let public = "198.51.100.1".parse().unwrap();
    network.add_nat(public, &[ALICE], Duration::from_secs(31));
    network.act(alice, |alice, now| {
        alice.phone.register(now, account).unwrap();
    });
    network.run_for(Duration::from_secs(3 * EXPIRES));
    let from: std::collections::BTreeSet<SocketAddr> = network
        .sightings()
        .iter()
        .filter(|seen| seen.to.ip() == DESK)
        .map(|seen| seen.from)
        .collect();
    assert_eq!(
        from.len(),
        1,
        "the hole in the NAT is always the same: {from:?}"
    );
    assert!(network.node(desk).registrations().len() >= 3);
}

#[test]
fn at_a_new_address_it_logs_in_anew_and_takes_the_old_place_away() {
    let (mut network, desk, alice, account) = set_up("u1", "secret1");
    network.act(alice, |alice, now| {
        alice.phone.register(now, account).unwrap();
    });
    network.run_for(Duration::from_secs(5));
    let elsewhere: std::net::IpAddr = "192.0.2.99".parse().unwrap();
    network.add_address(alice, elsewhere);
    network.act(alice, |alice, now| {
        let moved = config(elsewhere);
        alice.phone.move_to(now, moved.locals, elsewhere);
    });
    network.run_for(Duration::from_secs(5));
    let proven = &network.node(desk).proven;
    assert_eq!(proven.len(), 2);
    let contact = proven[1].headers().get(HeaderName::CONTACT).unwrap();
    assert_eq!(
        contact,
        "<sip:u1@192.0.2.99:5060>, <sip:u1@192.0.2.1:5060>;expires=0"
    );
    network.act(alice, |alice, now| {
        alice.phone.unregister(now, account).unwrap();
    });
    assert!(network.run_until_idle(LONG_ENOUGH));
    let contact = network.node(desk).proven.last().unwrap().headers();
    assert_eq!(
        contact.get(HeaderName::CONTACT),
        Some("<sip:u1@192.0.2.99:5060>")
    );
}

#[test]
fn a_lost_connection_to_the_server_is_made_anew_at_once() {
    let (mut network, desk, alice, _) = set_up("u1", "secret1");
    let server: Server = "192.0.2.50".parse().unwrap();
    let server = server.with_transport(offhook_sip::Transport::Tcp);
    let account = Account::new("u1", server, Some("secret1"));
    let account = network.node_mut(alice).phone.add_account(account);
    network.act(alice, |alice, now| {
        alice.phone.register(now, account).unwrap();
    });
    network.run_for(Duration::from_secs(10));
    assert_eq!(network.node(desk).registrations().len(), 1);
    // The server is started again: connections, nonces and bindings are gone.
    let fresh = Desk::new(&mut network);
    network.restart(desk, fresh);
    network.run_for(Duration::from_secs(4));
    assert_eq!(network.node(desk).registrations().len(), 1);
    // It stays away for a while, and is looked for again.
    network.unplug(DESK);
    network.reset_connections(desk);
    network.run_for(Duration::from_secs(40));
    let told = network.node(alice).events.last();
    assert!(
        matches!(
            told,
            Some(Event::RegistrationFailed {
                retry_in: Some(_),
                ..
            })
        ),
        "{told:?}"
    );
    network.plug(DESK);
    network.run_for(Duration::from_secs(40));
    let told = network.node(alice).events.last();
    assert!(matches!(told, Some(Event::Registered { .. })), "{told:?}");
}
