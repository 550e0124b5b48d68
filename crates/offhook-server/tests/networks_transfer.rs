//! Transfers and pick-ups between IPv4 and IPv6: the leg whose place is taken has ports in both until it
//! is known who has it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::{Method, Request, Transport};
use offhook_ua::Local;
use support::party::{Party, description};
use support::trio::{
    Trio, hang_up, notified, refer, reinvited, replaces, take_all, take_over, talk, they_talk,
    to_of, voice_of,
};
use support::{Exchange, SERVER, SERVER_6, address};

/// u1, u2 and u3 at these places, all logged in.
fn trio_at([first, second, third]: [&str; 3]) -> Trio {
    let mut exchange = Exchange::with(|config| {
        config.locals = [SERVER, SERVER_6]
            .map(|place| Local::new(Transport::Udp, address(place)))
            .into();
    });
    let mut log_in = |user: &str, password: &str, at: &str| {
        let mut party = Party::new(user, password, at);
        party.register(&mut exchange, 3600);
        party
    };
    let u1 = log_in("u1", "secret1", first);
    let u2 = log_in("u2", "secret2", second);
    let u3 = log_in("u3", "secret3", third);
    Trio {
        exchange,
        u1,
        u2,
        u3,
    }
}

const FOUR: [&str; 3] = ["192.0.2.101:5060", "192.0.2.102:5060", "192.0.2.103:5060"];
const SIX: [&str; 3] = [
    "[2001:db8::101]:5060",
    "[2001:db8::102]:5060",
    "[2001:db8::103]:5060",
];

/// Who is where: the transferor and the target always speak different versions.
fn towns() -> [[&'static str; 3]; 4] {
    [
        [FOUR[0], FOUR[1], SIX[2]],
        [FOUR[0], SIX[1], SIX[2]],
        [SIX[0], FOUR[1], FOUR[2]],
        [SIX[0], SIX[1], FOUR[2]],
    ]
}

/// The session of a description: its number and version.
fn session(request: &Request) -> (String, u64) {
    let body = String::from_utf8_lossy(request.body()).into_owned();
    let origin = body.lines().find(|line| line.starts_with("o="));
    let mut words = origin.expect("an origin").split(' ').skip(1);
    let number = words.next().expect("a number").to_owned();
    let version = words.next().expect("a version");
    (number, version.parse().expect("a number"))
}

/// The description names the server in the version of IP of who reads it.
fn assert_suits(request: &Request, reader: &Party) {
    assert_text_suits(request.body(), reader);
}

fn assert_text_suits(body: &[u8], reader: &Party) {
    let body = String::from_utf8_lossy(body).into_owned();
    let own = if reader.address.is_ipv4() {
        "c=IN IP4 192.0.2.50\r\n"
    } else {
        "c=IN IP6 2001:db8::50\r\n"
    };
    assert!(body.contains(own), "{body}");
    let wrong = if reader.address.is_ipv4() {
        "IP6"
    } else {
        "IP4"
    };
    assert!(!body.contains(wrong), "{body}");
}

/// The relay sends to these two, and nothing is open that neither needs.
fn assert_voice(exchange: &Exchange, a: &Party, b: &Party) {
    for (side, party) in [(Side::A, a), (Side::B, b)] {
        let place = SocketAddr::new(party.address.ip(), 40_000);
        assert_eq!(voice_of(exchange, side), place.to_string());
    }
    assert_open(exchange, a, b);
}

fn assert_open(exchange: &Exchange, a: &Party, b: &Party) {
    for (side, party) in [(Side::A, a), (Side::B, b)] {
        let own = exchange.address_for(party.address).ip();
        assert_eq!(exchange.voice_addresses(side), [own]);
    }
}

#[test]
fn a_target_in_another_network() {
    for town in towns() {
        let mut trio = trio_at(town);
        let (mut d1, mut d2) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
        let Trio {
            exchange,
            u1,
            u2,
            u3,
        } = &mut trio;
        refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
        let invite = u3.expect_request(exchange, &Method::Invite);
        assert_suits(&invite, u3);
        u3.answer(exchange, &invite, 200, &description(u3.address));
        u3.expect_request(exchange, &Method::Ack);
        let moved = reinvited(exchange, u2, 200, &description(u2.address));
        assert_suits(&moved, u2);
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
        let Trio {
            exchange,
            u1,
            u2,
            u3,
        } = &mut trio;
        refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
        let invite = u3.expect_request(exchange, &Method::Invite);
        if declines {
            u3.answer(exchange, &invite, 486, "");
            u3.expect_request(exchange, &Method::Ack);
            notified(exchange, u1, "486 Busy Here", true);
        } else {
            u3.answer(exchange, &invite, 200, &description(u3.address));
            u3.expect_request(exchange, &Method::Ack);
            let asked = reinvited(exchange, u2, 488, "");
            notified(exchange, u1, "488 Not Acceptable Here", true);
            take_all(exchange, u3);
            // The next change follows on what was refused.
            let again = description(u1.address) + "a=ptime:20\r\n";
            u1.in_dialog(exchange, &mut d1, "INVITE", "", &again, true);
            let next = u2.expect_request(exchange, &Method::Invite);
            assert_eq!(session(&next).0, session(&asked).0);
            assert!(session(&next).1 > session(&asked).1, "{next}");
            u2.answer(exchange, &next, 200, &description(u2.address));
            u2.expect_request(exchange, &Method::Ack);
            let answer = u1.expect(exchange, 200);
            u1.acknowledge(exchange, &mut d1, &answer, "");
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
    let Trio {
        exchange,
        u1,
        u2,
        u3,
    } = &mut trio;
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
        let Trio {
            exchange,
            u1,
            u2,
            u3,
        } = &mut trio;
        let to = format!("sip:3@192.0.2.50?Replaces={}", replaces(&d13));
        refer(exchange, u1, &mut d12, &to);
        let asked = reinvited(exchange, u3, 200, &description(u3.address));
        assert_suits(&asked, u3);
        let asked = reinvited(exchange, u2, 200, &description(u2.address));
        assert_suits(&asked, u2);
        notified(exchange, u1, "200 OK", true);
        assert_voice(exchange, u3, u2);
        let ended = u1.expect_request(exchange, &Method::Bye);
        u1.answer(exchange, &ended, 200, "");
        u1.leave(exchange, &mut d12);
        they_talk(exchange, u2, &mut d2, u3);
        trio.finish();
    }
}

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
        assert_suits(&asked, u2);
        u2.expect_request(exchange, &Method::Ack);
    }
    let answer = second.expect(exchange, 200);
    assert_text_suits(answer.body(), &second);
    let said = if offers { "" } else { own.as_str() };
    second.acknowledge(exchange, &mut dialog, &answer, said);
    if !offers {
        let ack = u2.expect_request(exchange, &Method::Ack);
        assert_suits(&ack, u2);
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
    let mut d1 = u1.dial(exchange, "2", &description(u1.address));
    let ringing = u2.expect_request(exchange, &Method::Invite);
    let d2 = u2.answer(exchange, &ringing, 180, "");
    let heard = u1.expect(exchange, 180);
    to_of(&heard).clone_into(&mut d1.remote);

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
    assert_text_suits(answer.body(), &picker);
    picker.acknowledge(exchange, &mut dialog, &answer, "");
    let asked = picker.expect_request(exchange, &Method::Invite);
    assert_suits(&asked, &picker);
    assert_eq!(session(&asked).1, 2, "{asked}");
    picker.answer(exchange, &asked, 200, &body);
    picker.expect_request(exchange, &Method::Ack);
    let answer = u1.answered(exchange, &mut d1);
    assert_text_suits(answer.body(), u1);
    assert_voice(exchange, u1, &picker);
    they_talk(exchange, u1, &mut d1, &picker);
    trio.finish();
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
        refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
        let invite = u3.expect_request(exchange, &Method::Invite);
        assert_suits(&invite, u3);
        let d3 = u3.answer(exchange, &invite, 180, "");
        notified(exchange, u1, "180 Ringing", false);
        let mut picker = Party::new("u3", "secret3", picker);
        let body = description(picker.address);
        let mut dialog = take_over(exchange, &mut picker, &d3, &body, "");
        u3.is_cancelled(exchange, &invite);
        reinvited(exchange, u2, 200, &description(u2.address));
        notified(exchange, u1, "200 OK", true);
        let answer = picker.answered(exchange, &mut dialog);
        assert_text_suits(answer.body(), &picker);
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
        let mut d13 = u1.dial(exchange, "3", &description(u1.address));
        let ringing = u3.expect_request(exchange, &Method::Invite);
        u3.answer(exchange, &ringing, 180, "");
        let heard = u1.expect(exchange, 180);
        to_of(&heard).clone_into(&mut d13.remote);
        let to = format!("sip:3@192.0.2.50?Replaces={}", replaces(&d13));
        refer(exchange, u1, &mut d12, &to);
        notified(exchange, u1, "180 Ringing", false);
        u3.pick_up(exchange, &ringing);
        u1.answered(exchange, &mut d13);
        let asked = reinvited(exchange, u3, 200, &description(u3.address));
        assert_suits(&asked, u3);
        let asked = reinvited(exchange, u2, 200, &description(u2.address));
        assert_suits(&asked, u2);
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
            assert_suits(&invite, phone);
            phone.answer(exchange, &invite, 180, "");
            invite
        });
        notified(exchange, u1, "180 Ringing", false);
        let (winner, loser) = (phones[answers], phones[1 - answers]);
        winner.pick_up(exchange, &invites[answers]);
        loser.is_cancelled(exchange, &invites[1 - answers]);
        reinvited(exchange, u2, 200, &description(u2.address));
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
    refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
    let invite = u3.expect_request(exchange, &Method::Invite);
    let mut d3 = u3.pick_up(exchange, &invite);
    let asked = u2.expect_request(exchange, &Method::Invite);
    u3.in_dialog(exchange, &mut d3, "BYE", "", "", true);
    u3.expect(exchange, 200);
    notified(exchange, u1, "480 Temporarily Unavailable", true);
    u2.answer(exchange, &asked, 200, &description(u2.address));
    u2.expect_request(exchange, &Method::Ack);
    let again = reinvited(exchange, u2, 200, &description(u2.address));
    assert_suits(&again, u2);
    assert_open(exchange, u1, u2);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn the_exchange_is_stopped_meanwhile() {
    let mut trio = trio_at(towns()[0]);
    let (mut d1, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let Trio {
        exchange,
        u1,
        u2,
        u3,
    } = &mut trio;
    refer(exchange, u1, &mut d1, "sip:3@192.0.2.50");
    let invite = u3.expect_request(exchange, &Method::Invite);
    exchange.server.shut_down(exchange.now);
    exchange.pass(Duration::ZERO);
    take_all(exchange, u3);
    u3.answer(exchange, &invite, 487, "");
    for party in [&*u1, &*u2, &*u3] {
        take_all(exchange, party);
    }
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
        let to = format!("sip:3@192.0.2.50?Replaces={}", replaces(d13));
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
