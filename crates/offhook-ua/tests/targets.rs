//! Where requests go: names, other servers of a name, connections, peers behind NAT.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

mod support;

use std::net::{IpAddr, SocketAddr};

use offhook_routing::next_hop::{Record, RecordKind, Srv};
use offhook_sip::{HeaderName, Headers, Method, Transport};
use offhook_transaction::Flow;
use offhook_ua::{Destination, EndCause, Event};
use support::{ANSWER, BOB, Stage, World, answer, header, requests, sdp, uri};

fn srv(priority: u16, port: u16) -> Record {
    Record::Srv(Srv {
        priority,
        weight: 1,
        port,
        target: "host.example".to_owned(),
    })
}

fn two_servers(name: &str, kind: RecordKind) -> Vec<Record> {
    match (name, kind) {
        ("_sip._udp.example.com", RecordKind::Srv) => vec![srv(1, 5071), srv(2, 5072)],
        ("host.example", RecordKind::A) => vec![Record::A([10, 0, 0, 2].into())],
        _ => vec![],
    }
}

fn to_port(stage: &Stage, number: usize) -> u16 {
    let sightings = stage.net.sightings();
    sightings
        .iter()
        .filter(|seen| seen.from.ip() == support::ALICE.parse::<IpAddr>().expect("an address"))
        .nth(number)
        .expect("a packet")
        .to
        .port()
}

#[test]
fn a_name_leads_to_no_address_that_is_to_be_avoided() {
    for (avoided, gets_through) in [("10.0.0.9", true), ("::ffff:10.0.0.2", false)] {
        let mut stage = Stage::new();
        let _ = stage.call(|outgoing| {
            outgoing.request_uri = uri("sip:bob@host.example:5060");
            outgoing.avoid = vec![avoided.parse().expect("an address")];
        });
        stage.resolve(|_, kind| match kind {
            RecordKind::A if gets_through => vec![
                Record::A([10, 0, 0, 9].into()),
                Record::A([10, 0, 0, 2].into()),
            ],
            RecordKind::A => vec![Record::A([10, 0, 0, 2].into())],
            _ => vec![],
        });
        if gets_through {
            let _ = stage.hear_request(&Method::Invite);
            assert_eq!(stage.net.sightings().len(), 1, "no other address was tried");
        } else {
            assert!(matches!(stage.ended(), EndCause::Unresolved));
            assert!(stage.net.sightings().is_empty());
        }
    }
}

#[test]
fn a_name_is_asked_for_and_the_next_server_tried_when_one_is_unavailable() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| {
        outgoing.request_uri = uri("sip:bob@example.com");
        outgoing.to = support::address("sip:bob@example.com");
    });
    stage.silence();
    stage.resolve(two_servers);
    let first = stage.hear_request(&Method::Invite);
    assert_eq!(first.uri().as_str(), "sip:bob@example.com");
    assert_eq!(to_port(&stage, 0), 5071);
    stage.say_from(5071, answer(&first, 503, "x", None));
    let _ = stage.hear_request(&Method::Ack);
    stage.resolve(two_servers);
    let second = stage.hear_request(&Method::Invite);
    assert_eq!(to_port(&stage, 2), 5072);
    assert_ne!(
        header(first.headers(), HeaderName::VIA),
        header(second.headers(), HeaderName::VIA)
    );
    stage.say_from(5072, answer(&second, 180, "b", None));
    // CANCEL to the server that has the INVITE.
    stage.hang_up(call);
    let cancel = stage.hear_request(&Method::Cancel);
    assert_eq!(to_port(&stage, 3), 5072);
    stage.say_from(5072, answer(&cancel, 200, "b", None));
    stage.say_from(5072, answer(&second, 487, "b", None));
    let _ = stage.hear_request(&Method::Ack);
    assert!(matches!(stage.event(), Event::Progress { .. }));
    assert!(matches!(stage.ended(), EndCause::LocalHangUp));
    stage.nothing_left();
}

#[test]
fn a_name_that_does_not_exist_ends_the_call() {
    let mut stage = Stage::new();
    let _ = stage.call(|outgoing| outgoing.request_uri = uri("sip:bob@example.com"));
    stage.resolve(|_, _| vec![]);
    assert!(matches!(stage.ended(), EndCause::Unresolved));
    stage.nothing_left();
}

#[test]
fn a_call_hung_up_while_its_name_is_asked_for_never_goes_out() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| outgoing.request_uri = uri("sip:bob@example.com"));
    stage.hang_up(call);
    assert!(matches!(stage.ended(), EndCause::LocalHangUp));
    stage.resolve(two_servers);
    stage.silence();
    stage.nothing_left();
}

#[test]
fn a_contact_with_a_name_is_asked_for_before_the_ack() {
    let mut stage = Stage::new();
    let call = stage.call(|_| {});
    let invite = stage.hear_request(&Method::Invite);
    let mut ok = answer(&invite, 200, "b", Some(ANSWER));
    ok.headers_mut()
        .set(HeaderName::CONTACT, "<sip:bob@example.com>")
        .expect("a Contact");
    stage.say(ok.clone());
    stage.silence();
    stage.resolve(two_servers);
    let ack = stage.hear_request(&Method::Ack);
    assert_eq!(ack.uri().as_str(), "sip:bob@example.com");
    stage.say(ok);
    let _ = stage.hear_request(&Method::Ack);
    stage.hang_up(call);
    stage.resolve(two_servers);
    let bye = stage.hear_request(&Method::Bye);
    stage.say_from(5071, answer(&bye, 200, "b", None));
    stage.nothing_left();
}

#[test]
fn a_pinned_call_stays_on_its_flow_whatever_the_contact_says() {
    let mut stage = Stage::new();
    let call = stage.call(|outgoing| {
        outgoing.destination = support::flow_to(40_000);
        outgoing.pin_flow = true;
    });
    let invite = stage.hear_request(&Method::Invite);
    let mut ok = answer(&invite, 200, "b", Some(ANSWER));
    ok.headers_mut()
        .set(HeaderName::CONTACT, "<sip:bob@192.168.1.7:5060>")
        .expect("a Contact");
    stage.say_from(40_000, ok);
    let ack = stage.hear_request(&Method::Ack);
    assert_eq!(ack.uri().as_str(), "sip:bob@192.168.1.7:5060");
    assert_eq!(to_port(&stage, 1), 40_000);
    stage.hang_up(call);
    let bye = stage.hear_request(&Method::Bye);
    assert_eq!(to_port(&stage, 2), 40_000);
    stage.say_from(40_000, answer(&bye, 200, "b", None));
    stage.nothing_left();
}

// checklist: R3261-105, R3261-101
#[test]
fn a_call_over_tcp_keeps_its_connection() {
    let mut world = World::new();
    let (out, incoming) = world.called_with(|outgoing| {
        outgoing.request_uri = uri("sip:bob@10.0.0.2;transport=tcp");
    });
    let into = incoming.id();
    assert_eq!(incoming.flow().transport, Transport::Tcp);
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    assert!(matches!(world.event(world.alice), Event::Answered { .. }));
    // Bob's BYE goes the way that the INVITE came, not to Alice's listening port.
    world.hang_up(world.bob, into);
    world.fly();
    assert!(matches!(world.event(world.alice), Event::Ended { call, .. } if call == out));
    let invite = requests(&world.messages(), &Method::Invite).remove(0);
    assert!(header(invite.headers(), HeaderName::VIA).starts_with("SIP/2.0/TCP 10.0.0.1:5060"));
    assert!(header(invite.headers(), HeaderName::CONTACT).contains("transport=tcp"));
    world.nothing_left();
}

#[test]
fn a_lost_connection_is_opened_anew_to_the_peers_contact() {
    let mut world = World::new();
    let (out, incoming) = world.called_with(|outgoing| {
        outgoing.request_uri = uri("sip:bob@10.0.0.2;transport=tcp");
    });
    world.accept(world.bob, incoming, sdp(ANSWER));
    world.fly();
    let bob = world.bob;
    world.net.reset_connections(bob);
    world.fly();
    let into = match world.event(world.bob) {
        Event::Confirmed { call, .. } => call,
        other => panic!("an ACK was expected, not {other:?}"),
    };
    world.hang_up(world.bob, into);
    world.fly();
    let _ = world.event(world.alice);
    assert!(matches!(world.event(world.alice), Event::Ended { call, .. } if call == out));
    world.nothing_left();
}

#[test]
fn nobody_at_the_address_is_learnt_from_the_network() {
    let mut stage = Stage::new();
    let mut conditions = offhook_testkit::Conditions::perfect();
    conditions.icmp = true;
    stage.net.set_conditions(conditions);
    let nobody = SocketAddr::from(([10, 0, 0, 99], 5060));
    let local = SocketAddr::from(([10, 0, 0, 1], 5060));
    let _ = stage.call(|outgoing| {
        outgoing.destination = Destination::Flow(Flow::udp(local, nobody));
    });
    stage.sleep(1_000);
    assert!(matches!(stage.ended(), EndCause::TransportFailed));
    stage.nothing_left();
}

#[test]
fn a_preloaded_route_is_followed_and_printed() {
    let mut stage = Stage::new();
    let _ = stage.call(|outgoing| {
        outgoing.request_uri = uri("sip:bob@192.168.7.7");
        outgoing.route = vec![uri("sip:10.0.0.2:5063;lr")];
    });
    let invite = stage.hear_request(&Method::Invite);
    assert_eq!(to_port(&stage, 0), 5063);
    assert_eq!(
        header(invite.headers(), HeaderName::ROUTE),
        "<sip:10.0.0.2:5063;lr>"
    );
    let _ = (Headers::new(), BOB);
}
