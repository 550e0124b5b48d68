//! IPv4, IPv6 and between them; datagrams on one leg and a connection on the other.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::net::SocketAddr;

use offhook_media::relay::Side;
use offhook_sip::Method;
use support::Exchange;
use support::networks::{CALLEES, CALLERS, assert_named, everywhere, party};
use support::party::{Party, description};
use support::trio::{hang_up, voice_of};

#[test]
fn everybody_calls_everybody() {
    for from in CALLERS {
        for to in CALLEES {
            let mut exchange = Exchange::with(everywhere);
            let mut caller = party("u1", "secret1", from);
            let mut callee = party("u2", "secret2", to);
            callee.register(&mut exchange, 3600);
            let mut dialog = caller.dial(&mut exchange, "2", &description(caller.address));
            let invite = callee.expect_request(&mut exchange, &Method::Invite);
            let flow = exchange.flow_to(callee.address);
            assert_eq!(flow, exchange.flow(callee.address, callee.connection));
            let via = invite.headers().get("Via").expect("a Via").to_owned();
            let transport = flow.transport.as_str();
            assert!(
                via.starts_with(&format!("SIP/2.0/{transport} {}", flow.local)),
                "{via}"
            );
            assert_named(invite.body(), callee.address, caller.address);
            let mut theirs =
                callee.answer(&mut exchange, &invite, 200, &description(callee.address));
            let ack = callee.expect_request(&mut exchange, &Method::Ack);
            assert!(ack.uri().as_str().contains(&callee.address.to_string()));
            let answer = caller.expect(&mut exchange, 200);
            assert_named(answer.body(), caller.address, callee.address);
            caller.acknowledge(&mut exchange, &mut dialog, &answer, "");
            let voice = [Side::A, Side::B].map(|side| voice_of(&exchange, side));
            let said = |of: &Party| SocketAddr::new(of.address.ip(), 40_000).to_string();
            assert_eq!(voice, [said(&caller), said(&callee)]);
            // Hold passes too, the other way round.
            let held = description(callee.address) + "a=sendonly\r\n";
            callee.in_dialog(&mut exchange, &mut theirs, "INVITE", "", &held, true);
            let asked = caller.expect_request(&mut exchange, &Method::Invite);
            assert_named(asked.body(), caller.address, callee.address);
            let agreed = description(caller.address) + "a=recvonly\r\n";
            caller.answer(&mut exchange, &asked, 200, &agreed);
            caller.expect_request(&mut exchange, &Method::Ack);
            let answer = callee.expect(&mut exchange, 200);
            assert_named(answer.body(), callee.address, caller.address);
            callee.acknowledge(&mut exchange, &mut theirs, &answer, "");
            hang_up(&mut exchange, &mut caller, &mut dialog, &callee);
            callee.register(&mut exchange, 0);
            exchange.assert_nothing_left();
        }
    }
}

/// Who wants voice in a version of IP that his leg has no ports in is told so: he would hear nothing.
#[test]
fn nobody_is_left_without_voice_by_what_he_says_of_himself() {
    let elsewhere = |of: &Party| {
        let other = if of.address.is_ipv4() {
            "[2001:db8::177]:5060"
        } else {
            "192.0.2.177:5060"
        };
        description(other.parse().expect("an address"))
    };
    for (from, to) in [(CALLERS[0], CALLEES[0]), (CALLERS[2], CALLEES[0])] {
        let mut exchange = Exchange::with(everywhere);
        let mut caller = party("u1", "secret1", from);
        let mut callee = party("u2", "secret2", to);
        callee.register(&mut exchange, 3600);
        let dialog = caller.dial(&mut exchange, "2", &elsewhere(&caller));
        caller.refused(&mut exchange, &dialog, 488);
        callee.expect_silence(&exchange);

        let mut dialog = caller.dial(&mut exchange, "2", &description(caller.address));
        let invite = callee.expect_request(&mut exchange, &Method::Invite);
        callee.answer(&mut exchange, &invite, 200, &elsewhere(&callee));
        callee.expect_request(&mut exchange, &Method::Ack);
        callee.is_hung_up(&mut exchange);
        caller.refused(&mut exchange, &dialog, 502);

        dialog = caller.dial(&mut exchange, "2", &description(caller.address));
        let invite = callee.expect_request(&mut exchange, &Method::Invite);
        callee.pick_up(&mut exchange, &invite);
        caller.answered(&mut exchange, &mut dialog);
        let said = elsewhere(&caller);
        caller.in_dialog(&mut exchange, &mut dialog, "INVITE", "", &said, true);
        caller.refused(&mut exchange, &dialog, 488);
        let voice = SocketAddr::new(caller.address.ip(), 40_000).to_string();
        assert_eq!(voice_of(&exchange, Side::A), voice);
        // On hold he wants to hear nothing, wherever that is.
        let held = description(caller.address).replace(&caller.address.ip().to_string(), "0.0.0.0");
        let held = held.replace("IP6", "IP4");
        caller.in_dialog(&mut exchange, &mut dialog, "INVITE", "", &held, true);
        let asked = callee.expect_request(&mut exchange, &Method::Invite);
        callee.answer(&mut exchange, &asked, 200, &description(callee.address));
        callee.expect_request(&mut exchange, &Method::Ack);
        caller.answered(&mut exchange, &mut dialog);
        hang_up(&mut exchange, &mut caller, &mut dialog, &callee);
        callee.register(&mut exchange, 0);
        exchange.assert_nothing_left();
    }
}
