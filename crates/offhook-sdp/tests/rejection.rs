//! What is refused, where the fault is said to be, and with which status; and what is forgiven.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use offhook_sdp::{Limits, SdpErrorKind as Kind, SessionDescription};

const GOOD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                    m=audio 49170 RTP/AVP 0\r\na=ptime:20\r\n";

fn fault(text: &str) -> (Kind, usize, u16) {
    let error = SessionDescription::parse(text.as_bytes()).expect_err(text);
    (error.kind(), error.line(), error.status())
}

/// `GOOD` with one of its lines (from 1) replaced.
fn with(line: usize, replacement: &str) -> String {
    let lines: Vec<&str> = GOOD.split_terminator("\r\n").collect();
    let replaced = lines.iter().enumerate().map(
        |(index, old)| {
            if index + 1 == line { replacement } else { old }
        },
    );
    let kept: Vec<&str> = replaced.filter(|line| !line.is_empty()).collect();
    kept.join("\r\n") + "\r\n"
}

// checklist: R4566-01
#[test]
fn broken_lines_are_named_by_number() {
    for (line, bad, letter) in [
        (1, "v=x", 'v'),
        (1, "v=", 'v'),
        (2, "o=- 1 1 IN IP4", 'o'),
        (2, "o=a b 1 1 IN IP4 192.0.2.1", 'o'),
        (2, "o=- one 1 IN IP4 192.0.2.1", 'o'),
        (2, "o=- 18446744073709551616 1 IN IP4 192.0.2.1", 'o'),
        (2, "o=- 1 1 IN IP4 300.0.2.1", 'o'),
        (2, "o=- 1 1 IN IP6 192.0.2.1", 'o'),
        (3, "s=", 's'),
        (4, "c=IN IP4", 'c'),
        (4, "c=IN IP4 192.0.2.1/256", 'c'),
        (4, "c=IN IP4 192.0.2.1/1/0", 'c'),
        (4, "c=IN IP4 192.0.2", 'c'),
        (4, "c=IN IP4 2001:db8::1", 'c'),
        (4, "c=IN IP4 a b", 'c'),
        (5, "t=0", 't'),
        (5, "t=a b", 't'),
        (5, "t=0 0\r\nr=1", 'r'),
        (6, "m=audio 49170 RTP/AVP", 'm'),
        (6, "m=audio 65536 RTP/AVP 0", 'm'),
        (6, "m=audio -1 RTP/AVP 0", 'm'),
        (6, "m=audio 49170/0 RTP/AVP 0", 'm'),
        (6, "m=audio 49170 RTP//AVP 0", 'm'),
        (6, "m=au@dio 49170 RTP/AVP 0", 'm'),
        (6, "m=audio 49170 RTP/AVP 0 :", 'm'),
        (7, "a=", 'a'),
        (7, "a=:20", 'a'),
        (7, "a=p time:20", 'a'),
        (7, "b=AS:1\r\nb=AS", 'b'),
        (7, "b=AS:x", 'b'),
    ] {
        let (kind, at, status) = fault(&with(line, bad));
        assert_eq!((kind, status), (Kind::Malformed(letter), 400), "{bad}");
        assert_eq!(at, line + bad.matches('\n').count(), "{bad}");
    }
}

// checklist: R4566-01
#[test]
fn the_order_of_lines_is_kept() {
    for (text, kind, line) in [
        (with(1, ""), Kind::Missing('v'), 1),
        (with(2, ""), Kind::Missing('o'), 2),
        (with(3, ""), Kind::Missing('s'), 3),
        (with(5, ""), Kind::Missing('t'), 5),
        (with(4, ""), Kind::MissingConnection, 5),
        (with(3, "s=-\r\ns=-"), Kind::OutOfOrder, 4),
        (with(4, "b=AS:1\r\nc=IN IP4 192.0.2.1"), Kind::OutOfOrder, 5),
        (
            with(4, "c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1"),
            Kind::OutOfOrder,
            5,
        ),
        (with(5, "a=x\r\nt=0 0"), Kind::OutOfOrder, 6),
        (with(7, "a=x\r\nc=IN IP4 192.0.2.1"), Kind::OutOfOrder, 8),
        (with(7, "i=a\r\ni=b"), Kind::OutOfOrder, 8),
        (with(7, "t=0 0"), Kind::OutOfOrder, 7),
        (with(5, "r=7d 1h 0"), Kind::Malformed('r'), 5),
        (with(7, "y=1"), Kind::UnknownType, 7),
        (with(4, "y=1"), Kind::UnknownType, 4),
        (with(1, "y=1"), Kind::UnknownType, 1),
        (with(7, "A=1"), Kind::UnknownType, 7),
        (with(7, "garbage"), Kind::NotALine, 7),
        (with(7, " a=x"), Kind::NotALine, 7),
        (with(7, "\r\na=x"), Kind::NotALine, 7),
    ] {
        assert_eq!(fault(&text), (kind, line, 400), "{text}");
    }
}

#[test]
fn the_offset_points_at_the_line_or_the_octet() {
    let text = with(7, "a=pt\0ime");
    let error = SessionDescription::parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), Kind::ControlCharacter);
    assert_eq!(text.as_bytes()[error.offset()], 0);
    let text = with(6, "m=audio x RTP/AVP 0");
    let error = SessionDescription::parse(text.as_bytes()).unwrap_err();
    assert!(text[error.offset()..].starts_with("m=audio"));
    let text = with(7, "a=x\ra=y");
    assert_eq!(fault(&text).0, Kind::ControlCharacter);
}

#[test]
fn an_empty_body_is_no_description() {
    assert_eq!(fault(""), (Kind::Empty, 1, 400));
    assert_eq!(fault("\r\n"), (Kind::Missing('v'), 1, 400));
}

#[test]
fn what_is_well_formed_but_not_for_us_is_488() {
    assert_eq!(fault(&with(1, "v=1")), (Kind::Version, 1, 488));
    let many = with(6, &format!("m=audio 49170 RTP/AVP{}", " 0".repeat(257)));
    assert_eq!(fault(&many), (Kind::TooLarge, 6, 488));
    let many = GOOD.to_owned() + &"m=audio 0 RTP/AVP 0\r\n".repeat(64);
    assert_eq!(fault(&many).0, Kind::TooLarge);
    let many = GOOD.to_owned() + &"a=x\r\n".repeat(4090);
    assert_eq!(fault(&many), (Kind::TooLarge, 4097, 488));
    assert_eq!(
        fault(&(GOOD.to_owned() + &"a".repeat(65_536))).0,
        Kind::TooLarge
    );
    let small = Limits {
        octets: 10,
        ..Limits::default()
    };
    assert!(SessionDescription::parse_within(&small, GOOD.as_bytes()).is_err());
}

// checklist: R4566-02
#[test]
fn bare_line_feeds_are_taken_and_crlf_is_written() {
    let bare = GOOD.replace("\r\n", "\n");
    let session = SessionDescription::parse(bare.as_bytes()).unwrap();
    assert_eq!(session.to_string(), GOOD);
    let mixed = GOOD.replacen("\r\n", "\n", 5) + "a=x-one\na=x-two:2\r\na=x-three\n";
    let session = SessionDescription::parse(mixed.as_bytes()).unwrap();
    assert_eq!(
        session.to_string(),
        GOOD.to_owned() + "a=x-one\r\na=x-two:2\r\na=x-three\r\n"
    );
}

#[test]
fn the_end_may_lack_its_line_end_or_have_empty_lines_after_it() {
    for end in [
        "a=ptime:20",
        "a=ptime:20\n",
        "a=ptime:20\r\n\r\n",
        "a=ptime:20\r\n\r\n\r\n",
    ] {
        let text = GOOD.replace("a=ptime:20\r\n", end);
        assert_eq!(
            SessionDescription::parse(text.as_bytes())
                .unwrap()
                .to_string(),
            GOOD
        );
    }
}

// checklist: R4566-01
#[test]
fn unknown_attributes_and_foreign_text_stay_as_they_are() {
    let mut octets = GOOD.replace("s=-", "s=T\u{e9}l\u{e9}phone").into_bytes();
    octets.extend_from_slice(b"a=X-cisco.flag\r\na=x-free:caf\xe9  : = ; \r\na=x-empty:\r\n");
    let session = SessionDescription::parse(&octets).unwrap();
    assert_eq!(session.to_bytes(), octets);
    let free = session.media()[0].attributes().get("x-free").unwrap();
    assert_eq!(free.value(), None);
    assert_eq!(free.value_bytes(), Some(&b"caf\xe9  : = ; "[..]));
}

#[test]
fn other_networks_are_kept() {
    let text = with(4, "c=TN RFC2543 +1-201-406-4090");
    let session = SessionDescription::parse(text.as_bytes()).unwrap();
    assert_eq!(session.to_string(), text);
    assert!(session.connection().unwrap().address().ip().is_none());
}

// checklist: R4566-03
#[test]
fn an_address_at_either_level_or_none_where_the_stream_is_off() {
    let own = with(4, "") + "c=IN IP6 2001:db8::1\r\n";
    assert!(
        SessionDescription::parse(own.as_bytes()).is_err(),
        "c= stands before a="
    );
    let own = with(4, "").replace("a=ptime", "c=IN IP6 2001:db8::1\r\na=ptime");
    let session = SessionDescription::parse(own.as_bytes()).unwrap();
    let stream = &session.media()[0];
    assert!(
        session
            .connection_of(stream)
            .unwrap()
            .address()
            .ip()
            .unwrap()
            .is_ipv6()
    );
    let off = with(4, "").replace("49170", "0");
    assert!(SessionDescription::parse(off.as_bytes()).is_ok());
}
