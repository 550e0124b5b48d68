//! What a held call takes of the server's memory: octets allocated and not freed, both legs together,
//! once all transactions have ended.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench, not an interface"
)]

mod street;
use street::{Gauge, Street};

/// Octets that the server holds.
#[derive(Default)]
struct Scale {
    octets: i64,
    blocks: i64,
}

impl Gauge for Scale {
    fn around<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let mut result = None;
        let info = allocation_counter::measure(|| result = Some(work()));
        self.octets += info.bytes_current;
        self.blocks += info.count_current;
        result.unwrap()
    }
}

fn main() {
    println!("held calls | octets a call | blocks a call");
    for held in [1_000_u16, 10_000] {
        let mut street = Street::new(Scale::default());
        // Tables that the first calls make are not theirs.
        street.whole_call();
        street.hold(0);
        let (octets, blocks) = (street.gauge.octets, street.gauge.blocks);
        street.hold(held.into());
        let each = |total: i64| total / i64::from(held);
        let octets = each(street.gauge.octets - octets);
        let blocks = each(street.gauge.blocks - blocks);
        println!("{held:10} | {octets:13} | {blocks:13}");
    }
}
