//! Keeps one stream for the listener when its source changes, as a transfer does.
//!
//! A relay passes source, sequence number and timestamp unchanged. But a phone that suddenly hears another source may
//! take it for a stranger's, or wait. So a voice that takes another's place goes on under the old source number, with
//! the next sequence number and the timestamp that the clock says.

use std::time::Instant;

use offhook_rtp::id::Ssrc;
use offhook_rtp::packet::{Header, RtpPacketMut};
use offhook_rtp::rtcp::report::ReportBlock;
use offhook_rtp::sequence::SequenceNumber;

use crate::units::to_units;

/// The newest packet passed, as the listener saw it.
#[derive(Debug, Clone, Copy)]
struct Passed {
    ssrc: Ssrc,
    sequence: SequenceNumber,
    timestamp: u32,
    at: Instant,
}

/// What is added to the numbers of the new source.
#[derive(Debug, Clone, Copy)]
struct Shift {
    from: Ssrc,
    to: Ssrc,
    sequence: u16,
    timestamp: u32,
}

/// One direction's numbers.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    passed: Option<Passed>,
    shift: Option<Shift>,
    replaced: bool,
}

impl Continuity {
    /// Somebody else will speak from now on.
    pub(super) const fn replace(&mut self) {
        self.replaced = true;
    }

    /// Whether somebody else is to speak, and has not yet.
    pub(super) const fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// Notes a packet that is passed; `true` when its header must be [shifted](Self::apply).
    #[inline]
    pub(super) fn pass(
        &mut self,
        now: Instant,
        header: &Header,
        fresh: bool,
        clock_rate: u32,
    ) -> bool {
        if fresh && (self.replaced || self.shift.is_some()) {
            self.join(now, header, clock_rate);
        }
        let (ssrc, sequence, timestamp) = match &self.shift {
            Some(shift) if shift.from == header.ssrc => (
                shift.to,
                SequenceNumber::new(header.sequence.get().wrapping_add(shift.sequence)),
                header.timestamp.wrapping_add(shift.timestamp),
            ),
            _ => (header.ssrc, header.sequence, header.timestamp),
        };
        let newer = self
            .passed
            .is_none_or(|passed| passed.ssrc != ssrc || sequence.steps_after(passed.sequence) > 0);
        if newer {
            self.passed = Some(Passed {
                ssrc,
                sequence,
                timestamp,
                at: now,
            });
        }
        self.shift.is_some()
    }

    #[cold]
    fn join(&mut self, now: Instant, header: &Header, clock_rate: u32) {
        self.replaced = false;
        let Some(passed) = self.passed else { return };
        let gap = to_units(now.saturating_duration_since(passed.at), clock_rate);
        // At least one packet of 20 ms later, however fast the new source was.
        let timestamp = passed.timestamp.wrapping_add(gap.max(clock_rate / 50));
        self.shift = Some(Shift {
            from: header.ssrc,
            to: passed.ssrc,
            sequence: passed
                .sequence
                .next()
                .get()
                .wrapping_sub(header.sequence.get()),
            timestamp: timestamp.wrapping_sub(header.timestamp),
        });
    }

    /// Changes the header of a packet that [`Self::pass`] asked it for.
    pub(super) fn apply(&self, packet: &mut RtpPacketMut<'_>, header: &Header, fresh: bool) {
        let Some(shift) = self.shift.filter(|shift| shift.from == header.ssrc) else {
            return;
        };
        packet.set_ssrc(shift.to);
        packet.set_sequence(SequenceNumber::new(
            header.sequence.get().wrapping_add(shift.sequence),
        ));
        packet.set_timestamp(header.timestamp.wrapping_add(shift.timestamp));
        packet.set_marker(header.marker || fresh);
    }

    /// The source as the listener knows it.
    pub(super) fn outward(&self, ssrc: Ssrc) -> Ssrc {
        self.shift
            .filter(|shift| shift.from == ssrc)
            .map_or(ssrc, |shift| shift.to)
    }

    /// A timestamp of that source as the listener knows it.
    pub(super) fn outward_timestamp(&self, ssrc: Ssrc, timestamp: u32) -> u32 {
        let shift = self.shift.filter(|shift| shift.from == ssrc);
        timestamp.wrapping_add(shift.map_or(0, |shift| shift.timestamp))
    }

    /// What the listener reports, as the source knows its own numbers.
    pub(super) fn inward(&self, block: ReportBlock) -> ReportBlock {
        let Some(shift) = self.shift.filter(|shift| shift.to == block.ssrc) else {
            return block;
        };
        ReportBlock {
            ssrc: shift.from,
            extended_highest: block
                .extended_highest
                .wrapping_sub(u32::from(shift.sequence)),
            ..block
        }
    }

    /// A source in the listener's feedback, as the source knows itself.
    pub(super) fn inward_source(&self, ssrc: Ssrc) -> Ssrc {
        self.shift
            .filter(|shift| shift.to == ssrc)
            .map_or(ssrc, |shift| shift.from)
    }
}
