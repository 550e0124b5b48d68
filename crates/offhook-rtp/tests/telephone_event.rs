//! Telephone events: every digit once, whatever the network does to its packets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

mod common;

use offhook_rtp::packet::RtpPacket;
use offhook_rtp::redundancy::Redundant;
use offhook_rtp::telephone_event::{
    EventCode, EventPacket, EventPayload, EventReceiver, EventSender, Heard,
};
use proptest::prelude::*;

fn digits(text: &str, start: u32) -> Vec<EventPacket> {
    let mut timestamp = start;
    let mut packets = Vec::new();
    for digit in text.chars() {
        packets.extend(EventSender::new(
            EventCode::from_digit(digit).unwrap(),
            timestamp,
            160,
            800,
        ));
        timestamp = timestamp.wrapping_add(1600);
    }
    packets
}

fn heard(receiver: &mut EventReceiver, packets: &[EventPacket]) -> Vec<Heard> {
    let mut all: Vec<_> = packets
        .iter()
        .flat_map(|packet| receiver.receive(packet.timestamp, packet.payload))
        .collect();
    all.extend(receiver.give_up());
    all
}

fn begun(all: &[Heard]) -> String {
    all.iter()
        .filter_map(|heard| match heard {
            Heard::Began(event) => event.digit(),
            Heard::Ended { .. } => None,
        })
        .collect()
}

// checklist: R4733-01
#[test]
fn one_timestamp_growing_duration_three_ends() {
    let packets = digits("5", 0xffff_ff00);
    assert!(packets.iter().all(|packet| packet.timestamp == 0xffff_ff00));
    assert_eq!(
        packets
            .iter()
            .map(|packet| packet.marker)
            .position(|marker| marker),
        Some(0)
    );
    assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
    assert!(
        packets
            .windows(2)
            .all(|pair| pair[0].payload.duration <= pair[1].payload.duration)
    );
    let ends: Vec<_> = packets.iter().filter(|packet| packet.payload.end).collect();
    assert_eq!(ends.len(), 3);
    assert!(ends.iter().all(|packet| packet.payload.duration == 800));
}

#[test]
fn a_long_event_goes_on_in_segments() {
    let five = EventCode::from_digit('5').unwrap();
    let packets: Vec<_> = EventSender::new(five, 1000, 160, 200_000).collect();
    let mut starts: Vec<_> = packets.iter().map(|packet| packet.timestamp).collect();
    starts.dedup();
    assert_eq!(
        starts,
        [1000, 1000 + 65_535, 1000 + 2 * 65_535, 1000 + 3 * 65_535]
    );
    let all = heard(&mut EventReceiver::new(), &packets);
    assert_eq!(
        all,
        [
            Heard::Began(five),
            Heard::Ended {
                event: five,
                duration: 200_000
            }
        ]
    );
}

#[test]
fn an_event_can_be_stopped_early() {
    let mut sender = EventSender::new(EventCode::new(1), 0, 160, 80_000);
    sender.by_ref().take(4).for_each(drop);
    sender.stop();
    let rest: Vec<_> = sender
        .map(|packet| (packet.payload.duration, packet.payload.end))
        .collect();
    assert_eq!(rest, [(800, true); 3]);
}

#[test]
fn the_911_packet_of_the_rfc() {
    let Some(datagram) = common::conformance("rtp/rfc2833_3.8_911_redundant.bin") else {
        return;
    };
    let packet = RtpPacket::parse(&datagram).unwrap();
    let redundant = Redundant::parse(packet.payload()).unwrap();
    let mut receiver = EventReceiver::new();
    let mut all = Vec::new();
    let mut lengths = Vec::new();
    for block in redundant.blocks() {
        assert_eq!(block.payload_type.get(), 97);
        lengths.push(block.timestamp_offset);
        let payload = EventPayload::parse(block.payload).unwrap();
        assert_eq!(payload.to_bytes(), block.payload);
        let timestamp = packet.timestamp() - u32::from(block.timestamp_offset);
        all.extend(receiver.receive(timestamp, payload));
    }
    assert_eq!(lengths, [11_200, 4800, 0]);
    assert_eq!(begun(&all), "911");
    assert!(receiver.is_pending());
}

#[test]
fn all_keys_are_the_table_of_the_rfc() {
    let Some(index) = common::conformance("rtp/packets.json") else {
        return;
    };
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    for (number, name) in index["dtmf_events"].as_object().unwrap() {
        let code = EventCode::new(number.parse().unwrap());
        match name.as_str().unwrap() {
            "flash" => assert_eq!(code, EventCode::FLASH),
            key => assert_eq!(code.digit().map(String::from).as_deref(), Some(key)),
        }
        assert_eq!(
            code.digit()
                .and_then(EventCode::from_digit)
                .unwrap_or(EventCode::FLASH),
            code
        );
    }
}

proptest! {
    // checklist: R4733-02
    #[test]
    fn every_digit_is_heard_once(
        text in "[0-9*#A-D]{1,12}", start: u32, fates in prop::collection::vec(0u8..4, 84), swaps in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let packets = digits(&text, start);
        let mut arrived = Vec::new();
        for (packets, fates) in packets.chunks(7).zip(fates.chunks(7)) {
            let before = arrived.len();
            for (packet, fate) in packets.iter().zip(fates) {
                // 0 and 1: lost, 2: once, 3: twice.
                arrived.extend(std::iter::repeat_n(*packet, usize::from(fate.saturating_sub(1))));
            }
            if arrived.len() == before {
                arrived.push(packets[usize::from(fates[0]) % 7]);
            }
            // Order within a digit may change at will.
            let own = arrived.len() - before;
            for swap in &swaps {
                arrived.swap(before + swap.index(own), before);
            }
        }
        let all = heard(&mut EventReceiver::new(), &arrived);
        prop_assert_eq!(begun(&all), text.clone());
        let ends = all.iter().filter(|heard| matches!(heard, Heard::Ended { .. })).count();
        prop_assert_eq!(ends, text.len());
    }

    #[test]
    fn any_octets_are_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(event) = EventPayload::parse(&payload) {
            prop_assert_eq!(EventPayload::parse(&event.to_bytes()), Ok(event));
        }
        if let Ok(redundant) = Redundant::parse(&payload) {
            let octets: usize = redundant.blocks().map(|block| block.payload.len()).sum();
            prop_assert!(octets < payload.len());
        }
    }
}
