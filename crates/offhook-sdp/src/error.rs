//! What can be wrong with a description: where, what, and the SIP status that says so.

/// Why a body is no usable session description, and where.
///
/// A body that fails to parse is never treated as if it were absent: answer with [`Self::status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("session description, line {line}, byte {offset}: {kind}")]
pub struct SdpError {
    offset: usize,
    line: usize,
    kind: SdpErrorKind,
}

impl SdpError {
    pub(crate) const fn new(offset: usize, line: usize, kind: SdpErrorKind) -> Self {
        Self { offset, line, kind }
    }

    /// Octets before the line (or the octet) that is wrong.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The number of the line that is wrong, from 1.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// What is wrong.
    pub const fn kind(&self) -> SdpErrorKind {
        self.kind
    }

    /// The SIP status to refuse the request with: 400 for a broken body, 488 for one that is well
    /// formed but beyond what this crate takes (another version, more than [`crate::Limits`] allow).
    pub const fn status(&self) -> u16 {
        match self.kind {
            SdpErrorKind::Version | SdpErrorKind::TooLarge => 488,
            _ => 400,
        }
    }
}

/// What is wrong with a line of a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpErrorKind {
    /// Nothing at all: an empty body.
    #[error("empty")]
    Empty,
    /// A line is not `letter=value`.
    #[error("not of the form letter=value")]
    NotALine,
    /// A NUL, or a CR that ends no line (RFC 8866 §9, `byte-string`).
    #[error("forbidden control character")]
    ControlCharacter,
    /// A type letter RFC 8866 §5 does not know: the whole description must be ignored.
    #[error("unknown type letter")]
    UnknownType,
    /// A known line where RFC 8866 §5 does not allow it, or once too often.
    #[error("line out of order or repeated")]
    OutOfOrder,
    /// `v=` is not 0.
    #[error("protocol version is not 0")]
    Version,
    /// The line `v=`, `o=`, `s=` or `t=` is missing.
    #[error("line {0}= is missing")]
    Missing(char),
    /// A stream has no `c=`, neither its own nor the session's (RFC 8866 §5.7).
    #[error("no connection address for this stream")]
    MissingConnection,
    /// The value of the line breaks its grammar.
    #[error("malformed {0}= line")]
    Malformed(char),
    /// More octets, lines, streams or formats than the limits allow.
    #[error("larger than the limits allow")]
    TooLarge,
}

/// A value that cannot stand in a session description: it would end its line or break its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("value breaks the grammar of its line")]
pub struct ValueError;
