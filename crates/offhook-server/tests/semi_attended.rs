//! Semi-attended transfers: the transfer key is pressed while the target still rings. It goes on
//! ringing, and whoever answers talks to the one who was transferred.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::{Method, Request};
use support::Exchange;
use support::party::{Dialog, Party, description};
use support::trio::{
    Trio, conversation, hang_up, notified, refer, reinvited, replaces, talk, they_talk, to_of,
    voice_of,
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
    let mut d13 = u1.dial(exchange, "3", &description(u1.address));
    let ringing = u3.expect_request(exchange, &Method::Invite);
    u3.answer(exchange, &ringing, 180, "");
    let heard = u1.expect(exchange, 180);
    to_of(&heard).clone_into(&mut d13.remote);
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
        let Trio { exchange, u1, .. } = &mut self.trio;
        let to = format!("sip:3@192.0.2.50?Replaces={}", replaces(&self.d13));
        refer(exchange, u1, &mut self.d12, &to);
        notified(exchange, u1, "180 Ringing", false);
    }

    /// u1 takes back its call to u3, which has to be answered 487.
    fn cancel(&mut self) {
        let Trio { exchange, u1, .. } = &mut self.trio;
        let cancel = u1.text("CANCEL", &self.d13.target, &cancelled(&self.d13), "", "");
        u1.send(exchange, &cancel);
        u1.expect(exchange, 200);
        let ended = u1.expect(exchange, 487);
        u1.acknowledge_failure(exchange, &self.d13, &ended);
    }

    fn hang_up_first(&mut self) {
        let Trio { exchange, u1, .. } = &mut self.trio;
        u1.in_dialog(exchange, &mut self.d12, "BYE", "", "", true);
        u1.expect(exchange, 200);
    }

    /// u3 answers, and both are asked to talk to each other.
    fn joined(&mut self) -> Dialog {
        let Trio {
            exchange, u2, u3, ..
        } = &mut self.trio;
        let d3 = u3.answer(exchange, &self.ringing, 200, &description(u3.address));
        u3.expect_request(exchange, &Method::Ack);
        let asked = reinvited(exchange, u3, 200, &description(u3.address));
        assert!(!asked.to_string().contains("192.0.2.102"), "{asked}");
        let asked = reinvited(exchange, u2, 200, &description(u2.address));
        assert!(!asked.to_string().contains("192.0.2.103"), "{asked}");
        let (a, b) = (voice_of(exchange, Side::A), voice_of(exchange, Side::B));
        assert_eq!(
            (a.as_str(), b.as_str()),
            ("192.0.2.103:40000", "192.0.2.102:40000")
        );
        d3
    }
}

/// A CANCEL has no tag in To, as its INVITE had none (RFC 3261 §9.1).
fn cancelled(dialog: &Dialog) -> Dialog {
    let mut dialog = dialog.clone();
    let bare = dialog.remote.split(";tag=").next().expect("an address");
    dialog.remote = bare.to_owned();
    dialog
}

fn bye(exchange: &mut Exchange, party: &Party) -> Request {
    let bye = party.expect_request(exchange, &Method::Bye);
    party.answer(exchange, &bye, 200, "");
    bye
}

#[test]
fn the_transferor_waits_for_the_answer() {
    let mut scene = scene();
    scene.transfer();
    scene.trio.u3.expect_silence(&scene.trio.exchange);
    scene.joined();
    // Its own call is answered, and replaced at once.
    let Trio { exchange, u1, .. } = &mut scene.trio;
    let answer = u1.expect(exchange, 200);
    u1.acknowledge(exchange, &mut scene.d13, &answer, "");
    notified(exchange, u1, "200 OK", true);
    let ended = bye(exchange, u1);
    assert_eq!(
        ended.headers().get("Call-ID"),
        Some(scene.d13.call_id.as_str())
    );
    scene.hang_up_first();
    let Trio {
        exchange, u2, u3, ..
    } = &mut scene.trio;
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
        let Trio {
            exchange,
            u1,
            u2,
            u3,
        } = &mut scene.trio;
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
    let Trio {
        exchange,
        u1,
        u2,
        u3,
    } = &mut scene.trio;
    u3.answer(exchange, &scene.ringing, 486, "");
    u3.expect_request(exchange, &Method::Ack);
    let busy = u1.expect(exchange, 486);
    u1.acknowledge_failure(exchange, &scene.d13, &busy);
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
    let exchange = &mut scene.trio.exchange;
    exchange.pass(Duration::from_secs(180));
    let trio = &mut scene.trio;
    let cancel = trio.u3.expect_request(&mut trio.exchange, &Method::Cancel);
    trio.u3.answer(&mut trio.exchange, &cancel, 200, "");
    trio.u3.answer(&mut trio.exchange, &scene.ringing, 487, "");
    trio.u3.expect_request(&mut trio.exchange, &Method::Ack);
    // A report without news is over after the same three minutes (RFC 3515 §2.4.4).
    notified(&mut trio.exchange, &trio.u1, "180 Ringing", true);
    bye(&mut trio.exchange, &trio.u2);
    trio.finish();
}

#[test]
fn who_was_to_be_transferred_hangs_up() {
    // The transferor still waits: it has its call to u3.
    let mut scene = scene();
    scene.transfer();
    let Trio {
        exchange,
        u1,
        u2,
        u3,
    } = &mut scene.trio;
    u2.in_dialog(exchange, &mut scene.d2, "BYE", "", "", true);
    u2.expect(exchange, 200);
    notified(exchange, u1, "487 Request Terminated", true);
    bye(exchange, u1);
    u3.answer(exchange, &scene.ringing, 200, &description(u3.address));
    u3.expect_request(exchange, &Method::Ack);
    let answer = u1.expect(exchange, 200);
    u1.acknowledge(exchange, &mut scene.d13, &answer, "");
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
        let Trio {
            exchange,
            u1,
            u2,
            u3,
        } = &mut scene.trio;
        u2.in_dialog(exchange, &mut scene.d2, "BYE", "", "", true);
        u2.expect(exchange, 200);
        notified(exchange, u1, "487 Request Terminated", true);
        let cancel = u3.expect_request(exchange, &Method::Cancel);
        u3.answer(exchange, &cancel, 200, "");
        if answers {
            // The 200 crosses the CANCEL.
            u3.answer(exchange, &scene.ringing, 200, &description(u3.address));
            u3.expect_request(exchange, &Method::Ack);
            bye(exchange, u3);
        } else {
            u3.answer(exchange, &scene.ringing, 487, "");
            u3.expect_request(exchange, &Method::Ack);
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
        let Trio {
            exchange,
            u1,
            u2,
            u3,
        } = &mut scene.trio;
        u3.answer(exchange, &scene.ringing, 200, &description(u3.address));
        u3.expect_request(exchange, &Method::Ack);
        if !gone {
            let answer = u1.expect(exchange, 200);
            u1.acknowledge(exchange, &mut scene.d13, &answer, "");
        }
        reinvited(exchange, u3, 200, &description(u3.address));
        reinvited(exchange, u2, 488, "");
        notified(exchange, u1, "488 Not Acceptable Here", true);
        if gone {
            for party in [&*u2, &*u3] {
                bye(exchange, party);
            }
        } else {
            reinvited(exchange, u3, 200, &description(u3.address));
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
    let to = format!("sip:3@192.0.2.50?Replaces={}", replaces(d13));
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
    let Trio { exchange, u1, .. } = trio;
    let to = format!(
        "Refer-To: <sip:3@192.0.2.50?Replaces={}>\r\n",
        replaces(d13)
    );
    u1.in_dialog(exchange, d12, "REFER", &to, "", true);
    u1.expect(exchange, 491);
    scene.joined();
    let trio = &mut scene.trio;
    let answer = trio.u1.expect(&mut trio.exchange, 200);
    trio.u1
        .acknowledge(&mut trio.exchange, &mut scene.d13, &answer, "");
    notified(&mut trio.exchange, &trio.u1, "200 OK", true);
    bye(&mut trio.exchange, &trio.u1);
    trio.exchange.pass(Duration::from_secs(2));
    bye(&mut trio.exchange, &trio.u1);
    they_talk(&mut trio.exchange, &mut trio.u2, &mut scene.d2, &trio.u3);
    // Nothing stands in the way of the next call.
    let (mut again, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    hang_up(&mut trio.exchange, &mut trio.u1, &mut again, &trio.u2);
    trio.finish();
}
