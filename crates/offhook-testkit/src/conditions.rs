//! How well a link carries packets.

use core::ops::Range;
use core::time::Duration;

/// What happens to the datagrams of a link; probabilities are from 0 to 1.
///
/// Streams know latency only: a lost or damaged segment shows as a delay, since TCP sends it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// How long a packet takes, one way.
    pub latency: Range<Duration>,
    /// How often a packet vanishes.
    pub loss: f64,
    /// How often a packet comes twice.
    pub duplication: f64,
    /// How often a packet is held back long enough for later ones to overtake it.
    pub reordering: f64,
    /// How often a packet arrives with a few octets changed.
    pub corruption: f64,
    /// Whether a datagram to an address that nobody has is reported to its sender
    /// (ICMP unreachable, RFC 3261 §18.4); otherwise there is silence.
    pub icmp: bool,
}

impl Conditions {
    /// Every packet arrives once, in order, after 1 ms.
    #[must_use]
    pub fn perfect() -> Self {
        let latency = Duration::from_millis(1);
        Self {
            latency: latency..latency,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            corruption: 0.0,
            icmp: false,
        }
    }

    /// A link of 5 to 40 ms that loses this part of its packets and is good otherwise.
    #[must_use]
    pub fn lossy(loss: f64) -> Self {
        Self {
            latency: Duration::from_millis(5)..Duration::from_millis(40),
            loss,
            ..Self::perfect()
        }
    }

    /// A link on which everything goes wrong now and then.
    #[must_use]
    pub fn hostile() -> Self {
        Self {
            latency: Duration::from_millis(1)..Duration::from_millis(300),
            loss: 0.1,
            duplication: 0.1,
            reordering: 0.1,
            corruption: 0.02,
            icmp: true,
        }
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self::perfect()
    }
}
