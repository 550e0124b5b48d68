//! What went through and what was turned away, counted by whoever does it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of the numbers since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Messages that came in.
    pub received: u64,
    /// Messages handed to the system or to a connection's queue.
    pub sent: u64,
    /// Messages that could not be sent.
    pub send_failures: u64,
    /// Datagrams that were sent later, or not at all, because a socket's buffer was full.
    pub send_buffer_full: u64,
    /// Datagrams that the system threw away because the receive buffer of their listener was full
    /// ([`Limits::udp_receive_buffer`](crate::Limits::udp_receive_buffer)), where it tells: on Linux.
    pub receive_buffer_full: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections turned away at a limit.
    pub refused: u64,
    /// Connections cut off: framing broken, too slow, too long silent.
    pub cut_off: u64,
    /// Voice packets of a plain port that nobody fetched in time.
    pub voice_dropped: u64,
}

/// The counters that tasks share.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) received: Count,
    pub(crate) sent: Count,
    pub(crate) send_failures: Count,
    pub(crate) send_buffer_full: Count,
    pub(crate) receive_buffer_full: Count,
    pub(crate) accepted: Count,
    pub(crate) refused: Count,
    pub(crate) cut_off: Count,
    pub(crate) voice_dropped: Count,
}

impl Tally {
    pub(crate) fn snapshot(&self) -> Counters {
        Counters {
            received: self.received.get(),
            sent: self.sent.get(),
            send_failures: self.send_failures.get(),
            send_buffer_full: self.send_buffer_full.get(),
            receive_buffer_full: self.receive_buffer_full.get(),
            accepted: self.accepted.get(),
            refused: self.refused.get(),
            cut_off: self.cut_off.get(),
            voice_dropped: self.voice_dropped.get(),
        }
    }
}

/// One number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
