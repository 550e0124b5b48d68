//! Parties who begin something and never end it: what they hold has an end all the same.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_sip::{Message, Method};
use support::party::description;
use support::trio::{Trio, conversation, hang_up, take_all};

/// A re-INVITE has had a provisional response, and nobody is there any more.
#[test]
fn nobody_answers_a_change_of_the_session() {
    for status in [100, 183] {
        for taken_back in [false, true] {
            let (mut trio, mut d1, _) = conversation();
            let (exchange, u1, u2, _) = trio.all();
            let body = description(u1.address) + "a=sendonly\r\n";
            u1.in_dialog(exchange, &mut d1, "INVITE", "", &body, true);
            let asked = u2.expect_request(exchange, &Method::Invite);
            u2.answer(exchange, &asked, status, "");
            if taken_back {
                u1.cancel(exchange, &d1);
            }
            exchange.pass(Duration::from_secs(3600));
            assert_eq!(exchange.server.counts().bridges, 0, "{status} {taken_back}");
            take_all(exchange, u1);
            take_all(exchange, u2);
            exchange.pass(Duration::from_secs(120));
            assert!(exchange.server.counts().ua.is_empty());
        }
    }
}

/// Each provisional response is of another phone, as it says: a few are believed (RFC 3261 §12.1).
#[test]
fn a_callee_is_many() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let dialog = u1.dial(exchange, "2", &description(u1.address));
    let ringing = u2.expect_request(exchange, &Method::Invite);
    let phone = u2.user.clone();
    let mut acknowledged = 0;
    for number in 0..1000 {
        u2.user = format!("{phone}-{number}");
        let reliable = [("Require", "100rel"), ("RSeq", "7")];
        u2.answer_with(exchange, &ringing, 183, &reliable, "");
        let all = take_all(exchange, u2).into_iter();
        acknowledged += all.filter_map(Message::into_request).count();
        take_all(exchange, u1);
    }
    u2.user = phone;
    assert!((1..=32).contains(&acknowledged), "{acknowledged}");
    u2.refuse(exchange, &ringing, 486);
    u1.refused(exchange, &dialog, 486);
    trio.finish();
}

/// The same with answers: each would have an ACK and a BYE sent to wherever its Contact leads.
#[test]
fn a_callee_answers_many_times() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let mut dialog = u1.dial(exchange, "2", &description(u1.address));
    let ringing = u2.expect_request(exchange, &Method::Invite);
    u2.pick_up(exchange, &ringing);
    u1.answered(exchange, &mut dialog);
    let phone = u2.user.clone();
    let mut ended = 0;
    for number in 0..1000 {
        u2.user = format!("{phone}-{number}");
        u2.answer(exchange, &ringing, 200, "");
        let requests = take_all(exchange, u2).into_iter();
        let requests = requests.filter_map(Message::into_request);
        ended += requests
            .filter(|request| *request.method() == Method::Bye)
            .count();
    }
    u2.user = phone;
    assert!((1..=32).contains(&ended), "{ended}");
    hang_up(exchange, u1, &mut dialog, u2);
    trio.finish();
}
