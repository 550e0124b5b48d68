//! Every method outside of calls, and everything that is not quite SIP: one test a row of the table
//! "Methods and malformed" of what Yate does, with what ours does instead.
//!
//! | row | here |
//! |---|---|
//! | OPTIONS without credentials | `the_exchange_tells_anybody_what_it_can` |
//! | MESSAGE SUBSCRIBE NOTIFY UPDATE PRACK PUBLISH FOO | `methods_that_are_not_served` |
//! | INFO out of a dialog, in a dialog | `info_belongs_to_calls` |
//! | missing From, To, Call-ID, CSeq; CSeq that is no number; a line without a colon; LF alone | `what_cannot_be_done_without` |
//! | missing Via, Max-Forwards, Contact, Content-Length, From tag, ... | `what_is_odd_but_good`, `what_is_odd_and_refused` |
//! | SIP/3.0 | `another_version` |
//! | no SIP, stray responses, keep-alives | `what_gets_no_answer` |
//! | a datagram of more than 1500 octets | `a_large_datagram` |
//! | error= values | `a_rules_error_is_told` |

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use offhook_sip::{Message, Method, Response, parse_datagram};
use support::party::{Party, description};
use support::trio::{Trio, hang_up, talk};
use support::{Exchange, USERS};

const AT: &str = "192.0.2.77:5060";

/// A whole request, to be spoilt.
fn good(method: &str, uri: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {AT};rport;branch=z9hG4bKone\r\n\
         Max-Forwards: 20\r\n\
         From: <sip:u1@192.0.2.50>;tag=mine\r\n\
         To: <{uri}>\r\n\
         Call-ID: odd@private\r\n\
         CSeq: 7 {method}\r\n\
         Contact: <sip:u1@{AT}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// What the exchange says to these octets; only the last word counts.
fn said_to(octets: &[u8]) -> Option<Response> {
    let mut exchange = Exchange::new();
    let party = Party::new("u1", "secret1", AT);
    exchange.packet(party.address, octets.to_vec());
    let mut last = None;
    while let Some(letter) = exchange.letter(party.address) {
        let message = parse_datagram(letter).expect("the exchange writes good SIP");
        let Message::Response(response) = message else {
            panic!("a request to a stranger: {message}")
        };
        last = Some(response);
    }
    exchange.assert_nothing_left();
    last
}

fn status_of(text: &str) -> Option<u16> {
    said_to(text.as_bytes()).map(|response| response.status().get())
}

const SERVER: &str = "sip:192.0.2.50";

#[test]
fn the_exchange_tells_anybody_what_it_can() {
    let response = said_to(good("OPTIONS", SERVER).as_bytes()).expect("an answer");
    assert_eq!(response.status().get(), 200);
    let header = |name: &str| response.headers().get(name).expect("a header").to_owned();
    let allow = header("Allow");
    for method in [
        "INVITE", "ACK", "CANCEL", "BYE", "REGISTER", "OPTIONS", "INFO", "MESSAGE", "UPDATE",
        "PRACK", "REFER",
    ] {
        assert!(allow.split(", ").any(|of| of == method), "{allow}");
    }
    assert!(header("Accept").contains("application/sdp"));
    for tag in ["replaces", "100rel", "timer", "norefersub"] {
        assert!(header("Supported").contains(tag));
    }
}

#[test]
fn methods_that_are_not_served() {
    // RFC 3261 §8.2.1: 405 to what is known, 501 to what nobody knows, both with Allow.
    for (method, status) in [
        ("SUBSCRIBE", 405),
        ("NOTIFY", 405),
        ("PUBLISH", 405),
        ("FOO", 501),
        ("invite", 501),
        // These need a dialog (RFC 3261 §12.2.2), and REFER is taken within one only.
        ("BYE", 481),
        ("UPDATE", 481),
        ("PRACK", 481),
        ("REFER", 403),
        // Whoever writes to a user proves himself.
        ("MESSAGE", 401),
        ("OPTIONS", 401),
        ("INVITE", 401),
    ] {
        let mut text = good(method, "sip:2@192.0.2.50");
        if method == "REFER" {
            text = text.replace(
                "Max-Forwards",
                "Refer-To: <sip:3@192.0.2.50>\r\nMax-Forwards",
            );
        }
        let response = said_to(text.as_bytes()).expect("an answer");
        assert_eq!(response.status().get(), status, "{method}: {response}");
        let allow = response.headers().get("Allow");
        assert_eq!(allow.is_some(), matches!(status, 405 | 501), "{response}");
    }
    // A CANCEL of nothing, with an INVITE's branch or without.
    assert_eq!(status_of(&good("CANCEL", "sip:2@192.0.2.50")), Some(481));
    // An ACK of nothing gets no answer, ever (§17.1.1.3).
    assert_eq!(status_of(&good("ACK", "sip:2@192.0.2.50")), None);
}

#[test]
fn info_belongs_to_calls() {
    assert_eq!(status_of(&good("INFO", "sip:2@192.0.2.50")), Some(481));
    let mut trio = Trio::new();
    let (mut d1, _) = talk(&mut trio.exchange, &mut trio.u1, &trio.u2, "2");
    let (exchange, u1, u2, _) = trio.all();
    let digit = "Signal=5\r\nDuration=160\r\n";
    u1.in_dialog(exchange, &mut d1, "INFO", "", digit, false);
    u1.expect(exchange, 401);
    u2.expect_silence(exchange);
    d1.cseq += 1;
    d1.branch = u1.branch();
    let text = u1.text("INFO", &d1.target, &d1, "", digit);
    let text = text.replace("application/sdp", "application/dtmf-relay");
    let text = u1.authorize_known(&text);
    u1.send(exchange, &text);
    let info = u2.expect_request(exchange, &Method::Info);
    assert_eq!(
        info.headers().get("Content-Type"),
        Some("application/dtmf-relay")
    );
    assert_eq!(info.body().as_ref(), digit.as_bytes());
    u2.answer(exchange, &info, 415, "");
    u1.expect(exchange, 415);
    hang_up(exchange, u1, &mut d1, u2);
    trio.finish();
}

#[test]
fn what_cannot_be_done_without() {
    for gone in ["From", "To", "Call-ID", "CSeq"] {
        let text: String = good("OPTIONS", SERVER)
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with(&format!("{gone}:")))
            .collect();
        assert_eq!(status_of(&text), Some(400), "without {gone}");
    }
    for (right, wrong) in [
        ("CSeq: 7 ", "CSeq: seven "),
        ("CSeq: 7 ", "CSeq: 99999999999 "),
        ("CSeq: 7 OPTIONS", "CSeq: 7 INVITE"),
        ("Content-Length: 0", "Content-Length: -5"),
        ("Content-Length: 0", "Content-Length: 12"),
        ("From: <sip:u1@192.0.2.50>", "From: <sip:u1@192.0.2.50"),
        ("Contact: ", "Contact "),
        // Lines end with CRLF (§7), and with nothing else.
        ("\r\n", "\n"),
    ] {
        let text = good("OPTIONS", SERVER).replace(right, wrong);
        assert_eq!(status_of(&text), Some(400), "{wrong}");
    }
    // An INVITE without a Contact leads nowhere (§8.1.1.8).
    let text = good("INVITE", "sip:2@192.0.2.50").replace("Contact", "X-Contact");
    assert_eq!(status_of(&text), Some(400));
}

#[test]
fn what_is_odd_but_good() {
    let options = good("OPTIONS", SERVER);
    let without = |start: &str| -> String {
        let lines = options.split_inclusive("\r\n");
        lines.filter(|line| !line.starts_with(start)).collect()
    };
    for text in [
        without("Max-Forwards"),
        without("Contact"),
        without("Content-Length"),
        options.replace(";tag=mine", ""),
        options.replace("Max-Forwards: 20", "Max-Forwards: 0"),
        format!("\r\n\r\n{options}"),
        options
            .replace("From:", "f:")
            .replace("To:", "t:")
            .replace("Call-ID:", "i:")
            .replace("Via:", "v:")
            .replace("Content-Length:", "l:"),
        options.replace("From: <", "From:\r\n <"),
        options
            .replace("From", "fRoM")
            .replace("Via: SIP/2.0/UDP", "VIA : SIP / 2.0 / udp"),
        options.replace(
            "Content-Length: 0\r\n\r\n",
            "Content-Length: 0\r\n\r\nand more",
        ),
    ] {
        assert_eq!(status_of(&text), Some(200), "{text}");
    }
}

#[test]
fn what_is_odd_and_refused() {
    for (text, status) in [
        (
            good("OPTIONS", SERVER).replace("Max-Forwards", "Require: foo\r\nMax-Forwards"),
            420,
        ),
        (good("INVITE", "http://192.0.2.50/"), 416),
        (good("OPTIONS", "urn:service:sos"), 416),
    ] {
        let response = said_to(text.as_bytes()).expect("an answer");
        assert_eq!(response.status().get(), status, "{text}");
        if status == 420 {
            assert_eq!(response.headers().get("Unsupported"), Some("foo"));
        }
    }
}

#[test]
fn another_version() {
    for (version, status) in [("SIP/3.0", 505), ("HTTP/1.1", 400)] {
        let line = format!(" {version}\r\n");
        let text = good("OPTIONS", SERVER).replacen(" SIP/2.0\r\n", &line, 1);
        let response = said_to(text.as_bytes()).expect("an answer");
        assert_eq!(response.status().get(), status, "{response}");
        assert!(response.to_string().starts_with("SIP/2.0 "));
    }
}

#[test]
fn what_gets_no_answer() {
    let options = good("OPTIONS", SERVER);
    let no_via: String = options
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Via"))
        .collect();
    let response = options.replacen("OPTIONS sip:192.0.2.50 SIP/2.0", "SIP/2.0 200 OK", 1);
    for text in [
        "\r\n\r\n",
        "\r\n",
        "",
        "\0\0\0\0",
        "hello",
        "OPTIONS sip:192.0.2.50 SIP/2.0\r\n\r\n",
        &no_via,
        &response,
        &response.replace("200 OK", "100 Trying"),
    ] {
        assert_eq!(status_of(text), None, "{text}");
    }
    let mut state = 1_u32;
    for length in (0..600_u32).step_by(29) {
        let noise: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        assert!(said_to(&noise).is_none());
    }
}

#[test]
fn a_large_datagram() {
    let filler = format!("X-Filler: {}\r\nMax-Forwards", "a".repeat(6000));
    let text = good("OPTIONS", SERVER).replace("Max-Forwards", &filler);
    assert_eq!(status_of(&text), Some(200));
}

/// The words of a rule's `error=`, and what the caller hears.
#[test]
fn a_rules_error_is_told() {
    for (error, status, phrase) in [
        (";error=busy", 486, "Busy Here"),
        (";error=forbidden;reason=Go away", 403, "Go away"),
        (";error=congestion", 480, "Temporarily Unavailable"),
        (";error=noroute", 404, "Not Found"),
        (";error=noauth", 401, "Unauthorized"),
        (";error=noautoauth", 401, "Unauthorized"),
        ("", 500, "Server Internal Error"),
    ] {
        let numbers = format!("[default]\n^9$=-{error}\n");
        let mut exchange = Exchange::of(USERS, &numbers, |_| {});
        let mut u1 = Party::new("u1", "secret1", AT);
        let body = description(u1.address);
        let dialog = u1.dial(&mut exchange, "9", &body);
        let failure = u1.expect(&mut exchange, status);
        assert_eq!(failure.reason(), phrase, "{failure}");
        u1.acknowledge_failure(&mut exchange, &dialog, &failure);
        exchange.assert_nothing_left();
    }
}
