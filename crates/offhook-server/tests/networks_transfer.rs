//! Transfers between IPv4 and IPv6: the leg whose place is taken has ports in both until it is known who
//! has it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::Method;
use support::networks::{FOUR, SIX, assert_open, assert_suits, assert_voice, session, trio_at};
use support::party::{Party, description};
use support::trio::{
    in_place_of, notified, refer, refer_early, referred, referred_and_rings, reinvited, ring,
    take_all, take_over, talk, they_talk, voice_of,
};

/// Who is where: the transferor and the target always speak different versions.
fn towns() -> [[&'static str; 3]; 4] {
    [
        [FOUR[0], FOUR[1], SIX[2]],
        [FOUR[0], SIX[1], SIX[2]],
        [SIX[0], FOUR[1], FOUR[2]],
        [SIX[0], SIX[1], FOUR[2]],
    ]
}

#[test]
fn a_target_in_another_network() {
    for town in towns() {
        let mut trio = trio_at(town);
        let (mut d1, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
        let (exchange, u1, u2, u3) = trio.all();
        let invite = referred(exchange, u1, &mut d1, u3);
        assert_suits(invite.body(), u3);
        u3.pick_up(exchange, &invite);
        let moved = u2.agrees(exchange);
        assert_suits(moved.body(), u2);
        notified(exchange, u1, "200 OK", true);
        assert_voice(exchange, u3, u2);
        u1.leave(exchange, &mut d1);
        they_talk(exchange, u2, &mut d2, u3);
        assert_eq!(exchange.records.len(), 1);
        trio.finish();
    }
}

#[test]
fn who_stays_does_not_move() {
    for declines in [true, false] {
        let mut trio = trio_at(towns()[0]);
        let (mut d1, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
        let (exchange, u1, u2, u3) = trio.all();
        let invite = referred(exchange, u1, &mut d1, u3);
        if declines {
            u3.refuse(exchange, &invite, 486);
            notified(exchange, u1, "486 Busy Here", true);
        } else {
            u3.pick_up(exchange, &invite);
            let asked = reinvited(exchange, u2, 488, "");
            notified(exchange, u1, "488 Not Acceptable Here", true);
            take_all(exchange, u3);
            // The next change follows on what was refused.
            let again = description(u1.address) + "a=ptime:20\r\n";
            u1.in_dialog(exchange, &mut d1, "INVITE", "", &again, true);
            let next = u2.expect_request(exchange, &Method::Invite);
            assert_eq!(session(&next).0, session(&asked).0);
            assert!(session(&next).1 > session(&asked).1, "{next}");
            u2.pick_up(exchange, &next);
            u1.answered(exchange, &mut d1);
        }
        assert_eq!(
            exchange.server.counts().bridges,
            1,
            "the conversation goes on"
        );
        they_talk(exchange, u1, &mut d1, u2);
        trio.finish();
    }
}

#[test]
fn there_are_no_ports_for_it() {
    let mut trio = trio_at(towns()[0]);
    let (mut d1, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let (exchange, u1, u2, u3) = trio.all();
    exchange.ports_are_taken = true;
    refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
    notified(exchange, u1, "503 Service Unavailable", true);
    u3.expect_silence(exchange);
    exchange.ports_are_taken = false;
    assert_open(exchange, u1, u2);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn two_calls_of_different_networks_become_one() {
    for town in towns() {
        let mut trio = trio_at(town);
        let (mut d12, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
        let (d13, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u3, "3");
        let (exchange, u1, u2, u3) = trio.all();
        let to = in_place_of("3", &d13);
        refer(exchange, u1, &mut d12, &to);
        let asked = u3.agrees(exchange);
        assert_suits(asked.body(), u3);
        let asked = u2.agrees(exchange);
        assert_suits(asked.body(), u2);
        notified(exchange, u1, "200 OK", true);
        assert_voice(exchange, u3, u2);
        let ended = u1.expect_request(exchange, &Method::Bye);
        u1.answer(exchange, &ended, 200, "");
        u1.leave(exchange, &mut d12);
        they_talk(exchange, u2, &mut d2, u3);
        trio.finish();
    }
}

/// u1 sends u2 to u3, in whose place another phone of his picks up.
#[test]
fn a_target_is_picked_up_in_another_network() {
    for (rung, picker) in [
        (FOUR[2], "[2001:db8::113]:5060"),
        (SIX[2], "192.0.2.113:5060"),
    ] {
        let mut trio = trio_at([FOUR[0], FOUR[1], rung]);
        let (mut d1, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
        let (exchange, u1, u2, u3) = trio.all();
        let (d3, invite) = referred_and_rings(exchange, u1, &mut d1, u3);
        assert_suits(invite.body(), u3);
        let mut picker = Party::new("u3", "secret3", picker);
        let body = description(picker.address);
        let mut dialog = take_over(exchange, &mut picker, &d3, &body, "");
        u3.is_cancelled(exchange, &invite);
        u2.agrees(exchange);
        notified(exchange, u1, "200 OK", true);
        let answer = picker.answered(exchange, &mut dialog);
        assert_suits(answer.body(), &picker);
        assert_voice(exchange, &picker, u2);
        u1.leave(exchange, &mut d1);
        they_talk(exchange, u2, &mut d2, &picker);
        trio.finish();
    }
}

/// u1 talks to u2 and rings u3, and sends u2 to whoever answers there.
#[test]
fn a_target_that_still_rings_is_in_another_network() {
    for town in towns() {
        let mut trio = trio_at(town);
        let (mut d12, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
        let (exchange, u1, u2, u3) = trio.all();
        let offer = description(u1.address);
        let (mut d13, _, ringing) = ring(exchange, u1, u3, "3", &offer);
        refer_early(exchange, u1, &mut d12, "3", &d13);
        u3.pick_up(exchange, &ringing);
        u1.answered(exchange, &mut d13);
        let asked = u3.agrees(exchange);
        assert_suits(asked.body(), u3);
        let asked = u2.agrees(exchange);
        assert_suits(asked.body(), u2);
        notified(exchange, u1, "200 OK", true);
        let place = SocketAddr::new(u3.address.ip(), 40_000);
        assert_eq!(voice_of(exchange, Side::A), place.to_string());
        u1.is_hung_up(exchange);
        u1.leave(exchange, &mut d12);
        they_talk(exchange, u2, &mut d2, u3);
        trio.finish();
    }
}

/// A target who is logged in in both networks is rung at both; whoever answers has the call.
#[test]
fn a_target_with_phones_in_both_networks() {
    for answers in [0, 1] {
        let mut trio = trio_at([FOUR[0], FOUR[1], FOUR[2]]);
        let mut other = Party::new("u3", "secret3", "[2001:db8::133]:5060");
        // Two phones have Call-IDs of their own.
        for _ in 0..9 {
            other.serial();
        }
        other.register(&mut trio.exchange, 3600);
        let (mut d1, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
        let (exchange, u1, u2, u3) = trio.all();
        refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
        let phones = [&*u3, &other];
        let invites = phones.map(|phone| {
            let invite = phone.expect_request(exchange, &Method::Invite);
            assert_suits(invite.body(), phone);
            phone.answer(exchange, &invite, 180, "");
            invite
        });
        notified(exchange, u1, "180 Ringing", false);
        let (winner, loser) = (phones[answers], phones[1 - answers]);
        winner.pick_up(exchange, &invites[answers]);
        loser.is_cancelled(exchange, &invites[1 - answers]);
        u2.agrees(exchange);
        notified(exchange, u1, "200 OK", true);
        assert_voice(exchange, winner, u2);
        u1.leave(exchange, &mut d1);
        they_talk(exchange, u2, &mut d2, winner);
        other.register(exchange, 0);
        trio.finish();
    }
}

/// Who was to come hangs up while the leg that stays is being asked, which agrees too late.
#[test]
fn the_newcomer_is_lost_meanwhile() {
    let mut trio = trio_at(towns()[0]);
    let (mut d1, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    let mut d3 = u3.pick_up(exchange, &invite);
    let asked = u2.expect_request(exchange, &Method::Invite);
    u3.leave(exchange, &mut d3);
    notified(exchange, u1, "480 Temporarily Unavailable", true);
    u2.pick_up(exchange, &asked);
    let again = u2.agrees(exchange);
    assert_suits(again.body(), u2);
    assert_open(exchange, u1, u2);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn the_exchange_is_stopped_meanwhile() {
    let mut trio = trio_at(towns()[0]);
    let (mut d1, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    exchange.server.shut_down(exchange.now);
    exchange.pass(Duration::ZERO);
    take_all(exchange, u3);
    u3.answer(exchange, &invite, 487, "");
    for party in [&*u1, &*u2, &*u3] {
        take_all(exchange, party);
    }
    trio.finish();
}
