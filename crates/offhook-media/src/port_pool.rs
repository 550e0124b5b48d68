//! Which local ports are free: even ones for RTP, each with the odd one after it for RTCP (RFC 3550 §11).
//!
//! Numbers only; whether the system lets a port be opened is found out by the network layer.

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Hands out even ports from a range, and never one again within its linger time.
///
/// A phone keeps sending for a moment after a call has ended. Were its port given to a new call at once, the new
/// call would hear the old one.
///
/// ```
/// use std::time::{Duration, Instant};
/// use offhook_media::port_pool::PortPool;
///
/// let now = Instant::now();
/// let mut pool = PortPool::new(20_000..=20_003, Duration::from_secs(5), 1);
/// let (first, second) = (pool.take(now).unwrap(), pool.take(now).unwrap());
/// assert_eq!(pool.take(now), None);
/// pool.give_back(now, first);
/// assert_eq!(pool.take(now), None);
/// assert_eq!(pool.take(now + Duration::from_secs(5)), Some(first));
/// # let _ = second;
/// ```
#[derive(Debug)]
pub struct PortPool {
    /// Oldest first, so that the port unused for the longest is taken next.
    free: VecDeque<u16>,
    lingering: VecDeque<(Instant, u16)>,
    taken: BTreeSet<u16>,
    linger: Duration,
}

impl PortPool {
    /// A pool of the even ports of `range` whose odd neighbour lies in it too.
    ///
    /// `seed` decides the order in which ports are first handed out, so that they cannot be guessed.
    pub fn new(range: RangeInclusive<u16>, linger: Duration, seed: u64) -> Self {
        use rand::seq::SliceRandom;
        let last = *range.end();
        let first = *range.start();
        let mut free: Vec<u16> = (first..=last)
            .filter(|port| port % 2 == 0 && *port > 0 && *port < last)
            .collect();
        let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
        free.shuffle(&mut random);
        Self {
            free: free.into(),
            lingering: VecDeque::new(),
            taken: BTreeSet::new(),
            linger,
        }
    }

    /// An even port; the odd one after it goes with it. `None` when all are in use or lingering.
    pub fn take(&mut self, now: Instant) -> Option<u16> {
        while let Some((until, port)) = self.lingering.front().copied() {
            if until > now {
                break;
            }
            self.lingering.pop_front();
            self.free.push_back(port);
        }
        let port = self.free.pop_front()?;
        self.taken.insert(port);
        Some(port)
    }

    /// Returns a port; it lingers from `now` on. A port that was not taken is ignored.
    pub fn give_back(&mut self, now: Instant, port: u16) {
        if self.taken.remove(&port) {
            self.lingering.push_back((now + self.linger, port));
        }
    }

    /// Ports handed out and not given back.
    pub fn in_use(&self) -> usize {
        self.taken.len()
    }

    /// Ports neither handed out nor lingering at the last call of [`Self::take`].
    pub fn free(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_even_pairs_inside_the_range() {
        let now = Instant::now();
        let mut pool = PortPool::new(20_001..=20_010, Duration::ZERO, 7);
        let mut ports: Vec<u16> = std::iter::from_fn(|| pool.take(now)).collect();
        ports.sort_unstable();
        assert_eq!(ports, [20_002, 20_004, 20_006, 20_008]);
    }

    #[test]
    fn giving_back_twice_does_not_double_a_port() {
        let now = Instant::now();
        let mut pool = PortPool::new(20_000..=20_001, Duration::ZERO, 7);
        let port = pool.take(now).unwrap();
        pool.give_back(now, port);
        pool.give_back(now, port);
        assert_eq!(pool.take(now), Some(port));
        assert_eq!(pool.take(now), None);
        assert_eq!(pool.in_use(), 1);
    }
}
