//! The jitter buffer under any order of arrivals: never twice, never out of order, and nothing thrown away without
//! being counted.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation
)]

use std::time::{Duration, Instant};

use offhook_media::jitter_buffer::{Config, JitterBuffer, Pulled, Pushed, Waiting};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Header, RtpPacket};
use offhook_rtp::sequence::SequenceNumber;
use proptest::prelude::*;

const FRAME: Duration = Duration::from_millis(20);

fn datagram(number: u32, timestamp: u32) -> [u8; 16] {
    let header = Header {
        marker: false,
        payload_type: PayloadType::PCMU,
        sequence: SequenceNumber::new(number as u16),
        timestamp,
        ssrc: Ssrc::new(1),
    };
    let mut datagram = [0; 16];
    header.write(&number.to_be_bytes(), &mut datagram).unwrap();
    datagram
}

fn number_of(pulled: &Pulled) -> Option<u32> {
    match pulled {
        Pulled::Packet(packet) | Pulled::Hasten(packet) => {
            Some(u32::from_be_bytes(packet.payload[..].try_into().unwrap()))
        }
        _ => None,
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A packet so many places from the newest; time does not pass.
    Arrive(i32),
    /// So many milliseconds pass, and the player asks when its time has come.
    Pass(u64),
    PassOver,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Arrive(1)),
        3 => (-20i32..40).prop_map(Step::Arrive),
        6 => Just(Step::Pass(20)),
        2 => (0u64..600).prop_map(Step::Pass),
        1 => Just(Step::PassOver),
    ]
}

proptest! {
    #[test]
    fn never_twice_and_never_out_of_order(
        steps in prop::collection::vec(step(), 1..400), first in 100u32..200_000, offset: u32, fixed: bool,
    ) {
        let waiting = if fixed { Waiting::Fixed(Duration::from_millis(60)) } else { Waiting::default() };
        let mut buffer = JitterBuffer::new(Config { waiting, ..Config::default() });
        let start = Instant::now();
        let (mut now, mut asked) = (start, start);
        let (mut newest, mut last, mut queued, mut played) = (first, None, 0u64, 0u64);
        for step in steps {
            match step {
                Step::Arrive(places) => {
                    let number = newest.saturating_add_signed(places).max(first.saturating_sub(50));
                    let datagram = datagram(number, number.wrapping_mul(160).wrapping_add(offset));
                    let pushed = buffer.push(now, &RtpPacket::parse(&datagram).unwrap(), 160);
                    queued += u64::from(pushed == Pushed::Queued);
                    newest = newest.max(number);
                }
                Step::PassOver => {
                    newest += 1;
                    buffer.pass_over(SequenceNumber::new(newest as u16));
                }
                Step::Pass(millis) => {
                    now += Duration::from_millis(millis);
                    while asked <= now {
                        if let Some(number) = number_of(&buffer.pull(asked, 160, 0)) {
                            prop_assert!(last.is_none_or(|last| last < number), "{last:?} then {number}");
                            last = Some(number);
                            played += 1;
                        }
                        asked += FRAME;
                    }
                }
            }
            prop_assert!(buffer.len() <= 100);
        }
        // The rest comes out, too, or is counted.
        for _ in 0..2000 {
            asked += FRAME;
            if let Some(number) = number_of(&buffer.pull(asked, 160, 0)) {
                prop_assert!(last.is_none_or(|last| last < number));
                last = Some(number);
                played += 1;
            }
        }
        prop_assert!(buffer.is_empty(), "{} left", buffer.len());
        prop_assert_eq!(buffer.counts().played, played);
        prop_assert!(played <= queued);
    }
}

#[test]
fn a_steady_stream_is_played_whole() {
    for waiting in [
        Waiting::default(),
        Waiting::Fixed(Duration::from_millis(100)),
    ] {
        let mut buffer = JitterBuffer::new(Config {
            waiting,
            ..Config::default()
        });
        let mut now = Instant::now();
        let mut heard = Vec::new();
        for number in 0..500 {
            let datagram = datagram(number, number * 160);
            buffer.push(now, &RtpPacket::parse(&datagram).unwrap(), 160);
            heard.extend(number_of(&buffer.pull(now, 160, 0)));
            now += FRAME;
        }
        let expected: Vec<u32> = (0..heard.len() as u32).collect();
        assert_eq!(heard, expected);
        assert!(heard.len() > 490);
    }
}

#[test]
fn a_fixed_wait_never_inserts_or_shortens() {
    let waiting = Waiting::Fixed(Duration::from_millis(60));
    let mut buffer = JitterBuffer::new(Config {
        waiting,
        ..Config::default()
    });
    let start = Instant::now();
    let mut number = 0;
    for tick in 0..2000u32 {
        let now = start + FRAME * tick;
        // Bursts of four packets, up to 80 ms late.
        if tick % 4 == 3 {
            for _ in 0..4 {
                let datagram = datagram(number, number * 160);
                buffer.push(now, &RtpPacket::parse(&datagram).unwrap(), 160);
                number += 1;
            }
        }
        buffer.pull(now, 160, 0);
    }
    let counts = buffer.counts();
    assert_eq!((counts.waits, counts.hastens), (0, 0), "{counts:?}");
}
