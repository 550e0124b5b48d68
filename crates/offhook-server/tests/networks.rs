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
