//! For each rule of a message's frame, a message that breaks just it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use offhook_sip::{
    ErrorKind, Limits, ParseError, ParserConfig, parse_datagram, parse_datagram_with,
};

/// A good request, with one text in the place of another.
fn broken(from: &str, to: &str) -> Result<(), ParseError> {
    const GOOD: &str = "INVITE sip:b@example.net SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        Max-Forwards: 70\r\n\
        From: <sip:a@example.net>;tag=1\r\n\
        To: <sip:b@example.net>\r\n\
        Call-ID: c1\r\n\
        CSeq: 1 INVITE\r\n\
        Contact: <sip:a@192.0.2.1>\r\n\
        Route: <sip:p@192.0.2.2;lr>\r\n\
        Content-Type: text/plain\r\n\
        Content-Length: 2\r\n\
        \r\n\
        hi";
    assert!(GOOD.contains(from), "{from}");
    check(&GOOD.replacen(from, to, 1))
}

fn check(text: &str) -> Result<(), ParseError> {
    parse_datagram(Bytes::copy_from_slice(text.as_bytes()))?.validate()
}

#[test]
fn the_good_message_is_good() {
    assert_eq!(broken("INVITE", "INVITE"), Ok(()));
}

// checklist: R3261-01
#[test]
fn the_request_line_is_method_space_uri_space_version() {
    for (from, to, kind, offset) in [
        ("INVITE sip", " sip", ErrorKind::StartLine, 0),
        ("INVITE sip", "INV\u{e9}TE sip", ErrorKind::Space, 3),
        ("INVITE sip", "INV@TE sip", ErrorKind::Space, 3),
        ("INVITE sip", "INVITE\tsip", ErrorKind::Space, 6),
        ("INVITE sip", "INVITE  sip", ErrorKind::Scheme, 7),
        (" sip:b@example.net SIP/2.0", "", ErrorKind::Space, 6),
        ("sip:b@example.net ", "", ErrorKind::StartLine, 14),
        ("sip:b@example.net ", " ", ErrorKind::Scheme, 7),
        ("sip:b@example.net", "b@example.net", ErrorKind::Scheme, 8),
        (
            "b@example.net",
            "b@example.net?a=b",
            ErrorKind::UriHeader,
            0,
        ),
        (" SIP/2.0", "", ErrorKind::StartLine, 24),
        ("SIP/2.0\r", "SIP/2.0 \r", ErrorKind::StartLine, 33),
        ("SIP/2.0\r", "SIP/2.1\r", ErrorKind::Version, 25),
        ("SIP/2.0\r", "SIP/20\r", ErrorKind::StartLine, 25),
        ("SIP/2.0\r", "SIP/.0\r", ErrorKind::StartLine, 25),
        ("SIP/2.0\r", "HTTP/1.1\r", ErrorKind::StartLine, 25),
        ("SIP/2.0\r\n", "SIP/2.0\r", ErrorKind::LineEnd, 32),
        ("SIP/2.0\r\n", "SIP/2.0\n", ErrorKind::LineEnd, 32),
    ] {
        let error = broken(from, to).unwrap_err();
        assert_eq!(
            (error.kind(), error.offset()),
            (kind, offset),
            "{from:?} {to:?}"
        );
    }
    assert_eq!(broken("SIP/2.0", "sIp/2.0"), Ok(()));
}

// checklist: R3261-03
#[test]
fn the_status_line_is_version_space_code_space_phrase() {
    for (line, kind, offset) in [
        ("SIP/2.0", ErrorKind::Space, 7),
        ("SIP/2.0 ", ErrorKind::Status, 8),
        ("SIP/2.0 200", ErrorKind::Space, 11),
        ("SIP/2.0  200 OK", ErrorKind::Status, 8),
        ("SIP/2.0 20 OK", ErrorKind::Status, 8),
        ("SIP/2.0 2000 OK", ErrorKind::Status, 8),
        ("SIP/2.0 099 OK", ErrorKind::Status, 8),
        ("SIP/2.0 700 OK", ErrorKind::Status, 8),
        ("SIP/2.0 +20 OK", ErrorKind::Status, 8),
        ("SIP/2.0 2x0 OK", ErrorKind::Status, 8),
        ("SIP/3.0 200 OK", ErrorKind::Version, 0),
        ("SIP/2.0 200 O\u{1}K", ErrorKind::ReasonPhrase, 13),
    ] {
        let error = parse_datagram(format!("{line}\r\n\r\n").into()).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{line}");
        assert_eq!(error.response(), None, "{line}");
    }
    assert!(parse_datagram("SIP/2.0 200 \r\n\r\n".into()).is_ok());
    assert!(parse_datagram("sip/2.0 699 \u{e9}\r\n\r\n".into()).is_ok());
}

#[test]
fn a_header_line_is_name_colon_value_crlf() {
    for (from, to, kind) in [
        ("Max-Forwards: 70", "Max-Forwards 70", ErrorKind::HeaderName),
        ("Max-Forwards: 70", ": 70", ErrorKind::HeaderName),
        (
            "Max-Forwards: 70",
            "Max Forwards: 70",
            ErrorKind::HeaderName,
        ),
        (
            "Max-Forwards: 70",
            "Max(Forwards: 70",
            ErrorKind::HeaderName,
        ),
        ("Max-Forwards: 70", "X\u{e9}: 70", ErrorKind::HeaderName),
        ("Max-Forwards: 70", "Max-Forwards", ErrorKind::HeaderName),
        ("70\r\n", "70\n", ErrorKind::LineEnd),
        ("70\r\n", "70\r", ErrorKind::LineEnd),
        ("70\r\n", "7\r0\r\n", ErrorKind::LineEnd),
        (
            "INVITE sip:b@example.net SIP/2.0\r\n",
            "INVITE sip:b@example.net SIP/2.0\r\n X: y\r\n",
            ErrorKind::HeaderName,
        ),
    ] {
        assert_eq!(
            broken(from, to).unwrap_err().kind(),
            kind,
            "{from:?} {to:?}"
        );
    }
}

// RFC 3261 §25.1: TEXT-UTF8 has no control characters but HTAB, and a quoted pair has any but CR and
// LF. An unknown header is no exception (`extension-header`).
#[test]
fn no_header_holds_bare_control_characters() {
    for (from, to) in [
        ("Call-ID", "X-Odd: a\u{0}b\r\nCall-ID"),
        ("Call-ID", "X-Odd: a\r\n b\u{7}\r\nCall-ID"),
        ("Call-ID", "X-Odd: \"a\\\\\u{7}\"\r\nCall-ID"),
        ("Call-ID", "X-Odd: \u{7f}\r\nCall-ID"),
        (
            "Call-ID",
            "Subject: a longer text than sixteen \u{1b}[2J\r\nCall-ID",
        ),
        ("<sip:a@", "\"\u{1}\" <sip:a@"),
    ] {
        let error = broken(from, to).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Text, "{to:?}");
        assert_eq!(error.status().get(), 400, "{to:?}");
        let answer = error.response().unwrap();
        assert_eq!(answer.status().get(), 400);
        assert_eq!(parse_datagram(answer.to_bytes()), Ok(answer.into()));
    }
    for (from, to) in [
        ("Call-ID", "X-Odd: a\tb\t\r\nCall-ID"),
        ("Call-ID", "X-Odd: \"a\\\u{0}\\\u{7f}\"\r\nCall-ID"),
        ("<sip:a@", "\"\\\u{1}\" <sip:a@"),
    ] {
        assert_eq!(broken(from, to), Ok(()), "{to:?}");
    }
}

#[test]
fn control_characters_are_forgiven_where_that_is_asked_for() {
    const FORGIVING: ParserConfig = ParserConfig {
        control_characters: true,
        ..ParserConfig::STRICT
    };
    for (value, read) in [
        ("\u{1}", ""),
        ("a\t\u{1}\u{0}", "a"),
        ("\u{1}\t\u{1}\r\n \u{0}\ta", "a"),
        ("\u{0}a\u{0}b\u{0}\u{0}", "a b"),
        ("a\u{0}b\u{1b}\r\n c\u{7f}", "a b  c"),
        ("\"\\\u{1}\u{1}\"", "\"\\\u{1} \""),
    ] {
        let text = format!("SIP/2.0 200 OK\r\nX-Odd: {value}\r\nl: 0\u{0}\r\n\r\n");
        let message = parse_datagram_with(&FORGIVING, text.into()).unwrap();
        assert_eq!(message.headers().get("x-odd"), Some(read));
        assert_eq!(parse_datagram(message.to_bytes()), Ok(message));
    }
    // A line end is none of them.
    for bad in ["a\rb", "a\nb"] {
        let text = format!("SIP/2.0 200 OK\r\nX-Odd: {bad}\r\n\r\n");
        let error = parse_datagram_with(&FORGIVING, text.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LineEnd);
    }
}

// RFC 3261 §8.1.1.5; RFC 4475 §3.1.2.4 says 400
#[test]
fn a_cseq_is_less_than_two_to_the_31() {
    assert_eq!(broken("1 INVITE", "2147483647 INVITE"), Ok(()));
    for number in ["2147483648", "4294967295", "36893488147419103232"] {
        let error = broken("1 INVITE", &format!("{number} INVITE")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Number, "{number}");
        assert_eq!(error.status().get(), 400, "{number}");
    }
}

#[test]
fn the_headers_end_with_an_empty_line() {
    for text in [
        "",
        "\r\n",
        "\r\n\r\n",
        "INVITE",
        "INVITE sip:a@b SIP/2.0",
        "INVITE sip:a@b SIP/2.0\r\n",
        "INVITE sip:a@b SIP/2.0\r\nA: b\r\n",
    ] {
        let error = check(text).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::EndOfHeaders | ErrorKind::StartLine),
            "{text:?}"
        );
        assert!(error.offset() <= text.len());
    }
}

#[test]
fn what_must_be_there_must_be_there_once() {
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let error = broken(&format!("{name}: "), "X: ").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingHeader, "{name}");
        assert_eq!(error.header().map(|header| header.as_str()), Some(name));
    }
    for line in [
        "From: <sip:a@example.net>;tag=1",
        "To: <sip:b@example.net>",
        "Call-ID: c1",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        "Content-Type: text/plain",
        "Content-Length: 2",
    ] {
        let error = broken(line, &format!("{line}\r\n{line}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RepeatedHeader, "{line}");
    }
    // In RFC 2543 these were not needed (RFC 4475 §3.4.1).
    assert_eq!(broken("Max-Forwards: 70\r\n", ""), Ok(()));
    assert_eq!(broken("Contact: <sip:a@192.0.2.1>\r\n", ""), Ok(()));
    assert_eq!(broken("Content-Length: 2\r\n", ""), Ok(()));
}

#[test]
fn what_every_element_reads_must_be_readable() {
    for (from, to, header, kind) in [
        (
            "SIP/2.0/UDP 192.0.2.1",
            "SIP/2.0 192.0.2.1",
            "Via",
            ErrorKind::Separator,
        ),
        ("bK1", "bK1,", "Via", ErrorKind::Token),
        ("70", "-1", "Max-Forwards", ErrorKind::Number),
        ("70", "256", "Max-Forwards", ErrorKind::Number),
        (
            "<sip:a@example.net>",
            "sip:a@example.net>",
            "From",
            ErrorKind::Uri,
        ),
        (";tag=1", ";tag=", "From", ErrorKind::Parameter),
        ("To: <", "To: ,<", "To", ErrorKind::Scheme),
        ("c1", "c 1", "Call-ID", ErrorKind::Token),
        ("c1", "", "Call-ID", ErrorKind::Token),
        ("1 INVITE", "1", "CSeq", ErrorKind::Space),
        ("1 INVITE", "1 invite", "CSeq", ErrorKind::MethodMismatch),
        ("<sip:a@192.0.2.1>", "", "Contact", ErrorKind::Value),
        (
            "<sip:a@192.0.2.1>",
            "*, <sip:a@b>",
            "Contact",
            ErrorKind::RepeatedHeader,
        ),
        (
            "<sip:p@192.0.2.2;lr>",
            "<sip:p@192.0.2.2;lr>;",
            "Route",
            ErrorKind::Token,
        ),
        ("text/plain", "text", "Content-Type", ErrorKind::Separator),
    ] {
        let error = broken(from, to).unwrap_err();
        let place = error.header().map(|header| header.as_str());
        assert_eq!(
            (place, error.kind()),
            (Some(header), kind),
            "{from:?} {to:?}"
        );
    }
}

// checklist: R3261-09
#[test]
fn what_nobody_asks_for_may_be_broken() {
    for header in [
        "Date: yesterday",
        "Accept: a",
        "Expires: soon",
        "Authorization: ,",
        "Warning: 1",
    ] {
        let line = format!("{header}\r\nCall-ID: c1");
        assert_eq!(broken("Call-ID: c1", &line), Ok(()), "{header}");
    }
}

// checklist: R3261-10
#[test]
fn line_ends_before_the_start_line_are_passed_over() {
    assert_eq!(broken("INVITE sip", "\r\n\r\nINVITE sip"), Ok(()));
    let error = broken("INVITE sip:b@", "\r\n\r\nINVITE sip:@").unwrap_err();
    assert_eq!(
        error.offset(),
        15,
        "offsets count from the datagram's start"
    );
}

#[test]
fn limits_have_a_status_each() {
    let text = |uri: usize, headers: usize, line: usize, body: usize| {
        let uri = "u".repeat(uri);
        let lines = format!("X: {}\r\n", "y".repeat(line)).repeat(headers);
        let body = "z".repeat(body);
        Bytes::from(format!("OPTIONS sip:{uri} SIP/2.0\r\n{lines}\r\n{body}"))
    };
    let config = ParserConfig {
        limits: Limits {
            message: 1000,
            head: 500,
            uri: 100,
            headers: 10,
        },
        ..ParserConfig::STRICT
    };
    let status = |octets| {
        parse_datagram_with(&config, octets).map_or_else(|error| error.status().get(), |_| 0)
    };
    assert_eq!(status(text(96, 10, 20, 500)), 0);
    assert_eq!(status(text(97, 1, 20, 0)), 414);
    assert_eq!(status(text(10, 11, 20, 0)), 513);
    assert_eq!(status(text(10, 1, 500, 0)), 513);
    assert_eq!(status(text(10, 1, 10, 970)), 513);
}
