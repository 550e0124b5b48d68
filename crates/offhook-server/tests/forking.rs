//! Several phones for one call: all ring, one has it, the others are told so.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_sip::Method;
use support::Exchange;
use support::party::{Party, description};

const USERS: &str = "[u1]\npassword=secret1\n[u2]\npassword=secret2\nalternatives=700\n[u3]\npassword=secret3\nalternatives=700\n";
const NUMBERS: &str = "[default]\n^2$=return;called=u2\n";

fn stage() -> (Exchange, Party, [Party; 2]) {
    let mut exchange = Exchange::of(USERS, NUMBERS, |_| {});
    let caller = Party::new("u1", "secret1", "192.0.2.183:5060");
    let mut callees = [
        Party::new("u2", "secret2", "192.0.2.101:5060"),
        Party::new("u3", "secret3", "192.0.2.102:5060"),
    ];
    for callee in &mut callees {
        callee.register(&mut exchange, 3600);
    }
    (exchange, caller, callees)
}

fn finish(exchange: &mut Exchange, callees: &mut [Party]) {
    for callee in callees {
        callee.register(exchange, 0);
    }
    exchange.assert_nothing_left();
}

// checklist: R3326-02
#[test]
fn the_losers_hear_that_the_call_was_completed_elsewhere() {
    let (mut exchange, mut caller, mut callees) = stage();
    let mut dialog = caller.dial(&mut exchange, "700", &description(caller.address));
    let invites = callees.each_ref().map(|callee| {
        let invite = callee.expect_request(&mut exchange, &Method::Invite);
        callee.answer(&mut exchange, &invite, 180, "");
        invite
    });
    let [first, second] = &callees;
    second.pick_up(&mut exchange, &invites[1]);
    let cancel = first.is_cancelled(&mut exchange, &invites[0]);
    assert_eq!(
        cancel.headers().get("Reason"),
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );

    caller.expect(&mut exchange, 180);
    caller.expect(&mut exchange, 180);
    caller.answered(&mut exchange, &mut dialog);
    caller.leave(&mut exchange, &mut dialog);
    second.is_hung_up(&mut exchange);
    finish(&mut exchange, &mut callees);
}

#[test]
fn the_best_refusal_is_told() {
    for (answers, told) in [
        ([486, 404], 486),
        ([404, 480], 480),
        ([500, 404], 404),
        ([503, 486], 486),
        ([408, 500], 408),
        // The order in which they come is nothing.
        ([404, 486], 486),
        ([480, 486], 486),
        ([480, 404], 480),
        // RFC 3261 §16.7 step 6: what tells how to ask again goes before what does not.
        ([404, 415], 415),
        ([503, 500], 500),
        // A challenge is not for the caller, and says no more than any other refusal.
        ([401, 486], 486),
        ([407, 407], 403),
    ] {
        let (mut exchange, mut caller, mut callees) = stage();
        let dialog = caller.dial(&mut exchange, "700", &description(caller.address));
        let invites = callees
            .each_ref()
            .map(|callee| callee.expect_request(&mut exchange, &Method::Invite));
        for ((callee, invite), status) in callees.iter().zip(&invites).zip(answers) {
            callee.refuse(&mut exchange, invite, status);
        }
        caller.refused(&mut exchange, &dialog, told);
        finish(&mut exchange, &mut callees);
    }
}

#[test]
fn a_6xx_ends_it_for_all() {
    let (mut exchange, mut caller, mut callees) = stage();
    let dialog = caller.dial(&mut exchange, "700", &description(caller.address));
    let invites = callees.each_ref().map(|callee| {
        let invite = callee.expect_request(&mut exchange, &Method::Invite);
        callee.answer(&mut exchange, &invite, 180, "");
        invite
    });
    let [first, second] = &callees;
    first.refuse(&mut exchange, &invites[0], 603);
    second.is_cancelled(&mut exchange, &invites[1]);
    caller.expect(&mut exchange, 180);
    caller.expect(&mut exchange, 180);
    caller.refused(&mut exchange, &dialog, 603);
    finish(&mut exchange, &mut callees);
}

/// RFC 3261 §16.7 step 5: nobody else is tried after it.
#[test]
fn a_6xx_ends_a_hunt() {
    for status in [600, 603, 606] {
        let numbers =
            "[default]\n^9$=fork sip/sip:a@192.0.2.101:5060 | sip/sip:b@192.0.2.102:5060\n";
        let mut exchange = Exchange::of(USERS, numbers, |_| {});
        let mut caller = Party::new("u1", "secret1", "192.0.2.183:5060");
        let places = ["192.0.2.101:5060", "192.0.2.102:5060"];
        let [first, second] = places.map(|at| Party::new("gateway", "", at));
        let dialog = caller.dial(&mut exchange, "9", &description(caller.address));
        let invite = first.expect_request(&mut exchange, &Method::Invite);
        first.refuse(&mut exchange, &invite, status);
        caller.refused(&mut exchange, &dialog, status);
        second.expect_silence(&exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn two_answers_at_once() {
    let (mut exchange, mut caller, mut callees) = stage();
    let mut dialog = caller.dial(&mut exchange, "700", &description(caller.address));
    let invites = callees
        .each_ref()
        .map(|callee| callee.expect_request(&mut exchange, &Method::Invite));
    let [first, second] = &callees;
    // The second one's 180 makes the CANCEL possible; its 200 crosses it.
    second.answer(&mut exchange, &invites[1], 180, "");
    first.pick_up(&mut exchange, &invites[0]);
    second.expect_request(&mut exchange, &Method::Cancel);
    second.pick_up(&mut exchange, &invites[1]);
    second.is_hung_up(&mut exchange);
    caller.expect(&mut exchange, 180);
    caller.answered(&mut exchange, &mut dialog);
    caller.leave(&mut exchange, &mut dialog);
    first.is_hung_up(&mut exchange);
    finish(&mut exchange, &mut callees);
}
