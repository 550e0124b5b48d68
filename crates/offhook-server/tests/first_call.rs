//! The call of the manual, message by message, on both legs.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_sip::{Method, Request};
use support::Exchange;
use support::party::{Dialog, Party, description};

/// u1 at one address, u2 logged in at another.
fn parties(exchange: &mut Exchange) -> (Party, Party) {
    let caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    let mut callee = Party::new("u2", "secret2", "192.0.2.101:5060");
    callee.register(exchange, 600);
    (caller, callee)
}

// checklist: R3261-113, R3261-114
#[test]
fn dial_talk_and_hang_up() {
    let mut exchange = Exchange::new();
    let (mut caller, mut callee) = parties(&mut exchange);
    let mut dialog = caller.dial(&mut exchange, "2", &description(caller.address));

    let invite = callee.expect_request(&mut exchange, &Method::Invite);
    assert_passed_without_leak(&invite, &dialog);

    callee.answer(&mut exchange, &invite, 180, "");
    caller.expect(&mut exchange, 180);
    let mut theirs = callee.answer(&mut exchange, &invite, 200, &description(callee.address));
    let ack = callee.expect_request(&mut exchange, &Method::Ack);
    assert_eq!(ack.uri().as_str(), "sip:u2@192.0.2.101:5060");
    let answer = caller.expect(&mut exchange, 200);
    let text = answer.to_string();
    for secret in ["192.0.2.101", "sip:u2", "o=private", "private-phone"] {
        assert!(
            !text.contains(secret),
            "{secret} reaches the caller:\n{text}"
        );
    }
    caller.acknowledge(&mut exchange, &mut dialog, &answer, "");

    let reason = "Reason: SIP;text=\"User hangup\"\r\n";
    caller.in_dialog(&mut exchange, &mut dialog, "BYE", reason, "", false);
    let challenge = caller.expect(&mut exchange, 401);
    callee.expect_silence(&exchange);
    caller.ask_again(&mut exchange, &mut dialog, &challenge, "BYE", reason, "");
    caller.expect(&mut exchange, 200);
    let bye = callee.expect_request(&mut exchange, &Method::Bye);
    assert_eq!(
        bye.headers().get("Reason"),
        Some("SIP;text=\"User hangup\"")
    );
    theirs.cseq += 1;
    callee.answer(&mut exchange, &bye, 200, "");

    assert_eq!(exchange.records.len(), 1);
    assert_eq!(exchange.records[0].caller, "u1");
    assert_eq!(exchange.records[0].answered_by.as_deref(), Some("u2"));
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
}

/// The callee learns the caller's user name, and nothing else of his.
fn assert_passed_without_leak(invite: &Request, dialog: &Dialog) {
    let text = invite.to_string();
    assert_eq!(invite.uri().as_str(), "sip:u2@192.0.2.101:5060");
    assert_eq!(invite.headers().get("Max-Forwards"), Some("19"));
    assert!(
        invite
            .headers()
            .get("From")
            .is_some_and(|from| from.starts_with("<sip:u1@192.0.2.50>;tag=")),
        "{text}"
    );
    assert_ne!(
        invite.headers().get("Call-ID"),
        Some(dialog.call_id.as_str())
    );
    for secret in ["192.0.2.183", "Authorization", "private"] {
        assert!(
            !text.contains(secret),
            "{secret} reaches the callee:\n{text}"
        );
    }
}
