//! What parsing and reading cost in heap allocations.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use allocation_counter::measure;
use bytes::Bytes;
use offhook_sip::header::{CSeq, CallId, Contact, From, MaxForwards, RecordRoute, To, Via};
use offhook_sip::{Message, ParserConfig, parse_datagram_with};

const FIXTURES: [&[u8]; 5] = [
    include_bytes!("fixtures/ok_invite.sip"),
    include_bytes!("fixtures/ok_white_space.sip"),
    include_bytes!("fixtures/ok_challenge.sip"),
    include_bytes!("fixtures/ok_register.sip"),
    include_bytes!("fixtures/ok_no_reason.sip"),
];

/// How many allocations it takes to parse a message.
fn parsing(config: &ParserConfig, octets: Vec<u8>) -> (u64, Message) {
    // The first share of a buffer costs one of its own, to count the shares; whoever cuts
    // datagrams from a buffer has paid it.
    let octets = Bytes::from(octets);
    drop(octets.clone());
    let mut message = None;
    let parsing = measure(|| message = parse_datagram_with(config, octets.clone()).ok());
    (parsing.count_total, message.unwrap())
}

#[test]
fn a_message_costs_one_allocation_and_reading_it_none() {
    for octets in FIXTURES {
        let (allocations, message) = parsing(&ParserConfig::STRICT, octets.to_vec());
        assert_eq!(allocations, 1);
        let headers = message.headers();
        let reading = measure(|| {
            assert!(headers.required::<Via>().unwrap().branch().is_some());
            assert!(headers.required::<From>().unwrap().tag().is_some());
            headers.required::<To>().unwrap();
            headers.required::<CallId>().unwrap();
            headers.required::<CSeq>().unwrap();
            headers.typed::<MaxForwards>().unwrap();
            assert!(
                headers
                    .typed_all::<Contact>()
                    .all(|contact| contact.is_ok())
            );
            assert!(headers.typed_all::<RecordRoute>().all(|hop| hop.is_ok()));
        });
        assert_eq!(reading.count_total, 0);
    }
}

#[test]
fn a_message_costs_one_allocation_however_its_lines_are_folded() {
    let mut start = String::from("OPTIONS sip:a@b SIP/2.0\r\n");
    let most = ParserConfig::STRICT.limits.headers;
    for (line, value, lines) in [
        ("s: a\r\n b\r\n", "a b", most),
        ("s:\r\n\ta\r\n \r\n  b\r\n", "a b", most),
        ("s:\r\n a\r\n", "a", most),
        ("s:a\r\n", "a", most),
        ("l:\r\n 0\r\n \r\n", "0", 1),
    ] {
        let text = format!("{start}{}\r\n", line.repeat(lines));
        for config in [ParserConfig::STRICT, ParserConfig::LENIENT] {
            let (allocations, message) = parsing(&config, text.clone().into_bytes());
            assert_eq!(allocations, 1, "{line:?}");
            let mut values = message.headers().iter().map(|(_, value)| value);
            assert_eq!(values.len(), lines);
            assert!(values.all(|found| found == value), "{line:?}");
        }
    }
    start.push_str("Subject: one line");
    for line in 0..1_000 {
        start.push_str("\r\n another of them, ");
        start.push_str(&line.to_string());
    }
    start.push_str("\r\n\r\n");
    let wanted = start.lines().skip(1).map(str::trim).collect::<Vec<_>>();
    let wanted = wanted.join(" ");
    let (allocations, message) = parsing(&ParserConfig::STRICT, start.into_bytes());
    assert_eq!(allocations, 1);
    let subject = message.headers().get("Subject").unwrap();
    assert_eq!(format!("Subject: {subject}"), wanted.trim_end());
}
