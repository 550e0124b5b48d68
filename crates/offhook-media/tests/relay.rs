//! Two legs, one relay, virtual time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use offhook_media::relay::{
    Command, Config, Encoding, Event, Format, Forward, LegPorts, RelayId, Remote, Service, Side,
};
use offhook_rtp::g711::{alaw, ulaw};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Header, RtpPacket};
use offhook_rtp::sequence::SequenceNumber;
use offhook_rtp::telephone_event::{EventCode, EventSender};
use support::*;

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

/// The event packets of one key, as RTP.
fn key(digit: char, first: u16, timestamp: u32, number: PayloadType) -> Vec<Vec<u8>> {
    let code = EventCode::from_digit(digit).unwrap();
    let packets = EventSender::new(code, timestamp, 160, 800);
    (first..)
        .zip(packets)
        .map(|(sequence, event)| {
            let header = Header {
                marker: event.marker,
                payload_type: number,
                sequence: SequenceNumber::new(sequence),
                timestamp: event.timestamp,
                ssrc: Ssrc::new(5),
            };
            let mut out = vec![0; 16];
            header.write(&event.payload.to_bytes(), &mut out).unwrap();
            out
        })
        .collect()
}

// checklist: R4733-02
#[test]
fn keys_are_told_once_and_passed_on() {
    let (wanted, other) = (
        PayloadType::new(101).unwrap(),
        PayloadType::new(96).unwrap(),
    );
    let far = |address, number| Remote {
        telephone_event: Some(number),
        ..Remote::new(address)
    };
    let mut bench = Bench::new(far(alice(), other), far(bob(), wanted));
    bench.stream(A, alice(), 5, 1, 3);
    bench.events();
    let mut told = Vec::new();
    for (n, digit) in ('1'..='9').chain(['*', '0', '#']).enumerate() {
        let n = u16::try_from(n).unwrap();
        let timestamp = 8000 + 1600 * u32::from(n);
        for (step, mut packet) in key(digit, 4 + 10 * n, timestamp, wanted)
            .into_iter()
            .enumerate()
        {
            // A different one of them is lost each time, and a stranger presses other keys.
            if step != usize::from(n) % 7 {
                let sent = packet.clone();
                let passed = bench.packet(A, alice(), &mut packet);
                assert_eq!(passed.map(|forward| forward.to), Some(bob()));
                assert_eq!(packet, sent);
            }
            let mut forged = key('5', 4 + 10 * n, timestamp, wanted).remove(step);
            assert_eq!(bench.packet(A, mallory(), &mut forged), None);
        }
        told.extend(bench.events().into_iter().map(|event| match event {
            Event::Digit { digit, side: A, .. } => digit,
            event => panic!("{event:?}"),
        }));
    }
    assert_eq!(told.iter().collect::<String>(), "123456789*0#");
    // Under a number that the other leg did not ask for it is something else.
    for mut packet in key('7', 300, 40_000, other) {
        bench.packet(A, alice(), &mut packet);
    }
    assert_eq!(bench.events(), []);
}

/// A relayed call's voice compared with what was sent, sample by sample: through loss, doubling, reordering and a
/// change of source.
#[test]
fn the_listener_gets_every_sample_that_was_sent() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    let carol = address("192.0.2.77:7000");
    let mut heard: Vec<(u32, Vec<i16>)> = Vec::new();
    let mut said: Vec<(u32, Vec<i16>)> = Vec::new();
    for n in 0..200u16 {
        let second = n >= 100;
        if n == 100 {
            bench.set_remote(A, Remote::new(carol));
        }
        let (from, ssrc) = if second { (carol, 9) } else { (alice(), 5) };
        let samples: Vec<i16> = (0..160)
            .map(|i| ulaw::decode(u8::try_from((usize::from(n) * 31 + i * 7) % 256).unwrap()))
            .collect();
        let mut payload = voice(ssrc, n, PayloadType::PCMU, 0);
        ulaw::encode_slice(&samples, &mut payload[12..]);
        let timestamp = RtpPacket::parse(&payload).unwrap().timestamp();
        // Every seventh is lost on the way to the relay, every fifth comes twice.
        let times = [1, 0, 2][usize::from(n % 7 == 3) + 2 * usize::from(n % 5 == 1 && n % 7 != 3)];
        for _ in 0..times {
            let mut copy = payload.clone();
            let forward = bench.packet(A, from, &mut copy).unwrap();
            assert_eq!((forward.from, forward.to), (bench.b, bob()));
            let packet = RtpPacket::parse(&copy).unwrap();
            let mut decoded = vec![0; packet.payload().len()];
            ulaw::decode_slice(packet.payload(), &mut decoded);
            assert_eq!(packet.ssrc(), Ssrc::new(5));
            said.push((timestamp, samples.clone()));
            heard.push((packet.timestamp(), decoded));
        }
        bench.now += FRAME;
    }
    assert_eq!(heard, said);
}

/// Between the two versions of IP: a leg has its ports in both, and goes on in either.
#[test]
fn a_leg_has_its_ports_in_both_versions_of_ip() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    let six = address("[2001:db8::50]:0").ip();
    let relay = &bench.relay;
    assert_eq!(relay.ports_beside(ID, B, mallory().ip()), None);
    let beside = relay.ports_beside(ID, B, six).unwrap();
    assert_eq!((beside.ip, beside.rtp, beside.rtcp), (six, 20_002, 20_003));

    let widen = |id, side, ip| Command::Widen { id, side, ip };
    bench.relay.handle_command(bench.now, widen(ID, B, six));
    assert_eq!(bench.events(), [Event::Widened { id: ID, side: B }]);
    assert_eq!(bench.relay.ports_beside(ID, B, six), None);
    assert!(bench.relay.ports_beside(ID, A, six).is_some());

    // Whoever is there is heard on the leg's port, and nobody else.
    let carol = address("[2001:db8::3]:7000");
    bench.set_remote(B, Remote::new(carol));
    let mut payload = voice(9, 1, PayloadType::PCMU, 0x31);
    let back = bench.packet(B, carol, &mut payload).unwrap();
    assert_eq!((back.from, back.to), (bench.a, alice()));
    assert_eq!(bench.packet(B, bob(), &mut payload), None);
    let mut payload = voice(8, 1, PayloadType::PCMU, 0x32);
    let there = bench.packet(A, alice(), &mut payload).unwrap();
    assert_eq!((there.from, there.to), (bench.b, carol));
    bench.events();

    // The first address is given up; the number of the port is the same.
    let narrow = |ip| Command::Narrow {
        id: ID,
        side: B,
        ip,
    };
    bench.relay.handle_command(bench.now, narrow(six));
    assert_eq!(bench.relay.ports_beside(ID, B, six), None);
    assert!(bench.relay.ports_beside(ID, B, bob().ip()).is_some());
    let mut payload = voice(8, 2, PayloadType::PCMU, 0x33);
    let there = bench.packet(A, alice(), &mut payload).unwrap();
    assert_eq!((there.from, there.to), (bench.b, carol));
    bench
        .relay
        .handle_command(bench.now, Command::Close { id: ID });
    bench.events();
    bench.now += Config::default().linger;
    bench.relay.handle_timeout(bench.now);
    let released = LegPorts {
        ip: six,
        ..ports(20_002)
    };
    let expected = Event::Released {
        id: ID,
        a: ports(20_000),
        b: released,
    };
    assert_eq!(bench.events(), [expected]);
}

#[test]
fn what_cannot_have_two_addresses_says_so() {
    let mut bench = Bench::new(Remote::new(alice()), Remote::new(bob()));
    let six = address("[2001:db8::50]:0").ip();
    let served = RelayId::served(1);
    let serve = Command::Serve {
        id: served,
        ports: ports(20_008),
        service: Service::Echo,
    };
    bench.relay.handle_command(bench.now, serve);
    bench.events();
    let mut refused = |id, ip, port| {
        let command = Command::Widen { id, side: A, ip };
        bench.relay.handle_command(bench.now, command);
        let failed = Event::WidenFailed { id, side: A, port };
        assert_eq!(bench.events(), [failed]);
    };
    refused(served, six, 0);
    refused(RelayId::new(99), six, 0);
    // Another address of the version that it has.
    refused(ID, mallory().ip(), 20_000);
    bench
        .relay
        .handle_command(bench.now, Command::Close { id: ID });
    bench.events();
    assert_eq!(bench.relay.ports_beside(ID, A, six), None);
}
