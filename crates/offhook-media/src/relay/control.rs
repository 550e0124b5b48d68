//! RTCP on its way through a relay: names hidden, numbers as each end knows them, round trips read.

use std::time::Instant;

use offhook_rtp::id::Ssrc;
use offhook_rtp::rtcp::compound::Form;
use offhook_rtp::rtcp::ntp::NtpTime;
use offhook_rtp::rtcp::report::ReportBlock;
use offhook_rtp::rtcp::rewrite::{Rewrite, rewrite};
use offhook_rtp::rtcp::sdes::SdesKind;

use super::leg::Leg;

/// Letters of a made-up name: five bits each.
const LETTERS: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";

struct Passage<'a> {
    now: Instant,
    leg: &'a mut Leg,
    other: &'a mut Leg,
}

impl Rewrite for Passage<'_> {
    fn source(&mut self, ssrc: Ssrc) -> Ssrc {
        self.leg.continuity.outward(ssrc)
    }

    fn reported_source(&mut self, ssrc: Ssrc) -> Ssrc {
        self.other.continuity.inward_source(ssrc)
    }

    fn timestamp(&mut self, ssrc: Ssrc, ntp: NtpTime, timestamp: u32) -> u32 {
        self.other.reports.pass(self.now, ntp);
        self.leg.continuity.outward_timestamp(ssrc, timestamp)
    }

    fn block(&mut self, block: ReportBlock) -> ReportBlock {
        self.leg.reports.hear(self.now, &block);
        self.other.continuity.inward(block)
    }

    fn description(&mut self, kind: SdesKind, text: &mut [u8]) {
        match kind {
            SdesKind::CNAME => make_up_name(self.leg.reports.name(), text),
            // Its first octet says how long its prefix is (§6.5.8): none.
            SdesKind::PRIV => text.fill(0),
            _ => text.fill(b'-'),
        }
    }
}

/// The same name for the same leg, as long as the one it replaces.
fn make_up_name(name: u64, text: &mut [u8]) {
    let mut state = name;
    for chunk in text.chunks_mut(12) {
        // splitmix64: one step gives twelve letters.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        for letter in chunk {
            *letter = LETTERS[(bits & 31) as usize];
            bits >>= 5;
        }
    }
}

/// Makes a leg's RTCP fit for the other leg; `false` when it is malformed and must be dropped.
pub(super) fn pass(now: Instant, leg: &mut Leg, other: &mut Leg, datagram: &mut [u8]) -> bool {
    let mut passage = Passage { now, leg, other };
    // Reduced size is accepted from everyone: what would be refused otherwise does no harm.
    rewrite(datagram, Form::ReducedSize, &mut passage).is_ok()
}
