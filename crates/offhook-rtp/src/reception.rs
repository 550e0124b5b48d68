//! What a receiver knows of one source: validity, loss and jitter, RFC 3550 Appendices A.1, A.3 and A.8.

use crate::sequence::SequenceNumber;

/// A gap this long, or longer, may be a restart of the sender (RFC 3550 §A.1).
const MAX_DROPOUT: u16 = 3000;
/// A packet this far behind is late, not a restart (§A.1).
const MAX_MISORDER: u16 = 100;
/// Packets in sequence that make a source valid (§A.1).
const MIN_SEQUENTIAL: u32 = 2;

/// Whether a packet counts (RFC 3550 §A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The source is known and the sequence number is plausible.
    Valid,
    /// Not counted: the source is on probation, or jumped and has not yet sent two in a row.
    Unproven,
}

/// The statistics of one source, exactly as the code of RFC 3550 Appendix A computes them.
///
/// Time comes in as `arrival` in units of the source's timestamp clock (8000 a second for G.711), from any
/// starting point.
///
/// ```
/// use offhook_rtp::{reception::ReceptionStatistics, sequence::SequenceNumber};
///
/// let mut statistics = ReceptionStatistics::new(SequenceNumber::new(9));
/// for (sequence, arrival) in [(10, 0), (11, 160), (13, 480)] {
///     statistics.receive(SequenceNumber::new(sequence), u32::from(sequence) * 160, arrival);
/// }
/// assert_eq!(statistics.cumulative_lost(), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceptionStatistics {
    max_seq: u16,
    /// Multiples of 65536.
    cycles: u32,
    base_seq: u32,
    /// The next number after an implausible jump; 65537 when there was none.
    bad_seq: u32,
    probation: u32,
    received: u32,
    expected_prior: u32,
    received_prior: u32,
    transit: Option<u32>,
    /// Sixteen times the jitter, as in the integer form of §A.8.
    jitter: u32,
}

impl ReceptionStatistics {
    /// A new source; `first` is the sequence number of the packet that showed it, to be handed to
    /// [`Self::receive`] as well.
    pub const fn new(first: SequenceNumber) -> Self {
        let mut new = Self {
            max_seq: first.get().wrapping_sub(1),
            cycles: 0,
            base_seq: first.get() as u32,
            bad_seq: 65_537,
            probation: MIN_SEQUENTIAL,
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            jitter: 0,
        };
        new.max_seq = first.get().wrapping_sub(1);
        new
    }

    /// Counts a packet.
    #[inline]
    pub fn receive(&mut self, sequence: SequenceNumber, timestamp: u32, arrival: u32) -> Validity {
        self.update_jitter(timestamp, arrival);
        self.update_sequence(sequence.get())
    }

    const fn restart(&mut self, seq: u16) {
        self.base_seq = seq as u32;
        self.max_seq = seq;
        self.bad_seq = 65_537;
        self.cycles = 0;
        self.received = 0;
        self.received_prior = 0;
        self.expected_prior = 0;
    }

    /// §A.1 `update_seq`, with the sum taken modulo 65536: the RFC's C compares in `int` and would never end a
    /// probation that crosses the wrap.
    fn update_sequence(&mut self, seq: u16) -> Validity {
        let delta = seq.wrapping_sub(self.max_seq);
        if self.probation > 0 {
            if delta == 1 {
                self.probation -= 1;
                self.max_seq = seq;
                if self.probation == 0 {
                    self.restart(seq);
                    self.received += 1;
                    return Validity::Valid;
                }
            } else {
                self.probation = MIN_SEQUENTIAL - 1;
                self.max_seq = seq;
            }
            return Validity::Unproven;
        }
        if delta < MAX_DROPOUT {
            if seq < self.max_seq {
                self.cycles = self.cycles.wrapping_add(65_536);
            }
            self.max_seq = seq;
        } else if delta <= 0u16.wrapping_sub(MAX_MISORDER) {
            if u32::from(seq) == self.bad_seq {
                // Two in a row after a jump: the other side restarted.
                self.restart(seq);
            } else {
                self.bad_seq = u32::from(seq.wrapping_add(1));
                return Validity::Unproven;
            }
        }
        self.received = self.received.wrapping_add(1);
        Validity::Valid
    }

    /// §A.8, integer form.
    #[inline]
    fn update_jitter(&mut self, timestamp: u32, arrival: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit {
            let change = crate::sequence::timestamp_distance(transit, before).unsigned_abs();
            let decay = self.jitter.wrapping_add(8) >> 4;
            self.jitter = self.jitter.wrapping_add(change).wrapping_sub(decay);
        }
        self.transit = Some(transit);
    }

    /// Whether two packets in a row were seen.
    pub const fn is_valid(&self) -> bool {
        self.probation == 0
    }

    /// The highest sequence number with its wraps in the upper half, for a report block.
    pub const fn extended_highest(&self) -> u32 {
        self.cycles.wrapping_add(self.max_seq as u32)
    }

    /// Packets that should have come since the source was valid.
    pub const fn expected(&self) -> u32 {
        if self.probation > 0 {
            return 0;
        }
        self.extended_highest()
            .wrapping_sub(self.base_seq)
            .wrapping_add(1)
    }

    /// Packets that came, duplicates and late ones included.
    pub const fn received(&self) -> u32 {
        self.received
    }

    /// Expected less received, negative with duplicates, held within the 24 bits of a report (§A.3).
    #[expect(
        clippy::cast_possible_wrap,
        reason = "the difference of two wrapping counts is signed"
    )]
    pub const fn cumulative_lost(&self) -> i32 {
        let lost = self.expected().wrapping_sub(self.received) as i32;
        if lost > 0x7f_ffff {
            0x7f_ffff
        } else if lost < -0x80_0000 {
            -0x80_0000
        } else {
            lost
        }
    }

    /// The loss since the last call of this method as a fraction of 256 (§A.3); for one report.
    pub fn take_fraction_lost(&mut self) -> u8 {
        let expected = self.expected().wrapping_sub(self.expected_prior);
        let received = self.received.wrapping_sub(self.received_prior);
        self.expected_prior = self.expected();
        self.received_prior = self.received;
        if expected == 0 || received >= expected {
            return 0;
        }
        let lost = u64::from(expected - received);
        ((lost << 8) / u64::from(expected)).min(255) as u8
    }

    /// Mean deviation of the transit time in timestamp units (§6.4.1, §A.8).
    pub const fn jitter(&self) -> u32 {
        self.jitter >> 4
    }
}
