//! Whatever people do, and whatever the network does to it, each call ends once and nothing is
//! left over.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use offhook_phone::{CallId, Event, Phone};
use offhook_sip::{StatusCode, Transport};
use offhook_testkit::{Conditions, Network, NodeId, for_each_seed};
use offhook_transaction::Flow;
use proptest::prelude::*;
use rand::RngExt;
use support::{ALICE, BOB, CAROL, Handset, Manner, add, config, target};

const ACTS: usize = 40;

/// One person does one thing, sensible or not.
fn act(network: &mut Network, people: [NodeId<Handset>; 3]) {
    let who = people[network.rng().random_range(0..people.len())];
    let whom = ["192.0.2.1", "192.0.2.2", "sip:0@192.0.2.3;transport=tcp"];
    let whom = whom[network.rng().random_range(0..whom.len())];
    let what = network.rng().random_range(0..6);
    network.act(who, |phone, now| {
        // What cannot be done now is refused; that is the phone's business.
        let _ = match (what, phone.call) {
            (0..=2, _) => phone.phone.call(now, &target(whom), None).map(|call| {
                phone.call = Some(call);
                phone.dialled.push(call);
            }),
            (3, Some(call)) => phone.phone.answer(now, call),
            (4, Some(call)) => phone.phone.reject(now, call, StatusCode::DECLINE),
            (_, Some(call)) => phone.phone.hang_up(now, call),
            _ => Ok(()),
        };
    });
}

#[test]
fn people_at_random_on_a_bad_network() {
    for_each_seed(15, |seed| {
        let mut network = Network::new(seed, Conditions::hostile());
        let people = [ALICE, BOB, CAROL].map(|address| {
            let manner = match network.rng().random_range(0..3) {
                0 => Manner::Answers,
                1 => Manner::Rejects(StatusCode::BUSY_HERE),
                _ => Manner::LetsRing,
            };
            let mut config = config(address);
            config.max_calls = 2;
            config.ladder = true;
            add(&mut network, address, config, manner, 500.0)
        });
        for _ in 0..ACTS {
            act(&mut network, people);
            let pause = network.rng().random_range(0..1_500);
            network.run_for(Duration::from_millis(pause));
        }
        for who in people {
            network.act(who, |phone, now| {
                for call in phone.known_calls() {
                    // It may be over.
                    let _ = phone.phone.hang_up(now, call);
                }
            });
        }
        assert!(network.run_until_idle(Duration::from_secs(4_000)));
        for who in people {
            let phone = network.node(who);
            let mut ends: BTreeMap<CallId, [u32; 2]> = BTreeMap::new();
            for event in &phone.events {
                match event {
                    Event::Ended { call, .. } => ends.entry(*call).or_default()[0] += 1,
                    Event::Cleared { call, .. } => ends.entry(*call).or_default()[1] += 1,
                    _ => {}
                }
            }
            assert!(ends.values().all(|counts| *counts == [1, 1]), "{ends:?}");
            assert_eq!(
                ends.keys().copied().collect::<Vec<_>>(),
                phone.known_calls()
            );
            phone.assert_nothing_left();
        }
    });
}

fn fed(packets: &[Vec<u8>], voice: &[Vec<u8>]) -> Phone {
    let now = Network::new(1, Conditions::perfect()).now();
    let mut drawing = config(ALICE);
    drawing.ladder = true;
    let mut phone = Phone::new(now, drawing, [3; 32]);
    let call = phone.call(now, &target("192.0.2.2"), None).unwrap();
    let peer = "192.0.2.2:5060".parse().unwrap();
    let mut open = Vec::new();
    for packet in packets {
        for transport in [Transport::Udp, Transport::Tcp] {
            let flow = Flow {
                transport,
                ..Flow::udp("192.0.2.1:5060".parse().unwrap(), peer)
            };
            phone.handle_packet(now, flow, Bytes::from(packet.clone()));
        }
        while let Some(output) = phone.poll_output() {
            if let offhook_phone::Output::Media(offhook_phone::MediaCommand::Open { local }) =
                output
            {
                open.push(local.port());
                phone.handle_media_opened(now, local, true);
            }
        }
    }
    for packet in voice {
        for port in &open {
            phone.handle_rtp(now, *port, peer, packet);
        }
    }
    phone.handle_audio_frame(now, &offhook_phone::SILENCE);
    phone.handle_timeout(now + Duration::from_secs(3));
    let _ = phone.hang_up(now, call);
    phone
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_packet_breaks_a_phone(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
        voice in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
    ) {
        fed(&packets, &voice);
    }

    /// Well-formed around a description that may be anything.
    #[test]
    fn no_description_breaks_a_phone(
        lines in prop::collection::vec(
            prop_oneof![
                Just("v=0".to_owned()),
                Just("o=- 1 1 IN IP4 192.0.2.2".to_owned()),
                Just("s=-".to_owned()),
                Just("c=IN IP4 192.0.2.2".to_owned()),
                Just("c=IN IP4 0.0.0.0".to_owned()),
                Just("t=0 0".to_owned()),
                Just("m=audio 4000 RTP/AVP 0 8 101".to_owned()),
                Just("m=audio 65535 RTP/AVP 8".to_owned()),
                Just("m=audio 0 RTP/AVP 0".to_owned()),
                Just("a=rtpmap:8 PCMA/8000".to_owned()),
                Just("a=sendonly".to_owned()),
                "[a-z]=[ -~]{0,40}",
            ],
            0..12,
        ),
    ) {
        let body = lines.join("\r\n") + "\r\n";
        let invite = format!(
            "INVITE sip:0@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK7\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:0@192.0.2.1>\r\n\
             Call-ID: 7\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.2>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        let now = Network::new(1, Conditions::perfect()).now();
        let mut config = config(ALICE);
        config.auto_answer = Some(Duration::ZERO);
        let mut phone = Phone::new(now, config, [3; 32]);
        let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
        phone.handle_packet(now, flow, invite.into());
        phone.handle_timeout(now);
        let mut answered = 0;
        while let Some(output) = phone.poll_output() {
            match output {
                offhook_phone::Output::Media(offhook_phone::MediaCommand::Open { local }) => {
                    phone.handle_media_opened(now, local, true);
                }
                offhook_phone::Output::Transmit(packet) => {
                    let is_final = !packet.payload.starts_with(b"SIP/2.0 1");
                    answered += u32::from(is_final);
                }
                _ => {}
            }
        }
        prop_assert_eq!(answered, 1, "one final answer to\n{}", body);
        phone.handle_audio_frame(now, &offhook_phone::SILENCE);
    }
}
