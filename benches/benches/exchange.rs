//! What a call costs the server machine alone, without sockets: both legs, from the first INVITE,
//! which is challenged, to the answer to BYE, with nothing else alive and among calls that are held.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench, not an interface"
)]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

mod street;
use street::{Gauge, Street};

const HELD: [usize; 3] = [0, 1_000, 10_000];

/// The time that the server takes.
#[derive(Default)]
struct Stopwatch(Duration);

impl Gauge for Stopwatch {
    fn around<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.0 += begun.elapsed();
        result
    }
}

fn whole_calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange: a whole call in the server");
    for held in HELD {
        let mut street = Street::new(Stopwatch::default());
        street.hold(held);
        let id = BenchmarkId::new("held", held);
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|iterations| {
                street.gauge.0 = Duration::ZERO;
                for _ in 0..iterations {
                    street.whole_call();
                }
                street.gauge.0
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole_calls);
criterion_main!(benches);
