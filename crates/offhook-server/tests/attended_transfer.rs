//! Attended transfers: the far ends of two calls of the same user are joined, or everything stays as
//! it was.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_media::relay::Side;
use offhook_sip::{Method, Request};
use support::party::{Dialog, description};
use support::trio::{
    Trio, conversation, notified, refer, reinvited, replaces, take_all, talk, they_talk, voice_of,
};

/// u1 talks to u2 and to u3.
fn two_calls() -> (Trio, [Dialog; 2], Dialog, Dialog) {
    let (mut trio, d12, d2) = conversation();
    let (d13, d3) = talk(&mut trio.exchange, &mut trio.u1, &trio.u3, "3");
    (trio, [d12, d13], d2, d3)
}

fn to_call(dialog: &Dialog) -> String {
    format!("sip:3@192.0.2.50?Replaces={}", replaces(dialog))
}

// checklist: R3891-01
#[test]
fn two_calls_become_one() {
    let (mut trio, [mut d12, mut d13], mut d2, mut d3) = two_calls();
    let (exchange, u1, u2, u3) = trio.all();
    refer(exchange, u1, &mut d12, &to_call(&d13));
    let joined = reinvited(exchange, u3, 200, &description(u3.address));
    assert!(!joined.to_string().contains("192.0.2.102"), "{joined}");
    let joined = reinvited(exchange, u2, 200, &description(u2.address));
    assert!(!joined.to_string().contains("192.0.2.103"), "{joined}");
    notified(exchange, u1, "200 OK", true);
    // The call that was replaced ends at once (RFC 3891 §3), the other when its phone wants.
    let bye = u1.expect_request(exchange, &Method::Bye);
    assert_eq!(bye.headers().get("Call-ID"), Some(d13.call_id.as_str()));
    u1.answer(exchange, &bye, 200, "");
    u1.leave(exchange, &mut d12);
    assert_eq!(exchange.records.len(), 1, "the replaced call is over");
    let (a, b) = (voice_of(exchange, Side::A), voice_of(exchange, Side::B));
    assert_eq!(
        (a.as_str(), b.as_str()),
        ("192.0.2.103:40000", "192.0.2.102:40000")
    );
    d13.cseq += 1;
    u3.in_dialog(exchange, &mut d3, "INFO", "", "", true);
    let info = u2.expect_request(exchange, &Method::Info);
    u2.answer(exchange, &info, 200, "");
    u3.expect(exchange, 200);
    they_talk(exchange, u2, &mut d2, u3);
    assert_eq!(exchange.records.len(), 2);
    let legs = [&d12, &d2, &d3].map(|dialog| dialog.call_id.clone());
    assert_eq!(exchange.records[1].call_ids, legs);
    trio.finish();
}

/// The other way round: the REFER comes within the second call, and u1 was called in the first one.
#[test]
fn either_call_may_carry_the_refer() {
    let mut trio = Trio::new();
    let (d2, d12) = talk(&mut trio.exchange, &mut trio.u2, &trio.u1, "1");
    let (mut d13, mut d3) = talk(&mut trio.exchange, &mut trio.u1, &trio.u3, "3");
    let (exchange, u1, u2, u3) = trio.all();
    refer(exchange, u1, &mut d13, &to_call(&d12));
    reinvited(exchange, u2, 200, &description(u2.address));
    reinvited(exchange, u3, 200, &description(u3.address));
    notified(exchange, u1, "200 OK", true);
    let bye = u1.expect_request(exchange, &Method::Bye);
    assert_eq!(bye.headers().get("Call-ID"), Some(d12.call_id.as_str()));
    u1.answer(exchange, &bye, 200, "");
    u1.leave(exchange, &mut d13);
    assert!(!d2.call_id.is_empty());
    they_talk(exchange, u3, &mut d3, u2);
    trio.finish();
}

/// Both calls go on, with the voice where it was.
fn both_go_on(mut trio: Trio, [mut d12, mut d13]: [Dialog; 2]) {
    let (exchange, u1, u2, u3) = trio.all();
    they_talk(exchange, u1, &mut d12, u2);
    they_talk(exchange, u1, &mut d13, u3);
    assert_eq!(exchange.records.len(), 2);
    trio.finish();
}

#[test]
fn a_guest_who_refuses_leaves_both_calls() {
    let (mut trio, mut of_u1, _d2, _d3) = two_calls();
    let (exchange, u1) = (&mut trio.exchange, &mut trio.u1);
    let to = to_call(&of_u1[1]);
    refer(exchange, u1, &mut of_u1[0], &to);
    reinvited(exchange, &trio.u3, 488, "");
    notified(exchange, u1, "488 Not Acceptable Here", true);
    trio.u2.expect_silence(exchange);
    both_go_on(trio, of_u1);
}

#[test]
fn a_guest_who_is_not_wanted_goes_back() {
    let (mut trio, mut of_u1, _d2, _d3) = two_calls();
    let (exchange, u1) = (&mut trio.exchange, &mut trio.u1);
    let to = to_call(&of_u1[1]);
    refer(exchange, u1, &mut of_u1[0], &to);
    let there = reinvited(exchange, &trio.u3, 200, &description(trio.u3.address));
    reinvited(exchange, &trio.u2, 488, "");
    notified(exchange, u1, "488 Not Acceptable Here", true);
    let back = reinvited(exchange, &trio.u3, 200, &description(trio.u3.address));
    // Its voice goes to the ports of its own call again, and nothing else of o= but the version changes.
    let line = |request: &Request, start: &str| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        body.lines()
            .find(|line| line.starts_with(start))
            .expect("a line")
            .to_owned()
    };
    assert_ne!(line(&there, "m="), line(&back, "m="));
    let session = |request: &Request| line(request, "o=").split(' ').nth(1).map(str::to_owned);
    assert_eq!(session(&there), session(&back));
    both_go_on(trio, of_u1);
}

#[test]
fn a_guest_who_hangs_up_ends_his_own_call_only() {
    let (mut trio, [mut d12, d13], _d2, mut d3) = two_calls();
    let (exchange, u1, u2, u3) = trio.all();
    refer(exchange, u1, &mut d12, &to_call(&d13));
    let asked = u3.expect_request(exchange, &Method::Invite);
    u3.leave(exchange, &mut d3);
    notified(exchange, u1, "480 Temporarily Unavailable", true);
    let bye = u1.expect_request(exchange, &Method::Bye);
    assert_eq!(bye.headers().get("Call-ID"), Some(d13.call_id.as_str()));
    u1.answer(exchange, &bye, 200, "");
    u3.answer(exchange, &asked, 487, "");
    take_all(exchange, u3);
    they_talk(exchange, u1, &mut d12, u2);
    trio.finish();
}

#[test]
fn the_transferor_hangs_up_both_calls_at_once() {
    let (mut trio, [mut d12, mut d13], mut d2, _d3) = two_calls();
    let (exchange, u1, u2, u3) = trio.all();
    refer(exchange, u1, &mut d12, &to_call(&d13));
    let asked = u3.expect_request(exchange, &Method::Invite);
    for dialog in [&mut d12, &mut d13] {
        u1.leave(exchange, dialog);
    }
    u3.pick_up(exchange, &asked);
    reinvited(exchange, u2, 200, &description(u2.address));
    notified(exchange, u1, "200 OK", true);
    they_talk(exchange, u2, &mut d2, u3);
    trio.finish();
}

#[test]
fn the_transferor_hangs_up_and_the_others_do_not_agree() {
    let (mut trio, [mut d12, mut d13], _d2, _d3) = two_calls();
    let (exchange, u1, u2, u3) = trio.all();
    refer(exchange, u1, &mut d12, &to_call(&d13));
    for dialog in [&mut d12, &mut d13] {
        u1.leave(exchange, dialog);
    }
    let asked = u3.expect_request(exchange, &Method::Invite);
    u3.refuse(exchange, &asked, 488);
    notified(exchange, u1, "488 Not Acceptable Here", true);
    for party in [&*u2, &*u3] {
        party.is_hung_up(exchange);
    }
    trio.finish();
}

#[test]
fn a_dialog_of_somebody_else_is_no_dialog() {
    let (mut trio, mut d12, _d2) = conversation();
    // u3 calls u2, who is in both; u1 has learned the names of that dialog.
    let (mut d32, _) = talk(&mut trio.exchange, &mut trio.u3, &trio.u2, "2");
    let (exchange, u1, u2, u3) = trio.all();
    let mut none = d32.clone();
    none.remote += "x";
    for named in [&d32, &none, &d12.clone()] {
        refer(exchange, u1, &mut d12, &to_call(named));
        notified(exchange, u1, "481 Call/Transaction Does Not Exist", true);
        u2.expect_silence(exchange);
        u3.expect_silence(exchange);
    }
    they_talk(exchange, u3, &mut d32, u2);
    they_talk(exchange, u1, &mut d12, u2);
    trio.finish();
}
