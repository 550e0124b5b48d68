//! CANCEL at the moments at which nothing rings yet, and a server that is stopped while something rings.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{Command, Event as MediaEvent};
use offhook_server::{End, Outcome};
use offhook_sip::{Method, Request, StatusCode};
use support::Exchange;
use support::party::{Dialog, description};
use support::trio::Trio;

/// u1 dials 2, and u2's phone has the INVITE.
fn dialled() -> (Trio, Dialog, Request) {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let dialog = u1.dial(exchange, "2", &description(u1.address));
    let invite = u2.expect_request(exchange, &Method::Invite);
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
    let outcomes: Vec<_> = trio.exchange.records.iter().map(|of| &of.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Cancelled]);
    trio.finish();
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
    let outcomes: Vec<_> = trio.exchange.records.iter().map(|of| &of.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Answered(End::Caller)]);
    trio.finish();
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
    let (mut trio, dialog, invite) = dialled();
    let Trio {
        exchange, u1, u2, ..
    } = &mut trio;
    u2.answer(exchange, &invite, 180, "");
    u1.expect(exchange, 180);
    exchange.server.shut_down(exchange.now);
    exchange.pass(Duration::ZERO);
    u1.refused(exchange, &dialog, 503);
    u2.is_cancelled(exchange, &invite);
    let outcomes: Vec<_> = exchange.records.iter().map(|of| &of.outcome).collect();
    assert_eq!(
        outcomes,
        [&Outcome::Failed(StatusCode::SERVICE_UNAVAILABLE)]
    );
    trio.finish();
}
