//! REFER as a weapon: many of them, to what is forbidden, to calls of others, and with a proof that was used before.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_sip::Method;
use support::party::{Party, description};
use support::store::Store;
use support::trio::{
    Trio, conversation, in_place_of, notified, refer, replacing, ring, stop, take_all, take_over,
    talk, they_talk,
};
use support::{Exchange, NUMBERS, USERS, address};

/// Each conversation has one transfer at a time: what is open is bounded by the calls that there are.
#[test]
fn many_conversations_have_one_transfer_each() {
    const CALLS: usize = 20;
    let mut trio = Trio::new();
    let (exchange, u1, u2, u3) = trio.all();
    let mut dialogs: Vec<_> = (0..CALLS).map(|_| talk(exchange, u1, u2, "2").0).collect();
    for dialog in &mut dialogs {
        refer(exchange, u1, dialog, "sip:3@192.0.2.50");
        u3.expect_request(exchange, &Method::Invite);
        for _ in 0..5 {
            let extra = "Refer-To: <sip:3@192.0.2.50>\r\n";
            u1.in_dialog(exchange, dialog, "REFER", extra, "", true);
            u1.expect(exchange, 491);
        }
    }
    u3.expect_silence(exchange);
    let counts = exchange.server.counts();
    assert_eq!((counts.bridges, counts.ua.calls), (CALLS, 3 * CALLS));
    for dialog in &mut dialogs {
        u1.leave(exchange, dialog);
    }
    stop(exchange, [&*u1, &*u2, &*u3]);
    exchange.assert_nothing_left();
}

/// As long as nobody knows where the target is, too: one user would have the exchange ask its store for nothing else.
#[test]
fn a_transfer_that_waits_for_the_store_is_one() {
    let (mut exchange, mut store, [mut u1, u2, u3]) = Store::with_three(|_| {});
    let mut d1 = u1.dial(&mut exchange, "2", &description(u1.address));
    store.serve(&mut exchange);
    let invite = u2.expect_request(&mut exchange, &Method::Invite);
    u2.pick_up(&mut exchange, &invite);
    u1.answered(&mut exchange, &mut d1);
    for too_late in [false, true, false] {
        refer(&mut exchange, &mut u1, &mut d1, "sip:3@192.0.2.50");
        for _ in 0..50 {
            let extra = "Refer-To: <sip:3@192.0.2.50>\r\n";
            u1.in_dialog(&mut exchange, &mut d1, "REFER", extra, "", true);
            u1.expect(&mut exchange, 491);
        }
        assert_eq!(exchange.server.counts().inquiries, 1);
        if too_late {
            exchange.pass(Duration::from_millis(5_100));
            notified(&mut exchange, &u1, "503 Service Unavailable", true);
        }
        assert_eq!(store.serve(&mut exchange), 1);
        if !too_late {
            let invite = u3.expect_request(&mut exchange, &Method::Invite);
            u3.refuse(&mut exchange, &invite, 486);
            notified(&mut exchange, &u1, "486 Busy Here", true);
        }
        u3.expect_silence(&exchange);
    }
    they_talk(&mut exchange, &mut u1, &mut d1, &u2);
    exchange.assert_nothing_left();
}

#[test]
fn a_transfer_leads_to_no_forbidden_number() {
    let mut trio = Trio::with(Exchange::of(
        USERS,
        &format!("{NUMBERS}^.*$=sip/sip:gate@192.0.2.200:5060\n"),
        |config| config.calls.never_route = ["0900*"].into_iter().collect(),
    ));
    let (exchange, u1, u2, _) = trio.all();
    let (mut d1, _) = talk(exchange, u1, u2, "2");
    for (to, line) in [
        ("sip:0900123@192.0.2.50", "403 Forbidden"),
        ("sip:0900-123@192.0.2.50", "403 Forbidden"),
        ("sip:%30900123@192.0.2.50", "403 Forbidden"),
        (
            "sip:0900123@198.51.100.66;maddr=192.0.2.200",
            "403 Forbidden",
        ),
        ("sips:0900123@192.0.2.50", "403 Forbidden"),
    ] {
        refer(exchange, u1, &mut d1, to);
        notified(exchange, u1, line, true);
        assert_eq!(exchange.waiting(address("192.0.2.200:5060")), 0);
    }
    // Two in one line are none.
    let extra = "Refer-To: <sip:3@192.0.2.50>, <sip:1@192.0.2.50>\r\n";
    u1.in_dialog(exchange, &mut d1, "REFER", extra, "", true);
    u1.expect(exchange, 400);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

/// RFC 3891 §3: he is called there, and waits for nobody.
#[test]
fn a_call_that_rings_at_the_transferor_himself_is_nothing_to_wait_for() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, u3) = trio.all();
    let (mut d13, _) = talk(exchange, u1, u3, "3");
    let offer = description(u2.address);
    let (d2, d1, ringing) = ring(exchange, u2, u1, "1", &offer);
    for named in [&d1, &d2] {
        refer(exchange, u1, &mut d13, &in_place_of("1", named));
        notified(exchange, u1, "481 Call/Transaction Does Not Exist", true);
    }
    u3.expect_silence(exchange);
    u1.refuse(exchange, &ringing, 486);
    u2.refused(exchange, &d2, 486);
    they_talk(exchange, u1, &mut d13, u3);
    trio.finish();
}

/// A request that was seen on the wire, with these pieces of its text replaced.
fn again(text: &str, changes: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}: {text}");
        text = text.replace(from, to);
    }
    text
}

/// A digest says nothing of the headers: but it is good for one request only.
#[test]
fn a_proof_that_was_seen_transfers_nobody() {
    let (mut trio, mut d1, _) = conversation();
    let (exchange, u1, u2, u3) = trio.all();
    d1.cseq += 1;
    d1.branch = u1.branch();
    let text = u1.text(
        "REFER",
        &d1.target,
        &d1,
        "Refer-To: <sip:3@192.0.2.50>\r\n",
        "",
    );
    let text = u1.authorize_known(&text);
    u1.send(exchange, &text);
    u1.expect(exchange, 202);
    notified(exchange, u1, "100 Trying", false);
    let invite = u3.expect_request(exchange, &Method::Invite);
    u3.refuse(exchange, &invite, 486);
    notified(exchange, u1, "486 Busy Here", true);
    let cseq = format!("CSeq: {}", d1.cseq);
    let replayed = again(
        &text,
        &[
            (&d1.branch, "z9hG4bK-replayed"),
            (&cseq, "CSeq: 999"),
            ("sip:3@", "sip:1@"),
        ],
    );
    for place in [u1.address, address("198.51.100.66:5060")] {
        exchange.packet(place, replayed.replace("replayed", &place.ip().to_string()));
        let answer = exchange.letter(place).expect("an answer");
        assert!(answer.starts_with(b"SIP/2.0 401 "), "{answer:?}");
        assert_eq!(exchange.waiting(u1.address), 0);
    }
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn a_proof_that_was_seen_picks_nothing_up() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, u3) = trio.all();
    let offer = description(u1.address);
    let (d1, d2, ringing) = ring(exchange, u1, u2, "2", &offer);
    let (d3, d32, also) = ring(exchange, u3, u2, "2", &offer);
    // The proof of u2 for a call that he picks up at another phone is used for the other call.
    let mut picker = Party::new("u2", "secret2", "192.0.2.112:5060");
    // Two phones of one user count alike.
    while picker.serial() < 100 {}
    picker.register(exchange, 3600);
    let uri = "sip:2@192.0.2.50";
    let dialog = picker.new_dialog(uri);
    let extra = format!("{}\r\n", replacing(&d2));
    let text = picker.text("INVITE", uri, &dialog, &extra, &description(picker.address));
    let text = picker.authorize_known(&text);
    picker.send(exchange, &text);
    u2.is_cancelled(exchange, &ringing);
    let other = format!("{}\r\n", replacing(&d32));
    let stolen = again(
        &text,
        &[
            (&extra, &other),
            (&dialog.branch, "z9hG4bK-stolen"),
            (&dialog.call_id, "stolen"),
        ],
    );
    let thief = Party::new("u2", "", "198.51.100.66:5060");
    thief.send(exchange, &stolen);
    let refusal = thief.expect(exchange, 401);
    assert!(refusal.to_string().contains("stale=true"), "{refusal}");
    u2.expect_silence(exchange);
    for (party, dialog) in [(&mut *u1, &d1), (&mut *u3, &d3)] {
        party.gives_up(exchange, dialog);
    }
    u2.is_cancelled(exchange, &also);
    take_all(exchange, &picker);
    exchange.pass(Duration::from_secs(40));
    take_all(exchange, &picker);
    picker.register(exchange, 0);
    trio.finish();
}

/// Whoever guesses which calls ring learns nothing, takes no room, and is a stranger who asks too much.
#[test]
fn guesses_at_calls_that_ring_are_a_strangers() {
    let mut trio = Trio::with(Exchange::with(|config| config.flood.a_source = 10));
    let (exchange, u1, u2, u3) = trio.all();
    let offer = description(u1.address);
    let (mut d1, d2, ringing) = ring(exchange, u1, u2, "2", &offer);
    let before = exchange.server.counts();
    let mut stranger = Party::new("evil", "guessed", "198.51.100.66:5060");
    let mut answered = 0;
    for guess in 0..500 {
        let uri = "sip:2@192.0.2.50";
        let dialog = stranger.new_dialog(uri);
        let mut named = d2.clone();
        named.remote += &guess.to_string();
        let extra = format!("{}\r\n", replacing(&named));
        stranger.send(exchange, &stranger.text("INVITE", uri, &dialog, &extra, ""));
        while let Some(answer) = exchange.letter(stranger.address) {
            let status = String::from_utf8_lossy(&answer)[8..11].to_owned();
            assert!(["401", "481", "503"].contains(&status.as_str()), "{status}");
            answered += 1;
        }
    }
    assert!(answered < 200, "{answered}");
    exchange.pass(Duration::from_secs(2));
    assert_eq!(exchange.server.counts().ua.calls, before.ua.calls);
    // A user is told no more of what he does not know, nor of what is not his.
    let mut wrong = d2.clone();
    wrong.remote += "x";
    let body = description(u3.address);
    let refused = take_over(exchange, u3, &wrong, &body, "");
    assert!(refused.remote.contains("tag="), "481 at once");
    u2.pick_up(exchange, &ringing);
    u1.answered(exchange, &mut d1);
    they_talk(exchange, u1, &mut d1, u2);
    trio.finish();
}
