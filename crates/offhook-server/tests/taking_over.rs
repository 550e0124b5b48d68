//! INVITE with Replaces: a call moves to another phone of the same user, and to nobody else's.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_media::relay::Side;
use offhook_sip::Method;
use support::Exchange;
use support::party::{Dialog, Party, description};
use support::trio::{Trio, conversation, reinvited, replaces, talk, they_talk, to_of, voice_of};

/// An INVITE with Replaces, with whatever proof the party has.
fn take_over(
    exchange: &mut Exchange,
    party: &mut Party,
    named: &Dialog,
    body: &str,
    flag: &str,
) -> Dialog {
    let named = replaces(named)
        .replace("%3B", ";")
        .replace("%3D", "=")
        .replace("%40", "@");
    let extra = format!("Replaces: {named}{flag}\r\n");
    let uri = "sip:2@192.0.2.50";
    let mut dialog = party.new_dialog(uri);
    // Two phones of one user count alike.
    dialog.call_id = format!("{}-{}", party.address.ip(), dialog.call_id);
    party.send(exchange, &party.text("INVITE", uri, &dialog, &extra, body));
    let challenge = party.expect_one_of(exchange, &[401, 400, 481, 486, 603]);
    party.acknowledge_failure(exchange, &dialog, &challenge);
    if challenge.status().get() != 401 {
        to_of(&challenge).clone_into(&mut dialog.remote);
        return dialog;
    }
    dialog.cseq += 1;
    dialog.branch = party.branch();
    let text = party.text("INVITE", uri, &dialog, &extra, body);
    let text = party.authorize(&text, &challenge);
    party.send(exchange, &text);
    dialog
}

#[test]
fn another_phone_of_the_same_user_takes_the_call_over() {
    for late in [false, true] {
        let (mut trio, d1, mut d2) = conversation();
        let mut second = Party::new("u1", "secret1", "192.0.2.111:5060");
        let Trio {
            exchange, u1, u2, ..
        } = &mut trio;
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
        let bye = u1.expect_request(exchange, &Method::Bye);
        u1.answer(exchange, &bye, 200, "");
        assert_eq!(voice_of(exchange, Side::A), "192.0.2.111:40000");
        they_talk(exchange, u2, &mut d2, &second);
        assert_eq!(exchange.records.len(), 1);
        trio.finish();
    }
}

#[test]
fn a_call_that_cannot_be_taken_over_stays() {
    let (mut trio, mut d1, _d2) = conversation();
    let mut second = Party::new("u1", "secret1", "192.0.2.111:5060");
    let Trio {
        exchange, u1, u2, ..
    } = &mut trio;
    let said = description(second.address);
    let dialog = take_over(exchange, &mut second, &d1, &said, "");
    reinvited(exchange, u2, 488, "");
    let refusal = second.expect(exchange, 488);
    second.acknowledge_failure(exchange, &dialog, &refusal);
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
    // Taken back before the other side has agreed.
    let dialog = take_over(exchange, &mut second, &d1, &said, "");
    let asked = u2.expect_request(exchange, &Method::Invite);
    let cancel = second.text("CANCEL", &dialog.target, &dialog, "", "");
    second.send(exchange, &cancel);
    second.expect(exchange, 200);
    let ended = second.expect(exchange, 487);
    second.acknowledge_failure(exchange, &dialog, &ended);
    u2.answer(exchange, &asked, 200, &description(u2.address));
    u2.expect_request(exchange, &Method::Ack);
    reinvited(exchange, u2, 200, &description(u2.address));
    assert_eq!(voice_of(exchange, Side::A), "192.0.2.101:40000");
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn nobody_takes_over_the_calls_of_others() {
    let (mut trio, mut d1, d2) = conversation();
    let Trio {
        exchange,
        u1,
        u2,
        u3,
    } = &mut trio;
    let body = description(u3.address);
    // Another user, who knows all names of the dialog, of either leg.
    for named in [&d1, &d2] {
        let dialog = take_over(exchange, u3, named, &body, "");
        let refusal = u3.expect(exchange, 403);
        u3.acknowledge_failure(exchange, &dialog, &refusal);
    }
    // Referred-By is what anybody can write.
    let mut stranger = Party::new("u1", "guessed", "192.0.2.66:5060");
    let flag = "\r\nReferred-By: <sip:u1@192.0.2.50>";
    let dialog = take_over(exchange, &mut stranger, &d1, &body, flag);
    let refusal = stranger.expect(exchange, 401);
    stranger.acknowledge_failure(exchange, &dialog, &refusal);
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
    u2.in_dialog(exchange, &mut d2, "BYE", "", "", true);
    u2.expect(exchange, 200);
    let bye = u1.expect_request(exchange, &Method::Bye);
    let named = replaces(&d1);
    let named = named
        .replace("%3B", ";")
        .replace("%3D", "=")
        .replace("%40", "@");
    let again = u1.new_dialog("sip:2@192.0.2.50");
    let extra = format!("Replaces: {named}\r\n");
    u1.send(
        exchange,
        &u1.text("INVITE", &again.target, &again, &extra, &body),
    );
    let declined = u1.expect(exchange, 603);
    u1.acknowledge_failure(exchange, &again, &declined);
    u1.answer(exchange, &bye, 200, "");
    trio.finish();
}
