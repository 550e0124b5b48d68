//! RTP packets: vectors, hostile lengths, and writing what is read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod common;

use offhook_rtp::error::RtpErrorKind;
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Extension, Header, RtpBuilder, RtpPacket, RtpPacketMut};
use offhook_rtp::sequence::SequenceNumber;
use proptest::prelude::*;

fn header() -> Header {
    Header {
        marker: true,
        payload_type: PayloadType::PCMU,
        sequence: SequenceNumber::new(0xfffe),
        timestamp: 0xdead_beef,
        ssrc: Ssrc::new(0x0102_0304),
    }
}

#[test]
fn the_packets_of_the_rfcs_read_as_printed() {
    let Some(index) = common::conformance("rtp/packets.json") else {
        return;
    };
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    for entry in index["packets"].as_array().unwrap() {
        let datagram =
            common::conformance(&format!("rtp/{}", entry["file"].as_str().unwrap())).unwrap();
        let packet = RtpPacket::parse(&datagram).unwrap();
        let fields = &entry["fields"];
        let expect = |key: &str| fields[key].as_u64().unwrap();
        assert_eq!(u64::from(packet.marker()), expect("marker"));
        assert_eq!(u64::from(packet.payload_type().get()), expect("pt"));
        assert_eq!(u64::from(packet.sequence().get()), expect("seq"));
        assert_eq!(u64::from(packet.timestamp()), expect("timestamp"));
        assert_eq!(u64::from(packet.ssrc().get()), expect("ssrc"));
        assert_eq!(packet.csrcs().len() as u64, expect("cc"));
        if let Some(text) = fields["payload_ascii"].as_str() {
            assert_eq!(packet.payload(), text.as_bytes());
        }
        // Written again, it is the same octets.
        assert_eq!(
            RtpBuilder::new(packet.header())
                .payload(packet.payload())
                .build(),
            datagram
        );
    }
}

// checklist: R3550-01
#[test]
fn lengths_that_disagree_with_the_datagram_are_refused() {
    let kind = |datagram: &[u8]| {
        RtpPacket::parse(datagram)
            .map(|_| ())
            .map_err(|e| (e.offset(), e.kind()))
    };
    let whole = RtpBuilder::new(header()).payload(&[1; 8]).build();
    for length in 0..12 {
        assert_eq!(
            kind(&whole[..length]),
            Err((length, RtpErrorKind::TooShort))
        );
    }
    for version in [0x00, 0x40, 0xc0] {
        let mut wrong = whole.clone();
        wrong[0] = version;
        assert_eq!(kind(&wrong), Err((0, RtpErrorKind::Version)));
    }
    let mut csrcs = whole.clone();
    csrcs[0] |= 3;
    assert_eq!(kind(&csrcs), Err((12, RtpErrorKind::TooShort)));
    let mut extension = whole.clone();
    extension[0] |= 0x10;
    assert_eq!(kind(&extension), Err((14, RtpErrorKind::TooShort)));
    for (count, good) in [(0, false), (1, true), (8, true), (9, false), (255, false)] {
        let mut padded = whole.clone();
        padded[0] |= 0x20;
        *padded.last_mut().unwrap() = count;
        assert_eq!(kind(&padded).is_ok(), good, "{count}");
    }
    let mut only_padding = whole[..12].to_vec();
    only_padding[0] |= 0x20;
    assert_eq!(kind(&only_padding), Err((11, RtpErrorKind::Padding)));
}

#[test]
fn changing_the_header_in_place_leaves_the_rest() {
    let extension = Extension {
        profile: 0xbede,
        data: &[0x10, 1, 0, 0],
    };
    let builder = |header| {
        RtpBuilder::new(header)
            .csrc(Ssrc::new(9))
            .extension(extension)
            .padding_to(4)
            .payload(&[5; 7])
    };
    let mut datagram = builder(header()).build();
    let changed = Header {
        marker: false,
        payload_type: PayloadType::PCMA,
        sequence: SequenceNumber::new(3),
        timestamp: 4,
        ssrc: Ssrc::new(5),
    };
    let mut packet = RtpPacketMut::parse(&mut datagram).unwrap();
    assert_eq!(packet.payload_mut(), [5; 7]);
    packet.set_payload_type(changed.payload_type);
    packet.set_marker(changed.marker);
    packet.set_sequence(changed.sequence);
    packet.set_timestamp(changed.timestamp);
    packet.set_ssrc(changed.ssrc);
    assert_eq!(datagram, builder(changed).build());
}

proptest! {
    // checklist: R3550-01
    #[test]
    fn any_octets_are_read_or_refused(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(packet) = RtpPacket::parse(&datagram) {
            prop_assert!(packet.payload().len() + 12 + 4 * packet.csrcs().len() <= datagram.len());
        }
        let view = RtpPacket::parse(&datagram).map(|packet| packet.payload().to_vec());
        let mut copy = datagram.clone();
        let edit = RtpPacketMut::parse(&mut copy).map(|mut packet| packet.payload_mut().to_vec());
        prop_assert_eq!(view, edit);
    }

    #[test]
    fn what_is_written_is_read(
        marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
        csrcs in prop::collection::vec(any::<u32>(), 0..16),
        extension in prop::option::of((any::<u16>(), prop::collection::vec(any::<u8>(), 0..40))),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        pad_to in 0u8..40,
    ) {
        let header = Header {
            marker,
            payload_type: PayloadType::new(payload_type).unwrap(),
            sequence: SequenceNumber::new(sequence),
            timestamp,
            ssrc: Ssrc::new(ssrc),
        };
        let mut builder = RtpBuilder::new(header).payload(&payload).padding_to(pad_to);
        for csrc in &csrcs {
            builder = builder.csrc(Ssrc::new(*csrc));
        }
        if let Some((profile, data)) = &extension {
            builder = builder.extension(Extension { profile: *profile, data });
        }
        let datagram = builder.build();
        let packet = RtpPacket::parse(&datagram).unwrap();
        prop_assert_eq!(packet.header(), header);
        prop_assert_eq!(packet.payload(), &payload[..]);
        let read: Vec<u32> = packet.csrcs().map(Ssrc::get).collect();
        prop_assert_eq!(read, &csrcs[..csrcs.len().min(15)]);
        prop_assert_eq!(packet.extension().map(|e| e.profile), extension.as_ref().map(|e| e.0));
        if let (Some(read), Some((_, data))) = (packet.extension(), &extension) {
            prop_assert!(read.data.starts_with(data));
        }
    }
}
