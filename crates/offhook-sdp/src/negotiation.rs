//! Offer and answer (RFC 3264): what each side can do, and what both will.
//!
//! [`offer`], [`answer`] and [`complete`] are pure; [`Exchange`] remembers a session's descriptions
//! and keeps the rules between them.

mod answer;
mod complete;
pub(crate) mod error;
mod exchange;
mod local;
mod offer;
mod stream;

pub use answer::{Agreement, answer, answer_streams};
pub use complete::complete;
pub use error::NegotiationError;
pub use exchange::Exchange;
pub use local::{Capabilities, DEFAULT_PTIME, Local, LocalStream};
pub use offer::{offer, offer_streams};
pub use stream::{NegotiatedCodec, Stream};
