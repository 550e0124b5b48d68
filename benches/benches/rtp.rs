//! RTP: reading a header, counting a packet, and the relay's whole path between two sockets.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use offhook_media::relay::{Command, Config, LegPorts, Relay, RelayId, Remote, Side};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Header, RtpPacket};
use offhook_rtp::reception::ReceptionStatistics;
use offhook_rtp::rtcp::compound::{Compound, CompoundBuilder, Form};
use offhook_rtp::sequence::SequenceNumber;

fn voice(sequence: u16) -> [u8; 172] {
    let header = Header {
        marker: false,
        payload_type: PayloadType::PCMU,
        sequence: SequenceNumber::new(sequence),
        timestamp: u32::from(sequence) * 160,
        ssrc: Ssrc::new(7),
    };
    let mut datagram = [0; 172];
    let _ = header.write(&[0x55; 160], &mut datagram);
    datagram
}

fn packet(c: &mut Criterion) {
    let datagram = voice(9);
    c.bench_function("rtp/view, every field read", |b| {
        b.iter(|| {
            let packet = RtpPacket::parse(black_box(&datagram));
            packet.map(|packet| {
                (
                    packet.header(),
                    packet.payload().len(),
                    packet.csrcs().len(),
                    packet.extension().is_some(),
                )
            })
        });
    });
    let mut sequence = 0u16;
    let mut statistics = ReceptionStatistics::new(SequenceNumber::new(0));
    c.bench_function("rtp/reception statistics", |b| {
        b.iter(|| {
            sequence = sequence.wrapping_add(1);
            let at = u32::from(sequence) * 160;
            black_box(statistics.receive(SequenceNumber::new(sequence), at, at + 3))
        });
    });
    let report = CompoundBuilder::receiver(Ssrc::new(7), &[], "0123456789abcdef").build();
    c.bench_function("rtcp/compound, checked", |b| {
        b.iter(|| Compound::parse(black_box(&report), Form::Compound).is_ok());
    });
}

fn relay(c: &mut Criterion) {
    for calls in [1u16, 1000] {
        let mut now = Instant::now();
        let mut relay = Relay::new(Config::default(), [1; 32]);
        let mut ports = Vec::new();
        for call in 0..calls {
            let id = RelayId::new(u64::from(call));
            let local = |port| LegPorts::pair(Ipv4Addr::LOCALHOST.into(), port);
            relay.handle_command(
                now,
                Command::Open {
                    id,
                    a: local(2),
                    b: local(4),
                },
            );
            for side in [Side::A, Side::B] {
                let remote =
                    Remote::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + 4 * call)));
                relay.handle_command(now, Command::SetRemote { id, side, remote });
            }
            ports.extend(relay.port_keys(id));
        }
        while relay.poll_output().is_some() {}
        let (mut call, mut sequence) = (0, 0u16);
        c.bench_function(&format!("relay/packet through, {calls} calls"), |b| {
            b.iter(|| {
                call += 1;
                if call == ports.len() {
                    call = 0;
                    sequence = sequence.wrapping_add(1);
                    now += Duration::from_millis(20);
                }
                let mut datagram = voice(sequence);
                let from = SocketAddr::from((
                    Ipv4Addr::LOCALHOST,
                    10_000 + 4 * u16::try_from(call).unwrap_or(0),
                ));
                black_box(relay.handle_packet(
                    now,
                    ports[call].a_rtp,
                    from,
                    black_box(&mut datagram),
                ))
            });
        });
    }
}

criterion_group!(benches, packet, relay);
criterion_main!(benches);
