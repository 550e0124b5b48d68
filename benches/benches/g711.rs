//! G.711 in frames of 20 ms, beside copying with widening and beside a table of 64 Ki codes.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use offhook_rtp::g711::{alaw, convert, ulaw};

const FRAME: usize = 160;

fn speech() -> [i16; FRAME] {
    std::array::from_fn(|n| {
        i16::try_from((n * n * 7919 + n * 104_729) % 65_536 - 32_768).unwrap_or(0)
    })
}

fn ruler(c: &mut Criterion) {
    let codes: [u8; FRAME] = std::array::from_fn(|n| u8::try_from(n * 37 % 256).unwrap_or(0));
    let mut samples = [0i16; FRAME];
    let mut group = c.benchmark_group("g711");
    group.throughput(Throughput::Elements(FRAME as u64));
    group.bench_function("copy with widening", |b| {
        b.iter(|| {
            for (to, from) in samples.iter_mut().zip(black_box(&codes)) {
                *to = i16::from(*from);
            }
            black_box(&mut samples);
        });
    });
    let table: Vec<i16> = (0..=255).map(ulaw::decode).collect();
    group.bench_function("decode by table", |b| {
        b.iter(|| {
            for (to, from) in samples.iter_mut().zip(black_box(&codes)) {
                *to = table[usize::from(*from)];
            }
            black_box(&mut samples);
        });
    });
    let encode: Vec<u8> = (i16::MIN..=i16::MAX).map(ulaw::encode).collect();
    let voice = speech();
    let mut out = [0u8; FRAME];
    group.bench_function("encode by table", |b| {
        b.iter(|| {
            for (to, from) in out.iter_mut().zip(black_box(&voice)) {
                *to = encode[usize::from(from.cast_unsigned() ^ 0x8000)];
            }
            black_box(&mut out);
        });
    });
    group.finish();
}

fn laws(c: &mut Criterion) {
    let voice = speech();
    let mut codes = [0u8; FRAME];
    let mut samples = [0i16; FRAME];
    let mut group = c.benchmark_group("g711");
    group.throughput(Throughput::Elements(FRAME as u64));
    group.bench_function("mu encode", |b| {
        b.iter(|| ulaw::encode_slice(black_box(&voice), black_box(&mut codes)));
    });
    group.bench_function("mu decode", |b| {
        b.iter(|| ulaw::decode_slice(black_box(&codes), black_box(&mut samples)));
    });
    group.bench_function("A encode", |b| {
        b.iter(|| alaw::encode_slice(black_box(&voice), black_box(&mut codes)));
    });
    group.bench_function("A decode", |b| {
        b.iter(|| alaw::decode_slice(black_box(&codes), black_box(&mut samples)));
    });
    group.bench_function("mu to A in place", |b| {
        b.iter(|| convert::ulaw_to_alaw(black_box(&mut codes)));
    });
    group.finish();
}

criterion_group!(benches, ruler, laws);
criterion_main!(benches);
