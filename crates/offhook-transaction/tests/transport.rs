//! Which way messages go: RFC 3261 §18, RFC 3581.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic

mod common;

use common::{
    Desk, VIA, answer, config, incoming, ms, outgoing, peer, sent_request, sent_response, tcp, udp,
    us,
};
use offhook_sip::header::Via;
use offhook_sip::{Host, StatusCode, Transport};
use offhook_transaction::{Config, ConnectionId, Flow, Local, Outbound, SentBy};

fn large() -> String {
    let filler = "x".repeat(1300);
    outgoing("INVITE").replace(
        "Max-Forwards",
        &format!("Subject: {filler}\r\nMax-Forwards"),
    )
}

/// Where the answer to an OPTIONS with this Via goes.
fn way_back(flow: Flow, via: &str, config: Config) -> Flow {
    let mut desk = Desk::with(config);
    desk.receive(flow, incoming("OPTIONS", via));
    let (id, options) = desk.take_request();
    desk.respond(id, &options, 200);
    desk.take_sent()[0].flow
}

// checklist: R3261-103, R3581-02
#[test]
fn the_top_via_says_where_the_request_really_came_from() {
    let nat = Flow::udp(us(), "198.51.100.7:61000".parse().unwrap());
    for (flow, via, expected) in [
        (udp(), VIA.to_owned(), VIA.to_owned()),
        (nat, VIA.into(), format!("{VIA};received=198.51.100.7")),
        (
            nat,
            format!("{VIA};rport"),
            format!("{VIA};rport=61000;received=198.51.100.7"),
        ),
        (
            udp(),
            format!("{VIA};rport"),
            format!("{VIA};rport=5060;received=192.0.2.9"),
        ),
        (
            udp(),
            VIA.replace("192.0.2.9", "phone.example"),
            VIA.replace("192.0.2.9", "phone.example") + ";received=192.0.2.9",
        ),
        (
            nat,
            format!("{VIA};received=192.0.2.200"),
            format!("{VIA};received=198.51.100.7"),
        ),
    ] {
        let mut desk = Desk::new();
        desk.receive(flow, incoming("OPTIONS", &via));
        let (id, options) = desk.take_request();
        desk.respond(id, &options, 200);
        let response = sent_response(&desk.take_sent()[0]);
        let (seen, expected_text) = (response.headers().required::<Via>().unwrap(), expected);
        let mut headers = offhook_sip::Headers::new();
        headers.append("Via", &expected_text).unwrap();
        let expected = headers.required::<Via>().unwrap();
        assert_eq!(seen.received(), expected.received(), "{via}");
        assert_eq!(seen.rport(), expected.rport(), "{via}");
        assert_eq!(seen.branch(), expected.branch());
        assert_eq!(seen.host(), expected.host());
        assert_eq!(seen.port(), expected.port());
    }
}

// checklist: R3261-104, R3581-03
#[test]
fn a_datagram_is_answered_where_the_via_says() {
    let nat = Flow::udp(us(), "198.51.100.7:61000".parse().unwrap());
    let to = |remote: &str| Flow::udp(us(), remote.parse().unwrap());
    // To the port of the sent-by, which is 5060 where none is written.
    let other_port = VIA.replace("5060", "5070");
    assert_eq!(
        way_back(nat, &other_port, config()),
        to("198.51.100.7:5070")
    );
    let no_port = VIA.replace(":5060", "");
    assert_eq!(way_back(nat, &no_port, config()), to("198.51.100.7:5060"));
    // With rport: to the very port, from the very port.
    let rport = format!("{VIA};rport");
    assert_eq!(way_back(nat, &rport, config()), nat);
    // maddr counts for more.
    let maddr = format!("{VIA};maddr=192.0.2.77");
    assert_eq!(way_back(nat, &maddr, config()), to("192.0.2.77:5060"));
    // The switch for phones that know no rport.
    let to_source = Config {
        answer_source_port: true,
        ..config()
    };
    assert_eq!(way_back(nat, VIA, to_source), nat);
}

// checklist: R3261-104
#[test]
fn a_stream_is_answered_on_its_connection_or_on_a_new_one() {
    let inbound = Flow {
        remote: "192.0.2.9:40000".parse().unwrap(),
        ..tcp(5)
    };
    let via = VIA.replace("UDP", "TCP");
    assert_eq!(way_back(inbound, &via, config()), inbound);

    let mut desk = Desk::new();
    desk.receive(inbound, incoming("INVITE", &via));
    let (id, invite) = desk.take_request();
    desk.layer.handle_transport_error(desk.now, inbound);
    desk.drain();
    assert!(desk.take_events().is_empty());
    desk.respond(id, &invite, 486);
    let expected = Flow {
        connection: None,
        remote: peer(),
        ..inbound
    };
    assert_eq!(desk.take_sent()[0].flow, expected);
    // That fails too: the user is told, once, and the transaction still ends by itself.
    desk.layer.handle_transport_error(desk.now, expected);
    desk.layer.handle_transport_error(desk.now, expected);
    desk.drain();
    assert_eq!(desk.take_events(), ["Undeliverable"]);
    desk.run_for(ms(32_000));
    assert_eq!(desk.take_events(), ["AckMissing", "ServerEnded"]);
    desk.assert_empty();
}

#[test]
fn a_failure_response_lost_with_its_connection_is_sent_again() {
    let via = VIA.replace("UDP", "TCP");
    let mut desk = Desk::new();
    desk.receive(tcp(5), incoming("INVITE", &via));
    let (id, invite) = desk.take_request();
    desk.respond(id, &invite, 486);
    desk.take_sent();
    desk.layer.handle_transport_error(desk.now, tcp(5));
    desk.drain();
    let again = desk.take_sent();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].flow.connection, None);
}

// checklist: R3261-101, R3581-01
#[test]
fn our_via_names_the_transport_and_where_responses_can_come() {
    let domain = SentBy::new(Host::Domain("pbx.example"), None).unwrap();
    let named = Config {
        locals: vec![Local {
            transport: Transport::Udp,
            bound: "0.0.0.0:5060".parse().unwrap(),
            sent_by: domain,
        }],
        ..Config::default()
    };
    let wildcard = Config {
        locals: vec![Local::new(Transport::Udp, "0.0.0.0:5060".parse().unwrap())],
        ..Config::default()
    };
    for (config, flow, start) in [
        (config(), udp(), "SIP/2.0/UDP 192.0.2.1:5060;"),
        (config(), tcp(1), "SIP/2.0/TCP 192.0.2.1:5060;"),
        (named, udp(), "SIP/2.0/UDP pbx.example;"),
        (wildcard, udp(), "SIP/2.0/UDP 192.0.2.1:5060;"),
        (Config::default(), udp(), "SIP/2.0/UDP 192.0.2.1:5060;"),
    ] {
        let mut desk = Desk::with(config);
        desk.request(flow, outgoing("OPTIONS"));
        let sent = desk.take_sent().remove(0);
        let request = sent_request(&sent);
        let via = request.headers().get("Via").unwrap();
        assert!(via.starts_with(start), "{via}");
        let via = request.headers().required::<Via>().unwrap();
        assert_eq!(via.rport(), Some(None));
        desk.receive(flow, answer(&sent, 200, "b1"));
        assert_eq!(desk.take_events()[0], "Response 200");
    }
}

// checklist: R3261-102
#[test]
fn a_response_with_a_foreign_sent_by_is_dropped() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("OPTIONS"));
    let sent = desk.take_sent().remove(0);
    let right = answer(&sent, 200, "b1");
    desk.receive(udp(), right.replace("192.0.2.1:5060", "192.0.2.1:5070"));
    desk.receive(
        udp(),
        right.replace("UDP 192.0.2.1:5060", "UDP other.example"),
    );
    let stray = right.replace("branch=z9hG4bK", "branch=z9hG4bKx");
    desk.receive(udp(), stray.replace("192.0.2.1:5060", "192.0.2.1:5070"));
    assert!(desk.take_events().is_empty());
    desk.receive(udp(), right);
    assert_eq!(desk.take_events(), ["Response 200"]);
}

// checklist: R3261-100
#[test]
fn a_request_too_large_for_udp_goes_by_tcp_and_back_when_that_is_refused() {
    let mut desk = Desk::new();
    desk.request(udp(), large());
    let first = desk.take_sent().remove(0);
    assert_eq!(first.flow.transport, Transport::Tcp);
    assert_eq!(first.flow.connection, None);
    assert_eq!(first.flow.remote, peer());
    let via = |transmit| {
        sent_request(transmit)
            .headers()
            .get("Via")
            .unwrap()
            .to_owned()
    };
    assert!(via(&first).starts_with("SIP/2.0/TCP "));
    desk.run_for(ms(2_000));
    assert!(desk.take_sent().is_empty());
    desk.layer.handle_transport_error(desk.now, first.flow);
    desk.drain();
    let second = desk.take_sent().remove(0);
    assert_eq!(second.flow, udp());
    assert!(via(&second).starts_with("SIP/2.0/UDP "));
    assert_eq!(
        via(&second).replace("UDP", "TCP"),
        via(&first),
        "the same branch"
    );
    desk.run_for(ms(500));
    assert_eq!(desk.take_sent(), std::slice::from_ref(&second));
    desk.receive(udp(), answer(&second, 486, "b1"));
    assert_eq!(desk.take_events(), ["Response 486"]);
    let ack = desk.take_sent().remove(0);
    assert_eq!(ack.flow, udp());
    desk.layer.handle_transport_error(desk.now, udp());
    desk.run_for(ms(32_000));
    desk.assert_empty();
}

#[test]
fn a_cancel_held_back_survives_the_change_of_transport() {
    let mut desk = Desk::new();
    let id = desk.request(udp(), large());
    let first = desk.take_sent().remove(0);
    let mut headers = offhook_sip::Headers::new();
    headers.append("Reason", "SIP;cause=200").unwrap();
    assert!(desk.layer.cancel(desk.now, id, headers));
    desk.layer.handle_transport_error(desk.now, first.flow);
    desk.drain();
    let second = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&second, 180, "b1"));
    let cancel = desk.take_sent().remove(0);
    assert_eq!(cancel.flow, udp());
    let cancel = sent_request(&cancel);
    assert_eq!(cancel.headers().get("Reason"), Some("SIP;cause=200"));
    let via = cancel.headers().get("Via").unwrap().to_owned();
    assert_eq!(
        Some(via.as_str()),
        sent_request(&second).headers().get("Via")
    );
}

// checklist: R3261-100
#[test]
fn a_pinned_or_tcp_less_request_stays_on_udp() {
    let mut desk = Desk::new();
    let request = common::request(&large());
    let to = Outbound::pinned(udp());
    desk.layer.request(desk.now, &request, to).unwrap();
    desk.drain();
    assert_eq!(desk.take_sent()[0].flow, udp());

    let mut desk = Desk::with(Config {
        locals: vec![Local::new(Transport::Udp, us())],
        ..config()
    });
    desk.request(udp(), large());
    assert_eq!(desk.take_sent()[0].flow, udp());
    desk.layer.handle_transport_error(desk.now, udp());
    desk.drain();
    assert_eq!(desk.take_events(), ["TransportFailed", "ClientEnded"]);
}

// checklist: R3261-98, R3261-106
#[test]
fn a_transport_error_ends_the_requests_to_that_peer_and_no_others() {
    let mut desk = Desk::new();
    let other = Flow::udp(us(), "192.0.2.10:5060".parse().unwrap());
    desk.request(udp(), outgoing("INVITE"));
    desk.request(udp(), outgoing("OPTIONS"));
    desk.request(other, outgoing("OPTIONS"));
    desk.layer.handle_transport_error(desk.now, udp());
    desk.drain();
    assert_eq!(
        desk.take_events(),
        [
            "TransportFailed",
            "ClientEnded",
            "TransportFailed",
            "ClientEnded"
        ]
    );
    assert_eq!(desk.layer.counts().client, 1);
    desk.layer.handle_transport_error(desk.now, udp());
    desk.drain();
    assert!(desk.take_events().is_empty());
}

#[test]
fn a_lost_connection_fails_what_was_sent_over_it() {
    let mut desk = Desk::new();
    let any = Flow {
        connection: None,
        ..tcp(1)
    };
    desk.request(any, outgoing("INVITE"));
    let sent = desk.take_sent().remove(0);
    desk.receive(tcp(9), answer(&sent, 180, "b1"));
    desk.take_events();
    desk.layer.handle_transport_error(desk.now, tcp(8));
    desk.drain();
    assert!(
        desk.take_events().is_empty(),
        "another connection to that peer"
    );
    desk.layer.handle_transport_error(desk.now, tcp(9));
    desk.drain();
    assert_eq!(desk.take_events(), ["TransportFailed", "ClientEnded"]);
    // Before any response nobody knows which connection it was.
    desk.request(any, outgoing("OPTIONS"));
    desk.layer.handle_transport_error(desk.now, tcp(10));
    desk.drain();
    assert_eq!(desk.take_events(), ["TransportFailed", "ClientEnded"]);
    desk.assert_empty();
}

#[test]
fn after_an_answer_an_error_changes_nothing() {
    let mut desk = Desk::new();
    desk.request(udp(), outgoing("INVITE"));
    let sent = desk.take_sent().remove(0);
    desk.receive(udp(), answer(&sent, 200, "b1"));
    desk.layer.handle_transport_error(desk.now, udp());
    desk.drain();
    desk.receive(udp(), answer(&sent, 200, "b1"));
    assert_eq!(desk.take_events(), ["Response 200", "Response 200"]);
}

#[test]
fn ack_and_cancel_follow_the_connection_of_their_invite() {
    let mut desk = Desk::new();
    let any = Flow {
        connection: None,
        ..tcp(1)
    };
    let id = desk.request(any, outgoing("INVITE"));
    let sent = desk.take_sent().remove(0);
    desk.receive(tcp(9), answer(&sent, 180, "b1"));
    assert!(desk.layer.cancel(desk.now, id, offhook_sip::Headers::new()));
    desk.drain();
    desk.receive(tcp(9), answer(&sent, 487, "b1"));
    let flows: Vec<_> = desk
        .take_sent()
        .iter()
        .map(|sent| sent.flow.connection)
        .collect();
    assert_eq!(flows, [Some(ConnectionId(9)); 2]);
}

#[test]
fn ipv6_goes_the_same_ways() {
    let local = "[2001:db8::1]:5060".parse().unwrap();
    let remote = "[2001:db8::9]:5062".parse().unwrap();
    let flow = Flow::udp(local, remote);
    let mut desk = Desk::with(Config::default());
    desk.request(flow, outgoing("OPTIONS"));
    let sent = desk.take_sent().remove(0);
    let request = sent_request(&sent);
    let via = request.headers().get("Via").unwrap();
    assert!(via.starts_with("SIP/2.0/UDP [2001:db8::1]:5060;"), "{via}");
    desk.receive(flow, answer(&sent, 200, "b1"));
    assert_eq!(desk.take_events(), ["Response 200"]);
    let via = "SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bKsix";
    desk.receive(flow, incoming("OPTIONS", via));
    let (id, options) = desk.take_request();
    desk.layer
        .respond(desk.now, id, options.response(StatusCode::OK))
        .unwrap();
    desk.drain();
    let expected = "[2001:db8::9]:5070".parse().unwrap();
    assert_eq!(desk.take_sent()[0].flow, Flow::udp(local, expected));
}
