//! What the owner forbids: numbers that are never called, more calls than a user may have, loops.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_server::Config;
use offhook_sip::Method;
use support::party::{Party, description};
use support::trio::{hang_up, talk};
use support::{Exchange, NUMBERS, USERS};

const CALLER: &str = "192.0.2.183:5060";
const CALLEE: &str = "192.0.2.101:5060";

/// u1 dials, and is told this at once; nobody else hears of it.
fn refused(numbers: &str, choose: impl FnOnce(&mut Config), dialled: &str, status: u16) {
    let mut exchange = Exchange::of(USERS, numbers, choose);
    let mut caller = Party::new("u1", "secret1", CALLER);
    let body = description(caller.address);
    let dialog = caller.dial(&mut exchange, dialled, &body);
    caller.refused(&mut exchange, &dialog, status);
    for elsewhere in ["192.0.2.50:5060", "203.0.113.9:5060"] {
        let place = Party::new("gateway", "", elsewhere);
        place.expect_silence(&exchange);
    }
    exchange.assert_nothing_left();
}

fn never(config: &mut Config) {
    config.calls.never_route = ["112", "0900*"].into_iter().collect();
}

#[test]
fn a_number_that_is_never_routed_is_refused_before_any_rule() {
    let all = "[default]\n^.*$=sip/sip:\\0@203.0.113.9\n";
    for dialled in [
        "112",
        "0900123",
        "0900-123",
        "%30900123",
        "(0900)1.2",
        "0900123;ext=1",
    ] {
        refused(all, never, dialled, 403);
    }
}

#[test]
fn a_rule_cannot_lead_there_either() {
    let prefixed = "[default]\n^9\\(.*\\)$=sip/sip:\\1@203.0.113.9\n";
    refused(prefixed, never, "9112", 403);
    refused(prefixed, never, "90900123", 403);
}

#[test]
fn rules_that_lead_back_to_the_server_are_a_loop() {
    let numbers = "[default]\n^5$=sip/sip:6@192.0.2.50\n^6$=sip/sip:5@192.0.2.50:5060\n";
    refused(numbers, |_| {}, "5", 482);
    refused(numbers, |_| {}, "6", 482);
    let domain = |config: &mut Config| config.calls.domain = Some("pbx.example".to_owned());
    refused("[default]\n^5$=sip/sip:5@PBX.example\n", domain, "5", 482);
}

#[test]
fn a_redirect_leads_neither_back_nor_to_a_forbidden_number() {
    for (place, status) in [
        ("<sip:0900123@203.0.113.9>", 403),
        ("<sip:2@192.0.2.50>", 482),
    ] {
        let mut exchange = Exchange::with(never);
        let mut caller = Party::new("u1", "secret1", CALLER);
        let mut callee = Party::new("u2", "secret2", CALLEE);
        callee.register(&mut exchange, 3600);
        let body = description(caller.address);
        let dialog = caller.dial(&mut exchange, "2", &body);
        let invite = callee.expect_request(&mut exchange, &Method::Invite);
        callee.redirect(&mut exchange, &invite, place);
        caller.refused(&mut exchange, &dialog, status);
        callee.register(&mut exchange, 0);
        exchange.assert_nothing_left();
    }
}

#[test]
fn a_user_is_in_no_more_calls_than_he_may_be() {
    let users =
        "[u1]\npassword=secret1\n[u2]\npassword=secret2\nmaxcalls=2\n[u3]\npassword=secret3\n";
    let one = |config: &mut Config| config.calls.calls_a_user = Some(1);
    let mut exchange = Exchange::of(users, NUMBERS, one);
    let mut first = Party::new("u1", "secret1", CALLER);
    let mut third = Party::new("u3", "secret3", "192.0.2.3:5060");
    let mut callee = Party::new("u2", "secret2", CALLEE);
    callee.register(&mut exchange, 3600);
    let mut dialogs = vec![talk(&mut exchange, &mut first, &callee, "2").0];
    // u1 is in one call, and may be in no other.
    let body = description(first.address);
    let dialog = first.dial(&mut exchange, "3", &body);
    first.refused(&mut exchange, &dialog, 486);
    // u2 may be in two, by his own parameter; a third call does not ring.
    dialogs.push(talk(&mut exchange, &mut third, &callee, "2").0);
    let dialog = callee.dial(&mut exchange, "1", &description(callee.address));
    callee.refused(&mut exchange, &dialog, 486);
    let mut dialogs = dialogs.into_iter();
    let mut next = || dialogs.next().expect("two calls");
    hang_up(&mut exchange, &mut first, &mut next(), &callee);
    // There is room again.
    let (mut again, _) = talk(&mut exchange, &mut first, &callee, "2");
    hang_up(&mut exchange, &mut first, &mut again, &callee);
    hang_up(&mut exchange, &mut third, &mut next(), &callee);
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
}

#[test]
fn a_server_that_is_being_stopped_takes_no_new_call() {
    let mut exchange = Exchange::new();
    exchange.server.shut_down(exchange.now);
    let mut caller = Party::new("u1", "secret1", CALLER);
    let body = description(caller.address);
    let dialog = caller.dial(&mut exchange, "2", &body);
    caller.refused(&mut exchange, &dialog, 503);
    exchange.assert_nothing_left();
}

type Choice = fn(&mut Config);

/// At its limits the exchange says when to try again, and what goes on is not touched.
#[test]
fn a_call_too_many_is_told_when_to_try_again() {
    let no_ports = |config: &mut Config| config.media.ports = 20_000..=20_003;
    let one_call = |config: &mut Config| config.max_calls = 1;
    let choices: [(Choice, &str); 4] = [
        (one_call, "2"),
        (no_ports, "2"),
        (no_ports, "9"),
        (|config| config.attendant.most_rooms = 0, "7"),
    ];
    for (choose, dialled) in choices {
        let numbers = format!("{NUMBERS}^9$=echo/\n^7$=conf/7\n");
        let mut exchange = Exchange::of(USERS, &numbers, choose);
        let mut first = Party::new("u1", "secret1", CALLER);
        let mut third = Party::new("u3", "secret3", "192.0.2.3:5060");
        let mut callee = Party::new("u2", "secret2", CALLEE);
        callee.register(&mut exchange, 3600);
        let (mut dialog, _) = talk(&mut exchange, &mut first, &callee, "2");
        let again = third.dial(&mut exchange, dialled, &description(third.address));
        let refusal = third.expect(&mut exchange, 503);
        assert_eq!(refusal.headers().get("Retry-After"), Some("5"), "{dialled}");
        third.acknowledge_failure(&mut exchange, &again, &refusal);
        callee.expect_silence(&exchange);
        first.in_dialog(&mut exchange, &mut dialog, "INFO", "", "", true);
        let info = callee.expect_request(&mut exchange, &Method::Info);
        callee.answer(&mut exchange, &info, 200, "");
        first.expect(&mut exchange, 200);
        hang_up(&mut exchange, &mut first, &mut dialog, &callee);
        callee.register(&mut exchange, 0);
        exchange.assert_nothing_left();
    }
}
