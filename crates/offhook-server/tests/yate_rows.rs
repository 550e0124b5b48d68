//! What ours does in each case of "Calls" and "Fork, transfer" in which Yate was observed, and that
//! ours has none of the faults that were found there. The table of rows and tests is in
//! `YATE-BEHAVIOUR.md`; rows that have a test elsewhere are named there.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_sip::Method;
use support::party::{Dialog, Party, description};
use support::trio::{Trio, body_of, conversation, hang_up, talk};
use support::{Exchange, USERS};

/// u1 dials 2 with this body; u2 answers with that one; what each was told, and the end.
fn told(said: &str, heard: &str) -> (String, String) {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let mut d1 = u1.dial(exchange, "2", said);
    let invite = u2.expect_request(exchange, &Method::Invite);
    let offer = body_of(&invite);
    u2.answer(exchange, &invite, 200, heard);
    u2.expect_request(exchange, &Method::Ack);
    let answer = u1.expect(exchange, 200);
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    u1.acknowledge(exchange, &mut d1, &answer, "");
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
    (offer, text)
}

const AUDIO: &str = "m=audio 40000 RTP/AVP 0 8\r\na=rtcp:40001 IN IP4 192.0.2.101\r\n";

// yate: Calls: empty username; wrong password or unknown user, valid nonce; fault 1
#[test]
fn no_name_and_no_password_lets_nobody_in() {
    let mut trio = Trio::new();
    let Trio { exchange, u2, .. } = &mut trio;
    for (user, password) in [
        ("u1", "guessed"),
        ("", "secret1"),
        ("", ""),
        ("nobody", "guessed"),
        ("U1", "secret1"),
        ("u1 ", "secret1"),
        ("u1%00", "secret1"),
    ] {
        let mut liar = Party::new("u1", "", "192.0.2.66:5060");
        liar.auth =
            offhook_auth::ClientAuth::new(offhook_auth::Credentials::new(user, password), [3; 32]);
        let body = description(liar.address);
        let dialog = liar.dial(exchange, "2", &body);
        let refusal = liar.expect(exchange, 401);
        assert!(refusal.headers().contains("WWW-Authenticate"), "{refusal}");
        liar.acknowledge_failure(exchange, &dialog, &refusal);
        u2.expect_silence(exchange);
        // So that the next one is not slowed down by this one's failures.
        exchange.pass(Duration::from_secs(600));
    }
    trio.finish();
}

// yate: Calls: no Authorization
#[test]
fn who_does_not_say_who_he_is_is_asked() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let uri = "sip:2@192.0.2.50";
    let dialog = u1.new_dialog(uri);
    u1.send(exchange, &u1.text("INVITE", uri, &dialog, "", ""));
    let challenge = u1.expect(exchange, 401);
    let asked = challenge
        .headers()
        .get("WWW-Authenticate")
        .expect("a challenge");
    for part in [
        "Digest ",
        "realm=\"offhook\"",
        "nonce=\"",
        "qop=\"auth\"",
        "algorithm=MD5",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    u1.acknowledge_failure(exchange, &dialog, &challenge);
    u2.expect_silence(exchange);
    trio.finish();
}

// yate: Calls: dial user name (`u2`) directly; dial own number
#[test]
fn a_user_name_is_a_number_too_and_so_is_ones_own() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let (mut d1, _) = talk(exchange, u1, u2, "u2");
    hang_up(exchange, u1, &mut d1, u2);
    // The own number rings the own phone, in a call of its own.
    let mut d1 = u1.dial(exchange, "1", &description(u1.address));
    let invite = u1.expect_request(exchange, &Method::Invite);
    assert_ne!(invite.headers().get("Call-ID"), Some(d1.call_id.as_str()));
    u1.pick_up(exchange, &invite);
    u1.answered(exchange, &mut d1);
    u1.leave(exchange, &mut d1);
    u1.is_hung_up(exchange);
    trio.finish();
}

// yate: Calls: caller id
#[test]
fn a_callee_sees_the_caller_who_was_proved() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let uri = "sip:2@192.0.2.50";
    let mut dialog = u1.new_dialog(uri);
    dialog.local = "<sip:ceo@192.0.2.50>;tag=lie".to_owned();
    let extra = "P-Asserted-Identity: <sip:ceo@192.0.2.50>\r\nRemote-Party-ID: <sip:ceo@192.0.2.50>\r\n\
        P-Preferred-Identity: <sip:ceo@192.0.2.50>\r\nSubject: from the ceo\r\n";
    let body = description(u1.address);
    u1.send(exchange, &u1.text("INVITE", uri, &dialog, extra, &body));
    let challenge = u1.refused(exchange, &dialog, 401);
    u1.ask_again(exchange, &mut dialog, &challenge, "INVITE", extra, &body);
    let invite = u2.expect_request(exchange, &Method::Invite);
    let from = invite.headers().get("From").expect("a From");
    assert!(from.contains("<sip:u1@192.0.2.50>"), "{from}");
    assert!(!invite.to_string().contains("ceo"), "{invite}");
    u2.refuse(exchange, &invite, 486);
    u1.refused(exchange, &dialog, 486);
    trio.finish();
}

// yate: Calls: callee 487 -> 480, 600 -> 486, ... : a lone callee's own code passes here
#[test]
fn a_callees_own_status_passes() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    for (said, told) in [
        (403, 403),
        (407, 403),
        (420, 420),
        (421, 421),
        (487, 487),
        (493, 493),
        (501, 501),
        (504, 504),
        (513, 513),
        // It names the phone itself once more.
        (302, 482),
    ] {
        let dialog = u1.dial(exchange, "2", &description(u1.address));
        let invite = u2.expect_request(exchange, &Method::Invite);
        u2.refuse(exchange, &invite, said);
        u1.refused(exchange, &dialog, told);
    }
    trio.finish();
}

// yate: Calls: CANCEL by caller; CANCEL from another IP, other branch, same Call-ID; fault 2
#[test]
fn only_the_invites_own_branch_cancels_it() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let dialog = u1.dial(exchange, "2", &description(u1.address));
    let invite = u2.expect_request(exchange, &Method::Invite);
    u2.answer(exchange, &invite, 180, "");
    let ringing = u1.expect(exchange, 180);
    let stranger = Party::new("u1", "guessed", "192.0.2.66:5060");
    let mut other = dialog.clone();
    other.branch = "z9hG4bK-another".to_owned();
    for party in [&stranger, &*u1] {
        party.cancel(exchange, &other);
        party.expect(exchange, 481);
    }
    // The right branch from another place is not the caller's: its Via names that place.
    stranger.cancel(exchange, &dialog);
    stranger.expect(exchange, 481);
    // And nobody hangs up what only rings.
    other.remote = ringing.headers().get("To").expect("a To").to_owned();
    other.cseq += 1;
    let mut guess = other.clone();
    guess.remote += "x";
    for (dialog, status, branch) in [(guess, 481, "z9hG4bK-bye1"), (other, 401, "z9hG4bK-bye2")] {
        let dialog = Dialog {
            branch: branch.to_owned(),
            ..dialog
        };
        let bye = stranger.text("BYE", &dialog.target, &dialog, "", "");
        stranger.send(exchange, &bye);
        stranger.expect(exchange, status);
    }
    u2.expect_silence(exchange);
    // The caller's own: 200 to the CANCEL, 487 to the INVITE.
    u1.cancel(exchange, &dialog);
    u1.expect(exchange, 200);
    u1.refused(exchange, &dialog, 487);
    u2.is_cancelled(exchange, &invite);
    trio.finish();
}

// yate: Calls: BYE from any IP with only the callee-leg Call-ID right (wrong tags); BYE / CANCEL /
// REFER / in-dialog INFO unknown; re-INVITE with wrong To tag; ACK; fault 2
#[test]
fn a_call_id_is_not_enough() {
    let (mut trio, mut d1, d2) = conversation();
    let (exchange, u1, u2, _) = trio.all();
    let mut stranger = Party::new("u1", "guessed", "192.0.2.66:5060");
    for real in [&d1, &d2] {
        for (local, remote) in [
            (
                "<sip:u1@192.0.2.50>;tag=guess",
                "<sip:2@192.0.2.50>;tag=guess",
            ),
            (real.local.as_str(), "<sip:2@192.0.2.50>;tag=guess"),
            ("<sip:u1@192.0.2.50>;tag=guess", real.remote.as_str()),
            ("<sip:u1@192.0.2.50>", "<sip:2@192.0.2.50>"),
            // Exchanged: the other end of the same leg.
            (real.remote.as_str(), real.local.as_str()),
        ] {
            let mut guess = real.clone();
            (guess.local, guess.remote) = (local.to_owned(), remote.to_owned());
            for method in ["BYE", "INFO", "REFER", "UPDATE", "INVITE", "MESSAGE"] {
                if !remote.contains("tag=") && matches!(method, "INVITE" | "MESSAGE" | "REFER") {
                    continue;
                }
                let extra = match method {
                    "REFER" => "Refer-To: <sip:3@192.0.2.50>\r\n",
                    _ => "",
                };
                stranger.in_dialog(exchange, &mut guess, method, extra, "", false);
                let refusal = stranger.expect(exchange, 481);
                if method == "INVITE" {
                    stranger.acknowledge_failure(exchange, &guess, &refusal);
                }
            }
            guess.branch = stranger.branch();
            let ack = stranger.text("ACK", &guess.target, &guess, "", "");
            stranger.send(exchange, &ack);
            stranger.expect_silence(exchange);
        }
        // All of them right, overheard: a proof is wanted.
        let mut stolen = real.clone();
        stolen.cseq += 1000;
        for method in ["BYE", "INFO", "INVITE", "UPDATE"] {
            stranger.in_dialog(exchange, &mut stolen, method, "", "", false);
            let refusal = stranger.expect(exchange, 401);
            if method == "INVITE" {
                stranger.acknowledge_failure(exchange, &stolen, &refusal);
            }
        }
        // And an order: what is older than the last request is none (§12.2.2).
        let mut old = real.clone();
        old.cseq = 0;
        stranger.in_dialog(exchange, &mut old, "BYE", "", "", false);
        stranger.expect_one_of(exchange, &[500, 401]);
    }
    u1.expect_silence(exchange);
    u2.expect_silence(exchange);
    d1.cseq += 2000;
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

// yate: fault 3
#[test]
fn a_digest_counts_once_and_for_its_own_request() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, u3) = trio.all();
    let uri = "sip:2@192.0.2.50";
    let body = description(u1.address);
    let mut dialog = u1.new_dialog(uri);
    u1.send(exchange, &u1.text("INVITE", uri, &dialog, "", &body));
    let challenge = u1.refused(exchange, &dialog, 401);
    dialog.cseq += 1;
    dialog.branch = u1.branch();
    let text = u1.text("INVITE", uri, &dialog, "", &body);
    let text = u1.authorize(&text, &challenge);
    for part in ["qop=auth", "nc=00000001", "cnonce="] {
        assert!(text.contains(part), "{text}");
    }
    u1.send(exchange, &text);
    let invite = u2.expect_request(exchange, &Method::Invite);
    // Overheard and said again, in a call of the thief's own; to the same number and to another.
    let thief = Party::new("u1", "guessed", "192.0.2.66:5060");
    for (number, call) in [("2", "one"), ("3", "two"), ("2", "three")] {
        let stolen = text
            .replace(&dialog.call_id, call)
            .replace(&dialog.branch, &format!("z9hG4bK-{call}"))
            .replacen("sip:2@", &format!("sip:{number}@"), 1)
            .replace("192.0.2.101", "192.0.2.66");
        thief.send(exchange, &stolen);
        let refusal = thief.expect_one_of(exchange, &[401, 400, 403]);
        let mut theirs = dialog.clone();
        theirs.call_id = call.to_owned();
        theirs.branch = format!("z9hG4bK-{call}");
        theirs.remote = refusal.headers().get("To").expect("a To").to_owned();
        let ack = thief.text("ACK", &theirs.target, &theirs, "", "");
        thief.send(exchange, &ack);
    }
    u3.expect_silence(exchange);
    u2.refuse(exchange, &invite, 486);
    u2.expect_silence(exchange);
    u1.refused(exchange, &dialog, 486);
    trio.finish();
}

// yate: Calls: opus only offer; telephone-event pt 96
#[test]
fn codecs_are_the_parties_own_affair() {
    let opus = "m=audio 40000 RTP/AVP 111 96\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n\
        a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n";
    let head =
        |ip: &str| format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n");
    let (offer, answer) = told(&(head("192.0.2.101") + opus), &(head("192.0.2.102") + opus));
    for text in [&offer, &answer] {
        for line in [
            "RTP/AVP 111 96\r\n",
            "a=rtpmap:111 opus/48000/2\r\n",
            "a=fmtp:111 useinbandfec=1\r\n",
            "a=rtpmap:96 telephone-event/8000\r\n",
            "a=fmtp:96 0-15\r\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}

// yate: Calls: audio+video; RTP/SAVP + crypto
#[test]
fn streams_that_are_not_relayed_are_off_in_their_places() {
    let video = "m=video 40002 RTP/AVP 34\r\n";
    let keyed = "m=audio 40004 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\r\n";
    let head =
        |ip: &str| format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n");
    let said = head("192.0.2.101") + video + AUDIO + keyed;
    let off = "m=video 0 RTP/AVP 34\r\nm=audio 40000 RTP/AVP 0\r\nm=audio 0 RTP/SAVP 0\r\n";
    let (offer, answer) = told(&said, &(head("192.0.2.102") + off));
    for text in [&offer, &answer] {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("m=video 0 "), "{text}");
        assert!(!lines[1].starts_with("m=audio 0 "), "{text}");
        assert!(lines[2].starts_with("m=audio 0 RTP/SAVP"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

// yate: Calls: garbage SDP / port 0; RTP/SAVP + crypto
#[test]
fn what_cannot_be_relayed_at_all_rings_nobody() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let good = description(u1.address);
    for (body, status) in [
        (good.replace("RTP/AVP", "RTP/SAVP"), 488),
        (good.replace("RTP/AVP 0 8", "UDP/TLS/RTP/SAVPF 0"), 488),
        (good.replace("v=0", "v=1"), 488),
        (good.replace("m=audio 40000", "m=audio 400000"), 400),
        ("garbage".to_owned(), 400),
    ] {
        let dialog = u1.dial(exchange, "2", &body);
        u1.refused(exchange, &dialog, status);
        u2.expect_silence(exchange);
    }
    trio.finish();
}

#[test]
fn an_offer_whose_stream_is_off_passes_as_it_is() {
    let off = "v=0\r\no=- 1 1 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n\
        m=audio 0 RTP/AVP 0\r\n";
    let (offer, answer) = told(off, &off.replace("0.2.101", "0.2.102"));
    assert!(offer.contains("m=audio 0 "), "{offer}");
    assert!(answer.contains("m=audio 0 "), "{answer}");
}

// yate: Fork: `|next=1500` adds B; `|` calls B only after A failed; regfile alternatives ring all
#[test]
fn groups_have_their_turns() {
    let numbers = "[default]\n\
        ^7$=fork sip/sip:a@192.0.2.71:5060 |next=1500 sip/sip:b@192.0.2.72:5060\n\
        ^8$=fork sip/sip:a@192.0.2.71:5060 | sip/sip:b@192.0.2.72:5060\n\
        ^9$=fork sip/sip:a@192.0.2.71:5060 |drop=1500 sip/sip:b@192.0.2.72:5060\n";
    let (a, b) = (
        Party::new("a", "", "192.0.2.71:5060"),
        Party::new("b", "", "192.0.2.72:5060"),
    );
    for number in ["7", "8", "9"] {
        let mut exchange = Exchange::of(USERS, numbers, |_| {});
        let mut u1 = Party::new("u1", "secret1", "192.0.2.101:5060");
        let mut d1 = u1.dial(&mut exchange, number, &description(u1.address));
        let first = a.expect_request(&mut exchange, &Method::Invite);
        a.answer(&mut exchange, &first, 180, "");
        u1.expect(&mut exchange, 180);
        exchange.pass(Duration::from_millis(1400));
        b.expect_silence(&exchange);
        match number {
            "7" => exchange.pass(Duration::from_millis(101)),
            "8" => {
                exchange.pass(Duration::from_secs(10));
                b.expect_silence(&exchange);
                a.refuse(&mut exchange, &first, 486);
            }
            _ => {
                exchange.pass(Duration::from_millis(101));
                a.is_cancelled(&mut exchange, &first);
            }
        }
        let second = b.expect_request(&mut exchange, &Method::Invite);
        b.pick_up(&mut exchange, &second);
        if number == "7" {
            let cancel = a.expect_request(&mut exchange, &Method::Cancel);
            let reason = cancel.headers().get("Reason").expect("a Reason");
            assert_eq!(reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
            a.answer(&mut exchange, &cancel, 200, "");
            a.refuse(&mut exchange, &first, 487);
        }
        u1.answered(&mut exchange, &mut d1);
        hang_up(&mut exchange, &mut u1, &mut d1, &b);
        exchange.assert_nothing_left();
    }
}

// checklist: B2BUA-07
#[test]
fn a_number_of_several_users_rings_them_all() {
    let users = "[u1]\npassword=secret1\n[u2]\npassword=secret2\nalternatives=100\n\
        [u3]\npassword=secret3\nalternatives=100\n";
    let numbers = "[default]\n";
    let mut trio = Trio::with(Exchange::of(users, numbers, |_| {}));
    let (exchange, u1, u2, u3) = trio.all();
    let mut d1 = u1.dial(exchange, "100", &description(u1.address));
    let first = u2.expect_request(exchange, &Method::Invite);
    let second = u3.expect_request(exchange, &Method::Invite);
    u2.answer(exchange, &first, 180, "");
    u1.expect(exchange, 180);
    u3.pick_up(exchange, &second);
    u2.is_cancelled(exchange, &first);
    u1.answered(exchange, &mut d1);
    hang_up(exchange, u1, &mut d1, u3);
    trio.finish();
}
