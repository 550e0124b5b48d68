//! Phones of both versions of IP in one search: each is told what it can reach, and whoever answers is
//! heard.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use offhook_media::relay::Side;
use offhook_server::Event;
use offhook_sip::{Method, Transport};
use offhook_ua::Local;
use support::fork::Fork;
use support::networks::{CALLERS, assert_leg, assert_leg_open, assert_named, everywhere, party};
use support::party::description;
use support::trio::{hang_up, voice_of};
use support::{SERVER, address};

/// A callee who can be reached in both versions of IP is rung at both; each is told what it can reach.
#[test]
fn a_user_at_two_places_of_different_networks_is_reached_at_either() {
    for answers in [0, 1] {
        let mut fork = Fork::new();
        let invites = fork.both_ring("2");
        fork.takes(answers, &invites[answers]);
        fork.is_cancelled(1 - answers, &invites[1 - answers]);
        // The answer has been acknowledged already.
        let answer = fork.caller.answered(&mut fork.exchange, &mut fork.dialog);
        let callee = &fork.callees[answers];
        assert_named(answer.body(), fork.caller.address, callee.address);
        assert_leg(&fork.exchange, Side::B, callee);
        fork.ends(answers);
        fork.finish();
    }
}

/// What one phone plays while it rings is heard, and whoever answers is heard at the same port: a phone
/// need not look at a second answer (RFC 3261 §13.2.1).
#[test]
fn early_media_of_one_network_and_an_answer_of_the_other() {
    for plays in [0, 1] {
        let mut fork = Fork::new();
        fork.dial("2");
        let invites = [fork.rings(0), fork.rings(1)];
        let (player, other) = (&fork.callees[plays], 1 - plays);
        let early = description(player.address);
        player.answer(&mut fork.exchange, &invites[plays], 183, &early);
        let heard = fork.caller.expect(&mut fork.exchange, 183);
        assert_named(heard.body(), fork.caller.address, player.address);
        let at = SocketAddr::new(player.address.ip(), 40_000).to_string();
        assert_eq!(voice_of(&fork.exchange, Side::B), at);
        assert_eq!(fork.exchange.voice_addresses(Side::B).len(), 2);
        fork.takes(other, &invites[other]);
        fork.is_cancelled(plays, &invites[plays]);
        let answer = fork.caller.answered(&mut fork.exchange, &mut fork.dialog);
        let port = |body: &[u8]| {
            let body = String::from_utf8_lossy(body).into_owned();
            let line = body.lines().find(|line| line.starts_with("m=audio "));
            line.expect("voice").to_owned()
        };
        assert_eq!(port(heard.body()), port(answer.body()));
        fork.ends(other);
        fork.finish();
    }
}

#[test]
fn a_phone_of_the_other_network_has_its_turn_next() {
    for number in ["6", "7"] {
        let mut fork = Fork::new();
        fork.dial(number);
        if number == "6" {
            let first = fork.rings(0);
            fork.callees[1].expect_silence(&fork.exchange);
            assert_eq!(fork.exchange.voice_addresses(Side::B).len(), 1);
            fork.refuses(0, &first, 486);
        }
        let second = fork.rings(1);
        fork.answers(1, &second);
        fork.finish();
    }
}

#[test]
fn a_phone_moves_a_call_to_the_other_network() {
    for (first, number) in [(0, "8"), (1, "7")] {
        let mut fork = Fork::with(|config| {
            everywhere(config);
            config.calls.direct_media = false;
        });
        // Number 8 wants direct media, which cannot go on there.
        fork.dial(number);
        let invite = fork.callees[first].expect_request(&mut fork.exchange, &Method::Invite);
        let other = 1 - first;
        let place = format!("<sip:u2@{}>", fork.callees[other].address);
        fork.callees[first].redirect(&mut fork.exchange, &invite, &place);
        if number == "8" {
            fork.callees[other].expect_silence(&fork.exchange);
            fork.is_refused(488);
        } else {
            let invite = fork.rings(other);
            fork.answers(other, &invite);
        }
        fork.finish();
    }
}

/// Who wants to be reached directly, but speaks both versions of IP, is relayed all the same.
#[test]
fn direct_media_yields_where_one_phone_of_several_speaks_another_version() {
    for answers in [0, 1] {
        let mut fork = Fork::new();
        fork.dial("9");
        let invites = [fork.rings(0), fork.rings(1)];
        fork.refuses(1 - answers, &invites[1 - answers], 486);
        fork.answers(answers, &invites[answers]);
        fork.finish();
    }
}

/// The caller makes no offer: the phones make it, and his answer in the ACK names what they reach.
#[test]
fn the_phones_make_the_offers() {
    for answers in [0, 1] {
        let mut fork = Fork::new();
        fork.dial_with("2", "");
        let invites = [0, 1].map(|place: usize| {
            let callee = &fork.callees[place];
            let invite = callee.expect_request(&mut fork.exchange, &Method::Invite);
            callee.answer(&mut fork.exchange, &invite, 180, "");
            fork.caller.expect(&mut fork.exchange, 180);
            invite
        });
        let callee = &fork.callees[answers];
        let offer = description(callee.address);
        callee.answer(&mut fork.exchange, &invites[answers], 200, &offer);
        fork.is_cancelled(1 - answers, &invites[1 - answers]);
        let Fork {
            exchange,
            caller,
            callees,
            dialog,
        } = &mut fork;
        let callee = &callees[answers];
        let offered = caller.expect(exchange, 200);
        assert_named(offered.body(), caller.address, callee.address);
        let said = description(caller.address);
        caller.acknowledge(exchange, dialog, &offered, &said);
        let ack = callee.expect_request(exchange, &Method::Ack);
        assert_named(ack.body(), callee.address, caller.address);
        hang_up(exchange, caller, dialog, callee);
        fork.finish();
    }
}

/// There are no ports in the other version of IP: that phone does not ring, the other one does.
#[test]
fn ports_in_the_other_network_cannot_be_had() {
    let mut fork = Fork::new();
    fork.dial("6");
    let first = fork.rings(0);
    fork.exchange.ports_are_taken = true;
    fork.refuses(0, &first, 404);
    fork.callees[1].expect_silence(&fork.exchange);
    fork.is_refused(404);
    assert!(fork.exchange.events.iter().any(|event| matches!(
        event,
        Event::LimitReached {
            what: "voice ports"
        }
    )));
    // The next call has room again, and the one after it has none at all.
    fork.exchange.ports_are_taken = false;
    fork.dial("2");
    let invites = [fork.rings(0), fork.rings(1)];
    fork.refuses(0, &invites[0], 486);
    fork.answers(1, &invites[1]);
    fork.finish();
}

/// A phone names one place after the other: the call has no more ports than two for each leg.
#[test]
fn no_phone_makes_a_call_take_more_ports() {
    let mut fork = Fork::new();
    fork.dial("8");
    let invite = fork.callees[0].expect_request(&mut fork.exchange, &Method::Invite);
    fork.refuses(0, &invite, 486);
    fork.is_refused(486);

    fork.dial("6");
    let invite = fork.rings(0);
    let places: Vec<String> = (1..=40)
        .map(|n| format!("<sip:u2@[2001:db8:1::{n:x}]>"))
        .collect();
    fork.callees[0].redirect(&mut fork.exchange, &invite, &places.join(", "));
    let before = fork.exchange.server.counts().ports;
    assert_eq!(before, 2, "a port and its neighbour for each leg");
    assert_eq!(fork.exchange.voice_addresses(Side::B).len(), 2);
    fork.gives_up();
    fork.finish();
}

/// A server that listens on all addresses knows of one when somebody has found it there. Until then
/// nobody is called whom it could not hear, and its owner is told why.
#[test]
fn without_an_address_of_that_version_nobody_is_called() {
    let mut fork = Fork::at_places(|config| {
        let places = [SERVER, "[::]:5060"].map(address);
        let places = places.map(|place| Local::new(Transport::Udp, place));
        config.locals = places.into();
    });
    fork.callees[0].register(&mut fork.exchange, 3600);
    for _ in 0..2 {
        fork.dial("7");
        fork.is_refused(488);
    }
    let told = |event: &&Event| matches!(event, Event::NoAddress { .. });
    let told = fork.exchange.events.iter().filter(told);
    let told: Vec<String> = told.map(ToString::to_string).collect();
    let line = "no call to 2001:db8::102: this server listens on no particular address of IPv6";
    assert_eq!(told, [line]);
    fork.dial("6");
    let invite = fork.rings(0);
    fork.refuses(0, &invite, 486);
    fork.is_refused(486);

    fork.callees[1].register(&mut fork.exchange, 3600);
    for number in ["7", "2"] {
        fork.dial(number);
        if number == "2" {
            let invite = fork.rings(0);
            fork.refuses(0, &invite, 486);
        }
        let invite = fork.rings(1);
        fork.answers(1, &invite);
    }
    fork.finish();
}

#[test]
fn the_exchange_is_stopped_while_phones_of_both_networks_ring() {
    let mut fork = Fork::new();
    let invites = fork.both_ring("2");
    let now = fork.exchange.now;
    fork.exchange.server.shut_down(now);
    fork.exchange.pass(Duration::ZERO);
    fork.is_refused(503);
    for place in [0, 1] {
        fork.is_cancelled(place, &invites[place]);
    }
    fork.finish();
}

/// The ports in the other version of IP come late: what has happened meanwhile holds.
#[test]
fn much_may_happen_before_the_ports_are_open() {
    for happens in ["nothing", "answer", "cancel", "stop", "patience"] {
        let mut fork = Fork::with(|config| {
            everywhere(config);
            config.calls.no_answer = Duration::from_secs(30);
        });
        fork.exchange.opens_late = Some(Vec::new());
        fork.dial("2");
        let rings = usize::from(fork.exchange.waiting(fork.callees[0].address) == 0);
        let other = 1 - rings;
        let first = fork.rings(rings);
        fork.callees[rings].answer(&mut fork.exchange, &first, 180, "");
        fork.caller.expect(&mut fork.exchange, 180);
        fork.callees[other].expect_silence(&fork.exchange);
        let mut answered = false;
        match happens {
            "answer" => {
                fork.takes(rings, &first);
                fork.caller.answered(&mut fork.exchange, &mut fork.dialog);
                answered = true;
            }
            "cancel" => {
                fork.gives_up();
                fork.is_cancelled(rings, &first);
            }
            "stop" => {
                let now = fork.exchange.now;
                fork.exchange.server.shut_down(now);
                fork.exchange.pass(Duration::ZERO);
                fork.is_refused(503);
                fork.is_cancelled(rings, &first);
            }
            "patience" => {
                fork.exchange.pass(Duration::from_secs(30));
                fork.is_refused(480);
                fork.is_cancelled(rings, &first);
            }
            _ => {}
        }
        fork.exchange.let_ports_open();
        if happens == "nothing" {
            let second = fork.rings(other);
            fork.refuses(rings, &first, 486);
            fork.answers(other, &second);
        }
        if answered {
            assert_leg_open(&fork.exchange, Side::B, &fork.callees[rings]);
            fork.ends(rings);
        }
        fork.finish();
    }
}

/// A name says nothing of the version of IP: who is found is told what he can reach, in either.
#[test]
fn a_name_leads_to_either_network() {
    for from in [CALLERS[0], CALLERS[2]] {
        let six = usize::from(from.0.starts_with('['));
        for (known, rings) in [
            (vec![0], vec![0]),
            (vec![1], vec![1]),
            (vec![0, 1], vec![six]),
            (vec![], vec![]),
        ] {
            let mut fork = Fork::new();
            fork.caller = party("u1", "secret1", from);
            let ip = |place: &usize| ("phone.example", fork.callees[*place].address.ip());
            let mut hosts: Vec<_> = known.iter().map(ip).collect();
            hosts.push(("another.example", address(SERVER).ip()));
            fork.exchange.hosts = hosts;
            fork.dial("5");
            match rings[..] {
                [place] => {
                    let invite = fork.rings(place);
                    fork.callees[1 - place].expect_silence(&fork.exchange);
                    fork.answers(place, &invite);
                }
                _ => fork.is_refused(480),
            }
            fork.finish();
        }
    }
}

/// Nobody can be reached at the address that was found first, which the caller's own version has.
#[test]
fn a_name_leads_to_the_other_network_when_nobody_is_reached_in_the_first() {
    let mut fork = Fork::new();
    fork.exchange.hosts = fork
        .callees
        .each_ref()
        .map(|callee| ("phone.example", callee.address.ip()))
        .into();
    fork.dial("5");
    fork.rings(0);
    fork.exchange.unreachable(fork.callees[0].address);
    let invite = fork.rings(1);
    fork.answers(1, &invite);
    fork.finish();
}
