//! Times in units of a timestamp clock.

use std::time::Duration;

/// A time in timestamp units, modulo 2^32.
#[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
pub(crate) fn to_units(time: Duration, clock_rate: u32) -> u32 {
    let rate = u64::from(clock_rate);
    let below_second = u64::from(time.subsec_nanos()) * rate / 1_000_000_000;
    (time.as_secs().wrapping_mul(rate).wrapping_add(below_second)) as u32
}

/// The time of so many units.
pub(crate) fn from_units(units: u32, clock_rate: u32) -> Duration {
    Duration::from_nanos(u64::from(units) * 1_000_000_000 / u64::from(clock_rate.max(1)))
}
