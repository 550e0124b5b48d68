//! A call that is not answered: taken back by the caller, at each moment; given up for want of time, or of
//! an answer; and a server that is stopped while something rings. Both legs are told.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{Command, Event as MediaEvent};
use offhook_server::{Config, End, Outcome};
use offhook_sip::{Method, Request, StatusCode};
use support::party::{Dialog, description};
use support::trio::{Trio, dialled, dialled_at};
use support::{Exchange, USERS};

/// u1 dials 2, and the phone of u2 rings.
fn ringing(exchange: Exchange) -> (Trio, Dialog, Request) {
    let (mut trio, dialog, invite) = dialled_at(exchange);
    let (exchange, u1, u2, _) = trio.all();
    u2.answer(exchange, &invite, 180, "");
    u1.expect(exchange, 180);
    (trio, dialog, invite)
}

/// u1 takes its call back, which is done for it at once, whatever u2's phone does.
fn give_up(trio: &mut Trio, dialog: &Dialog) {
    let Trio { exchange, u1, .. } = trio;
    u1.cancel(exchange, dialog);
    u1.expect(exchange, 200);
    u1.refused(exchange, dialog, 487);
}

fn cancelled(mut trio: Trio) {
    trio.finish_after(&Outcome::Cancelled);
}

fn failed(mut trio: Trio, status: u16) {
    let status = StatusCode::new(status).expect("a status");
    trio.finish_after(&Outcome::Failed(status));
}

// checklist: B2BUA-02
#[test]
fn the_caller_gives_up_while_it_rings() {
    let (mut trio, dialog, invite) = ringing(Exchange::new());
    let (exchange, u1, u2, _) = trio.all();
    let reason = "SIP;text=\"No time\"";
    let extra = format!("Reason: {reason}\r\n");
    u1.send(
        exchange,
        &u1.text("CANCEL", &dialog.target, &dialog, &extra, ""),
    );
    u1.expect(exchange, 200);
    u1.refused(exchange, &dialog, 487);
    let cancel = u2.is_cancelled(exchange, &invite);
    assert_eq!(cancel.headers().get("Reason"), Some(reason));
    cancelled(trio);
}

// checklist: B2BUA-02
#[test]
fn the_cancel_crosses_the_answer() {
    let (mut trio, dialog, invite) = ringing(Exchange::new());
    let (exchange, u1, u2, _) = trio.all();
    u1.cancel(exchange, &dialog);
    u2.expect_request(exchange, &Method::Cancel);
    // RFC 3261 §15: the answered leg is acknowledged and hung up.
    u2.pick_up(exchange, &invite);
    u2.is_hung_up(exchange);
    u1.expect(exchange, 200);
    u1.refused(exchange, &dialog, 487);
    trio.finish();
}

#[test]
fn the_callers_invitation_expires() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let body = description(u1.address);
    let dialog = u1.dial_with(exchange, "2", "Expires: 10\r\n", &body);
    let invite = u2.expect_request(exchange, &Method::Invite);
    u2.answer(exchange, &invite, 180, "");
    u1.expect(exchange, 180);
    exchange.pass(Duration::from_millis(10_100));
    u1.refused(exchange, &dialog, 487);
    u2.is_cancelled(exchange, &invite);
    cancelled(trio);
}

// checklist: B2BUA-03
#[test]
fn nobody_answers_in_time() {
    let choose = |config: &mut Config| config.calls.no_answer = Duration::from_secs(20);
    let (mut trio, dialog, invite) = ringing(Exchange::with(choose));
    let (exchange, u1, u2, _) = trio.all();
    // A phone that no CANCEL reaches stops ringing by itself.
    assert_eq!(invite.headers().get("Expires"), Some("52"));
    exchange.pass(Duration::from_millis(20_100));
    u1.refused(exchange, &dialog, 480);
    u2.is_cancelled(exchange, &invite);
    failed(trio, 480);
}

#[test]
fn a_rules_own_limits_are_answered_as_yate_does() {
    for (limit, status) in [("timeout", 408), ("maxcall", 480)] {
        let numbers = format!("[default]\n^2$=return;called=u2;{limit}=5000\n");
        let (mut trio, dialog, invite) = ringing(Exchange::of(USERS, &numbers, |_| {}));
        let (exchange, u1, u2, _) = trio.all();
        exchange.pass(Duration::from_millis(5100));
        u1.refused(exchange, &dialog, status);
        u2.is_cancelled(exchange, &invite);
        failed(trio, status);
    }
}

#[test]
fn the_callee_answers_no_packet() {
    let (mut trio, dialog, _) = dialled();
    let (exchange, u1, u2, _) = trio.all();
    // Timer B; the answer comes again 500 ms later.
    exchange.pass(Duration::from_millis(32_300));
    u1.refused(exchange, &dialog, 408);
    while exchange.letter(u2.address).is_some() {}
    failed(trio, 408);
}

// checklist: B2BUA-03
#[test]
fn the_callee_is_unreachable() {
    let (mut trio, dialog, _) = dialled();
    let (exchange, u1, u2, _) = trio.all();
    exchange.unreachable(u2.address);
    u1.refused(exchange, &dialog, 503);
    failed(trio, 503);
}

/// RFC 3261 §9.1: no CANCEL before the first answer.
// checklist: B2BUA-02
#[test]
fn a_phone_that_has_not_answered_yet_is_told_when_it_does() {
    for first in [100, 180] {
        let (mut trio, dialog, invite) = dialled();
        give_up(&mut trio, &dialog);
        let Trio {
            exchange, u1, u2, ..
        } = &mut trio;
        u2.expect_silence(exchange);
        u2.answer(exchange, &invite, first, "");
        u2.is_cancelled(exchange, &invite);
        u1.expect_silence(exchange);
        cancelled(trio);
    }
}

/// RFC 3262 §3: the 2xx waits for the PRACK of early media, and the caller takes his call back instead.
#[test]
fn who_gives_up_while_his_answer_waits_for_him_has_ended_the_call() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let body = description(u1.address);
    let dialog = u1.dial_with(exchange, "2", "Require: 100rel\r\n", &body);
    let invite = u2.expect_request(exchange, &Method::Invite);
    u2.answer(exchange, &invite, 183, &description(u2.address));
    u1.expect(exchange, 183);
    u2.pick_up(exchange, &invite);
    u1.expect_silence(exchange);
    give_up(&mut trio, &dialog);
    trio.u2.is_hung_up(&mut trio.exchange);
    trio.finish_after(&Outcome::Answered(End::Caller));
}

#[test]
fn a_phone_that_is_picked_up_at_once_is_hung_up() {
    let (mut trio, dialog, invite) = dialled();
    give_up(&mut trio, &dialog);
    let Trio { exchange, u2, .. } = &mut trio;
    u2.pick_up(exchange, &invite);
    u2.is_hung_up(exchange);
    cancelled(trio);
}

#[test]
fn a_phone_that_refuses_meanwhile_is_left_alone() {
    let (mut trio, dialog, invite) = dialled();
    give_up(&mut trio, &dialog);
    let Trio { exchange, u2, .. } = &mut trio;
    u2.refuse(exchange, &invite, 486);
    u2.expect_silence(exchange);
    cancelled(trio);
}

#[test]
fn a_phone_that_never_answers_is_given_up() {
    let (mut trio, dialog, _) = dialled();
    give_up(&mut trio, &dialog);
    let Trio { exchange, u2, .. } = &mut trio;
    exchange.pass(Duration::from_secs(33));
    while let Some(letter) = exchange.letter(u2.address) {
        assert!(letter.starts_with(b"INVITE "), "nothing but repeats");
    }
    cancelled(trio);
}

/// Even before the call has its ports.
#[test]
fn nothing_rings_when_the_ports_come_too_late() {
    let mut exchange = Exchange::new();
    exchange.ports_wait = true;
    let mut trio = Trio::with(exchange);
    let (exchange, u1, u2, _) = trio.all();
    let dialog = u1.dial(exchange, "2", &description(u1.address));
    let opening = exchange.commands.iter().find_map(|command| match command {
        Command::Open { id, .. } => Some(*id),
        _ => None,
    });
    let id = opening.expect("ports are asked for");
    u2.expect_silence(exchange);
    give_up(&mut trio, &dialog);
    let exchange = &mut trio.exchange;
    exchange.media_event(MediaEvent::Opened { id });
    trio.u2.expect_silence(exchange);
    cancelled(trio);
}

#[test]
fn a_server_that_is_stopped_stops_what_rings() {
    let (mut trio, dialog, invite) = ringing(Exchange::new());
    let (exchange, u1, u2, _) = trio.all();
    exchange.server.shut_down(exchange.now);
    exchange.pass(Duration::ZERO);
    u1.refused(exchange, &dialog, 503);
    u2.is_cancelled(exchange, &invite);
    failed(trio, 503);
}
