//! Two legs, one relay, virtual time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::relay::{
    Command, Config, Encoding, Event, Format, Forward, Latch, LegPorts, Output, PortKey, Relay,
    RelayId, Remote, Side, StreamReport,
};
use offhook_rtp::g711::{alaw, ulaw};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Header, RtpPacket};
use offhook_rtp::rtcp::compound::{Compound, CompoundBuilder, Form, RtcpPacket};
use offhook_rtp::rtcp::ntp::NtpTime;
use offhook_rtp::rtcp::report::{ReportBlock, SenderInfo};
use offhook_rtp::sequence::SequenceNumber;

const ID: RelayId = RelayId::new(1);
const A: Side = Side::A;
const B: Side = Side::B;
const FRAME: Duration = Duration::from_millis(20);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ports(rtp: u16) -> LegPorts {
    LegPorts::pair("192.0.2.50".parse().unwrap(), rtp)
}

fn alice() -> SocketAddr {
    address("192.0.2.1:4000")
}

fn bob() -> SocketAddr {
    address("198.51.100.2:6000")
}

fn mallory() -> SocketAddr {
    address("203.0.113.9:9999")
}

fn voice(ssrc: u32, sequence: u16, payload_type: PayloadType, fill: u8) -> Vec<u8> {
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

struct Bench {
    relay: Relay,
    a: PortKey,
    b: PortKey,
    now: Instant,
}

impl Bench {
    fn new(a: Remote, b: Remote) -> Self {
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

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.relay.poll_output())
            .filter_map(|output| match output {
                Output::Event(event) => Some(event),
                _ => None,
            })
            .collect()
    }

    fn packet(&mut self, side: Side, from: SocketAddr, payload: &mut [u8]) -> Option<Forward> {
        let port = if side == A { self.a } else { self.b };
        self.relay.handle_packet(self.now, port, from, payload)
    }

    /// Sends `count` packets, 20 ms apart; how many were passed, and whereto the last.
    fn stream(
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

fn latched(remote: SocketAddr, latch: Latch) -> Remote {
    Remote {
        latch,
        ..Remote::new(remote)
    }
}

// checklist: R3550-11
#[test]
fn passes_both_ways_with_nothing_changed() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    for (side, from, out, to) in [(A, alice(), B, bob()), (B, bob(), A, alice())] {
        let sent = voice(7, 100, PayloadType::PCMU, 0x31);
        let mut payload = sent.clone();
        let forward = bench.packet(side, from, &mut payload);
        let out = if out == A { bench.a } else { bench.b };
        assert_eq!(forward, Some(Forward { from: out, to }));
        assert_eq!(payload, sent);
    }
    assert_eq!(
        bench.events(),
        [
            Event::FirstPacket {
                id: ID,
                side: Side::A,
                from: alice(),
                ssrc: Ssrc::new(7),
                payload_type: PayloadType::PCMU,
            },
            Event::FirstPacket {
                id: ID,
                side: Side::B,
                from: bob(),
                ssrc: Ssrc::new(7),
                payload_type: PayloadType::PCMU,
            },
        ]
    );
}

#[test]
fn strangers_are_neither_heard_nor_answered() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    assert_eq!(bench.stream(A, mallory(), 66, 1, 50), (0, None));
    assert_eq!(bench.stream(B, bob(), 7, 1, 5), (5, Some(alice())));
    assert_eq!(bench.stream(A, mallory(), 66, 51, 50), (0, None));
}

#[test]
fn a_talking_phone_cannot_be_robbed() {
    for latch in [Latch::Never, Latch::From(mallory().ip()), Latch::Anyone] {
        let mut bench = Bench::new(latched(alice(), latch), Remote::new(bob()));
        assert_eq!(bench.stream(A, alice(), 5, 1, 10), (10, Some(bob())));
        for round in 0..100 {
            assert_eq!(bench.stream(A, mallory(), 5, 11 + round, 1).0, 0);
            assert_eq!(bench.stream(A, alice(), 5, 11 + round, 1).0, 1);
        }
        assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(alice())));
    }
}

#[test]
fn the_phone_behind_a_nat_is_learned_once_and_then_kept() {
    let public = address("203.0.113.50:31000");
    let latch = Latch::From(public.ip());
    let mut bench = Bench::new(latched(address("10.0.0.5:4000"), latch), Remote::new(bob()));
    assert_eq!(bench.stream(A, public, 5, 1, 3), (2, Some(bob())));
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(public)));
    // Another port of the same NAT, another source: refused, also after the phone fell silent.
    let neighbour = address("203.0.113.50:31999");
    bench.now += Duration::from_secs(5);
    assert_eq!(bench.stream(A, neighbour, 6, 1, 50).0, 0);
    // The same stream from a new port: the NAT's doing.
    assert_eq!(bench.stream(A, neighbour, 5, 260, 5).0, 4);
    assert_eq!(bench.stream(B, bob(), 7, 2, 1), (1, Some(neighbour)));
}

#[test]
fn the_signalled_address_displaces_whoever_was_first() {
    let mut bench = Bench::new(latched(alice(), Latch::Anyone), Remote::new(bob()));
    assert_eq!(bench.stream(A, mallory(), 66, 1, 10).0, 6);
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(mallory())));
    assert_eq!(bench.stream(A, alice(), 5, 1, 1).0, 1);
    assert_eq!(bench.stream(B, bob(), 7, 2, 1), (1, Some(alice())));
    assert_eq!(bench.stream(A, mallory(), 66, 11, 50).0, 0);
}

#[test]
fn sprayed_packets_do_not_keep_a_phone_from_being_learned() {
    let public = address("203.0.113.50:31000");
    let mut bench = Bench::new(
        latched(address("10.0.0.5:4000"), Latch::Anyone),
        Remote::new(bob()),
    );
    let mut passed = 0;
    for sequence in 0..50 {
        passed += bench.stream(A, public, 5, sequence, 1).0;
        for _ in 0..20 {
            // The very same packet over and over, as the known attack tools send.
            let mut spray = voice(66, 1, PayloadType::PCMU, 0);
            assert_eq!(bench.packet(A, mallory(), &mut spray), None);
        }
    }
    assert!(passed >= 44, "{passed}");
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(public)));
}

#[test]
fn a_new_description_moves_the_voice_at_once() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    bench.stream(A, alice(), 5, 1, 3);
    let carol = address("192.0.2.77:7000");
    let now = bench.now;
    let remote = Remote::new(carol);
    bench.relay.handle_command(
        now,
        Command::SetRemote {
            id: ID,
            side: Side::A,
            remote,
        },
    );
    assert_eq!(bench.stream(B, bob(), 7, 1, 1), (1, Some(carol)));
    assert_eq!(bench.stream(A, alice(), 5, 4, 10).0, 0);
    assert_eq!(bench.stream(A, carol, 8, 1, 1).0, 1);
}

#[test]
fn laws_are_converted_where_the_legs_differ() {
    let event = PayloadType::new(101).unwrap();
    let other_event = PayloadType::new(96).unwrap();
    let mut a = Remote::new(alice());
    a.formats = vec![
        Format::new(Encoding::Pcmu, 8000, PayloadType::PCMU),
        Format::new(Encoding::TelephoneEvent, 8000, event),
    ];
    let mut b = Remote::new(bob());
    b.formats = vec![
        Format::new(Encoding::Pcma, 8000, PayloadType::PCMA),
        Format::new(Encoding::TelephoneEvent, 8000, other_event),
    ];
    let mut bench = Bench::new(a, b);

    let mut payload = voice(5, 1, PayloadType::PCMU, ulaw::encode(5000));
    assert!(bench.packet(A, alice(), &mut payload).is_some());
    let packet = RtpPacket::parse(&payload).unwrap();
    assert_eq!(packet.payload_type(), PayloadType::PCMA);
    assert_eq!(
        packet.payload(),
        [alaw::encode(ulaw::decode(ulaw::encode(5000))); 160]
    );

    let mut payload = voice(7, 1, PayloadType::PCMA, alaw::encode(-900));
    assert!(bench.packet(B, bob(), &mut payload).is_some());
    let packet = RtpPacket::parse(&payload).unwrap();
    assert_eq!(packet.payload_type(), PayloadType::PCMU);
    assert_eq!(
        packet.payload(),
        [ulaw::encode(alaw::decode(alaw::encode(-900))); 160]
    );

    let mut payload = voice(5, 2, event, 3);
    assert!(bench.packet(A, alice(), &mut payload).is_some());
    assert_eq!(
        RtpPacket::parse(&payload).unwrap().payload_type(),
        other_event
    );

    let mut payload = voice(5, 3, PayloadType::new(18).unwrap(), 3);
    assert!(bench.packet(A, alice(), &mut payload).is_none());
}

#[test]
fn silence_is_told_once_and_again_after_speech() {
    let mut bench = Bench::new(
        Remote::new(alice()),
        Remote {
            sends: false,
            ..Remote::new(bob())
        },
    );
    let timeout = Config::default().media_timeout;
    bench.stream(A, alice(), 5, 1, 50);
    bench.events();
    let mut told = 0;
    let end = bench.now + 5 * timeout;
    while let Some(due) = bench.relay.poll_timeout().filter(|due| *due <= end) {
        bench.now = due;
        bench.relay.handle_timeout(due);
        let expected = Event::TimedOut {
            id: ID,
            side: Side::A,
        };
        told += bench
            .events()
            .iter()
            .filter(|event| **event == expected)
            .count();
    }
    assert_eq!(told, 1);
    bench.stream(A, alice(), 5, 51, 1);
    bench.now += 2 * timeout;
    bench.relay.handle_timeout(bench.now);
    bench.relay.handle_timeout(bench.now);
    assert_eq!(
        bench.events(),
        [Event::TimedOut {
            id: ID,
            side: Side::A
        }]
    );
}

// checklist: B2BUA-04
#[test]
fn closing_reports_at_once_and_frees_the_ports_after_the_linger_time() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    bench.stream(A, alice(), 5, 65_530, 50);
    bench.stream(B, bob(), 7, 1, 3);
    bench.events();
    let now = bench.now;
    bench.relay.handle_command(now, Command::Close { id: ID });
    bench.relay.handle_command(now, Command::Close { id: ID });
    let events = bench.events();
    let [Event::Closed { id: ID, streams }] = events.as_slice() else {
        panic!("{events:?}")
    };
    let counts: Vec<_> = streams
        .iter()
        .map(|s| (s.side, s.ssrc.get(), s.packets, s.octets, s.lost))
        .collect();
    assert_eq!(counts, [(Side::A, 5, 50, 8000, 0), (Side::B, 7, 3, 480, 0)]);

    assert_eq!(bench.stream(A, alice(), 5, 44, 5).0, 0);
    let open = Command::Open {
        id: RelayId::new(2),
        a: ports(20_000),
        b: ports(30_000),
    };
    assert!(bench.relay.port_keys(ID).is_some());

    let due = now + Config::default().linger;
    bench
        .relay
        .handle_timeout(now + Config::default().linger / 2);
    assert_eq!(bench.events(), []);
    bench.relay.handle_timeout(due);
    assert_eq!(
        bench.events(),
        [Event::Released {
            id: ID,
            a: ports(20_000),
            b: ports(20_002)
        }]
    );
    assert_eq!(bench.relay.calls(), 0);
    bench.relay.handle_command(due, open);
    assert_eq!(
        bench.events(),
        [Event::Opened {
            id: RelayId::new(2)
        }]
    );
}

#[test]
fn nothing_is_left_over() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    bench
        .relay
        .handle_command(bench.now, Command::Close { id: ID });
    while let Some(due) = bench.relay.poll_timeout() {
        bench.relay.handle_timeout(due);
    }
    assert_eq!(bench.relay.calls(), 0);
    bench.events();
    assert_eq!(bench.relay.poll_output(), None);
}

fn rtcp(ssrc: u32, about: Option<ReportBlock>, ntp: u64, timestamp: u32) -> Vec<u8> {
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

fn about(ssrc: u32, extended_highest: u32, last_sr: u32, delay: u32) -> ReportBlock {
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

fn control(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() + 1)
}

impl Bench {
    fn rtcp(&mut self, side: Side, from: SocketAddr, payload: &mut [u8]) -> Option<Forward> {
        let keys = self.relay.port_keys(ID).unwrap();
        let port = if side == A { keys.a_rtcp } else { keys.b_rtcp };
        self.relay.handle_packet(self.now, port, from, payload)
    }

    fn report(&mut self) -> Vec<StreamReport> {
        self.relay
            .handle_command(self.now, Command::Report { id: ID });
        match self.events().pop() {
            Some(Event::Report { streams, .. }) => streams,
            other => panic!("{other:?}"),
        }
    }
}

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
