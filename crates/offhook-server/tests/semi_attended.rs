//! Semi-attended transfers: the transfer key is pressed while the target still rings. It goes on
//! ringing, and whoever answers talks to the one who was transferred.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::{Method, Request};
use support::party::{Dialog, description};
use support::trio::{
    Trio, conversation, hang_up, in_place_of, notified, refer, refer_early, reinvited, ring, talk,
    they_talk, voice_of,
};

/// u1 talks to u2; u3 rings because of u1.
struct Scene {
    trio: Trio,
    d12: Dialog,
    d13: Dialog,
    d2: Dialog,
    /// What rings at u3.
    ringing: Request,
}

fn scene() -> Scene {
    let (mut trio, d12, d2) = conversation();
    let (exchange, u1, _, u3) = trio.all();
    let offer = description(u1.address);
    let (d13, _, ringing) = ring(exchange, u1, u3, "3", &offer);
    Scene {
        trio,
        d12,
        d13,
        d2,
        ringing,
    }
}

impl Scene {
    /// u1 sends u2 to whoever answers.
    fn transfer(&mut self) {
        let (exchange, u1, _, _) = self.trio.all();
        refer_early(exchange, u1, &mut self.d12, "3", &self.d13);
    }

    /// u1 takes back its call to u3, which has to be answered 487.
    fn cancel(&mut self) {
        let (exchange, u1, _, _) = self.trio.all();
        u1.gives_up(exchange, &self.d13);
    }

    fn hang_up_first(&mut self) {
        let (exchange, u1, _, _) = self.trio.all();
        u1.leave(exchange, &mut self.d12);
    }

    /// u3 answers, and both are asked to talk to each other.
    fn joined(&mut self) -> Dialog {
        let (exchange, _, u2, u3) = self.trio.all();
        let d3 = u3.pick_up(exchange, &self.ringing);
        let asked = u3.agrees(exchange);
        assert!(!asked.to_string().contains("192.0.2.102"), "{asked}");
        let asked = u2.agrees(exchange);
        assert!(!asked.to_string().contains("192.0.2.103"), "{asked}");
        let (a, b) = (voice_of(exchange, Side::A), voice_of(exchange, Side::B));
        assert_eq!(
            (a.as_str(), b.as_str()),
            ("192.0.2.103:40000", "192.0.2.102:40000")
        );
        d3
    }
}

#[test]
fn the_transferor_waits_for_the_answer() {
    let mut scene = scene();
    scene.transfer();
    scene.trio.u3.expect_silence(&scene.trio.exchange);
    scene.joined();
    // Its own call is answered, and replaced at once.
    let (exchange, u1, _, _) = scene.trio.all();
    u1.answered(exchange, &mut scene.d13);
    notified(exchange, u1, "200 OK", true);
    let ended = u1.is_hung_up(exchange);
    assert_eq!(
        ended.headers().get("Call-ID"),
        Some(scene.d13.call_id.as_str())
    );
    scene.hang_up_first();
    let (exchange, _, u2, u3) = scene.trio.all();
    they_talk(exchange, u2, &mut scene.d2, u3);
    assert_eq!(exchange.records.len(), 2);
    scene.trio.finish();
}

#[test]
fn the_transferor_takes_its_call_back_and_hangs_up() {
    for cancels_first in [true, false] {
        let mut scene = scene();
        scene.transfer();
        if cancels_first {
            scene.cancel();
            scene.hang_up_first();
        } else {
            scene.hang_up_first();
            scene.cancel();
        }
        // It rings on, and u2 is not let down.
        scene.trio.u3.expect_silence(&scene.trio.exchange);
        scene.trio.u2.expect_silence(&scene.trio.exchange);
        let mut d3 = scene.joined();
        let (exchange, u1, u2, u3) = scene.trio.all();
        notified(exchange, u1, "200 OK", true);
        assert_eq!(exchange.records.len(), 1);
        // The exchange has asked within the dialog meanwhile.
        d3.cseq += 1;
        they_talk(exchange, u3, &mut d3, u2);
        scene.trio.finish();
    }
}

#[test]
fn a_target_that_declines_leaves_the_conversation() {
    let mut scene = scene();
    scene.transfer();
    let (exchange, u1, u2, u3) = scene.trio.all();
    u3.refuse(exchange, &scene.ringing, 486);
    u1.refused(exchange, &scene.d13, 486);
    notified(exchange, u1, "486 Busy Here", true);
    they_talk(exchange, u1, &mut scene.d12, u2);
    scene.trio.finish();
}

#[test]
fn nobody_is_left_to_talk_to_when_the_target_does_not_answer() {
    let mut scene = scene();
    scene.transfer();
    scene.cancel();
    scene.hang_up_first();
    let (exchange, u1, u2, u3) = scene.trio.all();
    exchange.pass(Duration::from_secs(180));
    u3.is_cancelled(exchange, &scene.ringing);
    // A report without news is over after the same three minutes (RFC 3515 §2.4.4).
    notified(exchange, u1, "180 Ringing", true);
    u2.is_hung_up(exchange);
    scene.trio.finish();
}

#[test]
fn who_was_to_be_transferred_hangs_up() {
    // The transferor still waits: it has its call to u3.
    let mut scene = scene();
    scene.transfer();
    let (exchange, u1, u2, u3) = scene.trio.all();
    u2.leave(exchange, &mut scene.d2);
    notified(exchange, u1, "487 Request Terminated", true);
    u1.is_hung_up(exchange);
    u3.pick_up(exchange, &scene.ringing);
    u1.answered(exchange, &mut scene.d13);
    they_talk(exchange, u1, &mut scene.d13, u3);
    scene.trio.finish();
}

#[test]
fn who_was_to_be_transferred_hangs_up_and_nobody_waits() {
    for answers in [false, true] {
        let mut scene = scene();
        scene.transfer();
        scene.cancel();
        scene.hang_up_first();
        let (exchange, u1, u2, u3) = scene.trio.all();
        u2.leave(exchange, &mut scene.d2);
        notified(exchange, u1, "487 Request Terminated", true);
        let cancel = u3.expect_request(exchange, &Method::Cancel);
        u3.answer(exchange, &cancel, 200, "");
        if answers {
            // The 200 crosses the CANCEL.
            u3.pick_up(exchange, &scene.ringing);
            u3.is_hung_up(exchange);
        } else {
            u3.refuse(exchange, &scene.ringing, 487);
        }
        scene.trio.finish();
    }
}

#[test]
fn who_stays_does_not_agree() {
    for gone in [false, true] {
        let mut scene = scene();
        scene.transfer();
        if gone {
            scene.cancel();
            scene.hang_up_first();
        }
        let (exchange, u1, u2, u3) = scene.trio.all();
        u3.pick_up(exchange, &scene.ringing);
        if !gone {
            u1.answered(exchange, &mut scene.d13);
        }
        u3.agrees(exchange);
        reinvited(exchange, u2, 488, "");
        notified(exchange, u1, "488 Not Acceptable Here", true);
        if gone {
            for party in [&*u2, &*u3] {
                party.is_hung_up(exchange);
            }
        } else {
            u3.agrees(exchange);
            they_talk(exchange, u1, &mut scene.d13, u3);
            they_talk(exchange, u1, &mut scene.d12, u2);
        }
        scene.trio.finish();
    }
}

#[test]
fn what_rings_for_others_or_has_been_answered_is_nothing_to_wait_for() {
    let mut scene = scene();
    let Scene {
        trio,
        d12,
        d13,
        d2,
        ringing,
    } = &mut scene;
    // u3 is rung by u1: neither u2 nor u3 can dispose of that call.
    let (exchange, u1, u2, u3) = trio.all();
    let to = in_place_of("3", d13);
    refer(exchange, u2, d2, &to);
    notified(exchange, u2, "481 Call/Transaction Does Not Exist", true);
    u3.pick_up(exchange, ringing);
    u1.answered(exchange, d13);
    // It was to be an early one only.
    refer(exchange, u1, d12, &format!("{to}%3Bearly-only"));
    notified(exchange, u1, "486 Busy Here", true);
    they_talk(exchange, u1, d13, u3);
    they_talk(exchange, u1, d12, u2);
    scene.trio.finish();
}

#[test]
fn a_call_waits_for_one_answer_only() {
    let mut scene = scene();
    scene.transfer();
    let Scene { trio, d12, d13, .. } = &mut scene;
    let (exchange, u1, _, _) = trio.all();
    let to = format!("Refer-To: <{}>\r\n", in_place_of("3", d13));
    u1.in_dialog(exchange, d12, "REFER", &to, "", true);
    u1.expect(exchange, 491);
    scene.joined();
    let (exchange, u1, u2, u3) = scene.trio.all();
    u1.answered(exchange, &mut scene.d13);
    notified(exchange, u1, "200 OK", true);
    u1.is_hung_up(exchange);
    exchange.pass(Duration::from_secs(2));
    u1.is_hung_up(exchange);
    they_talk(exchange, u2, &mut scene.d2, u3);
    // Nothing stands in the way of the next call.
    let (mut again, _) = talk(exchange, u1, u2, "2");
    hang_up(exchange, u1, &mut again, u2);
    scene.trio.finish();
}
