//! MESSAGE and OPTIONS that go to a user: in the name of who has proved himself, to all phones, and back.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use offhook_sip::{Method, Request};
use support::party::Party;
use support::trio::{Trio, ask};

fn assert_from_u1(request: &Request) {
    let text = request.to_string();
    let from = request.headers().get("From").expect("a From");
    assert!(from.starts_with("<sip:u1@192.0.2.50>;tag="), "{text}");
    assert_eq!(request.headers().get("Max-Forwards"), Some("19"), "{text}");
    for secret in [
        "192.0.2.101",
        "Authorization",
        "private",
        "X-Secret",
        "Subject",
    ] {
        assert!(!text.contains(secret), "{secret} reaches the user: {text}");
    }
}

#[test]
fn a_message_reaches_a_user() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    let extra = "From-Me: x\r\nX-Secret: y\r\nSubject: z\r\nExpires: 60\r\n";
    ask(exchange, u1, "MESSAGE", extra, "Hello, world");
    let message = u2.expect_request(exchange, &Method::Message);
    assert_from_u1(&message);
    assert_eq!(message.body().as_ref(), b"Hello, world");
    assert_eq!(message.headers().get("Content-Type"), Some("text/plain"));
    assert_eq!(message.headers().get("Expires"), Some("60"));
    u1.expect_silence(exchange);
    u2.answer(exchange, &message, 202, "");
    let response = u1.expect(exchange, 202);
    for secret in ["192.0.2.102", "sip:u2"] {
        assert!(!response.to_string().contains(secret), "{response}");
    }
    trio.finish();
}

#[test]
fn options_reach_a_user() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    ask(exchange, u1, "OPTIONS", "Accept: application/sdp\r\n", "");
    let options = u2.expect_request(exchange, &Method::Options);
    assert_from_u1(&options);
    let mut response = options.response(offhook_sip::StatusCode::OK);
    for (name, value) in [
        ("Accept", "application/sdp, text/plain"),
        ("Server", "his phone"),
        ("Contact", "<sip:u2@192.0.2.102>"),
    ] {
        response
            .headers_mut()
            .append(name, value)
            .expect("a header");
    }
    exchange.packet(u2.address, response.to_bytes());
    let response = u1.expect(exchange, 200);
    assert_eq!(
        response.headers().get("Accept"),
        Some("application/sdp, text/plain")
    );
    assert!(
        response
            .headers()
            .get("Allow")
            .is_some_and(|allow| allow.contains("REFER"))
    );
    for secret in ["192.0.2.102", "his phone"] {
        assert!(!response.to_string().contains(secret), "{response}");
    }
    trio.finish();
}

#[test]
fn the_best_answer_of_all_phones_is_told() {
    let mut trio = Trio::new();
    let mut second = Party::new("u2", "secret2", "192.0.2.112:5060");
    // Two phones of one user count alike.
    for _ in 0..20 {
        second.serial();
    }
    second.register(&mut trio.exchange, 3600);
    let (exchange, u1, u2, _) = trio.all();
    for (one, other, told) in [
        (200, 486, 200),
        (404, 486, 486),
        (486, 202, 202),
        (404, 603, 603),
    ] {
        ask(exchange, u1, "MESSAGE", "", "Hello");
        let asked = [&*u2, &second].map(|phone| phone.expect_request(exchange, &Method::Message));
        u2.answer(exchange, &asked[0], one, "");
        second.answer(exchange, &asked[1], other, "");
        u1.expect(exchange, told);
        u1.expect_silence(exchange);
    }
    second.register(exchange, 0);
    trio.finish();
}

#[test]
fn who_cannot_be_reached_is_told_as_for_calls() {
    let mut trio = Trio::new();
    let (exchange, u1, u2, _) = trio.all();
    // A phone that answers nothing.
    ask(exchange, u1, "MESSAGE", "", "Hello");
    u2.expect_request(exchange, &Method::Message);
    exchange.pass(Duration::from_secs(33));
    while exchange.letter(u2.address).is_some() {}
    // RFC 4320 §4.1, §4.2: a 100 after a while, and no 408, which could only come too late.
    let trying = u1.next(exchange).to_string();
    assert!(trying.starts_with("SIP/2.0 100 "), "{trying}");
    u1.expect_silence(exchange);
    // His challenge is not the sender's affair.
    ask(exchange, u1, "MESSAGE", "", "Hello");
    let message = u2.expect_request(exchange, &Method::Message);
    u2.answer(exchange, &message, 401, "");
    u1.expect(exchange, 403);
    // He has moved to where he has been asked already.
    ask(exchange, u1, "MESSAGE", "", "Hello");
    let message = u2.expect_request(exchange, &Method::Message);
    u2.answer(exchange, &message, 302, "");
    u1.expect(exchange, 482);
    u2.register(exchange, 0);
    ask(exchange, u1, "MESSAGE", "", "Hello");
    u1.expect(exchange, 480);
    u2.register(exchange, 3600);
    trio.finish();
}

#[test]
fn nobody_writes_in_the_name_of_others() {
    let mut trio = Trio::new();
    let Trio {
        exchange, u2, u3, ..
    } = &mut trio;
    let mut liar = Party::new("u1", "guessed", "192.0.2.66:5060");
    for method in ["MESSAGE", "OPTIONS"] {
        ask(exchange, &mut liar, method, "", "Hello");
        liar.expect(exchange, 401);
        u2.expect_silence(exchange);
    }
    // A user who says that he is another one.
    let uri = "sip:2@192.0.2.50";
    let mut dialog = u3.new_dialog(uri);
    dialog.local = "\"The Boss\" <sip:u1@192.0.2.50>;tag=lie".to_owned();
    u3.send(exchange, &u3.text("MESSAGE", uri, &dialog, "", "Fired"));
    let challenge = u3.expect(exchange, 401);
    u3.ask_again(exchange, &mut dialog, &challenge, "MESSAGE", "", "Fired");
    let message = u2.expect_request(exchange, &Method::Message);
    let from = message.headers().get("From").expect("a From");
    assert!(from.starts_with("<sip:u3@192.0.2.50>"), "{from}");
    u2.answer(exchange, &message, 200, "");
    u3.expect(exchange, 200);
    // No hop is left.
    let mut dialog = u3.new_dialog(uri);
    u3.send(exchange, &u3.text("MESSAGE", uri, &dialog, "", "Hello"));
    let challenge = u3.expect(exchange, 401);
    dialog.cseq += 1;
    dialog.branch = u3.branch();
    let text = u3.text("MESSAGE", uri, &dialog, "", "Hello");
    let text = text.replace("Max-Forwards: 20", "Max-Forwards: 0");
    let text = u3.authorize(&text, &challenge);
    u3.send(exchange, &text);
    u3.expect(exchange, 483);
    trio.finish();
}
