//! Many calls, again and again: nothing is left of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use offhook_media::port_pool::PortPool;
use offhook_media::relay::{
    Command, Config, Event, LegPorts, Output, Relay, RelayId, Remote, Side,
};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::Header;
use offhook_rtp::sequence::SequenceNumber;

const CALLS: u64 = 1_000;

/// `OFFHOOK_CHURN=100` for a longer run.
fn rounds() -> u64 {
    let asked = std::env::var("OFFHOOK_CHURN").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(10)
}

fn voice(ssrc: u32) -> [u8; 172] {
    let header = Header {
        marker: false,
        payload_type: PayloadType::PCMU,
        sequence: SequenceNumber::new(1),
        timestamp: 160,
        ssrc: Ssrc::new(ssrc),
    };
    let mut out = [0; 172];
    header.write(&[0x55; 160], &mut out).unwrap();
    out
}

#[test]
fn a_thousand_calls_again_and_again_leave_nothing_behind() {
    let local = "192.0.2.50".parse().unwrap();
    let mut now = Instant::now();
    let config = Config::default();
    let linger = Duration::from_millis(250);
    let mut relay = Relay::new(config.clone(), [1; 32]);
    let mut pool = PortPool::new(16_384..=32_767, linger, 7);
    let mut next = 0;
    let mut highest = 0;
    for _ in 0..rounds() {
        let mut open = Vec::new();
        for _ in 0..CALLS {
            let id = RelayId::new(next);
            next += 1;
            let ports = [pool.take(now).unwrap(), pool.take(now).unwrap()];
            let [a, b] = ports.map(|port| LegPorts::pair(local, port));
            relay.handle_command(now, Command::Open { id, a, b });
            assert_eq!(
                relay.poll_output(),
                Some(Output::Event(Event::Opened { id }))
            );
            let keys = relay.port_keys(id).unwrap();
            highest = highest.max(keys.b_rtcp.index());
            for (side, port) in [(Side::A, a.rtp), (Side::B, b.rtp)] {
                let remote = Remote::new(([198, 51, 100, 1], port).into());
                relay.handle_command(now, Command::SetRemote { id, side, remote });
            }
            for (key, from) in [(keys.a_rtp, a.rtp), (keys.b_rtp, b.rtp)] {
                let from = ([198, 51, 100, 1], from).into();
                assert!(relay.handle_packet(now, key, from, &mut voice(7)).is_some());
            }
            while relay.poll_output().is_some() {}
            open.push(id);
        }
        assert_eq!(pool.in_use(), 2_000);
        now += Duration::from_secs(3);
        for id in open {
            relay.handle_command(now, Command::Close { id });
        }
        now += config.linger;
        relay.handle_timeout(now);
        while let Some(output) = relay.poll_output() {
            if let Output::Event(Event::Released { a, b, .. }) = output {
                pool.give_back(now, a.rtp);
                pool.give_back(now, b.rtp);
            }
        }
        assert_eq!((relay.calls(), pool.in_use()), (0, 0));
    }
    // No timer outlives its calls, and the sockets' numbers are used again.
    now += config.media_timeout + Duration::from_secs(1);
    relay.handle_timeout(now);
    assert_eq!((relay.poll_timeout(), relay.poll_output()), (None, None));
    assert!(highest < 4 * 1_000, "{highest}");
    now += linger;
    pool.take(now).unwrap();
    assert_eq!(pool.free(), 8_191);
}
