//! A MESSAGE or OPTIONS that a phone sends on goes where a call would: a number of this exchange through
//! the dial plan, with the rights of the user whose phone that is.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_server::{Config, Redirects};
use offhook_sip::{Method, Request};
use support::party::Party;
use support::store::Store;
use support::trio::{Trio, ask, hang_up, talk};
use support::{Exchange, NUMBERS};

const USERS: &str =
    "[u1]\npassword=secret1\n[u2]\npassword=secret2\nboss=u3\n[u3]\npassword=secret3\nmaxcalls=1\n";

fn office(choose: impl FnOnce(&mut Config)) -> Trio {
    let numbers = format!("{NUMBERS}^8$=return;called=${{boss}}\n^7$=echo/\n");
    Trio::with(Exchange::of(USERS, &numbers, choose))
}

/// What u1 has for u2, whose phone names another place.
fn redirected(trio: &mut Trio, method: &Method, place: &str) {
    let (exchange, u1, u2, _) = trio.all();
    ask(exchange, u1, method.as_str(), "", "Hello");
    let asked = u2.expect_request(exchange, method);
    sent_on(exchange, u2, &asked, place);
}

/// A 302. Nothing of it is acknowledged, as it is for calls.
fn sent_on(exchange: &mut Exchange, party: &Party, asked: &Request, place: &str) {
    let mut response = asked.response(offhook_sip::StatusCode::new(302).expect("a status"));
    let headers = response.headers_mut();
    headers.set("Contact", place).expect("a good Contact");
    exchange.packet(party.address, response.to_bytes());
}

fn finish(mut trio: Trio) {
    assert_eq!(trio.exchange.server.counts().requests, 0);
    trio.finish();
}

#[test]
fn a_number_of_this_exchange_is_looked_up_here() {
    for method in [Method::Message, Method::Options] {
        for place in [
            "<sip:3@192.0.2.50>",
            "<sip:3@192.0.2.50:5060;user=phone>;q=0.7",
            "<tel:3;phone-context=house>",
            // Whom he may reach, not whom the sender may.
            "<sip:8@192.0.2.50>",
        ] {
            let mut trio = office(|_| {});
            redirected(&mut trio, &method, place);
            let (exchange, u1, _, u3) = trio.all();
            let asked = u3.expect_request(exchange, &method);
            let from = asked.headers().get("From").expect("a From");
            assert!(from.starts_with("<sip:u1@192.0.2.50>"), "{asked}");
            assert_eq!(asked.uri().as_str(), "sip:u3@192.0.2.103:5060");
            assert_eq!(asked.headers().get("Max-Forwards"), Some("19"));
            assert!(!asked.to_string().contains("192.0.2.102"), "{asked}");
            let carried = method == Method::Message;
            assert_eq!(asked.body().as_ref() == b"Hello", carried, "{asked}");
            u1.expect_silence(exchange);
            u3.answer(exchange, &asked, 200, "");
            u1.expect(exchange, 200);
            finish(trio);
        }
    }
}

#[test]
fn another_place_is_asked_itself() {
    let mut trio = office(|_| {});
    redirected(&mut trio, &Method::Message, "<sip:desk@192.0.2.99:5060>");
    let elsewhere = Party::new("desk", "", "192.0.2.99:5060");
    let (exchange, u1, _, _) = trio.all();
    let asked = elsewhere.expect_request(exchange, &Method::Message);
    assert_eq!(asked.body().as_ref(), b"Hello");
    elsewhere.answer(exchange, &asked, 486, "");
    u1.expect(exchange, 486);
    finish(trio);
}

#[test]
fn redirects_in_a_circle_end() {
    let mut trio = office(|_| {});
    redirected(&mut trio, &Method::Message, "<sip:3@192.0.2.50>");
    let (exchange, u1, _, u3) = trio.all();
    let asked = u3.expect_request(exchange, &Method::Message);
    sent_on(exchange, u3, &asked, "<sip:2@192.0.2.50>");
    u1.expect(exchange, 482);
    for place in ["<sip:2@192.0.2.50>", "<sip:u2@192.0.2.102:5060>"] {
        redirected(&mut trio, &Method::Message, place);
        trio.u1.expect(&mut trio.exchange, 482);
    }
    finish(trio);
    let mut trio = office(|config| config.calls.most_redirects = 1);
    redirected(&mut trio, &Method::Message, "<sip:3@192.0.2.50>");
    let (exchange, u1, _, u3) = trio.all();
    let asked = u3.expect_request(exchange, &Method::Message);
    sent_on(exchange, u3, &asked, "<sip:4@192.0.2.50>");
    u1.expect(exchange, 480);
    finish(trio);
}

/// One phone may name a thousand places: no more are asked than a call would ring.
#[test]
fn there_is_an_end_to_the_places_of_one_request() {
    let mut trio = office(|config| config.calls.most_branches = 4);
    let places: Vec<_> = (1..100).map(|n| format!("<sip:a{n}@192.0.2.99>")).collect();
    redirected(&mut trio, &Method::Message, &places.join(","));
    let elsewhere = Party::new("desk", "", "192.0.2.99:5060");
    let (exchange, u1, _, _) = trio.all();
    assert_eq!(exchange.waiting(elsewhere.address), 3);
    for status in [404, 404, 202] {
        let asked = elsewhere.expect_request(exchange, &Method::Message);
        elsewhere.answer(exchange, &asked, status, "");
    }
    u1.expect(exchange, 202);
    finish(trio);
}

#[test]
fn a_number_that_leads_nowhere_is_told_so() {
    let never = |config: &mut Config| config.calls.never_route = ["0900*"].into_iter().collect();
    for (place, status) in [
        ("<sip:0900123@192.0.2.50>", 403),
        ("<tel:0900-123>", 403),
        ("<sip:0900123@192.0.2.99>", 403),
        ("<sip:44@192.0.2.50>", 404),
        ("<sip:7@192.0.2.50>", 501),
    ] {
        let mut trio = office(never);
        redirected(&mut trio, &Method::Message, place);
        trio.u1.expect(&mut trio.exchange, status);
        finish(trio);
    }
}

#[test]
fn the_owner_may_want_it_otherwise() {
    for (redirects, status) in [(Redirects::Refuse, 480), (Redirects::Pass, 302)] {
        let mut trio = office(|config| config.calls.redirects = redirects);
        redirected(&mut trio, &Method::Message, "<sip:3@192.0.2.50>");
        let told = trio.u1.expect(&mut trio.exchange, status);
        let place = told.headers().get("Contact");
        assert_eq!(place == Some("<sip:3@192.0.2.50>"), status == 302, "{told}");
        finish(trio);
    }
}

#[test]
fn who_is_in_a_call_can_be_written_to() {
    let mut trio = office(|_| {});
    let (exchange, u1, _, u3) = trio.all();
    let (mut dialog, _) = talk(exchange, u1, u3, "3");
    redirected(&mut trio, &Method::Message, "<sip:3@192.0.2.50>");
    let (exchange, u1, _, u3) = trio.all();
    let asked = u3.expect_request(exchange, &Method::Message);
    u3.answer(exchange, &asked, 200, "");
    u1.expect(exchange, 200);
    hang_up(exchange, u1, &mut dialog, u3);
    finish(trio);
}

#[test]
fn the_answer_of_a_shared_store_is_waited_for_and_may_come_too_late() {
    let soon = |config: &mut Config| config.calls.no_answer = Duration::from_secs(3);
    let (mut exchange, mut store, [mut u1, u2, u3]) = Store::with_three(soon);
    for too_late in [false, true] {
        ask(&mut exchange, &mut u1, "MESSAGE", "", "Hello");
        store.serve(&mut exchange);
        let asked = u2.expect_request(&mut exchange, &Method::Message);
        sent_on(&mut exchange, &u2, &asked, "<sip:3@192.0.2.50>");
        u3.expect_silence(&exchange);
        if too_late {
            exchange.pass(Duration::from_secs(4));
            assert_eq!(exchange.server.counts().requests, 0);
        }
        assert_eq!(store.serve(&mut exchange), 1);
        if too_late {
            u3.expect_silence(&exchange);
            continue;
        }
        let asked = u3.expect_request(&mut exchange, &Method::Message);
        u3.answer(&mut exchange, &asked, 200, "");
        u1.expect(&mut exchange, 200);
    }
    exchange.assert_nothing_left();
}
