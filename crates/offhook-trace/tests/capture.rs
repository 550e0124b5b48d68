//! Captures: each format and link type draws the picture that the call itself draws.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails loudly"
)]

mod common;

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use common::{Sent, at, direct_call, ms, recorded};
use etherparse::PacketBuilder;
use offhook_trace::capture::{
    CaptureErrorKind, Frames, LinkType, Summary, WriteError, file_header, replay, write_packet,
};
use offhook_trace::ladder::{Ladder, Recorder};
use proptest::prelude::*;

fn drawn(file: &[u8]) -> (Option<Ladder>, Summary) {
    let mut recorder = Recorder::default();
    let summary = replay(file, &mut recorder).unwrap();
    (recorder.ladder(&["direct@x"], None), summary)
}

fn call() -> Vec<Sent> {
    direct_call(at("192.168.1.101:5060"), at("192.168.1.183:5060"))
}

fn call_v6() -> Vec<Sent> {
    direct_call(at("[2001:db8::101]:5060"), at("[2001:db8::183]:5060"))
}

fn expected(call: &[Sent]) -> Option<Ladder> {
    recorded(call).ladder(&["direct@x"], None)
}

fn ours(call: &[Sent]) -> Vec<u8> {
    let mut file = file_header().to_vec();
    for sent in call {
        write_packet(&mut file, sent.at, sent.from, sent.to, &sent.octets).unwrap();
    }
    file
}

/// The IP packet of something sent.
fn ip(sent: &Sent) -> Vec<u8> {
    let (mut packet, ports) = (Vec::new(), (sent.from.port(), sent.to.port()));
    let builder = match (sent.from.ip(), sent.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
        _ => unreachable!("one family"),
    };
    builder
        .udp(ports.0, ports.1)
        .write(&mut packet, &sent.octets)
        .unwrap();
    packet
}

fn ether_type(sent: &Sent) -> [u8; 2] {
    if sent.from.is_ipv4() {
        [0x08, 0x00]
    } else {
        [0x86, 0xdd]
    }
}

/// A little-endian pcap file with nanoseconds of frames of any kind.
fn pcap(link: u32, frames: impl IntoIterator<Item = (std::time::Duration, Vec<u8>)>) -> Vec<u8> {
    let mut file = vec![
        0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0,
    ];
    file.extend(link.to_le_bytes());
    for (time, octets) in frames {
        let length = u32::try_from(octets.len()).unwrap();
        let seconds = u32::try_from(time.as_secs()).unwrap();
        for word in [seconds, time.subsec_nanos(), length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(octets);
    }
    file
}

#[test]
fn what_we_write_we_read() {
    for call in [call(), call_v6()] {
        let (ladder, summary) = drawn(&ours(&call));
        assert_eq!(ladder, expected(&call));
        let frames = u64::try_from(call.len()).unwrap();
        assert_eq!(
            (summary.frames, summary.messages, summary.is_cut_off),
            (frames, 7, false)
        );
    }
}

#[test]
fn every_link_type_draws_the_same_picture() {
    type Wrap = fn(&Sent, Vec<u8>) -> Vec<u8>;
    let wraps: [(u32, Wrap); 9] = [
        (101, |_, ip| ip),
        (12, |_, ip| ip),
        (1, |sent, ip| {
            [&[0x02; 12][..], &ether_type(sent), &ip].concat()
        }),
        // One VLAN tag, two VLAN tags.
        (1, |sent, ip| {
            [&[0x02; 12][..], &[0x81, 0, 0, 5], &ether_type(sent), &ip].concat()
        }),
        (1, |sent, ip| {
            let tags = [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6];
            [&[0x02; 12][..], &tags, &ether_type(sent), &ip].concat()
        }),
        (113, |sent, ip| {
            let head = [0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0];
            [&head[..], &ether_type(sent), &ip].concat()
        }),
        (276, |sent, ip| {
            let rest = [0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0];
            [&ether_type(sent)[..], &rest, &ip].concat()
        }),
        (0, |sent, ip| {
            [
                &[if sent.from.is_ipv4() { 2 } else { 30 }, 0, 0, 0][..],
                &ip,
            ]
            .concat()
        }),
        (108, |sent, ip| {
            [
                &[0, 0, 0, if sent.from.is_ipv4() { 2 } else { 24 }][..],
                &ip,
            ]
            .concat()
        }),
    ];
    for call in [call(), call_v6()] {
        for (link, wrap) in wraps {
            let frames = call.iter().map(|sent| (sent.at, wrap(sent, ip(sent))));
            let (ladder, summary) = drawn(&pcap(link, frames));
            assert_eq!(ladder, expected(&call), "link type {link}");
            assert_eq!(summary.unknown_links, 0);
        }
    }
    let (ladder, summary) = drawn(&pcap(147, [(ms(0), vec![1, 2, 3])]));
    assert_eq!((ladder, summary.unknown_links), (None, 1));
    assert!(!LinkType(147).is_known());
}

#[test]
fn a_packet_that_the_device_any_shows_twice_is_no_resend() {
    let call = call();
    let cooked = |way: u8, ip: &[u8]| {
        [
            &[0, way, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00][..],
            ip,
        ]
        .concat()
    };
    let frames = call.iter().flat_map(|sent| {
        let ip = ip(sent);
        [(sent.at, cooked(4, &ip)), (sent.at, cooked(0, &ip))]
    });
    let (ladder, _) = drawn(&pcap(113, frames));
    assert_eq!(ladder, expected(&call));
}

/// A pcapng file: a section, an interface with microseconds, one block a frame.
fn pcapng(is_big: bool, call: &[Sent], resolution: Option<u8>) -> Vec<u8> {
    let word = |value: u32| {
        if is_big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let half = |value: u16| {
        if is_big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let block = |kind: u32, body: &[u8]| {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let length = word(u32::try_from(12 + body.len() + padding.len()).unwrap());
        [&word(kind)[..], &length, body, &padding, &length].concat()
    };
    let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    let mut interface = [&half(101)[..], &half(0), &word(0)].concat();
    // A comment of the interface, then the resolution of its times.
    interface.extend([&half(1)[..], &half(3), b"abc\0"].concat());
    if let Some(resolution) = resolution {
        interface.extend([&half(9)[..], &half(1), &[resolution, 0, 0, 0]].concat());
    }
    interface.extend([half(0), half(0)].concat());
    let mut file = [
        block(0x0a0d_0d0a, &section),
        block(1, &interface),
        block(5, &[0; 12]),
    ]
    .concat();
    for sent in call {
        let ticks = match resolution {
            None => sent.at.as_micros(),
            Some(9) => sent.at.as_nanos(),
            // Powers of two: 1/1024 s is near enough for a test that compares no times.
            _ => sent.at.as_millis() * 1024 / 1000,
        };
        let ticks = u64::try_from(ticks).unwrap();
        let ip = ip(sent);
        let length = word(u32::try_from(ip.len()).unwrap());
        let [high, low] =
            [ticks >> 32, ticks & 0xffff_ffff].map(|t| word(u32::try_from(t).unwrap()));
        file.extend(block(
            6,
            &[&word(0)[..], &high, &low, &length, &length, &ip].concat(),
        ));
    }
    file
}

#[test]
fn pcapng_of_either_byte_order_and_resolution() {
    let call = call();
    for is_big in [false, true] {
        for resolution in [None, Some(9)] {
            assert_eq!(drawn(&pcapng(is_big, &call, resolution)).0, expected(&call));
        }
        let (ladder, _) = drawn(&pcapng(is_big, &call, Some(0x8a)));
        assert_eq!(
            ladder.unwrap().rows.len(),
            expected(&call).unwrap().rows.len()
        );
    }
    // Two sections, of different byte orders, in one file.
    let (head, tail) = call.split_at(40);
    let file = [pcapng(true, head, None), pcapng(false, tail, None)].concat();
    assert_eq!(drawn(&file).0, expected(&call));
}

#[test]
fn files_that_wireshark_converts_draw_the_same_picture() {
    let available = Command::new("editcap")
        .arg("-h")
        .output()
        .is_ok_and(|out| out.status.success());
    if !available {
        assert!(
            std::env::var_os("OFFHOOK_NO_SKIP").is_none(),
            "editcap is not installed"
        );
        println!("skipped: editcap is not installed");
        return;
    }
    let folder = std::env::temp_dir().join(format!("offhook-trace-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let from = folder.join("call.pcap");
    std::fs::write(&from, ours(&call())).unwrap();
    for format in ["pcap", "nsecpcap", "pcapng"] {
        let to = folder.join(format);
        let status = Command::new("editcap")
            .arg("-F")
            .arg(format)
            .arg(&from)
            .arg(&to)
            .status();
        assert!(status.unwrap().success());
        let file = std::fs::read(&to).unwrap();
        assert_eq!(drawn(&file).0, expected(&call()), "{format}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let call = call();
    let mut frames = Vec::new();
    for (number, sent) in call.iter().enumerate() {
        let whole = ip(sent);
        let (head, payload) = whole.split_at(20);
        let pieces: Vec<&[u8]> = payload.chunks(64).collect();
        let mut cut: Vec<Vec<u8>> = pieces
            .iter()
            .enumerate()
            .map(|(index, piece)| {
                let more = if index + 1 < pieces.len() { 0x2000 } else { 0 };
                let place = u16::try_from(index * 8).unwrap() | more;
                let mut head = head.to_vec();
                let length = u16::try_from(20 + piece.len()).unwrap();
                head[2..4].copy_from_slice(&length.to_be_bytes());
                head[4..6].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
                head[6..8].copy_from_slice(&place.to_be_bytes());
                [head, piece.to_vec()].concat()
            })
            .collect();
        cut.reverse();
        frames.extend(cut.into_iter().map(|octets| (sent.at, octets)));
    }
    assert_eq!(drawn(&pcap(101, frames)).0, expected(&call));
}

/// A TCP segment.
fn segment(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    is_syn: bool,
    octets: &[u8],
) -> Vec<u8> {
    let (IpAddr::V4(a), IpAddr::V4(b)) = (from.ip(), to.ip()) else {
        unreachable!("IPv4")
    };
    let builder = PacketBuilder::ipv4(a.octets(), b.octets(), 64);
    let builder = builder.tcp(from.port(), to.port(), sequence, 1000);
    let mut packet = Vec::new();
    let builder = if is_syn { builder.syn() } else { builder };
    builder.write(&mut packet, octets).unwrap();
    packet
}

/// All messages of the call over TCP in segments of `size` octets, sequence numbers near their end.
fn over_tcp(call: &[Sent], size: usize, has_syn: bool) -> Vec<(std::time::Duration, Vec<u8>)> {
    let mut next = std::collections::HashMap::new();
    let mut frames = Vec::new();
    for sent in call {
        if sent.is_voice {
            frames.push((sent.at, ip(sent)));
            continue;
        }
        let way = (sent.from, sent.to);
        let sequence = next.entry(way).or_insert_with(|| {
            if has_syn {
                frames.push((sent.at, segment(way.0, way.1, 0xffff_ff00, true, b"")));
            }
            0xffff_ff01_u32
        });
        for piece in sent.octets.chunks(size) {
            frames.push((sent.at, segment(way.0, way.1, *sequence, false, piece)));
            *sequence = sequence.wrapping_add(u32::try_from(piece.len()).unwrap());
        }
    }
    frames
}

#[test]
fn messages_over_tcp() {
    let call = call();
    for (size, has_syn) in [
        (1400, true),
        (97, true),
        (1, true),
        (1400, false),
        (97, false),
    ] {
        let frames = over_tcp(&call, size, has_syn);
        assert_eq!(
            drawn(&pcap(101, frames)).0,
            expected(&call),
            "{size} {has_syn}"
        );
    }
}

#[test]
fn segments_out_of_order_twice_and_overlapping() {
    let call = call();
    let mut frames = over_tcp(&call, 60, true);
    // Each pair of segments of one moment swapped, then each one again.
    for pair in frames.chunks_mut(2) {
        if pair.len() == 2 && pair[0].0 == pair[1].0 && pair[0].1[9] == 6 && pair[0].1[33] != 2 {
            pair.swap(0, 1);
        }
    }
    let twice = frames
        .iter()
        .flat_map(|frame| [frame.clone(), frame.clone()]);
    let is_tcp = |frame: &(std::time::Duration, Vec<u8>)| frame.1[9] == 6;
    let mut seen = std::collections::HashSet::new();
    let twice: Vec<_> = twice
        .filter(|f| is_tcp(f) || seen.insert(f.1.clone()))
        .collect();
    assert_eq!(
        drawn(&pcap(101, twice)).0.unwrap().rows.len(),
        expected(&call).unwrap().rows.len()
    );
}

#[test]
fn a_capture_that_begins_in_the_middle_of_a_connection() {
    let call = call();
    let frames = over_tcp(&call, 97, true);
    // Without the first segment of the INVITE there is no INVITE, but all the rest.
    let frames = frames.into_iter().skip(2);
    let rows = drawn(&pcap(101, frames)).0.unwrap().rows.len();
    assert_eq!(rows, expected(&call).unwrap().rows.len() - 1);
}

#[test]
fn bad_files_are_refused_and_cut_files_read_as_far_as_they_go() {
    for bad in [&b""[..], b"abc", b"no capture at all", &[0; 100]] {
        let error = Frames::open(bad).unwrap_err();
        assert_eq!(
            (error.kind(), error.offset()),
            (CaptureErrorKind::NotACapture, 0)
        );
    }
    let whole = ours(&call());
    let (ladder, summary) = drawn(&whole[..whole.len() - 10]);
    assert!(summary.is_cut_off);
    assert_eq!(
        ladder.unwrap().rows.len(),
        expected(&call()).unwrap().rows.len() - 1
    );
    let mut broken = pcapng(false, &call(), None);
    let place = broken.len() - 40;
    broken.truncate(place);
    assert!(drawn(&broken).1.is_cut_off);
    broken[4..8].copy_from_slice(&7_u32.to_le_bytes());
    let error = replay(&broken, &mut Recorder::default()).unwrap_err();
    assert_eq!(error.kind(), CaptureErrorKind::BlockLength);
    let mut no_order = pcapng(false, &call(), None);
    no_order[8] = 0;
    let error = replay(&no_order, &mut Recorder::default()).unwrap_err();
    assert_eq!(error.to_string(), "byte 0: a section without a byte order");
}

#[test]
fn what_is_no_datagram_is_not_written() {
    let mut file = file_header().to_vec();
    let (v4, v6) = (at("192.0.2.1:1"), at("[2001:db8::1]:1"));
    assert_eq!(
        write_packet(&mut file, ms(0), v4, v6, b""),
        Err(WriteError::Family)
    );
    assert_eq!(
        write_packet(&mut file, ms(0), v4, v4, &vec![0; 65_508]),
        Err(WriteError::TooLong)
    );
    assert_eq!(
        write_packet(&mut file, ms(0), v6, v6, &vec![0; 65_508]),
        Err(WriteError::TooLong)
    );
    assert_eq!(file.len(), 24);
    assert_eq!(
        write_packet(&mut file, ms(0), v4, v4, &vec![0; 65_507]),
        Ok(())
    );
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(
        octets in prop::collection::vec(any::<u8>(), 0..400),
        magic in 0_usize..6,
        link in prop::sample::select(&[0_u8, 1, 101, 113, 20]),
    ) {
        let magics = [
            [0xa1, 0xb2, 0xc3, 0xd4], [0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d],
            [0x4d, 0x3c, 0xb2, 0xa1], [0x0a, 0x0d, 0x0d, 0x0a], [0, 0, 0, 0],
        ];
        let mut file = octets;
        if let Some(place) = file.first_chunk_mut::<4>() {
            *place = magics[magic];
        }
        if let Some(place) = file.get_mut(20) {
            *place = link;
        }
        let _ = replay(&file, &mut Recorder::default());
    }

    #[test]
    fn a_capture_with_octets_changed_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
        kind in 0_u8..3,
    ) {
        let call: Vec<Sent> = call().into_iter().take(12).collect();
        let mut file = match kind {
            0 => ours(&call),
            1 => pcapng(false, &call, None),
            _ => pcap(101, over_tcp(&call, 50, true)),
        };
        for (place, octet) in changes {
            let place = place.index(file.len());
            file[place] = octet;
        }
        let mut recorder = Recorder::default();
        let _ = replay(&file, &mut recorder);
        for call_id in recorder.call_ids().collect::<Vec<_>>() {
            let ladder = recorder.ladder(&[call_id], None).map(|l| (l.to_string(), l.to_svg()));
            prop_assert!(ladder.is_some());
        }
    }
}
