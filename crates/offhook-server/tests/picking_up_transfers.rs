//! INVITE with Replaces that names a phone which rings for a transfer: whoever picks that call up is in the
//! conversation, or in the room, where the phone would have been.

#![allow(clippy::expect_used, reason = "a test may fail")]

mod support;

use offhook_sip::Method;
use support::Exchange;
use support::party::{Party, description};
use support::picking_up::{USERS, lost, only_video, picks_up, scene, second};
use support::trio::{
    Trio, conversation, notified, refer_early, referred_and_rings, take_over, talk, they_talk,
};

#[test]
fn the_target_of_a_transfer_is_picked_up() {
    for late in [false, true] {
        let (mut trio, mut d1, mut d2) = conversation();
        let mut picker = Party::new("u3", "secret3", "192.0.2.113:5060");
        let (exchange, u1, u2, u3) = trio.all();
        let (named, ringing) = referred_and_rings(exchange, u1, &mut d1, u3);
        let said = description(picker.address);
        let offer = if late { "" } else { &said };
        let mut dialog = take_over(exchange, &mut picker, &named, offer, "");
        lost(exchange, u3, &ringing);
        let asked = u2.expect_request(exchange, &Method::Invite);
        u2.answer(exchange, &asked, 200, &description(u2.address));
        if !late {
            u2.expect_request(exchange, &Method::Ack);
        }
        let answer = picker.expect(exchange, 200);
        let in_ack = if late { &said } else { "" };
        picker.acknowledge(exchange, &mut dialog, &answer, in_ack);
        if late {
            u2.expect_request(exchange, &Method::Ack);
        }
        notified(exchange, u1, "200 OK", true);
        u1.leave(exchange, &mut d1);
        they_talk(exchange, u2, &mut d2, &picker);
        trio.finish();
    }
}

#[test]
fn a_call_that_others_wait_for_is_picked_up() {
    // u1 talks to u3 and rings u2; the key for a transfer is pressed early.
    let mut scene = scene(true);
    let mut picker = second();
    let (exchange, u1, u2, u3) = scene.trio.all();
    let (mut d13, mut d3) = talk(exchange, u1, u3, "3");
    refer_early(exchange, u1, &mut d13, "2", &scene.d1);
    let (_, asked) = picks_up(exchange, &mut picker, &scene.d2);
    lost(exchange, u2, &scene.ringing);
    picker.pick_up(exchange, &asked);
    u1.answered(exchange, &mut scene.d1);
    picker.agrees(exchange);
    u3.agrees(exchange);
    notified(exchange, u1, "200 OK", true);
    u1.is_hung_up(exchange);
    u1.leave(exchange, &mut d13);
    they_talk(exchange, u3, &mut d3, &picker);
    scene.trio.finish();
}

#[test]
fn who_picks_up_is_brought_into_the_room() {
    for refused in [false, true] {
        let numbers = format!("{}^7$=conf/seven\n", support::NUMBERS);
        let mut trio = Trio::with(Exchange::of(USERS, &numbers, |_| {}));
        let mut picker = Party::new("u3", "secret3", "192.0.2.113:5060");
        let (exchange, u1, _, u3) = trio.all();
        let mut d1 = u1.dial(exchange, "7", &description(u1.address));
        u1.answered(exchange, &mut d1);
        let (named, ringing) = referred_and_rings(exchange, u1, &mut d1, u3);
        let said = description(picker.address);
        let video = only_video(&picker);
        let offer = if refused { &video } else { &said };
        let mut dialog = take_over(exchange, &mut picker, &named, offer, "");
        lost(exchange, u3, &ringing);
        if refused {
            picker.refused(exchange, &dialog, 488);
            notified(exchange, u1, "488 Not Acceptable Here", true);
            u1.leave(exchange, &mut d1);
        } else {
            picker.answered(exchange, &mut dialog);
            notified(exchange, u1, "200 OK", true);
            u1.leave(exchange, &mut d1);
            assert_eq!(exchange.server.counts().rooms, 1);
            picker.leave(exchange, &mut dialog);
            let record = exchange.records.last().expect("a record");
            let [caller, called] = [&record.caller, &record.called].map(String::as_str);
            assert_eq!([caller, called], ["u3", "conf/seven"]);
            assert_eq!(record.call_ids, [dialog.call_id.clone()]);
        }
        trio.finish();
    }
}
