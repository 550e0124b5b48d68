//! Sequence numbers and timestamps that wrap around.

/// A 16-bit sequence number; order is by the shorter way around (RFC 1982 sense).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SequenceNumber(u16);

impl SequenceNumber {
    /// Any 16-bit number is a legal sequence number.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The next one, 65535 being followed by 0.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// How many steps `self` is after `other`: negative when before it.
    ///
    /// ```
    /// use offhook_rtp::sequence::SequenceNumber;
    /// assert_eq!(SequenceNumber::new(2).steps_after(SequenceNumber::new(65534)), 4);
    /// assert_eq!(SequenceNumber::new(65534).steps_after(SequenceNumber::new(2)), -4);
    /// ```
    #[expect(
        clippy::cast_possible_wrap,
        reason = "the wrap is the point: the shorter way around"
    )]
    pub const fn steps_after(self, other: Self) -> i16 {
        self.0.wrapping_sub(other.0) as i16
    }
}

/// Turns 16-bit sequence numbers into a count that does not wrap, by nearness to the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceUnwrapper {
    last: Option<u64>,
}

impl SequenceUnwrapper {
    /// A fresh one; the first number it meets starts at 65536 + itself, so that earlier ones fit below.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// The extended number of `sequence`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 16 bits are what is compared"
    )]
    pub fn unwrap(&mut self, sequence: SequenceNumber) -> u64 {
        let extended = match self.last {
            None => 65_536 + u64::from(sequence.get()),
            Some(last) => {
                let steps = sequence.steps_after(SequenceNumber::new(last as u16));
                last.saturating_add_signed(i64::from(steps))
            }
        };
        self.last = Some(self.last.map_or(extended, |last| last.max(extended)));
        extended
    }
}

/// How far `later` is after `earlier` in timestamp units: negative when before it.
#[expect(
    clippy::cast_possible_wrap,
    reason = "the wrap is the point: the shorter way around"
)]
pub const fn timestamp_distance(later: u32, earlier: u32) -> i32 {
    later.wrapping_sub(earlier) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwraps_across_the_edge_and_back() {
        let mut unwrapper = SequenceUnwrapper::new();
        let a = unwrapper.unwrap(SequenceNumber::new(65_535));
        let b = unwrapper.unwrap(SequenceNumber::new(1));
        let c = unwrapper.unwrap(SequenceNumber::new(0));
        let d = unwrapper.unwrap(SequenceNumber::new(65_534));
        assert_eq!((b - a, c - a, a - d), (2, 1, 1));
    }

    #[test]
    fn steps_go_the_shorter_way() {
        assert_eq!(
            SequenceNumber::new(0).steps_after(SequenceNumber::new(65_535)),
            1
        );
        assert_eq!(SequenceNumber::new(65_535).next(), SequenceNumber::new(0));
        assert_eq!(timestamp_distance(100, u32::MAX - 59), 160);
    }
}
