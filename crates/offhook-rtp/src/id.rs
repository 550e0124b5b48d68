//! The numbers that name a source and a payload.

use core::fmt;

/// A synchronisation source: the random number that names one sender in a session (RFC 3550 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ssrc(u32);

impl Ssrc {
    /// Any 32-bit number is a legal source.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl From<u32> for Ssrc {
    fn from(value: u32) -> Self {
        Self(value)
    }
}

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

/// A payload type, 0 to 127 (RFC 3551 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadType(u8);

impl PayloadType {
    /// G.711 mu-law, 8000 Hz, one octet a sample.
    pub const PCMU: Self = Self(0);
    /// G.711 A-law, 8000 Hz, one octet a sample.
    pub const PCMA: Self = Self(8);
    /// Comfort noise (RFC 3389) beside an 8000 Hz codec.
    pub const COMFORT_NOISE: Self = Self(13);
    /// What telephone-event (RFC 4733) is commonly offered as; it has no static number.
    pub const TELEPHONE_EVENT: Self = Self(101);

    /// `None` above 127: the field has seven bits.
    pub const fn new(value: u8) -> Option<Self> {
        if value < 128 { Some(Self(value)) } else { None }
    }

    /// The low seven bits of the second octet of an RTP packet.
    pub(crate) const fn from_wire(octet: u8) -> Self {
        Self(octet & 0x7f)
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// 96 to 127: means only what the session description says (RFC 3551 §3).
    pub const fn is_dynamic(self) -> bool {
        self.0 >= 96
    }

    /// 64 to 95: reads as an RTCP type where RTP and RTCP share a port (RFC 5761 §4), so it is not offered.
    pub const fn clashes_with_rtcp(self) -> bool {
        self.0 >= 64 && self.0 < 96
    }
}

impl fmt::Display for PayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
