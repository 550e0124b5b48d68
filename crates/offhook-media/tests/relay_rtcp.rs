//! RTCP through the relay, and one stream for the listener when its source changes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::time::Duration;

use offhook_media::relay::{Command, Remote};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::RtpPacket;
use offhook_rtp::rtcp::compound::{Compound, Form, RtcpPacket};
use offhook_rtp::rtcp::ntp::NtpTime;
use support::*;

#[test]
fn the_name_in_rtcp_is_hidden_and_stays_the_same() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    let mut names = Vec::new();
    for _ in 0..2 {
        let mut payload = rtcp(5, None, 1, 2);
        let forward = bench.rtcp(A, control(alice()), &mut payload).unwrap();
        assert_eq!(forward.to, control(bob()));
        assert!(forward.from.is_rtcp());
        let compound = Compound::parse(&payload, Form::Compound).unwrap();
        names.push(compound.cname(Ssrc::new(5)).unwrap().to_vec());
    }
    assert_eq!(names[0], names[1]);
    assert_eq!(names[0].len(), "alice@192.0.2.1".len());
    assert!(names[0].iter().all(u8::is_ascii_alphanumeric));
    let mut stranger = rtcp(5, None, 1, 2);
    assert_eq!(bench.rtcp(A, control(mallory()), &mut stranger), None);
    assert_eq!(
        bench.rtcp(A, control(alice()), &mut [0x81, 200, 0, 9]),
        None
    );
}

#[test]
fn the_round_trip_of_a_leg_is_read_from_its_reports() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    bench.stream(B, bob(), 7, 1, 3);
    let ntp = 0x0001_0002_0003_0004;
    assert!(
        bench
            .rtcp(A, control(alice()), &mut rtcp(5, None, ntp, 2))
            .is_some()
    );
    bench.now += Duration::from_millis(580);
    // Bob's report was made half a second after the sender report had come.
    let block = about(5, 1, NtpTime::new(ntp).middle(), 0x8000);
    assert!(
        bench
            .rtcp(B, control(bob()), &mut rtcp(7, Some(block), ntp, 2))
            .is_some()
    );
    let streams = bench.report();
    assert_eq!(streams[0].round_trip, Some(Duration::from_millis(80)));
    assert!(streams[0].mos > 4.0, "{streams:?}");
}

// checklist: R3550-11
#[test]
fn after_a_transfer_the_listener_hears_one_stream() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    bench.stream(A, alice(), 5, 65_533, 3);
    let carol = address("192.0.2.77:7000");
    bench.relay.handle_command(
        bench.now,
        Command::SetRemote {
            id: ID,
            side: A,
            remote: Remote::new(carol),
        },
    );
    bench.now += Duration::from_millis(980);

    let mut heard = Vec::new();
    for sequence in [500, 501, 503, 502] {
        let mut payload = voice(9, sequence, PayloadType::PCMU, 1);
        assert!(bench.packet(A, carol, &mut payload).is_some());
        let packet = RtpPacket::parse(&payload).unwrap();
        heard.push((
            packet.ssrc().get(),
            packet.sequence().get(),
            packet.timestamp(),
            packet.marker(),
        ));
        bench.now += FRAME;
    }
    // One second after the last packet of the old source.
    let start = 65_535 * 160 + 8000;
    let expected = [
        (5, 0, start, true),
        (5, 1, start + 160, false),
        (5, 3, start + 480, false),
        (5, 2, start + 320, false),
    ];
    assert_eq!(heard, expected);

    // RTCP speaks of the same numbers: outwards ...
    let mut payload = rtcp(9, None, 1, 500 * 160);
    assert!(bench.rtcp(A, control(carol), &mut payload).is_some());
    let compound = Compound::parse(&payload, Form::Compound).unwrap();
    let Some(RtcpPacket::Report(report)) = compound.packets().next() else {
        panic!()
    };
    assert_eq!(
        (report.ssrc().get(), report.sender().unwrap().rtp_timestamp),
        (5, start)
    );
    // ... and inwards.
    let mut payload = rtcp(7, Some(about(5, 0x0001_0003, 0, 0)), 1, 1);
    assert!(bench.rtcp(B, control(bob()), &mut payload).is_some());
    let compound = Compound::parse(&payload, Form::Compound).unwrap();
    let Some(RtcpPacket::Report(report)) = compound.packets().next() else {
        panic!()
    };
    let block = report.blocks().next().unwrap();
    assert_eq!(
        (block.ssrc.get(), block.extended_highest & 0xffff),
        (9, 503)
    );
}
