//! INVITE with Replaces: a call moves to another phone of the same user, and to nobody else's.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_media::relay::Side;
use offhook_sip::Method;
use support::party::{Party, description};
use support::trio::{conversation, reinvited, replacing, take_over, talk, they_talk, voice_of};

#[test]
fn another_phone_of_the_same_user_takes_the_call_over() {
    for late in [false, true] {
        let (mut trio, d1, mut d2) = conversation();
        let mut second = Party::new("u1", "secret1", "192.0.2.111:5060");
        let (exchange, u1, u2, _) = trio.all();
        let said = description(second.address);
        let offer = if late { "" } else { &said };
        let mut dialog = take_over(exchange, &mut second, &d1, offer, "");
        let asked = u2.expect_request(exchange, &Method::Invite);
        assert_eq!(asked.body().is_empty(), late);
        assert!(!asked.to_string().contains("192.0.2.111"), "{asked}");
        u1.expect_silence(exchange);
        u2.answer(exchange, &asked, 200, &description(u2.address));
        if !late {
            u2.expect_request(exchange, &Method::Ack);
        }
        let answer = second.expect(exchange, 200);
        let in_ack = if late { &said } else { "" };
        second.acknowledge(exchange, &mut dialog, &answer, in_ack);
        if late {
            let ack = u2.expect_request(exchange, &Method::Ack);
            assert!(!ack.body().is_empty());
        }
        u1.is_hung_up(exchange);
        assert_eq!(voice_of(exchange, Side::A), "192.0.2.111:40000");
        they_talk(exchange, u2, &mut d2, &second);
        assert_eq!(exchange.records.len(), 1);
        // The record names all three legs.
        let legs = [&d1, &d2, &dialog].map(|dialog| dialog.call_id.clone());
        assert_eq!(exchange.records[0].call_ids, legs);
        trio.finish();
    }
}

#[test]
fn a_call_that_cannot_be_taken_over_stays() {
    let (mut trio, mut d1, _d2) = conversation();
    let mut second = Party::new("u1", "secret1", "192.0.2.111:5060");
    let (exchange, u1, u2, _) = trio.all();
    let said = description(second.address);
    let dialog = take_over(exchange, &mut second, &d1, &said, "");
    reinvited(exchange, u2, 488, "");
    second.refused(exchange, &dialog, 488);
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
    // Taken back before the other side has agreed.
    let dialog = take_over(exchange, &mut second, &d1, &said, "");
    let asked = u2.expect_request(exchange, &Method::Invite);
    second.cancel(exchange, &dialog);
    second.expect(exchange, 200);
    second.refused(exchange, &dialog, 487);
    u2.pick_up(exchange, &asked);
    reinvited(exchange, u2, 200, &description(u2.address));
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

/// Whoever comes asks for an offer, and leaves before it is made: who made it gets an answer all the same.
#[test]
fn an_offer_that_nobody_waits_for_any_more_is_answered() {
    let (mut trio, mut d1, _d2) = conversation();
    let mut second = Party::new("u1", "secret1", "192.0.2.111:5060");
    let (exchange, u1, u2, _) = trio.all();
    let dialog = take_over(exchange, &mut second, &d1, "", "");
    let asked = u2.expect_request(exchange, &Method::Invite);
    second.cancel(exchange, &dialog);
    second.expect(exchange, 200);
    second.refused(exchange, &dialog, 487);
    u2.answer(exchange, &asked, 200, &description(u2.address));
    let ack = u2.expect_request(exchange, &Method::Ack);
    assert!(!ack.body().is_empty(), "{ack}");
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn nobody_takes_over_the_calls_of_others() {
    let (mut trio, mut d1, d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let body = description(u3.address);
    // Another user, who knows all names of the dialog, of either leg.
    for named in [&d1, &d2] {
        let dialog = take_over(exchange, u3, named, &body, "");
        u3.refused(exchange, &dialog, 403);
    }
    // Referred-By is what anybody can write.
    let mut stranger = Party::new("u1", "guessed", "192.0.2.66:5060");
    let flag = "\r\nReferred-By: <sip:u1@192.0.2.50>";
    let dialog = take_over(exchange, &mut stranger, &d1, &body, flag);
    stranger.refused(exchange, &dialog, 401);
    // RFC 3891 §3: names that fit no dialog, a confirmed one that must be early, two of them.
    let mut wrong = d1.clone();
    wrong.local += "x";
    take_over(exchange, u1, &wrong, &body, "");
    take_over(exchange, u1, &d1, &body, ";early-only");
    let again = format!("\r\nReplaces: {}", "a@b;to-tag=1;from-tag=2");
    take_over(exchange, u1, &d1, &body, &again);
    for party in [&*u1, &*u2, &*u3] {
        party.expect_silence(exchange);
    }
    they_talk(exchange, u1, &mut d1, u2);
    // What has ended is known no more; what is just being ended is declined.
    let refused = take_over(exchange, u1, &d1, &body, "");
    assert!(refused.remote.contains("tag="));
    let (d1, mut d2) = talk(exchange, u1, u2, "2");
    u2.leave(exchange, &mut d2);
    let bye = u1.expect_request(exchange, &Method::Bye);
    let again = u1.new_dialog("sip:2@192.0.2.50");
    let extra = format!("{}\r\n", replacing(&d1));
    u1.send(
        exchange,
        &u1.text("INVITE", &again.target, &again, &extra, &body),
    );
    u1.refused(exchange, &again, 603);
    u1.answer(exchange, &bye, 200, "");
    trio.finish();
}
