//! What the caller of a layer can do wrong.

use offhook_sip::Method;

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// [`Limits::client_transactions`](crate::Limits::client_transactions) are alive.
    #[error("as many client transactions are alive as the limit allows")]
    Full,
    /// ACK has no transaction, and a CANCEL is sent by [`Layer::cancel`](crate::Layer::cancel).
    #[error("{} is not sent by a client transaction of its own", .0.as_str())]
    NotAllowed(Method),
}

/// Why a response was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The transaction has ended.
    #[error("the transaction has ended")]
    Gone,
    /// The transaction has its final response, and this is no further 2xx to an INVITE.
    #[error("the transaction has its final response already")]
    AlreadyFinal,
    /// RFC 4320 §4: to a non-INVITE request no provisional response but 100, and no 408.
    #[error("RFC 4320 forbids this status to a non-INVITE request")]
    NotAllowed,
}
