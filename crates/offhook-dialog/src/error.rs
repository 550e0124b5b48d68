//! What can be wrong with a message for a dialog.

use offhook_sip::StatusCode;

/// Why a message makes no dialog or does not fit one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialogError {
    /// A response without a To tag makes no early dialog (RFC 3261 §12.1).
    #[error("no tag: the message makes no dialog")]
    NoTag,
    /// No Contact, or one that is not one URI: there is nowhere to send requests to (§12.1.1).
    #[error("no usable Contact: there is nowhere to send requests to")]
    NoContact,
    /// From, To or Call-ID hold what no message of ours could repeat.
    #[error("an address or the Call-ID cannot be repeated")]
    Unwritable,
    /// The CSeq is not higher than the last one (§12.2.2).
    #[error("the CSeq number is not higher than the last one")]
    OutOfOrder,
}

impl DialogError {
    /// The status that answers a request with this fault.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NoTag | Self::NoContact | Self::Unwritable => StatusCode::BAD_REQUEST,
            Self::OutOfOrder => StatusCode::SERVER_INTERNAL_ERROR,
        }
    }
}
