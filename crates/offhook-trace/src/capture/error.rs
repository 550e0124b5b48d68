//! What can be wrong with a capture file.

/// Why a file cannot be read, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {kind}")]
pub struct CaptureError {
    offset: usize,
    kind: CaptureErrorKind,
}

impl CaptureError {
    pub(super) const fn new(offset: usize, kind: CaptureErrorKind) -> Self {
        Self { offset, kind }
    }

    /// Octets before the part that is wrong.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    pub const fn kind(&self) -> CaptureErrorKind {
        self.kind
    }
}

/// What is wrong with a capture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureErrorKind {
    /// Its first octets are neither those of pcap nor of pcapng.
    #[error("neither a pcap nor a pcapng file")]
    NotACapture,
    /// A section of a pcapng file does not say its byte order.
    #[error("a section without a byte order")]
    ByteOrder,
    /// A block of a pcapng file has an impossible length.
    #[error("a block of impossible length")]
    BlockLength,
}

/// Why a packet cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The payload is longer than a UDP datagram can be.
    #[error("payload too long for a datagram")]
    TooLong,
    /// One address is of IPv4, the other of IPv6.
    #[error("addresses of different families")]
    Family,
}
