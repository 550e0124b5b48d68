//! Two legs, one relay, virtual time: shared by the tests of the relay.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::relay::{
    Command, Config, Event, Forward, Latch, LegPorts, Output, PortKey, Relay, RelayId, Remote,
    Side, StreamReport,
};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::Header;
use offhook_rtp::rtcp::compound::CompoundBuilder;
use offhook_rtp::rtcp::ntp::NtpTime;
use offhook_rtp::rtcp::report::{ReportBlock, SenderInfo};
use offhook_rtp::sequence::SequenceNumber;

pub(crate) const ID: RelayId = RelayId::new(1);
pub(crate) const A: Side = Side::A;
pub(crate) const B: Side = Side::B;
pub(crate) const FRAME: Duration = Duration::from_millis(20);

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn ports(rtp: u16) -> LegPorts {
    LegPorts::pair("192.0.2.50".parse().unwrap(), rtp)
}

pub(crate) fn alice() -> SocketAddr {
    address("192.0.2.1:4000")
}

pub(crate) fn bob() -> SocketAddr {
    address("198.51.100.2:6000")
}

pub(crate) fn mallory() -> SocketAddr {
    address("203.0.113.9:9999")
}

pub(crate) fn voice(ssrc: u32, sequence: u16, payload_type: PayloadType, fill: u8) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type,
        sequence: SequenceNumber::new(sequence),
        timestamp: u32::from(sequence) * 160,
        ssrc: Ssrc::new(ssrc),
    };
    let mut out = vec![0; 172];
    header.write(&[fill; 160], &mut out).unwrap();
    out
}

pub(crate) struct Bench {
    pub(crate) relay: Relay,
    pub(crate) a: PortKey,
    pub(crate) b: PortKey,
    pub(crate) now: Instant,
}

impl Bench {
    pub(crate) fn new(a: Remote, b: Remote) -> Self {
        let now = Instant::now();
        let mut relay = Relay::new(Config::default(), [1; 32]);
        let open = Command::Open {
            id: ID,
            a: ports(20_000),
            b: ports(20_002),
        };
        relay.handle_command(now, open);
        relay.handle_command(
            now,
            Command::SetRemote {
                id: ID,
                side: Side::A,
                remote: a,
            },
        );
        relay.handle_command(
            now,
            Command::SetRemote {
                id: ID,
                side: Side::B,
                remote: b,
            },
        );
        let keys = relay.port_keys(ID).unwrap();
        let mut bench = Self {
            relay,
            a: keys.a_rtp,
            b: keys.b_rtp,
            now,
        };
        assert_eq!(bench.events(), [Event::Opened { id: ID }]);
        bench
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.relay.poll_output())
            .filter_map(|output| match output {
                Output::Event(event) => Some(event),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn packet(
        &mut self,
        side: Side,
        from: SocketAddr,
        payload: &mut [u8],
    ) -> Option<Forward> {
        let port = if side == A { self.a } else { self.b };
        self.relay.handle_packet(self.now, port, from, payload)
    }

    /// Sends `count` packets, 20 ms apart; how many were passed, and whereto the last.
    pub(crate) fn stream(
        &mut self,
        side: Side,
        from: SocketAddr,
        ssrc: u32,
        first: u16,
        count: u16,
    ) -> (u16, Option<SocketAddr>) {
        let (mut passed, mut to) = (0, None);
        for step in 0..count {
            let mut payload = voice(ssrc, first.wrapping_add(step), PayloadType::PCMU, 0x42);
            if let Some(forward) = self.packet(side, from, &mut payload) {
                passed += 1;
                to = Some(forward.to);
            }
            self.now += FRAME;
        }
        (passed, to)
    }
}

pub(crate) fn latched(remote: SocketAddr, latch: Latch) -> Remote {
    Remote {
        latch,
        ..Remote::new(remote)
    }
}

pub(crate) fn rtcp(ssrc: u32, about: Option<ReportBlock>, ntp: u64, timestamp: u32) -> Vec<u8> {
    let info = SenderInfo {
        ntp: NtpTime::new(ntp),
        rtp_timestamp: timestamp,
        packets: 1,
        octets: 160,
    };
    let blocks: Vec<_> = about.into_iter().collect();
    CompoundBuilder::sender(Ssrc::new(ssrc), &info, &blocks, "alice@192.0.2.1")
        .bye(None)
        .build()
}

pub(crate) fn about(ssrc: u32, extended_highest: u32, last_sr: u32, delay: u32) -> ReportBlock {
    ReportBlock {
        ssrc: Ssrc::new(ssrc),
        fraction_lost: 0,
        cumulative_lost: 0,
        extended_highest,
        jitter: 0,
        last_sr,
        delay_since_last_sr: delay,
    }
}

pub(crate) fn control(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() + 1)
}

impl Bench {
    /// Tells the relay of a leg's far end.
    pub(crate) fn set_remote(&mut self, side: Side, remote: Remote) {
        let command = Command::SetRemote {
            id: ID,
            side,
            remote,
        };
        self.relay.handle_command(self.now, command);
    }

    /// Whom each port is said to be settled on, in order.
    pub(crate) fn peers(&mut self) -> Vec<(PortKey, Option<SocketAddr>)> {
        std::iter::from_fn(|| self.relay.poll_output())
            .filter_map(|output| match output {
                Output::Peer { port, peer } => Some((port, peer)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn rtcp(
        &mut self,
        side: Side,
        from: SocketAddr,
        payload: &mut [u8],
    ) -> Option<Forward> {
        let keys = self.relay.port_keys(ID).unwrap();
        let port = if side == A { keys.a_rtcp } else { keys.b_rtcp };
        self.relay.handle_packet(self.now, port, from, payload)
    }

    pub(crate) fn report(&mut self) -> Vec<StreamReport> {
        self.relay
            .handle_command(self.now, Command::Report { id: ID });
        match self.events().pop() {
            Some(Event::Report { streams, .. }) => streams,
            other => panic!("{other:?}"),
        }
    }
}
