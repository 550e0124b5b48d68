//! What can be wrong with a packet from the network: where, and what.

/// A packet that cannot be used. It is dropped (RFC 3550 §A.1, §A.2); nothing is ever answered to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at octet {offset}")]
pub struct RtpError {
    offset: usize,
    kind: RtpErrorKind,
}

impl RtpError {
    pub(crate) const fn new(offset: usize, kind: RtpErrorKind) -> Self {
        Self { offset, kind }
    }

    /// Octets from the start of the datagram to the field that is wrong.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    pub const fn kind(&self) -> RtpErrorKind {
        self.kind
    }
}

/// The kinds of [`RtpError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpErrorKind {
    /// The datagram ends inside the fixed header, a CSRC list, an extension or a report.
    #[error("packet too short")]
    TooShort,
    /// The version field is not 2.
    #[error("version is not 2")]
    Version,
    /// The padding count is zero, longer than what it pads, or in a packet that must have none.
    #[error("impossible padding")]
    Padding,
    /// The RTCP packet type is not one that may stand here.
    #[error("packet type not allowed here")]
    PacketType,
    /// An RTCP length field disagrees with the datagram or with what it counts.
    #[error("length disagrees with the contents")]
    Length,
    /// The space handed in for writing is too small.
    #[error("no room to write")]
    NoRoom,
}
