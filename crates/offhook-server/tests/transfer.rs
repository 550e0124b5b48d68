//! Blind transfers by either side, and what the voice does meanwhile.
//!
//! Who is who: u1 and u2 talk, u3 is the target. All messages are plain text, so that nothing the
//! exchange says goes unseen.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{self, Relay, Side};
use offhook_sip::{Method, Request};
use support::Exchange;
use support::party::{Dialog, Party, description};
use support::trio::{
    body_of, conversation, hang_up, notified, refer, referred, reinvited, they_talk, voice_of,
};

/// The INVITE of a transfer: from the transferor as the exchange knows him, and of nobody else.
fn assert_invitation(invite: &Request, transferor: &str, secrets: &[&str]) {
    let text = invite.to_string();
    let from = invite.headers().get("From").expect("a From");
    assert!(
        from.starts_with(&format!("<sip:{transferor}@192.0.2.50>;tag=")),
        "{text}"
    );
    assert_eq!(
        invite.headers().get("Referred-By"),
        Some(format!("<sip:{transferor}@192.0.2.50>").as_str())
    );
    assert_eq!(invite.headers().get("Max-Forwards"), Some("19"), "{text}");
    for secret in secrets {
        assert!(
            !text.contains(secret),
            "{secret} reaches the target: {text}"
        );
    }
}

// yate: Fork, transfer: REFER from the caller
#[test]
fn the_caller_transfers_the_callee() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    // Without a proof nothing happens.
    let to = "Refer-To: <sip:3@192.0.2.50>\r\n";
    u1.in_dialog(exchange, &mut d1, "REFER", to, "", false);
    u1.expect(exchange, 401);
    u3.expect_silence(exchange);

    let invite = referred(exchange, u1, &mut d1, u3);
    let hidden = [
        d1.call_id.as_str(),
        &d2.call_id,
        "192.0.2.101",
        "192.0.2.102",
        "u2",
        "ceo",
    ];
    assert_invitation(&invite, "u1", &hidden);
    u2.expect_silence(exchange);

    u3.answer(exchange, &invite, 180, "");
    notified(exchange, u1, "180 Ringing", false);
    u2.expect_silence(exchange);

    let mut d3 = u3.pick_up(exchange, &invite);
    let moved = reinvited(exchange, u2, 200, &description(u2.address));
    assert!(!moved.to_string().contains("192.0.2.103"), "{moved}");
    assert!(!moved.to_string().contains("u3"), "{moved}");
    notified(exchange, u1, "200 OK", true);
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.103:40000");
    assert_eq!(voice_of(exchange, Side::B), "192.0.2.102:40000");

    // RFC 5589 §6.1: the transferor hangs up by itself, with his proof.
    u1.in_dialog(exchange, &mut d1, "BYE", "", "", false);
    u1.expect(exchange, 401);
    u1.leave(exchange, &mut d1);
    u2.expect_silence(exchange);
    u3.expect_silence(exchange);

    they_talk(exchange, u2, &mut d2, u3);
    d3.cseq += 1;
    assert_eq!(exchange.records.len(), 1);
    assert_eq!(exchange.records[0].call_ids.len(), 3);
    trio.finish();
}

/// u1 transfers u2 to u3, who answers; u1 has not hung up yet.
fn transferred(
    exchange: &mut Exchange,
    u1: &mut Party,
    d1: &mut Dialog,
    u2: &mut Party,
    u3: &mut Party,
) -> Dialog {
    let invite = referred(exchange, u1, d1, u3);
    let d3 = u3.pick_up(exchange, &invite);
    reinvited(exchange, u2, 200, &description(u2.address));
    notified(exchange, u1, "200 OK", true);
    d3
}

#[test]
fn a_second_transfer_while_the_first_transferor_has_not_hung_up() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let mut d3 = transferred(exchange, u1, &mut d1, u2, u3);
    // He takes his time, and meanwhile the other one sends whom he talks to on: to him, of all people.
    refer(exchange, u2, &mut d2, "sip:1@192.0.2.50");
    let invite = u1.expect_request(exchange, &Method::Invite);
    u1.pick_up(exchange, &invite);
    reinvited(exchange, u3, 200, &description(u3.address));
    notified(exchange, u2, "200 OK", true);
    let bye = u1.is_hung_up(exchange);
    assert_eq!(
        bye.headers().get("Call-ID"),
        Some(d1.call_id.as_str()),
        "{bye}"
    );
    exchange.pass(Duration::from_secs(2));
    u2.is_hung_up(exchange);
    they_talk(exchange, u3, &mut d3, u1);
    trio.finish();
}

/// 20 ms of voice.
fn voice(source: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(source.to_be_bytes());
    packet.extend([0xD5; 160]);
    packet
}

/// Who stays hears one stream: the target's voice goes on where the transferor's stopped.
#[test]
fn the_voice_goes_on_in_one_stream() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let mut relay = Relay::new(relay::Config::default(), [1; 32]);
    let mut obeyed = 0;
    let mut obey = |exchange: &Exchange, relay: &mut Relay| {
        for command in &exchange.commands[obeyed..] {
            relay.handle_command(exchange.now, command.clone());
        }
        obeyed = exchange.commands.len();
    };
    obey(exchange, &mut relay);
    let keys = relay
        .port_keys(exchange.commands[0].id())
        .expect("an open relay");
    let [t, target] = ["192.0.2.101:40000", "192.0.2.103:40000"].map(support::address);
    let mut packet = voice(0xAAAA, 1000, 160_000);
    let way = relay.handle_packet(exchange.now, keys.a_rtp, t, &mut packet);
    assert_eq!(way.expect("a way").to.to_string(), "192.0.2.102:40000");

    let _ = transferred(exchange, u1, &mut d1, u2, u3);
    obey(exchange, &mut relay);
    exchange.pass(Duration::from_millis(500));
    // The transferor is heard no more.
    let mut packet = voice(0xAAAA, 1001, 160_160);
    assert!(
        relay
            .handle_packet(exchange.now, keys.a_rtp, t, &mut packet)
            .is_none()
    );
    let mut packet = voice(0xBBBB, 7, 99);
    let way = relay.handle_packet(exchange.now, keys.a_rtp, target, &mut packet);
    assert_eq!(way.expect("a way").to.to_string(), "192.0.2.102:40000");
    // Half a second later: the same source, the next number, 4,000 samples on.
    let mut expected = voice(0xAAAA, 1001, 164_000);
    // A new spurt (RFC 3551 §4.1).
    expected[1] |= 0x80;
    assert_eq!(packet[..12], expected[..12]);
    // And back.
    let kept = support::address("192.0.2.102:40000");
    let way = relay.handle_packet(exchange.now, keys.b_rtp, kept, &mut voice(0xCCCC, 1, 1));
    assert_eq!(way.expect("a way").to, target);

    u1.leave(exchange, &mut d1);
    they_talk(exchange, u2, &mut d2, u3);
    trio.finish();
}

#[test]
fn the_callee_transfers_the_caller() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u2, &mut d2, u3);
    assert_invitation(&invite, "u2", &["u1", "192.0.2.101", "192.0.2.102"]);
    let mut d3 = u3.pick_up(exchange, &invite);
    reinvited(exchange, u1, 200, &description(u1.address));
    notified(exchange, u2, "200 OK", true);
    // A phone that does not hang up is hung up.
    exchange.pass(Duration::from_secs(2));
    u2.is_hung_up(exchange);
    assert_eq!(voice_of(exchange, Side::B), "192.0.2.103:40000");
    // Either may hang up; here the new one.
    hang_up(exchange, u3, &mut d3, u1);
    d1.cseq += 1;
    trio.finish();
}

#[test]
fn a_transferor_on_hold_leaves_two_who_hear_each_other() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let hold = description(u1.address) + "a=sendonly\r\n";
    u1.in_dialog(exchange, &mut d1, "INVITE", "", &hold, true);
    let invite = u2.expect_request(exchange, &Method::Invite);
    let held = description(u2.address) + "a=recvonly\r\n";
    u2.answer(exchange, &invite, 200, &held);
    u2.expect_request(exchange, &Method::Ack);
    u1.answered(exchange, &mut d1);

    let invite = referred(exchange, u1, &mut d1, u3);
    let offer = body_of(&invite);
    assert!(offer.contains("a=sendrecv"), "{offer}");
    u3.pick_up(exchange, &invite);
    let back = reinvited(exchange, u2, 200, &description(u2.address));
    let offer = body_of(&back);
    assert!(offer.contains("a=sendrecv"), "{offer}");
    notified(exchange, u1, "200 OK", true);
    u1.leave(exchange, &mut d1);
    they_talk(exchange, u2, &mut d2, u3);
    trio.finish();
}

#[test]
fn a_target_that_could_send_what_is_not_taken_is_told_so() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    u3.pick_up(exchange, &invite);
    let only_a_law = description(u2.address).replace("RTP/AVP 0 8", "RTP/AVP 8");
    reinvited(exchange, u2, 200, &only_a_law);
    let narrowed = reinvited(exchange, u3, 200, &only_a_law.replace("0.2.102", "0.2.103"));
    let offer = body_of(&narrowed);
    assert!(offer.contains("RTP/AVP 8\r\n"), "{offer}");
    notified(exchange, u1, "200 OK", true);
    u1.leave(exchange, &mut d1);
    they_talk(exchange, u2, &mut d2, u3);
    trio.finish();
}

#[test]
fn a_transferor_need_not_wait() {
    for agrees in [true, false] {
        let (mut trio, mut d1, mut d2) = conversation();
        let (exchange, u1, u2, u3) = trio.all();
        let invite = referred(exchange, u1, &mut d1, u3);
        u1.leave(exchange, &mut d1);
        u2.expect_silence(exchange);
        // Nobody is there to be asked; it may be tried again.
        let body = description(u2.address);
        let hold = body.clone() + "a=sendonly\r\n";
        u2.in_dialog(exchange, &mut d2, "INVITE", "", &hold, true);
        u2.refused(exchange, &d2, 491);
        // The session is kept alive all the same (RFC 4028 §10).
        u2.in_dialog(exchange, &mut d2, "INVITE", "", &body, true);
        let kept = u2.answered(exchange, &mut d2);
        assert!(
            String::from_utf8_lossy(kept.body()).contains("m=audio"),
            "{kept}"
        );
        u2.in_dialog(exchange, &mut d2, "INVITE", "", "", true);
        let offered = u2.expect(exchange, 200);
        assert_eq!(offered.body(), kept.body());
        u2.acknowledge(exchange, &mut d2, &offered, &body);
        if agrees {
            u3.pick_up(exchange, &invite);
            reinvited(exchange, u2, 200, &body);
            // It is told all the same (RFC 5057 §5: the subscription is not the call).
            notified(exchange, u1, "200 OK", true);
            they_talk(exchange, u2, &mut d2, u3);
        } else {
            u3.refuse(exchange, &invite, 486);
            notified(exchange, u1, "486 Busy Here", true);
            u2.is_hung_up(exchange);
        }
        assert_eq!(exchange.records.len(), 1);
        trio.finish();
    }
}

/// Whoever stays has not said yet whether he wants the target when both others are gone.
#[test]
fn nobody_is_left_to_talk_to_while_the_leg_that_stays_thinks_it_over() {
    for transferor_first in [true, false] {
        let (mut trio, mut d1, _) = conversation();
        let (exchange, u1, u2, u3) = trio.all();
        let invite = referred(exchange, u1, &mut d1, u3);
        let mut d3 = u3.pick_up(exchange, &invite);
        let asked = u2.expect_request(exchange, &Method::Invite);
        u2.answer(exchange, &asked, 180, "");
        if transferor_first {
            u1.leave(exchange, &mut d1);
        }
        u2.expect_silence(exchange);
        u3.leave(exchange, &mut d3);
        notified(exchange, u1, "480 Temporarily Unavailable", true);
        if !transferor_first {
            u2.expect_silence(exchange);
            u1.leave(exchange, &mut d1);
        }
        u2.is_hung_up(exchange);
        u2.is_cancelled(exchange, &asked);
        assert_eq!(exchange.records.len(), 1);
        trio.finish();
    }
}

#[test]
fn a_transferor_who_leaves_an_offer_without_an_answer_holds_nobody_up() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    // It asks what u2 has to offer, and hangs up on that.
    u1.in_dialog(exchange, &mut d1, "INVITE", "", "", true);
    let asked = u2.expect_request(exchange, &Method::Invite);
    u2.answer(exchange, &asked, 200, &description(u2.address));
    u1.expect(exchange, 200);
    u1.leave(exchange, &mut d1);
    let ack = u2.expect_request(exchange, &Method::Ack);
    assert!(!ack.body().is_empty(), "{ack}");
    u3.pick_up(exchange, &invite);
    reinvited(exchange, u2, 200, &description(u2.address));
    notified(exchange, u1, "200 OK", true);
    they_talk(exchange, u2, &mut d2, u3);
    trio.finish();
}

/// What he has asked the leg that stays is answered when he is gone: that one is not left waiting for the
/// answer to its offer.
#[test]
fn a_transferor_who_leaves_before_his_question_is_answered_holds_nobody_up() {
    for asks_for_an_offer in [true, false] {
        let (mut trio, mut d1, mut d2) = conversation();
        let (exchange, u1, u2, u3) = trio.all();
        let invite = referred(exchange, u1, &mut d1, u3);
        let offer = description(u1.address) + "a=sendonly\r\n";
        let offer = if asks_for_an_offer { "" } else { &offer };
        u1.in_dialog(exchange, &mut d1, "INVITE", "", offer, true);
        let asked = u2.expect_request(exchange, &Method::Invite);
        u1.leave(exchange, &mut d1);
        u1.refused(exchange, &d1, 487);
        u2.answer(exchange, &asked, 200, &description(u2.address));
        let ack = u2.expect_request(exchange, &Method::Ack);
        assert_eq!(ack.body().is_empty(), !asks_for_an_offer, "{ack}");
        if !asks_for_an_offer {
            // It has agreed to what does not hold any more.
            reinvited(exchange, u2, 200, &description(u2.address));
        }
        u3.pick_up(exchange, &invite);
        reinvited(exchange, u2, 200, &description(u2.address));
        notified(exchange, u1, "200 OK", true);
        they_talk(exchange, u2, &mut d2, u3);
        trio.finish();
    }
}

#[test]
fn a_transfer_waits_for_a_change_that_is_under_way() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let invite = referred(exchange, u1, &mut d1, u3);
    let body = description(u1.address);
    u1.in_dialog(exchange, &mut d1, "INVITE", "", &body, true);
    let changed = u2.expect_request(exchange, &Method::Invite);
    u3.pick_up(exchange, &invite);
    u2.expect_silence(exchange);
    u2.pick_up(exchange, &changed);
    u1.answered(exchange, &mut d1);
    reinvited(exchange, u2, 200, &description(u2.address));
    notified(exchange, u1, "200 OK", true);
    u1.leave(exchange, &mut d1);
    they_talk(exchange, u2, &mut d2, u3);
    trio.finish();
}

#[test]
fn a_transferor_who_wants_no_reports_gets_none() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let extra = "Refer-To: <sip:3@192.0.2.50>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n";
    u1.in_dialog(exchange, &mut d1, "REFER", extra, "", true);
    let accepted = u1.expect(exchange, 202);
    assert_eq!(accepted.headers().get("Refer-Sub"), Some("false"));
    let invite = u3.expect_request(exchange, &Method::Invite);
    u3.pick_up(exchange, &invite);
    reinvited(exchange, u2, 200, &description(u2.address));
    u1.expect_silence(exchange);
    u1.leave(exchange, &mut d1);
    they_talk(exchange, u2, &mut d2, u3);
    trio.finish();
}

#[test]
fn a_transfer_can_be_transferred_on() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    let mut d3 = transferred(exchange, u1, &mut d1, u2, u3);
    u1.leave(exchange, &mut d1);
    // Back to u1, in a call of its own.
    refer(exchange, u3, &mut d3, "sip:1@192.0.2.50");
    let invite = u1.expect_request(exchange, &Method::Invite);
    assert_invitation(&invite, "u3", &["u2", "192.0.2.102", "192.0.2.103"]);
    u1.pick_up(exchange, &invite);
    reinvited(exchange, u2, 200, &description(u2.address));
    notified(exchange, u3, "200 OK", true);
    u3.leave(exchange, &mut d3);
    they_talk(exchange, u2, &mut d2, u1);
    trio.finish();
}
