//! Voice that does not go through the exchange: descriptions pass as they are, no port is taken.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_server::{End, Outcome};
use offhook_sip::Method;
use support::party::{Party, description};
use support::{Exchange, USERS};

const NUMBERS: &str = "[default]\n^2$=;rtp_forward=no\n^[23]$=return;called=u2\n\
    ^4$=;rtp_forward=yes\n^4$=return;called=u2\n";

/// u1 dials; both talk, hold, resume and hang up. Whether each saw the other's very words.
fn call(direct_media: bool, number: &str) -> bool {
    let mut exchange = Exchange::of(USERS, NUMBERS, |config| {
        config.calls.direct_media = direct_media;
    });
    let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    let mut callee = Party::new("u2", "secret2", "192.0.2.101:5060");
    callee.register(&mut exchange, 3600);
    let offer = description(caller.address);
    let answer = description(callee.address);

    let mut dialog = caller.dial(&mut exchange, number, &offer);
    let invite = callee.expect_request(&mut exchange, &Method::Invite);
    callee.answer(&mut exchange, &invite, 200, &answer);
    callee.expect_request(&mut exchange, &Method::Ack);
    let answered = caller.answered(&mut exchange, &mut dialog);

    let hold = format!("{offer}a=sendonly\r\n");
    caller.in_dialog(&mut exchange, &mut dialog, "INVITE", "", &hold, true);
    let held = callee.expect_request(&mut exchange, &Method::Invite);
    let holds = answer.clone() + "a=recvonly\r\n";
    callee.answer(&mut exchange, &held, 200, &holds);
    callee.expect_request(&mut exchange, &Method::Ack);
    let agreed = caller.answered(&mut exchange, &mut dialog);

    let said: [&[u8]; 4] = [&offer, &answer, &hold, &holds].map(String::as_bytes);
    let heard: [&[u8]; 4] =
        [invite.body(), answered.body(), held.body(), agreed.body()].map(AsRef::as_ref);
    let untouched = said == heard;
    if untouched {
        assert_eq!(exchange.server.counts().ports, 0);
        assert!(exchange.commands.is_empty(), "{:?}", exchange.commands);
    } else {
        let any = said.iter().zip(heard).any(|(said, heard)| *said == heard);
        assert!(!any, "all are rewritten, or none");
    }
    // Addresses and names of the signalling are hidden all the same.
    let head = invite.to_string().replace(&offer, "");
    assert!(!head.contains("192.0.2.183"), "{head}");

    caller.leave(&mut exchange, &mut dialog);
    callee.is_hung_up(&mut exchange);
    let record = exchange.records.pop().expect("a record");
    assert_eq!(record.outcome, Outcome::Answered(End::Caller));
    assert_eq!(record.voice_ports.is_none(), untouched);
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
    untouched
}

#[test]
fn the_voice_goes_through_the_exchange_unless_it_is_told_otherwise() {
    assert!(!call(false, "3"));
    assert!(call(true, "3"));
}

#[test]
fn a_rule_decides_for_its_calls() {
    assert!(!call(true, "2"));
    assert!(call(false, "4"));
}
