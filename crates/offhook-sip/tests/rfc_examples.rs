//! The messages of RFC 3261 §24 and of RFC 3665: each is read, printed, and read again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use offhook_sip::header::{Authorization, ContentLength};
use offhook_sip::{ErrorKind, Message, ParserConfig, parse_datagram, parse_datagram_with};

mod support;
use support::vectors;

fn comes_back(name: &str, message: &Message) {
    message
        .validate()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let printed = message.to_bytes();
    assert_eq!(parse_datagram(printed).as_ref(), Ok(message), "{name}");
}

fn read(name: &str, config: &ParserConfig, octets: &Bytes) -> Message {
    parse_datagram_with(config, octets.clone()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_messages_of_rfc_3261_come_back() {
    let Some(vectors) = vectors("rfc3261_s24") else {
        return;
    };
    assert_eq!(vectors.len(), 16);
    for vector in vectors {
        let name = vector.text("file");
        if vector.entry["body_elided_in_rfc"] == true {
            // The RFC leaves the body out: strictly the message is cut off (RFC 3261 §18.3).
            let error = parse_datagram(vector.octets.clone()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyTooShort, "{name}");
            let config = ParserConfig {
                short_body: true,
                ..ParserConfig::STRICT
            };
            let message = read(name, &config, &vector.octets);
            let length: ContentLength = message.headers().required().unwrap();
            assert!(length.get() > 0 && message.body().is_empty());
            comes_back(name, &message);
        } else {
            comes_back(name, &read(name, &ParserConfig::STRICT, &vector.octets));
        }
    }
}

#[test]
fn the_messages_of_rfc_3665_come_back() {
    let Some(vectors) = vectors("rfc3665") else {
        return;
    };
    assert_eq!(vectors.len(), 181);
    for vector in vectors {
        let name = vector.text("file");
        match name {
            // two spaces after SIP/2.0
            "3.9_F6.sip" | "3.9_F8.sip" | "3.9_F10.sip" => {
                let error = parse_datagram(vector.octets.clone()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Status, "{name}");
                let config = ParserConfig {
                    start_line_spaces: true,
                    ..ParserConfig::STRICT
                };
                comes_back(name, &read(name, &config, &vector.octets));
            }
            // a continuation line that does not begin with white space
            "3.10_F4.sip" => {
                let error = parse_datagram(vector.octets.clone()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::HeaderName, "{name}");
                assert_eq!(
                    error.response().map(|answer| answer.status().get()),
                    Some(400)
                );
            }
            // a comma that is missing in credentials: no harm to an element that does not ask
            "2.1_F3.sip" => {
                let message = read(name, &ParserConfig::STRICT, &vector.octets);
                comes_back(name, &message);
                assert!(message.headers().typed::<Authorization>().is_err());
            }
            _ => comes_back(name, &read(name, &ParserConfig::STRICT, &vector.octets)),
        }
    }
}

/// The typed headers of all of them can be read, but for the one typo.
#[test]
fn the_headers_of_rfc_3665_can_all_be_read() {
    for vector in vectors("rfc3665").unwrap_or_default() {
        let name = vector.text("file");
        let Ok(message) = parse_datagram(vector.octets.clone()) else {
            continue;
        };
        for (header, value) in message.headers().iter() {
            let read = offhook_sip::header::check(header, value);
            assert!(
                read.is_ok() || name == "2.1_F3.sip",
                "{name}: {header}: {value}: {read:?}"
            );
        }
    }
}
