//! What a binding takes of memory, and what a lookup and a refresh cost in a full table.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench, not an interface"
)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group};
use offhook_auth::UnixTime;
use offhook_registrar::Bindings;
use offhook_routing::location::{AddressOfRecord, Binding, Change};

const WALL: UnixTime = UnixTime::from_secs(1_800_000_000);
const SIZES: [u64; 2] = [100_000, 1_000_000];

/// A phone as the measuring scripts register it.
fn binding(user: u64, cseq: u32) -> Binding {
    let port = 1024 + user % 60_000;
    Binding {
        aor: AddressOfRecord::new(&format!("u{user}")),
        contact: format!("sip:u{user}@127.0.0.1:{port}").parse().unwrap(),
        received: None,
        call_id: format!("{user}-0123456789@127.0.0.1"),
        cseq,
        q: 1000,
        expires_at: WALL.as_secs() + 3600 + user % 600,
        path: Vec::new(),
        user_agent: None,
        instance: None,
        reg_id: None,
    }
}

fn filled(size: u64, now: Instant) -> Bindings {
    let mut bindings = Bindings::new();
    for user in 0..size {
        bindings.apply(now, WALL, &Change::Put(Box::new(binding(user, 1))));
    }
    bindings
}

fn table(c: &mut Criterion) {
    let now = Instant::now();
    for size in SIZES {
        let mut bindings = filled(size, now);
        let mut user = 0;
        let mut next = move || {
            user = (user + 7919) % size;
            user
        };
        let mut group = c.benchmark_group("bindings");
        group.bench_function(BenchmarkId::new("lookup", size), |b| {
            b.iter(|| {
                let aor = AddressOfRecord::new(&format!("u{}", next()));
                black_box(bindings.lookup(now, WALL, &aor))
            });
        });
        group.bench_function(BenchmarkId::new("refresh", size), |b| {
            b.iter(|| bindings.apply(now, WALL, &Change::Put(Box::new(binding(next(), 2)))));
        });
        group.finish();
    }
}

criterion_group!(benches, table);

fn main() {
    println!("bindings | octets a binding");
    for size in SIZES {
        let now = Instant::now();
        let mut kept = None;
        let info = allocation_counter::measure(|| kept = Some(filled(size, now)));
        let octets = info.bytes_current / i64::try_from(size).unwrap();
        println!("{size:8} | {octets:16}");
        assert_eq!(kept.map(|kept| kept.len() as u64), Some(size));
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
