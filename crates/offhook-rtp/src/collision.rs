//! Our own source number seen from elsewhere: a collision, or our own packets come round (RFC 3550 §8.2).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::Ssrc;

/// An address is forgotten when nothing with our number came from it for ten report intervals (§8.2).
const FORGET: Duration = Duration::from_secs(50);
/// Addresses remembered; the oldest goes first.
const MAX_ADDRESSES: usize = 16;

/// What a source number says about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not our number.
    Theirs,
    /// Ours, from a new address: say BYE under it and choose another ([`OwnSource::replace`]).
    Collision,
    /// Ours, from an address that already collided: our own packets looped back. Drop it.
    Loop,
}

/// Our source number, and the addresses it was seen from.
///
/// ```
/// use core::time::Duration;
/// use offhook_rtp::{collision::{OwnSource, Verdict}, id::Ssrc};
///
/// let from = "192.0.2.9:4000".parse()?;
/// let mut own = OwnSource::new(Ssrc::new(7));
/// assert_eq!(own.judge(Duration::ZERO, Ssrc::new(8), from), Verdict::Theirs);
/// assert_eq!(own.judge(Duration::ZERO, Ssrc::new(7), from), Verdict::Collision);
/// own.replace(Ssrc::new(9));
/// // The very same happens with the new number: nobody guesses that. It is a loop.
/// assert_eq!(own.judge(Duration::ZERO, Ssrc::new(9), from), Verdict::Loop);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSource {
    ssrc: Ssrc,
    conflicts: Vec<(SocketAddr, Duration)>,
}

impl OwnSource {
    /// Begins with a random number.
    pub const fn new(ssrc: Ssrc) -> Self {
        Self {
            ssrc,
            conflicts: Vec::new(),
        }
    }

    /// Our number.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Takes another number after a collision.
    pub const fn replace(&mut self, ssrc: Ssrc) {
        self.ssrc = ssrc;
    }

    /// Judges a received packet. `now` is a span since any starting point.
    pub fn judge(&mut self, now: Duration, ssrc: Ssrc, from: SocketAddr) -> Verdict {
        if ssrc != self.ssrc {
            return Verdict::Theirs;
        }
        self.conflicts
            .retain(|(_, last)| now.saturating_sub(*last) < FORGET);
        if let Some((_, last)) = self
            .conflicts
            .iter_mut()
            .find(|(address, _)| *address == from)
        {
            *last = now;
            return Verdict::Loop;
        }
        if self.conflicts.len() >= MAX_ADDRESSES {
            self.conflicts.remove(0);
        }
        self.conflicts.push((from, now));
        Verdict::Collision
    }
}
