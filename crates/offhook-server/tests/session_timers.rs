//! Session timers of each leg (RFC 4028): one side's are no affair of the other side.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_sip::{Message, Method};
use support::party::{Dialog, description};
use support::trio::{Trio, take_all};

/// A dialled call whose INVITE, or whose answer, asks for a session timer.
fn timed(of_caller: &str, of_callee: &str) -> (Trio, Dialog, Dialog) {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let body = description(u1.address);
    let mut d1 = u1.dial_with(exchange, "2", of_caller, &body);
    let invite = u2.expect_request(exchange, &Method::Invite);
    let extra: Vec<(&str, &str)> = of_callee
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let d2 = u2.answer_with(exchange, &invite, 200, &extra, &description(u2.address));
    u2.expect_request(exchange, &Method::Ack);
    let answer = u1.answered(exchange, &mut d1);
    // What one side asks for is no affair of the other one.
    assert!(
        !invite.to_string().contains("Session-Expires: 120"),
        "{invite}"
    );
    assert!(!answer.to_string().contains("120;refresher=uac") || !of_caller.is_empty());
    (trio, d1, d2)
}

/// RFC 4028 on the caller's leg: he refreshes, or the call ends on both.
// checklist: R4028-05, B2BUA-06
#[test]
fn a_caller_who_refreshes_no_more_is_gone() {
    let timer = "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n";
    let (mut trio, mut d1, _) = timed(timer, "");
    let (exchange, u1, u2, _) = trio.all();
    for _ in 0..3 {
        exchange.pass(Duration::from_secs(60));
        u1.in_dialog(exchange, &mut d1, "UPDATE", timer, "", true);
        let refreshed = u1.expect(exchange, 200);
        assert!(
            refreshed.headers().contains("Session-Expires"),
            "{refreshed}"
        );
        u2.expect_silence(exchange);
    }
    exchange.pass(Duration::from_secs(120));
    for party in [&*u1, &*u2] {
        let bye = party.is_hung_up(exchange);
        let reason = "SIP;cause=408;text=\"Session expired\"";
        assert_eq!(bye.headers().get("Reason"), Some(reason));
        take_all(exchange, party);
    }
    trio.finish();
}

/// On the callee's leg: the exchange refreshes, and ends the call when nobody answers that.
// checklist: R4028-05, B2BUA-06
#[test]
fn a_callee_who_answers_no_refresh_is_gone() {
    let timer = "Require: timer\nSession-Expires: 120;refresher=uac\nAllow: UPDATE, INVITE\n";
    let (mut trio, _, _) = timed("", timer);
    let (exchange, u1, u2, _) = trio.all();
    let extra = [
        ("Require", "timer"),
        ("Session-Expires", "120;refresher=uac"),
    ];
    for _ in 0..3 {
        exchange.pass(Duration::from_millis(60_100));
        let update = u2.expect_request(exchange, &Method::Update);
        u2.answer_with(exchange, &update, 200, &extra, "");
        u1.expect_silence(exchange);
    }
    // RFC 4028 §10: 32 s before its end. Whether he answers the BYE is nothing that the other one waits for.
    exchange.pass(Duration::from_millis(60_100 + 28_000));
    let bye = u1.is_hung_up(exchange);
    let reason = bye.headers().get("Reason");
    assert_eq!(reason, Some("SIP;cause=408;text=\"Session expired\""));
    let messages = take_all(exchange, u2);
    let is_bye = |message: &Message| matches!(message, Message::Request(request) if *request.method() == Method::Bye);
    assert!(messages.iter().any(is_bye));
    take_all(exchange, u1);
    trio.finish();
}

/// The interval of a leg is its own affair: one that is too short is refused there.
// checklist: R4028-05
#[test]
fn a_session_interval_may_be_too_short() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let uri = "sip:2@192.0.2.50";
    let d1 = u1.new_dialog(uri);
    let extra = "Supported: timer\r\nSession-Expires: 30\r\n";
    u1.send(exchange, &u1.text("INVITE", uri, &d1, extra, ""));
    let refusal = u1.expect(exchange, 422);
    assert_eq!(refusal.headers().get("Min-SE"), Some("90"));
    u1.acknowledge_failure(exchange, &d1, &refusal);
    u2.expect_silence(exchange);
    trio.finish();
}
