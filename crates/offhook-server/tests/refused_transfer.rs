//! Every way in which a blind transfer can fail, and what a stranger gets who tries one.
//!
//! Who is who: u1 and u2 talk, u3 is the target. All messages are plain text, so that nothing the
//! exchange says goes unseen.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::Method;
use support::party::{Party, description};
use support::trio::{
    Trio, conversation, hang_up, notified, refer, referred, reinvited, talk, they_talk, voice_of,
};
use support::{Exchange, USERS};

#[test]
fn a_target_that_does_not_take_it_leaves_the_call_as_it_was() {
    for (status, line) in [
        (486, "486 Busy Here"),
        (603, "603 Decline"),
        (404, "404 Not Found"),
    ] {
        let (mut trio, mut d1, _d2) = conversation();
        let (exchange, u1, u2, u3) = trio.all();
        let invite = referred(exchange, u1, &mut d1, u3);
        u3.refuse(exchange, &invite, status);
        notified(exchange, u1, line, true);
        u2.expect_silence(exchange);
        assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
        they_talk(exchange, u1, &mut d1, u2);
        trio.finish();
    }
}

#[test]
fn a_target_that_cannot_be_reached_leaves_the_call_as_it_was() {
    for (to, line) in [
        ("sip:999@192.0.2.50", "404 Not Found"),
        ("sip:3@192.0.2.50", "480 Temporarily Unavailable"),
    ] {
        let (mut trio, mut d1, _d2) = conversation();
        let (exchange, u1, u2, u3) = trio.all();
        u3.register(exchange, 0);
        refer(exchange, u1, &mut d1, to);
        notified(exchange, u1, line, true);
        u2.expect_silence(exchange);
        they_talk(exchange, u1, &mut d1, u2);
        trio.finish();
    }
}

#[test]
fn a_target_that_never_answers_is_given_up() {
    let exchange = Exchange::with(|config| config.calls.no_answer = Duration::from_secs(20));
    let mut trio = Trio::with(exchange);
    let (mut d1, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    u3.answer(exchange, &invite, 180, "");
    notified(exchange, u1, "180 Ringing", false);
    exchange.pass(Duration::from_millis(20_100));
    notified(exchange, u1, "480 Temporarily Unavailable", true);
    u3.is_cancelled(exchange, &invite);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn who_is_to_be_transferred_may_refuse() {
    let (mut trio, mut d1, _d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    u3.pick_up(exchange, &invite);
    reinvited(exchange, u2, 488, "");
    notified(exchange, u1, "488 Not Acceptable Here", true);
    u3.is_hung_up(exchange);
    // The voice goes where it went before.
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn who_is_to_be_transferred_may_hang_up() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    u3.answer(exchange, &invite, 180, "");
    notified(exchange, u1, "180 Ringing", false);
    u2.in_dialog(exchange, &mut d2, "BYE", "", "", true);
    notified(exchange, u1, "487 Request Terminated", true);
    u2.expect(exchange, 200);
    u1.is_hung_up(exchange);
    u3.is_cancelled(exchange, &invite);
    assert_eq!(exchange.records.len(), 1);
    trio.finish();
}

#[test]
fn a_target_may_hang_up_while_the_other_is_asked() {
    let (mut trio, mut d1, _d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    let mut d3 = u3.pick_up(exchange, &invite);
    let asked = u2.expect_request(exchange, &Method::Invite);
    u3.leave(exchange, &mut d3);
    notified(exchange, u1, "480 Temporarily Unavailable", true);
    u2.pick_up(exchange, &asked);
    // It is told again what holds, and the voice goes where it went before.
    reinvited(exchange, u2, 200, &description(u2.address));
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn what_is_no_transfer_is_refused() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    for (extra, status) in [
        ("", 400),
        (
            "Refer-To: <sip:3@192.0.2.50>\r\nRefer-To: <sip:4@192.0.2.50>\r\n",
            400,
        ),
        ("Refer-To: <sip:3@192.0.2.50;method=BYE>\r\n", 403),
        ("Refer-To: <sip:3@192.0.2.50?Replaces=broken>\r\n", 400),
        (
            "Refer-To: <sip:3@192.0.2.50>\r\nRequire: multiple-refer\r\n",
            420,
        ),
    ] {
        u1.in_dialog(exchange, &mut d1, "REFER", extra, "", true);
        u1.expect(exchange, status);
    }
    // No hop is left for the call that would follow.
    d1.cseq += 1;
    d1.branch = u1.branch();
    let to = "Refer-To: <sip:3@192.0.2.50>\r\n";
    let text = u1.text("REFER", &d1.target, &d1, to, "");
    let challenge = {
        u1.send(exchange, &text);
        u1.expect(exchange, 401)
    };
    d1.cseq += 1;
    d1.branch = u1.branch();
    let text = u1.text("REFER", &d1.target, &d1, to, "");
    let text = text.replace("Max-Forwards: 20", "Max-Forwards: 0");
    let text = u1.authorize(&text, &challenge);
    u1.send(exchange, &text);
    u1.expect(exchange, 483);
    u3.expect_silence(exchange);

    // One at a time.
    let invite = referred(exchange, u1, &mut d1, u3);
    u1.in_dialog(exchange, &mut d1, "REFER", to, "", true);
    u1.expect(exchange, 491);
    u2.in_dialog(exchange, &mut d2, "REFER", to, "", true);
    u2.expect(exchange, 491);
    u3.refuse(exchange, &invite, 486);
    notified(exchange, u1, "486 Busy Here", true);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

/// Somebody who has overheard everything, and has an account of his own.
#[test]
fn nobody_transfers_the_calls_of_others() {
    let (mut trio, d1, _d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let to = "Refer-To: <sip:3@192.0.2.50>\r\n";
    let mut liar = Party::new("u3", "secret3", "192.0.2.66:5060");
    // His own proof in the dialog of u1.
    let mut stolen = d1.clone();
    stolen.cseq += 10;
    liar.in_dialog(exchange, &mut stolen, "REFER", to, "", false);
    let challenge = liar.expect(exchange, 401);
    liar.ask_again(exchange, &mut stolen, &challenge, "REFER", to, "");
    liar.expect(exchange, 403);
    // Tags that are not those of the dialog.
    for guess in ["one", ""] {
        let mut guessed = stolen.clone();
        guessed.remote = format!("<sip:2@192.0.2.50>;tag=guess{guess}");
        liar.in_dialog(exchange, &mut guessed, "REFER", to, "", true);
        liar.expect(exchange, 481);
    }
    // Outside of any dialog.
    let mut alone = liar.new_dialog("sip:2@192.0.2.50");
    liar.in_dialog(exchange, &mut alone, "REFER", to, "", true);
    liar.expect(exchange, 403);
    for party in [&*u1, &*u2, &*u3] {
        party.expect_silence(exchange);
    }
    let mut d1 = d1;
    d1.cseq += 20;
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

/// A rule leads outside; who answers there has no account and may send nobody anywhere.
#[test]
fn a_side_without_an_account_transfers_nobody() {
    let numbers = "[default]\n^5$=sip/sip:gate@192.0.2.200:5060\n^3$=return;called=u3\n";
    let mut trio = Trio::with(Exchange::of(USERS, numbers, |_| {}));
    let mut gate = Party::new("gate", "none", "192.0.2.200:5060");
    let (mut d1, mut dg) = talk(&mut trio.exchange, &mut trio.u1, &gate, "5");
    let (exchange, u1, _, u3) = trio.all();
    let to = "Refer-To: <sip:3@192.0.2.50>\r\n";
    gate.in_dialog(exchange, &mut dg, "REFER", to, "", false);
    gate.expect(exchange, 403);
    u3.expect_silence(exchange);
    // But it can be transferred.
    let invite = referred(exchange, u1, &mut d1, u3);
    let mut d3 = u3.pick_up(exchange, &invite);
    reinvited(exchange, &gate, 200, &description(gate.address));
    notified(exchange, u1, "200 OK", true);
    u1.leave(exchange, &mut d1);
    hang_up(exchange, u3, &mut d3, &gate);
    trio.finish();
}
