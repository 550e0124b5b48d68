//! The transfer key is pressed early, and what whoever answers is to join is no conversation but a
//! room; or the phone that rings makes the offer, and needs its answer before it can join anything.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::{Method, Request};
use support::party::{Dialog, Party, description};
use support::trio::{
    Trio, body_of, in_place_of, notified, refer, refer_early, reinvited, ring, talk, they_talk,
    to_of, voice_of,
};
use support::{Exchange, NUMBERS, USERS};

/// u1 is in the room 7, or talks to u2; u3 rings because of u1.
struct Scene {
    trio: Trio,
    /// The call that u1 would leave.
    first: Dialog,
    /// At u2.
    d2: Option<Dialog>,
    /// What rings at u3, at u1.
    second: Dialog,
    ringing: Request,
}

fn scene(room: bool, offer: bool) -> Scene {
    let numbers =
        format!("{NUMBERS}^7$=conf/seven\n^5$=fork sip/sip:gone@192.0.2.103:5060 | echo/\n");
    let mut trio = Trio::with(Exchange::of(USERS, &numbers, |_| {}));
    let (exchange, u1, u2, u3) = trio.all();
    let (mut first, d2) = if room {
        let mut first = u1.dial(exchange, "7", &description(u1.address));
        u1.answered(exchange, &mut first);
        (first, None)
    } else {
        let (first, d2) = talk(exchange, u1, u2, "2");
        (first, Some(d2))
    };
    let said = description(u1.address);
    let number = if room && !offer { "5" } else { "3" };
    let offer = if offer { &said } else { "" };
    let (second, _, ringing) = ring(exchange, u1, u3, number, offer);
    refer_early(exchange, u1, &mut first, "3", &second);
    Scene {
        trio,
        first,
        d2,
        second,
        ringing,
    }
}

impl Scene {
    /// u1 takes back its call to u3.
    fn cancel(&mut self) {
        let (exchange, u1, _, _) = self.trio.all();
        u1.gives_up(exchange, &self.second);
    }

    /// u1 leaves the other call.
    fn leave(&mut self) {
        let (exchange, u1, _, _) = self.trio.all();
        u1.leave(exchange, &mut self.first);
    }

    /// u3 is asked into the room, and comes.
    fn comes_in(&mut self) {
        let (exchange, _, _, u3) = self.trio.all();
        let asked = u3.agrees(exchange);
        assert!(body_of(&asked).contains("m=audio"), "{asked}");
    }

    /// u2 and u3 are asked to talk to each other.
    fn joined(&mut self) {
        let (exchange, _, u2, u3) = self.trio.all();
        u3.agrees(exchange);
        u2.agrees(exchange);
        let voices = [Side::A, Side::B].map(|side| voice_of(exchange, side));
        assert_eq!(voices, ["192.0.2.103:40000", "192.0.2.102:40000"]);
    }
}

#[test]
fn whoever_answers_comes_into_the_room() {
    for by_himself in [true, false] {
        let mut scene = scene(true, true);
        let (exchange, u1, _, u3) = scene.trio.all();
        let mut d3 = u3.pick_up(exchange, &scene.ringing);
        u1.answered(exchange, &mut scene.second);
        scene.comes_in();
        let (exchange, u1, _, u3) = scene.trio.all();
        notified(exchange, u1, "200 OK", true);
        if by_himself {
            u1.leave(exchange, &mut scene.first);
            u1.leave(exchange, &mut scene.second);
        } else {
            exchange.pass(Duration::from_secs(2));
            u1.is_hung_up(exchange);
            u1.is_hung_up(exchange);
        }
        assert_eq!(exchange.server.counts().rooms, 1);
        // The exchange has asked within the dialog meanwhile.
        d3.cseq += 1;
        u3.in_dialog(exchange, &mut d3, "INFO", "", "", true);
        u3.expect(exchange, 200);
        u3.leave(exchange, &mut d3);
        let record = exchange.records.last().expect("a record");
        assert_eq!(
            (record.caller.as_str(), record.called.as_str()),
            ("u3", "conf/seven")
        );
        scene.trio.finish();
    }
}

#[test]
fn the_transferor_is_gone_before_anybody_answers() {
    for answers in [true, false] {
        let mut scene = scene(true, true);
        scene.cancel();
        scene.leave();
        assert_eq!(scene.trio.exchange.server.counts().rooms, 0);
        let (exchange, u1, _, u3) = scene.trio.all();
        u3.expect_silence(exchange);
        if answers {
            let mut d3 = u3.pick_up(exchange, &scene.ringing);
            scene.comes_in();
            let (exchange, u1, _, u3) = scene.trio.all();
            notified(exchange, u1, "200 OK", true);
            d3.cseq += 1;
            u3.leave(exchange, &mut d3);
        } else {
            exchange.pass(Duration::from_secs(180));
            u3.is_cancelled(exchange, &scene.ringing);
            notified(exchange, u1, "180 Ringing", true);
        }
        scene.trio.finish();
    }
}

#[test]
fn who_does_not_come_leaves_the_room_as_it_is() {
    // He declines, or answers and does not want to go there.
    for answers in [false, true] {
        let mut scene = scene(true, true);
        let (exchange, u1, _, u3) = scene.trio.all();
        if answers {
            u3.pick_up(exchange, &scene.ringing);
            u1.answered(exchange, &mut scene.second);
            reinvited(exchange, u3, 488, "");
            u3.agrees(exchange);
            notified(exchange, u1, "488 Not Acceptable Here", true);
            they_talk(exchange, u1, &mut scene.second, u3);
        } else {
            u3.refuse(exchange, &scene.ringing, 486);
            notified(exchange, u1, "486 Busy Here", true);
            u1.refused(exchange, &scene.second, 486);
        }
        u1.in_dialog(exchange, &mut scene.first, "INFO", "", "", true);
        u1.expect(exchange, 200);
        scene.leave();
        scene.trio.finish();
    }
}

/// u2, who is to talk to u3, says nothing: the others do not wait for ever, and keep their sessions alive
/// meanwhile (RFC 4028 §10).
#[test]
fn who_would_join_a_silent_phone_goes_back() {
    let mut scene = scene(false, true);
    let (exchange, u1, u2, u3) = scene.trio.all();
    let mut d3 = u3.pick_up(exchange, &scene.ringing);
    u1.answered(exchange, &mut scene.second);
    u3.agrees(exchange);
    let refresh = description(u1.address);
    u1.in_dialog(exchange, &mut scene.second, "INVITE", "", &refresh, true);
    u1.answered(exchange, &mut scene.second);
    let asked = u2.expect_request(exchange, &Method::Invite);
    exchange.pass(Duration::from_secs(12));
    notified(exchange, u1, "408 Request Timeout", true);
    u3.agrees(exchange);
    d3.cseq += 2;
    they_talk(exchange, u3, &mut d3, u1);
    // It comes to itself, and is told that nothing has changed.
    while exchange.letter(u2.address).is_some() {}
    u2.pick_up(exchange, &asked);
    u2.agrees(exchange);
    let mut d2 = scene.d2.expect("a conversation");
    d2.cseq += 2;
    they_talk(exchange, u2, &mut d2, u1);
    scene.trio.finish();
}

#[test]
fn the_exchange_does_not_come_into_its_own_room() {
    for gone in [false, true] {
        let mut scene = scene(true, false);
        if gone {
            scene.cancel();
        }
        let (exchange, u1, _, u3) = scene.trio.all();
        // The second place of the fork answers.
        u3.refuse(exchange, &scene.ringing, 486);
        notified(exchange, u1, "501 Not Implemented", true);
        if !gone {
            let answer = u1.expect(exchange, 200);
            let said = description(u1.address);
            u1.acknowledge(exchange, &mut scene.second, &answer, &said);
            u1.leave(exchange, &mut scene.second);
        }
        scene.leave();
        scene.trio.finish();
    }
}

#[test]
fn one_call_is_promised_once() {
    let mut scene = scene(true, true);
    let (exchange, u1, _, _) = scene.trio.all();
    let to = in_place_of("3", &scene.second);
    refer(exchange, u1, &mut scene.first, &to);
    let line = "481 Call/Transaction Does Not Exist";
    notified(exchange, u1, line, true);
    scene.cancel();
    let (exchange, u1, _, u3) = scene.trio.all();
    u3.refuse(exchange, &scene.ringing, 603);
    notified(exchange, u1, "603 Decline", true);
    scene.leave();
    scene.trio.finish();
}

#[test]
fn the_transferor_answers_what_the_phone_has_offered() {
    let mut scene = scene(false, false);
    let (exchange, u1, _, u3) = scene.trio.all();
    u3.answer(exchange, &scene.ringing, 200, &description(u3.address));
    u3.expect_silence(exchange);
    let answer = u1.expect(exchange, 200);
    let said = description(u1.address);
    u1.acknowledge(exchange, &mut scene.second, &answer, &said);
    let ack = u3.expect_request(exchange, &Method::Ack);
    assert!(!ack.body().is_empty());
    scene.joined();
    let (exchange, u1, u2, u3) = scene.trio.all();
    notified(exchange, u1, "200 OK", true);
    u1.is_hung_up(exchange);
    u1.leave(exchange, &mut scene.first);
    let mut d2 = scene.d2.take().expect("u2 talks");
    they_talk(exchange, u2, &mut d2, u3);
    scene.trio.finish();
}

#[test]
fn the_exchange_answers_for_a_transferor_who_is_gone() {
    for hangs_up_late in [false, true] {
        let mut scene = scene(false, false);
        if !hangs_up_late {
            scene.cancel();
        }
        scene.leave();
        let (exchange, u1, _, u3) = scene.trio.all();
        u3.answer(exchange, &scene.ringing, 200, &description(u3.address));
        if hangs_up_late {
            // His ACK is lost, and he has had enough.
            let answer = u1.expect(exchange, 200);
            u3.expect_silence(exchange);
            to_of(&answer).clone_into(&mut scene.second.remote);
            u1.leave(exchange, &mut scene.second);
        }
        let ack = u3.expect_request(exchange, &Method::Ack);
        let silent = String::from_utf8_lossy(ack.body()).into_owned();
        assert!(silent.contains("a=inactive"), "{ack}");
        scene.joined();
        let (exchange, u1, u2, u3) = scene.trio.all();
        notified(exchange, u1, "200 OK", true);
        let mut d2 = scene.d2.take().expect("u2 talks");
        they_talk(exchange, u2, &mut d2, u3);
        scene.trio.finish();
    }
}

#[test]
fn an_offer_that_nobody_answers_joins_nobody() {
    // The transferor leaves it without an answer, or the phone hangs up before there is one.
    for spoilt in [true, false] {
        let mut scene = scene(false, false);
        let (exchange, u1, u2, u3) = scene.trio.all();
        let mut d3 = u3.answer(exchange, &scene.ringing, 200, &description(u3.address));
        let answer = u1.expect(exchange, 200);
        if spoilt {
            u1.acknowledge(exchange, &mut scene.second, &answer, "");
            u3.expect_request(exchange, &Method::Ack);
            u3.is_hung_up(exchange);
            notified(exchange, u1, "488 Not Acceptable Here", true);
        } else {
            u3.leave(exchange, &mut d3);
            u3.expect_request(exchange, &Method::Ack);
            notified(exchange, u1, "480 Temporarily Unavailable", true);
            let said = description(u1.address);
            u1.acknowledge(exchange, &mut scene.second, &answer, &said);
        }
        u1.is_hung_up(exchange);
        they_talk(exchange, u1, &mut scene.first, u2);
        scene.trio.finish();
    }
}

#[test]
fn who_was_to_be_transferred_hangs_up_before_there_is_an_answer() {
    let mut scene = scene(false, false);
    let (exchange, u1, u2, u3) = scene.trio.all();
    u3.answer(exchange, &scene.ringing, 200, &description(u3.address));
    let answer = u1.expect(exchange, 200);
    let mut d2 = scene.d2.take().expect("u2 talks");
    u2.leave(exchange, &mut d2);
    notified(exchange, u1, "487 Request Terminated", true);
    u1.is_hung_up(exchange);
    let said = description(u1.address);
    u1.acknowledge(exchange, &mut scene.second, &answer, &said);
    u3.expect_request(exchange, &Method::Ack);
    they_talk(exchange, u1, &mut scene.second, u3);
    scene.trio.finish();
}

/// A phone that takes a call by itself, for it makes no difference here.
#[test]
fn a_phone_that_offers_comes_into_the_room() {
    let mut trio = Trio::with(Exchange::of(
        USERS,
        &format!("{NUMBERS}^7$=conf/seven\n"),
        |_| {},
    ));
    let (exchange, u1, _, u3) = trio.all();
    let mut first = u1.dial(exchange, "7", &description(u1.address));
    u1.answered(exchange, &mut first);
    let (mut second, _, ringing) = ring(exchange, u1, u3, "3", "");
    refer_early(exchange, u1, &mut first, "3", &second);
    let mut d3 = u3.answer(exchange, &ringing, 200, &description(u3.address));
    let answer = u1.expect(exchange, 200);
    u1.acknowledge(exchange, &mut second, &answer, &description(u1.address));
    u3.expect_request(exchange, &Method::Ack);
    u3.agrees(exchange);
    notified(exchange, u1, "200 OK", true);
    u1.leave(exchange, &mut first);
    u1.leave(exchange, &mut second);
    d3.cseq += 1;
    leave_the_room(exchange, u3, &mut d3);
    trio.finish();
}

fn leave_the_room(exchange: &mut Exchange, party: &mut Party, dialog: &mut Dialog) {
    assert_eq!(exchange.server.counts().rooms, 1);
    party.leave(exchange, dialog);
    assert_eq!(exchange.server.counts().rooms, 0);
}
