//! What the parties of a call do within it: put to the other side, never answered on its behalf.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_media::relay::{Command, Side};
use offhook_sip::{Method, Request, Response, StatusCode};
use support::Exchange;
use support::party::{Dialog, Party, description};
use support::trio::{Trio, body_of, conversation, dialled, hang_up, reinvited};

fn body_in(response: &Response) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

/// What the relay was told last of where the caller wants voice.
fn callers_voice(exchange: &Exchange) -> (String, bool) {
    let last = exchange
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            Command::SetRemote {
                side: Side::A,
                remote,
                ..
            } => Some((remote.rtp.to_string(), remote.sends)),
            _ => None,
        });
    last.expect("the relay was told")
}

/// One party offers, the other one answers.
#[track_caller]
fn change(
    exchange: &mut Exchange,
    party: &mut Party,
    dialog: &mut Dialog,
    other: &Party,
    bodies: [&str; 2],
) -> (Request, Response) {
    party.in_dialog(exchange, dialog, "INVITE", "", bodies[0], true);
    party_waits(exchange, party);
    let invite = reinvited(exchange, other, 200, bodies[1]);
    let answer = party.answered(exchange, dialog);
    (invite, answer)
}

/// Nothing but 100 has come: the other side has not answered yet.
#[track_caller]
fn party_waits(exchange: &mut Exchange, party: &Party) {
    while exchange.waiting(party.address) > 0 {
        party.expect(exchange, 100);
    }
}

// yate: Calls: re-INVITE by caller (hold); re-INVITE by callee
// checklist: B2BUA-05
#[test]
fn hold_and_resume_reach_the_other_side() {
    for by_caller in [true, false] {
        let (mut trio, mut d1, mut d2) = conversation();
        let (exchange, u1, u2, _) = trio.all();
        let (a, of_a, b) = if by_caller {
            (u1, &mut d1, &*u2)
        } else {
            (u2, &mut d2, &*u1)
        };
        let [of_a_side, of_b_side] = [description(a.address), description(b.address)];
        let with = |body: &str, line: &str| format!("{body}a={line}\r\n");
        // Who holds proves himself.
        a.in_dialog(exchange, of_a, "INVITE", "", &of_a_side, false);
        a.refused(exchange, of_a, 401);
        b.expect_silence(exchange);
        for (said, heard) in [("sendonly", "recvonly"), ("inactive", "inactive")] {
            let bodies = [with(&of_a_side, said), with(&of_b_side, heard)];
            let (invite, answer) = change(exchange, a, of_a, b, [&bodies[0], &bodies[1]]);
            assert!(
                body_of(&invite).contains(&format!("a={said}\r\n")),
                "{invite}"
            );
            assert!(
                body_in(&answer).contains(&format!("a={heard}\r\n")),
                "{answer}"
            );
        }
        // Hold as RFC 2543 had it becomes hold as RFC 3264 has it.
        let old = of_a_side.replace("c=IN IP4 192.0.2.10", "c=IN IP4 0.0.0.0\r\nb=AS:6");
        let old = old.replace("AS:61", "AS:64").replace("AS:62", "AS:64");
        let (invite, _) = change(exchange, a, of_a, b, [&old, &with(&of_b_side, "recvonly")]);
        assert!(body_of(&invite).contains("a=sendonly\r\n"), "{invite}");
        let (invite, answer) = change(exchange, a, of_a, b, [&of_a_side, &of_b_side]);
        for (message, line) in [
            (body_of(&invite), "a=sendrecv"),
            (body_in(&answer), "a=sendrecv"),
            (body_of(&invite), "192.0.2.50"),
            (body_in(&answer), "192.0.2.50"),
        ] {
            assert!(message.contains(line), "{message}");
        }
        assert_eq!(
            callers_voice(exchange),
            ("192.0.2.101:40000".to_owned(), true)
        );
        hang_up(exchange, a, of_a, b);
        trio.finish();
    }
}

// yate: Calls: re-INVITE with no common codec
#[test]
fn a_change_that_is_refused_changes_nothing() {
    for status in [488, 606, 500, 603] {
        let (mut trio, mut d1, _) = conversation();
        let (exchange, u1, u2, _) = trio.all();
        let other = description(u1.address)
            .replace("40000 RTP/AVP 0 8", "50000 RTP/AVP 96")
            .replace("40001", "50001")
            + "a=rtpmap:96 opus/48000/2\r\n";
        u1.in_dialog(exchange, &mut d1, "INVITE", "", &other, true);
        let asked = reinvited(exchange, u2, status, "");
        assert!(body_of(&asked).contains("RTP/AVP 96\r\n"), "{asked}");
        u1.refused(exchange, &d1, status);
        // The voice goes on where it went.
        assert_eq!(callers_voice(exchange).0, "192.0.2.101:40000");
        let (said, heard) = (description(u1.address), description(u2.address));
        change(exchange, u1, &mut d1, u2, [&said, &heard]);
        hang_up(exchange, u1, &mut d1, u2);
        trio.finish();
    }
}

#[test]
fn a_change_that_cannot_be_relayed_goes_no_further() {
    let (mut trio, mut d1, _) = conversation();
    let (exchange, u1, u2, _) = trio.all();
    let keyed = description(u1.address).replace("RTP/AVP", "RTP/SAVP");
    for (body, status) in [("nonsense", 400), (keyed.as_str(), 488)] {
        u1.in_dialog(exchange, &mut d1, "INVITE", "", body, true);
        u1.refused(exchange, &d1, status);
        u2.expect_silence(exchange);
    }
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

// yate: Calls: no SDP in INVITE
#[test]
fn the_offer_may_come_in_the_answer() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let mut d1 = u1.dial(exchange, "2", "");
    let said = description(u1.address);
    for within_the_call in [false, true] {
        if within_the_call {
            u1.in_dialog(exchange, &mut d1, "INVITE", "", "", true);
        }
        let invite = u2.expect_request(exchange, &Method::Invite);
        assert!(invite.body().is_empty());
        u2.answer(exchange, &invite, 200, &description(u2.address));
        // The ACK waits for the caller's answer.
        u2.expect_silence(exchange);
        let offer = u1.expect(exchange, 200);
        assert!(body_in(&offer).contains("192.0.2.50"), "{offer}");
        u1.acknowledge(exchange, &mut d1, &offer, &said);
        let ack = u2.expect_request(exchange, &Method::Ack);
        assert!(body_of(&ack).contains("192.0.2.50"), "{ack}");
        assert!(!body_of(&ack).contains("192.0.2.101"), "{ack}");
    }
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

/// RFC 3261 §14.1, RFC 3311 §5.2: both ask at once.
// checklist: B2BUA-05
#[test]
fn both_sides_ask_at_once() {
    for method in [Method::Invite, Method::Update] {
        let (mut trio, mut d1, mut d2) = conversation();
        let (exchange, u1, u2, _) = trio.all();
        let allow = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n";
        // That both take UPDATE is known from what they sent.
        for (party, dialog) in [(&mut *u1, &mut d1), (&mut *u2, &mut d2)] {
            party.in_dialog(exchange, dialog, "OPTIONS", allow, "", true);
            party.expect(exchange, 200);
        }
        let [said, heard] = [description(u1.address), description(u2.address)];
        let (name, is_invite) = (method.as_str(), method == Method::Invite);
        u1.in_dialog(exchange, &mut d1, name, allow, &said, true);
        u2.in_dialog(exchange, &mut d2, name, allow, &heard, true);
        let asked = u2.expect_request(exchange, &method);
        let pending = u2.expect(exchange, 491);
        if is_invite {
            u2.acknowledge_failure(exchange, &d2, &pending);
        }
        // He, too, has an offer open.
        u2.answer(exchange, &asked, 491, "");
        if is_invite {
            u2.expect_request(exchange, &Method::Ack);
        }
        party_waits(exchange, u1);
        // The exchange owns the Call-ID of that leg, and waits up to four seconds.
        exchange.pass(Duration::from_millis(4100));
        let again = u2.expect_request(exchange, &method);
        // It has come several times by now.
        while exchange.letter(u2.address).is_some() {}
        u2.answer(exchange, &again, 200, &heard);
        if is_invite {
            u2.expect_request(exchange, &Method::Ack);
        }
        let answer = u1.expect(exchange, 200);
        if is_invite {
            u1.acknowledge(exchange, &mut d1, &answer, "");
        }
        u1.expect_silence(exchange);
        // Now the other one has his turn.
        u2.in_dialog(exchange, &mut d2, name, allow, &heard, true);
        let asked = u1.expect_request(exchange, &method);
        u1.answer(exchange, &asked, 200, &said);
        if is_invite {
            u1.expect_request(exchange, &Method::Ack);
        }
        let answer = u2.expect(exchange, 200);
        if is_invite {
            u2.acknowledge(exchange, &mut d2, &answer, "");
        }
        hang_up(exchange, u1, &mut d1, u2);
        trio.finish();
    }
}

/// A re-INVITE that is taken back while the other side thinks.
#[test]
fn a_change_that_is_taken_back_is_undone() {
    let (mut trio, mut d1, _) = conversation();
    let (exchange, u1, u2, _) = trio.all();
    let moved = description(u1.address)
        .replace("40000", "50000")
        .replace("40001", "50001");
    u1.in_dialog(exchange, &mut d1, "INVITE", "", &moved, true);
    let asked = u2.expect_request(exchange, &Method::Invite);
    u1.cancel(exchange, &d1);
    u1.expect(exchange, 200);
    u1.refused(exchange, &d1, 487);
    u2.pick_up(exchange, &asked);
    reinvited(exchange, u2, 200, &description(u2.address));
    assert_eq!(callers_voice(exchange).0, "192.0.2.101:40000");
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

// yate: Calls: early media 183+SDP
#[test]
fn early_media_passes() {
    let (mut trio, mut d1, invite) = dialled();
    let (exchange, u1, u2, _) = trio.all();
    u2.answer(exchange, &invite, 183, &description(u2.address));
    let early = u1.expect(exchange, 183);
    assert!(body_in(&early).contains("192.0.2.50"), "{early}");
    assert!(!early.to_string().contains("192.0.2.102"), "{early}");
    u2.answer(exchange, &invite, 180, "");
    let ringing = u1.expect(exchange, 180);
    assert!(ringing.body().is_empty(), "{ringing}");
    u2.pick_up(exchange, &invite);
    let answer = u1.expect(exchange, 200);
    // RFC 3261 §13.2.1: all that is said before the answer is the same.
    assert_eq!(body_in(&early), body_in(&answer));
    u1.acknowledge(exchange, &mut d1, &answer, "");
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

/// RFC 3262 on the callee's leg alone: the caller hears of it as he always would.
#[test]
fn a_callee_may_ring_reliably() {
    let (mut trio, mut d1, invite) = dialled();
    let (exchange, u1, u2, _) = trio.all();
    let supported = invite.headers().get("Supported").expect("a Supported");
    assert!(supported.contains("100rel"), "{supported}");
    let mut ringing = invite.response(StatusCode::RINGING);
    for (name, value) in [
        ("To", "<sip:u2@192.0.2.50>;tag=u2"),
        ("Contact", "<sip:u2@192.0.2.102:5060>"),
        ("Require", "100rel"),
        ("RSeq", "41"),
    ] {
        ringing.headers_mut().set(name, value).expect("a header");
    }
    exchange.packet(u2.address, ringing.to_bytes());
    let prack = u2.expect_request(exchange, &Method::Prack);
    let rack = prack.headers().get("RAck").expect("a RAck");
    assert!(
        rack.starts_with("41 ") && rack.ends_with(" INVITE"),
        "{rack}"
    );
    u2.answer(exchange, &prack, 200, "");
    let ringing = u1.expect(exchange, 180);
    assert!(!ringing.headers().contains("RSeq"), "{ringing}");
    u2.pick_up(exchange, &invite);
    u1.answered(exchange, &mut d1);
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

/// The same on the caller's leg alone.
#[test]
fn a_caller_may_want_reliable_ringing() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let body = description(u1.address);
    let mut d1 = u1.dial_with(exchange, "2", "Require: 100rel\r\n", &body);
    let invite = u2.expect_request(exchange, &Method::Invite);
    assert!(!invite.headers().contains("Require"), "{invite}");
    u2.answer(exchange, &invite, 180, "");
    let ringing = u1.expect(exchange, 180);
    let rseq = ringing.headers().get("RSeq").expect("an RSeq").to_owned();
    // It comes again until it is acknowledged.
    exchange.pass(Duration::from_millis(600));
    u1.expect(exchange, 180);
    let invite_cseq = d1.cseq;
    let mut early = d1.clone();
    early.remote = ringing.headers().get("To").expect("a To").to_owned();
    let rack = format!("RAck: {rseq} {invite_cseq} INVITE\r\n");
    u1.in_dialog(exchange, &mut early, "PRACK", &rack, "", true);
    u1.expect(exchange, 200);
    u2.expect_silence(exchange);
    u2.pick_up(exchange, &invite);
    u1.answered(exchange, &mut d1);
    d1.cseq = early.cseq;
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

// yate: Calls: BYE by callee, BYE by caller without auth
#[test]
fn who_hangs_up_proves_himself_on_either_side() {
    let (mut trio, mut d1, mut d2) = conversation();
    let (exchange, u1, u2, _) = trio.all();
    u2.in_dialog(exchange, &mut d2, "BYE", "", "", false);
    u2.expect(exchange, 401);
    u1.in_dialog(exchange, &mut d1, "BYE", "", "", false);
    u1.expect(exchange, 401);
    u1.expect_silence(exchange);
    u2.expect_silence(exchange);
    // Both at once, proved.
    u1.in_dialog(exchange, &mut d1, "BYE", "", "", true);
    u2.in_dialog(exchange, &mut d2, "BYE", "", "", true);
    u1.expect(exchange, 200);
    let crossing = u2.expect_request(exchange, &Method::Bye);
    u2.expect(exchange, 200);
    u2.answer(exchange, &crossing, 200, "");
    assert_eq!(exchange.records.len(), 1);
    trio.finish();
}
