//! Descriptions: reading, printing, answering and anchoring an audio offer (263 octets) and a
//! browser's (2,051 octets).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench, not an interface"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use offhook_sdp::negotiation::{Capabilities, Local, answer, complete, offer};
use offhook_sdp::{Anchor, Codec, SessionDescription};

const MESSAGES: [(&str, &[u8]); 2] = [
    ("audio", include_bytes!("../messages/sdp_audio.sdp")),
    ("webrtc", include_bytes!("../messages/sdp_webrtc.sdp")),
];

fn wire(c: &mut Criterion) {
    for (name, octets) in MESSAGES {
        let session = SessionDescription::parse(octets).unwrap();
        assert_eq!(session.to_bytes(), octets);
        c.bench_function(&format!("sdp/parse/{name}"), |b| {
            b.iter(|| SessionDescription::parse(black_box(octets)).unwrap());
        });
        c.bench_function(&format!("sdp/print/{name}"), |b| {
            b.iter(|| black_box(&session).to_bytes());
        });
    }
}

fn negotiation(c: &mut Criterion) {
    let (_, audio) = MESSAGES[0];
    let offered = SessionDescription::parse(audio).unwrap();
    let voice = Capabilities::audio([Codec::pcmu(), Codec::pcma(), Codec::telephone_event(101)]);
    let local = Local::new("192.0.2.2".parse().unwrap(), 30_000, 1);
    let answered = answer(&offered, &local, &voice).unwrap().answer;
    let anchor = Anchor::new("203.0.113.1".parse().unwrap(), [30_000], 7, 1);
    c.bench_function("sdp/offer", |b| b.iter(|| offer(black_box(&local), &voice)));
    c.bench_function("sdp/answer", |b| {
        b.iter(|| answer(black_box(&offered), &local, &voice).unwrap());
    });
    c.bench_function("sdp/complete", |b| {
        b.iter(|| complete(black_box(&offered), &answered).unwrap());
    });
    c.bench_function("sdp/anchor", |b| {
        b.iter(|| anchor.apply(black_box(&offered)).unwrap());
    });
}

criterion_group!(benches, wire, negotiation);
criterion_main!(benches);
