//! Which destinations ICMP has called unreachable, each told once in a while.
//!
//! Every packet to a closed port comes back as an error, and the machines look at all that goes
//! there when they are told. Whoever sends requests from a port that he has closed would keep them
//! busy with nothing else; so a destination is told at most once in [`PAUSE`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// T1: a packet that is resent meets the error again after the pause.
const PAUSE: Duration = Duration::from_millis(500);
/// Destinations that are remembered; beyond, the memory begins anew.
const REMEMBERED: usize = 1_024;

/// Destinations that were told lately.
#[derive(Debug, Default)]
pub(super) struct Unreachable {
    told: HashMap<SocketAddr, Instant>,
}

impl Unreachable {
    /// Whether this destination is to be told now.
    pub(super) fn is_news(&mut self, now: Instant, remote: SocketAddr) -> bool {
        let lately = |at: &Instant| now.saturating_duration_since(*at) < PAUSE;
        if self.told.get(&remote).is_some_and(lately) {
            return false;
        }
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        self.told.insert(remote, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_told_once_in_a_while() {
        let mut unreachable = Unreachable::default();
        let (now, remote) = (Instant::now(), SocketAddr::from(([192, 0, 2, 1], 5060)));
        assert!(unreachable.is_news(now, remote));
        assert!(!unreachable.is_news(now + PAUSE / 2, remote));
        assert!(unreachable.is_news(now + PAUSE, remote));
    }

    #[test]
    fn memory_is_bounded() {
        let mut unreachable = Unreachable::default();
        let now = Instant::now();
        for port in 1..=u16::MAX {
            assert!(unreachable.is_news(now, SocketAddr::from(([192, 0, 2, 1], port))));
            assert!(unreachable.told.len() <= REMEMBERED);
        }
    }
}
