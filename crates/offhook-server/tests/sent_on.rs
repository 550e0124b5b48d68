//! A call that a user has sent on, or connected, to a place without an account is his: it counts against
//! the calls that he may be in.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_sip::Method;
use support::Exchange;
use support::party::{Party, description};
use support::trio::{Trio, hang_up, notified, redirected, refer, reinvited, talk};

const USERS: &str = "[u1]\npassword=secret1\n\
    [u2]\npassword=secret2\nmaxcalls=1\n\
    [u3]\npassword=secret3\n";
const OUTSIDE: &str = "<sip:dear@192.0.2.99:5060>";

fn scene() -> (Trio, Party) {
    let numbers = format!("{}^6$=sip/sip:dear@192.0.2.99:5060\n", support::NUMBERS);
    let trio = Trio::with(Exchange::of(USERS, &numbers, |_| {}));
    (trio, Party::new("dear", "", "192.0.2.99:5060"))
}

/// A call to u2 is turned away, and rings nowhere.
fn is_busy(exchange: &mut Exchange, caller: &mut Party, others: [&Party; 2]) {
    let dialog = caller.dial(exchange, "2", &description(caller.address));
    caller.refused(exchange, &dialog, 486);
    for other in others {
        other.expect_silence(exchange);
    }
}

#[test]
fn a_call_that_is_sent_on_is_one_of_his() {
    // The place itself, or a number that leads there by a rule.
    for place in [OUTSIDE, "<sip:6@192.0.2.50>"] {
        let (mut trio, dear) = scene();
        let mut dialog = redirected(&mut trio, place);
        let (exchange, u1, u2, u3) = trio.all();
        let invite = dear.expect_request(exchange, &Method::Invite);
        // While it rings there, and when it is answered.
        is_busy(exchange, u3, [&*u2, &dear]);
        dear.pick_up(exchange, &invite);
        u1.answered(exchange, &mut dialog);
        is_busy(exchange, u3, [&*u2, &dear]);
        hang_up(exchange, u1, &mut dialog, &dear);
        let (mut again, _) = talk(exchange, u3, u2, "2");
        hang_up(exchange, u3, &mut again, u2);
        trio.finish();
    }
}

#[test]
fn calls_that_ring_at_once_are_not_all_sent_on() {
    let (mut trio, dear) = scene();
    let (exchange, u1, u2, u3) = trio.all();
    let mut first = u1.dial(exchange, "2", &description(u1.address));
    let one = u2.expect_request(exchange, &Method::Invite);
    let second = u3.dial(exchange, "2", &description(u3.address));
    let other = u2.expect_request(exchange, &Method::Invite);
    u2.redirect(exchange, &one, OUTSIDE);
    let invite = dear.expect_request(exchange, &Method::Invite);
    u2.redirect(exchange, &other, OUTSIDE);
    u3.refused(exchange, &second, 486);
    dear.expect_silence(exchange);
    dear.pick_up(exchange, &invite);
    u1.answered(exchange, &mut first);
    hang_up(exchange, u1, &mut first, &dear);
    trio.finish();
}

/// To another user's phone it is that one's call.
#[test]
fn a_call_that_is_sent_on_to_a_user_is_not() {
    let (mut trio, _) = scene();
    let mut dialog = redirected(&mut trio, "<sip:3@192.0.2.50>");
    let (exchange, u1, u2, u3) = trio.all();
    let invite = u3.expect_request(exchange, &Method::Invite);
    u3.pick_up(exchange, &invite);
    u1.answered(exchange, &mut dialog);
    let mut other = Party::new("u3", "secret3", "192.0.2.133:5060");
    let (mut again, _) = talk(exchange, &mut other, u2, "2");
    hang_up(exchange, &mut other, &mut again, u2);
    hang_up(exchange, u1, &mut dialog, u3);
    trio.finish();
}

#[test]
fn a_call_that_he_has_connected_is_one_of_his() {
    let (mut trio, dear) = scene();
    let (exchange, u1, u2, u3) = trio.all();
    let (mut d1, mut d2) = talk(exchange, u1, u2, "2");
    refer(exchange, u2, &mut d2, "sip:6@192.0.2.50");
    let invite = dear.expect_request(exchange, &Method::Invite);
    dear.pick_up(exchange, &invite);
    reinvited(exchange, u1, 200, &description(u1.address));
    notified(exchange, u2, "200 OK", true);
    u2.leave(exchange, &mut d2);
    is_busy(exchange, u3, [&*u2, &dear]);
    hang_up(exchange, u1, &mut d1, &dear);
    let (mut again, _) = talk(exchange, u3, u2, "2");
    hang_up(exchange, u3, &mut again, u2);
    trio.finish();
}
