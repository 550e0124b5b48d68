//! INVITE with Replaces that names a phone which rings: whoever may pick the call up has it, and every
//! phone stops ringing.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::Side;
use offhook_sip::Method;
use support::Exchange;
use support::party::{Party, description};
use support::picking_up::{ELSEWHERE, USERS, let_in, lost, only_video, picks_up, scene, second};
use support::trio::{take_over, talk, they_talk, voice_of};

#[test]
fn another_phone_of_the_callee_picks_up() {
    for early_only in ["", ";early-only"] {
        let mut scene = scene(true);
        let mut picker = second();
        let (exchange, u1, u2, _) = scene.trio.all();
        let body = description(picker.address);
        let mut dialog = take_over(exchange, &mut picker, &scene.d2, &body, early_only);
        lost(exchange, u2, &scene.ringing);
        let asked = let_in(exchange, &mut picker, &mut dialog);
        let offer = String::from_utf8_lossy(asked.body()).into_owned();
        assert!(!offer.contains("inactive") && !offer.contains("192.0.2.101"));
        assert!(offer.contains(" 2 IN IP4 192.0.2.50\r\n"), "{offer}");
        u1.expect_silence(exchange);
        picker.answer(exchange, &asked, 200, &body);
        picker.expect_request(exchange, &Method::Ack);
        let answer = u1.answered(exchange, &mut scene.d1);
        assert!(!answer.to_string().contains("192.0.2.112"), "{answer}");
        assert_eq!(voice_of(exchange, Side::B), "192.0.2.112:40000");
        assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
        they_talk(exchange, u1, &mut scene.d1, &picker);
        let [record] = &exchange.records[..] else {
            panic!("one call")
        };
        assert_eq!(record.answered_by.as_deref(), Some("u2"));
        assert_eq!(record.call_ids.last(), Some(&dialog.call_id));
        assert_eq!(record.call_ids.len(), 3);
        assert!(record.answered_after.is_some());
        scene.trio.finish();
    }
}

#[test]
fn a_picker_without_an_offer_answers_in_his_ack() {
    for answers in [true, false] {
        let mut scene = scene(true);
        let mut picker = second();
        let (exchange, u1, u2, _) = scene.trio.all();
        let mut dialog = take_over(exchange, &mut picker, &scene.d2, "", "");
        lost(exchange, u2, &scene.ringing);
        let answer = picker.expect(exchange, 200);
        let offer = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(offer.contains("m=audio") && !offer.contains("192.0.2.101"));
        u1.expect_silence(exchange);
        let said = description(picker.address);
        let said = if answers { said.as_str() } else { "" };
        picker.acknowledge(exchange, &mut dialog, &answer, said);
        if answers {
            u1.answered(exchange, &mut scene.d1);
            assert_eq!(voice_of(exchange, Side::B), "192.0.2.112:40000");
            they_talk(exchange, u1, &mut scene.d1, &picker);
        } else {
            picker.is_hung_up(exchange);
            u1.refused(exchange, &scene.d1, 480);
        }
        scene.trio.finish();
    }
}

#[test]
fn a_caller_without_an_offer_is_offered_what_the_picker_wants() {
    for late in [false, true] {
        let mut scene = scene(false);
        let mut picker = second();
        let (exchange, u1, u2, _) = scene.trio.all();
        let said = description(picker.address);
        let offer = if late { "" } else { &said };
        let mut dialog = take_over(exchange, &mut picker, &scene.d2, offer, "");
        lost(exchange, u2, &scene.ringing);
        let answer = picker.expect(exchange, 200);
        assert!(String::from_utf8_lossy(answer.body()).contains("a=inactive"));
        let in_ack = if late { &said } else { "" };
        picker.acknowledge(exchange, &mut dialog, &answer, in_ack);
        let asked = picker.expect_request(exchange, &Method::Invite);
        assert!(asked.body().is_empty(), "{asked}");
        picker.answer(exchange, &asked, 200, &said);
        // Its ACK waits for the caller's answer.
        picker.expect_silence(exchange);
        let answer = u1.expect(exchange, 200);
        assert!(!answer.body().is_empty());
        let said = description(u1.address);
        u1.acknowledge(exchange, &mut scene.d1, &answer, &said);
        let ack = picker.expect_request(exchange, &Method::Ack);
        assert!(!ack.body().is_empty());
        assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
        they_talk(exchange, u1, &mut scene.d1, &picker);
        scene.trio.finish();
    }
}

#[test]
fn streams_that_the_caller_does_not_have_are_switched_off() {
    let mut scene = scene(true);
    let mut picker = second();
    let (exchange, u1, u2, _) = scene.trio.all();
    let voice = description(picker.address);
    let both = format!("{voice}m=video 40002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n");
    let mut dialog = take_over(exchange, &mut picker, &scene.d2, &both, "");
    lost(exchange, u2, &scene.ringing);
    let asked = let_in(exchange, &mut picker, &mut dialog);
    let offer = String::from_utf8_lossy(asked.body()).into_owned();
    assert!(offer.contains("m=video 0 RTP/AVP 96\r\n"), "{offer}");
    let off = format!("{voice}m=video 0 RTP/AVP 96\r\n");
    picker.answer(exchange, &asked, 200, &off);
    picker.expect_request(exchange, &Method::Ack);
    let answer = u1.answered(exchange, &mut scene.d1);
    let answer = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(answer.matches("m=").count(), 1, "{answer}");
    they_talk(exchange, u1, &mut scene.d1, &picker);
    scene.trio.finish();
}

#[test]
fn all_phones_of_a_fork_stop_ringing() {
    let mut exchange = Exchange::of(USERS, support::NUMBERS, |_| {});
    let mut phones = [
        Party::new("u2", "secret2", "192.0.2.102:5060"),
        Party::new("u2", "secret2", "192.0.2.112:5060"),
        Party::new("u3", "secret3", "192.0.2.103:5060"),
    ];
    for (place, phone) in phones.iter_mut().enumerate() {
        // Two phones of one user count alike.
        for _ in 0..10 * place {
            phone.serial();
        }
        phone.register(&mut exchange, 3600);
    }
    let mut caller = Party::new("u1", "secret1", "192.0.2.101:5060");
    let mut d1 = caller.dial(&mut exchange, "700", &description(caller.address));
    let ringing = phones.each_ref().map(|phone| {
        let invite = phone.expect_request(&mut exchange, &Method::Invite);
        let dialog = phone.answer(&mut exchange, &invite, 180, "");
        caller.expect(&mut exchange, 180);
        (invite, dialog)
    });
    // A colleague of u3; what he names rings at u2.
    let mut picker = Party::new("u4", "secret4", "192.0.2.104:5060");
    let (_, asked) = picks_up(&mut exchange, &mut picker, &ringing[0].1);
    for (phone, (invite, _)) in phones.iter().zip(&ringing) {
        lost(&mut exchange, phone, invite);
    }
    picker.pick_up(&mut exchange, &asked);
    caller.answered(&mut exchange, &mut d1);
    they_talk(&mut exchange, &mut caller, &mut d1, &picker);
    assert_eq!(exchange.records[0].answered_by.as_deref(), Some("u4"));
    for phone in &mut phones {
        phone.expect_silence(&exchange);
        phone.register(&mut exchange, 0);
    }
    exchange.assert_nothing_left();
}

#[test]
fn nobody_else_picks_up() {
    let mut scene = scene(true);
    let (exchange, u1, u2, u3) = scene.trio.all();
    let body = description(u3.address);
    // Whoever has no part in it, though he knows all names: the caller, a user without a group, and
    // those of other groups.
    let mut u4 = Party::new("u4", "secret4", "192.0.2.104:5060");
    let mut u5 = Party::new("u5", "secret5", "192.0.2.105:5060");
    for other in [&mut *u1, &mut *u3, &mut u4, &mut u5] {
        let dialog = take_over(exchange, other, &scene.d2, &body, "");
        other.refused(exchange, &dialog, 403);
    }
    let mut stranger = Party::new("u2", "guessed", "192.0.2.66:5060");
    let dialog = take_over(exchange, &mut stranger, &scene.d2, &body, "");
    stranger.refused(exchange, &dialog, 401);
    // RFC 3891 §3: the caller's leg is a call that was begun there. Nor is there one with other tags.
    let mut picker = second();
    let mut wrong = [scene.d1.clone(), scene.d2.clone(), scene.d2.clone()];
    wrong[1].local += "x";
    wrong[2].remote += "x";
    for named in &wrong {
        for party in [&mut *u1, &mut picker] {
            let refused = take_over(exchange, party, named, &body, "");
            assert!(refused.remote.contains("tag="), "481 at once");
        }
    }
    u2.expect_silence(exchange);
    u2.pick_up(exchange, &scene.ringing);
    u1.answered(exchange, &mut scene.d1);
    they_talk(exchange, u1, &mut scene.d1, u2);
    scene.trio.finish();
}

#[test]
fn the_answer_of_the_phone_comes_first() {
    let mut scene = scene(true);
    let (exchange, u1, u2, u3) = scene.trio.all();
    let d2 = u2.pick_up(exchange, &scene.ringing);
    u1.answered(exchange, &mut scene.d1);
    // Only to be had while it rings; and a colleague's call that is up is none of his.
    let mut picker = second();
    let body = description(picker.address);
    take_over(exchange, &mut picker, &d2, &body, ";early-only");
    let mut u4 = Party::new("u4", "secret4", "192.0.2.104:5060");
    let (mut d13, _) = talk(exchange, u1, u3, "3");
    let dialog = take_over(exchange, &mut u4, &d2, &body, "");
    u4.refused(exchange, &dialog, 403);
    u1.leave(exchange, &mut d13);
    u3.is_hung_up(exchange);
    they_talk(exchange, u1, &mut scene.d1, u2);
    scene.trio.finish();
}

#[test]
fn the_answer_of_the_phone_comes_too_late() {
    let mut scene = scene(true);
    let mut picker = second();
    let (exchange, u1, u2, _) = scene.trio.all();
    let (_, asked) = picks_up(exchange, &mut picker, &scene.d2);
    let cancel = u2.expect_request(exchange, &Method::Cancel);
    u2.pick_up(exchange, &scene.ringing);
    let bye = u2.is_hung_up(exchange);
    assert_eq!(bye.headers().get("Reason"), Some(ELSEWHERE));
    u2.answer(exchange, &cancel, 200, "");
    picker.pick_up(exchange, &asked);
    u1.answered(exchange, &mut scene.d1);
    they_talk(exchange, u1, &mut scene.d1, &picker);
    scene.trio.finish();
}

#[test]
fn the_caller_gives_up_at_the_same_time() {
    // Before the call is picked up.
    let mut scene1 = scene(true);
    let mut picker = second();
    let (exchange, u1, u2, _) = scene1.trio.all();
    let body = description(picker.address);
    u1.gives_up(exchange, &scene1.d1);
    // It is just being ended (603), and then it is not known any more (481).
    take_over(exchange, &mut picker, &scene1.d2, &body, "");
    u2.is_cancelled(exchange, &scene1.ringing);
    take_over(exchange, &mut picker, &scene1.d2, &body, "");
    scene1.trio.finish();
    // Before he is answered.
    let mut scene2 = scene(true);
    let mut picker = second();
    let (exchange, u1, u2, _) = scene2.trio.all();
    let (_, asked) = picks_up(exchange, &mut picker, &scene2.d2);
    lost(exchange, u2, &scene2.ringing);
    u1.gives_up(exchange, &scene2.d1);
    picker.is_hung_up(exchange);
    picker.pick_up(exchange, &asked);
    scene2.trio.finish();
}

#[test]
fn two_pick_up_at_once() {
    let mut scene = scene(true);
    let mut picker = second();
    let mut other = Party::new("u2", "secret2", "192.0.2.122:5060");
    let (exchange, u1, u2, _) = scene.trio.all();
    let (dialog, asked) = picks_up(exchange, &mut picker, &scene.d2);
    let body = description(other.address);
    take_over(exchange, &mut other, &scene.d2, &body, "");
    lost(exchange, u2, &scene.ringing);
    take_over(exchange, &mut other, &scene.d2, &body, "");
    other.expect_silence(exchange);
    // Nor is there anything to be had from the first one yet.
    let again = take_over(exchange, &mut other, &dialog, &body, "");
    other.refused(exchange, &again, 491);
    picker.pick_up(exchange, &asked);
    u1.answered(exchange, &mut scene.d1);
    they_talk(exchange, u1, &mut scene.d1, &picker);
    scene.trio.finish();
}

#[test]
fn a_picker_whom_the_caller_cannot_talk_to() {
    // Known at once: the phones ring on.
    let mut scene1 = scene(true);
    let mut picker = second();
    let (exchange, u1, u2, _) = scene1.trio.all();
    let video = only_video(&picker);
    let dialog = take_over(exchange, &mut picker, &scene1.d2, &video, "");
    picker.refused(exchange, &dialog, 488);
    u2.pick_up(exchange, &scene1.ringing);
    u1.answered(exchange, &mut scene1.d1);
    they_talk(exchange, u1, &mut scene1.d1, u2);
    scene1.trio.finish();
    // When he is asked: he refuses, or hangs up.
    for refuses in [true, false] {
        let mut scene = scene(true);
        let mut picker = second();
        let (exchange, u1, u2, _) = scene.trio.all();
        let (mut dialog, asked) = picks_up(exchange, &mut picker, &scene.d2);
        lost(exchange, u2, &scene.ringing);
        if refuses {
            picker.refuse(exchange, &asked, 488);
            picker.is_hung_up(exchange);
            u1.refused(exchange, &scene.d1, 488);
        } else {
            picker.leave(exchange, &mut dialog);
            u1.refused(exchange, &scene.d1, 480);
            picker.refuse(exchange, &asked, 487);
        }
        scene.trio.finish();
    }
}

/// Both phones have called, so neither has been asked for a session timer. The exchange keeps the call
/// alive on both legs, and ends it when one of them is gone (RFC 4028).
#[test]
fn a_call_that_was_picked_up_is_kept_alive_as_any_other() {
    let mut scene = scene(true);
    let mut picker = second();
    let (exchange, u1, u2, _) = scene.trio.all();
    let body = description(picker.address);
    let mut dialog = take_over(exchange, &mut picker, &scene.d2, &body, "");
    lost(exchange, u2, &scene.ringing);
    let asked = let_in(exchange, &mut picker, &mut dialog);
    picker.answer(exchange, &asked, 200, &body);
    picker.expect_request(exchange, &Method::Ack);
    u1.answered(exchange, &mut scene.d1);
    for _ in 0..2 {
        exchange.pass(Duration::from_millis(900_100));
        for party in [&*u1, &picker] {
            let refresh = party.expect_request(exchange, &Method::Invite);
            party.answer(exchange, &refresh, 200, &description(party.address));
            party.expect_request(exchange, &Method::Ack);
        }
    }
    exchange.pass(Duration::from_millis(900_100));
    let refresh = u1.expect_request(exchange, &Method::Invite);
    u1.answer(exchange, &refresh, 200, &description(u1.address));
    u1.expect_request(exchange, &Method::Ack);
    let refresh = picker.expect_request(exchange, &Method::Invite);
    picker.answer(exchange, &refresh, 481, "");
    picker.expect_request(exchange, &Method::Ack);
    picker.is_hung_up(exchange);
    u1.is_hung_up(exchange);
    scene.trio.finish();
}
