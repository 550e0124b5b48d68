//! What RTCP tells of a leg: its round trip; and the name that is told of it.

use std::time::{Duration, Instant};

use offhook_rtp::rtcp::ntp::NtpTime;
use offhook_rtp::rtcp::report::ReportBlock;

/// What is known of a leg's reports.
#[derive(Debug)]
pub(super) struct Reports {
    /// Where the leg's made-up name begins.
    name: u64,
    /// The sender report passed to this leg last: the middle of its NTP time, and when.
    passed: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
}

impl Reports {
    pub(super) const fn new(name: u64) -> Self {
        Self {
            name,
            passed: None,
            round_trip: None,
        }
    }

    /// From the relay to this leg's phone and back, as its last report gave it.
    pub(super) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Where the made-up name begins.
    pub(super) const fn name(&self) -> u64 {
        self.name
    }

    /// A sender report is passed to this leg.
    pub(super) const fn pass(&mut self, now: Instant, ntp: NtpTime) {
        self.passed = Some((ntp.middle(), now));
    }

    /// A block of this leg's own reports.
    pub(super) fn hear(&mut self, now: Instant, block: &ReportBlock) {
        let Some((ntp, at)) = self.passed else { return };
        if block.last_sr != ntp || ntp == 0 {
            return;
        }
        let held =
            Duration::from_nanos(u64::from(block.delay_since_last_sr) * 1_000_000_000 / 65_536);
        // A clock that runs fast can make it negative; then it is short.
        self.round_trip = Some(now.saturating_duration_since(at).saturating_sub(held));
    }
}
