//! Strangers who ask too much: they are told so, take no room, and disturb nobody.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_server::{Event, FloodLimits};
use offhook_sip::{Message, Method, StatusCode, parse_datagram};
use support::Exchange;
use support::party::{Party, description};

/// Ten a second from an address, five from a port of it, thirty in all; four seconds' worth at once.
fn small(config: &mut offhook_server::Config) {
    config.flood = FloodLimits {
        a_source: 10,
        in_all: 30,
        burst: Duration::from_secs(4),
        retry_after: 7,
    };
}

/// Stranger after stranger at this address: one request each, of this method.
fn stranger(exchange: &mut Exchange, at: &str, method: &str, number: u32) -> Party {
    let mut stranger = Party::new("evil", "guessed", at);
    let uri = "sip:2@192.0.2.50";
    let mut dialog = stranger.new_dialog(uri);
    dialog.call_id = format!("flood-{at}-{number}");
    dialog.branch = format!("z9hG4bK-flood-{at}-{number}");
    stranger.send(exchange, &stranger.text(method, uri, &dialog, "", ""));
    stranger
}

fn status(letter: Option<Bytes>) -> Option<(StatusCode, Option<String>)> {
    let message = parse_datagram(letter?).expect("good SIP");
    let Message::Response(response) = message else {
        panic!("a response is wanted:\n{message}")
    };
    let retry_after = response.headers().get("Retry-After").map(str::to_owned);
    Some((response.status(), retry_after))
}

#[test]
fn nothing_is_kept_of_strangers_and_nothing_is_sent_to_them_twice() {
    let mut exchange = Exchange::new();
    let methods = [
        "INVITE",
        "REGISTER",
        "OPTIONS",
        "MESSAGE",
        "SUBSCRIBE",
        "BYE",
        "REFER",
        "FOO",
    ];
    let at = "198.51.100.7:5060";
    for (number, method) in (0..).zip(methods) {
        let stranger = stranger(&mut exchange, at, method, number);
        let answers = exchange.waiting(stranger.address);
        assert_eq!(answers, 1, "{method}");
        assert!(exchange.server.counts().ua.is_empty(), "{method}");
        exchange.pass(Duration::from_secs(60));
        assert_eq!(exchange.waiting(stranger.address), 1, "{method} again");
        exchange.letter(stranger.address);
    }
    exchange.assert_nothing_left();
}

#[test]
fn a_wrong_password_leaves_nothing_either() {
    let mut exchange = Exchange::new();
    let mut liar = Party::new("u1", "guessed", "198.51.100.7:5060");
    liar.dial(&mut exchange, "2", &description(liar.address));
    liar.expect(&mut exchange, 401);
    assert!(exchange.server.counts().ua.is_empty());
    exchange.pass(Duration::from_secs(60));
    liar.expect_silence(&exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_place_that_asks_too_much_is_told_so_then_ignored_and_is_heard_again_later() {
    let mut exchange = Exchange::with(small);
    let at = "198.51.100.7:5060";
    for number in 0..100 {
        stranger(&mut exchange, at, "INVITE", number);
    }
    let at: SocketAddr = at.parse().expect("an address");
    let answers: Vec<_> = std::iter::from_fn(|| status(exchange.letter(at))).collect();
    let challenged = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::UNAUTHORIZED);
    let busy = (StatusCode::SERVICE_UNAVAILABLE, Some("7".to_owned()));
    assert_eq!(challenged.count(), 20);
    assert_eq!(answers.iter().filter(|answer| **answer == busy).count(), 20);
    assert_eq!(answers.len(), 40, "the other sixty are ignored");
    let reports = |exchange: &Exchange| {
        let told = exchange.events.iter();
        told.filter(|event| matches!(event, Event::Flood { .. }))
            .count()
    };
    assert_eq!(reports(&exchange), 1, "not one for each packet");
    exchange.pass(Duration::from_secs(2));
    stranger(&mut exchange, "198.51.100.7:5060", "INVITE", 200);
    let (status, _) = status(exchange.letter(at)).expect("an answer");
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    exchange.assert_nothing_left();
}

#[test]
fn a_thousand_phones_behind_one_address_are_no_flood() {
    let users: Vec<String> = (0..1000)
        .map(|user| format!("[u{user}]\npassword=p{user}\n"))
        .collect();
    let users = users.concat();
    let mut exchange = Exchange::of(&users, "[default]\n", small);
    for user in 0..1000 {
        let at = format!("198.51.100.7:{}", 10_000 + user);
        let mut phone = Party::new(&format!("u{user}"), &format!("p{user}"), &at);
        phone.register(&mut exchange, 3600);
    }
}

#[test]
fn calls_go_on_and_begin_during_a_flood_from_everywhere_and_from_the_neighbours() {
    let mut exchange = Exchange::with(small);
    let mut caller = Party::new("u1", "secret1", "198.51.100.7:5060");
    let mut callee = Party::new("u2", "secret2", "198.51.100.7:5062");
    for phone in [&mut caller, &mut callee] {
        phone.register(&mut exchange, 3600);
    }
    let flood = |exchange: &mut Exchange, round: u32| {
        for number in 0..200 {
            let own = format!("198.51.100.7:{}", 10_000 + number);
            let far = format!("203.0.113.{number}:5060");
            for at in [own, far] {
                stranger(exchange, &at, "INVITE", round * 1000 + number);
            }
        }
    };
    flood(&mut exchange, 1);
    // A call begins.
    let body = description(caller.address);
    let mut dialog = caller.dial(&mut exchange, "2", &body);
    let invite = callee.expect_request(&mut exchange, &Method::Invite);
    flood(&mut exchange, 2);
    callee.pick_up(&mut exchange, &invite);
    caller.answered(&mut exchange, &mut dialog);
    // It goes on, though the caller's own place now asks too much: his address may be forged.
    for number in 0..100 {
        stranger(
            &mut exchange,
            "198.51.100.7:5060",
            "REGISTER",
            5000 + number,
        );
    }
    while exchange.letter(caller.address).is_some() {}
    flood(&mut exchange, 3);
    caller.in_dialog(&mut exchange, &mut dialog, "BYE", "", "", true);
    callee.is_hung_up(&mut exchange);
    caller.expect(&mut exchange, 200);
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
}

#[test]
fn a_caller_whose_place_is_flooded_can_still_give_up() {
    let mut exchange = Exchange::with(small);
    let mut caller = Party::new("u1", "secret1", "198.51.100.7:5060");
    let mut callee = Party::new("u2", "secret2", "198.51.100.8:5060");
    callee.register(&mut exchange, 3600);
    let body = description(caller.address);
    let dialog = caller.dial(&mut exchange, "2", &body);
    callee.expect_request(&mut exchange, &Method::Invite);
    for number in 0..100 {
        stranger(&mut exchange, "198.51.100.7:5060", "OPTIONS", number);
    }
    while exchange.letter(caller.address).is_some() {}
    caller.send(
        &mut exchange,
        &caller.text("CANCEL", &dialog.target, &dialog, "", ""),
    );
    caller.expect(&mut exchange, 200);
    caller.refused(&mut exchange, &dialog, 487);
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
}

#[test]
fn what_cannot_be_read_counts_too_and_keep_alives_do_not() {
    let mut exchange = Exchange::with(small);
    let at: SocketAddr = "198.51.100.7:5060".parse().expect("an address");
    for _ in 0..100 {
        exchange.packet(at, "\r\n\r\n");
    }
    let broken = "INVITE sip:2@192.0.2.50 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n\
                  From: <sip:x@y>;tag=1\r\nTo: <sip:2@192.0.2.50>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: -1\r\n\r\n";
    for _ in 0..100 {
        exchange.packet(at, broken);
    }
    let answers = exchange.waiting(at);
    assert!((1..=20).contains(&answers), "{answers}");
}
