//! RTCP compounds: what is written is read, what is wrong is refused, what is changed keeps its shape.
#![allow(
    clippy::unchecked_time_subtraction,
    clippy::items_after_statements,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

mod common;

use core::time::Duration;

use offhook_rtp::error::RtpErrorKind;
use offhook_rtp::id::Ssrc;
use offhook_rtp::rtcp::compound::{Compound, CompoundBuilder, Form, RtcpPacket};
use offhook_rtp::rtcp::ntp::{NtpTime, round_trip};
use offhook_rtp::rtcp::report::{ReportBlock, SenderInfo};
use offhook_rtp::rtcp::rewrite::{Rewrite, rewrite};
use offhook_rtp::rtcp::sdes::SdesKind;
use offhook_rtp::rtcp::timing::{Due, Membership, Schedule};
use proptest::prelude::*;

const OURS: Ssrc = Ssrc::new(0x1111_1111);
const THEIRS: Ssrc = Ssrc::new(0x2222_2222);

fn block(ssrc: Ssrc) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 12,
        cumulative_lost: -5,
        extended_highest: 0x0001_0007,
        jitter: 33,
        last_sr: 0xb705_2000,
        delay_since_last_sr: 0x0005_4000,
    }
}

fn info() -> SenderInfo {
    SenderInfo {
        ntp: NtpTime::new(0x1234_5678_9abc_def0),
        rtp_timestamp: 160_000,
        packets: 1000,
        octets: 160_000,
    }
}

// checklist: R3550-07
#[test]
fn a_compound_begins_with_a_report_and_carries_the_cname() {
    let blocks: Vec<_> = (0..40).map(|n| block(Ssrc::new(n))).collect();
    for datagram in [
        CompoundBuilder::sender(OURS, &info(), &blocks, "x@y").build(),
        CompoundBuilder::receiver(OURS, &blocks, "x@y")
            .bye(Some("done"))
            .build(),
    ] {
        assert_eq!(datagram.len() % 4, 0);
        let compound = Compound::parse(&datagram, Form::Compound).unwrap();
        let Some(RtcpPacket::Report(first)) = compound.packets().next() else {
            panic!()
        };
        assert_eq!((first.ssrc(), first.blocks().len()), (OURS, 31));
        let read: Vec<_> = compound
            .packets()
            .filter_map(|packet| match packet {
                RtcpPacket::Report(report) => Some(report.blocks().collect::<Vec<_>>()),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(read, blocks);
        assert_eq!(compound.cname(OURS), Some(&b"x@y"[..]));
    }
}

// checklist: R3550-08
#[test]
fn compounds_that_break_the_rules_of_appendix_a2_are_refused() {
    let kind = |datagram: &[u8], form| {
        Compound::parse(datagram, form)
            .map(|_| ())
            .map_err(|e| e.kind())
    };
    let good = CompoundBuilder::sender(OURS, &info(), &[block(THEIRS)], "c")
        .bye(None)
        .build();
    assert_eq!(kind(&good, Form::Compound), Ok(()));
    assert_eq!(kind(&[], Form::Compound), Err(RtpErrorKind::TooShort));
    for end in 1..good.len() {
        // Cut between two packets it is shorter, but whole.
        let whole = [52, 64].contains(&end);
        assert_eq!(kind(&good[..end], Form::Compound).is_ok(), whole, "{end}");
    }
    let mut version = good.clone();
    version[0] = 0x41;
    assert_eq!(kind(&version, Form::Compound), Err(RtpErrorKind::Version));
    let mut padding = good.clone();
    padding[0] |= 0x20;
    assert_eq!(kind(&padding, Form::Compound), Err(RtpErrorKind::Padding));
    let mut count = good.clone();
    count[0] |= 0x1f;
    assert_eq!(kind(&count, Form::Compound), Err(RtpErrorKind::Length));

    let description = &good[52..64];
    assert_eq!(
        kind(description, Form::Compound),
        Err(RtpErrorKind::PacketType)
    );
    assert_eq!(kind(description, Form::ReducedSize), Ok(()));

    // Padding belongs into the last packet only.
    let mut padded = CompoundBuilder::receiver(OURS, &[], "c").build();
    let last = padded.len();
    padded.extend([0xa0, 203, 0, 1, 0, 0, 0, 4]);
    assert_eq!(kind(&padded, Form::Compound), Ok(()));
    padded[last + 7] = 8;
    assert_eq!(kind(&padded, Form::Compound), Err(RtpErrorKind::Padding));
    padded[last + 7] = 4;
    padded.extend([0x80, 203, 0, 0]);
    assert_eq!(kind(&padded, Form::Compound), Err(RtpErrorKind::Padding));
}

// checklist: R3550-06
#[test]
fn the_round_trip_is_that_of_figure_2() {
    let Some(index) = common::conformance("rtp/packets.json") else {
        return;
    };
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let example = &index["rtt_example"];
    let number = |key: &str| u32::try_from(example[key].as_u64().unwrap()).unwrap();
    let sent = NtpTime::new(u64::from(number("ntp_sec")) << 32 | u64::from(number("ntp_frac")));
    assert_eq!(sent.middle(), number("lsr"));
    let trip = round_trip(number("arrival"), number("lsr"), number("dlsr")).unwrap();
    assert!((trip.as_secs_f64() - example["rtt_seconds"].as_f64().unwrap()).abs() < 1e-6);
    // A clock that was set back.
    assert_eq!(round_trip(number("lsr"), number("arrival"), 0), None);
}

struct Relay;

impl Rewrite for Relay {
    fn source(&mut self, ssrc: Ssrc) -> Ssrc {
        if ssrc == OURS { Ssrc::new(7) } else { ssrc }
    }

    fn reported_source(&mut self, ssrc: Ssrc) -> Ssrc {
        if ssrc == THEIRS { Ssrc::new(8) } else { ssrc }
    }

    fn timestamp(&mut self, ssrc: Ssrc, ntp: NtpTime, timestamp: u32) -> u32 {
        assert_eq!(ntp, info().ntp);
        assert_eq!(ssrc, OURS);
        timestamp + 1
    }

    fn description(&mut self, kind: SdesKind, text: &mut [u8]) {
        assert_eq!(kind, SdesKind::CNAME);
        text.fill(b'z');
    }
}

#[test]
fn a_compound_changed_in_place_is_the_compound_written_so() {
    let mut datagram =
        CompoundBuilder::sender(OURS, &info(), &[block(THEIRS), block(OURS)], "alice@pc")
            .bye(Some("x"))
            .build();
    rewrite(&mut datagram, Form::Compound, &mut Relay).unwrap();
    let info = SenderInfo {
        rtp_timestamp: info().rtp_timestamp + 1,
        ..info()
    };
    let blocks = [block(Ssrc::new(8)), block(OURS)];
    let wanted = CompoundBuilder::sender(Ssrc::new(7), &info, &blocks, "zzzzzzzz")
        .bye(Some("x"))
        .build();
    assert_eq!(datagram, wanted);
}

#[test]
fn the_first_report_comes_early_and_the_next_within_the_bounds() {
    let start = Duration::from_secs(100);
    let mut schedule = Schedule::new(start, 400.0, 100, 0.5);
    let first = schedule.poll_timeout() - start;
    assert!((1.02..=3.08).contains(&first.as_secs_f64()), "{first:?}");
    assert_eq!(
        schedule.handle_timeout(start, Membership::CALL, [0.0; 2]),
        Due::Wait
    );
    let at = schedule.poll_timeout();
    assert_eq!(
        schedule.handle_timeout(at, Membership::CALL, [0.0, 1.0]),
        Due::Send
    );
    let gap = schedule.poll_timeout() - at;
    assert!((6.15..=6.16).contains(&gap.as_secs_f64()), "{gap:?}");
}

#[test]
fn a_session_that_grew_makes_the_timer_wait_and_one_that_shrank_hurries_it() {
    let mut schedule = Schedule::new(Duration::ZERO, 400.0, 100, 0.5);
    let crowd = Membership {
        members: 1000,
        senders: 1,
        we_sent: false,
    };
    let at = schedule.poll_timeout();
    assert_eq!(schedule.handle_timeout(at, crowd, [0.5; 2]), Due::Wait);
    let far = schedule.poll_timeout();
    assert!(far > at + Duration::from_secs(60));
    schedule.handle_leave(at, 10);
    assert!(schedule.poll_timeout() - at < (far - at).mul_f64(0.011));
}

// checklist: R3550-09
#[test]
fn intervals_in_a_long_call_are_random_and_five_seconds_on_average() {
    let mut schedule = Schedule::new(Duration::ZERO, 400.0, 100, 0.3);
    let (mut random, mut sent, mut last, mut gaps) = (0.123_f64, 0u32, None, Vec::new());
    let mut next = || {
        random = (random * 997.0 + 0.377).fract();
        random
    };
    while sent < 2000 {
        let at = schedule.poll_timeout();
        if schedule.handle_timeout(at, Membership::CALL, [next(), next()]) == Due::Send {
            sent += 1;
            gaps.extend(last.map(|last| (at - last).as_secs_f64()));
            last = Some(at);
            schedule.handle_report(120);
        }
    }
    let mean = gaps.iter().sum::<f64>() / f64::from(sent - 1);
    assert!(gaps.iter().all(|gap| (2.05..6.16).contains(gap)));
    assert!((4.2..5.8).contains(&mean), "{mean}");
}

proptest! {
    // checklist: R3550-08
    #[test]
    fn any_octets_are_read_or_refused(
        mut datagram in prop::collection::vec(any::<u8>(), 0..200), plausible: bool, reduced: bool,
    ) {
        if plausible && datagram.len() >= 4 {
            let words = u16::try_from(datagram.len() / 4 - 1).unwrap();
            datagram[0] = 0x80 | (datagram[0] & 0x3f);
            datagram[1] = 200 + datagram[1] % 8;
            datagram[2..4].copy_from_slice(&words.to_be_bytes());
            datagram.truncate(4 * (usize::from(words) + 1));
        }
        let form = if reduced { Form::ReducedSize } else { Form::Compound };
        let mut read = 0;
        if let Ok(compound) = Compound::parse(&datagram, form) {
            for packet in compound.packets() {
                read += 1;
                match packet {
                    RtcpPacket::Report(report) => read += report.blocks().count(),
                    RtcpPacket::SourceDescription(description) => {
                        read += description.chunks().map(|chunk| chunk.items().count()).sum::<usize>();
                    }
                    RtcpPacket::Bye(bye) => read += bye.sources().count(),
                    _ => {}
                }
            }
            prop_assert!(read > 0 && read <= datagram.len());
        }
        let before = datagram.clone();
        struct Nothing;
        impl Rewrite for Nothing {}
        let _ = rewrite(&mut datagram, form, &mut Nothing);
        prop_assert_eq!(datagram, before);
    }

    #[test]
    fn report_blocks_survive(ssrc: u32, fraction_lost: u8, lost in -0x80_0000i32..0x80_0000, words: [u32; 4]) {
        let block = ReportBlock {
            ssrc: Ssrc::new(ssrc),
            fraction_lost,
            cumulative_lost: lost,
            extended_highest: words[0],
            jitter: words[1],
            last_sr: words[2],
            delay_since_last_sr: words[3],
        };
        prop_assert_eq!(ReportBlock::from_bytes(&block.to_bytes()), block);
    }
}

/// Found by the fuzzer: the padding of a packet of an unknown kind was taken for its source.
#[test]
fn padding_is_not_rewritten() {
    struct Inverted;
    impl Rewrite for Inverted {
        fn source(&mut self, ssrc: Ssrc) -> Ssrc {
            Ssrc::new(!ssrc.get())
        }
    }
    let mut datagram = [0xa0, 0xc0, 0, 1, 0, 0, 0, 4];
    rewrite(&mut datagram, Form::ReducedSize, &mut Inverted).unwrap();
    assert_eq!(datagram, [0xa0, 0xc0, 0, 1, 0, 0, 0, 4]);
}
