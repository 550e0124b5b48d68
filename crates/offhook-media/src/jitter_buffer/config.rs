//! How long packets wait.

use std::time::Duration;

/// How a [`JitterBuffer`](super::JitterBuffer) waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// As long as it pays, by the E-model.
    Adaptive {
        /// Never shorter.
        least: Duration,
        /// Never longer.
        most: Duration,
    },
    /// Always so long after the first packet: nothing is ever inserted or shortened, so that what is played is what
    /// was sent, gaps apart. For recording and measuring.
    Fixed(Duration),
}

/// Delays and limits of a [`JitterBuffer`](super::JitterBuffer).
#[derive(Debug, Clone)]
pub struct Config {
    /// Timestamp units a second.
    pub clock_rate: u32,
    /// How long packets wait.
    pub waiting: Waiting,
    /// Packets kept at most; when more come the oldest are thrown away.
    pub max_packets: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self::Adaptive {
            least: Duration::from_millis(10),
            most: Duration::from_millis(400),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clock_rate: 8000,
            waiting: Waiting::default(),
            max_packets: 100,
        }
    }
}
