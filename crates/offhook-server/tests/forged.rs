//! Datagrams that bear a phone's address and port, sent by somebody who never sees an answer to them: what he asks is
//! not held against the phone, and he cannot guess without end.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_sip::Method;
use support::party::{Dialog, Party};
use support::trio::{Trio, hang_up, talk, they_talk};
use support::{Exchange, address};

const REGISTRAR: &str = "sip:192.0.2.50";

/// Credentials of u1, right or wrong, for a challenge that was got at 198.51.100.66.
fn guess(exchange: &mut Exchange, number: u16, password: &str) -> String {
    let at = format!("198.51.100.66:{number}");
    let mut guesser = Party::new("u1", password, &at);
    // His own branches and Call-IDs.
    while guesser.serial() < u32::from(number) {}
    let mut dialog = guesser.new_dialog(REGISTRAR);
    "<sip:u1@192.0.2.50>".clone_into(&mut dialog.remote);
    let text = guesser.text("REGISTER", REGISTRAR, &dialog, "", "");
    guesser.send(exchange, &text);
    let challenge = guesser.expect(exchange, 401);
    let again = Dialog {
        cseq: 2,
        branch: guesser.branch(),
        ..dialog
    };
    let text = guesser.text("REGISTER", REGISTRAR, &again, "", "");
    guesser.authorize(&text, &challenge)
}

/// Says something in the name of a place; the status that is said there.
fn forge(exchange: &mut Exchange, place: SocketAddr, text: String) -> String {
    exchange.packet(place, Bytes::from(text));
    let answer = exchange.letter(place).expect("an answer");
    exchange.pass(Duration::from_millis(10));
    String::from_utf8_lossy(&answer)[8..11].to_owned()
}

/// Wrong guesses come from a place, and what they are told is lost.
fn forged(exchange: &mut Exchange, place: SocketAddr, from: u16, count: u16) {
    for number in from..from + count {
        let text = guess(exchange, number, "guessed");
        assert_eq!(forge(exchange, place, text), "401");
    }
}

#[test]
fn forged_guesses_do_not_lock_a_phone_out() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let (mut mine, _) = talk(exchange, u1, u2, "2");
    forged(exchange, u1.address, 20_000, 60);
    // It says something in the call with the nonce it has, and with a new one.
    u1.in_dialog(exchange, &mut mine, "INFO", "", "", false);
    let challenge = u1.expect(exchange, 401);
    u1.ask_again(exchange, &mut mine, &challenge, "INFO", "", "");
    let info = u2.expect_request(exchange, &Method::Info);
    u2.answer(exchange, &info, 200, "");
    u1.expect(exchange, 200);
    they_talk(exchange, u1, &mut mine, u2);
    u1.register(exchange, 3600);
    for round in 1..4 {
        forged(exchange, u1.address, 20_000 + round * 1000, 20);
        let (mut mine, _) = talk(exchange, u1, u2, "2");
        hang_up(exchange, u1, &mut mine, u2);
        // The nonce it has is too old by now.
        exchange.pass(Duration::from_secs(400));
    }
    trio.finish();
}

#[test]
fn a_phone_that_never_logged_in_before_is_not_locked_out_either() {
    let mut exchange = Exchange::new();
    let mut phone = Party::new("u1", "secret1", "192.0.2.101:5060");
    for port in 0..20 {
        // All over its network, too.
        let place = SocketAddr::new(phone.address.ip(), 5060 + port);
        forged(&mut exchange, place, 20_000 + 100 * port, 10);
    }
    phone.register(&mut exchange, 3600);
    phone.register(&mut exchange, 0);
    exchange.assert_nothing_left();
}

/// With a nonce that is too old, or from before a restart of the exchange, a phone proves no place: as long as others
/// guess in its name it is not looked whether its credentials are right, and it is challenged, not sent away.
#[test]
fn a_phone_with_an_old_nonce_gets_a_new_one() {
    let mut exchange = Exchange::new();
    let mut phone = Party::new("u1", "secret1", "192.0.2.101:5060");
    phone.register(&mut exchange, 3600);
    exchange.pass(Duration::from_secs(400));
    forged(&mut exchange, phone.address, 20_000, 20);
    let mut dialog = phone.new_dialog(REGISTRAR);
    "<sip:u1@192.0.2.50>".clone_into(&mut dialog.remote);
    let text = phone.text("REGISTER", REGISTRAR, &dialog, "Expires: 0\r\n", "");
    let text = phone.authorize_known(&text);
    phone.send(&mut exchange, &text);
    let challenge = phone.expect(&mut exchange, 401);
    assert!(challenge.to_string().contains("stale=true"), "{challenge}");
    phone.ask_again(
        &mut exchange,
        &mut dialog,
        &challenge,
        "REGISTER",
        "Expires: 0\r\n",
        "",
    );
    phone.expect(&mut exchange, 200);
    exchange.assert_nothing_left();
}

/// Behind some NATs a phone comes from another port with each request.
#[test]
fn a_phone_whose_port_changes_logs_in() {
    let mut exchange = Exchange::new();
    for number in 20_000..20_008 {
        let text = guess(&mut exchange, number, "secret1");
        let place = SocketAddr::new(address("198.51.100.66:1").ip(), number + 1000);
        assert_eq!(forge(&mut exchange, place, text), "200");
    }
}

/// Whoever forges addresses has a handful of guesses for them all; then not even the right password tells him that it
/// is.
#[test]
fn guesses_from_everywhere_are_few() {
    let mut exchange = Exchange::new();
    for number in 0..40_u16 {
        let place = address(&format!("10.1.{number}.1:5060"));
        forged(&mut exchange, place, 20_000 + number, 1);
    }
    let right = guess(&mut exchange, 30_000, "secret1");
    let place = address("10.2.1.1:5060");
    assert_eq!(forge(&mut exchange, place, right), "401");
    exchange.pass(Duration::from_secs(3600));
    let right = guess(&mut exchange, 31_000, "secret1");
    assert_eq!(forge(&mut exchange, place, right), "200", "forgotten");
}

/// Without `rport` answers go to the port that Via names: who shares the phone's address gets his challenges at his
/// own port, and what he makes of them is held against that one.
#[test]
fn a_challenge_that_was_heard_at_another_port_proves_that_port_only() {
    let mut trio = Trio::new();
    let (exchange, u1, ..) = trio.all();
    let mut neighbour = Party::new("u1", "guessed", "192.0.2.101:7000");
    while neighbour.serial() < 40_000 {}
    let without_rport = |text: &str| text.replace(";rport", "");
    for _ in 0..30 {
        let mut dialog = neighbour.new_dialog(REGISTRAR);
        let text = neighbour.text("REGISTER", REGISTRAR, &dialog, "", "");
        exchange.packet(u1.address, Bytes::from(without_rport(&text)));
        u1.expect_silence(exchange);
        let challenge = neighbour.expect(exchange, 401);
        dialog.cseq += 1;
        dialog.branch = neighbour.branch();
        let text = neighbour.text("REGISTER", REGISTRAR, &dialog, "", "");
        let text = neighbour.authorize(&without_rport(&text), &challenge);
        exchange.packet(u1.address, Bytes::from(text));
        neighbour.expect_one_of(exchange, &[401, 503]);
    }
    u1.register(exchange, 3600);
    trio.finish();
}

/// Whoever answers challenges of his own is held up, at a place where the user has logged in too.
#[test]
fn guesses_at_the_phones_own_place_are_slowed_down() {
    let mut trio = Trio::new();
    let (exchange, u1, ..) = trio.all();
    let mut guesser = Party::new("u1", "guessed", &u1.address.to_string());
    while guesser.serial() < 40_000 {}
    let refused = (0..20).filter(|_| {
        guesser.ask_to_register(exchange, 3600);
        let answer = guesser.expect_one_of(exchange, &[401, 503]);
        answer.status().get() == 503
    });
    assert!(refused.count() > 10);
    exchange.pass(Duration::from_secs(600));
    trio.finish();
}

/// Requests without credentials, fewer than the limit of a place.
#[test]
fn a_trickle_of_forged_requests_leaves_a_phone_its_own() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    for round in 0..5 {
        for number in 0..400 {
            let mut forger = Party::new("evil", "guessed", &u1.address.to_string());
            let mut dialog = forger.new_dialog("sip:2@192.0.2.50");
            dialog.call_id = format!("forged-{round}-{number}");
            dialog.branch = format!("z9hG4bK-forged-{round}-{number}");
            let uri = "sip:2@192.0.2.50";
            forger.send(exchange, &forger.text("INVITE", uri, &dialog, "", ""));
            exchange.letter(u1.address);
        }
        u1.register(exchange, 3600);
        let (mut mine, _) = talk(exchange, u1, u2, "2");
        hang_up(exchange, u1, &mut mine, u2);
        exchange.pass(Duration::from_secs(1));
    }
    trio.finish();
}
