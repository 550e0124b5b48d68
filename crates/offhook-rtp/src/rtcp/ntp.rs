//! NTP time stamps and the round trip that is computed of them (RFC 3550 §4, §6.4.1).

use core::time::Duration;

/// Seconds from 1900 to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// Seconds since 1900 in the upper half, their fraction in the lower.
///
/// ```
/// use core::time::Duration;
/// use offhook_rtp::rtcp::ntp::NtpTime;
///
/// let time = NtpTime::from_unix(Duration::new(1_000_000_000, 500_000_000));
/// assert_eq!(time.get() >> 32, 3_208_988_800);
/// assert_eq!(time.middle() & 0xffff, 0x8000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NtpTime(u64);

impl NtpTime {
    /// From the 64 bits on the wire.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// From a wall clock: the time since 1970.
    pub fn from_unix(since_1970: Duration) -> Self {
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        let seconds = since_1970.as_secs().wrapping_add(UNIX_EPOCH) & 0xffff_ffff;
        Self((seconds << 32) | fraction)
    }

    /// The 64 bits on the wire.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The middle 32 bits: units of 1/65536 s, as in LSR.
    #[expect(clippy::cast_possible_truncation, reason = "the middle of 64 bits")]
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// The round trip `A - LSR - DLSR`, everything in units of 1/65536 s (§6.4.1).
///
/// `None` where the report says that no sender report had come, or where a clock that was set back makes it negative.
///
/// ```
/// use offhook_rtp::rtcp::ntp::round_trip;
/// // The example of RFC 3550 figure 2: 6.125 s.
/// assert_eq!(round_trip(0xb710_8000, 0xb705_2000, 0x0005_4000).unwrap().as_millis(), 6125);
/// assert_eq!(round_trip(0xb710_8000, 0, 0), None);
/// ```
pub fn round_trip(arrival: u32, last_sr: u32, delay_since_last_sr: u32) -> Option<Duration> {
    if last_sr == 0 {
        return None;
    }
    let units = arrival
        .wrapping_sub(last_sr)
        .wrapping_sub(delay_since_last_sr);
    // More than half the range is a negative number.
    (units < 1 << 31).then(|| Duration::from_nanos(u64::from(units) * 1_000_000_000 / 65_536))
}

/// A time span in units of 1/65536 s, as in DLSR; held at the greatest that fits.
pub fn delay_units(delay: Duration) -> u32 {
    let fraction = (u64::from(delay.subsec_nanos()) << 16) / 1_000_000_000;
    let units = delay
        .as_secs()
        .saturating_mul(65_536)
        .saturating_add(fraction);
    u32::try_from(units).unwrap_or(u32::MAX)
}
