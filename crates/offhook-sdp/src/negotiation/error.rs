//! Why no agreement came about, and the SIP status that says so.

/// Why no agreement came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// None of the streams offered can be taken (RFC 3264 §6).
    #[error("no stream of the offer is acceptable")]
    NotAcceptable,
    /// The answer has not as many streams as the offer (RFC 3264 §6).
    #[error("the answer has another number of streams than the offer")]
    StreamCount,
    /// A stream of the answer, counted from 0, is not of the offered kind or transport.
    #[error("stream {0} of the answer is not the one offered")]
    StreamMismatch(usize),
    /// A stream of the answer, counted from 0, has none of the formats offered.
    #[error("stream {0} of the answer has no format of the offer")]
    NoCommonFormat(usize),
    /// A new offer has fewer streams than the session (RFC 3264 §8).
    #[error("the new offer leaves out streams of the session")]
    StreamRemoved,
    /// An offer is open: none may be made before it is answered or refused (RFC 3264 §4).
    #[error("another offer is open")]
    OfferPending,
    /// There is no offer to answer.
    #[error("no offer is open")]
    NoOffer,
    /// A stream cannot be anchored without telling something of the other party.
    #[error("stream {0} cannot be anchored")]
    NotAnchorable(usize),
}

impl NegotiationError {
    /// The SIP status that says it: 491 when two offers cross, 488 otherwise; 500 for our own
    /// misuse. A broken answer cannot be refused: acknowledge it and end the call.
    pub const fn status(self) -> u16 {
        match self {
            Self::OfferPending => 491,
            Self::NoOffer => 500,
            _ => 488,
        }
    }
}
