//! What a phone does in 20 ms: a packet into the jitter buffer and out, a gap concealed, a frame sent.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use offhook_media::concealment::Concealment;
use offhook_media::jitter_buffer::{Config, JitterBuffer};
use offhook_media::session::{self, Codec, Session};
use offhook_rtp::id::{PayloadType, Ssrc};
use offhook_rtp::packet::{Header, RtpPacket};
use offhook_rtp::sequence::SequenceNumber;

const FRAME: Duration = Duration::from_millis(20);

fn voice(count: u32) -> [u8; 172] {
    let header = Header {
        marker: false,
        payload_type: PayloadType::PCMU,
        sequence: SequenceNumber::new((count & 0xffff) as u16),
        timestamp: count.wrapping_mul(160),
        ssrc: Ssrc::new(7),
    };
    let mut datagram = [0; 172];
    let _ = header.write(&[0x55; 160], &mut datagram);
    datagram
}

fn buffer(c: &mut Criterion) {
    let mut buffer = JitterBuffer::new(Config::default());
    let (mut now, mut count) = (Instant::now(), 0);
    c.bench_function("jitter buffer/packet in and out", |b| {
        b.iter(|| {
            count += 1;
            now += FRAME;
            let datagram = voice(count);
            if let Ok(packet) = RtpPacket::parse(&datagram) {
                buffer.push(now, &packet, 160);
            }
            black_box(buffer.pull(now, 160, 0))
        });
    });
    let mut concealment = Concealment::new();
    let mut frame: [i16; 160] = std::array::from_fn(|n| if n % 80 < 40 { 4000 } else { -4000 });
    for _ in 0..4 {
        concealment.hear(&mut frame);
    }
    c.bench_function("concealment/first frame of a gap", |b| {
        b.iter(|| {
            let mut made_up = [0; 160];
            concealment.clone().conceal(&mut made_up);
            made_up
        });
    });
}

fn phone(c: &mut Criterion) {
    let mut now = Instant::now();
    let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000));
    let mut session = Session::new(now, session::Config::new(remote, Codec::Pcmu), [1; 32]);
    let mut count = 0;
    c.bench_function("session/20 ms both ways", |b| {
        b.iter(|| {
            count += 1;
            now += FRAME;
            session.handle_packet(now, remote, &voice(count));
            session.send_frame(now, &[100; 160]);
            while let Some(output) = session.poll_output() {
                black_box(output);
            }
            black_box(session.play(now))
        });
    });
}

criterion_group!(benches, buffer, phone);
criterion_main!(benches);
