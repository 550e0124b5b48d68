//! Headers that are folded are edited as all others are (RFC 3261 §7.3.1).

#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use offhook_sip::header::Via;
use offhook_sip::{Message, Request, StatusCode, parse_datagram};

/// A request whose Via, To and Subject are folded; the Subject is longer than what is unfolded at once.
fn folded() -> (Request, String) {
    let words = "\r\n folded".repeat(300);
    let octets = format!(
        "OPTIONS sip:bob@example.com SIP/2.0\r\n\
         v: SIP/2.0/UDP one.example.com\r\n ;branch=z9hG4bK1,\r\n\tSIP/2.0/TCP two.example.com\r\n\
         Subject:{words}\r\n\
         To: <sip:bob@example.com>\r\n  ;x=y \r\n\
         From: <sip:alice@example.com>;tag=1\r\n\
         Call-ID:\r\n a\r\nCSeq: 1\r\n OPTIONS\r\n\r\n"
    );
    let message = parse_datagram(Bytes::from(octets)).unwrap();
    let subject = "folded ".repeat(300);
    (message.into_request().unwrap(), subject.trim_end().into())
}

#[test]
fn values_are_extended_replaced_and_taken_away() {
    let (mut request, subject) = folded();
    assert_eq!(request.headers().get("s"), Some(&*subject));
    let headers = request.headers_mut();
    for added in ["more", "and", "more"] {
        assert_eq!(headers.extend_value("Subject", added), Ok(true));
        assert_eq!(headers.extend_value("To", ";z"), Ok(true));
    }
    assert_eq!(headers.get("s"), Some(&*(subject + "moreandmore")));
    assert_eq!(headers.get("t"), Some("<sip:bob@example.com> ;x=y;z;z;z"));
    assert!(headers.pop_via());
    assert_eq!(
        headers.required::<Via>().unwrap().host_str(),
        "two.example.com"
    );
    headers
        .prepend("Via", "SIP/2.0/UDP three.example.com")
        .unwrap();
    assert_eq!(headers.remove("Subject"), 1);
    headers.set("From", "<sip:carol@example.com>").unwrap();
    headers.append("Subject", "flat").unwrap();
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        lines,
        [
            "Via: SIP/2.0/UDP three.example.com",
            "Via: SIP/2.0/TCP two.example.com",
            "To: <sip:bob@example.com> ;x=y;z;z;z",
            "From: <sip:carol@example.com>",
            "Call-ID: a",
            "CSeq: 1 OPTIONS",
            "Subject: flat",
        ]
    );
    let again = parse_datagram(request.to_bytes()).unwrap();
    assert_eq!(again, Message::from(request));
}

#[test]
fn a_response_copies_what_is_folded() {
    let (request, _) = folded();
    let response = request.response(StatusCode::OK);
    for name in ["Via", "To", "From", "Call-ID", "CSeq"] {
        let values = (request.headers().get(name), response.headers().get(name));
        assert_eq!(values.0, values.1, "{name}");
    }
    let text = response.to_string();
    assert!(
        text.contains("\r\nTo: <sip:bob@example.com> ;x=y\r\n"),
        "{text}"
    );
    assert!(
        request
            .to_bytes_verbatim()
            .unwrap()
            .windows(3)
            .any(|three| three == b"\r\n\t")
    );
}
