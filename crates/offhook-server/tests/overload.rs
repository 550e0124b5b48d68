//! More comes than the machine can do: what is new is refused in time, what has begun goes on.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_server::Event;
use offhook_sip::{Method, Response, StatusCode};
use support::Exchange;
use support::party::{Dialog, Party, description};
use support::trio::{Trio, hang_up, talk};

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_millis(30);
const FAR: Duration = Duration::from_millis(150);

/// For a while every packet has waited so long.
fn behind(exchange: &mut Exchange, waited: Duration) {
    for _ in 0..50 {
        exchange.pass(Duration::from_millis(2));
        exchange.server.handle_delay(exchange.now, waited);
    }
}

/// The place of this phone asks for many things.
fn asks_for_much(exchange: &mut Exchange, party: &mut Party) {
    for _ in 0..20 {
        ask(exchange, party);
    }
}

/// An INVITE without credentials, and what it is told.
fn ask(exchange: &mut Exchange, party: &mut Party) -> (Dialog, Response) {
    let uri = "sip:2@192.0.2.50";
    let dialog = party.new_dialog(uri);
    let body = description(party.address);
    party.send(exchange, &party.text("INVITE", uri, &dialog, "", &body));
    let answer = party.expect_one_of(exchange, &[401, 503]);
    party.acknowledge_failure(exchange, &dialog, &answer);
    (dialog, answer)
}

fn is_refused(exchange: &mut Exchange, party: &mut Party) -> bool {
    let (_, answer) = ask(exchange, party);
    let refused = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
    let later = answer.headers().get("Retry-After");
    assert_eq!(later, refused.then_some("5"), "{answer}");
    refused
}

fn reports(exchange: &Exchange) -> usize {
    let told = exchange.events.iter();
    told.filter(|event| matches!(event, Event::Overload { .. }))
        .count()
}

#[test]
fn who_would_begin_a_call_is_told_to_come_later_and_calls_go_on() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, u3) = trio.all();
    let (mut mine, _) = talk(exchange, u1, u2, "2");
    let before = exchange.server.counts();
    behind(exchange, LONG);
    asks_for_much(exchange, u3);
    for _ in 0..100 {
        assert!(is_refused(exchange, u3));
    }
    assert_eq!(exchange.server.counts(), before, "nothing is kept of them");
    assert_eq!(reports(exchange), 1, "not of each one");
    u1.in_dialog(exchange, &mut mine, "INFO", "", "", true);
    let info = u2.expect_request(exchange, &Method::Info);
    u2.answer(exchange, &info, 200, "");
    u1.expect(exchange, 200);
    hang_up(exchange, u1, &mut mine, u2);
    behind(exchange, SHORT);
    assert!(!is_refused(exchange, u3));
    trio.finish();
}

/// A machine that is slow to wake is late for each packet, and behind with none.
#[test]
fn a_wait_without_a_queue_and_a_short_queue_are_no_overload() {
    let mut exchange = Exchange::new();
    let mut stranger = Party::new("u1", "secret1", "192.0.2.183:5060");
    for _ in 0..100 {
        exchange.pass(FAR + Duration::from_millis(50));
        exchange.server.handle_delay(exchange.now, FAR);
        assert!(!is_refused(&mut exchange, &mut stranger));
    }
    // Held up, it comes back to a queue, and is through it in no time.
    exchange.pass(FAR);
    for _ in 0..100 {
        exchange.server.handle_delay(exchange.now, FAR);
        assert!(!is_refused(&mut exchange, &mut stranger));
    }
    // Held up twice, with a few that wait.
    exchange.server.handle_delay(exchange.now, SHORT);
    for _ in 0..2 {
        exchange.pass(FAR);
        for _ in 0..5 {
            exchange.server.handle_delay(exchange.now, 2 * FAR);
            assert!(!is_refused(&mut exchange, &mut stranger));
        }
    }
    behind(&mut exchange, LONG);
    asks_for_much(&mut exchange, &mut stranger);
    assert!(is_refused(&mut exchange, &mut stranger));
    // What comes on connections has no delay that anybody knows.
    exchange.pass(Duration::from_millis(200));
    assert!(!is_refused(&mut exchange, &mut stranger));
    exchange.assert_nothing_left();
}

/// Milliseconds that pass, and how much less the packets that are handled then have waited: after the
/// machine was stopped it has a queue, and works it off.
fn works_off(
    exchange: &mut Exchange,
    party: &mut Party,
    stopped: u64,
    faster: (u64, u64),
) -> usize {
    exchange.server.handle_delay(exchange.now, SHORT);
    exchange.pass(Duration::from_millis(stopped));
    let (fall, time) = faster;
    let waits = (0..=stopped)
        .step_by(2)
        .map(|passed| stopped - passed * fall / time);
    let refused = waits.filter(|waited| {
        exchange.pass(Duration::from_millis(2));
        let waited = Duration::from_millis(*waited);
        exchange.server.handle_delay(exchange.now, waited);
        is_refused(exchange, party)
    });
    refused.count()
}

#[test]
fn a_queue_that_is_quickly_worked_off_is_no_overload() {
    let mut exchange = Exchange::new();
    let mut stranger = Party::new("u1", "secret1", "192.0.2.183:5060");
    for stopped in [100, 150, 240] {
        let refused = works_off(&mut exchange, &mut stranger, stopped, (1, 2));
        assert_eq!(refused, 0, "stopped for {stopped} ms");
        exchange.pass(Duration::from_secs(1));
    }
    // One that hardly shrinks, and one in which phones begin to repeat themselves.
    for (stopped, faster) in [(150, (1, 10)), (500, (1, 2))] {
        let refused = works_off(&mut exchange, &mut stranger, stopped, faster);
        assert!(refused > 20, "stopped for {stopped} ms: {refused}");
        exchange.pass(Duration::from_secs(1));
    }
    // Refusals shorten a queue: that it shrinks then says nothing.
    behind(&mut exchange, FAR);
    asks_for_much(&mut exchange, &mut stranger);
    for waited in [140, 120, 100, 80, 60, 40] {
        exchange.pass(Duration::from_millis(2));
        let waited = Duration::from_millis(waited);
        exchange.server.handle_delay(exchange.now, waited);
        assert!(is_refused(&mut exchange, &mut stranger));
    }
    exchange.pass(Duration::from_secs(1));
    exchange.assert_nothing_left();
}

/// Strangers who keep a queue that stays, and ask for no more than it takes: they are refused themselves, for
/// as long as they like, and no phone is.
#[test]
fn a_trickle_of_strangers_that_never_ends_shuts_no_phone_out() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let mut strangers: Vec<_> = (0..20)
        .map(|port| {
            let at = format!("198.51.100.66:{}", 7000 + port);
            let mut stranger = Party::new("evil", "guessed", &at);
            while stranger.serial() < port * 10_000 {}
            stranger
        })
        .collect();
    let mut refused = 0;
    for round in 0..30 {
        for stranger in &mut strangers {
            exchange.pass(Duration::from_millis(5));
            let waited = if round % 2 == 0 { LONG } else { FAR };
            exchange.server.handle_delay(exchange.now, waited);
            refused += usize::from(is_refused(exchange, stranger));
        }
        let (mut mine, _) = talk(exchange, u1, u2, "2");
        hang_up(exchange, u1, &mut mine, u2);
        u1.register(exchange, 3600);
    }
    assert!(refused > 300, "{refused}");
    trio.finish();
}

#[test]
fn phones_are_not_shut_out_by_strangers_and_their_own_rush_is_bounded() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, u3) = trio.all();
    let mut stranger = Party::new("evil", "guessed", "198.51.100.66:5060");
    let trouble: [fn(&mut Exchange); 2] = [
        |exchange| behind(exchange, FAR),
        |exchange| exchange.server.handle_loss(exchange.now),
    ];
    for (port, begin) in (5060..).zip(trouble) {
        asks_for_much(exchange, &mut stranger);
        begin(exchange);
        asks_for_much(exchange, &mut stranger);
        for _ in 0..200 {
            assert!(is_refused(exchange, &mut stranger));
        }
        // Calls and logins of phones go on, and a phone that nobody knew yet comes.
        let (mut mine, _) = talk(exchange, u1, u2, "2");
        hang_up(exchange, u1, &mut mine, u2);
        u3.register(exchange, 3600);
        let mut new = Party::new("u3", "secret3", &format!("192.0.2.99:{port}"));
        // Its own branches and Call-IDs.
        while new.serial() < port {}
        new.register(exchange, 3600);
        new.register(exchange, 0);
        exchange.pass(Duration::from_secs(1));
        assert!(!is_refused(exchange, &mut stranger));
        // The phones themselves ask for too much.
        begin(exchange);
        asks_for_much(exchange, u3);
        assert!(is_refused(exchange, u3));
        exchange.pass(Duration::from_secs(1));
    }
    trio.finish();
}

#[test]
fn who_has_got_a_challenge_may_go_on_unless_the_machine_is_far_behind() {
    for (waited, goes_on) in [(LONG, true), (FAR, false)] {
        let mut trio = Trio::new();
        let (exchange, u1, u2, _) = trio.all();
        let (mut dialog, challenge) = ask(exchange, u1);
        behind(exchange, waited);
        asks_for_much(exchange, u1);
        let body = description(u1.address);
        u1.ask_again(exchange, &mut dialog, &challenge, "INVITE", "", &body);
        if goes_on {
            let invite = u2.expect_request(exchange, &Method::Invite);
            u2.answer(exchange, &invite, 180, "");
            u1.expect(exchange, 180);
            // Far behind, what has begun goes on all the same: the caller may give up, and answers count.
            behind(exchange, FAR);
            u1.cancel(exchange, &dialog);
            u1.expect(exchange, 200);
            u1.refused(exchange, &dialog, 487);
            u2.is_cancelled(exchange, &invite);
        } else {
            u1.refused(exchange, &dialog, 503);
            u2.expect_silence(exchange);
        }
        behind(exchange, SHORT);
        trio.finish();
    }
}

#[test]
fn lost_packets_are_an_overload_too() {
    let mut trio = Trio::new();
    let (exchange, u1, ..) = trio.all();
    exchange.server.handle_delay(exchange.now, SHORT);
    exchange.server.handle_loss(exchange.now);
    asks_for_much(exchange, u1);
    assert!(is_refused(exchange, u1));
    exchange.pass(Duration::from_millis(150));
    assert!(!is_refused(exchange, u1));
    trio.finish();
}

#[test]
fn whoever_is_known_is_answered_however_often_he_is_refused() {
    let mut trio = Trio::new();
    let (exchange, u1, ..) = trio.all();
    behind(exchange, LONG);
    asks_for_much(exchange, u1);
    for _ in 0..11_000 {
        assert!(is_refused(exchange, u1));
    }
    behind(exchange, SHORT);
    assert!(!is_refused(exchange, u1));
    trio.finish();
}
