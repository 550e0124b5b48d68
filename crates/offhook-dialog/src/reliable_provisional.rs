//! Reliable provisional responses: RSeq and RAck on both sides (RFC 3262).

use core::fmt;

use offhook_sip::{HeaderName, Headers, Request, Response};

use crate::wire;

/// When our own 1xx are sent reliably.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliable {
    /// Never; a caller that requires 100rel is answered 420.
    Never,
    /// When the caller requires it.
    #[default]
    WhenRequired,
    /// Whenever the caller knows it.
    WhenSupported,
}

impl Reliable {
    /// Whether the provisional responses to `invite` are to be reliable (§3).
    #[must_use]
    pub fn applies(self, invite: &Headers) -> bool {
        let lists = |name| wire::lists_option(invite, name, "100rel");
        match self {
            Self::Never => false,
            Self::WhenRequired => lists(HeaderName::REQUIRE),
            Self::WhenSupported => lists(HeaderName::REQUIRE) || lists(HeaderName::SUPPORTED),
        }
    }
}

/// What a PRACK names: the RSeq, and the request that the response was for (§7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAckValue {
    rseq: u32,
    cseq: String,
}

impl RAckValue {
    /// What our PRACK for `response` is to say.
    #[must_use]
    pub fn of_response(rseq: u32, response: &Response) -> Self {
        Self {
            rseq,
            cseq: wire::normal_cseq(wire::text(response.headers(), HeaderName::CSEQ)),
        }
    }

    /// What the peer's PRACK says.
    #[must_use]
    pub fn of_prack(prack: &Request) -> Option<Self> {
        let text = wire::text(prack.headers(), HeaderName::RACK);
        let (rseq, cseq) = text.split_once(|c: char| c.is_ascii_whitespace())?;
        Some(Self {
            rseq: rseq.parse().ok()?,
            cseq: wire::normal_cseq(cseq),
        })
    }
}

impl fmt::Display for RAckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

/// What a caller makes of an RSeq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// In order: acknowledge it.
    Next,
    /// Seen before, or after a gap: ignore it (§4).
    Ignore,
}

/// The caller's side of one early dialog: which RSeq comes next (§4).
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceivedInOrder {
    last: Option<u32>,
}

impl ReceivedInOrder {
    /// Whether none came yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// Judges a reliable provisional response.
    #[must_use]
    pub fn arrival(&mut self, rseq: u32) -> Arrival {
        match self.last {
            Some(last) if rseq != last.wrapping_add(1) => Arrival::Ignore,
            _ => {
                self.last = Some(rseq);
                Arrival::Next
            }
        }
    }
}

/// The RSeq of a response that must be acknowledged: it requires 100rel (§4).
#[must_use]
pub fn rseq_of(response: &Response) -> Option<u32> {
    let headers = response.headers();
    if !response.status().is_provisional()
        || response.status().get() == 100
        || !wire::lists_option(headers, HeaderName::REQUIRE, "100rel")
    {
        return None;
    }
    wire::text(headers, HeaderName::RSEQ).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // checklist: R3262-05
    #[test]
    fn the_caller_takes_rseq_in_order_and_ignores_gaps_and_repeats() {
        let mut received = ReceivedInOrder::default();
        assert_eq!(received.arrival(17), Arrival::Next);
        assert_eq!(received.arrival(17), Arrival::Ignore);
        assert_eq!(received.arrival(19), Arrival::Ignore);
        assert_eq!(received.arrival(18), Arrival::Next);
        assert_eq!(received.arrival(19), Arrival::Next);
    }
}
