//! A party that has left a call without a word, or whose word was not heard.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_server::{End, Outcome};
use offhook_sip::Method;
use support::Exchange;
use support::party::{Dialog, Party, description};
use support::trio::talk;

/// u1 and u2 in a conversation, and each one's end of it.
fn conversation() -> (Exchange, [(Party, Dialog); 2]) {
    let mut exchange = Exchange::new();
    let mut caller = Party::new("u1", "secret1", "192.0.2.181:5060");
    let mut callee = Party::new("u2", "secret2", "192.0.2.182:5060");
    callee.register(&mut exchange, 3600);
    let (of_caller, of_callee) = talk(&mut exchange, &mut caller, &callee, "2");
    (exchange, [(caller, of_caller), (callee, of_callee)])
}

/// The callee asks for something, and the caller's phone knows of no call any more.
fn asked_of_one_who_left(method: &Method) {
    let (mut exchange, [(caller, _), (mut callee, mut of_callee)]) = conversation();
    let body = if *method == Method::Invite {
        description(callee.address)
    } else {
        String::new()
    };
    let name = method.as_str();
    callee.in_dialog(&mut exchange, &mut of_callee, name, "", &body, true);
    let asked = caller.expect_request(&mut exchange, method);
    caller.answer(&mut exchange, &asked, 481, "");
    if *method == Method::Invite {
        caller.expect_request(&mut exchange, &Method::Ack);
    }
    let bye = caller.expect_request(&mut exchange, &Method::Bye);
    caller.answer(&mut exchange, &bye, 481, "");

    // A 481 here would tell the callee that its own dialog with the exchange is gone.
    let refusal = callee.expect(&mut exchange, 500);
    if *method == Method::Invite {
        callee.acknowledge_failure(&mut exchange, &of_callee, &refusal);
    }
    callee.is_hung_up(&mut exchange);
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
    assert_eq!(exchange.outcomes(), [&Outcome::Answered(End::Caller)]);
}

#[test]
fn a_reoffer_to_one_who_left_ends_the_call_but_not_by_481() {
    asked_of_one_who_left(&Method::Invite);
}

#[test]
fn an_info_to_one_who_left_ends_the_call_but_not_by_481() {
    asked_of_one_who_left(&Method::Info);
}

#[test]
fn what_is_asked_of_one_who_hangs_up_instead_is_answered() {
    let (mut exchange, [(mut caller, mut of_caller), (mut callee, mut of_callee)]) = conversation();
    callee.in_dialog(&mut exchange, &mut of_callee, "INFO", "", "", true);
    caller.expect_request(&mut exchange, &Method::Info);
    caller.leave(&mut exchange, &mut of_caller);
    // RFC 3261 §15.1.2: requests that are still open are answered when the call ends.
    let bye = callee.expect_request(&mut exchange, &Method::Bye);
    callee.expect(&mut exchange, 487);
    callee.answer(&mut exchange, &bye, 200, "");
    callee.register(&mut exchange, 0);
    exchange.assert_nothing_left();
}

/// The callee says nothing for as long as the caller, who has asked, can wait; he is told so.
fn is_silent(exchange: &mut Exchange, caller: &Party, callee: &Party, told: u16) {
    exchange.pass(Duration::from_secs(25));
    caller.expect(exchange, told);
    while exchange.letter(callee.address).is_some() {}
}

/// What came late was not too late for the call.
fn they_part(mut exchange: Exchange, mut caller: Party, of_caller: &mut Dialog, callee: &Party) {
    caller.expect_silence(&exchange);
    caller.leave(&mut exchange, of_caller);
    callee.is_hung_up(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn what_is_asked_of_one_who_is_silent_is_answered_while_the_asker_still_waits() {
    let (mut exchange, [(mut caller, mut of_caller), (callee, _)]) = conversation();
    caller.in_dialog(&mut exchange, &mut of_caller, "INFO", "", "", true);
    let info = callee.expect_request(&mut exchange, &Method::Info);
    is_silent(&mut exchange, &caller, &callee, 500);
    callee.answer(&mut exchange, &info, 200, "");
    they_part(exchange, caller, &mut of_caller, &callee);
}

/// A user agent has to answer an UPDATE at once, whoever else it has to ask (RFC 3311 §5.2).
#[test]
fn a_change_put_to_one_who_is_silent_is_answered_while_the_asker_still_waits() {
    let (mut exchange, [(mut caller, mut of_caller), (callee, _)]) = conversation();
    let held = description(caller.address) + "a=sendonly\r\n";
    caller.in_dialog(&mut exchange, &mut of_caller, "UPDATE", "", &held, true);
    let asked = callee.expect_request(&mut exchange, &Method::Invite);
    is_silent(&mut exchange, &caller, &callee, 504);
    // The callee is told that it stays as it was.
    callee.pick_up(&mut exchange, &asked);
    let told = callee.expect_request(&mut exchange, &Method::Invite);
    assert!(!told.to_string().contains("a=sendonly"), "{told}");
    callee.pick_up(&mut exchange, &told);
    they_part(exchange, caller, &mut of_caller, &callee);
}

#[test]
fn who_leaves_an_offer_without_an_answer_has_ended_the_call() {
    let (mut exchange, [(mut caller, mut of_caller), (callee, _)]) = conversation();
    caller.in_dialog(&mut exchange, &mut of_caller, "INVITE", "", "", true);
    let asked = callee.expect_request(&mut exchange, &Method::Invite);
    let offer = description(callee.address);
    callee.answer(&mut exchange, &asked, 200, &offer);
    caller.answered(&mut exchange, &mut of_caller);
    callee.expect_request(&mut exchange, &Method::Ack);
    for party in [&callee, &caller] {
        party.is_hung_up(&mut exchange);
    }
    assert_eq!(exchange.outcomes(), [&Outcome::Answered(End::Caller)]);
}
