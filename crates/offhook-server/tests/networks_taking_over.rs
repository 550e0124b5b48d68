//! Calls that are taken over, or picked up, between IPv4 and IPv6: whoever comes has ports that he can
//! reach.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_sip::Method;
use support::Exchange;
use support::networks::{FOUR, SIX, assert_suits, assert_voice, session, trio_at};
use support::party::{Party, description};
use support::trio::{hang_up, in_place_of, refer, ring, take_all, take_over, talk, they_talk};

#[test]
fn a_call_moves_to_a_phone_in_another_network() {
    for (first, second) in [
        (FOUR[0], "[2001:db8::111]:5060"),
        (SIX[0], "192.0.2.111:5060"),
    ] {
        for kept in [FOUR[1], SIX[1]] {
            for offers in [true, false] {
                moves_to_a_phone([first, second, kept], offers);
            }
        }
    }
}

fn moves_to_a_phone([first, second, kept]: [&str; 3], offers: bool) {
    let mut trio = trio_at([first, kept, FOUR[2]]);
    let (d1, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let mut second = Party::new("u1", "secret1", second);
    let (exchange, u1, u2, _) = trio.all();
    let own = description(second.address);
    let body = if offers { own.as_str() } else { "" };
    let mut dialog = take_over(exchange, &mut second, &d1, body, "");
    let asked = u2.expect_request(exchange, &Method::Invite);
    u2.answer(exchange, &asked, 200, &description(u2.address));
    if offers {
        assert_suits(asked.body(), u2);
        u2.expect_request(exchange, &Method::Ack);
    }
    let answer = second.expect(exchange, 200);
    assert_suits(answer.body(), &second);
    let said = if offers { "" } else { own.as_str() };
    second.acknowledge(exchange, &mut dialog, &answer, said);
    if !offers {
        let ack = u2.expect_request(exchange, &Method::Ack);
        assert_suits(ack.body(), u2);
    }
    u1.is_hung_up(exchange);
    assert_voice(exchange, &second, u2);
    they_talk(exchange, u2, &mut d2, &second);
    trio.finish();
}

/// u1 has called u2, who picks up with another phone, which speaks the other version of IP.
#[test]
fn a_call_is_picked_up_in_another_network() {
    for (rung, picker) in [
        (FOUR[1], "[2001:db8::112]:5060"),
        (SIX[1], "192.0.2.112:5060"),
    ] {
        for caller in [FOUR[0], SIX[0]] {
            for has_ports in [true, false] {
                picked_up([caller, rung, picker], has_ports);
            }
        }
    }
}

fn picked_up([caller, rung, picker]: [&str; 3], has_ports: bool) {
    let mut trio = trio_at([caller, rung, FOUR[2]]);
    let (exchange, u1, u2, _) = trio.all();
    let offer = description(u1.address);
    let (mut d1, d2, ringing) = ring(exchange, u1, u2, "2", &offer);

    let mut picker = Party::new("u2", "secret2", picker);
    let body = description(picker.address);
    exchange.ports_are_taken = !has_ports;
    let mut dialog = take_over(exchange, &mut picker, &d2, &body, "");
    if !has_ports {
        picker.refused(exchange, &dialog, 503);
        // It rings on.
        u2.pick_up(exchange, &ringing);
        u1.answered(exchange, &mut d1);
        assert_voice(exchange, u1, u2);
        hang_up(exchange, u1, &mut d1, u2);
        return trio.finish();
    }
    u2.is_cancelled(exchange, &ringing);
    let answer = picker.expect(exchange, 200);
    assert_suits(answer.body(), &picker);
    picker.acknowledge(exchange, &mut dialog, &answer, "");
    let asked = picker.expect_request(exchange, &Method::Invite);
    assert_suits(asked.body(), &picker);
    assert_eq!(session(&asked).1, 2, "{asked}");
    picker.answer(exchange, &asked, 200, &body);
    picker.expect_request(exchange, &Method::Ack);
    let answer = u1.answered(exchange, &mut d1);
    assert_suits(answer.body(), u1);
    assert_voice(exchange, u1, &picker);
    they_talk(exchange, u1, &mut d1, &picker);
    trio.finish();
}

/// The ports for who comes open late: he has hung up meanwhile, or whose place he was to take, or who was
/// to stay.
#[test]
fn much_may_happen_before_the_ports_are_open() {
    for comes in ["by Replaces", "from another call", "to pick up"] {
        for happens in ["nothing", "he leaves", "the other leaves", "stop"] {
            late_ports(comes, happens);
        }
    }
}

fn late_ports(comes: &str, happens: &str) {
    let mut trio = trio_at([FOUR[0], FOUR[1], SIX[2]]);
    let lent = comes == "from another call";
    let (mut d12, d2) = if comes == "to pick up" {
        let (exchange, u1, u2, _) = trio.all();
        let d1 = u1.dial(exchange, "2", &description(u1.address));
        let ringing = u2.expect_request(exchange, &Method::Invite);
        let d2 = u2.answer(exchange, &ringing, 180, "");
        (d1, d2)
    } else {
        talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2")
    };
    let mut calls = Vec::new();
    if lent {
        calls.push(talk(&mut trio.exchange, &mut trio.u1, &trio.u3, "3"));
    }
    let (exchange, u1, u2, u3) = trio.all();
    exchange.opens_late = Some(Vec::new());
    let picks_up = comes == "to pick up";
    let (user, password) = if picks_up {
        ("u2", "secret2")
    } else {
        ("u1", "secret1")
    };
    let mut second = Party::new(user, password, "[2001:db8::111]:5060");
    let mut dialog = None;
    if lent {
        let (d13, _) = &calls[0];
        let to = in_place_of("3", d13);
        refer(exchange, u1, &mut d12, &to);
        u3.expect_silence(exchange);
    } else {
        let named = if picks_up { &d2 } else { &d12 };
        let body = description(second.address);
        dialog = Some(take_over(exchange, &mut second, named, &body, ""));
        second.expect_silence(exchange);
    }
    match (happens, &dialog) {
        ("he leaves", Some(dialog)) => {
            second.cancel(exchange, dialog);
            second.expect(exchange, 200);
            second.refused(exchange, dialog, 487);
        }
        ("he leaves", None) => {
            let (_, d3) = &mut calls[0];
            u3.leave(exchange, d3);
        }
        ("the other leaves", _) if !picks_up => {
            let mut d2 = d2.clone();
            u2.leave(exchange, &mut d2);
        }
        ("stop", _) => {
            exchange.server.shut_down(exchange.now);
            exchange.pass(Duration::ZERO);
        }
        _ => {}
    }
    exchange.let_ports_open();
    exchange.pass(Duration::from_secs(40));
    take_all_and_stop(exchange, [&*u1, &*u2, &*u3, &second]);
    trio.finish();
}

/// However it goes on: whoever asks is answered, and in the end nothing is left.
fn take_all_and_stop(exchange: &mut Exchange, parties: [&Party; 4]) {
    for stops in [false, true, true] {
        if stops {
            exchange.server.shut_down(exchange.now);
        }
        for _ in 0..4 {
            for party in parties {
                take_all(exchange, party);
            }
            exchange.pass(Duration::from_secs(10));
        }
    }
}
