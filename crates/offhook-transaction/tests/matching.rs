//! Which request belongs to which transaction: RFC 3261 §17.2.3, §8.2.2.2, RFC 2543.

mod common;

use common::{Desk, VIA, incoming, ms, sent_response, tcp, udp};
use offhook_sip::StatusCode;
use offhook_transaction::Flow;

/// The Via of a hop below ours.
const BELOW: &str = "SIP/2.0/UDP below.example;branch=z9hG4bKx";
const OLD: &str = "SIP/2.0/UDP 192.0.2.9:5060";

// checklist: R3261-97
#[test]
fn branch_sent_by_and_method_make_a_repeat() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("OPTIONS", VIA));
    desk.receive(udp(), incoming("OPTIONS", VIA));
    assert_eq!(desk.take_events(), ["Request OPTIONS"]);
    let next = incoming("OPTIONS", &VIA.replace("peer1", "peer2"));
    desk.receive(udp(), next.replace("CSeq: 1", "CSeq: 2"));
    let other_host = incoming("OPTIONS", &VIA.replace("192.0.2.9", "192.0.2.8"));
    desk.receive(udp(), other_host.replace("CSeq: 1", "CSeq: 3"));
    desk.receive(udp(), incoming("MESSAGE", VIA));
    assert_eq!(
        desk.take_events(),
        ["Request OPTIONS", "Request OPTIONS", "Request MESSAGE"]
    );
}

// checklist: R3261-97
#[test]
fn without_the_cookie_the_old_rules_hold() {
    for via in [OLD, "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK"] {
        let mut desk = Desk::new();
        desk.receive(udp(), incoming("INVITE", via));
        desk.receive(udp(), incoming("INVITE", via));
        let (id, invite) = desk.take_request();
        desk.respond(id, &invite, 486);
        desk.take_sent();
        let ack = incoming("ACK", via);
        desk.receive(
            udp(),
            ack.replace("bob@192.0.2.1>\r\nCall", "bob@192.0.2.1>;tag=x\r\nCall"),
        );
        assert_eq!(desk.take_events(), ["Ack"], "the tag of another response");
        let tag = desk.layer.local_tag(id);
        let tagged = format!("bob@192.0.2.1>;tag={tag}\r\nCall");
        desk.receive(udp(), ack.replace("bob@192.0.2.1>\r\nCall", &tagged));
        assert!(desk.take_events().is_empty(), "absorbed");
        desk.run_for(ms(5_000));
        assert_eq!(desk.take_events(), ["ServerEnded"]);
        desk.assert_empty();
    }
}

#[test]
fn an_old_cancel_finds_its_invite() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", OLD));
    desk.take_request();
    desk.receive(udp(), incoming("CANCEL", OLD));
    assert_eq!(desk.take_events(), ["Cancelled"]);
    desk.receive(udp(), incoming("CANCEL", OLD).replace("call-2", "call-3"));
    assert!(desk.take_events().is_empty());
    let statuses: Vec<u16> = desk
        .take_sent()
        .iter()
        .map(|transmit| sent_response(transmit).status().get())
        .collect();
    assert_eq!(statuses, [200, 481]);
}

#[test]
fn an_old_bye_matches_with_its_to_tag() {
    let mut desk = Desk::new();
    let bye = incoming("BYE", OLD);
    desk.receive(udp(), &bye);
    desk.receive(udp(), &bye);
    desk.receive(
        udp(),
        bye.replace("bob@192.0.2.1>\r\nCall", "bob@192.0.2.1>;tag=x\r\nCall"),
    );
    assert_eq!(desk.take_events(), ["Request BYE", "Request BYE"]);
}

// checklist: R3261-37
#[test]
fn a_request_that_comes_by_two_ways_is_answered_482() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("INVITE", VIA));
    let (id, invite) = desk.take_request();
    let merged = incoming("INVITE", &VIA.replace("peer1", "fork2"));
    desk.receive(udp(), &merged);
    assert!(desk.take_events().is_empty());
    let first = desk.take_sent().remove(0);
    assert_eq!(sent_response(&first).status(), StatusCode::LOOP_DETECTED);
    desk.receive(udp(), &merged);
    assert_eq!(desk.take_sent(), [first], "a repeat gets the same answer");
    desk.respond(id, &invite, 200);
    desk.run_for(ms(32_000));
    desk.assert_empty();
}

#[test]
fn within_a_dialog_nothing_is_merged() {
    let mut desk = Desk::new();
    let in_dialog = |via: &str| {
        let text = incoming("INFO", via);
        text.replace("bob@192.0.2.1>\r\nCall", "bob@192.0.2.1>;tag=x\r\nCall")
    };
    desk.receive(udp(), in_dialog(VIA));
    desk.receive(udp(), in_dialog(&VIA.replace("peer1", "peer2")));
    assert_eq!(desk.take_events(), ["Request INFO", "Request INFO"]);
}

#[test]
fn a_source_port_that_changed_does_not_hide_a_repeat() {
    let mut desk = Desk::new();
    desk.receive(udp(), incoming("OPTIONS", VIA));
    let moved = Flow::udp(common::us(), "192.0.2.9:61000".parse().unwrap());
    desk.receive(moved, incoming("OPTIONS", VIA));
    desk.receive(tcp(3), incoming("OPTIONS", VIA));
    assert_eq!(desk.take_events(), ["Request OPTIONS"]);
}

#[test]
fn via_values_in_one_line_are_read_like_those_in_several() {
    let mut desk = Desk::new();
    let outgoing = common::outgoing("OPTIONS");
    let passed_on = outgoing.replace("Max-", &format!("Via: {BELOW}\r\nMax-"));
    desk.request(udp(), passed_on);
    let sent = desk.take_sent().remove(0);
    let text = common::answer(&sent, 200, "b1");
    let joined = text.replace(&format!("\r\nVia: {BELOW}"), &format!(", {BELOW}"));
    assert_ne!(joined, text);
    desk.receive(udp(), joined);
    assert_eq!(desk.take_events(), ["Response 200"]);
}

// checklist: R3261-32
#[test]
fn a_response_with_a_via_too_many_is_dropped() {
    let mut desk = Desk::new();
    desk.request(udp(), common::outgoing("OPTIONS"));
    let sent = desk.take_sent().remove(0);
    let text = common::answer(&sent, 200, "b1");
    let line = text.lines().find(|line| line.starts_with("Via")).unwrap();
    desk.receive(udp(), text.replace(line, &format!("{line}, {BELOW}")));
    desk.receive(
        udp(),
        text.replace(line, &format!("{line}\r\nVia: {BELOW}")),
    );
    assert!(desk.take_events().is_empty());
    desk.receive(udp(), &text);
    assert_eq!(desk.take_events(), ["Response 200"]);
}
