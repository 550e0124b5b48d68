//! Any octets: no panic. Any description: printed and read again it is the same.
#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use offhook_sdp::negotiation::{Capabilities, Local, answer, complete};
use offhook_sdp::{Anchor, Codec, SessionDescription};
use proptest::prelude::*;

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| format!("IN IP4 {}", std::net::Ipv4Addr::from(ip))),
        any::<[u8; 16]>().prop_map(|ip| format!("IN IP6 {}", std::net::Ipv6Addr::from(ip))),
        "IN IP[46] [a-z][a-z0-9-]{0,20}\\.example",
        "TN RFC2543 [0-9+-]{1,12}",
    ]
}

fn attribute() -> impl Strategy<Value = String> {
    prop_oneof![
        "a=[a-zA-Z0-9-]{1,12}",
        "a=[a-zA-Z0-9-]{1,12}:[^\r\n\0]{0,30}",
        "a=rtpmap:[0-9]{1,3} [a-zA-Z0-9-]{1,10}/[0-9]{1,6}(/[0-9])?",
        "a=rtpmap:(0|8|9[6-9]|101) (PCMU|PCMA|telephone-event|opus)/(8000|48000)",
        "a=fmtp:[0-9]{1,3} [a-z0-9=;-]{0,20}",
        "a=(sendrecv|sendonly|recvonly|inactive)",
        "a=(ptime|maxptime):[0-9.]{1,4}",
        "a=rtcp:[0-9]{1,5}( IN IP4 192\\.0\\.2\\.1)?",
    ]
}

fn stream() -> impl Strategy<Value = String> {
    let head = (
        "(audio|video|image|application|x-kind)",
        any::<u16>(),
        "(RTP/AVP|RTP/AVPF|RTP/SAVP|udptl|UDP/TLS/RTP/SAVPF)",
        prop::collection::vec("(0|8|18|96|97|101|[0-9]{1,3}|t38)", 1..6),
    );
    let body = (
        prop::option::of("i=[ -~]{1,20}"),
        prop::option::of(address()),
        prop::option::of("b=(AS|TIAS|X-y):[0-9]{1,6}"),
        prop::collection::vec(attribute(), 0..8),
    );
    (head, body).prop_map(
        |((kind, port, protocol, formats), (title, address, bandwidth, attributes))| {
            let mut lines = vec![format!("m={kind} {port} {protocol} {}", formats.join(" "))];
            lines.extend(title);
            lines.extend(address.map(|address| format!("c={address}")));
            lines.extend(bandwidth);
            lines.extend(attributes);
            lines.join("\r\n")
        },
    )
}

fn description() -> impl Strategy<Value = String> {
    let head = (
        "[a-zA-Z0-9._-]{1,30}",
        any::<u64>(),
        any::<u64>(),
        address(),
        "[^\r\n\0]{1,30}",
        address(),
    );
    let rest = (
        prop::collection::vec(attribute(), 0..4),
        prop::collection::vec(stream(), 0..5),
    );
    (head, rest).prop_map(
        |((user, id, version, origin, name, connection), (attributes, streams))| {
            let mut lines = vec![
                "v=0".to_owned(),
                format!("o={user} {id} {version} {origin}"),
                format!("s={name}"),
                format!("c={connection}"),
                "t=0 0".to_owned(),
            ];
            lines.extend(attributes);
            lines.extend(streams);
            lines.join("\r\n") + "\r\n"
        },
    )
}

fn voice() -> Capabilities {
    Capabilities::audio([Codec::pcmu(), Codec::pcma(), Codec::telephone_event(101)])
}

fn bob() -> Local {
    Local::new("192.0.2.2".parse().unwrap(), 30_000, 1)
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(session) = SessionDescription::parse(&octets) {
            let _ = answer(&session, &bob(), &voice());
        }
    }

    #[test]
    fn a_description_with_a_few_octets_changed_is_read_or_refused(
        text in description(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut octets = text.into_bytes();
        for (place, octet) in changes {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        match SessionDescription::parse(&octets) {
            Ok(session) => {
                let again = SessionDescription::parse(&session.to_bytes());
                prop_assert_eq!(again, Ok(session.clone()));
                let _ = session.to_string();
                let _ = Anchor::new("192.0.2.3".parse().unwrap(), [4000, 4002], 1, 1).apply(&session);
            }
            Err(error) => {
                prop_assert!(error.offset() <= octets.len());
                prop_assert!(error.status() == 400 || error.status() == 488);
            }
        }
    }

    // checklist: R8866-01
    #[test]
    fn printed_and_read_again_it_is_the_same(text in description()) {
        let session = SessionDescription::parse(text.as_bytes()).unwrap();
        let printed = session.to_bytes();
        prop_assert_eq!(&SessionDescription::parse(&printed).unwrap(), &session);
        prop_assert_eq!(printed, text.as_bytes());
    }

    // checklist: R3264-02
    #[test]
    fn an_answer_has_the_streams_of_its_offer(text in description()) {
        let offer = SessionDescription::parse(text.as_bytes()).unwrap();
        let Ok(agreement) = answer(&offer, &bob(), &voice()) else { return Ok(()) };
        let read = SessionDescription::parse(&agreement.answer.to_bytes()).unwrap();
        prop_assert_eq!(&read, &agreement.answer);
        prop_assert_eq!(read.media().len(), offer.media().len());
        prop_assert_eq!(agreement.streams.len(), offer.media().len());
        for (ours, theirs) in read.media().iter().zip(offer.media()) {
            prop_assert_eq!(ours.kind(), theirs.kind());
            prop_assert_eq!(ours.protocol(), theirs.protocol());
            // Payload types are numbers: 08 is answered by 8.
            let same = |one: &str, other: &str| match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one == other,
                _ => one == other,
            };
            prop_assert!(ours.formats().all(|ours| theirs.formats().any(|theirs| same(ours, theirs))));
            prop_assert!(!theirs.is_disabled() || ours.is_disabled());
        }
        // The offerer reads the same agreement out of it.
        let theirs = complete(&offer, &read).unwrap();
        for (ours, theirs) in agreement.streams.iter().zip(&theirs) {
            prop_assert_eq!(ours.is_some(), theirs.is_some());
            let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
            let numbers = |stream: &offhook_sdp::negotiation::Stream| -> Vec<u8> {
                stream.codecs.iter().map(|codec| codec.send_payload_type).collect()
            };
            prop_assert_eq!(numbers(ours), numbers(theirs));
        }
    }

    #[test]
    fn an_anchored_description_is_a_description(text in description()) {
        let session = SessionDescription::parse(text.as_bytes()).unwrap();
        let anchor = Anchor::new("192.0.2.3".parse().unwrap(), [4000, 0, 4004], 1, 1);
        let Ok(sent) = anchor.apply(&session) else { return Ok(()) };
        prop_assert_eq!(&SessionDescription::parse(&sent.to_bytes()).unwrap(), &sent);
        prop_assert_eq!(sent.media().len(), session.media().len());
    }
}
